"""What one drawn line says, and the registry of those who can read it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ...errors import UsageError

__all__ = ("Bar", "Library", "LIBRARIES", "register")


@dataclass(frozen=True)
class Bar:
    """The state of a progress bar as one line shows it.

    ``current`` and ``total`` are in ``unit`` (``B`` for bytes), ``rate`` in units per second, times in
    seconds, ``percentage`` from 0 to 100. None where the line does not say. ``finished``: the line
    itself says that it is the last. ``doubtful``: it is believed only where it is drawn over; or, if that
    holds for all lines of this library, only over another one of its lines.
    """

    description: str = ""
    current: float | None = None
    total: float | None = None
    unit: str = ""
    percentage: float | None = None
    rate: float | None = None
    elapsed: float | None = None
    remaining: float | None = None
    finished: bool = False
    doubtful: bool = False


@dataclass(frozen=True)
class Library:
    """How one library or tool draws its bars.

    ``parse`` gets one line as it is shown (no colours, no blanks at its end) and returns the bar, or
    None for a line that is none; the whole line has to fit, so that a half-drawn one does not.
    ``redrawn`` says that a line of this form is believed only where it is drawn over: one that is
    printed once may be text of another kind. ``hint`` is an expression that some part of each such
    line matches; lines without it are not given to ``parse``. A line that was printed once, without a
    carriage return, a cursor movement, ``%`` or a block glyph, is not looked at. ``end``, if
    given, matches how each such line ends: what is printed behind it, without a carriage return, is text.
    """

    name: str
    parse: Callable[[str], Bar | None]
    hint: str
    redrawn: bool = True
    end: str = ""


LIBRARIES: dict[str, Library] = {}
"""By name, in the order in which they are asked; the first that knows a line has it."""


def register(library: Library, *, first: bool = True) -> None:
    """Make a library known, before those that are known by default. Raises :class:`UsageError`."""
    if library.name in LIBRARIES:
        raise UsageError(f"there is a progress library {library.name!r} already: choose another name")
    re.compile(library.hint)
    re.compile(library.end)
    LIBRARIES[library.name] = library
    if first:
        others = {name: other for name, other in LIBRARIES.items() if name != library.name}
        LIBRARIES.clear()
        LIBRARIES.update({library.name: library, **others})
