"""One command from its start to its end, and what of it runs on after that."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Callable, Optional, Protocol, Union

from ..errors import LineTooLongError, UsageError
from ..messages import StreamType
from .activity import Idle, Watch
from .command import Command, check_size, encodable
from .ending import Ending
from .pump import Event, Pump, make_pump
from .streams import OpenTerminal, Streams
from .terminal import MAX_LINE, open_terminal
from .tree import Tree, marked, reap_adopted

__all__ = ("Child", "Owner", "Ended")

_LINGER = 0.2  # seconds of quiet after the command's end that mean that nothing more comes
_LINGER_AT_MOST = 2.0  # seconds after the command's end that its background children are waited for
_QUESTION = 0.2  # seconds of quiet after which it is looked whether the command waits for input
_LONGEST_WAIT = 3600.0  # seconds; selectors overflow with some weeks
_REAP = 1.0  # seconds between two looks for orphans that have ended
_TAIL = 4096  # bytes of the newest output that are kept where somebody wants to see them
_SECRET = re.compile(r"(?i)(password|passphrase|passcode|secret|token|pin)\b[^\n]*$")
_EXIT = object()  # the tag of the process's end


class Owner(Protocol):
    """Whom a child tells what happens."""

    def ending(self) -> None:
        """The command is told to end: :meth:`output` is to wait no more."""

    def output(self, stream: StreamType, data: bytes, source: str) -> None:
        """May wait: the command then waits too. May raise, which ends the command."""

    def log(self, level: str, text: str, source: str) -> None: ...

    def ask(self, prompt: str, password: bool, answered: Callable[[Optional[str]], object]) -> None:
        """The command waits for a line on its terminal."""


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code (128 + n by signal n), and why it was made to, if it was."""

    exit_code: Optional[int]  # None: not known
    number: int = 0  # of the signal that ended it
    idle: str = ""
    tail: bytes = b""
    lost: str = ""  # why the exit code is not known


