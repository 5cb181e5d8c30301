"""Options for how a cell shows its output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Display = Literal["auto", "widget", "html", "plain"]
"""``auto``: the best kind that the front end can show. The other values name a renderer."""
DISPLAYS: tuple[Display, ...] = get_args(Display)


@dataclass(frozen=True)
class DisplayOptions:
    """How a cell shows its output. Cells that show one execution with equal options share a live area.

    Attributes:
        display: The kind of display.
        height: The height of a live area in rows.
        wrap: Wrap long lines in a live area.
        bars: Show progress bars below the text of a live area.
        lines: The number of lines that a live area keeps.
        show_errors: Show the traceback of a failure, because the cell does not raise it.
        output: The settings of the output, used only for comparison.
    """

    display: Display = "auto"
    height: int = 20
    wrap: bool = False
    bars: bool = True
    lines: int = 10_000
    show_errors: bool = False
    output: object = None
