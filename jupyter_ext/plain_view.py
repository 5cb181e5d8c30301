"""Shows the messages of one execution as plain output of its cell, as they come."""

from __future__ import annotations

import json
import queue
import textwrap
import threading
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from pyrepl_stream import (
    CompleteMessage,
    DisplayMessage,
    ErrorMessage,
    EventMessage,
    ExecutionResult,
    GapMessage,
    InputReplyMessage,
    InputRequestMessage,
    LogMessage,
    Message,
    OutputMessage,
    ProgressMessage,
    PyreplStreamError,
    ResultMessage,
)

from .pacing import INTERVAL, Budget, Pacer
from .progress_line import ProgressLine
from .publisher import Publisher

__all__ = ("Batches", "PlainView", "Shown")

_EVENT = 1000  # characters of an event that are shown
_budget = Budget()
_Rich = TypeVar("_Rich", DisplayMessage, ResultMessage)


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


class PlainView:
    """Reads an execution in a thread of its own and publishes what it says, well paced.

    ``show_errors`` also shows the traceback of a failure, for a cell that will not raise it. Input
    requests that are still open are handed to the cell by ``requests``, and None comes there at the end.
    ``failure`` is what kept it from reading on, and ``stream`` what is read (default: all of it).
    """

    def __init__(
        self, execution: Shown, publisher: Publisher, *, show_errors: bool, stream: Batches | None = None
    ) -> None:
        self.result = ExecutionResult(execution.id)
        self.failure: PyreplStreamError | None = None
        self.requests: queue.SimpleQueue[InputRequestMessage | None] = queue.SimpleQueue()
        self._publisher = publisher
        self._show_errors = show_errors
        self._pacer = Pacer(_budget)
        self._progress = ProgressLine()
        self._execution = execution
        self._stream = execution.attach() if stream is None else stream
        self._questions: dict[int, InputRequestMessage] = {}  # that the cell does not ask, by sequence
        self._stopped = False
        self._callbacks: list[Callable[[], None]] = []
        self._lock = threading.Lock()  # guards _callbacks, and that none is added after its news
        self._thread = threading.Thread(target=self._run, name=f"view of {execution.id}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Show no more."""
        self._stopped = True
        self._stream.close()

    def when_news(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` once, from any thread, when there is something in ``requests``."""
        with self._lock:
            if self.requests.empty():
                self._callbacks = [wake]  # the one waiter may have stopped waiting meanwhile
                return
        wake()

    def _run(self) -> None:
        try:
            self._read()
        except PyreplStreamError as exc:
            self.failure = exc
            if self._show_errors:
                self._publisher.text("stderr", f"{exc}\n")
        finally:
            self._stream.close()
            self._tell(None)  # whatever happened: the cell waits for it

    def _read(self) -> None:
        shown = 0.0
        messages: list[Message] | None = []
        while messages is not None and not self._stopped:
            wait = None if not self._pacer else max(0.0, shown + INTERVAL - time.monotonic())
            messages = self._stream.receive(wait)
            for message in messages or ():
                self._take(message)
            if self._pacer and time.monotonic() >= shown + INTERVAL:
                shown = time.monotonic()
                self._show()
        self._show_all()

    def _take(self, message: Message) -> None:
        if not isinstance(message, OutputMessage):  # the text is the execution's to keep
            self.result.add(message)
        if isinstance(message, OutputMessage):
            self._add(message.stream.value, message.text)
        elif isinstance(message, ProgressMessage):
            self._pacer.add("stdout", self._progress.draw(message))
        elif isinstance(message, LogMessage):
            self._add("stderr", f"{message.level} {message.logger}: {message.text}\n")
        elif isinstance(message, GapMessage):
            size = "some" if message.bytes is None else f"{message.bytes:,}"
            self._add("stderr", f"\n[{size} bytes of output are missing: {message.reason}]\n")
        elif isinstance(message, ErrorMessage) and self._show_errors:
            self._add("stderr", "\n".join(message.traceback) + "\n")
        elif isinstance(message, EventMessage):
            data = json.dumps(message.data, ensure_ascii=False)
            self._add("stdout", f"{message.name}: {textwrap.shorten(data, _EVENT)}\n")
        elif isinstance(message, InputRequestMessage):
            self._question(message)
        elif isinstance(message, InputReplyMessage):
            self._reply(message)
        elif isinstance(message, DisplayMessage):
            self._show_all()
            self._publish(self._publisher.display, message)
        elif isinstance(message, ResultMessage):
            self._show_all()
            self._publish(self._publisher.result, message)
        elif isinstance(message, CompleteMessage) and self._show_errors and not message.success:
            if message.error and self.result.error is not None and not self.result.error.traceback:
                self._add("stderr", f"{message.error}\n")

    def _question(self, request: InputRequestMessage) -> None:
        if self._execution.asks(request):
            self._show_all()  # the question stands after what was printed before it
            self._tell(request)
        else:
            self._questions[request.sequence] = request

    def _reply(self, reply: InputReplyMessage) -> None:
        """What a person saw and typed, when that was not in this cell."""
        request = self._questions.pop(reply.request, None)
        if request is not None:
            prompt = "" if request.extra.get("printed") else request.prompt
            self._add("stdout", f"{prompt}{'' if reply.text is None else reply.text}\n")

    def _add(self, stream: str, text: str) -> None:
        self._pacer.add("stdout", self._progress.clear(text))
        self._pacer.add(stream, text)

    def _publish(self, publish: Callable[[_Rich], None], message: _Rich) -> None:
        """Show a MIME bundle; its text where the rest of it cannot be shown."""
        try:
            publish(message)
        except Exception as exc:
            text = str(message.data.get("text/plain", ""))
            self._pacer.add("stdout", text + "\n")
            self._pacer.add("stderr", f"[its other forms could not be sent: {exc}]\n")

    def _show(self) -> None:
        for stream, text in self._pacer.take(time.monotonic()):
            self._publisher.text(stream, text)

    def _show_all(self) -> None:
        while self._pacer and not self._stopped:
            self._show()
            if self._pacer:
                time.sleep(INTERVAL)  # the rate is what the server lets through

    def _tell(self, request: InputRequestMessage | None) -> None:
        with self._lock:
            self.requests.put(request)
            callbacks, self._callbacks = self._callbacks, []
        for wake in callbacks:
            wake()
