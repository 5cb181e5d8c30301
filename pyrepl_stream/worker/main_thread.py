"""User code in the main thread, where signals wake it: one execution at a time, and between them the loop.

Code that awaits runs on one event loop, which runs between the executions too, so that what it has left
there goes on. Other code runs outside of the loop: it may have one of its own (``asyncio.run``).
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import sys
import traceback
import weakref
from collections import deque
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, Callable, Optional, Protocol

from ..engine.formats import error_message
from ..engine.python import end_of, failed
from ..engine.routing import bound, put_back
from ..engine.run import Run
from ..messages import CompleteMessage, LogMessage
from .descriptors import Pipes, high_numbers
from .interrupts import Interrupts

__all__ = ("CellBody", "MainThread", "Shell")

_ATTEMPTS = 3  # to see whether a loop goes on
_STUMBLES = 20
_CONTEXTS = 100  # exceptions that are looked at, one the reason of the other; they may go in a circle

Await = Callable[[Coroutine[Any, Any, Any]], Any]


class Shell(Protocol):
    """What runs code."""

    def run(self, run: Run, code: str, wait: Await) -> CompleteMessage:
        """``wait`` runs a coroutine of code that awaits, to its end.

        Says the result. Raises the error of the code; or says it, and returns what there is to complete.
        """


class MainThread:
    """Has jobs of others done by the main thread. ``submit`` is for any thread, the rest for this one."""

    def __init__(self, interrupts: Interrupts) -> None:
        self.interrupts = interrupts
        self._jobs: deque[Optional[Callable[[], object]]] = deque()
        self._idle = False
        self._awaited: Optional[asyncio.Task[Any]] = None
        self._stumbled = 0  # times since the last job
        # Kept: a loop whose descriptors user code has closed would close them again, which are another's now.
        self._loops: list[asyncio.AbstractEventLoop] = []
        self._new_loop()

    def submit(self, job: Optional[Callable[[], object]]) -> None:
        """Do this next; None: nothing any more."""
        self._jobs.append(job)
        with contextlib.suppress(RuntimeError):  # closed by user code: who waits for a job has a new one
            self.loop.call_soon_threadsafe(self._wake)

    def serve(self) -> None:
        """Do jobs until None comes. Raises what keeps it from waiting for one."""
        while True:
            try:
                self._serve()
                return
            except BaseException:  # also of a signal's handler that found our own code
                self._stumbled += 1
                if self._stumbled > _STUMBLES:
                    raise

    def _serve(self) -> None:
        failed = False  # the last loop: a new one may do
        while True:
            try:
                self.interrupts.install()
                job = self._next()
            except (KeyboardInterrupt, SystemExit):
                continue  # of a task in the background, or of a handler that user code has left
            except BaseException as exc:  # of a signal's handler; or user code has broken the loop
                traceback.print_exc()
                if not self._goes_on():
                    if failed:
                        raise RuntimeError("no event loop can wait") from exc
                    failed = True
                    self._new_loop()
                continue
            if job is None:
                return
            failed = False
            self._stumbled = 0
            try:
                job()
            except (KeyboardInterrupt, SystemExit):
                continue
            except BaseException:  # a mistake of ours; or of a handler, between our code and the user's
                traceback.print_exc()

    def _next(self) -> Optional[Callable[[], object]]:
        while not self._jobs:
            self._mend_loop()
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

    def _mend_loop(self) -> None:
        """User code may have closed the loop, or (``asyncio.run``) taken it from this thread."""
        if self.loop.is_closed():
            self._new_loop()
        asyncio.set_event_loop(self.loop)

    def _new_loop(self) -> None:
        with high_numbers():
            self.loop = asyncio.new_event_loop()
        self._loops.append(self.loop)
        asyncio.set_event_loop(self.loop)

    def _goes_on(self) -> bool:
        """Whether the loop, from which an exception came, can go on."""
        for _ in range(_ATTEMPTS):
            try:
                self.loop.call_soon(self.loop.stop)
                self.loop.run_forever()
            except BaseException:  # closed, without descriptors; or the same handler again
                continue
            return True
        return False

    def wait_for(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run the loop until ``coroutine`` has ended. An interrupt cancels it, or raises in its code.

        Raises what the coroutine does, or what a signal's handler of user code has raised meanwhile. Code
        that takes no cancellation for an end is left to itself at the third interrupt.
        """
        self._mend_loop()
        loop = self.loop
        task = self._awaited = loop.create_task(coroutine)
        task.add_done_callback(self._stop_for)
        self.interrupts.task(task)
        raised: Optional[BaseException] = None  # not by a task or a callback: the loop keeps those
        try:
            while not task.done() and not loop.is_closed():
                try:
                    loop.run_forever()
                except KeyboardInterrupt:  # in its code; or in what others have left on the loop
                    self.interrupts.cancelled = True
                    if self.interrupts.insisted and not task.done():
                        raise
                    task.cancel()
                except SystemExit:
                    pass  # its own is its result; that of others is theirs
                except BaseException as exc:
                    raised = exc
                    if not self._goes_on():
                        self._new_loop()
                        raise
                    task.cancel()
        finally:
            self._awaited = None
            self.interrupts.task(None)
        if raised is not None:
            raise raised
        return task.result()

    def _stop_for(self, task: asyncio.Task[Any]) -> None:
        if task is self._awaited:  # and not that of an earlier cell, whose loop was stopped by its code
            task.get_loop().stop()


