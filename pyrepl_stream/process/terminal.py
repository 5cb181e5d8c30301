"""The pseudo-terminal that a command believes it talks to. POSIX; elsewhere there is none."""

from __future__ import annotations

import os
import struct
import sys
import threading
from typing import Optional

if sys.platform != "win32":
    import fcntl
    import termios

__all__ = ("Terminal", "TerminalUnavailable", "open_terminal", "MAX_LINE")

MAX_LINE = 4095
"""Most bytes before a line end that a terminal takes as input; it cuts the rest without a word
(``termios(3)``, canonical mode)."""


class TerminalUnavailable(Exception):
    """No terminal is to be had here; the text says why."""


class Terminal:
    """Both ends of one pseudo-terminal: ``master`` is ours, ``slave`` is the command's.

    What the command writes comes as it wrote it (no ``ONLCR``), and what is written to the command
    is not echoed.
    """

    def __init__(self, master: int, slave: int) -> None:
        self.master = master
        self.slave: Optional[int] = slave
        self.name = os.ttyname(slave)
        modes = termios.tcgetattr(slave)
        modes[1] &= ~termios.ONLCR
        modes[3] &= ~(termios.ECHO | termios.ECHOE | termios.ECHOK | termios.ECHONL | termios.ECHOCTL)
        termios.tcsetattr(slave, termios.TCSANOW, modes)
        self._lock = threading.Lock()  # guards _closed: who closes it is one thread, who asks is any
        self._closed = False

    def resize(self, size: tuple[int, int]) -> None:
        """Set rows and columns; who has the terminal as its own gets SIGWINCH from the kernel."""
        with self._lock:
            if not self._closed:
                fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))

    def takes_lines(self) -> bool:
        """Whether input goes to the command by the line (canonical mode), as a prompt wants it."""
        with self._lock:
            return not self._closed and bool(termios.tcgetattr(self.master)[3] & termios.ICANON)

    def end_of_input(self) -> bytes:
        """What to write so that a read of the command finds the end of its input."""
        with self._lock:
            if self._closed:
                return b""
            end = termios.tcgetattr(self.master)[6][termios.VEOF]
        assert isinstance(end, bytes)
        return end

    def close_slave(self) -> None:
        """The command has its own copy: ours would keep the terminal from ending with it."""
        if self.slave is not None:
            os.close(self.slave)
            self.slave = None

    def close(self) -> None:
        """Close both ends. When nobody else has ours, the terminal hangs up."""
        self.close_slave()
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self.master)


def open_terminal(size: tuple[int, int]) -> Terminal:
    """A terminal of that size. Raises :class:`TerminalUnavailable`."""
    if sys.platform == "win32":
        raise TerminalUnavailable("Windows has no pseudo-terminal that passes on what a program wrote")
    try:
        master, slave = os.openpty()
    except OSError as exc:
        raise TerminalUnavailable(str(exc)) from exc
    try:
        terminal = Terminal(master, slave)
        terminal.resize(size)
    except (OSError, termios.error, struct.error) as exc:
        os.close(master)
        os.close(slave)
        raise TerminalUnavailable(str(exc)) from exc
    return terminal
