"""The runner of an execution that consists of commands and callables."""

from __future__ import annotations

import atexit
import contextlib
import contextvars
import os
import signal
import threading
import uuid
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Callable, Optional, Union

from .. import clock
from ..engine.formats import describe, error_message
from ..engine.python import end_of
from ..engine.run import Run
from ..errors import BufferOverflowError, PyreplStreamError, UsageError
from ..messages import CompleteMessage, ErrorMessage
from .call import CallStep, CallThread
from .child import Child, Outcome, make_pump
from .command import Command
from .limits import Limits
from .pty import open_pty
from .pump import Pump
from .streams import OpenTerminal
from .termination import Termination
from .tree import KILL, Tree

__all__ = ("Part", "ProcessRunner", "Retry")

Part = Union[Command, CallStep]
Retry = Callable[[Command, bytes], Optional[tuple[Command, str]]]
"""Called with a command that failed, and the end of its output. It may return a command to run instead
and the text of a warning."""

_MARGIN = 3.0  # seconds, in addition to the grace, for reading output after the end
_MAX_START = 30.0  # seconds; only a start from a file system that hangs takes longer


class ProcessRunner:
    """Runs commands and callables one after the other until one fails.

    All of them run in one thread of the runner. An interrupt goes to the running command and to all
    processes that it started; processes that remain get the next signal, as the limits specify. The same
    happens to a command that is idle. The caller must pass the limits' timeout to the :class:`Run`.

    Args:
        *parts: The commands and callables.
        limits: When to end a command, and how.
        keep_going: Run the remaining parts even after one has failed.
        retry: May replace each command that failed, once.
        open_pty: Opens a terminal.
        make_pump: Makes the pump of a command.
        environment: The variables to which those of a command are added; by default this process's.

    Raises:
        UsageError: There are no parts, or a file cannot be read from.
    """

    def __init__(
        self,
        *parts: Part,
        limits: Optional[Limits] = None,
        keep_going: bool = False,
        retry: Optional[Retry] = None,
        open_pty: OpenTerminal = open_pty,
        make_pump: Callable[[], Pump] = make_pump,
        environment: Optional[Mapping[str, str]] = None,
    ) -> None:
        if not parts:
            raise UsageError("there is nothing to run: no steps were given")
        # Use the files, directory and variables as they are now, not as they are when the thread starts.
        self._parts = tuple(_resolved(part) for part in parts)
        self._make_child = partial(
            Child,
            mark=uuid.uuid4().hex,
            environment=dict(os.environ if environment is None else environment),
            keep_tail=retry is not None,
            open_pty=open_pty,
            make_pump=make_pump,
        )
        files = (part.stdin for part in self._parts if isinstance(part, Command) and part.stdin_is_file)
        self._inputs = {file for file in files if isinstance(file, int)}  # our copies that are still open
        self.limits = limits or Limits()
        self._termination = Termination(self.limits.grace)
        self._keep_going = keep_going
        self._retry = retry
        self._lock = threading.Lock()  # guards the attributes below
        self._current: Union[Child, CallThread, None] = None
        self._requests: list[Callable[[Child], object]] = []  # made before the first command has started
        self._stopped = False
        self._forced = False
        self._done = False
        self._writers = 1  # threads that may still write: the runner's, and those that drain output
        self._starting = threading.Lock()  # held while a command is started and made current
        self._started = threading.Event()
        self._finished = threading.Event()

    # -- called from any thread --------------------------------------------------------------

    @property
    def pid(self) -> Optional[int]:
        """The process id of the newest command; None if it could not be started. Waits for it to start."""
        self._started.wait()
        return None if self._current is None else self._current.pid

    @property
    def started(self) -> bool:
        """True once :attr:`pid` is known."""
        return self._started.is_set()

    def control(self, function: Callable[[Child], object]) -> None:
        """Call ``function`` with the running command, or with the first one as soon as it has started.

        Raises:
            UsageError: The execution has ended, or a callable runs.
        """
        with self._lock:
            if self._done:
                raise UsageError("the command has ended")
            current = self._current
            if current is None:
                self._requests.append(function)
                return
        if not isinstance(current, Child):
            raise UsageError("the step that is running is a callable in this process, not a command")
        function(current)

    # -- called in the engine's thread -------------------------------------------------------

    def start(self, run: Run) -> None:
        """Implement :meth:`Runner.start`."""
        _running.add(self)
        if _exiting:
            self._finish(run)
            run.finished(CompleteMessage(status="killed", error="the interpreter is exiting"))
            return
        thread = threading.Thread(target=self._main, args=(run,), name=f"command {run.id}", daemon=True)
        try:
            contextvars.Context().run(thread.start)
        except RuntimeError:
            self._finish(run)
            raise

    def stop(self, *, force: bool) -> float:
        """Implement :meth:`Runner.stop`."""
        with self._lock:
            self._stopped = True
            self._forced = self._forced or force
            current = self._current
        if current is not None:
            current.call(lambda: self._termination.escalate(clock.monotonic(), force=force))
        return self._termination.seconds + _MARGIN

    def begin_exit(self) -> Optional[Tree]:
        """Start no more parts. Return the processes of the running command, or None if no command runs.

        The caller kills them: on a busy machine the thread of the runner may get no time to do it.
        """
        with self._lock:
            self._stopped = self._forced = True
        if not self._starting.acquire(timeout=_MAX_START):
            return None
        self._starting.release()
        current = self._current
        return current.tree if isinstance(current, Child) and not self._done else None

    def ended(self) -> None:
        """Implement :meth:`Runner.ended`: do nothing, since the runner's thread knows that it has ended."""

    def abandoned(self) -> str:
        """Implement :meth:`Runner.abandoned`."""
        return "the command could not be ended and continues in the background"

    # -- called in the runner's thread -------------------------------------------------------

    def _main(self, run: Run) -> None:
        complete: Optional[CompleteMessage] = None
        outcomes = []
        for part in self._parts:
            if self._stopped or _exiting:
                complete = complete or CompleteMessage(status="interrupted", error="interrupted")
                break
            end = self._run_part(run, part)
            outcomes.append({"source": part.source, "status": end.status, "exit_code": end.exit_code})
            if not end.success and (complete is None or end.status != "error"):
                complete = end
            if not end.success and (not self._keep_going or self._stopped or end.status != "error"):
                break
        complete = complete or CompleteMessage(success=True, exit_code=0)
        with self._lock:
            self._done = True  # before a client can know that the execution has ended
        run.finished(replace(complete, value=outcomes) if len(self._parts) > 1 else complete)
        self._finish(run)

    def _finish(self, run: Run) -> None:
        with self._lock:
            self._done = True
        _running.discard(self)
        self._close_inputs(self._parts)
        self._started.set()
        self._finished.set()
        self._remove_writer(run)

    def _close_inputs(self, parts: tuple[Part, ...]) -> None:
        """Close our copies of inherited files: an open copy would hide that a pipe's reader is gone."""
        for part in parts:
            if isinstance(part, Command) and part.stdin in self._inputs:
                self._inputs.discard(part.stdin)
                os.close(part.stdin)

    def _remove_writer(self, run: Run) -> None:
        """Close the run if the last thread that may write to it has ended."""
        with self._lock:
            self._writers -= 1
            if self._writers == 0:
                run.engine.call(run.close)

    def _run_part(self, run: Run, part: Part) -> CompleteMessage:
        """Run one part. Return its `complete` message, which names the step if there are several."""
        name = f"step {part.source!r}: " if len(self._parts) > 1 else ""
        try:
            outcome = self._run_once(run, part)
            if self._retry is not None and isinstance(part, Command) and self._may_retry(outcome):
                replacement = self._retry(part, outcome.tail)
                if replacement is not None:
                    command, warning = replacement
                    run.log("WARNING", warning, part.source)
                    outcome = self._run_once(run, command)
        except SystemExit as exc:  # raised by a callable
            end = end_of(exc)
            return end if end.success else replace(end, error=f"{name}{end.error}")
        except BaseException as exc:  # every execution needs a `complete` message
            kind, value = describe(exc)
            is_expected = isinstance(exc, (OSError, PyreplStreamError)) and not isinstance(part, CallStep)
            run.emit(
                ErrorMessage(name=kind, value=value, traceback=(f"{kind}: {value}",))
                if is_expected
                else error_message(exc)  # with the traceback of the callable, or of a bug
            )
            return CompleteMessage(status="error", exit_code=_exit_code(exc), error=f"{name}{kind}: {value}")
        return self._complete(name, outcome)

    def _complete(self, name: str, outcome: Outcome) -> CompleteMessage:
        if outcome.idle:
            return CompleteMessage(status="timeout", exit_code=outcome.exit_code, error=name + outcome.idle)
        if self._stopped:
            return CompleteMessage(status="interrupted", exit_code=outcome.exit_code)
        if outcome.lost:
            return CompleteMessage(status="lost", error=name + outcome.lost)
        if outcome.exit_code == 0:
            return CompleteMessage(success=True, exit_code=0)
        if outcome.signal_number:
            error = f"the command was ended by {_signal_name(outcome.signal_number)}"
        else:
            error = f"the command exited with {outcome.exit_code}"
        return CompleteMessage(status="error", exit_code=outcome.exit_code, error=name + error)

    def _may_retry(self, outcome: Outcome) -> bool:
        return not (self._stopped or outcome.idle or outcome.signal_number) and bool(outcome.exit_code)

    def _run_once(self, run: Run, part: Part) -> Outcome:
        """Start one part and wait for its end. Raises the error that kept it from starting or ended it."""
        with self._starting:
            if _exiting:
                self._stopped = True
                return Outcome(None)
            current = self._start_part(run, part)
        if self._retry is None and isinstance(part, Command):
            self._close_inputs((part,))
        try:
            outcome = current.run()
        except BaseException:
            current.abandon()
            raise
        if isinstance(current, Child):
            if self._stopped:
                current.terminate()
            if current.holds_output:
                run.log("INFO", "background processes continue; their output follows", part.source)
                with self._lock:
                    self._writers += 1
                name = f"background output of {run.id}"
                drain = threading.Thread(target=self._drain, args=(run, current), name=name, daemon=True)
                contextvars.Context().run(drain.start)
            else:
                current.close()
        return outcome

    def _start_part(self, run: Run, part: Part) -> Union[Child, CallThread]:
        """Start one part, make it the current one, and return it. Raises the error of a failed start."""
        current: Union[Child, CallThread]
        if isinstance(part, CallStep):
            current = CallThread(part, run, self._termination, self.limits.idle)
        else:
            current = self._make_child(part, run, self._termination, self.limits.idle)
        try:
            current.start()
        except BaseException:
            with self._lock:
                self._current = None
            raise
        try:
            with self._lock:
                self._current = current
                requests, self._requests = self._requests, []
                for request in requests:
                    if isinstance(current, Child):
                        request(current)  # under the lock: before the next request of `control`
                if self._stopped:
                    self._termination.escalate(clock.monotonic(), force=self._forced)
        except BaseException:
            current.abandon()
            raise
        self._started.set()
        return current

    def _drain(self, run: Run, child: Child) -> None:
        """Read the output of background processes until the last of them has closed it."""
        try:
            while child.holds_output:
                with contextlib.suppress(BufferOverflowError):  # it would end the command, which has ended
                    child.drain()
        finally:
            child.close()
            self._remove_writer(run)


