"""An execution elsewhere, as it is known here."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import PyreplStreamError, TargetError, WrongEpochError
from ..messages import CompleteMessage, InputRequestMessage, Message
from .answer import Answer
from .attach import LIVE
from .connection import Connection
from .remote_journal import RemoteCursor, RemoteJournal

__all__ = ()

PROMPT = 10.0
"""Seconds that a call which cannot be awaited waits for the other side."""


class RemoteRun:
    """What is known here of an execution elsewhere; its messages come by the attaches of cursors.

    ``start`` is the op that begins it; without one it is there already, or is not.
    """

    def __init__(
        self, connection: Connection, execution_id: str, start: Mapping[str, Any] | None = None
    ) -> None:
        self.id = execution_id
        self.journal = RemoteJournal(self)
        self.accepted: Answer[bool] = Answer()
        """Whether the start began it; fails with what the session has against it."""
        self.behind: str | None = None
        """The execution that had to end before this one begins, when that was last told."""
        self.completion: CompleteMessage | None = None
        self.failure: PyreplStreamError | None = None
        self._connection = connection
        self._start = start
        self._status = "queued" if start is not None else "running"
        self._lock = threading.Lock()  # guards the wakers, and that none is added after what it waits for
        self._done_wakers: list[Callable[[], None]] = []
        self._due_wakers: list[Callable[[], None]] = []
        # The engine's thread only:
        self._epoch: str | None = None
        self._waiting: list[RemoteCursor] = []  # until the run is accepted
        self._refused: PyreplStreamError | None = None
        self._never_ran: CompleteMessage | None = None
        self._watched = False
        self._asked = False

    # -- any thread --------------------------------------------------------------------------

    @property
    def status(self) -> str:
        """As far as it is known here; looking at it has this side find out more."""
        if not self.ended:
            self._call(self._watch)
        return self._status

    @property
    def starts(self) -> bool:
        """Whether it was asked for here."""
        return self._start is not None

    @property
    def ended(self) -> bool:
        return self._status not in LIVE

    @property
    def never_ran(self) -> CompleteMessage | None:
        """The end of a run that no record is kept of: nobody knows whether it began."""
        return self._never_ran

    def begin(self) -> None:
        """Have the session start it. Never waits: see :attr:`accepted`."""
        if self._start is None:
            self.accepted.set(False)
            return
        answer = self._connection.request(self._start)
        answer.when_done(lambda: self._heard_start(answer))

    def when_done(self, wake: Callable[[], None]) -> None:
        self._when(wake, self._done_wakers, lambda: self.ended)

    def when_due(self, wake: Callable[[], None]) -> None:
        self._when(wake, self._due_wakers, lambda: self.ended or self._asked)

    def _when(
        self, wake: Callable[[], None], wakers: list[Callable[[], None]], ready: Callable[[], bool]
    ) -> None:
        with self._lock:
            if not ready():
                gone = self._call(self._watch)
                if gone is None:
                    wakers.append(wake)
                    return
                self.failure = gone
        wake()

    def peek(self) -> Answer[Mapping[str, Any]]:
        """Ask for its state: what an attach is answered. Waits until the run is accepted."""
        self.accepted.wait()
        return self._connection.peek(self.id, self._epoch)

    def stop(self, status: str) -> Answer[Mapping[str, Any]]:
        """Ask for its end with that ``status``, ``interrupted`` or ``killed``."""
        op = "kill" if status == "killed" else "interrupt"
        return self._connection.request({"op": op, "id": self.id, "key": uuid.uuid4().hex})

    def request_stop(self, status: str) -> None:
        self.stop(status)

    def control(self, do: str, **fields: Any) -> Mapping[str, Any]:
        """Act on its command. Raises what the session has against it, and :class:`TargetError`."""
        record = {"op": "control", "id": self.id, "key": uuid.uuid4().hex, "do": do, **fields}
        return self._prompt(self._connection.request(record))

    def question(self) -> int | None:
        """The sequence of the question that waits for an answer. Raises as :meth:`control` does."""
        if self.ended:
            return None
        asked: int | None = self._prompt(self.peek())["asked"]
        return asked

    def asks(self, request: InputRequestMessage) -> bool:
        return self.question() == request.sequence

    def answer(self, request: InputRequestMessage, text: str | None) -> bool:
        self.give(request.sequence, text)
        return True

    def give(self, sequence: int, text: str | None) -> None:
        """Answer the question of that number. Raises :class:`EndedError` if it has its answer."""
        record = {"op": "input", "id": self.id, "sequence": sequence, "text": text}
        self._prompt(self._connection.request(record, forgive=True))

    def _prompt(self, answer: Answer[Mapping[str, Any]]) -> Mapping[str, Any]:
        try:
            return answer.wait(PROMPT)
        except TimeoutError:
            text = f"the session of execution {self.id} has not answered within {PROMPT:g} s: it is asked on"
            raise TargetError(text) from None

    # -- what cursors need, any thread -------------------------------------------------------

    def enter(self, cursor: RemoteCursor) -> None:
        gone = self._call(self._enter, cursor)
        if gone is not None:
            cursor.finished(gone)

    def leave(self, cursor: RemoteCursor) -> None:
        self._call(self._leave, cursor)

    def consumed(self, cursor: RemoteCursor, size: int) -> None:
        self._call(lambda: self._connection.consumed(cursor.number, size))

    @property
    def gone(self) -> PyreplStreamError | None:
        """Why nothing more can be heard of it in this process; None while it can."""
        return self._connection.gone

    def _call(self, function: Callable[..., object], *args: object) -> PyreplStreamError | None:
        return self._connection.call(function, *args)

    # -- the engine's thread -----------------------------------------------------------------

    def heard(self, status: str) -> None:
        """The session has told its status."""
        if not self.ended:
            self._status = status
            if self.ended:
                self._wake()

    def heard_messages(self, messages: list[Message]) -> None:
        for message in messages:
            if isinstance(message, CompleteMessage):
                self._complete(message)
            elif isinstance(message, InputRequestMessage) and not self._asked:
                self._asked = True
                self._wake()
        self.heard("running")

    def lost(self, why: str, after: int) -> CompleteMessage:
        """The end, when nobody can tell it any more."""
        complete = CompleteMessage(
            execution_id=self.id, sequence=after + 1, timestamp=time.time(), status="lost", error=why
        )
        self._complete(complete)
        return complete

    def fail(self, error: PyreplStreamError) -> None:
        """The end cannot be waited for, as things are."""
        self.failure = error
        self._wake()

    def _complete(self, message: CompleteMessage) -> None:
        self.completion = self.completion or message
        self._status = self.completion.status
        self._wake()

    def _wake(self) -> None:
        """Wake who waits, for the end or for a question."""
        done = self.ended or self.failure is not None
        with self._lock:
            wakers = [*self._due_wakers, *(self._done_wakers if done else ())]
            self._due_wakers.clear()
            if done:
                self._done_wakers.clear()
        for wake in wakers:
            wake()

    def _heard_start(self, answer: Answer[Mapping[str, Any]]) -> None:
        try:
            record = answer.result()
        except WrongEpochError:
            why = "the session has ended since this was asked for, and nobody knows whether it ran"
            self._never_ran = self.lost(f"{why}: it is not run again", 0)
            self.accepted.set(True)
        except PyreplStreamError as exc:
            self._refused = exc
            self._status = "error"
            self.accepted.fail(exc)
            self.fail(exc)
        else:
            self._epoch, self.behind = record["epoch"], record.get("behind")
            self.heard(record.get("status", self._status))
            self.accepted.set(record["new"])
            if self._watched:
                self._begin_watch()
        waiting, self._waiting = self._waiting, []
        for cursor in waiting:
            self._enter(cursor)

    def _enter(self, cursor: RemoteCursor) -> None:
        if self._refused is not None:
            cursor.finished(self._refused)
        elif self._never_ran is not None:
            cursor.lose(self._never_ran)
        elif self.accepted.done:
            number = self._connection.attach(cursor, self.id, cursor.after, cursor.follow, self._epoch)
            cursor.number = number
        else:
            self._waiting.append(cursor)

    def _leave(self, cursor: RemoteCursor) -> None:
        if cursor in self._waiting:
            self._waiting.remove(cursor)
        self._connection.detach(cursor.number)

    def _watch(self) -> None:
        """See to it that the end is heard of, whether or not anybody reads."""
        if self._watched or self.ended:
            return
        self._watched = True
        self.failure = None
        if self.accepted.done:
            self._begin_watch()

    def _begin_watch(self, asked: int | None = None) -> None:
        """``asked`` is the question that is known of."""
        record = {"op": "wait", "id": self.id, "epoch": self._epoch, "status": self._status, "asked": asked}
        answer = self._connection.request(record)
        answer.when_done(lambda: self._heard_news(answer))

    def _heard_news(self, answer: Answer[Mapping[str, Any]]) -> None:
        try:
            record = answer.result()
        except PyreplStreamError as exc:
            self._watched = False
            self.fail(exc)
            return
        self._epoch = record["epoch"]
        self.heard(record["status"])
        if record["asked"] is not None and not self._asked:
            self._asked = True
            self._wake()
        if not self.ended:
            self._begin_watch(record["asked"])
