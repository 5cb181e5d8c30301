"""The options of ``%%remote_stream``."""

from __future__ import annotations

import argparse
import difflib
import shlex
from dataclasses import dataclass
from typing import NoReturn

from IPython.core.error import UsageError

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
    if not text.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is not a name that Python code could use")
    return text


def _parser() -> _Parser:
    parser = _Parser(prog="%%remote_stream", add_help=False, allow_abbrev=False)
    parser.add_argument(
        "target",
        nargs="?",
        default="thread:",
        metavar="TARGET",
        help="where to run: `thread:` (default) is a thread that shares the notebook's namespace, "
        "`thread:NAME` a thread session with a namespace of its own",
    )
    parser.add_argument("--shell", action="store_true", help="run the cell by the shell, in a child process")
    parser.add_argument(
        "--detach", action="store_true", help="return at once; the output comes to this cell all the same"
    )
    parser.add_argument(
        "--timeout", type=_seconds, metavar="SECONDS", help="end the run after that time, with an error"
    )
    parser.add_argument(
        "--out",
        type=_name,
        metavar="NAME",
        help="bind the execution to NAME at the start: NAME.stdout, NAME.result, NAME.status, "
        "NAME.interrupt(); it keeps all output",
    )
    parser.add_argument("--no-raise", action="store_true", help="show a failure, but do not fail the cell")
    parser.add_argument("--plain", action="store_true", help="show the output as plain text")
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
        near = difflib.get_close_matches(unknown[0].split("=")[0], known, 1, 0.5)
        hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"
        parser.error(f"%%remote_stream does not know {unknown[0]}{hint}")
    arguments = Arguments(**vars(values))
    if not arguments.target.startswith("thread:"):
        near = difflib.get_close_matches(arguments.target, ["thread:"], 1, 0.6)
        hint = f"did you mean {near[0]}?" if near else "known are thread: and thread:NAME"
        raise UsageError(f"%%remote_stream does not know the target {arguments.target!r}; {hint}")
    return arguments
