"""Find the host of a session, or start it: detached, once, however many ask for it at the same time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, BinaryIO, Optional

from ..errors import SessionClosedError, TargetError, UsageError
from ..journal.disk import Disk
from ..process.tree import MARK
from . import pack
from .options import HostOptions, save_options, saved_options
from .places import SessionPlace, private_directory, sessions_directory

__all__ = (
    "connect",
    "connect_or_start",
    "host_lives",
    "host_pid",
    "host_lock",
    "peer_is_ours",
    "start_lock",
    "worker_command",
)

_START = 30.0  # seconds: an interpreter on a slow disk, with eight others
_LEAVING = 5.0  # seconds that a host which listens no more has to end
_POLL = 0.02
_OLDEST = (3, 9)  # version of the far end
_BACKLOG = 128

# What a child of `python -c` does first. Nothing that lies in the working directory may be taken for a
# module of ours, or of the standard library, so that directory comes back to the path only afterwards.
_BOOT = """\
import sys
from importlib import import_module
place, package, *words = sys.argv[1:]
kept = sys.path[:]
sys.path[:] = [path for path in kept if path] + [place]
main = import_module(package + ".host.__main__").main
sys.path[:] = kept
sys.argv[:] = [""]
main(*words)
"""


# -- finding -------------------------------------------------------------------------------------


def connect(place: SessionPlace) -> Optional[socket.socket]:
    """A connection to the session's host; None when there is none. Raises :class:`TargetError`."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(place.socket)
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    except OSError as exc:
        connection.close()
        raise TargetError(f"the host of session {place.name!r} cannot be reached: {exc}") from exc
    if not peer_is_ours(connection):
        connection.close()
        raise TargetError(f"who listens on {place.socket} is another user")
    return connection


def peer_is_ours(connection: socket.socket) -> bool:
    """Whether the other end of a Unix socket is a process of this user (where the system tells)."""
    if hasattr(socket, "SO_PEERCRED"):
        found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return bool(struct.unpack("3i", found)[1] == os.geteuid())
    return True  # the directory of the socket is closed to others


def host_lives(place: SessionPlace) -> bool:
    """Whether the session has a host, be it one that does not answer."""
    try:
        descriptor = os.open(place.host_lock, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _lock(descriptor, fcntl.LOCK_SH)  # shared: others may look at the same time
    finally:
        os.close(descriptor)


def host_pid(place: SessionPlace) -> Optional[int]:
    """The process of the host that lives; None where it has not said so yet."""
    try:
        with open(place.host_lock, "rb") as file:
            return int(file.read(32))
    except (OSError, ValueError):
        return None


@contextlib.contextmanager
def host_lock(place: SessionPlace, seconds: float = 0.0) -> Iterator[bool]:
    """Hold the lock that a host holds as long as it lives; False when it is not to be had in time."""
    with _locked(place.host_lock, seconds) as held:
        yield held


@contextlib.contextmanager
def start_lock(place: SessionPlace, seconds: float = 0.0) -> Iterator[bool]:
    """The same for the lock of who starts the host."""
    with _locked(place.start_lock, seconds) as held:
        yield held


@contextlib.contextmanager
def _locked(path: str, seconds: float) -> Iterator[bool]:
    deadline = time.monotonic() + seconds
    while True:
        private_directory(os.path.dirname(path))
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue  # the directory has just been removed, with the session
        try:
            if _lock(descriptor):
                if not _is_at(path, descriptor):
                    continue  # who had it has removed it: it is no lock any more
                with contextlib.suppress(OSError):  # a full disk
                    os.ftruncate(descriptor, 0)
                    os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)  # for who has to end it by hand
                yield True
                return
            if time.monotonic() >= deadline:
                yield False
                return
        finally:
            os.close(descriptor)
        time.sleep(_POLL)


