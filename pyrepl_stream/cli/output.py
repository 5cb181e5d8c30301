"""The processors that the options and the user's settings request.

Most runs need none, so the processors are imported only when they are used.
"""

from __future__ import annotations

import argparse
import os
import stat
from typing import TYPE_CHECKING

from ..config.files import CONFIG_FILE, user_file
from ..processors.output_options import add_output_options
from .console import ERRORS, OUTPUT

if TYPE_CHECKING:
    from ..pipeline import AnyProcessor

_OPTIONS = ("filter", "exclude", "prefix", "color", "format", "progress")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for output to an argument parser."""
    add = parser.add_argument
    add("--json", action="store_true", help="write each message to stdout as a line of JSON")
    add("--no-streaming", action="store_true", help="show the output only at the end")
    note = "Without these options, and without settings in config.toml, every byte passes unchanged."
    add_output_options(parser.add_argument_group("output", note))


def processors_of(
    arguments: argparse.Namespace, *, size: tuple[int, int], title: str
) -> tuple[AnyProcessor, ...]:
    """Return the processors for the options and the user's settings.

    Args:
        arguments: The parsed options.
        size: Rows and columns of the terminal, for a recording.
        title: The title of a recording.

    Raises:
        UsageError: An option or a setting is not valid.
    """
    processors = _of_settings(arguments)
    if arguments.record is None:
        return processors
    from ..processors import Recorder

    # The recorder is created last, as that empties its file, but runs first, to record unchanged output.
    return (Recorder(arguments.record, size=size, title=title), *processors)


def _of_settings(arguments: argparse.Namespace) -> tuple[AnyProcessor, ...]:
    if arguments.interactive:
        return ()  # the output of a program that draws its own screen passes unchanged
    options = {name: getattr(arguments, name) for name in _OPTIONS}
    if not any(options.values()) and options["prefix"] is None and not user_file(CONFIG_FILE).exists():
        return ()
    from ..config.settings import load_settings
    from ..processors import ColourPolicy
    from ..processors.windows_console import enable_virtual_terminal

    settings = load_settings().with_options(**options)
    if arguments.json and settings.color != "never":
        policy = ColourPolicy.page()  # the reader of the messages applies its own policy
    else:
        policy = ColourPolicy.of(os.isatty(OUTPUT), os.environ, choice=settings.color)
        if policy.depth:
            enable_virtual_terminal()
    return settings.processors(policy)


def has_cursor() -> bool:
    """Return True when lines on stderr can be overwritten.

    Where stdout is a pipe, its reader may write to the same terminal, as ``tee`` does. Overwriting would then
    erase its text.
    """
    is_terminal = os.isatty(ERRORS) and os.environ.get("TERM") != "dumb"
    return is_terminal and not stat.S_ISFIFO(os.fstat(OUTPUT).st_mode)
