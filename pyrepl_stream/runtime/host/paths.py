"""The files of sessions: sockets in one directory; records, options and locks in another.

Both directories belong to the user alone: their mode is 0700, and ``lstat`` is used to check that no
other user has created them. Sockets are not under ``XDG_RUNTIME_DIR``, which is removed at log-out, and
their names are short because a path of more than 107 bytes cannot be bound (``unix(7)``). The environment
variables ``PYREPL_STREAM_RUNTIME_DIR`` and ``PYREPL_STREAM_STATE_DIR`` select other directories.

The options of a session are saved with its records, so that it can be restarted with the same options. They
are not passed on the command line of its host, which every user of the machine can read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Optional

from ..errors import InsecurePathError, UsageError
from ..fields import from_record
from ..journal.disk import Disk, check_directory, hidden, read_own
from ..validation import check_environment, check_identifier, check_path, check_seconds, short_repr

__all__ = (
    "HostOptions",
    "SessionPaths",
    "check_execution_id",
    "load_options",
    "private_directory",
    "runtime_directory",
    "save_options",
    "sessions_directory",
)

_LONGEST_SOCKET = 107  # maximum length of a socket's path, in bytes
_LOCK, _LOG, _OPTIONS = "host.lock", "host.log", "session.json"
_FILES = {_LOCK, _LOG, _OPTIONS}  # beside the directories of executions
_LEAST = 1 << 20  # minimum retention, in bytes


def check_execution_id(execution_id: object) -> str:
    """Return ``execution_id`` if it is valid (see :func:`check_identifier`); raise UsageError otherwise."""
    if execution_id in _FILES:
        raise UsageError(f"{execution_id!r} is reserved for a file of the session: use another execution id")
    return check_identifier("execution id", execution_id)


def private_directory(path: str, *, make: bool = True) -> str:
    """Return ``path`` after checking that it is a directory that only this user can access.

    Args:
        path: An absolute path.
        make: Create the directory and its parents if they do not exist. If False, a path that does
            not exist passes the check.

    Raises:
        InsecurePathError: The directory cannot be created, or other users can access it.
    """
    try:
        if not os.path.lexists(path):
            if not make:
                return path
            _make(path)
        check_directory(path)
    except InsecurePathError as exc:
        raise InsecurePathError(f"{exc}{_WAY_OUT}") from None
    except OSError as exc:
        raise InsecurePathError(f"the directory {path!r} cannot be created: {exc.strerror}") from exc
    return path


def _make(path: str) -> None:
    """Create ``path`` and its parents with mode 0700, as the XDG base directory specification requires."""
    parent = os.path.dirname(path)
    if parent != path and not os.path.lexists(parent):
        _make(parent)
    with contextlib.suppress(FileExistsError):  # another process has just created it
        os.mkdir(path, 0o700)


_WAY_OUT = (
    ", or set PYREPL_STREAM_RUNTIME_DIR (sockets) or PYREPL_STREAM_STATE_DIR (records) to a "
    "directory of your own"
)


def runtime_directory(*, make: bool = True) -> str:
    """Return the directory of sockets. Raises :class:`InsecurePathError`.

    If another user has taken the name in ``/tmp``, it is a directory beside the records. All processes follow
    this rule, and a host moves its socket when the result changes (see :func:`launch.connect_or_start`).
    """
    path = os.environ.get("PYREPL_STREAM_RUNTIME_DIR", "")
    if not path:
        path = f"/tmp/pyrepl-stream-{os.geteuid()}"
        if _is_taken(path):
            path = os.path.join(sessions_directory(make=make), "run")
    path = os.path.abspath(path)
    if len(os.fsencode(path)) + len("/0123456789abcdef.socket") > _LONGEST_SOCKET:
        raise InsecurePathError(
            f"{path!r} is too long: the path of a socket in it would exceed {_LONGEST_SOCKET} bytes; set "
            "PYREPL_STREAM_RUNTIME_DIR to a shorter path"
        )
    return private_directory(path, make=make)


def _is_taken(path: str) -> bool:
    """Return True if ``path`` belongs to another user."""
    try:
        return os.lstat(path).st_uid != os.geteuid()
    except FileNotFoundError:
        return False


def sessions_directory(*, make: bool = True) -> str:
    """Return the directory of the records of this machine's sessions. Raises :class:`InsecurePathError`."""
    state = os.environ.get("PYREPL_STREAM_STATE_DIR")
    if not state:
        home = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
        state = os.path.join(home, "pyrepl-stream")
    state = private_directory(os.path.abspath(state), make=make)
    # Machines can share a home directory, but the hosts on other machines cannot be reached from here.
    return private_directory(os.path.join(state, _machine()), make=make)


