"""This process's own descriptors: exact bytes out, a word to the user, and the terminal it is on."""

from __future__ import annotations

import os
import select
import signal
import termios
import tty
from typing import Any

__all__ = ("INPUT", "OUTPUT", "ERRORS", "Console")

INPUT, OUTPUT, ERRORS = 0, 1, 2


class Console:
    def __init__(self) -> None:
        # Else what is opened next would become the standard stream that is not there.
        for descriptor in (INPUT, OUTPUT, ERRORS):
            try:
                os.fstat(descriptor)
            except OSError:
                os.open(os.devnull, os.O_RDWR)
        self._modes: list[Any] | None = None  # of our terminal, as they are to be again
        self._raw = False

    def write(self, descriptor: int, data: bytes) -> None:
        """Write all of it, now. Raises :class:`BrokenPipeError` when nobody reads."""
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(descriptor, left) :]
            except BlockingIOError:  # who started us shares a descriptor that does not wait
                select.select([], [descriptor], [])

    def say(self, text: str) -> None:
        """Tell the user something, in one piece."""
        end = "\r\n" if self._raw else "\n"
        lines = "".join(f"pyrepl-stream: {line}{end}" for line in text.splitlines())
        try:
            self.write(ERRORS, lines.encode("utf-8", "backslashreplace"))
        except OSError:
            pass  # there is nobody to tell

    def size(self) -> tuple[int, int] | None:
        """Rows and columns of the terminal that our output goes to; None when it goes to none."""
        for descriptor in (OUTPUT, ERRORS):
            try:
                columns, rows = os.get_terminal_size(descriptor)
            except OSError:
                continue
            if rows and columns:
                return rows, columns
        return None

    def modes(self) -> list[Any] | None:
        """How our terminal treats what is typed and shown; None when input or output is no terminal."""
        if os.isatty(INPUT) and os.isatty(OUTPUT):
            return self._modes or termios.tcgetattr(INPUT)
        return None

    def enter_raw(self) -> None:
        """Hand over every key as it is typed, when our input is a terminal; again after a stop."""
        if not os.isatty(INPUT):
            return
        if self._modes is None:
            self._modes = termios.tcgetattr(INPUT)
        elif os.tcgetpgrp(INPUT) != os.getpgrp():
            return  # it goes on in the background
        tty.setraw(INPUT, termios.TCSADRAIN)
        self._raw = True

    def restore(self) -> None:
        """Give our terminal back as it was."""
        if self._modes is None:
            return
        # In the background this would stop us, and there would be nobody to wake us up.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU])
        try:
            termios.tcsetattr(INPUT, termios.TCSANOW, self._modes)
        except termios.error:
            pass  # it has hung up
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            self._raw = False
