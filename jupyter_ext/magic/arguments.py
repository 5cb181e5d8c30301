"""The options of ``%%remote_stream``."""

from __future__ import annotations

import argparse
import keyword
import shlex
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any, NoReturn

from IPython.core.error import UsageError

from pyrepl_stream.config import parse_assignment, parse_seconds
from pyrepl_stream.processors import add_output_options
from pyrepl_stream.runtime.validation import suggest
from pyrepl_stream.targets import target_schemes

SCHEMES = (*(f"{scheme}:" for scheme in target_schemes()), "thread:")
"""The allowed beginnings of a target."""
_RENAMED = {"--no-progress": "--raw-bars", "--set": "--option"}
"""Deprecated options, with their current names."""
_OF_COMMANDS = ("no_tty", "interactive", "idle_timeout", "watch")
_OF_SESSIONS = ("job", "fresh", "python")


def python_name(text: str) -> str:
    """Return ``text``, a name that Python code can use."""
    if not text.isidentifier() or keyword.iskeyword(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a valid Python name")
    return text


def _rows(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of rows from 1 to 1000")
    return int(text)


# -- the options: dataclass fields, made by these functions ------------------------------------


def _flag(meaning: str) -> Any:
    return field(default=False, metadata={"action": "store_true", "help": meaning})


def _value(metavar: str, meaning: str, **details: Any) -> Any:
    """Declare an option with a value; ``details`` are arguments of ``add_argument``, or ``option``."""
    return field(default=None, metadata={"metavar": metavar, "help": meaning, **details})


def _values(metavar: str, meaning: str, **details: Any) -> Any:
    details = {"action": "append", "default": [], "metavar": metavar, **details}
    return field(default=(), metadata={"help": f"{meaning}; may be repeated", **details})


@dataclass(frozen=True)
class _RunArguments:
    """How the cell runs. ``timeout`` is in seconds."""

    target: str = ""
    shell: bool = _flag("run the cell with the shell, on a terminal of its own")
    detach: bool = _flag("return at once; the output keeps coming to this cell")
    job: str | None = _value(
        "JOB",
        "make the cell a job that runs once: running the cell again, in any kernel, attaches to the job "
        "and shows all of its output",
        option="--as",
    )
    fresh: bool = _flag(
        "with --as: if the job has ended, run it again; its record is replaced, the namespace is kept"
    )
    timeout: float | None = _value(
        "SECONDS", "end the run after that time, with an error", type=parse_seconds
    )
    out: str | None = _value(
        "NAME",
        "bind the execution to NAME when it starts: NAME.stdout, NAME.result, NAME.status, await NAME, "
        "NAME.interrupt(), for a command NAME.write(); all output is retained",
        type=python_name,
    )
    no_raise: bool = _flag("show a failure without failing the cell")
    verbose: bool = _flag("show what runs and how it ended")
    no_streaming: bool = _flag("show the output only at the end")


@dataclass(frozen=True)
class DisplayArguments:
    """How the cell shows the output."""

    plain: bool = _flag("show plain text instead of a live area")
    height: int | None = _value("ROWS", "height of the live area in rows", type=_rows)
    wrap: bool = _flag("wrap long lines in the live area")
    raw_bars: bool = _flag("show progress bars as the program draws them, in the text")


@dataclass(frozen=True)
class OutputArguments:
    """Changes to the output: the options that the command line has too, and ``--events``."""

    # Declared by `add_output_options`:
    filter: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    prefix: str | None = None
    color: str | None = None
    format: str | None = None
    progress: bool = False
    record: str | None = None
    events: str | None = _value(
        "NAME", "append events to the list NAME as they arrive, instead of showing them", type=python_name
    )


@dataclass(frozen=True)
class _SessionArguments:
    """Options for starting a session, or for a command."""

    python: str | None = _value(
        "PATH",
        "interpreter of the session: a path, or the name of a conda environment; nothing has to be "
        "installed there",
    )
    cwd: str | None = _value("DIRECTORY", "working directory")
    env: tuple[tuple[str, str], ...] = _values("NAME=VALUE", "environment variable", type=parse_assignment)


@dataclass(frozen=True)
class _CommandArguments:
    """The options that require ``--shell`` or ``--profile``."""

    no_tty: bool = _flag("run on pipes instead of a terminal, with a separate stderr")
    interactive: bool = _flag("let the command read from its terminal; the cell asks when the command does")
    idle_timeout: float | None = _value(
        "SECONDS",
        "end a command that prints nothing, and changes nothing at --watch, for that time",
        type=parse_seconds,
    )
    watch: tuple[str, ...] = _values("PATH", "file or folder for --idle-timeout to watch")
    profile: str | None = _value(
        "NAME",
        "run the tool of a profile (`claude`, `cline`, `codex`, `gemini`, or one in profiles.toml), with the "
        "cell as its prompt",
    )
    options: tuple[tuple[str, str], ...] = _values(
        "NAME=VALUE", "option of the profile, such as model=NAME", option="--option", type=parse_assignment
    )


@dataclass(frozen=True)
class Arguments(_CommandArguments, _SessionArguments, OutputArguments, DisplayArguments, _RunArguments):
    """The options of one call of the magic, checked."""

    @property
    def in_thread(self) -> bool:
        """True when the cell runs in a thread of this process, and ends with it."""
        return self.target.startswith("thread:")

    @property
    def is_command(self) -> bool:
        """True when the cell is a command, and not Python code."""
        return self.shell or self.profile is not None


# -- the parser --------------------------------------------------------------------------------


class MagicParser(argparse.ArgumentParser):
    """An argument parser that raises IPython's ``UsageError`` instead of ending the process."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"add_help": False, "allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        """Raise the error. IPython shows its text, without a traceback."""
        raise UsageError(f"{self.prog}: {message}\n{' '.join(self.format_usage().split())}")

    def reject(self, words: list[str]) -> None:
        """Raise the error for the first word that the parser does not know, if there is one."""
        for word in words:
            if not word.startswith("-"):
                self.error(f"unexpected argument {word!r}")
            option = word.partition("=")[0]
            self.error(f"unknown option {option}; {suggest(option, self._option_string_actions, cutoff=0.5)}")


def split(line: str, magic: str) -> list[str]:
    """Return the words of a magic's line, with the current names of renamed options.

    Args:
        line: The line, as it was typed after the magic's name.
        magic: The magic's name, for messages.

    Raises:
        UsageError: A quotation is not closed.
    """
    try:
        words = shlex.split(line, comments=True)
    except ValueError as exc:
        raise UsageError(f"{magic}: {exc}: {line!r}") from None
    return [_current(word, magic) for word in words]


def _current(word: str, magic: str) -> str:
    name, equals, value = word.partition("=")
    if name not in _RENAMED:
        return word
    message = f"{name} is deprecated: use {_RENAMED[name]}"
    # Warn as if from the cell: Python and IPython show deprecations only in user code.
    warnings.warn_explicit(message, DeprecationWarning, magic, 1, module="__main__")
    return f"{_RENAMED[name]}{equals}{value}"


def add_options(parser: argparse._ActionsContainer, kind: type[Any]) -> None:
    """Add the options that the fields of a dataclass declare."""
    for declared in fields(kind):
        details = dict(declared.metadata)
        option = details.pop("option", f"--{declared.name.replace('_', '-')}")
        if details:
            parser.add_argument(option, dest=declared.name, **details)


_PARSER = MagicParser(prog="%%remote_stream")
_PARSER.add_argument(
    "target",
    nargs="?",
    default="",
    metavar="TARGET",
    help="where the cell runs. `local:` (default) or `local:NAME`: a session on this machine with a "
    "namespace of its own, which outlives the kernel. `thread:`: a thread of the kernel, with the "
    "notebook's namespace (default with --profile). `thread:NAME`: a thread with a namespace of its own",
)
add_options(_PARSER, _RunArguments)
add_options(_PARSER, DisplayArguments)
_OUTPUT = _PARSER.add_argument_group("output (`%config RemoteStream` sets the defaults)")
add_output_options(_OUTPUT)
add_options(_OUTPUT, OutputArguments)
add_options(_PARSER.add_argument_group("commands and new sessions"), _SessionArguments)
add_options(_PARSER.add_argument_group("commands (with --shell or --profile)"), _CommandArguments)


def option_names() -> list[str]:
    """Return all options, as the user types them."""
    return list(_PARSER._option_string_actions)


def help_text() -> str:
    """Return the help of ``%%remote_stream``."""
    return _PARSER.format_help()


def parse(line: str) -> Arguments:
    """Return the options in ``line``.

    Raises:
        UsageError: The options are not valid. This is IPython's error, shown without a traceback.
    """
    values, unknown = _PARSER.parse_known_args(split(line, _PARSER.prog))
    _PARSER.reject(unknown)
    values.target = values.target or ("local:" if values.profile is None else "thread:")
    given: dict[str, Any] = vars(values)
    given |= {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
    arguments = Arguments(**given)
    _check(arguments)
    return arguments


def _check(arguments: Arguments) -> None:
    """Raise ``UsageError`` for options that cannot be combined."""
    if not arguments.target.startswith(SCHEMES):
        hint = suggest(arguments.target, SCHEMES)
        raise UsageError(f"{_PARSER.prog}: unknown target {arguments.target!r}; {hint}")
    if (arguments.prefix or "").startswith(SCHEMES):
        _PARSER.error(f"--prefix takes {arguments.prefix!r} as its template: put the target first")
    if arguments.options and arguments.profile is None:
        _PARSER.error("--option requires --profile NAME")
    if arguments.fresh and arguments.job is None:
        _PARSER.error("--fresh requires --as JOB")
    for name in _given(arguments, _OF_SESSIONS) if arguments.in_thread else ():
        _PARSER.error(f"{name} requires a session that outlives the kernel: leave out {arguments.target}")
    if not arguments.is_command:
        for name in _given(arguments, _OF_COMMANDS):
            _PARSER.error(f"{name} requires a command: add --shell")
        for name in _given(arguments, ("cwd", "env")) if arguments.in_thread else ():
            _PARSER.error(f"{name} requires a command: add --shell, or leave out {arguments.target}")
    if arguments.progress and arguments.raw_bars:
        _PARSER.error("--progress and --raw-bars exclude each other")
    if arguments.no_tty and arguments.interactive:
        _PARSER.error("--interactive requires a terminal: leave out --no-tty")


def _given(arguments: Arguments, names: Iterable[str]) -> list[str]:
    """Return the options among ``names`` that were given, as the user types them."""
    typed = {"job": "as"}
    return [f"--{typed.get(name, name).replace('_', '-')}" for name in names if getattr(arguments, name)]