def _machine() -> str:
    for path in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        with contextlib.suppress(OSError), open(path, encoding="ascii", errors="replace") as file:
            return _digest(f"{file.read().strip()} {socket.gethostname()}")
    return _digest(f" {socket.gethostname()}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


@dataclass(frozen=True)
class SessionPaths:
    """The paths of one session. Raises :class:`UsageError` if ``name`` is not a valid session name."""

    name: str

    def __post_init__(self) -> None:
        check_identifier("session name", self.name)

    @property
    def key(self) -> str:
        """The name under which the session's files are stored: 16 hexadecimal digits."""
        return _digest(self.name)

    @property
    def socket(self) -> str:
        """The Unix socket on which the host listens."""
        return os.path.join(runtime_directory(make=False), f"{self.key}.socket")

    @property
    def start_lock(self) -> str:
        """The file that a process locks (``flock``) while it looks for the host and starts one if needed.

        It is stored beside the records because the directory of sockets can be removed or replaced.
        """
        return os.path.join(sessions_directory(make=False), f"{self.key}.start")

    @property
    def records(self) -> str:
        """The directory of the session's records, which need not exist."""
        return os.path.join(sessions_directory(make=False), self.key)

    @property
    def directory(self) -> str:
        """The directory of the session's records, created if needed."""
        return private_directory(os.path.join(sessions_directory(), self.key))

    @property
    def host_lock(self) -> str:
        """The file that a host locks while it runs, and any other process while it changes the records.

        It is stored with the records because the directory of sockets can be removed or replaced.
        """
        return os.path.join(self.records, _LOCK)

    @property
    def host_log(self) -> str:
        """The file that contains what the last host printed, such as its errors."""
        return os.path.join(self.directory, _LOG)

    def execution(self, execution_id: str) -> str:
        """Return the directory of an execution's spool, which need not exist. Raises :class:`UsageError`."""
        return os.path.join(self.directory, check_execution_id(execution_id))


@dataclass(frozen=True)
class HostOptions:
    """Options of a session.

    Args:
        name: The name of the session.
        python: The interpreter of the worker; empty for the one that runs the host.
        cwd: The working directory of the worker; None for ``/``.
        env: Changes to the worker's environment; a value of None removes the variable.
        idle_timeout: Seconds without a client and without an execution after which the host ends.
        retention: Bytes of output of each execution that are kept on disk, at least 1 MiB.
        keep: Seconds for which the record of an ended execution is kept.

    Raises:
        UsageError: A value is not valid.
    """

    name: str
    python: str = ""
    cwd: Optional[str] = None
    env: Optional[Mapping[str, Optional[str]]] = None
    idle_timeout: float = 86400.0
    retention: int = 4 << 30
    keep: float = 14 * 86400.0

    def __post_init__(self) -> None:
        check_identifier("session name", self.name)
        check_path("python", self.python)
        check_path("cwd", self.cwd or "")
        check_seconds("idle_timeout", self.idle_timeout)
        check_seconds("keep", self.keep)
        if isinstance(self.retention, bool) or not isinstance(self.retention, int) or self.retention < _LEAST:
            raise UsageError(
                f"retention must be a whole number of bytes, at least {_LEAST} (1 MiB), "
                f"not {short_repr(self.retention)}"
            )
        if self.env is not None:
            check_environment(self.env)


def load_options(directory: str) -> Optional[HostOptions]:
    """Return the options saved in a session's directory of records; None if they cannot be read."""
    try:
        return from_record(HostOptions, json.loads(read_own(os.path.join(directory, _OPTIONS))))
    except (OSError, InsecurePathError, ValueError, TypeError, RecursionError):
        return None


def save_options(paths: SessionPaths, options: HostOptions) -> None:
    """Save the options of a session that is about to be started. Raises OSError."""
    if load_options(paths.records) != options:  # no write if unchanged: the disk may be full
        path = os.path.join(paths.directory, _OPTIONS)
        Disk().replace_file(path, hidden(path, "new"), json.dumps(asdict(options)).encode("ascii"))
