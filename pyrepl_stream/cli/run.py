"""``pyrepl-stream run [options] -- COMMAND ...``: one command, live, ended whole. POSIX only."""

from __future__ import annotations

import argparse
import os
import queue
import signal
import termios
import threading
from typing import Any, NoReturn

from ..errors import CommandNotFoundError, CommandPermissionError, LineTooLongError, UsageError
from ..message_stream import MessageStream
from ..process.activity import Idle
from ..process.body import ProcessBody
from ..process.command import DEFAULT_SIZE, Command
from ..process.ending import DEFAULT_GRACE
from ..process.run import ProcessExecution, launch
from ..process.terminal import Terminal, open_terminal
from ..process.tree import adopt_orphans
from . import parser as parsing
from .console import INPUT, Console
from .output import add_options, has_cursor, processors_of
from .parser import Parser
from .show import Show

__all__ = ("add_to", "main")

_TIMED_OUT = 124  # as of timeout(1)
_FAILED = 125  # we, not the command
_MAY_NOT = 126
_NOT_FOUND = 127
_NOBODY_READS = 128 + 13  # what the shell reports of a program that SIGPIPE ended

_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_PATIENCE = 1.0  # seconds that our own end may take when a signal finds no command any more
_READ = 4096

_DESCRIPTION = """\
Run COMMAND on a terminal of its own and pass on its output, live and byte for byte. SIGINT, SIGTERM,
SIGHUP and SIGQUIT go to the command and all that it started. Where a limit ends it, nothing of it is left."""

_EPILOG = """\
exit code: the command's; 128 + N: ended by signal N; 124: a limit (--timeout, --idle-timeout);
125: pyrepl-stream itself failed; 126, 127: COMMAND may not be executed, is not there; 141: nobody
read our output any more, and the command was killed; 2: wrong options"""


