"""One command, from its start to its end, and the background processes that it leaves running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Callable, Optional, Union

from .. import clock
from ..engine.run import Run
from ..errors import LineTooLongError, UsageError
from .command import Command, check_size
from .idle import IdleMonitor, IdlePolicy
from .prompt import PromptDetector
from .pty import MAX_LINE
from .pump import Event, Pump, SelectorPump
from .streams import OpenTerminal, Streams
from .termination import Termination
from .tree import KILL, Tree, marked, reap_adopted
from .windows import CREATION_FLAGS, ThreadPump

_LINGER = 0.2  # seconds without output, after the command's end, that count as the end of the output
_MAX_LINGER = 2.0  # seconds that background processes may keep printing before the run continues
_MAX_WAIT = 3600.0  # seconds; the timeout of a selector overflows at a few weeks
_REAP_INTERVAL = 1.0  # seconds between two searches for adopted orphans that have ended
_TAIL_BYTES = 4096  # bytes of the newest output that are kept for a retry
_EXIT = object()  # the tag of the event that the process has ended


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Args:
        exit_code: Its exit code, or 128 + n if signal n ended it; None if it is not known.
        signal_number: The signal that ended it, or 0.
        idle: Why it counted as idle, if it was ended for being idle.
        tail: The end of its output, if it was requested.
        lost: Why the exit code is not known.
    """

    exit_code: Optional[int]
    signal_number: int = 0
    idle: str = ""
    tail: bytes = b""
    lost: str = ""


def make_pump() -> Pump:
    """Return a pump that this system supports."""
    return ThreadPump() if sys.platform == "win32" else SelectorPump()


