"""The pseudo-terminal of a command, on systems that have pseudo-terminals."""

from __future__ import annotations

import os
import struct
import sys
import threading
from typing import Optional

if sys.platform != "win32":
    import fcntl
    import termios

MAX_LINE = 4095
"""The maximum number of bytes before a line end that a terminal accepts as input; it silently cuts off the
rest (``termios(3)``, canonical mode)."""


class PtyUnavailableError(Exception):
    """Raised when no pseudo-terminal can be opened; the text gives the reason."""


class Pty:
    """Both ends of one pseudo-terminal.

    Output of the command arrives as it was written (without ``ONLCR``), and its input is not echoed.

    Args:
        master: The descriptor of our end.
        slave: The descriptor of the command's end.
    """

    def __init__(self, master: int, slave: int) -> None:
        self.master = master
        self.slave: Optional[int] = slave
        self.name = os.ttyname(slave)
        modes = termios.tcgetattr(slave)
        modes[1] &= ~termios.ONLCR
        modes[3] &= ~(termios.ECHO | termios.ECHOE | termios.ECHOK | termios.ECHONL | termios.ECHOCTL)
        termios.tcsetattr(slave, termios.TCSANOW, modes)
        self._lock = threading.Lock()  # guards _closed: one thread closes the terminal, any may use it
        self._closed = False

    def resize(self, size: tuple[int, int]) -> None:
        """Set the rows and columns. If this is a controlling terminal, the kernel sends SIGWINCH."""
        with self._lock:
            if not self._closed:
                fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))

    def is_canonical(self) -> bool:
        """Return True if the command gets its input line by line (canonical mode)."""
        with self._lock:
            return not self._closed and bool(termios.tcgetattr(self.master)[3] & termios.ICANON)

    def end_of_input(self) -> bytes:
        """Return the bytes that a program reading lines interprets as the end of its input."""
        with self._lock:
            if self._closed:
                return b""
            end = termios.tcgetattr(self.master)[6][termios.VEOF]
        assert isinstance(end, bytes)
        return end

    def close_slave(self) -> None:
        """Close our copy of the command's end. While it is open, the output does not end with the command."""
        if self.slave is not None:
            os.close(self.slave)
            self.slave = None

    def close(self) -> None:
        """Close both ends. The terminal hangs up if no other process has our end open."""
        self.close_slave()
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self.master)


def open_pty(size: tuple[int, int]) -> Pty:
    """Open a terminal of ``size`` (rows, columns).

    Raises:
        PtyUnavailableError: The system does not support terminals, or has no free one.
    """
    if not hasattr(os, "openpty"):
        raise PtyUnavailableError("this system has no pseudo-terminal that leaves output unchanged")
    try:
        master, slave = os.openpty()
    except OSError as exc:
        raise PtyUnavailableError(str(exc)) from exc
    try:
        terminal = Pty(master, slave)
        terminal.resize(size)
    except (OSError, termios.error, struct.error) as exc:
        os.close(master)
        os.close(slave)
        raise PtyUnavailableError(str(exc)) from exc
    return terminal
