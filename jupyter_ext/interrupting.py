"""Interrupts of the kernel while a cell of ours runs."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Any

__all__ = ("HeldInterrupt", "interrupts_call")

Handler = Callable[[int, "FrameType | None"], object]


@contextlib.contextmanager
def interrupts_call(handler: Handler) -> Iterator[None]:
    """Meanwhile, an interrupt of this process calls ``handler``."""
    before = _replace(handler)
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)


class HeldInterrupt:
    """From :meth:`hold` on, an interrupt of the cell is held until :meth:`release`, or the end of the block.

    So none can come between the start of a run and the moment from which on it is passed on to the run. A
    second one is not held: what takes so long is to be left.
    """

    def __init__(self) -> None:
        self._before: Any = None
        self._came = False

    def hold(self) -> None:
        self._before = _replace(self._note)

    def release(self) -> None:
        """Raises the KeyboardInterrupt that was held. Idempotent."""
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None
        if self._came:
            self._came = False
            raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._came:
            signal.default_int_handler(number, frame)
        self._came = True

    def __enter__(self) -> HeldInterrupt:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._came = self._came and exc is None  # an error goes first
        self.release()


def _replace(handler: Handler) -> Any:
    """Returns the one before; None where there is nothing to replace."""
    try:
        return signal.signal(signal.SIGINT, handler)
    except ValueError:  # not in the main thread, which is the one that is interrupted
        return None
