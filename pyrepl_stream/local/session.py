"""Sessions in this process: a namespace that lasts, and executions in threads."""

from __future__ import annotations

import sys
import threading
import uuid
from collections import deque
from collections.abc import MutableMapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

from ..execution import Execution, ProcessExecution
from ..executor import call_in_thread
from ..reply import Reply
from ..runtime.engine import main_module, routing
from ..runtime.engine.interpreter import Interpreter
from ..runtime.engine.loop import LoopThread, engine_loop
from ..runtime.engine.python import PythonRunner
from ..runtime.engine.routed_calls import unraisable_hook
from ..runtime.engine.run import Run, Runner
from ..runtime.engine.standard_streams import fallback
from ..runtime.errors import ExecutionExistsError, SessionClosedError, UnknownExecutionError, UsageError
from ..runtime.journal.memory import Journal, Overflow
from ..runtime.messages import StreamType
from ..runtime.process import Command, Limits, ProcessRunner
from ..runtime.process.runner import Retry
from ..session import AnySession, ExecutionOptions, accept_earlier_names
from ..waiting import wait_sync
from .processes import execution_of

__all__ = ("Session",)

_KEPT_EXECUTIONS = 1000
_KEPT_BUFFERS = 16  # finished executions are kept while together they fill at most this many buffers
_RECOUNT = 0.1  # share of the executions that may end until all are counted again

# Not for workers, which repeat interrupts by signals.
routing.replace_while_routing(sys, "unraisablehook", unraisable_hook)


class State(Enum):
    """The states of a :class:`Session`."""

    NEW = "new"  # nothing runs, and output is not routed
    OPEN = "open"  # output is routed, and code may run
    CLOSING = "closing"  # running code was stopped, and nothing new starts
    CLOSED = "closed"  # closed permanently


MOVES = {
    State.NEW: {State.OPEN, State.CLOSED},
    State.OPEN: {State.CLOSING},
    State.CLOSING: {State.CLOSED},
    State.CLOSED: set(),
}
"""The states that may follow each state."""


@dataclass(frozen=True)
class _Started:
    """A run and its request. A second request with the same id attaches to the run only if it is equal."""

    run: Run
    request: object


