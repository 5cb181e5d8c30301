"""Interrupts of the kernel while a cell of the magic runs."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

Handler = Callable[[int, "FrameType | None"], object]


@contextlib.contextmanager
def on_interrupt(handler: Handler) -> Iterator[None]:
    """Call ``handler`` for each interrupt of this process during the block."""
    before = _replace(handler)
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)


class HeldInterrupt:
    """Holds an interrupt of the cell from :meth:`hold` until :meth:`release`, or the end of the block.

    This way, no interrupt is lost between the start of a run and the moment when it can receive interrupts.
    A second interrupt is not held, so that the user can abort a slow start.
    """

    def __init__(self) -> None:
        self._before: Any = None
        self._received = False

    def hold(self) -> None:
        """Hold interrupts from now on."""
        self._before = _replace(self._receive)

    def release(self) -> None:
        """Stop holding interrupts. Idempotent.

        Raises:
            KeyboardInterrupt: An interrupt was held.
        """
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None
        if self._received:
            self._received = False
            raise KeyboardInterrupt

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._received:
            signal.default_int_handler(number, frame)
        self._received = True

    def __enter__(self) -> HeldInterrupt:
        return self

    def __exit__(self, kind: object, exc: object, trace: object) -> None:
        self._received = self._received and exc is None  # an error takes precedence
        self.release()


def _replace(handler: Handler) -> Any:
    """Return the handler that was replaced, or None outside the main thread, which gets no interrupts."""
    try:
        return signal.signal(signal.SIGINT, handler)
    except ValueError:
        return None
