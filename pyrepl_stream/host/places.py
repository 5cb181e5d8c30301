"""Where sessions live on a machine: sockets and locks in one directory, what is to last in another.

Both are the user's alone (mode 0700, checked with ``lstat``, so that nobody else can have planted them).
Sockets are not under ``XDG_RUNTIME_DIR``, which a log-out removes, and have short names: a path of more
than 107 bytes cannot be bound (``unix(7)``). ``PYREPL_STREAM_RUNTIME_DIR`` and
``PYREPL_STREAM_STATE_DIR`` name other places.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
import stat
from dataclasses import dataclass

from ..errors import UnsafePathError, UsageError

__all__ = (
    "SessionPlace",
    "check_execution_id",
    "check_session_name",
    "private_directory",
    "runtime_directory",
    "sessions_directory",
)

_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_LONGEST_SOCKET = 107  # bytes


def check_execution_id(execution_id: object) -> str:
    """Raises :class:`UsageError` unless it is 1 to 64 of ``A-Z a-z 0-9 _ . -``, the first none of ``. -``."""
    return _checked("an execution id", execution_id)


def check_session_name(name: object) -> str:
    """As :func:`check_execution_id`, for the name of a session."""
    return _checked("the name of a session", name)


def _checked(what: str, value: object) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise UsageError(
            f"{value!r} is no {what.split(' ', 1)[1]}: it has 1 to 64 letters, digits, `_`, `.` or `-`, "
            "and begins with a letter, a digit or `_`"
        )
    return value


def private_directory(path: str, *, make: bool = True) -> str:
    """Make ``path``, and what is above it, if need be. Raises :class:`UnsafePathError` if it is not ours.

    Without ``make`` one that is not there is as good: nothing can be found in it.
    """
    try:
        if not os.path.lexists(path):
            if not make:
                return path
            _make(path)
        found = os.lstat(path)
    except OSError as exc:
        raise UnsafePathError(f"{path!r} cannot be made: {exc.strerror}") from exc
    if not stat.S_ISDIR(found.st_mode):
        raise UnsafePathError(f"{path!r} is no directory{_WAY_OUT}")
    if found.st_uid != os.geteuid():
        raise UnsafePathError(f"{path!r} belongs to another user (uid {found.st_uid}){_WAY_OUT}")
    if stat.S_IMODE(found.st_mode) & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        raise UnsafePathError(f"{path!r} is open to others (mode {mode:04o}): chmod 0700 it{_WAY_OUT}")
    return path


def _make(path: str) -> None:
    """And what is above it, for the user alone, too (as the XDG base directory specification has it)."""
    parent = os.path.dirname(path)
    if parent != path and not os.path.lexists(parent):
        _make(parent)
    with contextlib.suppress(FileExistsError):  # somebody else was faster
        os.mkdir(path, 0o700)


_WAY_OUT = (
    "; remove it, or set PYREPL_STREAM_RUNTIME_DIR (sockets) or PYREPL_STREAM_STATE_DIR (records) to a "
    "directory of your own"
)


def runtime_directory(*, make: bool = True) -> str:
    """The directory of sockets and locks. Raises :class:`UnsafePathError`."""
    path = os.environ.get("PYREPL_STREAM_RUNTIME_DIR") or f"/tmp/pyrepl-stream-{os.geteuid()}"
    path = os.path.abspath(path)
    if len(os.fsencode(path)) + len("/0123456789abcdef.socket") > _LONGEST_SOCKET:
        raise UnsafePathError(f"{path!r} is too long: the path of a socket has at most {_LONGEST_SOCKET}")
    return private_directory(path, make=make)


def sessions_directory(*, make: bool = True) -> str:
    """The directory of the records of this machine's sessions. Raises :class:`UnsafePathError`."""
    state = os.environ.get("PYREPL_STREAM_STATE_DIR")
    if not state:
        home = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
        state = os.path.join(home, "pyrepl-stream")
    state = private_directory(os.path.abspath(state), make=make)
    # Home directories may be shared by machines, and what runs on another one cannot be seen from here.
    return private_directory(os.path.join(state, _machine()), make=make)


def _machine() -> str:
    known = ""
    for path in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        try:
            with open(path, encoding="ascii", errors="replace") as file:
                known = file.read().strip()
            break
        except OSError:
            continue
    return _digest(f"{known} {socket.gethostname()}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


@dataclass(frozen=True)
class SessionPlace:
    """The paths of one session. Raises :class:`UsageError` for a name that is none."""

    name: str

    def __post_init__(self) -> None:
        check_session_name(self.name)

    @property
    def key(self) -> str:
        """16 hex digits."""
        return _digest(self.name)

    @property
    def socket(self) -> str:
        """Where the host listens."""
        return os.path.join(runtime_directory(make=False), f"{self.key}.socket")

    @property
    def start_lock(self) -> str:
        """Locked (``flock``) by who looks for the host and starts it if need be."""
        return os.path.join(runtime_directory(make=False), f"{self.key}.start")

    @property
    def records(self) -> str:
        """Where the session's records are, if there are any."""
        return os.path.join(sessions_directory(make=False), self.key)

    @property
    def directory(self) -> str:
        """The same, made if need be."""
        return private_directory(os.path.join(sessions_directory(), self.key))

    @property
    def host_lock(self) -> str:
        """Locked by the host as long as it lives, and by who writes into its records when it does not.

        It lies with them: what is in the directory of sockets may be removed, or be elsewhere.
        """
        return os.path.join(self.records, "host.lock")

    def execution(self, execution_id: str) -> str:
        """The directory of one execution's spool; it need not exist. Raises :class:`UsageError`."""
        return os.path.join(self.directory, check_execution_id(execution_id))
