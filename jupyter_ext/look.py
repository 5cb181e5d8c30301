"""How the output of a cell is to look."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ("DISPLAYS", "Look")

DISPLAYS = ("auto", "widget", "html", "plain")


@dataclass(frozen=True)
class Look:
    """``display`` is one of :data:`DISPLAYS`, ``height`` in rows on the page, ``lines`` what is kept."""

    display: str = "auto"
    height: int = 20
    wrap: bool = False
    bars: bool = True
    lines: int = 10_000
