"""The options that say what is done to output, for the command line and the notebook alike.

It imports none of what does it: most runs ask for nothing, and start twice as fast without.
"""

from __future__ import annotations

from typing import Any

__all__ = ("add_output_options",)

CHOICES = ("auto", "always", "never")
"""For colour."""
FORMAT_NAMES = ("text", "json", "yaml")
"""The formats of :data:`pyrepl_stream.processors.FORMATS`."""
_DEFAULT_PREFIX = "[{source}] "


def add_output_options(parser: Any) -> None:
    """Add the options of :meth:`Settings.with_options`, and ``--record FILE``, to an argument parser."""
    add = parser.add_argument
    add(
        "--filter",
        action="append",
        default=[],
        metavar="PATTERN",
        help="show lines that match an expression, or `errors`, `warnings`, `no-progress`, `no-debug`, "
        "`no-blank`; may be repeated",
    )
    add("--exclude", action="append", default=[], metavar="PATTERN", help="leave out lines that match")
    add(
        "--prefix",
        nargs="?",
        const=_DEFAULT_PREFIX,
        metavar="TEMPLATE",
        help="before each line: {source}, {stream}, {time}, {elapsed}, {host}; `--prefix` without a "
        f"template, as the last option, is '{_DEFAULT_PREFIX}'",
    )
    add("--color", choices=CHOICES, help="colours (default: what can be shown, as NO_COLOR and others say)")
    add("--no-color", dest="color", action="store_const", const="never", help="the same as --color never")
    add("--format", choices=FORMAT_NAMES, help="read the output as that: its documents become events")
    add("--progress", action="store_true", help="show what programs draw of their progress as lines")
    add("--record", metavar="FILE", help="record the output as an asciicast, for `pyrepl-stream replay`")
