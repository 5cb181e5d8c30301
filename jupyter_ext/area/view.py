"""Paints an execution into a live area, and leaves a record of it in the notebook."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from pyrepl_stream import (
    DisplayMessage,
    InputRequestMessage,
    Message,
    PyreplStreamError,
    ResultMessage,
)

from ..look import Look
from .displays import needs_front_end
from .handover import Bundle, Handover
from .record import record
from .sender import Sender
from .state import AreaState
from .widget import LiveArea

__all__ = ("AreaPainter",)

_STATUS = 0.5  # seconds between two updates of a trait
_BARS = 0.1
_TAIL = 1.0
_BEGINNING = 2.0  # seconds in which a page may still be loading the module of the widget
_HELLO = 1.0  # seconds that a page may take to come, when there is a question
_LAST = 0.1  # seconds by which the newest rows may hold the end
_DRAIN = 20.0  # seconds after the end in which rows that were skipped may follow


class AreaPainter:
    """The one painter of a model; also what answers its pages reads from here, under :attr:`lock`.

    ``publish`` shows what only the front end can draw, as an ordinary output of the cell. ``asks``: the
    messages of a page come while the execution runs, so that its answers do. None where the execution has
    no cell that could ask. ``handover`` puts the record, of ``height`` rows, in place of the area at the end.
    """

    live = True

    def __init__(
        self,
        widget: LiveArea,
        state: AreaState,
        *,
        publish: Callable[[DisplayMessage | ResultMessage], object] | None = None,
        asks: bool | None = None,
        running: Callable[[], bool] = lambda: False,
        handover: Handover | None = None,
        height: int = Look.height,
    ) -> None:
        self.lock = threading.RLock()  # guards the state and the sender, and the order of what is sent
        self.widget = widget
        self.state = state
        self.sender = Sender(state)
        self.heard = threading.Event()  # a page has said hello
        self.done = threading.Event()
        self.failed = False  # something has kept it from being shown to its end
        self.last = 0  # number of the last message
        self._publish = publish
        self._asks = asks
        self._widgets = state.header.target.startswith("thread:")  # their models are in this process
        self._running = running
        self._handover = handover or Handover()
        self._height = height
        self._began = time.monotonic()
        self._told = {"status": 0.0, "bars": 0.0, "tail": 0.0}  # when
        self._dirty = {"status"}
        self._repeats = asks is False  # a page that missed something cannot ask for it

    # -- a painter, of the view's thread -----------------------------------------------------

    def take(self, message: Message) -> None:
        with self.lock:
            self.last = max(self.last, message.sequence)
            question = self.state.question
            self.state.take(message)
            self._dirty |= {"status", "tail"}
            if self.state.question != question:
                self.widget.update(question=self.state.question)
            if self.state.bars.changed:
                self._dirty.add("bars")
        if isinstance(message, (DisplayMessage, ResultMessage)) and self._publish is not None:
            if needs_front_end(message.data, widgets=self._widgets):
                self._publish(message)

    def due(self, now: float) -> float | None:
        with self.lock:
            times = [self._told[name] + wait for name, wait in self._waits(now) if name in self._dirty]
            push = self.sender.due(now)
            repeat = self._began + _BEGINNING if self._repeats else None
        return min([*times, *(time for time in (push, repeat) if time is not None)], default=None)

    def show(self, now: float) -> None:
        with self.lock:
            self._push(now)
            if self._repeats and now >= self._began + _BEGINNING:
                self._repeats = False
                for message in self.sender.replay(""):
                    self.widget.tell({**message, "to": None})
            due = {name for name, wait in self._waits(now) if now >= self._told[name] + wait}
            self._update(due & self._dirty, now)

    def ask(self, request: InputRequestMessage) -> bool:
        if self._asks is False or not (self._asks is None or self.heard.wait(_HELLO)):
            self.show(time.monotonic())
            return False
        self.take(request)
        return True

    def note(self, text: str) -> None:
        with self.lock:
            self.state.note(text)

    def wait_for(self, behind: str) -> None:
        with self.lock:
            self.state.behind = behind
            self._update({"status"}, time.monotonic())

    def stop(self) -> bool:
        with self.lock:
            self._asks = None  # there is no cell any more that could, and the kernel is free for the page
            self.state.stop = "yes"
            self._dirty.add("status")
            self._update({"status"}, time.monotonic())
        return False

    def finish(self, failure: PyreplStreamError | None) -> None:
        with self.lock:
            if failure is not None:
                self.state.note(str(failure))
                self.failed = self.state.unknown = not self.state.ended
        if not self._drain(_LAST):
            threading.Thread(target=self._drain, args=(_DRAIN,), name="rest of an area", daemon=True).start()
        with self.lock:
            self._update({"status", "bars", "tail"}, time.monotonic())
            self.widget.update(question=None)
            self.done.set()
            self._handover.end(self._record)

    # -- for cells that show it ----------------------------------------------------------------

    def when_done(self, replace: Callable[[Bundle], object]) -> None:
        """Have ``replace`` called with the record at the end, or now."""
        with self.lock:
            if not self.done.is_set():
                self._handover.add(replace)
                return
            bundle = self._record()
        replace(bundle)

    def asks(self, request: InputRequestMessage) -> bool:
        """Whether the page asks that, so that another cell which shows the execution need not."""
        if self.done.is_set() or not self.heard.wait(_HELLO):
            return False
        with self.lock:
            if self.last < request.sequence:  # this is behind
                self.take(request)
            question = self.state.question
        return question is not None and question["request"] <= request.sequence

    # -- for pages -------------------------------------------------------------------------------

    def greet(self) -> None:
        """A page has come: what it was told of the time that went by is old."""
        self.heard.set()
        with self.lock:
            self._update({"status"}, time.monotonic())

    def _record(self) -> Bundle:
        return record(self.state, height=self._height)

    def _drain(self, seconds: float) -> bool:
        """Send what is left; whether that took no longer."""
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            with self.lock:
                due = self.sender.due(now)
                if due is None:
                    return True
                if due <= now:
                    self._push(now)
            time.sleep(max(0.0, due - now))
        return False

    def _push(self, now: float) -> None:
        message = self.sender.push(now)
        if message is not None:
            self.widget.tell(message)
            if now < self._began + _BEGINNING:
                self._update({"tail"}, now)

    def _waits(self, now: float) -> list[tuple[str, float]]:
        return [("status", _STATUS), ("bars", _BARS), ("tail", _TAIL)]

    def _status(self) -> dict[str, Any]:
        """Code that says nothing runs as well: it is looked at until it does, or says something."""
        status = self.state.status(time.time())
        if status["state"] in ("queued", "starting"):
            if self._running():
                status["state"] = "running"
            else:
                self._dirty.add("status")
        return status

    def _update(self, names: set[str], now: float) -> None:
        traits: dict[str, object] = {}
        if "status" in names:
            self._dirty.discard("status")
            traits["status"] = self._status()
        if "bars" in names:
            traits["bars"] = self.state.bars.json()
        if "tail" in names:
            traits["tail"] = self.sender.tail()
        if traits:
            self._dirty -= {"bars", "tail"} & names
            self._told.update(dict.fromkeys(traits, now))
            self.widget.update(**traits)
