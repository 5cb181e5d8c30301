"""``pyrepl-stream run [options] -- COMMAND ...``: runs one command and shows it live. POSIX only."""

from __future__ import annotations

import argparse
import os
import queue
import signal
import termios
import threading
from typing import Any

from ..config.argument_types import parse_assignment
from ..execution import ProcessExecution
from ..local.processes import launch
from ..message_stream import MessageStream
from ..runtime.errors import CommandNotFoundError, CommandPermissionError, LineTooLongError, UsageError
from ..runtime.process.command import DEFAULT_SIZE, Command
from ..runtime.process.idle import IdlePolicy
from ..runtime.process.limits import Limits
from ..runtime.process.pty import Pty, open_pty
from ..runtime.process.runner import ProcessRunner
from ..runtime.process.termination import DEFAULT_GRACE
from ..runtime.process.tree import adopt_orphans
from .console import BROKEN_PIPE, FAILED, INPUT, NOT_EXECUTABLE, NOT_FOUND, TIMED_OUT, Console
from .output import add_options, has_cursor, processors_of
from .parser import Parser, add_command, parse_activity, parse_grace, parse_size
from .show import Show

_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_GRACE = 1.0  # seconds for this process to end by itself when a signal arrives after the command's end
_READ = 4096  # bytes

_DESCRIPTION = """\
Run COMMAND on a terminal of its own and pass on its output live, byte for byte. SIGINT, SIGTERM, SIGHUP and
SIGQUIT go to the command and everything it started. A limit leaves no process running."""

_EPILOG = """\
exit code: that of the command, or 128 + N after signal N; 2: wrong options; 124: --timeout or --idle-timeout;
125: pyrepl-stream failed; 126: COMMAND is not executable; 127: COMMAND was not found;
141: the reader of the output is gone, and the command was killed"""


def add_to(subparsers: Any) -> None:
    """Add the parser of this subcommand."""
    usage = "-- COMMAND [ARGUMENT ...]"
    summary = "run a command and show its output live"
    parser = add_command(subparsers, "run", main, usage, summary, _DESCRIPTION, _EPILOG)
    add = parser.add_argument
    add("--shell", action="store_true", help="COMMAND is one text, which the shell runs")
    add("--interactive", action="store_true", help="pass keys on to the command's terminal")
    add("--no-tty", action="store_true", help="run on pipes instead of a terminal")
    add(
        "--stderr",
        choices=("merge", "pty", "pipe"),
        help="send stderr to stdout, a second terminal, or a pipe (default: merge; pipe with --no-tty)",
    )
    add(
        "--size",
        type=parse_size,
        metavar="ROWSxCOLUMNS",
        help="size of the terminal (default: that of this terminal)",
    )
    add("--cwd", metavar="PATH", help="working directory")
    parser.add_list("--env", "NAME=VALUE", "environment variable", type=parse_assignment)
    parser.add_seconds("--timeout", "end the command after that time")
    parser.add_seconds("--idle-timeout", "end the command after that time without activity")
    add(
        "--activity",
        type=parse_activity,
        metavar="KINDS",
        help="what counts as activity: output,files,process (default: output, and files with --watch)",
    )
    parser.add_list("--watch", "PATH", "count changes to this file or folder as activity")
    parser.add_seconds("--watch-interval", "time between two checks of --watch (default: 5)", default=5.0)
    add(
        "--grace",
        type=parse_grace,
        default=DEFAULT_GRACE,
        metavar="INT,TERM,KILL",
        help="seconds after SIGINT, SIGTERM and SIGKILL for the command to end (default: 2,2,1)",
    )
    add("--source", default="", metavar="LABEL", help="source of the messages, for --json and --prefix")
    add("--verbose", action="store_true", help="report on stderr what runs and how it ended")
    add_options(parser)


def main(arguments: argparse.Namespace) -> int:
    """Run the command and return the exit code."""
    parser: Parser = arguments.parser
    _check(arguments, parser)
    console = Console()
    try:
        return _Runner(arguments, console).run()
    except (CommandNotFoundError, CommandPermissionError) as exc:
        console.report(str(exc))
        return NOT_FOUND if isinstance(exc, CommandNotFoundError) else NOT_EXECUTABLE
    except UsageError as exc:
        parser.error(str(exc))
    except Exception as exc:
        console.report(f"{type(exc).__name__}: {exc}")
        return FAILED


def _check(arguments: argparse.Namespace, parser: Parser) -> None:
    """Exit with code 2 if options cannot be combined."""
    error = parser.error
    if not arguments.command:
        error("give a command after `--`, as in: pyrepl-stream run -- make -j4")
    if arguments.shell and len(arguments.command) > 1:
        error("--shell takes one text: put the command in quotes")
    needs_terminal = {
        "--interactive": arguments.interactive,
        "--stderr pty": arguments.stderr == "pty",
        "--size": arguments.size is not None,
    }
    for option, given in needs_terminal.items():
        if given and arguments.no_tty:
            error(f"{option} requires a terminal: leave out --no-tty")
    if arguments.interactive:
        for name in ("filter", "exclude", "prefix", "color", "format", "progress"):
            if getattr(arguments, name):
                error(f"--{name} cannot change the output of an interactive command: leave out --interactive")
    if "files" in (arguments.activity or ()) and not arguments.watch:
        error("--activity files requires --watch PATH")
    if arguments.watch and arguments.activity is not None and "files" not in arguments.activity:
        error("--watch requires `files` in --activity")
    if arguments.idle_timeout is None and (arguments.watch or arguments.activity):
        error("--watch and --activity require --idle-timeout")


