"""One execution from its start to its one `complete`.

The engine's thread does everything but run the code: it drains, interrupts, and ends. So there is no
lock here; other threads only write, or have the engine call a method.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any, Callable, Optional, Protocol

from ..journal import Journal
from ..messages import (
    CompleteMessage,
    InputRequestMessage,
    LogMessage,
    Message,
    StreamType,
)
from .formats import display_message, mime_bundle
from .loop import LoopThread
from .streams import OutputStream
from .writer import TICK, Order, Writer

__all__ = ("Run", "Body", "READER_GRACE")

READER_GRACE = 5.0  # seconds that a full buffer waits for its first reader before it goes on without


class Body(Protocol):
    """What an execution does. All methods are called in the engine's thread."""

    def start(self, run: Run) -> None:
        """Begin. Whoever runs the code calls :meth:`Run.finished` after its last word."""

    def stop(self, *, force: bool) -> float:
        """Ask for the end, or (``force``) end it by every means there is. May be called again.

        Returns the seconds that the end may take before the caller goes on without it.
        """

    def ended(self) -> None:
        """`finished` was heard: no ``stop`` comes any more."""

    def given_up(self) -> str:
        """The caller goes on without waiting for the end; returns what there is to say about it."""


class Run:
    """The machinery of one execution: its journal, its writer, its streams, its end."""

    def __init__(
        self,
        execution_id: str,
        code: str,
        body: Body,
        engine: LoopThread,
        *,
        limit: Optional[int],
        overflow: str,
        timeout: Optional[float] = None,
        on_end: Callable[[Run], None] = lambda run: None,
        journal: Optional[Journal] = None,
        order: Optional[Order] = None,
        descriptors: tuple[Optional[int], Optional[int]] = (None, None),
    ) -> None:
        """``journal`` is one of another kind than memory (then ``limit`` and ``overflow`` are its own).

        ``order`` and ``descriptors`` are for an execution that has file descriptors 1 and 2 to itself.
        """
        self.id = execution_id
        self.code = code
        self.engine = engine
        if journal is None:
            journal = Journal(execution_id, limit=limit, overflow=overflow, on_room=self._on_room)
        self.journal = journal
        self.writer = Writer(
            self.journal, engine, fail=overflow == "fail", on_shut=self._on_shut, order=order
        )
        self.stdout = OutputStream(self.writer, StreamType.STDOUT, descriptors[0])
        self.stderr = OutputStream(self.writer, StreamType.STDERR, descriptors[1])
        self.done = False  # `complete` was posted: it comes when the reader has made room for it
        self.body = body
        self._timeout = timeout
        self._on_end = on_end
        self._started: Optional[float] = None
        self._reason: Optional[tuple[str, str]] = None  # why the code was asked to end: status and text
        self._timers: list[asyncio.TimerHandle] = []
        self._reader_timer: Optional[asyncio.TimerHandle] = None
        self._wakers: list[Callable[[], None]] = []
        self._asked: dict[str, Callable[[Optional[str]], object]] = {}

    @property
    def status(self) -> str:
        """``queued``, ``running``, or the status of `complete`."""
        if self.journal.completion is not None:
            return self.journal.completion.status
        return "queued" if self._started is None else "running"

    @property
    def in_use(self) -> bool:
        """Whether it is being read, or threads of it still run."""
        return self.writer.alive or self.writer.is_bound or self.journal.is_read

    # -- any thread --------------------------------------------------------------------------

    def say(self, message: Message) -> None:
        """Put a message at its place among the output."""
        self.writer.post(None, message)

    def display(self, value: Any, *, display_id: Optional[str] = None, update: bool = False) -> None:
        """Show a value by its MIME bundle."""
        data, metadata = mime_bundle(value)
        self.say(display_message(data, metadata, display_id=display_id, update=update))

    def read_input(self, prompt: str, *, password: bool) -> str:
        """Ask the reader for a line and wait for it. Raises :class:`EOFError` when there is none."""
        answers: list[Optional[str]] = []
        self.ask(prompt, password=password, answered=answers.append)
        while not answers:
            if self.journal.closed:
                raise EOFError("the session was closed while the code waited for input")
            time.sleep(TICK)  # polled: an interrupt must be able to come in between
        if answers[-1] is None:
            raise EOFError("end of input")
        return answers[-1]

    def ask(
        self,
        prompt: str,
        *,
        password: bool,
        answered: Callable[[Optional[str]], object],
        printed: bool = False,
    ) -> None:
        """Ask the reader for a line; ``answered`` is called with it, by whoever answers.

        ``printed``: the prompt is in the output already.
        """
        key = f"{threading.get_ident()}-{time.monotonic_ns()}"
        self._asked[key] = answered
        extra = {"request": key, "printed": printed}
        self.say(InputRequestMessage(prompt=prompt, password=password, extra=extra))

    def answer(self, request: InputRequestMessage, text: Optional[str]) -> bool:
        """Give the line that ``request`` asked for, None is the end of the input; False: it has one."""
        key = str(request.extra["request"])
        answered = self._asked.get(key)
        if answered is None:
            return False
        answered(text)  # when it raises, the question stands
        self._asked.pop(key, None)
        return True

    def asks(self, request: InputRequestMessage) -> bool:
        """Whether ``request`` still waits for its answer."""
        return not self.done and str(request.extra.get("request")) in self._asked

    def finished(self, complete: CompleteMessage) -> None:
        """The code has ended. May be called again, by a thread that was interrupted in the call."""
        self.engine.call(self._hear, complete)

    def request_stop(self, status: str, error: str = "") -> None:
        """Ask the code to end with that ``status``."""
        self.engine.call(self.stop, status, error)

    def when_done(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` once when the execution has ended, whether or not anybody reads it."""
        if not self.engine.call(self._add_waker, wake):
            wake()

    def _on_room(self) -> None:
        self.engine.call(self.writer.tick)

    # -- the engine's thread -----------------------------------------------------------------

    def start(self) -> None:
        if self.done:
            return
        self._started = time.monotonic()
        if self._timeout is not None:
            text = f"timeout: the run took longer than {self._timeout:g} s"
            self._later(self._timeout, self.stop, "timeout", text)
        try:
            self.body.start(self)
        except RuntimeError as exc:  # Python 3.12 and newer: no thread starts while the interpreter ends
            self._end(CompleteMessage(status="killed", error=str(exc)))

    def stop(self, status: str, error: str = "") -> None:
        if self.done:
            return
        # The first reason holds: what hurries an end is not what caused it. A kill is told as one.
        if self._reason is None or status == "killed":
            self._reason = status, error or status
        self.writer.release()
        if self._started is None:
            self._end(CompleteMessage())
            return
        self._later(self.body.stop(force=status == "killed"), self._give_up)

    def close(self) -> None:
        """The session ends: write what is there, and no more."""
        if not self.done:
            self._end(CompleteMessage(status="killed"))
        self.writer.close()
        self.journal.close()

    def _give_up(self) -> None:
        """What cannot be interrupted runs on by itself; its caller gets control back."""
        if not self.done:
            text = self.body.given_up()
            self.say(LogMessage(level="WARNING", logger="pyrepl_stream", text=text))
            self._end(CompleteMessage())

    def _hear(self, complete: CompleteMessage) -> None:
        self.body.ended()
        self.writer.alive = False
        if not self.done:
            self._end(complete)

    def _end(self, complete: CompleteMessage) -> None:
        self.done = True
        for timer in self._timers:
            timer.cancel()
        status, error = complete.status, complete.error
        if not complete.success and self._reason is not None and status in ("ok", "interrupted"):
            status = self._reason[0]
            error = self._reason[1] if status == "timeout" else error or self._reason[1]
        self.writer.flush_bytes()
        if self.journal.overflow == "fail" and self.journal.overflowed and complete.success:
            status, error = "error", "BufferOverflowError: the reader lagged, and output was lost"
        duration = 0.0 if self._started is None else time.monotonic() - self._started
        self.say(
            CompleteMessage(
                success=status == "ok",
                status=status,
                exit_code=complete.exit_code,
                error=error,
                duration=duration,
                value=complete.value,
            )
        )
        self.writer.tick()
        for wake in self._wakers:
            wake()
        self._on_end(self)

    def _add_waker(self, wake: Callable[[], None]) -> None:
        if self.done:
            wake()
        else:
            self._wakers.append(wake)

    def _on_shut(self) -> None:
        if self._reader_timer is None:
            self._reader_timer = self.engine.loop.call_later(READER_GRACE, self._stop_waiting)

    def _stop_waiting(self) -> None:
        self._reader_timer = None
        self.journal.release_unread()

    def _later(self, seconds: float, function: Callable[..., object], *args: object) -> None:
        self._timers.append(self.engine.loop.call_later(seconds, function, *args))
