"""The colours that a view can show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ..runtime.errors import UsageError
from ..runtime.validation import suggest
from ..terminal.palette import check_depth
from .output_options import CHOICES

__all__ = ("TRUE_COLOUR", "ColourPolicy")

TRUE_COLOUR = 1 << 24

_FORCED = {"0": 0, "false": 0, "1": 16, "true": 16, "": 16, "2": 256, "3": TRUE_COLOUR}


class _Terminal(Protocol):
    def isatty(self) -> bool: ...


@dataclass(frozen=True)
class ColourPolicy:
    """The capabilities of a view.

    Raises:
        UsageError: ``depth`` is not one of the numbers listed below.
    """

    depth: int
    """The number of colours that the view shows: 0, 16, 256 or 1 << 24."""
    cursor: bool
    """True if the view's cursor can move, so that lines can be redrawn."""

    def __post_init__(self) -> None:
        check_depth(self.depth)

    @classmethod
    def page(cls) -> ColourPolicy:
        """Return the policy of a notebook page, which shows all colours and has its own terminal."""
        return cls(TRUE_COLOUR, True)

    @classmethod
    def of(
        cls, terminal: _Terminal | bool, environ: Mapping[str, str], *, choice: str = "auto"
    ) -> ColourPolicy:
        """Return the policy of a stream.

        In order of precedence, it depends on a ``choice`` other than ``auto``, on ``NO_COLOR``
        (https://no-color.org), on ``FORCE_COLOR`` (0 to 3, as in Node), and on ``CLICOLOR_FORCE`` and
        ``CLICOLOR`` (https://bixense.com/clicolors).

        Args:
            terminal: The stream, or a boolean that is True if the stream is a terminal.
            environ: Environment variables.
            choice: ``auto``, ``always`` or ``never``.

        Raises:
            UsageError: ``choice`` has any other value.
        """
        if choice not in CHOICES:
            raise UsageError(f"{choice!r} is not a choice for colour; {suggest(choice, CHOICES)}")
        is_terminal = terminal if isinstance(terminal, bool) else terminal.isatty()
        cursor = is_terminal and environ.get("TERM") != "dumb"
        shown = _shown_by(environ)
        if choice == "always":
            depth = shown
        elif choice == "never" or environ.get("NO_COLOR"):
            depth = 0
        elif "FORCE_COLOR" in environ:
            depth = _FORCED.get(environ["FORCE_COLOR"].lower(), 16)
        elif environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
            depth = shown
        else:
            depth = shown if cursor and environ.get("CLICOLOR") != "0" else 0
        return cls(depth, cursor)


def _shown_by(environ: Mapping[str, str]) -> int:
    term = environ.get("TERM", "")
    names_true_colour = environ.get("COLORTERM", "").lower() in ("truecolor", "24bit")
    if names_true_colour or term.endswith("-direct") or "WT_SESSION" in environ:
        return TRUE_COLOUR  # Windows Terminal sets WT_SESSION, but not TERM
    return 256 if term.endswith("-256color") else 16
