"""One execution as its host sees it, from its acceptance to the last word of its last process."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Callable, Optional, Protocol

from ..errors import EndedError, ProtocolError
from ..journal.spool import Spool, SpoolReader, SpoolStatus, open_spool
from ..messages import CompleteMessage, InputReplyMessage, LogMessage, Message
from ..wire import unnumbered
from ..worker.frames import Frame
from ..worker.requests import Request
from .loop import Timer
from .pipe import OutputPipe

__all__ = ("Record", "Execution", "StoredExecution", "UnreadableExecution", "Reader")

_KEYS = 256  # requests that are remembered, so that one that is sent again is obeyed once


class Reader(Protocol):
    """Who is told that there is something to read."""

    def wake(self) -> None: ...


class Record(Protocol):
    """What there is to know of any execution, one that runs or one of an earlier host."""

    id: str
    epoch: str

    @property
    def status(self) -> SpoolStatus: ...

    @property
    def asked(self) -> Optional[int]:
        """The sequence of the question that waits for an answer."""

    def reader(self, after: int, *, follow: bool) -> SpoolReader:
        """Raises :class:`CursorError`, and OSError when no descriptor is left."""


class StoredExecution:
    """One that nothing is added to any more."""

    asked = None

    def __init__(self, directory: str, status: SpoolStatus) -> None:
        self.id = status.execution_id
        self.epoch = status.epoch
        self.status = status
        self._directory = directory

    def reader(self, after: int, *, follow: bool) -> SpoolReader:
        return open_spool(self._directory).reader(after, follow=follow)


class UnreadableExecution(StoredExecution):
    """One whose record tells nothing any more: it can only be removed."""

    def __init__(self, directory: str, status: SpoolStatus, why: str) -> None:
        super().__init__(directory, status)
        self._why = why

    def reader(self, after: int, *, follow: bool) -> SpoolReader:
        raise EndedError(f"the record of {self.id} is broken ({self._why}): `fresh` or `close` removes it")


class Answers:
    """The answer to one request of a client, which may ask again until it has it."""

    def __init__(self) -> None:
        self.asked = False
        self._answer: Optional[Mapping[str, Any]] = None
        self._waiting: list[Callable[[Mapping[str, Any]], object]] = []

    def add(self, tell: Callable[[Mapping[str, Any]], object]) -> None:
        if self._answer is None:
            self._waiting.append(tell)
        else:
            tell(self._answer)

    def give(self, answer: Mapping[str, Any]) -> None:
        self._answer = answer
        for tell in self._waiting:
            tell(answer)
        self._waiting.clear()


class Execution:
    """One that this host runs, is to run or has run, until nothing comes from it any more."""

    def __init__(self, request: Request, key: str, spool: Spool) -> None:
        self.id = request.id
        self.epoch = spool.status.epoch
        self.request: Optional[Request] = request  # until it is sent
        self.is_command = request.command is not None
        self.timeout = request.timeout
        self.key = key
        self.ordinal = 0
        self.since = 0  # when it began, in ticks of the kernel
        self.pipes: list[OutputPipe] = []
        self.reason: Optional[tuple[str, str]] = None  # why it was asked to end: status and text
        self.timers: list[Timer] = []  # of its running
        self.code_closed = False  # its Python code writes no more
        self.waiting: list[Frame] = []  # what is to be sent when it has begun
        self.readers: list[Reader] = []
        self.when_complete: list[Callable[[], object]] = []
        self.on_news: Callable[[], object] = lambda: None  # it began, it asks, it ended
        self._seen: OrderedDict[str, Answers] = OrderedDict()  # by key
        self._spool = spool
        self._began: Optional[float] = None
        self._questions: OrderedDict[int, tuple[Any, bool]] = OrderedDict()

    @property
    def status(self) -> SpoolStatus:
        status = replace(self._spool.status, last=self._spool.last)
        return replace(status, status="running") if self._began and not self.completed else status

    @property
    def completed(self) -> bool:
        return self._spool.completion is not None

    @property
    def has_ended(self) -> bool:
        """Whether nothing can come any more."""
        return self.completed and self.code_closed and not self.pipes

    @property
    def asked(self) -> Optional[int]:
        return next(iter(self._questions), None)

    def reader(self, after: int, *, follow: bool) -> SpoolReader:
        return self._spool.reader(after, follow=follow)

    def answers_for(self, key: str) -> Answers:
        """What a client asks for under that key."""
        if not key:
            return Answers()
        answers = self._seen.setdefault(key, Answers())
        if len(self._seen) > _KEYS:
            self._seen.popitem(last=False)
        return answers

    # -- what is told by the worker and the pipes --------------------------------------------

    def begin(self, ordinal: int, since: int, pipes: list[OutputPipe]) -> None:
        self.ordinal, self.since, self.pipes = ordinal, since, pipes
        self.request = None
        self._began = time.monotonic()
        self.on_news()

    def save(self) -> None:
        """That it has begun."""
        self._spool.begin()

    def append(self, body: bytes, output: int, *, kept: bool = False) -> int:
        """A message without a number; its number."""
        self.end_text()
        return self._spool.append(body, output, kept=kept)

    def say(self, message: Message, *, kept: bool = False) -> None:
        self.append(unnumbered(replace(message, timestamp=time.time())), 0, kept=kept)

    def warn(self, text: str) -> None:
        self.say(LogMessage(level="WARNING", logger="pyrepl_stream", text=text))

    def print(self, pipe: OutputPipe, data: bytes) -> None:
        for body, output in pipe.messages(data):
            self._spool.append(body, output)

    def end_text(self, pipe: Optional[OutputPipe] = None) -> None:
        """Beginnings of characters (of one pipe, or of all) do not go on."""
        for one in self.pipes if pipe is None else (pipe,):
            if one.has_tail:
                for body, output in one.end_text():
                    self._spool.append(body, output)

    def ask(self, body: bytes, request: Any, *, password: bool) -> None:
        """A question; ``request`` is how the worker knows it."""
        self._questions[self.append(body, 0, kept=True)] = request, password
        self.on_news()

    def answer(self, sequence: int, text: Optional[str]) -> Optional[tuple[Any]]:
        """How the worker knows the question that is answered; None when there is none (any more)."""
        question = self._questions.pop(sequence, None)
        if question is None:
            return None
        request, password = question
        self.say(InputReplyMessage(request=sequence, text=None if password else text), kept=True)
        return (request,)

    def complete(self, told: CompleteMessage) -> None:
        """The end as the worker, or who misses it, tells it; its time and its reason are known here."""
        self.end_text()
        status, error = told.status, told.error
        # Code that raises something of its own when it is interrupted has failed by itself.
        if self.reason is not None and not told.success and status != "error":
            status = self.reason[0]
            error = error or self.reason[1] if status == "interrupted" else self.reason[1]
        duration = 0.0 if self._began is None else time.monotonic() - self._began
        message = replace(
            told, success=status == "ok", status=status, error=error, duration=duration, timestamp=time.time()
        )
        try:
            self._spool.complete(message)
        except (TypeError, ProtocolError):  # a value that is too long
            self._spool.complete(replace(message, value=None))
        self._questions.clear()
        for timer in self.timers:
            timer.cancel()
        self.wake()
        for call in self.when_complete:
            call()
        self.when_complete.clear()
        self.on_news()

    # -- to its readers ----------------------------------------------------------------------

    def commit(self) -> None:
        """Write what was appended; who reads is woken."""
        if self._spool.commit():
            self.wake()

    def wake(self) -> None:
        for reader in self.readers:
            reader.wake()

    def close(self) -> SpoolStatus:
        """Nothing comes any more."""
        self._spool.close()
        self.wake()
        return self._spool.status
