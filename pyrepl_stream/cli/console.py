"""The standard descriptors of this process, its reports to the user, and the user's terminal."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import tty
from contextlib import AbstractContextManager, nullcontext
from typing import IO, Any

INPUT, OUTPUT, ERRORS = 0, 1, 2

# Exit codes.
TIMED_OUT = 124  # like timeout(1)
FAILED = 125  # pyrepl-stream failed, or the execution is lost
NOT_EXECUTABLE, NOT_FOUND = 126, 127  # the command, as in a shell
BROKEN_PIPE = 128 + 13  # as a shell reports death by SIGPIPE

_CONTROLS = (*range(9), *range(11, 32), *range(0x7F, 0xA0))  # all except tab and line feed
_BIDIRECTIONAL = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))  # these reorder the text of a line
_ESCAPES = {number: f"\\x{number:02x}" for number in _CONTROLS}
_ESCAPES.update((number, f"\\u{number:04x}") for number in _BIDIRECTIONAL)


def printable(text: str) -> str:
    """Return ``text`` with escapes in place of the characters that control a terminal, such as ESC.

    The texts of exceptions and log records come from user code, and reports quote them.
    """
    return text.translate(_ESCAPES)


def open_input(name: str) -> AbstractContextManager[IO[bytes]]:
    """Open a file to read its bytes, or standard input if the name is ``-``."""
    return nullcontext(sys.stdin.buffer) if name == "-" else open(name, "rb")


class Console:
    """The standard descriptors. Any that is closed is opened on the null device."""

    def __init__(self) -> None:
        # Otherwise the next file that is opened would become a standard stream.
        for descriptor in (INPUT, OUTPUT, ERRORS):
            try:
                os.fstat(descriptor)
            except OSError:
                os.open(os.devnull, os.O_RDWR)
        self._modes: list[Any] | None = None  # of the user's terminal, to be restored
        self._raw = False

    def write(self, descriptor: int, data: bytes) -> None:
        """Write all of ``data``.

        Raises:
            BrokenPipeError: The reader has closed the pipe.
        """
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(descriptor, left) :]
            except BlockingIOError:  # another process has made the descriptor non-blocking
                select.select([], [descriptor], [])

    def report(self, text: str) -> None:
        """Write lines for the user to stderr in one piece, with control characters escaped."""
        end = "\r\n" if self._raw else "\n"
        lines = "".join(f"pyrepl-stream: {printable(line)}{end}" for line in text.splitlines())
        try:
            self.write(ERRORS, lines.encode("utf-8", "backslashreplace"))
        except OSError:
            pass  # stderr is closed

    def size(self) -> tuple[int, int] | None:
        """Return the rows and columns of the terminal that shows the output, or None without a terminal."""
        for descriptor in (OUTPUT, ERRORS):
            try:
                columns, rows = os.get_terminal_size(descriptor)
            except OSError:
                continue
            if rows and columns:
                return rows, columns
        return None

    def modes(self) -> list[Any] | None:
        """Return the modes of the user's terminal, or None if input or output is not a terminal."""
        if os.isatty(INPUT) and os.isatty(OUTPUT):
            return self._modes or termios.tcgetattr(INPUT)
        return None

    def enter_raw(self) -> None:
        """Make the user's terminal, if any, pass on each key at once. Call this again after a SIGCONT."""
        if not os.isatty(INPUT):
            return
        if self._modes is None:
            self._modes = termios.tcgetattr(INPUT)
        elif os.tcgetpgrp(INPUT) != os.getpgrp():
            return  # in the background
        tty.setraw(INPUT, termios.TCSADRAIN)
        self._raw = True

    def restore(self) -> None:
        """Restore the modes of the user's terminal."""
        if self._modes is None:
            return
        # In the background, SIGTTOU would stop this process, and nothing would continue it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU])
        try:
            termios.tcsetattr(INPUT, termios.TCSANOW, self._modes)
        except termios.error:
            pass  # the terminal has hung up
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            self._raw = False
