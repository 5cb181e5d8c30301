"""The descriptors between a command and this process: its terminals, its pipes, and who closes which end."""

from __future__ import annotations

import os
import subprocess
from typing import Any, Callable, Optional

from ..messages import StreamType
from .command import Command
from .terminal import Terminal, TerminalUnavailable, open_terminal

__all__ = ("OpenTerminal", "Streams")

OpenTerminal = Callable[[tuple[int, int]], Terminal]


class Streams:
    """Those of one command.

    ``outputs`` are the ends that are read, by stream, ``feed`` is where its input is written (None where it
    has none of ours), ``terminals`` are the terminals among them, that of stdout first. Where no terminal is
    to be had, ``warn`` is told, and pipes stand in.
    """

    def __init__(
        self, command: Command, warn: Callable[[str], object], open_terminal: OpenTerminal = open_terminal
    ) -> None:
        self.terminals: list[Terminal] = []
        self.outputs: dict[StreamType, int] = {}
        self.feed: Optional[int] = None
        self.stdin: Any = None  # these three are for `subprocess.Popen`
        self.stdout = self.stderr = -1
        self._command = command
        self._warn = warn
        self._open_terminal = open_terminal
        self._ours: list[int] = []  # our ends, until somebody has taken them
        self._theirs: list[int] = []  # the command's ends, until it has them

    @property
    def asking(self) -> Optional[Terminal]:
        """The terminal that is the command's input, and on which it may ask; None where it has none."""
        return self.terminals[0] if self._command.interactive and self.terminals else None

    def open(self) -> None:
        """Raises :class:`OSError`; :meth:`close` then closes what is open."""
        command = self._command
        self.stdout = self.stderr = self._open_output(StreamType.STDOUT, command.pty)
        if command.stderr != "merge":
            self.stderr = self._open_output(StreamType.STDERR, command.pty and command.stderr == "pty")
        self.stdin = self._open_input()

    def started(self) -> None:
        """The command has its ends; ours are the caller's from here on."""
        self._close(self._theirs)
        for terminal in self.terminals:
            terminal.close_slave()
        self._ours.clear()

    def close(self) -> None:
        """Close what nobody has taken. A terminal that somebody still has hangs up."""
        self._close(self._ours)
        self._close(self._theirs)
        for terminal in self.terminals:
            terminal.close()

    @staticmethod
    def _close(descriptors: list[int]) -> None:
        for descriptor in descriptors:
            os.close(descriptor)
        descriptors.clear()

    def _open_output(self, stream: StreamType, on_terminal: bool) -> int:
        """Returns the command's end."""
        terminal = self._terminal() if on_terminal else None
        if terminal is None:
            ours, theirs = os.pipe()
            self._theirs.append(theirs)
        else:
            assert terminal.slave is not None
            ours, theirs = os.dup(terminal.master), terminal.slave
        self._ours.append(ours)
        self.outputs[stream] = ours
        return theirs

    def _terminal(self) -> Optional[Terminal]:
        try:
            terminal = self._open_terminal(self._command.size)
        except TerminalUnavailable as exc:
            self._warn(f"no terminal is to be had ({exc}): it runs on pipes, and may buffer its output")
            return None
        self.terminals.append(terminal)
        return terminal

    def _open_input(self) -> Any:
        """Returns what the command gets as its standard input."""
        stdin = self._command.stdin
        if stdin is not None and not isinstance(stdin, (str, bytes)):
            return stdin
        if stdin is not None and not stdin:
            return subprocess.DEVNULL
        if self.asking is not None:
            theirs, self.feed = self.asking.slave, os.dup(self.asking.master)
        else:
            theirs, self.feed = os.pipe()
            self._theirs.append(theirs)
        self._ours.append(self.feed)
        return theirs
