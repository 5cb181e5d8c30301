"""A session in this process: a namespace that lasts, and executions in threads."""

from __future__ import annotations

import threading
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from types import TracebackType
from typing import Any

from .chain import AnyProcessor, with_format
from .engine import routing
from .engine.interpreter import Interpreter
from .engine.loop import LoopThread, engine_loop
from .engine.python import PythonBody
from .engine.run import Body, Run
from .errors import SessionClosedError, UnknownExecutionError, UsageError
from .execution import Execution, check_timeout, streaming_default
from .journal import Journal, Overflow
from .message_stream import MessageStream
from .messages import ExecuteMessage, StreamType
from .process import ProcessBody, ProcessExecution
from .waiting import wait_async, wait_sync

__all__ = ("Session",)

_KEPT_EXECUTIONS = 1000
_KEPT_BUFFERS = 16  # finished executions are kept while together they take this many buffers


class Session:
    """Runs Python code in threads of this process, any number at a time, in one namespace.

    ``namespace`` is used as it is (default: a new one). ``buffer_bytes`` bounds the memory that one
    execution's output takes; ``overflow`` says what happens when a reader lags behind it: the code
    waits (``"block"``), or output is dropped (``"drop_oldest"``, ``"drop_newest"``), or the code fails
    (``"fail"``). ``max_concurrent`` executions run at once, the others are queued.

    Code in a thread cannot be interrupted inside ``time.sleep`` or C code, and holds up the process
    when it keeps the GIL. While any session is open, ``sys.stdout``, ``sys.stderr``, threads,
    executors and logging are routed process-wide; closing the last session undoes it.

    Use it as ``async with``, as ``with``, or call :meth:`start` and :meth:`close`. One that is never
    closed ends with the process.
    """

    def __init__(
        self,
        namespace: MutableMapping[str, Any] | None = None,
        *,
        buffer_bytes: int = 4 << 20,
        overflow: Overflow = "block",
        max_concurrent: int = 32,
    ) -> None:
        if namespace is not None and not isinstance(namespace, dict):
            raise UsageError(f"namespace must be a dict, not {type(namespace).__name__}")
        if max_concurrent < 1:
            raise UsageError(f"max_concurrent is {max_concurrent}, but must be at least 1")
        Journal("", limit=buffer_bytes, overflow=overflow)  # has the checks of these two
        self._interpreter = Interpreter(namespace)
        self._buffer_bytes = buffer_bytes
        self._overflow = overflow
        self._max_concurrent = max_concurrent
        self._state = "new"
        # Guards _state and what is new in _runs; the engine's thread never waits for it, since code
        # that is interrupted while it starts an execution could leave it locked.
        self._lock = threading.Lock()
        self._runs: dict[str, Run] = {}
        # The engine's thread only:
        self._user_loop: LoopThread | None = None
        self._waiting: deque[Run] = deque()
        self._active = 0

    def __repr__(self) -> str:
        return f"<Session {self._state}, {len(self._runs)} executions>"

    @property
    def namespace(self) -> dict[str, Any]:
        return self._interpreter.namespace

    # -- start and end -----------------------------------------------------------------------

    async def start(self) -> Session:
        """Begin to route output. Idempotent, and done by the first :meth:`execute` if need be."""
        self._start()
        return self

    async def close(self) -> None:
        """Interrupt what runs, end all streams, undo the routing. Idempotent.

        Raises nothing for code that cannot be interrupted: it is left to itself.
        """
        runs = self._begin_close()
        if runs is not None:
            for run in runs:
                await wait_async(run.when_done)
            self._finish_close(runs)

    async def __aenter__(self) -> Session:
        return await self.start()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        import anyio

        with anyio.CancelScope(shield=True):
            await self.close()

    def __enter__(self) -> Session:
        self._start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        runs = self._begin_close()
        if runs is not None:
            for run in runs:
                wait_sync(run.when_done, None)
            self._finish_close(runs)

    def _start(self) -> None:
        with self._lock:
            if self._state in ("closing", "closed"):
                raise SessionClosedError("the session was closed; make a new one")
            if self._state == "new":
                routing.install()
                self._state = "open"

    def _begin_close(self) -> list[Run] | None:
        """Tell all executions to end; None when there is nothing to close."""
        with self._lock:
            if self._state in ("new", "closed"):
                self._state = "closed"
                return None
            self._state = "closing"  # and stays so when this is cancelled: then close() goes on from here
            runs = list(self._runs.values())
        for run in runs:
            run.request_stop("killed")
        return runs

    def _finish_close(self, runs: list[Run]) -> None:
        with self._lock:
            if self._state == "closed":
                return
            self._state = "closed"
        closed = threading.Event()

        def close() -> None:
            try:
                if self._user_loop is not None:
                    self._user_loop.stop(0.2)  # first, so that what its tasks say at their end is kept
                for run in runs:
                    run.close()
            finally:
                closed.set()

        if engine_loop().call(close):
            closed.wait()
        self._interpreter.forget_sources()
        routing.uninstall()

    # -- running code ------------------------------------------------------------------------

    def execute(
        self,
        code: str | ExecuteMessage,
        *,
        execution_id: str | None = None,
        timeout: float | None = None,
        processors: Iterable[AnyProcessor] = (),
        format: str = "text",
        streaming: bool = True,
        keep: bool = False,
        before: Callable[[Execution], object] | None = None,
    ) -> Execution:
        """Start ``code`` and return its :class:`Execution` at once.

        ``timeout`` is in seconds. Messages go through ``processors``, behind what reads the ``format``
        ("text", "json", "yaml") of the output. ``streaming=False`` hands all over at the end; ``keep``
        keeps all output in memory, not only the newest ``buffer_bytes``; ``before`` is called with the
        execution before its code starts. An ``execution_id`` that is known already attaches when the
        code is the same. Raises :class:`UsageError` for another code
        under a known id and for options without sense, :class:`SessionClosedError` after the end.
        """
        if isinstance(code, ExecuteMessage):
            execution_id, code = execution_id or code.id, code.code
        if not isinstance(code, str):
            raise UsageError(f"code must be text or an ExecuteMessage, not {type(code).__name__}")
        body = PythonBody(code, self._interpreter, self._loop_of_user, self._retire)
        return self.launch(
            body,
            code,
            execution_id=execution_id,
            timeout=timeout,
            processors=processors,
            format=format,
            streaming=streaming,
            keep=keep,
            before=before,
        )

    def launch(
        self,
        body: Body,
        code: str,
        *,
        execution_id: str | None = None,
        timeout: float | None = None,
        processors: Iterable[AnyProcessor] = (),
        format: str = "text",
        streaming: bool = True,
        keep: bool = False,
        before: Callable[[Execution], object] | None = None,
    ) -> Execution:
        """As :meth:`execute`, for anything that can be started and stopped (see :class:`Body`).

        For a :class:`ProcessBody` it returns a :class:`ProcessExecution`.
        """
        check_timeout(timeout)
        processors = with_format(format, processors)
        self._start()
        batch = not streaming_default(streaming)
        execution_id = execution_id or uuid.uuid4().hex[:16]
        with self._lock:
            run = self._runs.get(execution_id)
            if run is not None and run.code != code:
                raise UsageError(
                    f"execution {execution_id!r} exists already with other code; choose another id"
                )
            if run is not None:
                return _execution_of(run, processors=processors, batch=batch)
            run = Run(
                execution_id,
                code,
                body,
                engine_loop(),
                limit=None if batch or keep else self._buffer_bytes,
                overflow=self._overflow,
                timeout=timeout,
                on_end=self._ended,
            )
            run.writer.fallback = routing.fallback(StreamType.STDOUT).write
            self._runs[execution_id] = run
        execution = _execution_of(run, processors=processors, batch=batch, awaits_reader=True)
        if before is not None:
            try:
                before(execution)
            except BaseException:
                with self._lock:
                    del self._runs[execution_id]
                raise
        run.engine.call(self._admit, run)
        return execution

    def interrupt(self, execution_id: str) -> Awaitable[None]:
        """See :meth:`Execution.interrupt`. Raises :class:`UnknownExecutionError`."""
        return _execution_of(self._known(execution_id)).interrupt()

    def attach(self, execution_id: str, after: int = 0, *, follow: bool = False) -> MessageStream:
        """See :meth:`Execution.attach`. Raises :class:`UnknownExecutionError` too."""
        return _execution_of(self._known(execution_id)).attach(after, follow=follow)

    async def executions(self) -> list[Execution]:
        """Those that run and those that are still kept, the oldest first."""
        with self._lock:
            return [_execution_of(run) for run in self._runs.values()]

    def _known(self, execution_id: str) -> Run:
        with self._lock:
            run = self._runs.get(execution_id)
        if run is None:
            raise UnknownExecutionError(
                f"no execution {execution_id!r} in this session (it never was, or is no longer kept)"
            )
        return run

    # -- the engine's thread -----------------------------------------------------------------

    def _loop_of_user(self) -> LoopThread:
        if self._user_loop is None:
            self._user_loop = LoopThread("pyrepl-stream user code")
        return self._user_loop

    def _retire(self, loop: LoopThread) -> None:
        """Code does not let go of this loop: what awaits from now on gets another one."""
        if self._user_loop is loop:
            self._user_loop = None
        loop.stop()

    def _admit(self, run: Run) -> None:
        self._waiting.append(run)
        self._next()

    def _next(self) -> None:
        while self._waiting and self._active < self._max_concurrent:
            run = self._waiting.popleft()
            if not run.done:
                self._active += 1
                run.start()

    def _ended(self, run: Run) -> None:
        if run in self._waiting:
            self._waiting.remove(run)  # it was stopped before it began
        else:
            self._active -= 1
        self._next()
        self._forget_oldest()

    def _forget_oldest(self) -> None:
        """Keep the newest finished executions, as many as fit."""
        finished = [run for run in list(self._runs.values()) if run.done and not run.in_use]
        total = sum(run.journal.kept_bytes for run in finished)
        for run in finished[:-1]:
            if len(self._runs) <= _KEPT_EXECUTIONS and total <= _KEPT_BUFFERS * self._buffer_bytes:
                break
            total -= run.journal.kept_bytes
            self._runs.pop(run.id, None)
            run.close()


def _execution_of(run: Run, **options: Any) -> Execution:
    if isinstance(run.body, ProcessBody):
        return ProcessExecution(run, body=run.body, **options)
    return Execution(run, **options)
