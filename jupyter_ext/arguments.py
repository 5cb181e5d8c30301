"""The options of ``%%remote_stream``."""

from __future__ import annotations

import argparse
import difflib
import keyword
import shlex
from dataclasses import dataclass
from typing import NoReturn

from IPython.core.error import UsageError

from pyrepl_stream import add_output_options

__all__ = ("Arguments", "parse", "option_names", "help_text")


@dataclass(frozen=True)
class Arguments:
    """One call of the magic, checked."""

    target: str = "thread:"
    shell: bool = False
    detach: bool = False
    timeout: float | None = None
    out: str | None = None
    no_raise: bool = False
    plain: bool = False
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
    # Of commands only:
    profile: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    no_tty: bool = False
    interactive: bool = False
    idle_timeout: float | None = None
    watch: tuple[str, ...] = ()
    cwd: str | None = None
    env: tuple[tuple[str, str], ...] = ()


_OF_COMMANDS = ("no_tty", "interactive", "idle_timeout", "watch", "cwd", "env")


class _Parser(argparse.ArgumentParser):
    """An argument parser that raises instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\nusage: {' '.join(self.format_usage().split()[1:])}")


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(text)
    return value


def _name(text: str) -> str:
    if not text.isidentifier() or keyword.iskeyword(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a name that Python code could use")
    return text


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
        default="thread:",
        metavar="TARGET",
        help="where to run: `thread:` (default) is a thread that shares the notebook's namespace, "
        "`thread:NAME` a thread session with a namespace of its own",
    )
    add("--shell", action="store_true", help="run the cell by the shell, on a terminal of its own")
    add("--detach", action="store_true", help="return at once; the output comes to this cell all the same")
    add("--timeout", type=_seconds, metavar="SECONDS", help="end the run after that time, with an error")
    add(
        "--out",
        type=_name,
        metavar="NAME",
        help="bind the execution to NAME at the start: NAME.stdout, NAME.result, NAME.status, "
        "NAME.interrupt(), NAME.write() to a command; it keeps all output",
    )
    add("--no-raise", action="store_true", help="show a failure, but do not fail the cell")
    add("--plain", action="store_true", help="show the output as plain text")
    add("--verbose", action="store_true", help="say what is run, and how it ended")
    add("--no-streaming", action="store_true", help="show the output at the end, all at once")
    output = parser.add_argument_group("what is done to the output (%config RemoteStream has the defaults)")
    add_output_options(output)
    output.add_argument(
        "--events",
        type=_name,
        metavar="NAME",
        help="bind a list to NAME at the start; events go there, as they come, and not into the cell",
    )
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
    add("--cwd", metavar="DIRECTORY", help="where to run the command")
    add("--env", action="append", default=[], type=_pair, metavar="NAME=VALUE", help="add to its environment")
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
        known = option_names() if unknown[0].startswith("-") else ["thread:"]
        word = unknown[0].split("=")[0]
        near = [name for name in known if name.startswith(word)]
        near = near or difflib.get_close_matches(word, known, 1, 0.5)
        hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"
        parser.error(f"%%remote_stream does not know {unknown[0]}{hint}")
    lists = {name: tuple(value) for name, value in vars(values).items() if isinstance(value, list)}
    arguments = Arguments(**{**vars(values), **lists})
    _check(arguments, parser)
    return arguments


def _check(arguments: Arguments, parser: _Parser) -> None:
    if not arguments.target.startswith("thread:"):
        near = difflib.get_close_matches(arguments.target, ["thread:"], 1, 0.6)
        hint = f"did you mean {near[0]}?" if near else "known are thread: and thread:NAME"
        raise UsageError(f"%%remote_stream does not know the target {arguments.target!r}; {hint}")
    if (arguments.prefix or "").startswith("thread:"):
        parser.error(f"--prefix takes {arguments.prefix!r} as its template: put the target before it")
    if arguments.options and arguments.profile is None:
        parser.error("--set is for --profile NAME")
    if not arguments.shell and arguments.profile is None:
        given = [name for name in _OF_COMMANDS if getattr(arguments, name)]
        if given:
            parser.error(f"--{given[0].replace('_', '-')} is for commands: add --shell")
    if arguments.no_tty and arguments.interactive:
        parser.error("--interactive needs a terminal: leave out --no-tty")
