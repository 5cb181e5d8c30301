"""Reads an execution in a thread of its own and passes its messages to a renderer."""

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

from .message_handler import MessageHandler

_log = logging.getLogger(__name__)


class Batches(Protocol):
    """A reader of messages in batches, such as a :class:`pyrepl_stream.MessageStream`."""

    @property
    def after(self) -> int:
        """The sequence number of the last message that was taken from the journal."""

    def receive(self, timeout: float | None = None) -> list[Message] | None:
        """Return the next messages, an empty list after ``timeout`` seconds, or None at the end."""

    def close(self) -> None:
        """Stop reading. Safe to call from any thread."""


class Viewable(Protocol):
    """An execution, or the record of one."""

    @property
    def id(self) -> str:
        """The id of the execution."""

    def attach(self) -> Batches:
        """Return a reader of its messages, from the first one on."""

    def asks(self, request: InputRequestMessage) -> bool:
        """Return True while it waits for the answer to this request."""

    def input(self, text: str | None, request: InputRequestMessage) -> object:
        """Answer ``request``. See :meth:`pyrepl_stream.Execution.input`."""

    def interrupt(self) -> object:
        """Interrupt the code."""


class Renderer(MessageHandler):
    """Shows messages to a reader. The methods are called by the thread of the view, except :meth:`stop`.

    :meth:`take` accepts the next message, and :meth:`show` shows it. Times are values of
    :func:`time.monotonic`. The default methods show nothing.
    """

    live = False
    """True when the id and the state of the execution are visible while it runs."""

    def due(self, now: float) -> float | None:
        """Return the time of the next call of :meth:`show`; None to wait for the next message."""
        return None

    def show(self, now: float) -> None:
        """Show everything that may be shown at time ``now``."""

    def ask(self, request: InputRequestMessage) -> bool:
        """Ask the reader. Return False if the cell has to ask; then all earlier messages have been shown."""
        return False

    def note(self, text: str) -> None:
        """Show a note, which is not output of the program."""

    def stop(self) -> bool:
        """Handle the end of the cell's wait. May be called from any thread; :meth:`finish` is called later.

        Returns:
            True to end the view; False when the messages are shown elsewhere from now on.
        """
        return True

    def finish(self, failure: PyreplStreamError | None) -> None:
        """Show the rest. ``failure`` is the error that ended reading early, or None."""


class ViewLoop:
    """Shows one execution until its end.

    ``requests`` receives the input requests that the cell has to answer, and None at the end.
    ``failure`` is the error that ended reading early. ``result`` has everything about ``execution`` except
    its output.

    Args:
        execution: The execution to show.
        renderer: Receives its messages.
        stream: The messages to show; by default all of them.
    """

    def __init__(self, execution: Viewable, renderer: Renderer, *, stream: Batches | None = None) -> None:
        self.result = ExecutionResult(execution.id)
        self.failure: PyreplStreamError | None = None
        self.requests: queue.SimpleQueue[InputRequestMessage | None] = queue.SimpleQueue()
        self.execution = execution
        self._renderer = renderer
        self._stream = execution.attach() if stream is None else stream
        self._asked: dict[int, InputRequestMessage] = {}  # requests passed to the cell, by sequence number
        self._detached = False  # the cell no longer waits, so it cannot ask
        self._stopped = False
        self._callbacks: list[Callable[[], None]] = []
        # Guards `_asked`, `_detached` and `_callbacks`, and the order of `requests` and `_callbacks`.
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"view of {execution.id}", daemon=True)

    def start(self) -> ViewLoop:
        """Start the thread, and return the view."""
        self._thread.start()
        return self

    def raise_failure(self) -> None:
        """Raise the error that ended reading early, if there is one."""
        if self.failure is not None:
            raise self.failure

    def stop(self) -> None:
        """Handle the end of the cell's wait: end the view, unless the messages are shown elsewhere."""
        if self._renderer.stop():
            self._stopped = True
            self._stream.close()
            return
        with self._lock:
            self._detached = True
            waiting, self._asked = self._asked, {}
        for request in waiting.values():
            self._renderer.take(request)

    def on_request(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` once, from any thread, when ``requests`` is not empty. It replaces any other."""
        with self._lock:
            if self.requests.empty():
                self._callbacks = [callback]  # an earlier waiter has stopped waiting
                return
        callback()

    def _run(self) -> None:
        try:
            try:
                self._read()
            except PyreplStreamError as exc:
                self.failure = exc
            except Exception as exc:
                _log.exception("The output of %s cannot be shown", self.execution.id)
                self.failure = PyreplStreamError(f"the output cannot be shown: {_describe(exc)}")
            self._renderer.finish(self.failure)
        finally:
            self._stream.close()
            self._put(None)  # always, because the cell waits for it

    def _read(self) -> None:
        messages: list[Message] | None = []
        while messages is not None and not self._stopped:
            now = time.monotonic()
            due = self._renderer.due(now)
            if due is not None and due <= now:
                self._renderer.show(now)
                due = self._renderer.due(now)
            messages = self._stream.receive(None if due is None else max(0.0, due - now))
            for message in messages or ():
                self._take(message)

    def _take(self, message: Message) -> None:
        if not isinstance(message, OutputMessage):  # the execution keeps the text
            self.result.add(message)
        if isinstance(message, InputRequestMessage) and self.execution.asks(message):
            if not self._renderer.ask(message):
                self._pass_to_cell(message)
        elif isinstance(message, InputReplyMessage) and self._was_asked_by_cell(message):
            pass  # the front end has shown the answer
        else:
            try:
                self._renderer.take(message)
            except Exception as exc:  # the far end may send anything; later messages are shown
                self._renderer.note(f"a message could not be shown: {_describe(exc)}")

    def _pass_to_cell(self, request: InputRequestMessage) -> None:
        """Pass a question to the cell, or to the renderer when the cell no longer waits."""
        with self._lock:
            detached = self._detached
            if not detached:
                self._asked[request.sequence] = request
        if detached:
            self._renderer.take(request)
        else:
            self._put(request)

    def _was_asked_by_cell(self, reply: InputReplyMessage) -> bool:
        with self._lock:
            return self._asked.pop(reply.request, None) is not None

    def _put(self, request: InputRequestMessage | None) -> None:
        with self._lock:
            self.requests.put(request)
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()


def _describe(exc: Exception) -> str:
    return f"{type(exc).__name__}: {exc}"
