"""A question of an execution, asked on our terminal; somebody else may answer it first."""

from __future__ import annotations

import os
import select
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..messages import InputRequestMessage
from .console import INPUT, OUTPUT, Console

__all__ = ("GoneError", "ask", "can_ask")

_LOOK = 1.0  # seconds between two looks whether it is still open
_LONGEST = 1 << 16


class GoneError(Exception):
    """The question is open no more."""


def can_ask() -> bool:
    """Whether there is somebody who sees the question and can type."""
    return os.isatty(INPUT) and os.isatty(OUTPUT)


def ask(request: InputRequestMessage, console: Console, is_open: Callable[[], bool]) -> str | None:
    """The line that is typed behind the prompt; None for the end of input. Raises :class:`GoneError`."""
    typed = b""
    with _silence(request.password):
        while not typed.endswith(b"\n"):
            while not select.select([INPUT], [], [], _LOOK)[0]:
                if not is_open():
                    raise GoneError
            try:
                data = os.read(INPUT, _LONGEST)
            except OSError:  # EIO: our terminal has hung up
                data = b""
            if not data:
                break
            typed += data
    if request.password or not typed.endswith(b"\n"):
        console.write(OUTPUT, b"\n")
    return typed.decode("utf-8", "surrogateescape").removesuffix("\n") if typed else None


@contextmanager
def _silence(wanted: bool) -> Iterator[None]:
    """Meanwhile, what is typed is not shown, if that is wanted."""
    if not wanted:
        yield
        return
    before = termios.tcgetattr(INPUT)
    silent = termios.tcgetattr(INPUT)
    silent[3] &= ~termios.ECHO
    termios.tcsetattr(INPUT, termios.TCSADRAIN, silent)
    try:
        yield
    finally:
        termios.tcsetattr(INPUT, termios.TCSANOW, before)