def _resolved(part: Part) -> Part:
    """Return ``part`` with our own copy of the descriptor that it inherits, and with a working directory."""
    if isinstance(part, CallStep):
        return part
    changes: dict[str, Any] = {}
    if part.stdin_is_file:
        try:
            changes["stdin"] = os.dup(part.stdin if isinstance(part.stdin, int) else part.stdin.fileno())  # type: ignore[union-attr]
        except (OSError, ValueError) as exc:
            raise UsageError(f"stdin is {part.stdin!r}, which cannot be read from: {exc}") from exc
    if part.cwd is None:
        with contextlib.suppress(OSError):  # it has been removed; the command inherits it nevertheless
            changes["cwd"] = os.getcwd()
    return replace(part, **changes)


def _exit_code(exc: BaseException) -> int:
    """Return the exit code of a shell: 127 if the program does not exist, 126 if it cannot be executed."""
    if not isinstance(exc, OSError):
        return 1
    return 127 if isinstance(exc, FileNotFoundError) else 126


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


_running: set[ProcessRunner] = set()
_exiting = False


def _end_all() -> None:
    """End all commands when the interpreter exits, after which they could not be stopped or read."""
    global _exiting
    _exiting = True  # executions that are still queued no longer start
    runners = list(_running)
    trees = [tree for tree in [runner.begin_exit() for runner in runners] if tree is not None]
    if trees:
        Tree.union(trees).signal(KILL)  # not limited in time; the rest is only for the last output
    deadline = clock.monotonic() + _MARGIN
    for runner in runners:
        runner.stop(force=True)
    for runner in runners:
        runner._finished.wait(max(0.0, deadline - clock.monotonic()))


atexit.register(_end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_running.clear)  # they belong to the parent
