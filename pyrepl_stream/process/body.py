"""Runs commands, one after the other, as the body of one execution."""

from __future__ import annotations

import atexit
import contextlib
import contextvars
import os
import signal
import threading
import time
import uuid
from dataclasses import replace
from typing import Any, Callable, Optional, Union

from ..engine.formats import describe, error_message
from ..engine.run import Run
from ..errors import BufferOverflowError, PyreplStreamError, UsageError
from ..messages import CompleteMessage, ErrorMessage, LogMessage, StreamType
from .activity import Idle
from .call import Call, CallThread
from .child import Child, Ended
from .command import Command
from .ending import DEFAULT_GRACE, Ending, Grace, check_grace
from .pump import Pump, make_pump
from .streams import OpenTerminal
from .terminal import open_terminal

__all__ = ("ProcessBody", "Part", "Retry")

Part = Union[Command, Call]
Retry = Callable[[Command, bytes], Optional[tuple[Command, str]]]
"""From a command that failed and the end of its output to what to run in its place, and a word about it."""

_MARGIN = 3.0  # seconds, over the grace: for output that is read after the end
_LOGGER = "pyrepl_stream"


class ProcessBody:
    """Commands (and callables) that run one after the other until one fails.

    With ``keep_going`` the others run nevertheless. An interrupt goes to the command and all that it
    started; what is left after ``grace`` gets the next signal, and so on; so does what is idle (see
    :class:`Idle`). ``retry`` may give another command in place of one that failed, once. Everything
    happens in one thread; the engine's thread, and others, only leave word there.
    """

    def __init__(
        self,
        *parts: Part,
        grace: Grace = DEFAULT_GRACE,
        idle: Optional[Idle] = None,
        keep_going: bool = False,
        retry: Optional[Retry] = None,
        open_terminal: OpenTerminal = open_terminal,
        make_pump: Callable[[], Pump] = make_pump,
    ) -> None:
        check_grace(grace)
        if not parts:
            raise UsageError("there is nothing to run: no steps were given")
        # What the caller has now is what counts, not what is there when the thread comes round to it.
        self._parts = tuple(_resolved(part) for part in parts)
        self._environment = dict(os.environ)
        files = (part.stdin for part in self._parts if isinstance(part, Command) and part.stdin_is_file)
        self._inputs = {file for file in files if isinstance(file, int)}
        self._ending = Ending(grace)
        self._idle = idle or Idle()
        self._keep_going = keep_going
        self._retry = retry
        self._open_terminal = open_terminal
        self._make_pump = make_pump
        self._mark = uuid.uuid4().hex
        self._lock = threading.Lock()  # guards what is below: a word is left with the part, or kept for it
        self._part: Union[Child, CallThread, None] = None
        self._words: list[Callable[[Any], object]] = []
        self._stopped = False
        self._forced = False
        self._ended = False
        self._holders = 1  # who may still write: what runs the parts, and what reads on after one of them
        self._started = threading.Event()
        self._over = threading.Event()

    # -- any thread --------------------------------------------------------------------------

    @property
    def pid(self) -> Optional[int]:
        """Of the command that runs now, or ran last; None when nothing could be started."""
        self._started.wait()
        return None if self._part is None else self._part.pid

    @property
    def started(self) -> bool:
        """Whether :attr:`pid` is known, so that it does not wait."""
        return self._started.is_set()

    def tell(self, function: Callable[[Child], object]) -> None:
        """Call ``function`` with the command that runs now; with the first, when none does yet.

        Raises :class:`UsageError` after the end.
        """
        with self._lock:
            if self._ended:
                raise UsageError("the command has ended")
            part = self._part
            if part is None:
                self._words.append(function)
                return
        if not isinstance(part, Child):
            raise UsageError("what runs now is a callable of this process, not a command")
        function(part)

    # -- the engine's thread -----------------------------------------------------------------

    def start(self, run: Run) -> None:
        _running.add(self)
        if _leaving:
            self._finish(run)
            run.finished(CompleteMessage(status="killed", error="the interpreter ends"))
            return
        thread = threading.Thread(target=self._main, args=(run,), name=f"command {run.id}", daemon=True)
        try:
            contextvars.Context().run(thread.start)
        except RuntimeError:
            self._finish(run)
            raise

    def stop(self, *, force: bool) -> float:
        with self._lock:
            self._stopped = True
            self._forced = self._forced or force
            part = self._part
        if part is not None:
            part.call(lambda: self._ending.hasten(time.monotonic(), force=force))
        return self._ending.seconds + _MARGIN

    def ended(self) -> None:
        """The end is known in :meth:`_main` already."""

    def given_up(self) -> str:
        return "the command could not be ended: it goes on in the background"

    # -- the thread that runs it -------------------------------------------------------------

    def _main(self, run: Run) -> None:
        complete: Optional[CompleteMessage] = None
        outcomes = []
        for part in self._parts:
            if self._stopped or _leaving:
                complete = complete or CompleteMessage(status="interrupted", error="interrupted")
                break
            end = self._end_of(run, part)
            outcomes.append({"source": part.source, "status": end.status, "exit_code": end.exit_code})
            if not end.success and (complete is None or end.status != "error"):
                complete = end
            if not end.success and (not self._keep_going or self._stopped or end.status != "error"):
                break
        complete = complete or CompleteMessage(success=True, exit_code=0)
        with self._lock:
            self._ended = True  # before anybody can know of the end
        run.finished(replace(complete, value=outcomes) if len(self._parts) > 1 else complete)
        self._finish(run)

    def _finish(self, run: Run) -> None:
        with self._lock:
            self._ended = True
        _running.discard(self)
        self._close_inputs(self._parts)
        self._started.set()
        self._over.set()
        self._let_go(run)

    def _close_inputs(self, parts: tuple[Part, ...]) -> None:
        """Close our copies: a pipe that we kept open would hide that its reader has gone."""
        for part in parts:
            if isinstance(part, Command) and part.stdin in self._inputs:
                self._inputs.discard(part.stdin)
                os.close(part.stdin)

    def _let_go(self, run: Run) -> None:
        """One of those who may write has ended. After the last one nothing more can come."""
        with self._lock:
            self._holders -= 1
            last = self._holders == 0
        if last:
            run.engine.call(run.close)

    def _end_of(self, run: Run, part: Part) -> CompleteMessage:
        """Run one part; its end, which names the step where there are several."""
        owner = _RunOwner(run)
        name = f"step {part.source!r}: " if len(self._parts) > 1 else ""
        try:
            ended = self._attend(run, owner, part)
            if self._retry is not None and isinstance(part, Command) and self._may_retry(ended):
                other = self._retry(part, ended.tail)
                if other is not None:
                    owner.log("WARNING", other[1], part.source)
                    ended = self._attend(run, owner, other[0])
        except SystemExit as exc:  # of a callable
            code = exc.code if isinstance(exc.code, int) else 0 if exc.code is None else 1
            if code == 0:
                return CompleteMessage(success=True, exit_code=0)
            return CompleteMessage(status="error", exit_code=code, error=f"{name}SystemExit: {exc.code}")
        except BaseException as exc:  # whatever it was: the execution has an end
            what, value = describe(exc)
            by_call = isinstance(part, Call) or not isinstance(exc, (OSError, PyreplStreamError))  # or a bug
            run.say(
                error_message(exc)
                if by_call
                else ErrorMessage(name=what, value=value, traceback=(f"{what}: {value}",))
            )
            return CompleteMessage(status="error", exit_code=_code_of(exc), error=f"{name}{what}: {value}")
        if ended.idle:
            return CompleteMessage(status="timeout", exit_code=ended.exit_code, error=name + ended.idle)
        if self._stopped:
            return CompleteMessage(status="interrupted", exit_code=ended.exit_code)
        if ended.lost:
            return CompleteMessage(status="lost", error=name + ended.lost)
        if ended.exit_code == 0:
            return CompleteMessage(success=True, exit_code=0)
        if ended.number:
            error = f"the command was ended by {_signal_name(ended.number)}"
        else:
            error = f"the command exited with {ended.exit_code}"
        return CompleteMessage(status="error", exit_code=ended.exit_code, error=name + error)

    def _read_on(self, run: Run, child: Child) -> None:
        """Read what processes in the background still print, until the last of them lets go."""
        try:
            while child.holds_output:
                with contextlib.suppress(BufferOverflowError):  # "fail" has nobody left to tell
                    child.read_on()
        finally:
            child.close()
            self._let_go(run)

    def _may_retry(self, ended: Ended) -> bool:
        return not self._stopped and not ended.idle and not ended.number and bool(ended.exit_code)

    def _attend(self, run: Run, owner: _RunOwner, part: Part) -> Ended:
        """Start one part and see it to its end. Raises what kept it from starting, or ended it."""
        attended: Union[Child, CallThread]
        if isinstance(part, Call):
            attended = CallThread(part, owner, run.writer, self._ending, self._idle)
        else:
            attended = Child(
                part,
                owner,
                self._ending,
                self._idle,
                mark=self._mark,
                environment=self._environment,
                keep_tail=self._retry is not None,
                open_terminal=self._open_terminal,
                make_pump=self._make_pump,
            )
        try:
            attended.start()
        except BaseException:
            with self._lock:
                self._part = None
            raise
        if self._retry is None and isinstance(part, Command):
            self._close_inputs((part,))
        try:
            with self._lock:
                self._part = attended
                words, self._words = self._words, []
                for word in words if isinstance(attended, Child) else ():
                    word(attended)  # with the lock: before the next one of :meth:`tell`
                if self._stopped or _leaving:
                    self._ending.hasten(time.monotonic(), force=self._forced or _leaving)
            self._started.set()
            ended = attended.run()
        except BaseException:
            attended.abandon()
            raise
        if self._stopped and isinstance(attended, Child):
            attended.settle()
        if attended.holds_output and isinstance(attended, Child):
            owner.log("INFO", "background processes go on, and what they print comes later", part.source)
            name = f"rest of {run.id}"
            with self._lock:
                self._holders += 1
            reader = threading.Thread(target=self._read_on, args=(run, attended), name=name, daemon=True)
            contextvars.Context().run(reader.start)
        else:
            attended.close()
        return ended


