"""The options that say what is done to output, and the settings that they make."""

from __future__ import annotations

import argparse
import os

from ..chain import AnyProcessor
from ..processors import FORMATS, ColourPolicy, Recorder
from ..processors.colour_policy import CHOICES, enable_virtual_terminal
from ..settings import load_settings
from .console import ERRORS, OUTPUT

__all__ = ("add_output_options", "has_cursor", "processors_of")

_DEFAULT_PREFIX = "[{source}] "


def add_output_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "output",
        "Without these, and without settings in config.toml, every byte is passed on as it is.",
    )
    add = group.add_argument
    add(
        "--filter",
        action="append",
        default=[],
        metavar="PATTERN",
        help="show lines that match: an expression, or errors, warnings, no-progress, no-debug, no-blank; "
        "may be repeated",
    )
    add("--exclude", action="append", default=[], metavar="PATTERN", help="leave out lines that match")
    add(
        "--prefix",
        nargs="?",
        const=_DEFAULT_PREFIX,
        metavar="TEMPLATE",
        help="before each line: {source}, {stream}, {time}, {elapsed}, {host} (default: '[{source}] ')",
    )
    add("--color", choices=CHOICES, help="colours (default: for a terminal, as NO_COLOR and others say)")
    add("--no-color", dest="color", action="store_const", const="never", help="the same as --color never")
    add("--format", choices=tuple(FORMATS), help="read the output as that, and show its documents as JSON")
    add("--progress", action="store_true", help="show what programs draw of their progress as one line")
    add("--record", metavar="FILE", help="record the output as an asciicast, for `pyrepl-stream replay`")


def processors_of(
    arguments: argparse.Namespace, *, size: tuple[int, int], title: str
) -> tuple[AnyProcessor, ...]:
    """What the options ask for. Raises :class:`UsageError`."""
    recorder = [Recorder(arguments.record, size=size, title=title)] if arguments.record is not None else []
    if arguments.interactive:
        return tuple(recorder)  # what draws its own screen is passed on as it is, whatever the settings
    settings = load_settings().with_options(
        filter=arguments.filter,
        exclude=arguments.exclude,
        prefix=arguments.prefix,
        color=arguments.color,
        format=arguments.format,
        progress=arguments.progress,
    )
    if arguments.json and settings.color != "never":
        policy = ColourPolicy.page()  # what reads the messages has a policy of its own
    else:
        policy = ColourPolicy.of(os.isatty(OUTPUT), os.environ, choice=settings.color)
        if policy.depth:
            enable_virtual_terminal()
    return (*recorder, *settings.processors(policy))


def has_cursor() -> bool:
    """Whether a line on stderr can be drawn over."""
    return ColourPolicy.of(os.isatty(ERRORS), os.environ).cursor
