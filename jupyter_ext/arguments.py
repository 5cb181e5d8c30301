"""The options of ``%%remote_stream``."""

from __future__ import annotations

import argparse
import difflib
import keyword
import math
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

from IPython.core.error import UsageError

from pyrepl_stream import add_output_options, target_schemes

__all__ = ("Arguments", "add_look_options", "parse", "option_names", "help_text", "python_name", "SCHEMES")


@dataclass(frozen=True)
class Arguments:
    """One call of the magic, checked."""

    target: str = "local:"
    shell: bool = False
    detach: bool = False
    job: str | None = None
    fresh: bool = False
    timeout: float | None = None
    out: str | None = None
    no_raise: bool = False
    plain: bool = False
    height: int | None = None
    wrap: bool = False
    no_progress: bool = False
    verbose: bool = False
    no_streaming: bool = False
    # What is done to the output:
    filter: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    prefix: str | None = None
    color: str | None = None
    format: str | None = None
    progress: bool = False
    record: str | None = None
    events: str | None = None
    # Of a session that is to start, or of a command:
    python: str | None = None
    cwd: str | None = None
    env: tuple[tuple[str, str], ...] = ()
    # Of commands only:
    profile: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    no_tty: bool = False
    interactive: bool = False
    idle_timeout: float | None = None
    watch: tuple[str, ...] = ()

    @property
    def in_thread(self) -> bool:
        """Whether it runs in this process, and ends with it."""
        return self.target.startswith("thread:")

    @property
    def is_command(self) -> bool:
        return self.shell or self.profile is not None


_OF_COMMANDS = ("no_tty", "interactive", "idle_timeout", "watch")
_OF_SESSIONS = ("job", "fresh", "python")
SCHEMES = (*(f"{scheme}:" for scheme in target_schemes()), "thread:")


