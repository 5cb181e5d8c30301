"""The options that say what is done to output, and the settings that they make."""

from __future__ import annotations

import argparse
import os

from ..chain import AnyProcessor
from ..processors import ColourPolicy, Recorder
from ..processors.colour_policy import enable_virtual_terminal
from ..settings import add_output_options, load_settings
from .console import ERRORS, OUTPUT

__all__ = ("add_options", "has_cursor", "processors_of")


def add_options(parser: argparse.ArgumentParser) -> None:
    what = "Without these, and without settings in config.toml, every byte is passed on as it is."
    add_output_options(parser.add_argument_group("output", what))


def processors_of(
    arguments: argparse.Namespace, *, size: tuple[int, int], title: str
) -> tuple[AnyProcessor, ...]:
    """What the options ask for. Raises :class:`UsageError`."""
    def recorder() -> list[AnyProcessor]:
        """Made when all else is known to be right, as it empties its file."""
        if arguments.record is None:
            return []
        return [Recorder(arguments.record, size=size, title=title)]

    if arguments.interactive:
        return tuple(recorder())  # what draws its own screen is passed on as it is, whatever the settings
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
    return (*recorder(), *settings.processors(policy))


def has_cursor() -> bool:
    """Whether a line on stderr can be drawn over."""
    return ColourPolicy.of(os.isatty(ERRORS), os.environ).cursor
