"""The state of an execution in a remote session, as far as this client knows it."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from ..reply import Reply
from ..runtime.errors import ExecutionEndedError, PyreplStreamError, StaleEpochError, TargetError
from ..runtime.messages import CompleteMessage, InputRequestMessage, Message
from ..runtime.validation import check_after
from ..waiting import wait_sync
from .connection import Connection
from .remote_cursor import RemoteCursor
from .subscriptions import LIVE, peek

__all__ = ()

PROMPT = 10.0
"""Seconds for which a call that cannot be awaited waits for the host."""


class RemoteRun:
    """An execution in a remote session, as this client knows it. Its cursors subscribe to its messages.

    Args:
        connection: The connection to its session.
        execution_id: The id of the execution.
        new: True if :meth:`begin` will start it; otherwise it may exist already.
    """

    def __init__(self, connection: Connection, execution_id: str, *, new: bool = False) -> None:
        self.id = execution_id
        self.accepted: Reply[bool] = Reply()
        """True if this start began the execution, False if it existed; an error if the host refuses it."""
        self.behind: str | None = None
        """The id of the execution that must end before this one begins, as last reported by the host."""
        self.completion: CompleteMessage | None = None
        self.never_ran: CompleteMessage | None = None
        """The end to report for a run without a record, of which it is unknown whether the code ran."""
        self.failure: PyreplStreamError | None = None
        """The error that currently prevents waiting for the end."""
        self._connection = connection
        self._is_new = new
        self._status = "queued" if new else "running"
        # Guards the wakers, and prevents adding a waker after the event that it waits for.
        self._lock = threading.Lock()
        self._wakers: list[tuple[Callable[[], object], Callable[[], bool]]] = []  # with their conditions
        # Used only in the engine's thread:
        self._epoch: str | None = None
        self._watched = False
        self._asked = False
        if not new:
            self.accepted.set_result(False)

    # -- called from any thread --------------------------------------------------------------

    @property
    def status(self) -> str:
        """The status, as far as this client knows it. Reading it begins to watch the execution."""
        if not self.ended:
            self._connection.call(self._watch)
        return self._status

    @property
    def ended(self) -> bool:
        return self._status not in LIVE

    @property
    def journal(self) -> RemoteRun:
        """This object, through which the record is read."""
        return self

    def begin(self, operation: Mapping[str, Any]) -> None:
        """Send the operation that starts the execution. Never waits: see :attr:`accepted`."""
        self._connection.request(operation).add_done_callback(self._on_start)

    def started(self) -> Reply[bool]:
        """Return a reply that is True if this start began the execution and False if it existed.

        The reply fails if the host refuses the start, or knows no execution with this id.
        """
        if self._is_new:
            return self.accepted
        return self.peek().then(lambda record: False)

    def when_done(self, wake: Callable[[], object]) -> None:
        """Call ``wake`` once, from any thread, when the execution has ended, or cannot be watched."""
        self._when(wake, lambda: self.ended)

    def when_due(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` once, from any thread, when the execution has ended or asks a question."""
        self._when(wake, lambda: self.ended or self._asked)

    def _when(self, wake: Callable[[], object], ready: Callable[[], bool]) -> None:
        with self._lock:
            if not ready():
                gone = self._connection.call(self._watch)
                if gone is None:
                    self._wakers.append((wake, ready))
                    return
                self.failure = gone
        wake()

    def peek(self) -> Reply[Mapping[str, Any]]:
        """Ask for the state of the execution, once it is accepted."""
        return self.accepted.then(lambda new: self._connection.request(peek(self.id, self._epoch)))

    def request_stop(self, status: str) -> Reply[None]:
        """Ask the host to end the execution with ``status``, ``interrupted`` or ``killed``.

        The reply comes when the execution has ended. It is not an error if it had ended before.
        """

        def check() -> None:
            if not self.ended and self.failure is not None:
                raise self.failure

        def wait_for_end(answer: object) -> Reply[None]:
            ended: Reply[None] = Reply()
            self.when_done(lambda: ended.settle(check))
            return ended

        op = "kill" if status == "killed" else "interrupt"
        record = {"op": op, "id": self.id, "key": uuid.uuid4().hex}
        return self._connection.request(record).then(wait_for_end, despite=ExecutionEndedError)

    def control(self, do: str, **fields: Any) -> Mapping[str, Any]:
        """Act on the command. Raises the host's error, or :class:`TargetError` if no answer comes."""
        record = {"op": "control", "id": self.id, "key": uuid.uuid4().hex, "do": do, **fields}
        return self._prompt(self._connection.request(record))

    def question(self) -> int | None:
        """Return the sequence number of the open question, or None. Raises the errors of :meth:`control`."""
        if self.ended:
            return None
        asked: int | None = self._prompt(self.peek())["asked"]
        return asked

    def asks(self, request: InputRequestMessage) -> bool:
        return self.question() == request.sequence

    def answer(self, request: InputRequestMessage, text: str | None) -> bool:
        """Answer a question. Raises :class:`ExecutionEndedError` if the question is no longer open."""
        record = {"op": "input", "id": self.id, "sequence": request.sequence, "text": text}
        self._prompt(self._connection.request(record, forgive=True))
        return True

    def _prompt(self, answer: Reply[Mapping[str, Any]]) -> Mapping[str, Any]:
        try:
            return answer.wait(PROMPT)
        except TimeoutError:
            raise TargetError(
                f"the session of execution {self.id} did not answer within {PROMPT:g} s; "
                "the request continues in the background"
            ) from None

    # -- the methods of a journal; any thread may call them ------------------------------------

    def cursor(self, after: int = 0, *, follow: bool = False) -> RemoteCursor:
        """Return a cursor. It detects an ``after`` beyond the last message only when it is read."""
        cursor = RemoteCursor(self, self._connection, check_after(after), follow)
        gone = self._connection.call(self._enter, cursor)
        if gone is not None:
            cursor.finished(gone)
        return cursor

    def snapshot(self) -> list[Message]:
        """Read the whole record so far. Raises the error that prevents reading it."""
        if self.never_ran is not None:
            return [self.never_ran]
        last = self.peek().wait()["last"]
        messages: list[Message] = []
        cursor = self.cursor(follow=True)
        try:
            while cursor.after < last and not cursor.ended:
                wait_sync(cursor.when_ready, None)
                messages += cursor.read()
        finally:
            cursor.close()
        return messages

    # -- called in the engine's thread -------------------------------------------------------

    def on_status(self, status: str) -> None:
        if not self.ended:
            self._status = status
            if self.ended:
                self._wake()

    def on_messages(self, messages: list[Message]) -> None:
        for message in messages:
            if isinstance(message, CompleteMessage):
                self._complete(message)
            elif isinstance(message, InputRequestMessage) and not self._asked:
                self._asked = True
                self._wake()
        self.on_status("running")

    def lost(self, why: str, after: int) -> CompleteMessage:
        complete = CompleteMessage(
            execution_id=self.id, sequence=after + 1, timestamp=time.time(), status="lost", error=why
        )
        self._complete(complete)
        return complete

    def fail(self, error: PyreplStreamError) -> None:
        """Wake the waiting callers, because ``error`` prevents waiting for the end."""
        self.failure = error
        self._wake()

    def _complete(self, message: CompleteMessage) -> None:
        self.completion = self.completion or message
        self._status = self.completion.status
        self._wake()

    def _wake(self) -> None:
        """Wake the callers whose condition is met, or all if it cannot be waited for."""
        with self._lock:
            ready = [waker for waker in self._wakers if self.failure is not None or waker[1]()]
            self._wakers = [waker for waker in self._wakers if waker not in ready]
        for wake, _ in ready:
            wake()

    def _on_start(self, answer: Future[Mapping[str, Any]]) -> None:
        try:
            record = answer.result()
            epoch, status, new = record["epoch"], record.get("status", self._status), record["new"]
        except StaleEpochError:
            why = "the session has ended since this was requested, and it is unknown if the code ran"
            self.never_ran = self.lost(f"{why}: it is not run again", 0)
            self.accepted.set_result(True)
        except PyreplStreamError as exc:
            self._status = "error"
            self.accepted.set_exception(exc)
            self.fail(exc)
        else:
            self._epoch, self.behind = epoch, record.get("behind")
            self.on_status(status)
            self.accepted.set_result(new)
            if self._watched:
                self._begin_watch()

    def _enter(self, cursor: RemoteCursor) -> None:
        """Subscribe ``cursor``, once the run is accepted."""

        def subscribe(accepted: Future[bool]) -> None:
            refused = accepted.exception()
            if isinstance(refused, PyreplStreamError):
                cursor.finished(refused)
            elif self.never_ran is not None:
                cursor.lose(self.never_ran)
            elif not cursor.closed:
                cursor.number = self._connection.attach(
                    cursor.handle, self.id, cursor.after, cursor.follow, self._epoch
                )

        self.accepted.add_done_callback(subscribe)

    def _watch(self) -> None:
        """Ask the host for the end, so that this client learns of it even if no reader subscribes."""
        if self._watched or self.ended:
            return
        self._watched = True
        self.failure = None
        if self.accepted.done():
            self._begin_watch()

    def _begin_watch(self, asked: int | None = None) -> None:
        """Ask for the next change; ``asked`` is the open question that this client already knows."""
        record = {"op": "wait", "id": self.id, "epoch": self._epoch, "status": self._status, "asked": asked}
        self._connection.request(record).add_done_callback(self._on_news)

    def _on_news(self, answer: Future[Mapping[str, Any]]) -> None:
        try:
            record = answer.result()
            self._epoch, status, asked = record["epoch"], record["status"], record["asked"]
        except PyreplStreamError as exc:
            self._watched = False
            self.fail(exc)
            return
        self.on_status(status)
        if asked is not None and not self._asked:
            self._asked = True
            self._wake()
        if not self.ended:
            self._begin_watch(asked)