class _RunOwner:
    """Leads what a child says to the journal of its run."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def ending(self) -> None:
        self._run.writer.release()

    def output(self, stream: StreamType, data: bytes, source: str) -> None:
        self._run.writer.post(stream, data, source, pump=True)

    def log(self, level: str, text: str, source: str) -> None:
        self._run.say(LogMessage(level=level, logger=_LOGGER, text=text, source=source))

    def ask(self, prompt: str, password: bool, answered: Callable[[Optional[str]], object]) -> None:
        self._run.ask(prompt, password=password, answered=answered, printed=True)


def _resolved(part: Part) -> Part:
    """``part`` with a descriptor of its own for a file that it is given, and its directory by name."""
    if isinstance(part, Call):
        return part
    changes: dict[str, Any] = {}
    if part.stdin_is_file:
        try:
            changes["stdin"] = os.dup(part.stdin if isinstance(part.stdin, int) else part.stdin.fileno())  # type: ignore[union-attr]
        except (OSError, ValueError) as exc:
            raise UsageError(f"stdin is {part.stdin!r}, which cannot be read from: {exc}") from exc
    if part.cwd is None:
        with contextlib.suppress(OSError):  # it has been removed: the command stands where we do
            changes["cwd"] = os.getcwd()
    return replace(part, **changes)


def _code_of(exc: BaseException) -> int:
    """As a shell has it: 126 for what cannot be executed, 127 for what is not there."""
    if not isinstance(exc, OSError):
        return 1
    return 127 if isinstance(exc, FileNotFoundError) else 126


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


_running: set[ProcessBody] = set()
_leaving = False


def _end_all() -> None:
    """The process ends, and nobody is left to stop or read what it started."""
    global _leaving
    _leaving = True  # what the engine has not come round to does not begin any more
    deadline = time.monotonic() + _MARGIN
    bodies = list(_running)
    for body in bodies:
        body.stop(force=True)
    for body in bodies:
        body._over.wait(max(0.0, deadline - time.monotonic()))


atexit.register(_end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_running.clear)  # they are the parent's
