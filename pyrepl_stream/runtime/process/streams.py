"""The descriptors between a command and this process: terminals, pipes, and which side closes which end."""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack
from typing import Any, Callable, Optional

from ..messages import StreamType
from .command import Command
from .pty import Pty, PtyUnavailableError

OpenTerminal = Callable[[tuple[int, int]], Pty]


class Streams:
    """The terminals and pipes of one command.

    Args:
        command: The command.
        warn: Called with a warning if a terminal is not available. The command then runs on pipes.
        open_pty: Opens a terminal.

    Attributes:
        terminals: The terminals, beginning with the terminal of standard output.
        outputs: The descriptor to read for each stream.
        feed: The descriptor to write input to, or None.
        stdin: An argument for :class:`subprocess.Popen`, as are ``stdout`` and ``stderr``.
    """

    def __init__(self, command: Command, warn: Callable[[str], object], open_pty: OpenTerminal) -> None:
        self.terminals: list[Pty] = []
        self.outputs: dict[StreamType, int] = {}
        self.feed: Optional[int] = None
        self.stdin: Any = None
        self.stdout = self.stderr = -1
        self._command = command
        self._warn = warn
        self._open_pty = open_pty
        self._ours = ExitStack()  # closes our ends, until the caller takes them
        self._theirs = ExitStack()  # closes the command's ends, once the command has inherited them

    @property
    def input_terminal(self) -> Optional[Pty]:
        """The terminal that is the command's standard input; None if its input is not a terminal."""
        return self.terminals[0] if self._command.interactive and self.terminals else None

    def open(self) -> None:
        """Open all terminals and pipes.

        Raises:
            OSError: The system has no descriptor left. Call :meth:`close` in this case, too.
        """
        command = self._command
        self.stdout = self.stderr = self._open_output(StreamType.STDOUT, command.pty)
        if command.stderr != "merge":
            self.stderr = self._open_output(StreamType.STDERR, command.pty and command.stderr == "pty")
        self.stdin = self._open_input()

    def release(self) -> None:
        """Close the command's ends, which it has inherited; ours belong to the caller from now on."""
        self._theirs.close()
        self._ours.pop_all()

    def close(self) -> None:
        """Close all descriptors not yet released. A terminal hangs up if no other process has it open."""
        self._ours.close()
        self._theirs.close()
        for terminal in self.terminals:
            terminal.close()

    def _open_output(self, stream: StreamType, on_terminal: bool) -> int:
        """Open the two ends of an output, and return the command's end."""
        terminal = self._open_terminal() if on_terminal else None
        if terminal is None:
            ours, theirs = os.pipe()
            self._theirs.callback(os.close, theirs)
        else:
            assert terminal.slave is not None
            ours, theirs = os.dup(terminal.master), terminal.slave
        self._ours.callback(os.close, ours)
        self.outputs[stream] = ours
        return theirs

    def _open_terminal(self) -> Optional[Pty]:
        try:
            terminal = self._open_pty(self._command.size)
        except PtyUnavailableError as exc:
            self._warn(
                f"no terminal is available ({exc}): the command runs on pipes and may buffer its output"
            )
            return None
        self.terminals.append(terminal)
        self._theirs.callback(terminal.close_slave)
        return terminal

    def _open_input(self) -> Any:
        """Open the command's input, and return the descriptor that it inherits."""
        stdin = self._command.stdin
        if self._command.stdin_is_file:
            return stdin
        if stdin is not None and not stdin:
            return subprocess.DEVNULL
        if self.input_terminal is not None:
            theirs, self.feed = self.input_terminal.slave, os.dup(self.input_terminal.master)
        else:
            theirs, self.feed = os.pipe()
            self._theirs.callback(os.close, theirs)
        self._ours.callback(os.close, self.feed)
        return theirs
