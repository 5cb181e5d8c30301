"""Runs Python code for an execution: in its own thread, or as a task if it has top-level ``await``."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import os
import threading
from dataclasses import replace
from typing import Callable, Optional

from ..messages import CompleteMessage, ErrorMessage, ResultMessage
from .context import current
from .flow import SLOW_TICK
from .formats import Bundle, describe, ending_message
from .interpreter import Interpreter, Program
from .loop import LoopThread, UserLoop
from .raising import raise_in, take_pending
from .run import Run
from .standard_streams import bound, unbind

__all__ = ("PythonRunner", "emit_bundle", "end_of", "failed")

_INTERRUPT_GRACE = 1.0  # seconds after which interrupted code is abandoned
_KILL_GRACE = 0.1  # seconds after which killed code is abandoned


class PythonRunner:
    """Runs code in a namespace.

    An interrupt is an asynchronous KeyboardInterrupt: it is raised at the next Python instruction of the
    thread, so not inside ``time.sleep`` or C code. Code that awaits is cancelled instead.
    """

    _run: Run  # set by `start`
    _program: Program  # set once the code is compiled

    def __init__(
        self,
        code: str,
        interpreter: Interpreter,
        user_loop: Callable[[], LoopThread],
        *,
        shows_loop: bool = False,
    ) -> None:
        """Prepare to run ``code``.

        Args:
            code: Python source.
            interpreter: Compiles the code and runs it in a namespace.
            user_loop: Returns the loop on which top-level ``await`` runs. It need not have started, but it
                must not be stopping: one that code has blocked for good is stopped, and is of no more use.
            shows_loop: Code that does not await finds this loop running.
        """
        self._code = code
        self._interpreter = interpreter
        self._number = interpreter.number()
        self._user_loop = user_loop
        self._shows_loop = shows_loop
        # The thread in which an interrupt is raised; None while it would hit the compiler.
        self._thread: Optional[int] = None
        self._loop: Optional[LoopThread] = None
        self._lent: Optional[UserLoop] = None  # to code that does not await
        self._task: Optional[asyncio.Task[None]] = None
        self._interrupted = False  # an interrupt was sent: code that has not begun must not begin
        self._task_done = False  # the task has run the code: an interrupt would hit other code
        self._cancel_reached = False  # the loop has reached the cancellation
        self._thread_done = False  # the thread has run the code: an interrupt would hit other code
        self._ended = False
        # Released when the end has been handled. An interrupt cannot leave a plain lock in an invalid state.
        self._end_known = threading.Lock()
        self._end_known.acquire()

    # -- called in the engine's thread -------------------------------------------------------

    def start(self, run: Run) -> None:
        """Start the thread of the code."""
        self._run = run
        self._lent = self._user_loop().lendable
        thread = threading.Thread(target=self._main, name=f"execution {run.id}", daemon=True)
        # An empty context: an execution that is started by another one is not part of that one.
        contextvars.Context().run(thread.start)

    def stop(self, *, force: bool) -> float:
        """Interrupt the code. Return the seconds after which it is abandoned."""
        if not self._ended:
            self._interrupt()
        return _KILL_GRACE if force else _INTERRUPT_GRACE

    def _interrupt(self) -> None:
        self._interrupted = True
        if self._loop is not None:
            self._cancel_reached = False
            self._loop.call(self._cancel)
            self._run.engine.loop.call_later(SLOW_TICK, self._interrupt_loop)
        elif self._thread is not None and not self._thread_done:
            raise_in(self._thread, KeyboardInterrupt)
            self._run.questions.wake()

    def ended(self) -> None:
        """Allow the thread that runs the code to end."""
        if self._loop is not None:
            self._loop.call(self._cancel)  # if the thread was interrupted after the hand-over
        if not self._ended:
            self._ended = True
            self._end_known.release()

    def abandoned(self) -> str:
        """Stop the loop if the code blocks it for good. Return the text of the warning."""
        if self._loop is not None and not self._cancel_reached:
            self._loop.stop()
        return (
            "the code does not react to the interrupt (it sleeps, or is in C code): "
            "it continues in the background"
        )

    def _hand_over(self, run: Run) -> None:
        """Run code that awaits as a task of the session's loop."""
        if self._ended or run.done:
            return
        if self._interrupted:  # before there was code to interrupt
            run.finished(end_of(KeyboardInterrupt()))
            return
        loop = self._user_loop()
        try:
            loop.start()
        except (OSError, RuntimeError) as exc:  # no file descriptor or no thread is left
            run.finished(failed(run, exc))
            return
        self._loop = loop
        context = contextvars.Context()
        context.run(current.set, run)
        self._loop.call(context.run, self._begin, run)

    def _interrupt_loop(self) -> None:
        """Interrupt the loop's thread, if it is running our task and has not reached the cancellation."""
        if self._ended or self._cancel_reached or self._loop is None:
            return
        if asyncio.current_task(self._loop.loop) is self._task and not self._task_done:
            raise_in(self._loop.ident, KeyboardInterrupt)
            self._run.questions.wake()

    # -- called in the thread of the code ----------------------------------------------------

    def _main(self) -> None:
        run = self._run
        process = os.getpid()
        complete: Optional[CompleteMessage] = None
        try:
            try:
                with bound(run):
                    complete = self._execute(run)
                if complete is None:
                    # Done in the engine: an interrupt of this thread must not hit the creation of a loop.
                    run.engine.call(self._hand_over, run)
                    return
            except BaseException as exc:  # an interrupt that was raised in frames of this package
                complete = complete or end_of(exc)
            if os.getpid() != process:
                os._exit(0)  # a forked child has reached the end of the code; the execution is the parent's
            self._leave(run, complete)
        except KeyboardInterrupt:  # raised on the way to `_leave`; at most one can be
            self._leave(run, complete or end_of(KeyboardInterrupt()))

    def _leave(self, run: Run, complete: CompleteMessage) -> None:
        """Report the end. Return when no further interrupt can be sent, and none is pending.

        A pending interrupt is raised and caught here: CPython has no call that revokes it completely.
        """
        while True:
            try:
                self._thread_done = True
                unbind(run)
                run.finished(complete)
                while not self._ended:
                    self._end_known.acquire()
                take_pending()
                return
            except KeyboardInterrupt:
                continue

    def _execute(self, run: Run) -> Optional[CompleteMessage]:
        """Compile and run the code. Return `complete`; or None, without running it, if the code awaits."""
        try:
            program = self._program = self._interpreter.compile_cell(self._code, self._number)
            if program.is_async:
                return None
            self._thread = threading.get_ident()
            if self._interrupted:  # before there was code to interrupt
                raise KeyboardInterrupt
            loop, running = self._lent, self._shows_loop
            with loop.lent(running=running) if loop else contextlib.nullcontext():
                self._interpreter.run(program, functools.partial(emit_bundle, run))
        except BaseException as exc:
            return failed(run, exc, self._interpreter.error)
        return CompleteMessage(success=True)

    # -- called in the thread of the session's loop ------------------------------------------

    def _begin(self, run: Run) -> None:
        self._task = asyncio.get_running_loop().create_task(self._await(run))
        self._task.add_done_callback(functools.partial(_unless_begun, run))
        if self._cancel_reached:  # the cancellation came first
            self._task.cancel()

    def _cancel(self) -> None:
        self._cancel_reached = True
        if self._task is not None:
            self._task.cancel()

    async def _await(self, run: Run) -> None:
        try:
            await self._interpreter.run_async(self._program, functools.partial(emit_bundle, run))
            self._task_done = True
            complete = CompleteMessage(success=True)
        except asyncio.CancelledError as exc:
            self._task_done = True
            interrupt = KeyboardInterrupt().with_traceback(exc.__traceback__)
            complete = failed(run, interrupt, self._interpreter.error)
        except BaseException as exc:
            self._task_done = True
            complete = failed(run, exc, self._interpreter.error)
        run.finished(complete)


