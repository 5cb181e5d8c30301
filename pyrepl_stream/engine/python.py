"""Runs Python code for an execution: in a thread of its own, or as a task where it awaits."""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import functools
import os
import threading
import time
from typing import Any, Callable, Optional

from ..messages import CompleteMessage, ErrorMessage, ResultMessage
from .context import current
from .formats import describe, error_message, mime_bundle
from .interpreter import Interpreter, Program
from .loop import LoopThread
from .routing import bound, unbind
from .run import Run
from .writer import SLOW_TICK, TICK

__all__ = ("PythonBody", "end_of", "failed", "raise_in", "say_result")

_INTERRUPT_GRACE = 1.0  # seconds that interrupted code has to end before its caller goes on without it
_KILL_GRACE = 0.1  # the same, for code that was killed


class PythonBody:
    """Code in a namespace. ``user_loop`` gives the loop on which its top-level ``await`` runs.

    ``retire`` is told of a loop that code has blocked for good, so that others get another one.

    An interrupt is an asynchronous KeyboardInterrupt: it comes at the next Python instruction of the
    thread, so not inside ``time.sleep`` or C code. Code that awaits is cancelled.
    """

    def __init__(
        self,
        code: str,
        interpreter: Interpreter,
        user_loop: Callable[[], LoopThread],
        retire: Callable[[LoopThread], None] = LoopThread.stop,
    ) -> None:
        self._code = code
        self._interpreter = interpreter
        self._user_loop = user_loop
        self._retire = retire
        self._run: Optional[Run] = None
        self._thread: Optional[int] = None  # where an interrupt goes, from when it cannot hit the compiler
        self._loop: Optional[LoopThread] = None
        self._task: Optional[asyncio.Task[None]] = None
        self._stopped = False  # an interrupt was sent: where there was no code yet, it must not begin
        self._past = False  # the task is past the code: an interrupt would hit what comes next
        self._reached = False  # the loop has come round to a cancellation
        self._ended = False

    # -- the engine's thread -----------------------------------------------------------------

    def start(self, run: Run) -> None:
        self._run = run
        thread = threading.Thread(target=self._main, name=f"execution {run.id}", daemon=True)
        # An empty context: an execution that is started by another one is not part of it.
        contextvars.Context().run(thread.start)

    def stop(self, *, force: bool) -> float:
        if not self._ended:
            self._interrupt()
        return _KILL_GRACE if force else _INTERRUPT_GRACE

    def _interrupt(self) -> None:
        self._stopped = True
        if self._loop is None:
            raise_in(self._thread, KeyboardInterrupt)
        else:
            self._reached = False
            self._loop.call(self._cancel)
            assert self._run is not None
            self._run.engine.loop.call_later(SLOW_TICK, self._break_in)

    def ended(self) -> None:
        if self._loop is None:
            # An interrupt sent a moment too late must not hit what the thread does next.
            raise_in(self._thread, None)
        else:
            self._loop.call(self._cancel)  # where the thread was interrupted after the hand-over
        self._ended = True

    def given_up(self) -> str:
        if self._loop is not None and not self._reached:
            self._retire(self._loop)
        return (
            "the code does not react to the interrupt (a sleep, or C code that does not return): "
            "it goes on in the background"
        )

    def _hand_over(self, run: Run, program: Program) -> None:
        """The code awaits: it goes on as a task of the session's loop."""
        if self._ended or run.done:
            return
        if self._stopped:  # before there was code to interrupt
            run.finished(end_of(KeyboardInterrupt()))
            return
        self._loop = self._user_loop()
        context = contextvars.Context()
        context.run(current.set, run)
        self._loop.call(context.run, self._begin, run, program)

    def _break_in(self) -> None:
        """The loop has not come round to the cancellation: it is in the code, if it is in our task."""
        if self._ended or self._reached or self._loop is None:
            return
        if asyncio.current_task(self._loop.loop) is self._task and not self._past:
            raise_in(self._loop.ident, KeyboardInterrupt)

    # -- the thread of the code --------------------------------------------------------------

    def _main(self) -> None:
        run = self._run
        assert run is not None
        process = os.getpid()
        complete: Optional[CompleteMessage] = None
        try:
            with bound(run):
                program, complete = self._compile(run)
                if program is not None and not program.is_async:
                    self._thread = threading.get_ident()
                    complete = self._execute(run, program)
            if complete is None:
                # By the engine: an interrupt of this thread must not tear a loop that is being made.
                run.engine.call(self._hand_over, run, program)
                return
        except BaseException as exc:  # an interrupt that came in our own frames
            complete = complete or end_of(exc)
        if os.getpid() != process:
            os._exit(0)  # a forked child that ran to the end of the code: the execution is the parent's
        self._leave(run, complete)

    def _leave(self, run: Run, complete: CompleteMessage) -> None:
        """Report the end, and take every interrupt that still comes, until none can come any more."""
        while not self._ended:
            try:
                unbind(run)
                run.finished(complete)
                while not self._ended:
                    time.sleep(TICK / 4)
            except KeyboardInterrupt:
                continue

    def _compile(self, run: Run) -> tuple[Optional[Program], Optional[CompleteMessage]]:
        try:
            return self._interpreter.compile(self._code, f"<cell {run.id}>"), None
        except BaseException as exc:
            return None, failed(run, exc)

    def _execute(self, run: Run, program: Program) -> CompleteMessage:
        try:
            if self._stopped:  # before there was code to interrupt
                raise KeyboardInterrupt
            say_result(run, self._interpreter.run(program))
        except BaseException as exc:
            return failed(run, exc)
        return CompleteMessage(success=True)

    # -- the thread of the session's loop ----------------------------------------------------

    def _begin(self, run: Run, program: Program) -> None:
        self._task = asyncio.get_running_loop().create_task(self._await(run, program))
        self._task.add_done_callback(functools.partial(_unless_begun, run))
        if self._reached:  # the cancellation was faster
            self._task.cancel()

    def _cancel(self) -> None:
        self._reached = True
        if self._task is not None:
            self._task.cancel()

    async def _await(self, run: Run, program: Program) -> None:
        try:
            value = await self._interpreter.run_async(program)
            self._past = True
            say_result(run, value)
            complete = CompleteMessage(success=True)
        except asyncio.CancelledError as exc:
            self._past = True
            complete = failed(run, KeyboardInterrupt().with_traceback(exc.__traceback__))
        except BaseException as exc:
            self._past = True
            complete = failed(run, exc)
        run.finished(complete)