def add_to(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "run",
        help="run a command, live",
        usage="%(prog)s [options] -- COMMAND [ARGUMENT ...]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.takes_command = True
    parser.set_defaults(parser=parser, main=main)
    add = parser.add_argument
    add("--shell", action="store_true", help="COMMAND is one text for the shell")
    add("--interactive", action="store_true", help="the command's input is its terminal; keys go there")
    add("--no-tty", action="store_true", help="pipes instead of a terminal")
    add(
        "--stderr",
        choices=("merge", "pty", "pipe"),
        help="to stdout, a terminal or a pipe of its own (default: merge; pipe with --no-tty)",
    )
    add("--size", type=parsing.size, metavar="ROWSxCOLUMNS", help="of the terminal (default: that of ours)")
    add("--cwd", metavar="PATH", help="run it there")
    add(
        "--env",
        type=parsing.variable,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a variable; may be repeated",
    )
    add("--timeout", type=parsing.seconds, metavar="SECONDS", help="end it after that time")
    add("--idle-timeout", type=parsing.seconds, metavar="SECONDS", help="end it when nothing happens so long")
    add(
        "--activity",
        type=parsing.kinds,
        metavar="KINDS",
        help="what counts as life, of output,files,process (default: output, and files with --watch)",
    )
    add(
        "--watch",
        action="append",
        default=[],
        metavar="PATH",
        help="changes of this file or folder count as life; may be repeated",
    )
    add("--watch-interval", type=parsing.seconds, default=5.0, metavar="SECONDS", help="between two looks")
    add(
        "--grace",
        type=parsing.grace,
        default=DEFAULT_GRACE,
        metavar="INT,TERM,KILL",
        help="seconds that each of these signals gets to end it (default: 2,2,1)",
    )
    add("--source", default="", metavar="LABEL", help="label of the messages, for --json")
    add("--verbose", action="store_true", help="say on stderr what runs and how it ended")
    add_options(parser)


def main(arguments: argparse.Namespace) -> int:
    parser: Parser = arguments.parser
    _check(arguments, parser)
    console = Console()
    try:
        return _Runner(arguments, console).run()
    except CommandNotFoundError as exc:
        console.say(str(exc))
        return _NOT_FOUND
    except CommandPermissionError as exc:
        console.say(str(exc))
        return _MAY_NOT
    except UsageError as exc:
        parser.error(str(exc))
    except Exception as exc:
        console.say(f"{type(exc).__name__}: {exc}")
        return _FAILED


def _check(arguments: argparse.Namespace, parser: Parser) -> None:
    """What options mean together. Exits with 2."""
    error = parser.error
    if not arguments.command:
        error("there is no command: it goes behind `--`, as in: pyrepl-stream run -- make -j4")
    if arguments.shell and len(arguments.command) > 1:
        error("--shell takes one text: put the command in quotes")
    if arguments.no_tty:
        for given, option in (
            (arguments.interactive, "--interactive"),
            (arguments.stderr == "pty", "--stderr pty"),
            (arguments.size is not None, "--size"),
        ):
            if given:
                error(f"{option} needs a terminal: leave out --no-tty")
    if arguments.interactive:
        for name in ("filter", "exclude", "prefix", "color", "format", "progress"):
            if getattr(arguments, name):
                error(f"--{name} needs output that can be held and changed: leave out --interactive")
    if "files" in (arguments.activity or ()) and not arguments.watch:
        error("--activity files needs --watch PATH")
    if arguments.watch and arguments.activity is not None and "files" not in arguments.activity:
        error("--watch is of no use: --activity does not name files")
    if arguments.idle_timeout is None and (arguments.watch or arguments.activity):
        error("--watch and --activity say what --idle-timeout looks at: give it too")


class _Runner:
    """One run. The main thread shows messages; others lead input and signals to the command."""

    def __init__(self, arguments: argparse.Namespace, console: Console) -> None:
        self._arguments = arguments
        self._console = console
        self._follows = not arguments.no_tty and arguments.size is None and console.size() is not None
        # Handlers only leave word here: they may interrupt a thread that holds a lock.
        self._signals: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._finished = threading.Event()
        self._view = Show(console, as_json=arguments.json, cursor=has_cursor())
        self._failed = False

    def run(self) -> int:
        """The exit code. Raises :class:`UsageError`."""
        adopt_orphans()
        self._take_signals()
        body, name = self._body()  # with the size as it is now: later changes come as signals
        try:
            if self._arguments.interactive:
                self._console.enter_raw()
            options = self._arguments
            execution = launch(
                body,
                name,
                timeout=options.timeout,
                processors=processors_of(options, size=self._size(), title=name),
                streaming=not options.no_streaming,
            )
            stream = execution.attach()
            self._spawn(self._forward_signals, execution)
            if options.interactive:
                self._spawn(self._forward_input, execution)
            if options.verbose and execution.pid is not None:
                self._console.say(f"pid {execution.pid}: {name}")
            return self._show_all(execution, stream)
        finally:
            self._view.close()
            self._console.restore()
            self._finished.set()

    # -- the main thread ---------------------------------------------------------------------

    def _take_signals(self) -> None:
        """From now on; they are not given back, as none is to break off the end of this process."""
        for number in _FORWARDED:
            if signal.getsignal(number) != signal.SIG_IGN:  # as of `nohup`: the command ignores it too
                signal.signal(number, self._on_signal)
        if self._follows:
            signal.signal(signal.SIGWINCH, self._on_signal)
        if self._arguments.interactive and os.isatty(INPUT):
            signal.signal(signal.SIGCONT, self._on_signal)

    def _on_signal(self, number: int, frame: object) -> None:
        self._signals.put(number)

    def _body(self) -> tuple[ProcessBody, str]:
        options = self._arguments
        environment: dict[str, str | None] = {}
        if self._follows:
            # They would stay as they are when our terminal's size changes, and are believed first.
            environment.update(LINES=None, COLUMNS=None)
        environment.update(options.env)
        command = Command(
            options.command[0] if options.shell else options.command,
            pty=not options.no_tty,
            stderr=options.stderr or ("pipe" if options.no_tty else "merge"),
            cwd=options.cwd,
            env=environment,
            size=self._size(),
            stdin=None if options.interactive else INPUT,
            interactive=options.interactive,
            source=options.source,
        )
        idle = Idle(
            options.idle_timeout,
            activity=options.activity,
            watch=options.watch,
            interval=options.watch_interval,
        )
        terminal = self._open_like_ours if options.interactive else open_terminal
        return ProcessBody(command, grace=options.grace, idle=idle, open_terminal=terminal), command.name

    def _size(self) -> tuple[int, int]:
        return self._arguments.size or self._console.size() or DEFAULT_SIZE

    def _open_like_ours(self, size: tuple[int, int]) -> Terminal:
        """Ours is raw meanwhile, so the command's terminal has to echo keys and to end lines as ours did."""
        terminal = open_terminal(size)
        modes = self._console.modes()
        if modes is not None and terminal.slave is not None:
            termios.tcsetattr(terminal.slave, termios.TCSANOW, modes)
        return terminal

    def _show_all(self, execution: ProcessExecution, stream: MessageStream) -> int:
        try:
            while (messages := stream.receive()) is not None:
                self._view.show(messages)
        except BrokenPipeError:
            _end(execution, stream)
            return _NOBODY_READS
        except BaseException:
            _end(execution, stream)
            raise
        return self._exit_code()

    def _exit_code(self) -> int:
        complete = self._view.complete
        if complete is None:
            self._view.say("the run ended without a word of how")
            return _FAILED
        timed_out = complete.status == "timeout"
        if self._arguments.verbose:
            how = complete.error or f"the command exited with {complete.exit_code}"
            self._view.say(f"{how}, after {complete.duration:.2f} s")
        elif timed_out and not self._arguments.json:
            self._view.say(complete.error or complete.status)
        if self._failed:
            return _FAILED
        if timed_out:
            return _TIMED_OUT
        if complete.exit_code is None:
            self._view.say(complete.error or complete.status)
            return _FAILED
        return complete.exit_code

    # -- threads of their own ----------------------------------------------------------------

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
                if number in _FORWARDED and not self._finished.wait(_PATIENCE):
                    self._leave(128 + number)  # whoever reads our output has stopped to

    def _leave(self, code: int) -> NoReturn:
        self._console.restore()
        os._exit(code)

    def _forward_input(self, execution: ProcessExecution) -> None:
        if execution.pid is None:
            return  # it could not be started: what was typed is not for it
        try:
            while data := self._read_input():
                execution.write(data)
            execution.close_stdin()
        except LineTooLongError as exc:
            self._failed = True
            self._console.say(f"the input is not delivered: {exc}")
            execution.interrupt()
        except UsageError:
            pass  # the command reads no more, or has ended

    def _read_input(self) -> bytes:
        try:
            return os.read(INPUT, _READ)
        except OSError:  # EIO: our terminal has hung up
            return b""


def _end(execution: ProcessExecution, stream: MessageStream) -> None:
    """Kill all of it, and wait until it is gone."""
    execution.kill()
    while stream.receive() is not None:
        pass
