"""Finds the host of a session or starts one: detached, and only one even if several processes try at once."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, Optional

from ..errors import SessionClosedError, TargetError, UsageError
from ..journal.disk import Disk
from ..process.tree import MARK
from . import zipapp
from .paths import (
    HostOptions,
    SessionPaths,
    load_options,
    private_directory,
    runtime_directory,
    save_options,
    sessions_directory,
)
from .processes import HOST_MARK

__all__ = (
    "connect",
    "connect_or_start",
    "host_is_alive",
    "host_pid",
    "listen",
    "locked",
    "peer_is_ours",
    "worker_command",
    "worker_environment",
)

_START = 30.0  # maximum seconds for a host to start, enough for eight at once from a slow disk
_LEAVING = 5.0  # seconds within which a host that no longer listens must end
_POLL = 0.02  # seconds between two attempts
_OLDEST = (3, 9)  # the oldest version of Python that can run the far end
_BACKLOG = 128

_GIVEN_PATH = "PYREPL_STREAM_PYTHONPATH"

# The code that a host or a worker runs first. No file in the working directory may be imported in place of
# a module of this package or of the standard library. So the interpreter starts in `/`, where only root can
# write (Python 3.13 imports `linecache` before the first line of `python -c`), with a PYTHONPATH that does
# not depend on the working directory. `path` is the `sys.path` of a plain interpreter, for user code.
_BOOT = f"""\
import os, sys
location, package, folder, *arguments = sys.argv[1:]
path = sys.path[:]
if "{_GIVEN_PATH}" in os.environ:
    given = os.environ["PYTHONPATH"] = os.environ.pop("{_GIVEN_PATH}")
    given = [os.path.abspath(os.path.join(folder, entry)) for entry in given.split(os.pathsep)]
    own = [entry for entry in path if not entry]
    path = list(dict.fromkeys([*own, *given, *path]))
sys.path[:] = [entry for entry in sys.path if os.path.isabs(entry)] + [location]
os.chdir(folder)
from importlib import import_module
run = import_module(package + ".host.__main__").prepare(*arguments)
sys.argv[:] = [""]
run(path)
"""


# -- finding -------------------------------------------------------------------------------------


def connect(paths: SessionPaths) -> Optional[socket.socket]:
    """Return a connection to the host of a session; None if no process listens there.

    Raises:
        TargetError: The host cannot be reached, or belongs to another user.
    """
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        try:
            connection.connect(paths.socket)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except OSError as exc:
            text = f"the host of session {paths.name!r} cannot be reached at {paths.socket}: {exc}"
            raise TargetError(text) from exc
        if peer_is_ours(connection):
            stack.pop_all()
            return connection
        raise TargetError(
            f"the process listening on {paths.socket} belongs to another user; remove the socket, or set "
            "PYREPL_STREAM_RUNTIME_DIR to a directory of your own"
        )


def peer_is_ours(connection: socket.socket) -> bool:
    """Return True if the process at the other end of a Unix socket belongs to this user.

    Also True where the system does not report the peer's user: the directory of the socket is private.
    """
    if hasattr(socket, "SO_PEERCRED"):
        found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return bool(struct.unpack("3i", found)[1] == os.geteuid())
    return True


def host_is_alive(paths: SessionPaths) -> bool:
    """Return True if a host of the session is running, even one that does not answer."""
    with contextlib.suppress(FileNotFoundError), open(Disk().open(paths.host_lock, os.O_RDONLY)) as file:
        return not _lock(file.fileno(), fcntl.LOCK_SH)  # shared: several processes may test it at once
    return False


def host_pid(paths: SessionPaths) -> Optional[int]:
    """Return the pid of the running host; None if the host has not written its pid yet."""
    try:
        with open(paths.host_lock, "rb") as file:
            return int(file.read(32))
    except (OSError, ValueError):
        return None


@contextlib.contextmanager
def locked(path: str, seconds: float = 0.0) -> Iterator[bool]:
    """Hold a lock: :attr:`SessionPaths.host_lock` or :attr:`SessionPaths.start_lock`.

    Args:
        path: The file to lock.
        seconds: How long to wait for the lock.

    Yields:
        False if the lock could not be acquired in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        private_directory(os.path.dirname(path))
        try:
            file = open(Disk().open(path, os.O_RDWR | os.O_CREAT), "rb+", buffering=0)
        except FileNotFoundError:
            continue  # the directory has just been removed, with the session
        with file:
            if _lock(file.fileno()):
                if not _is_at(path, file.fileno()):
                    continue  # its last holder has removed it, so another process would lock a new file
                with contextlib.suppress(OSError):  # the disk may be full
                    file.truncate(0)
                    file.write(b"%d\n" % os.getpid())  # read by `host_pid`
                yield True
                return
            if time.monotonic() >= deadline:
                yield False
                return
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


