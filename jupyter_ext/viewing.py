"""Reads an execution in a thread of its own, and has a painter show what it says."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Protocol

from pyrepl_stream import (
    ExecutionResult,
    InputReplyMessage,
    InputRequestMessage,
    Message,
    OutputMessage,
    PyreplStreamError,
)

__all__ = ("Batches", "Painter", "Shown", "View")

_log = logging.getLogger(__name__)


class Batches(Protocol):
    """Messages as they come, as :class:`MessageStream` has them."""

    def receive(self, timeout: float | None = None) -> list[Message] | None: ...

    def close(self) -> None: ...


class Shown(Protocol):
    """What can be shown: an execution, or its record."""

    @property
    def id(self) -> str: ...

    def attach(self) -> Batches: ...

    def asks(self, request: InputRequestMessage) -> bool: ...


class Painter(Protocol):
    """Shows messages. It is called by the view's thread, but for :meth:`stop`; times are monotonic.

    ``live`` says that what it shows names the execution and its state, as long as it runs.
    """

    @property
    def live(self) -> bool: ...

    def take(self, message: Message) -> None:
        """Take the next message into account."""

    def due(self, now: float) -> float | None:
        """When :meth:`show` is to be called next; None: when there are messages again."""

    def show(self, now: float) -> None:
        """Show what may be shown at time ``now``."""

    def ask(self, request: InputRequestMessage) -> bool:
        """Ask the person; False: the cell has to, and what was said before is shown."""

    def note(self, text: str) -> None:
        """Say something of ours."""

    def wait_for(self, behind: str) -> None:
        """Say that the execution of that id has to end first."""

    def stop(self) -> bool:
        """The cell is left, in any thread; whether nothing more is to be read. :meth:`finish` comes then."""

    def finish(self, failure: PyreplStreamError | None) -> None:
        """Show the rest: nothing comes any more. ``failure`` is what kept it from being read on."""


class View:
    """Shows one execution from its start on, or ``stream`` of it.

    Input requests that the painter does not ask are handed to the cell by ``requests``, and None comes
    there at the end. ``failure`` is what kept it from reading on.
    """

    def __init__(self, execution: Shown, painter: Painter, *, stream: Batches | None = None) -> None:
        self.result = ExecutionResult(execution.id)
        self.failure: PyreplStreamError | None = None
        self.requests: queue.SimpleQueue[InputRequestMessage | None] = queue.SimpleQueue()
        self._execution = execution
        self._painter = painter
        self._stream = execution.attach() if stream is None else stream
        self._asked: dict[int, InputRequestMessage] = {}  # that the cell asks, by sequence
        self._left = False  # there is no cell any more that could
        self._stopped = False
        self._callbacks: list[Callable[[], None]] = []
        self._lock = threading.Lock()  # guards the above, and that no callback is added after its news
        self._thread = threading.Thread(target=self._run, name=f"view of {execution.id}", daemon=True)

    @property
    def live(self) -> bool:
        """See :class:`Painter`."""
        return self._painter.live

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """The cell is left: show no more, unless it is shown where it can go on."""
        if self._painter.stop():
            self._stopped = True
            self._stream.close()
            return
        with self._lock:
            self._left = True
            waiting, self._asked = self._asked, {}
        for request in waiting.values():
            self._painter.take(request)

    def when_news(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` once, from any thread, when there is something in ``requests``."""
        with self._lock:
            if self.requests.empty():
                self._callbacks = [wake]  # the one waiter may have stopped waiting meanwhile
                return
        wake()

    def _run(self) -> None:
        try:
            try:
                self._read()
            except PyreplStreamError as exc:
                self.failure = exc
            except Exception as exc:
                _log.exception("The output of %s cannot be shown", self._execution.id)
                self.failure = PyreplStreamError(f"the output cannot be shown: {_words(exc)}")
            self._painter.finish(self.failure)
        finally:
            self._stream.close()
            self._tell(None)  # whatever happened: the cell waits for it

    def _read(self) -> None:
        messages: list[Message] | None = []
        while messages is not None and not self._stopped:
            now = time.monotonic()
            due = self._painter.due(now)
            if due is not None and due <= now:
                self._painter.show(now)
                due = self._painter.due(now)
            messages = self._stream.receive(None if due is None else max(0.0, due - now))
            for message in messages or ():
                self._take(message)

    def _take(self, message: Message) -> None:
        if not isinstance(message, OutputMessage):  # the text is the execution's to keep
            self.result.add(message)
        if isinstance(message, InputRequestMessage) and self._execution.asks(message):
            if not self._painter.ask(message):
                self._hand_over(message)
        elif isinstance(message, InputReplyMessage) and self._was_answered(message):
            pass  # the front end has shown what was typed
        else:
            try:
                self._painter.take(message)
            except Exception as exc:  # of whatever the far side has put into it: the next ones are shown
                self._painter.note(f"a message could not be shown: {_words(exc)}")

    def _hand_over(self, request: InputRequestMessage) -> None:
        """The cell asks, or the painter after all when the cell was left meanwhile."""
        with self._lock:
            left = self._left
            if not left:
                self._asked[request.sequence] = request
        if left:
            self._painter.take(request)
        else:
            self._tell(request)

    def _was_answered(self, reply: InputReplyMessage) -> bool:
        """Whether that answers what the cell has asked."""
        with self._lock:
            return self._asked.pop(reply.request, None) is not None

    def _tell(self, request: InputRequestMessage | None) -> None:
        with self._lock:
            self.requests.put(request)
            callbacks, self._callbacks = self._callbacks, []
        for wake in callbacks:
            wake()


def _words(exc: Exception) -> str:
    return f"{type(exc).__name__}: {exc}"