class _Runner:
    """One run. The main thread shows messages; other threads pass input and signals on to the command."""

    def __init__(self, arguments: argparse.Namespace, console: Console) -> None:
        self._arguments = arguments
        self._console = console
        self._follows = not arguments.no_tty and arguments.size is None and console.size() is not None
        # The handlers only put into this queue, because they may interrupt a thread that holds a lock.
        self._signals: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._finished = threading.Event()
        self._view = Show(console, as_json=arguments.json, cursor=has_cursor())
        self._failed = False

    def run(self) -> int:
        """Run the command and return the exit code.

        Raises:
            UsageError: The command cannot be started.
        """
        adopt_orphans()
        self._install_handlers()
        runner, name = self._runner()  # with the current size: later changes arrive as signals
        try:
            if self._arguments.interactive:
                self._console.enter_raw()
            options = self._arguments
            execution = launch(
                runner,
                name,
                processors=processors_of(options, size=self._size(), title=name),
                streaming=not options.no_streaming,
            )
            stream = execution.attach()
            self._spawn(self._forward_signals, execution)
            if options.interactive:
                self._spawn(self._forward_input, execution)
            if options.verbose and execution.pid is not None:
                self._console.report(f"pid {execution.pid}: {name}")
            return self._show_all(execution, stream)
        finally:
            self._view.close()
            self._console.restore()
            self._finished.set()

    # -- the main thread ---------------------------------------------------------------------

    def _install_handlers(self) -> None:
        """Handle signals until this process ends, so that no signal interrupts it."""
        for number in _FORWARDED:
            if signal.getsignal(number) != signal.SIG_IGN:  # under `nohup` the command ignores it too
                signal.signal(number, self._on_signal)
        if self._follows:
            signal.signal(signal.SIGWINCH, self._on_signal)
        if self._arguments.interactive and os.isatty(INPUT):
            signal.signal(signal.SIGCONT, self._on_signal)

    def _on_signal(self, number: int, frame: object) -> None:
        self._signals.put(number)

    def _runner(self) -> tuple[ProcessRunner, str]:
        options = self._arguments
        # LINES and COLUMNS would not follow the size of the user's terminal, and programs would prefer them.
        environment: dict[str, str | None] = {"LINES": None, "COLUMNS": None} if self._follows else {}
        command = Command(
            options.command[0] if options.shell else options.command,
            pty=not options.no_tty,
            stderr=options.stderr or ("pipe" if options.no_tty else "merge"),
            cwd=options.cwd,
            env={**environment, **dict(options.env)},
            size=self._size(),
            stdin=None if options.interactive else INPUT,
            interactive=options.interactive,
            source=options.source,
        )
        idle = IdlePolicy(options.idle_timeout, options.activity, options.watch, options.watch_interval)
        limits = Limits(options.timeout, idle, options.grace)
        terminal = self._open_like_ours if options.interactive else open_pty
        return ProcessRunner(command, limits=limits, open_pty=terminal), command.name

    def _size(self) -> tuple[int, int]:
        return self._arguments.size or self._console.size() or DEFAULT_SIZE

    def _open_like_ours(self, size: tuple[int, int]) -> Pty:
        """Open a terminal with the original modes of the user's terminal, which is in raw mode now."""
        terminal = open_pty(size)
        modes = self._console.modes()
        if modes is not None and terminal.slave is not None:
            termios.tcsetattr(terminal.slave, termios.TCSANOW, modes)
        return terminal

    def _show_all(self, execution: ProcessExecution, stream: MessageStream) -> int:
        try:
            while (messages := stream.receive()) is not None:
                self._view.show(messages)
        except BaseException as exc:
            execution.kill()
            while stream.receive() is not None:
                pass  # until the command, and everything it started, has ended
            if not isinstance(exc, BrokenPipeError):
                raise
            return BROKEN_PIPE
        return self._exit_code()

    def _exit_code(self) -> int:
        complete = self._view.complete
        if complete is None:
            self._view.report("the command ended, but its status is missing")
            return FAILED
        timed_out = complete.status == "timeout"
        if self._arguments.verbose:
            end = complete.error or f"the command exited with {complete.exit_code}"
            self._view.report(f"{end}, after {complete.duration:.2f} s")
        elif timed_out and not self._arguments.json:
            self._view.report(complete.error or complete.status)
        if self._failed:
            return FAILED
        if timed_out:
            return TIMED_OUT
        if complete.exit_code is None:
            self._view.report(complete.error or complete.status)
            return FAILED
        return complete.exit_code

    # -- in separate threads -----------------------------------------------------------------

    def _spawn(self, function: Any, execution: ProcessExecution) -> None:
        threading.Thread(target=function, args=(execution,), name=function.__name__, daemon=True).start()

    def _forward_signals(self, execution: ProcessExecution) -> None:
        while True:
            number = self._signals.get()
            try:
                if number in _FORWARDED:
                    execution.send_signal(number)
                    continue
                if number == signal.SIGCONT:
                    self._console.enter_raw()
                size = self._console.size()
                if self._follows and size is not None:
                    execution.resize(*size)
            except UsageError:  # the command has ended
                if number in _FORWARDED and not self._finished.wait(_GRACE):
                    self._console.restore()
                    os._exit(128 + number)  # the output is no longer read, so the main thread cannot end

    def _forward_input(self, execution: ProcessExecution) -> None:
        if execution.pid is None:
            return  # the command was not started: leave the input unread
        try:
            while data := self._read_input():
                execution.write(data)
            execution.close_stdin()
        except LineTooLongError as exc:
            self._failed = True
            self._console.report(f"the input was not delivered: {exc}")
            execution.interrupt()
        except UsageError:
            pass  # the command has closed its input, or has ended

    def _read_input(self) -> bytes:
        try:
            return os.read(INPUT, _READ)
        except OSError:  # EIO: the terminal has hung up
            return b""