def _lock(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(path: str, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


# -- starting ------------------------------------------------------------------------------------


def connect_or_start(place: SessionPlace, given: Mapping[str, Any], *, start: bool = True) -> socket.socket:
    """A connection to the session's host, which is started where there is none. Waits, up to 30 s.

    ``given`` are fields of :class:`HostOptions` that the caller wants. The others are as they were, when the
    host was killed. Without ``start`` a session that is not there any more is not made anew: a host is
    only started to serve the records. Raises :class:`TargetError`, :class:`UsageError` for options without
    sense, :class:`SessionClosedError` and :class:`UnsafePathError`.
    """
    connection = connect(place)
    if connection is not None:
        return connection
    given = _checked(place, given)
    _check_there(place, start)
    with start_lock(place, _START) as held:
        if not held:
            raise TargetError(f"session {place.name!r} is being started elsewhere, and does not come up")
        connection = connect(place)
        if connection is None:
            _start(place, given, start)
            connection = connect(place)
    if connection is None:
        raise TargetError(f"the host of session {place.name!r} ended right after its start{_told(place)}")
    return connection


def _checked(place: SessionPlace, given: Mapping[str, Any]) -> dict[str, Any]:
    """``given`` with what is relative made absolute. Raises :class:`UsageError`."""
    HostOptions(place.name, **given)
    checked = dict(given)
    if checked.get("python"):
        found = shutil.which(os.path.expanduser(checked["python"]))
        if found is None:
            raise UsageError(f"there is no interpreter {checked['python']!r} that could be run")
        checked["python"] = os.path.abspath(found)
        _check_python(checked["python"])
    if checked.get("cwd"):
        checked["cwd"] = os.path.abspath(os.path.expanduser(checked["cwd"]))
        if not os.path.isdir(checked["cwd"]):
            raise UsageError(f"cwd {checked['cwd']!r} is no directory")
    return checked


def _check_python(python: str) -> None:
    """Raises :class:`UsageError` unless it is an interpreter that a worker can run on."""
    if pack.same_interpreter(python):
        return
    try:
        answer = subprocess.run(
            [python, "-c", "import sys; sys.stdout.write('python %d.%d' % sys.version_info[:2])"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_START,
            check=False,
        ).stdout.decode("utf-8", "replace")
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise UsageError(f"{python!r} cannot be run: {exc}") from exc
    name, _, version = answer.partition(" ")
    try:
        found = tuple(map(int, version.split(".")))
    except ValueError:
        found = ()
    if name != "python" or found < _OLDEST:
        what = f"is Python {version}" if name == "python" and found else "is no Python"
        raise UsageError(f"{python!r} {what}: sessions need Python {'.'.join(map(str, _OLDEST))} or newer")


def _options(place: SessionPlace, given: Mapping[str, Any], start: bool) -> HostOptions:
    """What is not given is as it was before, where the session goes on: its host was killed, or it is only
    read. Else it is as it is here. Raises :class:`UsageError`.
    """
    goes_on = not start or os.path.exists(place.host_lock)  # which a host that ends by itself removes
    before = saved_options(place) if goes_on else None
    options = {**({} if before is None else asdict(before)), **given, "name": place.name}
    options["python"] = options.get("python") or sys.executable
    if not options.get("cwd"):
        try:
            options["cwd"] = os.getcwd()
        except FileNotFoundError:
            raise UsageError(
                "the working directory of this process was removed: change to another one, or give `cwd`"
            ) from None
    return HostOptions(**options)


def _check_there(place: SessionPlace, start: bool) -> None:
    if not start and not os.path.isdir(place.records):
        raise SessionClosedError(f"session {place.name!r} was closed, and its records were removed")


def _wait_for_the_last(place: SessionPlace) -> None:
    """The host before this one listens no more, but may still be about to end."""
    deadline = time.monotonic() + _LEAVING
    while host_lives(place):
        if time.monotonic() >= deadline:
            raise TargetError(
                f"session {place.name!r} has a host that lives but cannot be reached (was its socket in "
                f"{os.path.dirname(place.socket)} removed, or is it another PYREPL_STREAM_RUNTIME_DIR?): "
                "end that process, and try again"
            )
        time.sleep(_POLL)


def _start(place: SessionPlace, given: Mapping[str, Any], start: bool) -> None:
    """The caller holds the start lock."""
    _wait_for_the_last(place)
    _check_there(place, start)
    is_new = not os.path.isdir(place.records)
    try:
        _launch(place, _options(place, given, start))
    except BaseException:
        Disk().discard(place.socket)
        if is_new:
            shutil.rmtree(place.records, ignore_errors=True)
        Disk().discard(place.start_lock)
        raise


def _launch(place: SessionPlace, options: HostOptions) -> None:
    try:
        save_options(place, options)
        report = _spawn(place)
    except OSError as exc:
        raise TargetError(f"the host of session {place.name!r} cannot be started: {exc}") from exc
    with open(report, "rb") as file:
        answer = file.read()  # until the host says that it is ready, or has gone
    if answer != READY:
        text = answer.decode("utf-8", "replace").strip()
        raise TargetError(f"session {place.name!r} cannot be started{': ' + text if text else _told(place)}")


def _spawn(place: SessionPlace) -> int:
    """Begin to start a host; the descriptor on which it says how that went. Raises OSError."""
    Disk().discard(place.socket)
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(_open_log(place))
        listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        # The directory is closed to others, so nobody is faster than the change of the mode.
        listener.bind(place.socket)
        os.chmod(place.socket, 0o600)
        listener.listen(_BACKLOG)
        report, told = os.pipe()
        stack.callback(os.close, told)
        words = ["host", str(listener.fileno()), str(told), place.name]
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", _BOOT, *pack.location(), *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=_environment(os.environ),
                pass_fds=(listener.fileno(), told),
                start_new_session=True,
            )
        except BaseException:
            os.close(report)
            raise
    process.wait()  # it has forked, so that the host is nobody's child
    return report


READY = b"ready"
"""What a host says, on the descriptor that it was given for that, before it serves."""


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What the host gets: without what belongs to the process that happens to start it."""
    return {name: value for name, value in environment.items() if name not in _NOT_INHERITED}


# The mark would make it a part of an execution, to be ended with it. The others are of Jupyter's kernels:
# a kernel started by user code in the session would watch the wrong parent.
_NOT_INHERITED = {MARK, "JPY_PARENT_PID", "JPY_SESSION_NAME", "JPY_API_TOKEN"}


def _open_log(place: SessionPlace) -> BinaryIO:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(_log(place), flags, 0o600), "wb")


def _log(place: SessionPlace) -> str:
    return os.path.join(place.directory, "host.log")


def _told(place: SessionPlace) -> str:
    """The end of what the host had to say at its start, as a part of an error."""
    try:
        with open(_log(place), encoding="utf-8", errors="replace") as file:
            text = file.read()[-2000:].strip()
    except OSError:
        text = ""
    return f": {text}" if text else ""


def worker_command(python: str) -> list[str]:
    """What starts a worker under ``python`` (empty: this interpreter); its arguments are to be added.

    Another interpreter gets the far end as an archive: it has nothing of ours installed. Raises OSError.
    """
    if pack.same_interpreter(python):
        python, (path, name) = sys.executable, pack.location()
    else:
        path = pack.write_archive(private_directory(os.path.join(sessions_directory(), "far")))
        name = pack.far_name()
    return [python, "-u", "-c", _BOOT, path, name, "worker"]