def _unless_begun(run: Run, task: asyncio.Task[None]) -> None:
    """Report the end of a task that was cancelled before its first step, so that its ``except`` never ran."""
    if task.cancelled():
        run.finished(end_of(KeyboardInterrupt()))


def emit_bundle(run: Run, bundle: Bundle) -> None:
    """Emit the representations of the value of the last expression, unless the value has displayed itself."""
    data, metadata = bundle
    if data:
        run.emit(ResultMessage(data=data, metadata=metadata))


def failed(
    run: Run,
    exc: BaseException,
    message_of: Callable[[BaseException], Optional[ErrorMessage]] = ending_message,
) -> CompleteMessage:
    """Emit the exception that ended the code, unless it is an exit without an error. Return `complete`.

    ``message_of`` returns None for an exception that has been shown, or that is not to be shown.
    """
    complete = end_of(exc)
    if complete.success:
        return complete
    message = message_of(exc)
    if message is None:
        return replace(complete, extra={"printed": True})
    run.emit(message)
    return complete


def end_of(exc: BaseException) -> CompleteMessage:
    """Return the `complete` message of code that ``exc`` has ended."""
    name, value = describe(exc)
    error = f"{name}: {value}" if value else name
    if isinstance(exc, SystemExit):
        # As the interpreter does: None means 0, a number means itself, anything else means 1.
        code = exc.code if isinstance(exc.code, int) else 0 if exc.code is None else 1
        if code == 0:
            return CompleteMessage(success=True, exit_code=0)
        return CompleteMessage(status="error", exit_code=code, error=error)
    if isinstance(exc, KeyboardInterrupt):
        return CompleteMessage(status="interrupted", error=error)
    return CompleteMessage(status="error", error=error)
