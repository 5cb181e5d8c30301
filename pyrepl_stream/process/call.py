"""A Python callable as a step of an execution, in a thread of its own."""

from __future__ import annotations

import contextvars
import threading
import time
from dataclasses import dataclass
from typing import Any, Callable, Optional

from ..engine.python import raise_in
from ..engine.streams import LineWriter
from ..engine.writer import Writer
from ..messages import StreamType
from .activity import Idle, Watch
from .child import Ended, Owner
from .ending import Ending

__all__ = ("Call", "CallThread")

_LOOK = 0.05  # seconds between two looks at the limits


@dataclass(frozen=True)
class Call:
    """A callable that gets a text writer."""

    function: Callable[[Any], object]
    source: str

    @property
    def name(self) -> str:
        return getattr(self.function, "__qualname__", repr(self.function))


class CallThread:
    """Runs a :class:`Call` and can interrupt it. It is used as a :class:`Child` is."""

    pid: Optional[int] = None
    holds_output = False

    def __init__(self, call: Call, owner: Owner, writer: Writer, ending: Ending, idle: Idle) -> None:
        self._call = call
        self._owner = owner
        self._ending = ending
        self._watch = Watch(idle, None, self._warn, time.monotonic())
        self._writer = _Watched(writer, call.source, self._watch)
        self._thread = threading.Thread(target=self._main, name=f"step {call.source}", daemon=True)
        self._failed: Optional[BaseException] = None
        self._calls: list[Callable[[], object]] = []
        self._news = threading.Event()

    def call(self, function: Callable[[], object]) -> None:
        self._calls.append(function)
        self._news.set()

    def start(self) -> None:
        contextvars.Context().run(self._thread.start)

    def run(self) -> Ended:
        """Wait for the callable's end. Raises what it raised, but when it was told to end."""
        idle = ""
        while self._thread.is_alive() and not self._ending.given_up(time.monotonic()):
            self._news.wait(_LOOK)
            self._news.clear()
            while self._calls:
                self._calls.pop(0)()
            if self._ending.due(time.monotonic()) is not None:
                raise_in(self._thread.ident, KeyboardInterrupt)
                self._ending.sent(time.monotonic())
            if not self._ending.begun and self._watch.is_idle(time.monotonic()):
                idle = self._watch.describe()
                self._ending.hasten(time.monotonic())
        if self._thread.is_alive():
            self._warn("the callable does not react to the interrupt: it goes on in the background")
            return Ended(None, idle=idle)
        if self._failed is not None and not self._ending.begun:
            raise self._failed
        return Ended(0 if self._failed is None else 130, idle=idle)

    def abandon(self) -> None:
        """The callable has ended already."""

    def close(self) -> None:
        """There is nothing to close."""

    def _warn(self, text: str) -> None:
        self._owner.log("WARNING", text, self._call.source)

    def _main(self) -> None:
        try:
            try:
                self._call.function(self._writer)
            except BaseException as exc:
                self._failed = exc
            self._writer.flush()
            self._news.set()
        except KeyboardInterrupt:
            pass  # an interrupt that came when the callable had just ended


class _Watched(LineWriter):
    """A writer whose use is activity."""

    def __init__(self, writer: Writer, source: str, watch: Watch) -> None:
        super().__init__(writer, StreamType.STDOUT, source)
        self._watch = watch

    def write(self, text: str) -> int:
        count = super().write(text)
        self._watch.output(time.monotonic())
        return count