class CellBody:
    """Python code as the body of an execution."""

    def __init__(
        self, code: str, ordinal: int, shell: Callable[[], Shell], main: MainThread, pipes: Pipes
    ) -> None:
        self._code = code
        self._ordinal = ordinal
        self._shell = shell
        self._main = main
        self._pipes = pipes
        self._run: Optional[Run] = None
        self._left: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()  # tasks that run on
        self.parts: set[object] = set()
        """What else may still write for the execution."""

    @property
    def busy(self) -> bool:
        """Whether something that is no thread may still write for it, after its end too."""
        return bool(self.parts) or any(not task.done() for task in list(self._left))

    # -- the engine's thread -----------------------------------------------------------------

    def start(self, run: Run) -> None:
        self._run = run
        self._main.submit(self._execute)

    def stop(self, *, force: bool) -> float:
        return float("inf")  # the host signals the process

    def ended(self) -> None:
        """Interrupts are told apart by their ordinals."""

    def given_up(self) -> str:
        return ""

    # -- the main thread ---------------------------------------------------------------------

    def _execute(self) -> None:
        run = self._run
        assert run is not None
        process = os.getpid()
        self._pipes.use()
        for name in put_back():
            text = f"earlier code has left a stream of its own as sys.{name}: ours is put back"
            run.say(LogMessage(level="WARNING", logger="pyrepl_stream", text=text))
        before = asyncio.all_tasks(self._main.loop)
        # A context of its own: what the code sets there is not the next one's.
        complete = contextvars.copy_context().run(self._complete, run)
        if os.getpid() != process:
            _leave_fork(complete)
        if not self._main.loop.is_closed():
            self._left.update(asyncio.all_tasks(self._main.loop) - before)
        self._pipes.wait()
        run.finished(complete)

    def _complete(self, run: Run) -> CompleteMessage:
        process = os.getpid()
        with bound(run):
            try:
                return self._main.interrupts.guard(run, self._ordinal, self._run_code)
            except BaseException as exc:
                if isinstance(exc, asyncio.CancelledError) and self._main.interrupts.cancelled:
                    exc = KeyboardInterrupt().with_traceback(exc.__traceback__)
                if os.getpid() == process:
                    return self._failed(run, exc)
                if not isinstance(exc, SystemExit):
                    sys.stderr.write("\n".join((*error_message(exc).traceback, "")))
                return end_of(exc)

    def _failed(self, run: Run, exc: BaseException) -> CompleteMessage:
        complete = failed(run, exc)
        if complete.status == "error" and self._main.interrupts.raised and _is_of_interrupt(exc):
            return replace(complete, status="interrupted")
        return complete

    def _run_code(self) -> CompleteMessage:
        assert self._run is not None
        return self._shell().run(self._run, self._code, self._main.wait_for)


def _is_of_interrupt(exc: Optional[BaseException]) -> bool:
    """Whether an interrupt led to ``exc``: in the midst of a lock's code it becomes another exception."""
    for _ in range(_CONTEXTS):
        if exc is None or isinstance(exc, KeyboardInterrupt):
            break
        exc = exc.__cause__ or exc.__context__
    return isinstance(exc, KeyboardInterrupt)


def _leave_fork(complete: CompleteMessage) -> None:
    """A forked child ran to the end of the code: the execution is the parent's."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(complete.exit_code if complete.exit_code is not None else int(not complete.success))
