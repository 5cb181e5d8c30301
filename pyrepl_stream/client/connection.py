"""Drives a machine and a link in the engine's event loop, for callers in any thread."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ..engine.loop import engine_loop
from ..errors import EndedError, PyreplStreamError, SessionClosedError, TargetError
from ..messages import Message
from .answer import Answer
from .events import Answered, Attached, Delivered, Event, Finished, Greeted
from .link import Link, Stream
from .machine import Machine

__all__ = ()

PATIENCE = 300.0
"""Seconds without success for which a host that was reached once is sought."""


class Reader(Protocol):
    """Who gets the messages of an attach. Called in the engine's thread."""

    def attached(self, record: Mapping[str, Any]) -> None: ...

    def delivered(self, messages: list[Message], size: int) -> None:
        """``size`` is given back by :meth:`Connection.consumed` when the messages were taken."""

    def finished(self, error: PyreplStreamError | None) -> None:
        """Nothing comes any more."""


class Connection:
    """Connected as long as somebody waits for something, and from then on until :meth:`close`.

    A copy of it in another process (``fork``) has no thread that drives it: there nothing is of use but
    its errors.
    """

    def __init__(self, link: Link, *, patience: float = PATIENCE, version: str = "") -> None:
        self._engine = engine_loop()
        self._process = os.getpid()
        self.hello: Mapping[str, Any] | None = None
        """What the host said of itself last."""
        self._link = link
        # The engine's thread only:
        self._machine = Machine(
            random=random.random, patience=patience, version=version, check=link.greeted
        )
        self._answers: dict[int, tuple[Answer[Mapping[str, Any]], bool]] = {}
        self._readers: dict[int, Reader] = {}
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()  # something was asked, or the link is of no use
        self._to_send = asyncio.Event()
        self._broken: PyreplStreamError | None = None
        self._closed: PyreplStreamError | None = None
        self._released = False

    # -- any thread --------------------------------------------------------------------------

    @property
    def gone(self) -> PyreplStreamError | None:
        """Why this can do nothing any more in this process; None while it can."""
        if os.getpid() != self._process:
            return SessionClosedError("the session was connected before a fork: connect again")
        return None

    def call(self, function: Callable[..., object], *args: object) -> PyreplStreamError | None:
        """Have the engine's thread call ``function`` soon; returns what keeps it from that."""
        gone = self.gone
        if gone is None and not self._engine.call(function, *args):
            gone = SessionClosedError("the process ends")
        return gone

    def request(self, record: Mapping[str, Any], *, forgive: bool = False) -> Answer[Mapping[str, Any]]:
        """Ask the host; the answer is what it answers, or fails with its error, or that of the link.

        ``forgive``: that it has ended is no error when the host was asked more than once.
        """
        answer: Answer[Mapping[str, Any]] = Answer()
        self._call(answer, lambda now: self._machine.request(record, now), forgive)
        return answer

    def peek(self, execution_id: str, epoch: str | None = None) -> Answer[Mapping[str, Any]]:
        """Ask for the state of an execution: what an attach is answered."""
        answer: Answer[Mapping[str, Any]] = Answer()
        self._call(answer, lambda now: self._machine.peek(execution_id, epoch, now), False)
        return answer

    def close(self, error: PyreplStreamError | None = None) -> Answer[None]:
        """Let go of the host, which goes on; whoever waits for something gets ``error``. Idempotent."""
        closed: Answer[None] = Answer()
        error = error or SessionClosedError("disconnected from the session, which goes on: connect again")
        if self.call(self._close, error, closed) is not None:
            closed.set(None)
        return closed

    def release(self) -> None:
        """From now on be connected only as long as somebody waits for something."""
        self.call(self._release)

    def _call(
        self, answer: Answer[Mapping[str, Any]], ask: Callable[[float], int], forgive: bool
    ) -> None:
        def call() -> None:
            if self._closed is not None:
                answer.fail(self._closed)
                return
            try:
                number = ask(self._engine.loop.time())
            except PyreplStreamError as exc:
                answer.fail(exc)
                return
            self._answers[number] = (answer, forgive)
            self._stir()

        gone = self.call(call)
        if gone is not None:
            answer.fail(gone)

    # -- the engine's thread -----------------------------------------------------------------

    def attach(self, reader: Reader, execution_id: str, after: int, follow: bool, epoch: str | None) -> int:
        """Have ``reader`` get what comes after ``after``; returns its number, 0 when that cannot be."""
        if self._closed is not None:
            reader.finished(self._closed)
            return 0
        number = self._machine.attach(execution_id, after, follow, epoch, self._engine.loop.time())
        self._readers[number] = reader
        self._stir()
        return number

    def consumed(self, number: int, size: int) -> None:
        self._machine.consumed(number, size)
        self._to_send.set()

    def detach(self, number: int) -> None:
        self._readers.pop(number, None)
        self._machine.detach(number)
        self._to_send.set()
        self._news.set()

    def _release(self) -> None:
        self._released = True
        self._news.set()

    @property
    def _is_needed(self) -> bool:
        return self._machine.busy or not self._released

    def _stir(self) -> None:
        self._to_send.set()
        self._news.set()
        if self._task is None or self._task.done():
            self._task = self._engine.loop.create_task(self._run())

    def _close(self, error: PyreplStreamError, closed: Answer[None]) -> None:
        if self._closed is None:
            self._closed = error
            self._handle(self._machine.fail(error))
        if self._task is None or self._task.done():
            closed.set(None)
            return
        self._task.cancel()
        self._task.add_done_callback(lambda task: closed.set(None))

    def _handle(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, (Attached, Delivered, Finished)):
                self._read(event)
            elif isinstance(event, Answered):
                self._answered(event)
            elif isinstance(event, Greeted):
                self.hello = event.hello
            else:
                self._broken = event.error
                self._news.set()
        self._to_send.set()
        if not self._is_needed:
            self._news.set()

    def _read(self, event: Attached | Delivered | Finished) -> None:
        reader = self._readers.get(event.attach)
        if reader is None:
            return  # it has left
        if isinstance(event, Delivered):
            reader.delivered(event.messages, event.size)
        elif isinstance(event, Attached):
            reader.attached(event.record)
        else:
            del self._readers[event.attach]
            reader.finished(event.error)

    def _answered(self, event: Answered) -> None:
        answer, forgive = self._answers.pop(event.request)
        forgiven = forgive and event.again and isinstance(event.error, EndedError)
        if event.error is not None and not forgiven:
            answer.fail(event.error)
        else:
            answer.set(event.record)

    async def _run(self) -> None:
        try:
            await self._keep_linked()
        except Exception as exc:  # a mistake of ours: whoever waits is told, and the loop tells all of it
            self._closed = PyreplStreamError(f"the connection to the session failed: {exc!r}")
            self._handle(self._machine.fail(self._closed))
            raise

    async def _keep_linked(self) -> None:
        while self._is_needed:
            self._news.clear()
            at = self._machine.connect_at
            if at is None or at > self._engine.loop.time():
                await self._news_until(at)
                continue
            start = self._machine.connecting()
            self._broken = None
            error = await self._over_one_link(start)
            self._handle(self._machine.disconnected(self._engine.loop.time(), error))

    async def _over_one_link(self, start: bool) -> PyreplStreamError:
        """Why the link is gone, or could not be opened."""
        try:
            stream = await self._link.connect(start=start)
        except PyreplStreamError as exc:
            return exc
        except OSError as exc:
            return _target_error("the session cannot be reached", exc)
        self._machine.connected(self._engine.loop.time())
        tasks = [
            self._engine.loop.create_task(work)
            for work in (self._receive(stream), self._send(stream), self._watch())
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            await stream.aclose()
        for result in results:
            if isinstance(result, OSError):
                return _target_error("the connection to the session was cut", result)
            if isinstance(result, Exception):
                raise result
        return self._broken or TargetError("the connection to the session was cut")

    async def _receive(self, stream: Stream) -> None:
        while data := await stream.receive():
            self._handle(self._machine.receive(data, self._engine.loop.time()))
            await asyncio.sleep(0)  # what is there already is received at once, and others want a turn

    async def _send(self, stream: Stream) -> None:
        while True:
            self._to_send.clear()
            data = self._machine.data_to_send()
            if data:
                await stream.send(data)
            else:
                await self._to_send.wait()

    async def _watch(self) -> None:
        """Ends when the link is of no use any more."""
        while self._broken is None and self._is_needed:
            self._news.clear()
            await self._news_until(self._machine.tick_at)
            self._handle(self._machine.tick(self._engine.loop.time()))

    async def _news_until(self, at: float | None) -> None:
        timer = None if at is None else self._engine.loop.call_at(at, self._news.set)
        try:
            await self._news.wait()
        finally:
            if timer is not None:
                timer.cancel()


def _target_error(what: str, exc: OSError) -> TargetError:
    return TargetError(f"{what}: {exc.strerror or exc}")
