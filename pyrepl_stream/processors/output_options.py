"""The options that process output, for the command line and the notebook.

This module does not import the processors: most runs use none, and start twice as fast without them.
"""

from __future__ import annotations

from typing import Any

__all__ = ("add_output_options",)

CHOICES = ("auto", "always", "never")
"""Choices of ``--color``."""
FORMAT_NAMES = ("text", "json", "yaml")
"""The names in :data:`pyrepl_stream.processors.FORMATS`."""
_DEFAULT_PREFIX = "[{source}] "


def add_output_options(parser: Any) -> None:
    """Add the options of :meth:`Settings.with_options`, and ``--record FILE``, to an argument parser."""
    add = parser.add_argument
    add(
        "--filter",
        action="append",
        default=[],
        metavar="PATTERN",
        help="show only lines that match an expression, or one of the filters `errors`, `warnings`, "
        "`no-progress`, `no-debug` and `no-blank`; may be repeated",
    )
    add(
        "--exclude",
        action="append",
        default=[],
        metavar="PATTERN",
        help="leave out lines that match; may be repeated",
    )
    add(
        "--prefix",
        nargs="?",
        const=_DEFAULT_PREFIX,
        metavar="TEMPLATE",
        help="text before each line, with the fields {source}, {stream}, {time}, {elapsed} and {host}; "
        f"without TEMPLATE (only as the last option): '{_DEFAULT_PREFIX}'",
    )
    add(
        "--color",
        choices=CHOICES,
        help="when to show colours (default: auto, which respects NO_COLOR and similar variables)",
    )
    add("--no-color", dest="color", action="store_const", const="never", help="the same as --color never")
    add("--format", choices=FORMAT_NAMES, help="read the output in this format: its documents become events")
    add(
        "--progress",
        action="store_true",
        help="show each progress bar that programs draw as one short line",
    )
    add("--record", metavar="FILE", help="record the output as an asciicast, for `pyrepl-stream replay`")
