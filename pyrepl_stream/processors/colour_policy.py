"""One policy for colour: who gets it, and how much of it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Protocol

from ..errors import UsageError
from ..output_options import CHOICES
from .palette import check_depth

__all__ = ("TRUE_COLOUR", "ColourPolicy", "Console", "enable_virtual_terminal", "hint")

TRUE_COLOUR = 1 << 24

_FORCED = {"0": 0, "false": 0, "1": 16, "true": 16, "": 16, "2": 256, "3": TRUE_COLOUR}


class _Terminal(Protocol):
    def isatty(self) -> bool: ...


@dataclass(frozen=True)
class ColourPolicy:
    """What can be shown: ``depth`` colours (0, 16, 256 or 1 << 24), and whether the ``cursor`` can move.

    Raises :class:`UsageError`.
    """

    depth: int
    cursor: bool

    def __post_init__(self) -> None:
        check_depth(self.depth)

    @classmethod
    def page(cls) -> ColourPolicy:
        """Of a notebook's page, which has a screen of its own."""
        return cls(TRUE_COLOUR, True)

    @classmethod
    def of(
        cls, terminal: _Terminal | bool, environ: Mapping[str, str], *, choice: str = "auto"
    ) -> ColourPolicy:
        """Of a stream that is a terminal or not, by these environment variables.

        A ``choice`` other than ``auto`` goes first, then ``NO_COLOR`` (https://no-color.org), then
        ``FORCE_COLOR`` (0 to 3, as Node reads it), then ``CLICOLOR_FORCE`` and ``CLICOLOR``
        (https://bixense.com/clicolors). Raises :class:`UsageError` for any other choice.
        """
        if choice not in CHOICES:
            raise UsageError(f"there is no choice {choice!r} for colour: {hint(choice, CHOICES)}")
        is_terminal = terminal if isinstance(terminal, bool) else terminal.isatty()
        cursor = is_terminal and environ.get("TERM") != "dumb"
        if choice == "always":
            return cls(_shown_by(environ), cursor)
        if choice == "never" or environ.get("NO_COLOR"):
            return cls(0, cursor)
        if "FORCE_COLOR" in environ:
            return cls(_FORCED.get(environ["FORCE_COLOR"].lower(), 16), cursor)
        if environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
            return cls(_shown_by(environ), cursor)
        if not cursor or environ.get("CLICOLOR") == "0":
            return cls(0, cursor)
        return cls(_shown_by(environ), cursor)


def _shown_by(environ: Mapping[str, str]) -> int:
    term = environ.get("TERM", "")
    if environ.get("COLORTERM", "").lower() in ("truecolor", "24bit") or term.endswith("-direct"):
        return TRUE_COLOUR
    if "WT_SESSION" in environ:  # Windows Terminal, which sets no TERM
        return TRUE_COLOUR
    return 256 if term.endswith("-256color") else 16


class Console(Protocol):
    """What Windows has where others have a terminal (GetConsoleMode, SetConsoleMode)."""

    def get_mode(self) -> int | None:
        """The flags; None where there is no console."""

    def set_mode(self, mode: int) -> bool:
        """Whether these flags were accepted."""


_VIRTUAL_TERMINAL = 0x0004  # ENABLE_VIRTUAL_TERMINAL_PROCESSING; Windows 10 and newer accept it


def enable_virtual_terminal(console: Console | None = None) -> bool:
    """Have a Windows console act on escape sequences; whether it does. True elsewhere, where all do.

    ``console``: that of the standard output by default.
    """
    if console is None:
        if sys.platform != "win32":
            return True
        console = _WindowsConsole()
    mode = console.get_mode()
    if mode is None:
        return False
    return bool(mode & _VIRTUAL_TERMINAL) or console.set_mode(mode | _VIRTUAL_TERMINAL)


class _WindowsConsole:
    """Of the standard output. Not tested: our machines have no Windows."""

    def __init__(self) -> None:
        import ctypes

        self._kernel32 = ctypes.windll.kernel32  # type: ignore[attr-defined, unused-ignore]
        self._handle = self._kernel32.GetStdHandle(-11)

    def get_mode(self) -> int | None:
        import ctypes

        mode = ctypes.c_uint32()
        return mode.value if self._kernel32.GetConsoleMode(self._handle, ctypes.byref(mode)) else None

    def set_mode(self, mode: int) -> bool:
        return bool(self._kernel32.SetConsoleMode(self._handle, mode))


def hint(wrong: str, known: Iterable[str]) -> str:
    """The way out for a name that is not known."""
    names = tuple(known)
    nearest = get_close_matches(wrong, names, 1)
    return (f"did you mean {nearest[0]!r}? " if nearest else "") + f"known are {', '.join(names)}"