def connect_or_start(paths: SessionPaths, given: Mapping[str, Any], *, start: bool = True) -> socket.socket:
    """Return a connection to the host of a session, starting a host if needed; wait up to 30 s.

    Args:
        paths: The paths of the session.
        given: Fields of :class:`HostOptions` that the caller chooses, with absolute paths. If the last host
            was killed, the other options keep their previous values.
        start: If False, start a host only to serve existing records; a closed session stays closed.

    Raises:
        TargetError: The host cannot be started or reached.
        UsageError: An option is not valid.
        SessionClosedError: ``start`` is False and the session has no records.
        InsecurePathError: The directory of records or of sockets is not private.
    """
    connection = connect(paths)
    if connection is not None:
        return connection
    _check(paths, given)
    with locked(paths.start_lock, _START) as held:
        if not held:
            raise TargetError(
                f"another process is starting session {paths.name!r} and has not finished within "
                f"{_START:g} s; end that process (its pid is in {paths.start_lock}) and try again"
            )
        connection = _connect_to_running(paths)
        if connection is None:
            _start(paths, given, start)
            connection = _connect_to_running(paths)
    if connection is None:
        raise TargetError(f"the host of session {paths.name!r} ended right after its start{_log_tail(paths)}")
    return connection


def _check(paths: SessionPaths, given: Mapping[str, Any]) -> None:
    """Raise :class:`UsageError` unless a worker can be started with the options ``given``."""
    HostOptions(paths.name, **given)
    _check_python(given.get("python", ""))
    if not os.path.isdir(given.get("cwd") or "/"):
        raise UsageError(f"cwd must be an existing directory, not {given['cwd']!r}")