class Child:
    """Runs one command in the thread that calls :meth:`start` and :meth:`run`.

    Args:
        command: The command.
        run: The execution, which receives the output. While its writer blocks, the command does too.
        termination: Determines when the command is ended, and how.
        idle: When the command counts as idle.
        mark: The mark of the run, for :class:`Tree`.
        environment: The environment to which the command's variables are added.
        keep_tail: Keep the end of the output for :attr:`Outcome.tail`.
        open_pty: Opens a terminal.
        make_pump: Makes the pump.
    """

    _process: subprocess.Popen[bytes]  # these three are set by `start`
    tree: Tree
    _monitor: IdleMonitor

    def __init__(
        self,
        command: Command,
        run: Run,
        termination: Termination,
        idle: IdlePolicy,
        *,
        mark: str,
        environment: Mapping[str, str],
        keep_tail: bool,
        open_pty: OpenTerminal,
        make_pump: Callable[[], Pump],
    ) -> None:
        self._command = command
        self._run = run
        self._termination = termination
        self._idle = idle
        self._mark = mark
        self._environment = environment
        self._keep_tail = keep_tail
        self._pump = make_pump()
        self._streams = Streams(command, self._warn, open_pty)
        self._prompts: Optional[PromptDetector] = None  # for a command whose input is its terminal
        self._tail = b""
        self._input_closed = False
        self._new_size: Optional[tuple[int, int]] = None  # a size that is not applied to the terminals yet
        self._line_length = 0  # bytes written to the terminal since the last line end
        self._running = False  # the command has been started, and is not known to have exited

    # -- called from any thread --------------------------------------------------------------

    @property
    def pid(self) -> int:
        """The process id of the command."""
        return self._process.pid

    def call(self, function: Callable[[], object]) -> None:
        """Schedule a call of ``function`` in the thread of :meth:`run`. An exception becomes a warning."""

        def guarded() -> None:
            try:
                function()
            except Exception as exc:
                self._warn(f"a request to the command failed: {type(exc).__name__}: {exc}")

        self._pump.call(guarded)

    def send_signal(self, number: int) -> None:
        """Send a signal to the command and to all processes that it started."""
        self.call(lambda: self.tree.signal(number))

    def write(self, data: bytes) -> None:
        """Queue input.

        Raises:
            UsageError: The command does not read its input from here, or no longer reads it.
            LineTooLongError: The terminal would cut off a line.
        """
        if self._command.stdin is not None:
            raise UsageError("the command was given its input at the start: leave stdin=None to write to it")
        if not self._running or self._pump.feed_broken:
            raise UsageError("the command no longer reads its input")
        if self._input_closed and not self._command.interactive:
            raise UsageError("the command's input has been closed")
        terminal = self._streams.input_terminal
        if terminal is not None and terminal.is_canonical():
            lengths = [len(line) for line in data.split(b"\n")]
            lengths[0] += self._line_length
            if max(lengths) > MAX_LINE:
                raise LineTooLongError(
                    f"a terminal accepts at most {MAX_LINE:,} bytes in a line and cuts the rest: write "
                    "shorter lines, or run the command with interactive=False, on a pipe"
                )
            self._line_length = lengths[-1]
        self.call(lambda: self._pump.feed(data))

    def close_stdin(self) -> None:
        """End the command's input after everything written so far."""
        self._input_closed = True
        self.call(self._end_input)

    def resize(self, size: tuple[int, int]) -> None:
        """Resize the terminals to (rows, columns).

        Raises:
            UsageError: ``size`` is invalid.
        """
        check_size(size)
        pending, self._new_size = self._new_size, size
        if pending is None:
            self.call(self._resize)

    # -- called in the thread that runs the command ------------------------------------------

    def start(self) -> None:
        """Start the command.

        Raises:
            OSError: The system cannot start it.
        """
        try:
            self._streams.open()
            self._spawn()
        except BaseException:
            self.close()
            raise
        try:
            self._attach()
        except BaseException:
            self.abandon()
            raise

    def _spawn(self) -> None:
        command, streams = self._command, self._streams
        environment = command.environment(terminal=bool(streams.terminals), base=self._environment)
        self._process = subprocess.Popen(
            self._words(),
            cwd=command.cwd,
            env=marked(environment, self._mark),
            stdin=streams.stdin,
            stdout=streams.stdout,
            stderr=streams.stderr,
            start_new_session=True,
            creationflags=CREATION_FLAGS,
        )
        self.tree = Tree(self._process.pid, self._mark)
        self._running = True

    def _attach(self) -> None:
        """Close the command's ends of its streams, and start to read and write our ends."""
        command, streams = self._command, self._streams
        streams.release()
        for stream, ours in streams.outputs.items():
            self._pump.read_from(ours, stream)
        if streams.feed is not None:
            self._pump.feed_to(streams.feed)
        if command.input is not None:
            self._pump.feed(command.input)
            self._pump.end_feed()
        self._pump.watch_exit(self._process, _EXIT)
        now = clock.monotonic()
        self._monitor = IdleMonitor(self._idle, self.tree, self._warn, now)
        if streams.input_terminal is not None:
            self._prompts = PromptDetector(self.tree, streams.input_terminal.name, now)

    def run(self) -> Outcome:
        """Serve the started command until it ends, then read its remaining output for a moment."""
        idle = ""
        while self._running and not self._termination.abandoned(clock.monotonic()):
            self._handle(self._pump.wait(self._seconds_to_wait()))
            self._send_due_signal()
            if not self._termination.begun and self._monitor.is_idle(clock.monotonic()):
                idle = self._monitor.describe()
                self._run.writer.release()  # `_handle` must no longer block
                self._termination.escalate(clock.monotonic())
            self._ask_if_waiting()
        self._handle(self._pump.wait(0))  # it may have exited while the last signal was sent
        code, lost = self._reap()
        self._end_remaining()
        self._linger()
        self._end_remaining()  # the end of the run may have been requested meanwhile
        number = -code if code is not None and code < 0 else 0
        return Outcome(128 + number if number else code, number, idle, self._tail, lost)

    @property
    def holds_output(self) -> bool:
        """True while background processes hold the command's output open."""
        return self._pump.reading > 0

    def drain(self) -> None:
        """Wait for output of background processes, and read it."""
        self._handle(self._pump.wait(None))

    def abandon(self) -> None:
        """Kill all processes, and close."""
        try:
            self.tree.signal(KILL)
        finally:
            self.close()
            self._process.wait()

    def close(self) -> None:
        """Close all descriptors. A terminal hangs up if no other process has it open."""
        self._running = False
        self._pump.close()
        self._streams.close()

    def terminate(self) -> None:
        """End the remaining processes, because a request came when :meth:`run` was about to return."""
        self._termination.escalate(clock.monotonic())
        self._end_remaining()

    # -- helpers of `start` and `run` --------------------------------------------------------

    def _end_input(self) -> None:
        terminal = self._streams.input_terminal
        if terminal is not None:
            # A terminal cannot be closed for writing only: a control character marks the end of input. In
            # an unfinished line, the first such character only makes the terminal pass on that line.
            self._pump.feed(terminal.end_of_input() * (2 if self._line_length else 1))
        else:
            self._pump.end_feed()

    def _words(self) -> Union[str, list[str]]:
        words = self._command.program
        if self._streams.input_terminal is not None and isinstance(words, list):
            # A session leader gets the first terminal that it opens as its controlling terminal. `Popen`
            # cannot do that, and Python code between fork and exec may hang in a process with threads.
            name = self._streams.input_terminal.name
            return ["/bin/sh", "-c", 'exec 3<>"$0" 3>&- && exec "$@"', name, *words]
        return words

    def _warn(self, text: str) -> None:
        self._run.log("WARNING", text, self._command.source)

    def _resize(self) -> None:
        size, self._new_size = self._new_size, None
        assert size is not None
        for terminal in self._streams.terminals:
            terminal.resize(size)
        if self._streams.terminals and not self._command.interactive:
            # They are not controlling terminals, so the kernel signals no process.
            self.tree.signal(signal.SIGWINCH)

    def _handle(self, events: list[Event]) -> None:
        for tag, data in events:
            if tag is _EXIT:
                self._running = False
            elif data:
                if self._keep_tail:
                    self._tail = (self._tail + data)[-_TAIL_BYTES:]
                if self._prompts is not None:
                    self._prompts.output(data)
                self._run.writer.post(tag, data, self._command.source, pump=True)
        if events:
            now = clock.monotonic()  # after the writer, which may have blocked
            self._monitor.output(now)
            if self._prompts is not None:
                self._prompts.postpone(now)

    def _seconds_to_wait(self) -> float:
        """Return the seconds until an action is due that no event announces."""
        now = clock.monotonic()
        longest = _REAP_INTERVAL if reap_adopted(self.tree.root) else _MAX_WAIT
        begun = self._termination.begun
        deadlines = [now + longest, self._termination.deadline if begun else self._monitor.deadline]
        if self._prompts is not None:
            deadlines.append(self._prompts.deadline)
        return max(0.0, min(deadline for deadline in deadlines if deadline is not None) - now)

    def _send_due_signal(self) -> None:
        number = self._termination.due(clock.monotonic())
        if number is not None:
            self.tree.signal(number)
            self._termination.sent(clock.monotonic())

    def _reap(self) -> tuple[Optional[int], str]:
        """Return the exit code and an empty string; or None, and the reason why the code is not known."""
        if self._running:
            self._running = False
            # If the command ends after all, it must not remain as a zombie.
            threading.Thread(target=self._process.wait, name=f"wait for {self.pid}", daemon=True).start()
            return None, "the command could not be ended"
        if hasattr(os, "waitid"):
            try:
                os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
            except ChildProcessError:  # `Popen` would report an exit code of 0
                self._process.returncode = 0  # there is nothing left to wait for
                return None, (
                    "the exit code of the command is not known: other code of this process called "
                    "os.wait(), or ignores SIGCHLD"
                )
        return self._process.wait(), ""

    def _end_remaining(self) -> None:
        """End the processes that the command has left, if the run is to end."""
        while self._must_end():
            now = clock.monotonic()
            if self._termination.abandoned(now):
                pids = ", ".join(map(str, self.tree.pids()))
                self._warn(f"processes of the command could not be ended: {pids}")
                break
            self._termination.hurry(now)
            self._send_due_signal()
            if self._termination.exhausted:
                self.tree.signal(KILL)  # again: a process may have been changing its group, or forking
            self._handle(self._pump.wait(0.01))

    def _must_end(self) -> bool:
        """Return True if the run must end but processes remain: their output is then not waited for."""
        return self._termination.begun and bool(self.tree.pids())

    def _linger(self) -> None:
        """Read until the output has ended or pauses, but not for ever if a process keeps printing."""
        deadline = clock.monotonic() + _MAX_LINGER
        while self.holds_output and clock.monotonic() < deadline and not self._must_end():
            began = clock.monotonic()
            events = self._pump.wait(_LINGER)
            if not events and clock.monotonic() >= began + _LINGER:
                break
            read = clock.monotonic()
            self._handle(events)
            deadline += clock.monotonic() - read  # because the writer may have blocked

    def _ask_if_waiting(self) -> None:
        prompt = None if self._prompts is None else self._prompts.look(clock.monotonic())
        if prompt is None:
            return
        # The command may have printed its prompt since the last event.
        events = self._pump.wait(0)
        self._handle(events)
        if not events:
            self._run.questions.ask(
                prompt.text, password=prompt.password, answered=self._answer, printed=True
            )

    def _answer(self, text: Optional[str]) -> None:
        if text is None:
            self.close_stdin()
        else:
            self.write(text.encode() + b"\n")
        if self._prompts is not None:
            prompts = self._prompts
            self.call(lambda: prompts.restart(clock.monotonic()))
