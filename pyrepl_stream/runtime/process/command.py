"""Commands: what to run and how, checked completely before anything starts."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import IO, Any, Literal, Optional, Union

from ..errors import CommandNotFoundError, CommandPermissionError, UsageError, WorkingDirectoryError
from ..validation import check_environment, check_path, encode_text, short_repr, suggest
from .windows import shell_command_line

__all__ = ("DEFAULT_SIZE", "Arguments", "Command", "Standard", "check_size")

DEFAULT_SIZE = (40, 120)
"""Rows and columns of a terminal that is not shown: wide enough for the progress bars of most tools."""

STDERR = ("merge", "pty", "pipe")

_MAX_EXTENT = 0xFFFF  # rows or columns: `struct winsize` has unsigned shorts

Arguments = Union[str, Sequence[Union[str, "os.PathLike[str]"]]]
Standard = Union[None, str, bytes, int, IO[Any]]


@dataclass(frozen=True)
class Command:
    """One command to run.

    Args:
        arguments: A list of words, which is executed; or text, which is run by the shell (bash if it is
            installed, else sh).
        pty: Run it on its own terminal, so that programs print as they do for a person. Otherwise its
            output goes through pipes.
        stderr: Where standard error goes: to the same place as standard output (``"merge"``), to
            another terminal (``"pty"``) or to a pipe (``"pipe"``). With two places, the order of the
            messages is the order in which the output is read.
        cwd: Working directory. The default is this process's working directory.
        env: Variables to add to the environment; a variable whose value is None is removed.
        size: Rows and columns of the terminal.
        stdin: None for input that is written later; text or bytes for the whole input (empty: the null
            device); or a file or descriptor that the command inherits.
        interactive: Make the terminal the standard input and the *controlling* terminal, too: programs
            can open ``/dev/tty``, the shell has job control, and the terminal hangs up (SIGHUP) when the
            command ends. Without it there is no controlling terminal, and background processes run on.
        source: Label of the messages.

    Raises:
        CommandNotFoundError: The program does not exist.
        CommandPermissionError: The program may not be executed.
        WorkingDirectoryError: ``cwd`` is not a directory that may be entered.
        UsageError: A value is invalid, or contradicts another one.
    """

    arguments: Arguments
    pty: bool = True
    stderr: Literal["merge", "pty", "pipe"] = "merge"
    cwd: Union[None, str, os.PathLike[str]] = None
    env: Optional[Mapping[str, Optional[str]]] = field(default=None, repr=False)
    size: tuple[int, int] = DEFAULT_SIZE
    stdin: Standard = None
    interactive: bool = False
    source: str = ""

    def __post_init__(self) -> None:
        check_size(self.size)
        if self.stderr not in STDERR:
            raise UsageError(
                f"stderr must be 'merge', 'pty' or 'pipe', not {short_repr(self.stderr)}; "
                f"{suggest(str(self.stderr), STDERR)}"
            )
        if not self.pty and (self.stderr == "pty" or self.interactive):
            option = "stderr='pty'" if self.stderr == "pty" else "interactive=True"
            raise UsageError(f"{option} needs a terminal: leave pty=True")
        if self.interactive and self.stdin is not None:
            raise UsageError(
                "an interactive command reads from its terminal: leave stdin=None and use write()"
            )
        self._check_input()
        if self.env is not None:
            check_environment(self.env)
        self._check_directory()
        self._check_arguments()

    @property
    def stdin_is_file(self) -> bool:
        """True if the command inherits a file or descriptor as its standard input."""
        return self.stdin is not None and not isinstance(self.stdin, (str, bytes))

    @property
    def input(self) -> Optional[bytes]:
        """The whole input; None if it is written later or inherited."""
        if isinstance(self.stdin, str):
            return encode_text("stdin", self.stdin)
        return self.stdin if isinstance(self.stdin, bytes) else None

    @property
    def name(self) -> str:
        """The command as a person would type it."""
        if isinstance(self.arguments, str):
            return self.arguments.strip()
        return subprocess.list2cmdline(self._words())

    @property
    def program(self) -> Union[str, list[str]]:
        """The arguments for :class:`subprocess.Popen`: words, or on Windows a command line."""
        if not isinstance(self.arguments, str):
            return self._words()
        if sys.platform == "win32":
            return shell_command_line(self.arguments)
        return [_shell(), "-c", self.arguments]

    def environment(self, *, terminal: bool, base: Optional[Mapping[str, str]] = None) -> dict[str, str]:
        """Return all environment variables of the command.

        Args:
            terminal: Whether the command runs on a terminal. If so, ``TERM``, ``LINES`` and ``COLUMNS``
                describe the terminal.
            base: The variables to start from. The default is this process's environment.
        """
        given = self.env or {}
        changed = {**(os.environ if base is None else base), **given}
        environment = {name: value for name, value in changed.items() if value is not None}
        if terminal:
            if "TERM" not in given and environment.get("TERM", "dumb") == "dumb":
                environment["TERM"] = "xterm-256color"
            for name, extent in zip(("LINES", "COLUMNS"), self.size):
                if name not in given:
                    environment[name] = str(extent)
        return environment

    def as_json(self) -> dict[str, Any]:
        """Return the command as JSON values, with an absolute ``cwd`` and ``stdin`` as base64.

        Raises:
            UsageError: The command inherits a file, which cannot be sent.
        """
        if self.stdin_is_file:
            raise UsageError(
                "a command in a remote session cannot read a local file: pass its content as stdin"
            )
        return {
            **{one.name: getattr(self, one.name) for one in fields(self)},
            "arguments": self.arguments if isinstance(self.arguments, str) else self._words(),
            "cwd": None if self.cwd is None else os.path.abspath(self.cwd),
            "env": None if self.env is None else dict(self.env),
            "size": list(self.size),
            "stdin": None if self.input is None else base64.b64encode(self.input).decode("ascii"),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Command:
        """Return the command that :meth:`as_json` described; missing fields get their defaults.

        Raises:
            UsageError: A value is invalid. The other errors of :class:`Command` are raised too, since the
                command is checked again, on this machine.
        """
        values = {one.name: record[one.name] for one in fields(cls) if one.name in record}
        if values.get("stdin") is not None:
            values["stdin"] = base64.b64decode(values["stdin"])
        if "size" in values:
            values["size"] = tuple(values["size"])
        return cls(**values)

    def _words(self) -> list[str]:
        return [os.fspath(word) for word in self.arguments]

    def _check_input(self) -> None:
        stdin = self.stdin
        if isinstance(stdin, str):
            encode_text("stdin", stdin)
        elif isinstance(stdin, int) and (isinstance(stdin, bool) or stdin < 0):
            raise UsageError(f"stdin is {stdin!r}, which is not a descriptor; leave it None to write() later")
        elif stdin is not None and not isinstance(stdin, (bytes, int)) and not hasattr(stdin, "fileno"):
            raise UsageError(f"stdin must be text, bytes, a file or a descriptor, not {short_repr(stdin)}")

    def _check_directory(self) -> None:
        if self.cwd is None:
            return
        directory = check_path("cwd", self.cwd)
        if not os.path.isdir(directory):
            problem = "is not a directory" if os.path.exists(directory) else "does not exist"
            raise WorkingDirectoryError(f"cwd {directory!r} {problem}")
        if not os.access(directory, os.X_OK):
            raise WorkingDirectoryError(f"cwd {directory!r} may not be entered")

    def _check_arguments(self) -> None:
        if isinstance(self.arguments, str):
            if not self.arguments.strip():
                raise UsageError("the command is empty")
            _check_text("the command", self.arguments)
            return
        if isinstance(self.arguments, (bytes, os.PathLike)) or not isinstance(self.arguments, Sequence):
            kind = type(self.arguments).__name__
            raise UsageError(f"a command must be text for the shell or a list of words, not {kind}")
        if not self.arguments:
            raise UsageError("the command is empty")
        for index, word in enumerate(self.arguments):
            if not isinstance(word, (str, os.PathLike)) or not isinstance(os.fspath(word), str):
                raise UsageError(
                    f"word {index} of the command must be text or a path, not {short_repr(word)}"
                )
            _check_text(f"word {index} of the command", os.fspath(word))
        self._check_program(self._words()[0])

    def _check_program(self, program: str) -> None:
        if not program:
            raise UsageError("the first word of the command, its program, is empty")
        if os.path.dirname(program):  # relative to the directory in which the command runs
            full = os.path.join(self.cwd or "", program)
            if not os.path.exists(full):
                raise CommandNotFoundError(f"the program {full!r} does not exist")
            if os.path.isdir(full):
                raise CommandPermissionError(f"{full!r} is a directory, not a program")
            if not os.access(full, os.X_OK):
                raise _not_executable(full)
            return
        path = (self.env or {}).get("PATH", os.environ.get("PATH", os.defpath)) or os.defpath
        if shutil.which(program, path=path) is not None:
            return
        for directory in path.split(os.pathsep):
            if os.path.isfile(os.path.join(directory, program)):
                raise _not_executable(os.path.join(directory, program))
        hint = (
            "; a list is not split at spaces: pass one word for each argument, or text for the shell"
            if " " in program
            else ""
        )
        raise CommandNotFoundError(f"the program {program!r} was not found on the PATH{hint}")


def check_size(size: object) -> None:
    """Check the size of a terminal.

    Raises:
        UsageError: ``size`` is not (rows, columns), each from 1 to 65,535.
    """
    if not isinstance(size, (tuple, list)) or len(size) != 2 or not all(map(_is_extent, size)):
        raise UsageError(
            f"size must be (rows, columns), each from 1 to {_MAX_EXTENT:,}, not {short_repr(size)}"
        )


def _is_extent(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= _MAX_EXTENT


def _check_text(what: str, text: str) -> None:
    if "\0" in text:
        raise UsageError(f"{what} contains a NUL character, which cannot be passed to a program")
    encode_text(what, text)


def _not_executable(path: str) -> CommandPermissionError:
    return CommandPermissionError(f"{path!r} is not executable; run chmod +x on it")


def _shell() -> str:
    """Return the shell for commands given as text: bash, for which cells are written, or else sh."""
    return "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh"
