"""Runs user code in the main thread, where signals interrupt it, one execution at a time.

Code that awaits runs on one event loop. The loop also runs between executions, so that tasks that were
left on it continue. Other code runs outside the loop and may run its own loop (``asyncio.run``).
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import sys
import threading
import traceback
import weakref
from collections import deque
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Optional, Protocol, TypeVar

from ..engine.formats import error_message
from ..engine.loop import hidden_loop, shown_loop
from ..engine.python import end_of, failed
from ..engine.routing import restore_streams
from ..engine.run import Run
from ..engine.standard_streams import bound
from ..messages import CompleteMessage
from .descriptors import Pipes, high_numbers
from .interrupts import Interrupts

__all__ = ("CellRunner", "EmittedError", "MainThread", "Shell")

_ATTEMPTS = 3  # attempts to run a loop after an exception
_MOST_ERRORS = 20  # consecutive errors outside of jobs after which the worker gives up
_CONTEXTS = 100  # maximum number of exceptions to examine in a chain of causes, which can be circular

T = TypeVar("T")
Await = Callable[[Coroutine[Any, Any, Any]], Any]


class Shell(Protocol):
    """Runs code in a namespace."""

    def start(self) -> None:
        """Run what the user's settings ask for. Called once, before :meth:`run`."""

    def run(self, run: Run, code: str, wait: Await) -> None:
        """Run code and emit its result.

        Args:
            run: The execution.
            code: The code.
            wait: Runs a coroutine until it has ended, and returns its result.

        Raises:
            EmittedError: The error of the code (its cause) was emitted.
            BaseException: The error of the code, if it was not emitted.
        """


class EmittedError(Exception):
    """Raised from an error that the output of the execution contains already.

    Args:
        printed: It was written to stderr, not emitted as an `error` message.
    """

    def __init__(self, *, printed: bool) -> None:
        super().__init__()
        self.printed = printed