def _check_python(python: str) -> None:
    """Raise :class:`UsageError` unless ``python`` is an interpreter that can run a worker."""
    if zipapp.same_interpreter(python):
        return
    try:
        answer = subprocess.run(
            [python, "-c", "import sys; sys.stdout.write('python %d.%d' % sys.version_info[:2])"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd="/",  # see _BOOT
            timeout=_START,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise UsageError(f"{python!r} cannot be run: {exc}") from exc
    found = re.fullmatch(rb"python (\d+)\.(\d+)", answer.stdout)
    if found is None or tuple(map(int, found.groups())) < _OLDEST:
        what = f"is Python {answer.stdout[7:].decode()}" if found else "is not a Python interpreter"
        raise UsageError(f"{python!r} {what}: sessions need Python {'.'.join(map(str, _OLDEST))} or newer")


def _options(paths: SessionPaths, given: Mapping[str, Any], start: bool) -> HostOptions:
    """Return the options for a new host. Raises :class:`UsageError`.

    Options that are not given keep their values if the session continues, because its last host was killed
    or because it is only read. Otherwise they get default values: the interpreter and the working directory
    are those of this process.
    """
    continues = not start or os.path.exists(paths.host_lock)  # a host that ends normally removes its lock
    before = load_options(paths.records) if continues else None
    options = {**({} if before is None else asdict(before)), **given, "name": paths.name}
    options["python"] = options.get("python") or sys.executable
    if not options.get("cwd"):
        try:
            options["cwd"] = os.getcwd()
        except FileNotFoundError:
            raise UsageError(
                "the working directory of this process no longer exists; change to another one, or give `cwd`"
            ) from None
    return HostOptions(**options)


def _connect_to_running(paths: SessionPaths) -> Optional[socket.socket]:
    """Return a connection to the host that runs; None if there is no host, or it has ended.

    A host whose socket was removed is asked to listen again.
    """
    deadline = time.monotonic() + _LEAVING
    while True:
        connection = connect(paths)
        if connection is not None or not host_is_alive(paths):
            return connection
        pid = host_pid(paths)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, LISTEN_AGAIN)
        if time.monotonic() >= deadline:
            raise TargetError(
                f"the host of session {paths.name!r} is running but cannot be reached (it does not "
                f"listen in {os.path.dirname(paths.socket)}; perhaps it was started with another "
                "PYREPL_STREAM_RUNTIME_DIR); end that process and try again (its pid is in "
                f"{paths.host_lock})"
            )
        time.sleep(_POLL)


def _start(paths: SessionPaths, given: Mapping[str, Any], start: bool) -> None:
    """Start a host. The caller holds the start lock."""
    is_new = not os.path.isdir(paths.records)
    try:
        if is_new and not start:
            raise SessionClosedError(
                f"session {paths.name!r} has been closed and its records have been removed"
            )
        _launch(paths, _options(paths, given, start))
    except BaseException:
        Disk().discard(paths.socket)
        if is_new:
            shutil.rmtree(paths.records, ignore_errors=True)
        Disk().discard(paths.start_lock)
        raise


def _launch(paths: SessionPaths, options: HostOptions) -> None:
    try:
        save_options(paths, options)
        answer = _spawn(paths)
    except OSError as exc:
        raise TargetError(f"the host of session {paths.name!r} cannot be started: {exc}") from exc
    if answer != READY:
        text = answer.decode("utf-8", "replace").strip()
        raise TargetError(
            f"session {paths.name!r} cannot be started{': ' + text if text else _log_tail(paths)}"
        )


def _spawn(paths: SessionPaths) -> bytes:
    """Start a host process and return what it reports: ``READY``, or why it has ended. Raises OSError."""
    with contextlib.ExitStack() as stack:
        descriptor = Disk().open(paths.host_log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        log = stack.enter_context(open(descriptor, "wb"))
        listener = stack.enter_context(listen(paths))
        reader, writer = os.pipe()
        report = stack.enter_context(open(reader, "rb"))
        with open(writer, "wb"):
            arguments = ["host", str(listener.fileno()), str(writer), paths.name]
            # Waits for a process that forks and exits: the host itself is not a child of this process.
            subprocess.call(
                [sys.executable, "-c", _BOOT, *zipapp.location(), "/", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={**{n: v for n, v in os.environ.items() if n not in _NOT_INHERITED}, MARK: HOST_MARK},
                pass_fds=(listener.fileno(), writer),
                start_new_session=True,
            )
        return report.read()  # waits until the host is ready or has ended


def listen(paths: SessionPaths) -> socket.socket:
    """Return a socket that listens at the path of the session. Raises OSError, InsecurePathError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        while True:
            runtime_directory()
            Disk().discard(paths.socket)
            with contextlib.suppress(FileNotFoundError):  # the directory has just been removed
                listener.bind(paths.socket)
                break
        # No other user can connect before the mode is changed, because the directory is private.
        with contextlib.suppress(FileNotFoundError):
            os.chmod(paths.socket, 0o600)
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


LISTEN_AGAIN = signal.SIGURG  # asks a host to look for its socket; a process that is not a host ignores it
READY = b"ready"  # what a host reports before it serves clients

# Jupyter sets these variables; with them, a kernel that user code starts in the session would watch the wrong
# parent process.
_NOT_INHERITED = {"JPY_PARENT_PID", "JPY_SESSION_NAME", "JPY_API_TOKEN"}


def _log_tail(paths: SessionPaths) -> str:
    """Return the end of the host's log as a suffix for an error message, or an empty string."""
    with contextlib.suppress(OSError), open(paths.host_log, encoding="utf-8", errors="replace") as file:
        text = file.read()[-2000:].strip()
        return f": {text}" if text else ""
    return ""


def worker_command(python: str, folder: str) -> list[str]:
    """Return the command that starts a worker, to which the caller appends the two file descriptors.

    Another interpreter gets the far end as an archive, because this package may not be installed there.

    Args:
        python: The interpreter; empty for the one that runs this process.
        folder: The worker's working directory. The command itself must be started in ``/``.

    Raises:
        OSError: The archive cannot be written.
    """
    if zipapp.same_interpreter(python):
        python, (path, name) = sys.executable, zipapp.location()
    else:
        path = zipapp.write_archive(private_directory(os.path.join(sessions_directory(), "far")))
        name = zipapp.NAME
    return [python, "-u", "-c", _BOOT, path, name, folder, "worker"]


def worker_environment(changes: Mapping[str, Optional[str]], folder: str) -> dict[str, str]:
    """Return the environment of a worker that is started in ``folder``.

    It omits entries of ``PYTHONPATH`` that are relative or lead to the working directory. The worker restores
    the variable before it runs user code.

    Args:
        changes: Changes to the environment of this process; a value of None removes the variable.
        folder: The worker's working directory.
    """
    merged = {**os.environ, **changes}
    environment = {name: value for name, value in merged.items() if value is not None}
    given = environment.get("PYTHONPATH", "")
    entries = given.split(os.pathsep)
    kept = [e for e in entries if os.path.isabs(e) and os.path.realpath(e) != os.path.realpath(folder)]
    if given and kept != entries:
        environment[_GIVEN_PATH] = given
        environment["PYTHONPATH"] = os.pathsep.join(kept)
    return environment