class Child:
    """Runs a :class:`Command` in the thread that calls :meth:`run`; any thread may call the rest."""

    def __init__(
        self,
        command: Command,
        owner: Owner,
        ending: Ending,
        idle: Idle,
        *,
        mark: str,
        environment: Optional[Mapping[str, str]] = None,
        keep_tail: bool = False,
        open_terminal: OpenTerminal = open_terminal,
        make_pump: Callable[[], Pump] = make_pump,
    ) -> None:
        self._command = command
        self._owner = owner
        self._ending = ending
        self._idle = idle
        self._mark = mark
        self._environment = environment
        self._keep_tail = keep_tail
        self._pump = make_pump()
        self._streams = Streams(command, self._warn, open_terminal)
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._tree: Optional[Tree] = None
        self._watch: Optional[Watch] = None
        self._tail = b""
        self._line = b""  # what the command has written since its last line end
        self._look_at = 0.0  # when to look whether the command waits for input
        self._asked = False
        self._exited = False
        self._lost = ""
        self._input_closed = False
        self._size: Optional[tuple[int, int]] = None  # that the terminals are to get
        self._input_line = 0  # bytes written to the terminal since the last line end

    # -- any thread --------------------------------------------------------------------------

    @property
    def pid(self) -> Optional[int]:
        return None if self._process is None else self._process.pid

    def call(self, function: Callable[[], object]) -> None:
        """Have the thread of :meth:`run` call ``function`` soon. What fails is said, and harms nothing."""

        def guarded() -> None:
            try:
                function()
            except Exception as exc:
                self._warn(f"what was asked of the command failed: {type(exc).__name__}: {exc}")

        self._pump.call(guarded)

    def send_signal(self, number: int) -> None:
        """Send a signal to the command and all that it started."""
        self.call(lambda: self._tree and self._tree.signal(number))

    def write(self, data: bytes) -> None:
        """Queue input. Raises :class:`UsageError` when it cannot come to the command, or not whole."""
        if self._command.stdin is not None:
            raise UsageError("the command was given its input at the start: leave stdin=None to write to it")
        if self._exited or self._pump.feed_broken:
            raise UsageError("the command reads its input no more")
        if self._input_closed and not self._command.interactive:
            raise UsageError("the command's input was closed")
        if self._command.interactive and self._takes_lines():
            longest = max(len(line) for line in data.split(b"\n"))
            first = data.partition(b"\n")[0]
            if max(longest, self._input_line + len(first)) > MAX_LINE:
                raise LineTooLongError(
                    f"a terminal takes {MAX_LINE:,} bytes of a line at most, and cuts the rest: write "
                    "shorter lines, or run the command with interactive=False, on a pipe"
                )
            self._input_line = len(data) - data.rfind(b"\n") - 1 + (0 if b"\n" in data else self._input_line)
        self.call(lambda: self._pump.feed(data))

    def close_stdin(self) -> None:
        """Let the command find the end of its input, after all that was written."""
        self._input_closed = True
        self.call(self._end_input)

    def resize(self, size: tuple[int, int]) -> None:
        """Resize the terminals. Raises :class:`UsageError` for no size."""
        check_size(size)
        waiting, self._size = self._size, size
        if waiting is None:
            self.call(self._resize)

    # -- the thread that runs it -------------------------------------------------------------

    def start(self) -> None:
        """Start the command. Raises :class:`OSError` when the system does not."""
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
        self._process = subprocess.Popen(
            self._words(),
            cwd=command.cwd,
            env=marked(
                command.environment(terminal=bool(streams.terminals), base=self._environment), self._mark
            ),
            stdin=streams.stdin,
            stdout=streams.stdout,
            stderr=streams.stderr,
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._tree = Tree(self._process.pid, self._mark)

    def _attach(self) -> None:
        """The command runs: take what is ours, and let go of what is its."""
        assert self._process is not None and self._tree is not None
        command, streams = self._command, self._streams
        streams.started()
        for stream, ours in streams.outputs.items():
            self._pump.read_from(ours, stream)
        if streams.feed is not None:
            self._pump.feed_to(streams.feed)
        if isinstance(command.stdin, (str, bytes)):
            stdin = command.stdin
            self._pump.feed(stdin if isinstance(stdin, bytes) else encodable("stdin", stdin))
            self._pump.end_feed()
        self._pump.watch_exit(self._process, _EXIT)
        self._watch = Watch(self._idle, self._tree, self._warn, time.monotonic())
        self._look_again()

    def run(self) -> Ended:
        """See the started command to its end, and read what it leaves for a moment longer."""
        assert self._process is not None and self._watch is not None
        idle = ""
        while not self._exited and not self._ending.given_up(time.monotonic()):
            self._take(self._pump.wait(self._wait_for()))
            self._send_due()
            if not self._ending.begun and self._watch.is_idle(time.monotonic()):
                idle = self._watch.describe()
                self._owner.ending()
                self._ending.hasten(time.monotonic())
            self._ask_if_waiting()
        self._take(self._pump.wait(0))  # the end may have come while the last signal was sent
        code = self._exit_code()
        self._end_the_rest()
        self._linger()
        self._end_the_rest()  # where the request came meanwhile
        number = -code if code is not None and code < 0 else 0
        return Ended(128 + number if number else code, number, idle, self._tail, self._lost)

    @property
    def holds_output(self) -> bool:
        """Whether processes in the background still hold the command's output."""
        return self._pump.reading > 0

    def read_on(self) -> None:
        """Read what processes in the background still print, until the last of them lets go."""
        while self.holds_output:
            self._take(self._pump.wait(None))

    def abandon(self) -> None:
        """Kill all of it, and close."""
        assert self._process is not None and self._tree is not None
        try:
            self._kill()
        finally:
            self.close()
            self._process.wait()

    def close(self) -> None:
        """Close all descriptors. A terminal that somebody still has hangs up."""
        self._pump.close()
        self._streams.close()

    # -- its parts ---------------------------------------------------------------------------

    def _takes_lines(self) -> bool:
        if self._process is None:
            return True  # as a terminal begins
        terminal = self._streams.asking
        return terminal is not None and terminal.takes_lines()

    def _end_input(self) -> None:
        terminal = self._streams.asking
        if terminal is not None:
            # A terminal has no end to close: this character is one, to a program that reads lines.
            # After an unfinished line the first one only hands over that line.
            self._pump.feed(terminal.end_of_input() * (2 if self._input_line else 1))
        else:
            self._pump.end_feed()

    def _words(self) -> Union[str, list[str]]:
        words = self._command.program
        if self._streams.asking is not None and isinstance(words, list):
            # The leader of a session gets the first terminal that it opens as its own. `Popen` has no
            # step for that, and Python code between fork and exec may hang in a process with threads.
            return ["/bin/sh", "-c", 'exec 3<>"$0" 3>&- && exec "$@"', self._streams.asking.name, *words]
        return words

    def _warn(self, text: str) -> None:
        self._owner.log("WARNING", text, self._command.source)

    def _resize(self) -> None:
        size, self._size = self._size, None
        assert size is not None
        for terminal in self._streams.terminals:
            terminal.resize(size)
        if self._streams.terminals and not self._command.interactive and self._tree is not None:
            self._tree.signal(signal.SIGWINCH)  # no process has it as its own: the kernel tells nobody

    def _take(self, events: list[Event]) -> None:
        for tag, data in events:
            if tag is _EXIT:
                self._exited = True
            elif data:
                if self._keep_tail:
                    self._tail = (self._tail + data)[-_TAIL:]
                if self._command.interactive:
                    self._line = (self._line + data)[-_TAIL:].rpartition(b"\n")[2]
                    self._asked = False
                self._owner.output(tag, data, self._command.source)
        if events and self._watch is not None:
            self._watch.output(time.monotonic())  # after the reader, who may have made us wait
            self._look_at = time.monotonic() + _QUESTION

    def _wait_for(self) -> Optional[float]:
        """Seconds until there is something to do that no event announces."""
        assert self._watch is not None and self._tree is not None
        deadlines = [self._ending.deadline if self._ending.begun else self._watch.deadline]
        if self._command.interactive and not self._asked:
            deadlines.append(self._look_at)
        if reap_adopted(self._tree.root):
            deadlines.append(time.monotonic() + _REAP)
        known = [deadline for deadline in deadlines if deadline is not None]
        return min(max(0.0, min(known) - time.monotonic()), _LONGEST_WAIT) if known else None

    def _send_due(self) -> None:
        number = self._ending.due(time.monotonic())
        if number is not None and self._tree is not None:
            self._tree.signal(number)
            self._ending.sent(time.monotonic())

    def _kill(self) -> None:
        assert self._tree is not None
        self._tree.signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)

    def _exit_code(self) -> Optional[int]:
        assert self._process is not None
        if not self._exited:
            self._lost = "the command could not be ended"
            # Whenever it ends after all, nothing of it is to stay.
            threading.Thread(target=self._process.wait, name=f"wait for {self.pid}", daemon=True).start()
            return None
        if hasattr(os, "waitid"):
            try:
                os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
            except ChildProcessError:  # `Popen` would make an exit code of 0 of it
                self._lost = "how the command ended went to somebody else (SIGCHLD is ignored, or os.wait())"
                self._process.returncode = 0  # there is nothing left to wait for
                return None
        return self._process.wait()

    def _end_the_rest(self) -> None:
        """The command has ended. Where it was told to, so must all that it started."""
        assert self._tree is not None
        while self._ending.begun and self._tree.pids():
            now = time.monotonic()
            if self._ending.given_up(now):
                self._warn("processes of the command could not be ended: " + _listed(self._tree.pids()))
                break
            self._ending.orphaned(now)
            self._send_due()
            if self._ending.exhausted:
                self._kill()  # again: one may have been between two groups, or two processes
            self._take(self._pump.wait(0.01))

    def _linger(self) -> None:
        """Read until all output has ended, or is quiet; with a bound, for who prints all the time."""
        deadline = time.monotonic() + _LINGER_AT_MOST
        while self.holds_output and time.monotonic() < deadline and not self._told_to_end():
            began = time.monotonic()
            events = self._pump.wait(_LINGER)
            if not events and time.monotonic() >= began + _LINGER:
                break
            read = time.monotonic()
            self._take(events)
            deadline += time.monotonic() - read  # a reader that made us wait

    def _told_to_end(self) -> bool:
        """Whether there are still processes to end: then there is no time to wait for their output."""
        return self._ending.begun and self._tree is not None and bool(self._tree.pids())

    def settle(self) -> None:
        """A request to end came when :meth:`run` was about to return: see to it."""
        self._ending.hasten(time.monotonic())
        self._end_the_rest()

    def _ask_if_waiting(self) -> None:
        terminal = self._streams.asking
        if terminal is None or self._asked or self._tree is None:
            return
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + _QUESTION
            self._asked = self._tree.awaits_input(terminal.name, prompted=bool(self._line))
            if self._asked:  # once, until it prints again
                prompt = self._line.decode("utf-8", "replace")
                self._owner.ask(prompt, _SECRET.search(prompt) is not None, self._answer)

    def _answer(self, text: Optional[str]) -> None:
        if text is None:
            self.close_stdin()
        else:
            self.write(text.encode() + b"\n")
        self.call(self._look_again)

    def _look_again(self) -> None:
        self._asked = False
        self._line = b""  # what was typed, and its line end, is not echoed: the next prompt is a new one
        self._look_at = time.monotonic() + _QUESTION


def _listed(pids: list[int]) -> str:
    return ", ".join(map(str, pids))
