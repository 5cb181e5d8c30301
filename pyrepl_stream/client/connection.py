"""The driver of a :class:`ClientProtocol` and a link, in the engine's event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import Callable, Mapping
from typing import Any

from ..reply import Reply
from ..runtime.engine.loop import engine_loop
from ..runtime.errors import ExecutionEndedError, PyreplStreamError, SessionClosedError, TargetError
from .events import Answered, Attached, Delivered, Event, Finished, Greeted
from .link import Link, Stream
from .protocol import ClientProtocol

__all__ = ()

PATIENCE = 300.0
"""Seconds for which to retry, without success, the connection to a host that was reached once."""


SubscriptionListener = Callable[[Attached | Delivered | Finished], object]
"""Called in the engine's thread. When messages are read, pass their size to :meth:`Connection.consumed`."""


class Connection:
    """One client's connection to one session, opened by the first request and again after each cut.

    It stays open until :meth:`close`, or after :meth:`release` until no request or subscription is open. In a
    child process after ``fork``, no thread drives it and every use fails.
    """

    def __init__(
        self, link: Link, *, patience: float = PATIENCE, report: Callable[[str], object] | None = None
    ) -> None:
        self._engine = engine_loop()
        self._process = os.getpid()
        self.hello: Mapping[str, Any] | None = None
        """The last host's answer to `hello`."""
        self.difference: str | None = None
        """How the session differs from one that this process would start, as text."""
        self._link = link
        self._report = report  # None once a call of it has been scheduled
        self._greeted: Reply[None] = Reply()
        # Used only in the engine's thread:
        self._protocol = ClientProtocol(random=random.random, patience=patience, check=self._check)
        self._answers: dict[int, tuple[Reply[Mapping[str, Any]], bool]] = {}
        self._readers: dict[int, SubscriptionListener] = {}
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()  # set for a new request, or when nothing is needed any more
        self._to_send = asyncio.Event()
        self._closed: PyreplStreamError | None = None
        self._released = False

    # -- called from any thread --------------------------------------------------------------

    @property
    def gone(self) -> PyreplStreamError | None:
        """The error with which every use fails in this process; None if the connection can be used."""
        if os.getpid() != self._process:
            return SessionClosedError("the session was connected before a fork: connect again")
        return None

    def call(self, function: Callable[..., object], *args: object) -> PyreplStreamError | None:
        """Schedule a call of ``function`` in the engine's thread; return the error if that is impossible."""
        gone = self.gone
        if gone is None and not self._engine.call(function, *args):
            gone = SessionClosedError("the process is about to end")
        return gone

    def report_difference(self) -> None:
        """Report, once, how the session differs from one that this process would start.

        The report comes before later requests are answered.
        """
        report, self._report = self._report, None

        def compared(greeted: object) -> None:
            if report is not None and self.difference is not None:
                report(self.difference)

        self._greeted.add_done_callback(compared)

    def request(self, record: Mapping[str, Any], *, forgive: bool = False) -> Reply[Mapping[str, Any]]:
        """Send an operation, and return the reply with the host's answer.

        Args:
            record: The operation without its number.
            forgive: Ignore :class:`ExecutionEndedError` if the operation was sent more than once, since an
                earlier copy may have been carried out.
        """
        answer: Reply[Mapping[str, Any]] = Reply()

        def send() -> None:
            if self._closed is not None:
                answer.set_exception(self._closed)
                return
            try:
                number = self._protocol.request(record, self._engine.loop.time())
            except PyreplStreamError as exc:
                answer.set_exception(exc)
                return
            self._answers[number] = (answer, forgive)
            self._ensure_running()

        gone = self.call(send)
        if gone is not None:
            answer.set_exception(gone)
        return answer

    def close(self, error: PyreplStreamError | None = None) -> Reply[None]:
        """Disconnect from the host, which continues to run. Waiting callers get ``error``. Idempotent."""
        closed: Reply[None] = Reply()
        error = error or SessionClosedError(
            "disconnected from the session, which continues to run: connect again"
        )
        if self.call(self._close, error, closed) is not None:
            closed.set_result(None)
        return closed

    def release(self) -> None:
        """Stay connected from now on only while a request or a subscription is open."""
        self.call(self._release)

    # -- called in the engine's thread -------------------------------------------------------

    def _check(self, hello: Mapping[str, Any]) -> None:
        self.difference = self._link.greeted(hello)

    def attach(
        self, reader: SubscriptionListener, execution_id: str, after: int, follow: bool, epoch: str | None
    ) -> int:
        """Subscribe ``reader`` to messages after ``after``; return the subscription's number, 0 if closed."""
        if self._closed is not None:
            reader(Finished(0, self._closed))
            return 0
        number = self._protocol.attach(execution_id, after, follow, epoch, self._engine.loop.time())
        self._readers[number] = reader
        self._ensure_running()
        return number

    def consumed(self, number: int, size: int) -> None:
        self._protocol.consumed(number, size)
        self._to_send.set()

    def detach(self, number: int) -> None:
        self._readers.pop(number, None)
        self._protocol.detach(number)
        self._to_send.set()
        self._news.set()

    def _release(self) -> None:
        self._released = True
        self._news.set()

    @property
    def _is_needed(self) -> bool:
        return self._protocol.busy or not self._released

    def _ensure_running(self) -> None:
        self._to_send.set()
        self._news.set()
        if self._task is None or self._task.done():
            self._task = self._engine.loop.create_task(self._run())

    def _close(self, error: PyreplStreamError, closed: Reply[None]) -> None:
        if self._closed is None:
            self._closed = error
            self._handle(self._protocol.fail(error))
        if self._task is None or self._task.done():
            closed.set_result(None)
            return
        self._task.cancel()
        self._task.add_done_callback(lambda task: closed.set_result(None))

    def _handle(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, (Attached, Delivered, Finished)):
                self._read(event)
            elif isinstance(event, Answered):
                self._answered(event)
            elif isinstance(event, Greeted):
                self.hello = event.hello
                if not self._greeted.done():
                    self._greeted.set_result(None)
            else:
                raise event.error  # the task that used the link ends, and with it the link
        self._to_send.set()
        if not self._is_needed:
            self._news.set()

    def _read(self, event: Attached | Delivered | Finished) -> None:
        reader = self._readers.get(event.attach)
        if reader is None:
            return  # it was detached
        if isinstance(event, Finished):
            del self._readers[event.attach]
        reader(event)

    def _answered(self, event: Answered) -> None:
        answer, forgive = self._answers.pop(event.request)
        forgiven = forgive and event.again and isinstance(event.error, ExecutionEndedError)
        if event.error is not None and not forgiven:
            answer.set_exception(event.error)
        else:
            answer.set_result(event.record)

    async def _run(self) -> None:
        try:
            while self._is_needed:
                self._news.clear()
                at = self._protocol.connect_at
                if at is None or at > self._engine.loop.time():
                    await self._wait_for_news(at)
                    continue
                error = await self._over_one_link(self._protocol.connecting())
                self._handle(self._protocol.disconnected(self._engine.loop.time(), error))
        except Exception as exc:  # a bug: waiting callers get it, and the loop logs it
            self._closed = PyreplStreamError(f"the connection to the session failed: {exc!r}")
            self._handle(self._protocol.fail(self._closed))
            raise

    async def _over_one_link(self, start: bool) -> PyreplStreamError:
        """Open a link and drive it until it is cut; return the reason why it was cut or not opened."""
        try:
            stream = await self._link.connect(start=start)
        except PyreplStreamError as exc:
            return exc
        except OSError as exc:
            return _target_error("the session cannot be reached", exc)
        self._protocol.connected(self._engine.loop.time())
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
            if isinstance(result, PyreplStreamError):
                return result
            if isinstance(result, OSError):
                return _target_error("the connection to the session was cut", result)
            if isinstance(result, Exception):
                raise result
        return TargetError("the connection to the session was cut")

    async def _receive(self, stream: Stream) -> None:
        while data := await stream.receive():
            self._handle(self._protocol.receive(data, self._engine.loop.time()))
            await asyncio.sleep(0)  # `receive` may never have to wait: let other tasks run

    async def _send(self, stream: Stream) -> None:
        while True:
            self._to_send.clear()
            data = self._protocol.data_to_send()
            if data:
                await stream.send(data)
            else:
                await self._to_send.wait()

    async def _watch(self) -> None:
        """Call :meth:`ClientProtocol.tick` when it is due, until the link is no longer needed."""
        while self._is_needed:
            self._news.clear()
            await self._wait_for_news(self._protocol.tick_at)
            self._handle(self._protocol.tick(self._engine.loop.time()))

    async def _wait_for_news(self, at: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(at):
                await self._news.wait()


def _target_error(what: str, exc: OSError) -> TargetError:
    return TargetError(f"{what}: {exc.strerror or exc}")
