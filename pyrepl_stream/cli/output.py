"""What is done to output, as the options and the user's settings ask for it.

Most runs ask for nothing: what does it is imported when it is needed.
"""

from __future__ import annotations

import argparse
import os

from ..chain import AnyProcessor
from ..config import CONFIG_FILE, user_file
from ..output_options import add_output_options
from .console import ERRORS, OUTPUT

__all__ = ("add_options", "has_cursor", "processors_of")

_OPTIONS = ("filter", "exclude", "prefix", "color", "format", "progress")


def add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--json", action="store_true", help="one line of JSON for each message on stdout")
    add("--no-streaming", action="store_true", help="show the output at the end")
    what = "Without these, and without settings in config.toml, every byte is passed on as it is."
    add_output_options(parser.add_argument_group("output", what))


def processors_of(
    arguments: argparse.Namespace, *, size: tuple[int, int], title: str
) -> tuple[AnyProcessor, ...]:
    """What is asked for. Raises :class:`UsageError`."""
    processors = _changing(arguments)
    if arguments.record is None:
        return processors
    from ..processors import Recorder

    # Last, as it empties its file; and first of all in the run, to record what came.
    return (Recorder(arguments.record, size=size, title=title), *processors)


def _changing(arguments: argparse.Namespace) -> tuple[AnyProcessor, ...]:
    if arguments.interactive:
        return ()  # what draws its own screen is passed on as it is, whatever the settings
    options = {name: getattr(arguments, name) for name in _OPTIONS}
    if not any(options.values()) and options["prefix"] is None and not user_file(CONFIG_FILE).exists():
        return ()
    from ..processors import ColourPolicy
    from ..processors.colour_policy import enable_virtual_terminal
    from ..settings import load_settings

    settings = load_settings().with_options(**options)
    if arguments.json and settings.color != "never":
        policy = ColourPolicy.page()  # what reads the messages has a policy of its own
    else:
        policy = ColourPolicy.of(os.isatty(OUTPUT), os.environ, choice=settings.color)
        if policy.depth:
            enable_virtual_terminal()
    return settings.processors(policy)


def has_cursor() -> bool:
    """Whether a line on stderr can be drawn over."""
    return os.isatty(ERRORS) and os.environ.get("TERM") != "dumb"