class _Parser(argparse.ArgumentParser):
    """An argument parser that raises instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\nusage: {' '.join(self.format_usage().split()[1:])}")


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return value


def python_name(text: str) -> str:
    if not text.isidentifier() or keyword.iskeyword(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a name that Python code could use")
    return text


def _rows(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of rows, 1 to 1000")
    return int(text)


def add_look_options(parser: argparse.ArgumentParser) -> None:
    """How output is shown, whatever it is of."""
    add = parser.add_argument
    add("--plain", action="store_true", help="show the output as plain text, and not in a live area")
    add("--height", type=_rows, metavar="ROWS", help="rows of the live area")
    add("--wrap", action="store_true", help="wrap long lines in the live area")
    add("--no-progress", action="store_true", help="show progress bars as they are drawn, among the text")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _parser() -> _Parser:
    parser = _Parser(prog="%%remote_stream", add_help=False, allow_abbrev=False)
    add = parser.add_argument
    add(
        "target",
        nargs="?",
        default=None,
        metavar="TARGET",
        help="where to run: `local:` (default) or `local:NAME` is a session of this machine, with a "
        "namespace of its own, that outlives the kernel; `thread:` is a thread that shares the "
        "notebook's namespace (the default of --profile), `thread:NAME` one with a namespace of its own",
    )
    add("--shell", action="store_true", help="run the cell by the shell, on a terminal of its own")
    add("--detach", action="store_true", help="return at once; the output comes to this cell all the same")
    add(
        "--as",
        dest="job",
        metavar="JOB",
        help="make it a job of that name, which runs once: to run the cell again, in any kernel, shows all "
        "of its output",
    )
    add("--fresh", action="store_true", help="end and forget the job of that name, and run it anew")
    add("--timeout", type=_seconds, metavar="SECONDS", help="end the run after that time, with an error")
    add(
        "--out",
        type=python_name,
        metavar="NAME",
        help="bind the execution to NAME at the start: NAME.stdout, NAME.result, NAME.status, "
        "NAME.interrupt(), NAME.write() to a command; it keeps all output",
    )
    add("--no-raise", action="store_true", help="show a failure, but do not fail the cell")
    add_look_options(parser)
    add("--verbose", action="store_true", help="say what is run, and how it ended")
    add("--no-streaming", action="store_true", help="show the output at the end, all at once")
    output = parser.add_argument_group("what is done to the output (%config RemoteStream has the defaults)")
    add_output_options(output)
    output.add_argument(
        "--events",
        type=python_name,
        metavar="NAME",
        help="bind a list to NAME at the start; events go there, as they come, and not into the cell",
    )
    _add_session_options(parser.add_argument_group("of a session that is to start, or of a command"))
    commands = parser.add_argument_group("with --shell or --profile")
    add = commands.add_argument
    add("--no-tty", action="store_true", help="run the command on pipes, its stderr apart")
    add(
        "--interactive",
        action="store_true",
        help="give the command the terminal for its input too; the cell asks when the command does",
    )
    add(
        "--idle-timeout",
        type=_seconds,
        metavar="SECONDS",
        help="end a command that prints nothing, and changes nothing under --watch, for that time",
    )
    add("--watch", action="append", default=[], metavar="PATH", help="a file or folder (again for more)")
    add(
        "--profile",
        metavar="NAME",
        help="run the tool of that profile (`claude`, `cline`, or one of your profiles.toml) with the cell "
        "as its prompt",
    )
    add(
        "--set",
        dest="options",
        action="append",
        default=[],
        type=_pair,
        metavar="NAME=VALUE",
        help="an option of the profile, such as model=NAME",
    )
    return parser


def _add_session_options(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--python",
        metavar="PATH",
        help="the session's interpreter: a path, or the name of a conda environment; nothing of ours "
        "has to be installed there",
    )
    add("--cwd", metavar="DIRECTORY", help="where to run")
    add("--env", action="append", default=[], type=_pair, metavar="NAME=VALUE", help="add to its environment")


def option_names() -> list[str]:
    """All options, as they are typed."""
    return [option for action in _parser()._actions for option in action.option_strings]


def help_text() -> str:
    return _parser().format_help()


def parse(line: str) -> Arguments:
    """Raises IPython's :class:`UsageError`, which shows its text without a traceback."""
    parser = _parser()
    try:
        words = shlex.split(line, comments=True)
    except ValueError as exc:
        raise UsageError(f"%%remote_stream: {exc}: {line!r}") from None
    values, unknown = parser.parse_known_args(words)
    if unknown:
        known = option_names() if unknown[0].startswith("-") else list(SCHEMES)
        word = unknown[0].split("=")[0]
        near = [name for name in known if name.startswith(word)]
        near = near or difflib.get_close_matches(word, known, 1, 0.5)
        hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"
        parser.error(f"%%remote_stream does not know {unknown[0]}{hint}")
    lists = {name: tuple(value) for name, value in vars(values).items() if isinstance(value, list)}
    target = values.target or ("thread:" if values.profile is not None else "local:")
    arguments = Arguments(**{**vars(values), **lists, "target": target})
    _check(arguments, parser)
    return arguments


def _check(arguments: Arguments, parser: _Parser) -> None:
    if not arguments.target.startswith(SCHEMES):
        near = difflib.get_close_matches(arguments.target, SCHEMES, 1, 0.6)
        hint = f"did you mean {near[0]}?" if near else f"known are {' and '.join(SCHEMES)}"
        raise UsageError(f"%%remote_stream does not know the target {arguments.target!r}; {hint}")
    if (arguments.prefix or "").startswith(SCHEMES):
        parser.error(f"--prefix takes {arguments.prefix!r} as its template: put the target before it")
    if arguments.options and arguments.profile is None:
        parser.error("--set is for --profile NAME")
    if arguments.fresh and arguments.job is None:
        parser.error("--fresh is for a job: add --as JOB")
    for name in _given(arguments, _OF_SESSIONS) if arguments.in_thread else ():
        parser.error(f"{name} needs a session that outlives the kernel: leave out {arguments.target}")
    if not arguments.is_command:
        for name in _given(arguments, _OF_COMMANDS):
            parser.error(f"{name} is for commands: add --shell")
        for name in _given(arguments, ("cwd", "env")) if arguments.in_thread else ():
            parser.error(f"{name} is for commands: add --shell, or leave out {arguments.target}")
    if arguments.progress and arguments.no_progress:
        parser.error("--progress and --no-progress say the opposite")
    if arguments.no_tty and arguments.interactive:
        parser.error("--interactive needs a terminal: leave out --no-tty")


def _given(arguments: Arguments, names: Iterable[str]) -> list[str]:
    """Those that were given, as they are typed."""
    typed = {"job": "as"}
    return [f"--{typed.get(name, name).replace('_', '-')}" for name in names if getattr(arguments, name)]