def _unless_begun(run: Run, task: asyncio.Task[None]) -> None:
    """A task that is cancelled before its first step never comes to its own ``except``."""
    if task.cancelled():
        run.finished(end_of(KeyboardInterrupt()))


def say_result(run: Run, value: Any) -> None:
    """Say the value of the last expression, unless it is None."""
    if value is not None:
        data, metadata = mime_bundle(value)
        run.say(ResultMessage(data=data, metadata=metadata))


def failed(run: Run, exc: BaseException) -> CompleteMessage:
    """Say what ended the code, unless it was an exit without an error."""
    complete = end_of(exc)
    if isinstance(exc, SystemExit):
        if not complete.success:
            name, value = describe(exc)
            run.say(ErrorMessage(name=name, value=value, traceback=(f"{name}: {value}",)))
    else:
        run.say(error_message(exc))
    return complete


def end_of(exc: BaseException) -> CompleteMessage:
    """How code ended that ``exc`` has ended."""
    name, value = describe(exc)
    error = f"{name}: {value}" if value else name
    if isinstance(exc, SystemExit):
        # As the interpreter has it: None is 0, a number is itself, anything else is 1.
        code = exc.code if isinstance(exc.code, int) else 0 if exc.code is None else 1
        if code == 0:
            return CompleteMessage(success=True, exit_code=0)
        return CompleteMessage(status="error", exit_code=code, error=error)
    if isinstance(exc, KeyboardInterrupt):
        return CompleteMessage(status="interrupted", error=error)
    return CompleteMessage(status="error", error=error)


def raise_in(thread: Optional[int], exception: Optional[type]) -> None:
    """Raise in a thread at its next Python instruction; None takes back what has not come yet."""
    if thread is not None:
        argument = ctypes.py_object(exception) if exception is not None else None
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), argument)