class Session(AnySession):
    """Runs Python code in threads of this process, several at a time, in one namespace.

    Code in a thread cannot be interrupted inside ``time.sleep`` or C code, and blocks the process while it
    keeps the GIL. While any session is open, ``sys.stdout``, ``sys.stderr``, threads, executors and logging
    are routed process-wide; closing the last session undoes the routing.

    The namespace is the module ``__main__`` for its code, unless it is that of another module: modules that
    look names up there, such as ``pickle`` and ``dataclasses``, find those of the code that calls them, even
    while code of several sessions runs. Other code finds the original module.

    Use it in ``async with`` or ``with``, or call :meth:`start` and :meth:`close`. A session that is not
    closed ends with the process.

    Args:
        namespace: The dictionary of the code's global names, used without copying it; None creates one.
        buffer_bytes: Maximum memory in bytes for the output of one execution.
        overflow: What happens when this memory is full because a reader lags: ``"block"`` delays the code,
            ``"drop_oldest"`` and ``"drop_newest"`` drop output, ``"fail"`` raises
            :class:`BufferOverflowError` in the code.
        max_concurrent: Maximum number of executions that run at the same time; further ones are queued.
        route_while_open: Route from the first execution, or :meth:`start`, until the session is closed. False
            routes only while code of the session runs: an execution, or a thread that it has started.
        interpreter: Compiles and runs the code in its own namespace, in place of ``namespace``; see
            :mod:`pyrepl_stream.embedding`.
        running_loop: Code that does not await finds a running event loop too, as in a notebook, so that
            ``asyncio.create_task`` works. What it schedules begins when the code has ended.

    Raises:
        UsageError: An argument is not valid.
    """

    def __init__(
        self,
        namespace: MutableMapping[str, Any] | None = None,
        *,
        buffer_bytes: int = 4 << 20,
        overflow: Overflow = "block",
        max_concurrent: int = 32,
        route_while_open: bool = True,
        interpreter: Interpreter | None = None,
        running_loop: bool = False,
    ) -> None:
        if namespace is not None and not isinstance(namespace, dict):
            raise UsageError(f"namespace must be a dict, not {type(namespace).__name__}")
        if max_concurrent < 1:
            raise UsageError(f"max_concurrent must be at least 1, not {max_concurrent}")
        Journal("", limit=buffer_bytes, overflow=overflow)  # checks the two options
        self._interpreter = Interpreter(namespace) if interpreter is None else interpreter
        self._buffer_bytes = buffer_bytes
        self._overflow = overflow
        self._max_concurrent = max_concurrent
        self._running_loop = running_loop
        self._state = State.NEW
        self._route_while_open = route_while_open
        self._routed: set[Run] = set()  # the runs for which output is routed
        # Guards _state and new entries of _runs; the engine's thread never waits for it, since code
        # that is interrupted while it starts an execution could leave it locked.
        self._lock = threading.Lock()
        self._runs: dict[str, _Started] = {}
        self._closing: Reply[None] | None = None
        # Used only by the engine's thread:
        self._user_loop: LoopThread | None = None
        self._waiting: deque[Run] = deque()
        self._active = 0
        self._settled_runs: set[Run] = set()  # that are still routed, because the user's loop was busy
        self._uncounted = 0  # executions that have ended since `_forget_oldest` counted all
        self._finished_bytes = 0  # of finished executions, at most; not counting later output

    def __repr__(self) -> str:
        return f"<Session {self._state.value}, {len(self._runs)} executions>"

    @property
    def namespace(self) -> dict[str, Any]:
        """The global names of the code."""
        return self._interpreter.namespace

    # -- start and end -----------------------------------------------------------------------

    def start(self) -> Reply[Session]:
        """Start routing output now rather than with the first execution. Idempotent.

        Raises:
            SessionClosedError: The session was closed; raised where the reply is awaited.
        """
        return Reply[Session]().settle(self._start)

    def close(self) -> Reply[None]:
        """Interrupt running code, end all streams and undo the routing. Idempotent.

        The reply need not be awaited. Code that cannot be interrupted is left running.
        """
        with self._lock:
            if self._state is State.OPEN:
                self._move(State.CLOSING)
            elif self._state is State.NEW:
                self._move(State.CLOSED)
            closing, runs = self._closing, self._all_runs()
        if closing is None:
            for run in runs:
                run.request_stop("killed")
            closing = self._closing = call_in_thread("closing a session", lambda: self._close(runs))
        return closing

    def _leave(self) -> Reply[None]:
        return self.close()

    def _move(self, state: State) -> None:
        assert state in MOVES[self._state], f"{self._state} -> {state}"
        self._state = state

    def _all_runs(self) -> list[Run]:
        return [started.run for started in list(self._runs.values())]  # the engine's thread takes no lock

    def _start(self) -> Session:
        with self._lock:
            if self._state in (State.CLOSING, State.CLOSED):
                raise SessionClosedError("the session was closed; make a new one")
            if self._state is State.NEW:
                if self._route_while_open:
                    routing.install()
                self._move(State.OPEN)
        return self

    def _route(self, run: Run) -> None:
        """Route the output of ``run`` until it and its threads have ended, or the session is closed."""
        routing.install()
        if run.main is not None:
            main_module.install()
        self._routed.add(run)

    def _unroute(self, run: Run) -> None:
        try:
            self._routed.remove(run)
        except KeyError:
            return
        if run.main is not None:
            main_module.uninstall()
        routing.uninstall()

    def _close(self, runs: list[Run]) -> None:
        for run in runs:
            wait_sync(run.when_done, None)
        with self._lock:
            if self._state is State.CLOSED:
                return
            self._move(State.CLOSED)

        def close() -> None:
            if self._user_loop is not None:
                self._user_loop.stop(0.2)  # first, so that the last output of its tasks is kept
            for run in runs:
                run.close()

        engine_loop().call_and_wait(close)
        self._interpreter.forget_sources()
        for run in list(self._routed):
            self._unroute(run)
        if self._route_while_open:
            routing.uninstall()

    # -- running code ------------------------------------------------------------------------

    def _execute(self, code: str, options: ExecutionOptions) -> Execution:
        runner = PythonRunner(code, self._interpreter, self._loop_of_user, shows_loop=self._running_loop)
        return self._launch(runner, code, code, options)

    def _run_process(
        self, command: Command, limits: Limits, retry: Retry | None, options: ExecutionOptions
    ) -> ProcessExecution:
        runner = ProcessRunner(command, limits=limits, retry=retry)
        return cast("ProcessExecution", self._launch(runner, command.name, command, options))

    @accept_earlier_names
    def launch(self, body: Runner, code: str, **options: Any) -> Execution:
        """Start anything that has the methods of a :class:`Runner`.

        Args:
            body: The runner. For a :class:`ProcessRunner`, the result is a :class:`ProcessExecution`.
            code: A description. A second call with the same id and description attaches to the execution.
            **options: The other options of :meth:`execute`.
        """
        return self._launch(body, code, code, ExecutionOptions(**options))

    def _launch(self, body: Runner, code: str, request: object, options: ExecutionOptions) -> Execution:
        name = options.execution_id or uuid.uuid4().hex[:16]
        self._start()
        with self._lock:
            known = self._runs.get(name)
            if known is not None and options.fresh:
                self._forget_ended(known.run)
            elif known is not None and known.request == request:
                return execution_of(known.run, processors=options.processors, batch=options.batch)
            elif known is not None:
                raise ExecutionExistsError(
                    f"execution {name!r} already exists with other code: use another id, or give fresh=True "
                    "once it has ended"
                )
            run = Run(
                name,
                code,
                body,
                engine_loop(),
                limit=None if options.batch or options.retain_output else self._buffer_bytes,
                overflow=self._overflow,
                timeout=options.timeout,
                on_end=self._ended,
                main=self._interpreter.main,
                on_settled=self._settled,
            )
            self._route(run)
            run.writer.fallback = fallback(StreamType.STDOUT).write
            self._runs[name] = _Started(run, request)
        execution = execution_of(run, processors=options.processors, batch=options.batch, awaits_reader=True)
        if options.on_created is not None:
            try:
                options.on_created(execution)
            except BaseException:
                with self._lock:
                    del self._runs[name]
                self._unroute(run)
                raise
        run.engine.call(self._admit, run)
        return execution

    def _forget_ended(self, run: Run) -> None:
        """Remove a run, or raise :class:`ExecutionExistsError` if it has not ended. The lock is held."""
        if not run.done:
            raise ExecutionExistsError(
                f"execution {run.id!r} is still {run.status}: stop it first (interrupt or kill) before "
                "fresh=True, or use another id"
            )
        del self._runs[run.id]
        run.engine.call(run.close)

    # -- running and ended executions --------------------------------------------------------

    def execution(self, execution_id: str) -> Execution:
        """Return the execution with this id. See :meth:`AnySession.execution`."""
        with self._lock:
            started = self._runs.get(execution_id)
        if started is None:
            raise UnknownExecutionError(
                f"this session has no execution {execution_id!r}: it never had one, or no longer keeps it"
            )
        return execution_of(started.run)

    def executions(self) -> Reply[list[Execution]]:
        """List the executions that are running or still kept, the oldest first."""
        return Reply[list[Execution]]().settle(lambda: [execution_of(run) for run in self._all_runs()])

    # -- called by the engine's thread -------------------------------------------------------

    def _loop_of_user(self) -> LoopThread:
        if self._user_loop is None or self._user_loop.stopping:
            self._user_loop = LoopThread("pyrepl-stream user code", lendable=True)
        return self._user_loop

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
            self._waiting.remove(run)  # it was stopped before it started
        else:
            self._active -= 1
        self._next()
        self._uncounted += 1
        self._finished_bytes += run.journal.kept_bytes
        most = _KEPT_BUFFERS * self._buffer_bytes
        if self._finished_bytes > most or self._uncounted > _RECOUNT * len(self._runs):
            self._forget_oldest(most)

    def _settled(self, run: Run) -> None:
        self._settled_runs.add(run)
        self._unroute_settled()
        if self._settled_runs and self._user_loop is not None:
            # Once more when the task of the run, which has just reported the end, has ended itself.
            self._user_loop.call(run.engine.call, self._unroute_settled)

    def _unroute_settled(self) -> None:
        if self._user_loop is None or self._user_loop.is_idle():
            for run in self._settled_runs:
                if run.settled:  # else it has started a thread since, and is reported again
                    self._unroute(run)
            self._settled_runs.clear()

    def _forget_oldest(self, most: int) -> None:
        """Remove the oldest finished executions until the others are within the limits.

        Args:
            most: The bytes that finished executions may fill.
        """
        finished = [run for run in self._all_runs() if run.done and not run.in_use]
        total = sum(run.journal.kept_bytes for run in finished)
        for run in finished[:-1]:
            if len(self._runs) <= _KEPT_EXECUTIONS and total <= most:
                break
            total -= run.journal.kept_bytes
            self._runs.pop(run.id, None)
            run.close()
        self._uncounted, self._finished_bytes = 0, total