class MainThread:
    """Runs jobs in the main thread.

    :meth:`submit` may be called from any thread, everything else only from the main thread.

    Args:
        interrupts: The handlers of signals.
    """

    def __init__(self, interrupts: Interrupts) -> None:
        self.interrupts = interrupts
        self._jobs: deque[Optional[Callable[[], object]]] = deque()
        self._idle = False
        self._errors = 0  # number of errors since the last job
        # Kept alive, because a loop closes its file descriptors when it is freed. If user code has closed
        # them already, other files may have the same numbers.
        self._loops: list[asyncio.AbstractEventLoop] = []
        self._new_loop()
        self._task: Optional[asyncio.Task[Any]] = None  # the task that `wait_for` waits for

    def submit(self, job: Optional[Callable[[], object]]) -> None:
        """Run ``job`` after the jobs before it; None ends :meth:`serve`."""
        self._jobs.append(job)
        with contextlib.suppress(RuntimeError):  # user code has closed the loop; `_next` makes a new one
            self.loop.call_soon_threadsafe(self._wake)

    def serve(self) -> None:
        """Run jobs until None arrives. Raises the error that prevents it from waiting for a job."""
        while True:
            try:
                self._serve()
                return
            except BaseException:  # including one that a signal handler raised between two jobs
                self._errors += 1
                if self._errors > _MOST_ERRORS:
                    raise

    def _serve(self) -> None:
        failed = False  # the last loop could not run
        while True:
            try:
                self.interrupts.install()
                job = self._next()
            except (KeyboardInterrupt, SystemExit):
                continue  # from a background task, or from a signal handler of user code
            except BaseException as exc:  # from a signal handler, or user code has broken the loop
                traceback.print_exc()
                if not self._can_run():
                    if failed:
                        raise RuntimeError("no event loop can run here, not even a new one") from exc
                    failed = True
                    self._new_loop()
                continue
            if job is None:
                return
            failed = False
            self._errors = 0
            try:
                job()
            except (KeyboardInterrupt, SystemExit):
                continue
            except BaseException:  # a bug in this package, or an error in a signal handler outside user code
                traceback.print_exc()

    def _next(self) -> Optional[Callable[[], object]]:
        while not self._jobs:
            asyncio._set_running_loop(None)  # if an exception has skipped it
            self._mark_running(False)
            self._ensure_loop()
            self._idle = True
            try:
                if not self._jobs:
                    self.loop.run_forever()
            finally:
                self._idle = False
        return self._jobs.popleft()

    def _wake(self) -> None:
        if self._idle:
            self.loop.stop()

    def _ensure_loop(self) -> None:
        """Restore the loop, which user code may have closed or (``asyncio.run``) replaced."""
        if self.loop.is_closed():
            self._new_loop()
        asyncio.set_event_loop(self.loop)

    def _new_loop(self) -> None:
        with high_numbers():
            self.loop = asyncio.new_event_loop()
        self._loops.append(self.loop)
        asyncio.set_event_loop(self.loop)

    def _can_run(self) -> bool:
        """Return True if the loop, which raised an exception, can still run."""
        for _ in range(_ATTEMPTS):
            try:
                self.loop.call_soon(self.loop.stop)
                self.loop.run_forever()
            except BaseException:  # it is closed or has no file descriptors, or the same handler raised again
                continue
            return True
        return False

    def call_on_loop(self, function: Callable[[], T]) -> T:
        """Call ``function`` and let it find the loop running, so that it can create tasks.

        The tasks begin when the function has ended, or awaits.
        """
        self._ensure_loop()
        self._mark_running(True)
        try:
            with shown_loop(self.loop):
                return function()
        finally:
            self._mark_running(False)

    def _mark_running(self, running: bool) -> None:
        """Set the result of the loop's ``is_running()``."""
        self.loop._thread_id = threading.get_ident() if running else None  # type: ignore[attr-defined]

    @contextlib.contextmanager
    def _running_loop(self) -> Iterator[None]:
        """Let the loop run inside the block, in the code that :meth:`call_on_loop` has called."""
        with hidden_loop():
            self._mark_running(False)
            try:
                yield
            finally:
                self._mark_running(True)

    def wait_for(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run the loop until ``coroutine`` has ended, and return its result.

        An interrupt cancels the coroutine, or raises KeyboardInterrupt in its code. Code that ignores
        cancellation is abandoned at the third interrupt.

        Raises:
            BaseException: The error of the coroutine, or of a signal handler of user code.
        """
        loop = self.loop
        task = self._task = loop.create_task(coroutine)
        task.add_done_callback(self._on_task_done)
        raised: Optional[BaseException] = None  # by no task or callback: the loop handles their errors
        with self._running_loop(), self.interrupts.cancelling(task):
            while not task.done() and not loop.is_closed():
                try:
                    loop.run_forever()
                except KeyboardInterrupt:  # in its code, or in code left on the loop by an earlier execution
                    self.interrupts.cancelled = True
                    if self.interrupts.exhausted and not task.done():
                        raise
                    task.cancel()
                except SystemExit:
                    pass  # if it is from this coroutine, it is also the result of the task
                except BaseException as exc:
                    raised = exc
                    if not self._can_run():
                        self._new_loop()
                        raise
                    task.cancel()
        if raised is not None:
            raise raised
        return task.result()

    def _on_task_done(self, task: asyncio.Task[Any]) -> None:
        if task is self._task:  # not a task of an earlier cell, whose code stopped the loop
            task.get_loop().stop()


@dataclass(eq=False)
class CellRunner:
    """Runs the code of a cell; a :class:`Runner`.

    Attributes:
        code: The code.
        ordinal: The host's number for the execution.
        shell: Returns the shell. Called in the main thread.
        main: The main thread.
        pipes: The pipes that become file descriptors 1 and 2.
        parts: Commands that may still write for the execution.
        left: Tasks that continue after the end of the cell.
        on_left: Called when one of the commands or tasks has ended.
    """

    code: str
    ordinal: int
    shell: Callable[[], Shell]
    main: MainThread
    pipes: Pipes
    parts: set[object] = field(default_factory=set)
    left: weakref.WeakSet[asyncio.Task[Any]] = field(default_factory=weakref.WeakSet)
    on_left: Callable[[], object] = lambda: None

    @property
    def busy(self) -> bool:
        """True if a task or a command may still write for the execution."""
        return bool(self.parts) or any(not task.done() for task in list(self.left))

    # -- the engine's thread -----------------------------------------------------------------

    def start(self, run: Run) -> None:
        """Run the code in the main thread."""
        self.main.submit(lambda: self._execute(run))

    def stop(self, *, force: bool) -> float:
        """Do nothing: the host signals this process."""
        return float("inf")

    def ended(self) -> None:
        """Do nothing: a late interrupt is recognized by its ordinal."""

    def abandoned(self) -> str:
        """Return an empty text: the code is never abandoned."""
        return ""

    # -- the main thread ---------------------------------------------------------------------

    def _execute(self, run: Run) -> None:
        process = os.getpid()
        self.pipes.use()
        for name in restore_streams():
            run.log("WARNING", f"earlier code replaced sys.{name}; it has been restored")
        before = asyncio.all_tasks(self.main.loop)
        # A separate context, so that context variables do not leak into the next execution.
        complete = contextvars.copy_context().run(self._complete, run)
        if os.getpid() != process:
            _leave_fork(complete)
        if not self.main.loop.is_closed():
            self.left.update(asyncio.all_tasks(self.main.loop) - before)
            for task in self.left:
                task.add_done_callback(lambda _: self.on_left())
        self.pipes.wait()
        run.finished(complete)

    def _run_code(self, run: Run) -> None:
        self.main.call_on_loop(lambda: self.shell().run(run, self.code, self.main.wait_for))

    def _complete(self, run: Run) -> CompleteMessage:
        process, interrupts = os.getpid(), self.main.interrupts
        with bound(run):
            emitted: Optional[EmittedError] = None
            try:
                interrupts.guard(run, self.ordinal, lambda: self._run_code(run))
                return CompleteMessage(success=True)
            except BaseException as exc:
                if isinstance(exc, EmittedError):
                    emitted, exc = exc, exc.__cause__ or exc
                if isinstance(exc, asyncio.CancelledError) and interrupts.cancelled:
                    exc = KeyboardInterrupt().with_traceback(exc.__traceback__)
                if os.getpid() != process:
                    if emitted is None and not isinstance(exc, SystemExit):
                        sys.stderr.write("\n".join((*error_message(exc).traceback, "")))
                    return end_of(exc)
                complete = failed(run, exc) if emitted is None else end_of(exc)
                if emitted is not None and emitted.printed and not complete.success:
                    complete = replace(complete, extra={"printed": True})
                if complete.status == "error" and interrupts.requested and _is_caused_by_interrupt(exc):
                    return replace(complete, status="interrupted")
                return complete


_INTERRUPTS = (KeyboardInterrupt, asyncio.CancelledError)  # `asyncio.run` can raise the second


def _is_caused_by_interrupt(exc: Optional[BaseException]) -> bool:
    """Return True if an interrupt led to ``exc``; the code of a lock can turn it into another exception."""
    for _ in range(_CONTEXTS):
        if exc is None or isinstance(exc, _INTERRUPTS):
            break
        exc = exc.__cause__ or exc.__context__
    return isinstance(exc, _INTERRUPTS)


def _leave_fork(complete: CompleteMessage) -> None:
    """End a forked child that has reached the end of the code: the execution belongs to its parent."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(complete.exit_code if complete.exit_code is not None else int(not complete.success))
