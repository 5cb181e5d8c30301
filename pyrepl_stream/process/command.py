"""What to run, and how: checked whole before anything starts."""

from __future__ import annotations

import difflib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Optional, Union

from ..errors import CommandNotFoundError, CommandPermissionError, UsageError, WorkingDirectoryError

__all__ = ("Command", "Arguments", "Standard", "DEFAULT_SIZE")

DEFAULT_SIZE = (40, 120)
"""Rows and columns of a terminal that nobody sees: wide enough for the bars that tools draw."""

_LARGEST = 0xFFFF  # of rows and columns: `struct winsize` has unsigned shorts

Arguments = Union[str, Sequence[Union[str, "os.PathLike[str]"]]]
Standard = Union[None, str, bytes, int, IO[Any]]


@dataclass(frozen=True)
class Command:
    """One command: a list is executed, a string goes through the shell (bash where it is, else sh).

    ``pty`` gives it a terminal of ``size`` (rows, columns) for its output; ``stderr`` goes to the same
    place (``"merge"``), to a terminal of its own (``"pty"``) or to a pipe (``"pipe"``), and order over
    two places is as they are read. ``env`` is added to this process's environment; None as a value takes
    a variable away. ``source`` labels the messages.

    ``stdin``: None is a pipe that is written to, and closed, by whoever runs the command; text or bytes
    are fed to it and then it ends (nothing at all is the null device); a file or descriptor is handed
    over. ``interactive`` puts it on the terminal, which then is the *controlling* terminal: programs can
    open ``/dev/tty``, the shell has job control, and the terminal hangs up (SIGHUP) when the command
    ends. Otherwise there is none, and what runs on in the background is not hung up.

    Raises :class:`CommandNotFoundError`, :class:`CommandPermissionError`,
    :class:`WorkingDirectoryError`, and :class:`UsageError` for what makes no sense.
    """

    arguments: Arguments
    pty: bool = True
    stderr: str = "merge"
    cwd: Union[None, str, os.PathLike[str]] = None
    env: Optional[Mapping[str, Optional[str]]] = field(default=None, repr=False)
    size: tuple[int, int] = DEFAULT_SIZE
    stdin: Standard = None
    interactive: bool = False
    source: str = ""

    def __post_init__(self) -> None:
        check_size(self.size)
        if self.stderr not in ("merge", "pty", "pipe"):
            near = difflib.get_close_matches(str(self.stderr), ["merge", "pty", "pipe"], 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise UsageError(f"stderr is {self.stderr!r}, but must be 'merge', 'pty' or 'pipe'{hint}")
        if not self.pty and (self.stderr == "pty" or self.interactive):
            what = "stderr='pty'" if self.stderr == "pty" else "interactive=True"
            raise UsageError(f"{what} needs a terminal: leave pty=True")
        if self.interactive and self.stdin is not None:
            raise UsageError("an interactive command reads from its terminal: leave stdin=None, use write()")
        self._check_input()
        self._check_environment()
        self._check_directory()
        self._check_arguments()

    @property
    def stdin_is_file(self) -> bool:
        """Whether a file or descriptor is handed over as standard input."""
        return self.stdin is not None and not isinstance(self.stdin, (str, bytes))

    @property
    def name(self) -> str:
        """The command as a person would name it."""
        if isinstance(self.arguments, str):
            return self.arguments.strip()
        return subprocess.list2cmdline(self._words())

    @property
    def program(self) -> Union[str, list[str]]:
        """What is executed (on Windows a command of the shell is one text)."""
        if not isinstance(self.arguments, str):
            return self._words()
        if sys.platform == "win32":
            return f'{os.environ.get("COMSPEC", "cmd.exe")} /c "{self.arguments}"'
        return [_shell(), "-c", self.arguments]

    def environment(self, *, terminal: bool, base: Optional[Mapping[str, str]] = None) -> dict[str, str]:
        """All variables that the command gets; ``base`` in place of those of this process now."""
        environment = dict(os.environ if base is None else base)
        for name, value in (self.env or {}).items():
            if value is None:
                environment.pop(name, None)
            else:
                environment[name] = value
        if terminal:
            rows, columns = self.size
            given = self.env or {}
            if "TERM" not in given and environment.get("TERM", "dumb") == "dumb":
                environment["TERM"] = "xterm-256color"
            environment.update(
                {k: v for k, v in (("LINES", str(rows)), ("COLUMNS", str(columns))) if k not in given}
            )
        return environment

    def _words(self) -> list[str]:
        return [os.fspath(word) for word in self.arguments]

    def _check_input(self) -> None:
        stdin = self.stdin
        if isinstance(stdin, str):
            encodable("stdin", stdin)
        elif isinstance(stdin, int) and (isinstance(stdin, bool) or stdin < 0):
            raise UsageError(f"stdin is {stdin!r}, which is no descriptor: None is a pipe to write() to")
        elif stdin is not None and not isinstance(stdin, (bytes, int)) and not hasattr(stdin, "fileno"):
            kind = type(stdin).__name__
            raise UsageError(f"stdin must be text, bytes, a file or a descriptor, not {kind}")

    def _check_environment(self) -> None:
        if self.env is not None and not isinstance(self.env, Mapping):
            raise UsageError(f"env is {self.env!r}, but must be a mapping of names to values")
        for name, value in (self.env or {}).items():
            if not isinstance(name, str) or not name or "=" in name or "\0" in name:
                raise UsageError(f"{name!r} is no name of an environment variable")
            if value is not None and (not isinstance(value, str) or "\0" in value):
                raise UsageError(f"the environment variable {name} cannot be {value!r}: text without NUL")
            encodable(f"the environment variable {name!r}", f"{name}={value}")

    def _check_directory(self) -> None:
        if self.cwd is None:
            return
        if not isinstance(self.cwd, (str, os.PathLike)):
            raise UsageError(f"cwd is {self.cwd!r}, but must be a path")
        directory = os.fspath(self.cwd)
        if not isinstance(directory, str) or "\0" in directory:
            raise UsageError(f"cwd is {directory!r}, but must be a path without NUL")
        if not os.path.isdir(directory):
            what = "is no directory" if os.path.exists(directory) else "does not exist"
            raise WorkingDirectoryError(f"cwd {directory!r} {what}")
        if not os.access(directory, os.X_OK):
            raise WorkingDirectoryError(f"cwd {directory!r} may not be entered")

    def _check_arguments(self) -> None:
        if isinstance(self.arguments, str):
            if not self.arguments.strip():
                raise UsageError("the command is empty")
            if "\0" in self.arguments:
                raise UsageError("the command has a NUL character, which no program can be given")
            encodable("the command", self.arguments)
            return
        if isinstance(self.arguments, (bytes, os.PathLike)) or not isinstance(self.arguments, Sequence):
            kind = type(self.arguments).__name__
            raise UsageError(f"a command is text for the shell or a list of words, not {kind}")
        if not self.arguments:
            raise UsageError("the command is empty")
        for place, word in enumerate(self.arguments):
            if not isinstance(word, (str, os.PathLike)) or not isinstance(os.fspath(word), str):
                raise UsageError(f"word {place} of the command is {word!r}: words are text or paths")
            if "\0" in os.fspath(word):
                raise UsageError(f"word {place} of the command has a NUL character, which no program can get")
            encodable(f"word {place} of the command", os.fspath(word))
        self._check_program(self._words()[0])

    def _check_program(self, program: str) -> None:
        if not program:
            raise UsageError("the command's first word, its program, is empty")
        if os.path.dirname(program):  # a path is meant from where the command runs
            full = os.path.join(self.cwd or "", program)
            if not os.path.exists(full):
                raise CommandNotFoundError(f"there is no program {full!r}")
            if os.path.isdir(full) or not os.access(full, os.X_OK):
                what = "is a directory" if os.path.isdir(full) else "may not be executed (chmod +x?)"
                raise CommandPermissionError(f"{full!r} {what}")
            return
        path = (self.env or {}).get("PATH", os.environ.get("PATH", os.defpath)) or os.defpath
        if shutil.which(program, path=path) is not None:
            return
        for directory in path.split(os.pathsep):
            if os.path.isfile(os.path.join(directory, program)):
                raise CommandPermissionError(
                    f"{os.path.join(directory, program)!r} may not be executed (chmod +x?)"
                )
        raise CommandNotFoundError(f"there is no program {program!r} on the PATH{_hint(program)}")


def encodable(what: str, text: str) -> bytes:
    """``text`` as bytes for a program. Raises :class:`UsageError` for what has no bytes."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as exc:
        raise UsageError(f"{what} has {text[exc.start]!r}, half of a character, which has no bytes") from None


def check_size(size: object) -> None:
    """Raises :class:`UsageError` unless ``size`` is (rows, columns), each from 1 to 65,535."""
    if not isinstance(size, (tuple, list)) or len(size) != 2 or not all(_is_extent(n) for n in size):
        raise UsageError(f"size is {size!r}, but must be (rows, columns), each from 1 to {_LARGEST:,}")


def _is_extent(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= _LARGEST


def _hint(program: str) -> str:
    if " " in program:
        return ": a list is not split at spaces; give one word for each argument, or a string for the shell"
    return ""


def _shell() -> str:
    """The user's shell is for typing; cells are written for bash, or else for sh."""
    return "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh"
