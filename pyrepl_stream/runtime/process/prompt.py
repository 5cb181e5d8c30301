"""Detects that an interactive command waits for a line on its terminal."""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

from .tree import Tree

_LOOK = 0.2  # seconds without output before the first look
_GROWTH = 1.5  # silence before a look, as a multiple of the silence before the previous look
_MAX_LINE = 4096  # maximum bytes kept of the line that may be a prompt
_SECRET = re.compile(r"(?i)(password|passphrase|passcode|secret|token|pin)\b[^\n]*$")


class Prompt(NamedTuple):
    """The text before the cursor of a command that waits for a line."""

    text: str
    password: bool  # the text asks for a secret


class PromptDetector:
    """Looks at a command's processes while it prints nothing. Times are values of :func:`time.monotonic`.

    A look takes about 25 µs for each process of the machine. So looks become rarer in a long silence: if
    a command starts to read without a prompt, this is found after at most half the time of its silence.

    Args:
        tree: The command's processes.
        terminal: The path of the command's terminal.
        now: The current time.
    """

    def __init__(self, tree: Tree, terminal: str, now: float) -> None:
        self._tree = tree
        self._terminal = terminal
        self._line = b""  # the output since the last line end
        self._waits = False
        self.postpone(now)

    @property
    def deadline(self) -> Optional[float]:
        """The time at which to call :meth:`look` again; None while the command is known to wait."""
        return None if self._waits else self._next_look

    def output(self, data: bytes) -> None:
        """Record output of the command."""
        self._line = (self._line + data)[-_MAX_LINE:].rpartition(b"\n")[2]
        self._waits = False

    def postpone(self, now: float) -> None:
        """Look again soon after ``now``, because the command has just done something."""
        self._silent_since, self._next_look = now, now + _LOOK

    def restart(self, now: float) -> None:
        """Expect the next prompt, because the command has been given a line.

        The answer and its line end do not appear in the output, so the line so far is discarded here.
        """
        self._waits = False
        self._line = b""
        self.postpone(now)

    def look(self, now: float) -> Optional[Prompt]:
        """Return the prompt if the command waits for a line. Each wait is reported only once."""
        if self._waits or now < self._next_look:
            return None
        self._next_look = self._silent_since + _GROWTH * (now - self._silent_since)
        self._waits = self._tree.awaits_input(self._terminal, prompted=bool(self._line))
        if not self._waits:
            return None
        text = self._line.decode("utf-8", "replace")
        return Prompt(text, _SECRET.search(text) is not None)
