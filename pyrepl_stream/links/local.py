"""``local:`` and ``local:NAME``: a session on this machine, started on its first use."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import sys
import weakref
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from ..executor import call_in_thread
from ..runtime.errors import UsageError
from ..runtime.host.launch import connect_or_start
from ..runtime.host.paths import HostOptions, SessionPaths

_RECEIVE = 256 << 10


class LocalLink:
    """A link to a session on this machine.

    A running session is used unchanged. If its ``python``, ``cwd`` or ``env`` differs from the one that is
    given here, connecting to it and running code in it are errors. If its interpreter or working directory
    is not given here and differs from this process, the first run reports the difference. A session whose
    host was killed is started again with its earlier options, except for the options that are given.

    Args:
        rest: The name of the session; ``default`` if it is empty.
        python: The interpreter that runs the code, a path or a name on the PATH; None for the interpreter
            of this process.
        cwd: The working directory; None for the working directory of this process.
        env: Variables to add to the environment; a value of None removes the variable.
        idle_timeout: Seconds without a client and without an execution after which the session ends by
            itself; None for a day.
        retention: Maximum number of bytes to keep of each execution; None for 4 GiB.

    Raises:
        UsageError: An argument is not valid.
    """

    def __init__(
        self,
        rest: str,
        *,
        python: str | os.PathLike[str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str | None] | None = None,
        idle_timeout: float | None = None,
        retention: int | None = None,
    ) -> None:
        self._place = SessionPaths(rest or "default")
        given: dict[str, Any] = {
            "python": None if python is None else _interpreter(os.fspath(python)),
            "cwd": None if cwd is None else _absolute(os.path.expanduser(os.fspath(cwd))),
            "env": dict(env) if isinstance(env, Mapping) else env,
            "idle_timeout": idle_timeout,
            "retention": retention,
        }
        self._given = {name: value for name, value in given.items() if value is not None}
        HostOptions(self._place.name, **self._given)

    async def connect(self, *, start: bool) -> SocketStream:
        """Connect to the host. If no host is running, start one, unless ``start`` is False."""
        # Connecting may take seconds. If this coroutine is cancelled, the thread continues.
        connecting = call_in_thread(
            "connecting", lambda: connect_or_start(self._place, self._given, start=start)
        )
        try:
            return SocketStream(await connecting)
        except asyncio.CancelledError:
            connecting.add_done_callback(_close)
            raise

    def greeted(self, hello: Mapping[str, Any]) -> str | None:
        """Compare the options of the running session with the given options."""
        running = hello["options"]
        for name in ("python", "cwd"):
            if name in self._given and self._given[name] != running[name]:
                raise self._other(f"{name} {running[name]!r} and not {self._given[name]!r}")
        there = running["env"] or {}
        for name, value in self._given.get("env", {}).items():
            if name not in there or there[name] != value:
                raise self._other(f"another value of {name} in env")  # the values may be secrets
        return self._difference(running)

    def _difference(self, running: Mapping[str, Any]) -> str | None:
        differences = []
        python, cwd = running.get("python"), running.get("cwd")
        if python and sys.executable and "python" not in self._given and not _is_this_interpreter(python):
            differences.append((f"with the interpreter {python!r}", f"with {sys.executable!r}"))
        if cwd and "cwd" not in self._given and not _is_this_folder(cwd):
            differences.append((f"in {cwd!r}", f"in {os.getcwd()!r}"))
        if not differences:
            return None
        there, here = zip(*differences, strict=True)
        session = self._place.name
        return (
            f"session {session!r} runs {' '.join(there)}, not {' '.join(here)} as this process does: use "
            f"another name (local:NAME), or end this one with its variables and records (close {session}) "
            "and start it again"
        )

    def _other(self, what: str) -> UsageError:
        session = self._place.name
        return UsageError(
            f"session {session!r} is already running with {what}: use another name (local:NAME), or end it "
            f"first (pyrepl-stream close {session})"
        )


class SocketStream:
    """A :class:`Stream` over a socket, in the engine's event loop."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._socket = connection
        _open.add(self)

    async def receive(self) -> bytes:
        """Return received bytes; an empty result means the end of the stream."""
        return await asyncio.get_running_loop().sock_recv(self._socket, _RECEIVE)

    async def send(self, data: bytes) -> None:
        """Send all of ``data``."""
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def aclose(self) -> None:
        """Close the stream. Idempotent."""
        with contextlib.suppress(OSError):  # the host has closed it already
            self._socket.shutdown(socket.SHUT_RDWR)  # a forked process may have it open too
        self._socket.close()


_open: weakref.WeakSet[SocketStream] = weakref.WeakSet()


def _close_copies() -> None:
    """Close the descriptors in a forked process, which must not keep the connections open."""
    for stream in list(_open):
        stream._socket.close()


os.register_at_fork(after_in_child=_close_copies)


def _absolute(path: str) -> str:
    try:
        return os.path.abspath(path)
    except FileNotFoundError:
        raise UsageError(
            f"the working directory, in which {path!r} would be, was removed: use an absolute path"
        ) from None


def _is_this_interpreter(python: str) -> bool:
    """Return True if ``python`` is this interpreter, even under another name in the same folder."""
    # Symbolic links are followed, but a virtual environment of the same interpreter has its own folder.
    resolved = [
        (os.path.realpath(os.path.dirname(path)), os.path.realpath(path)) for path in (python, sys.executable)
    ]
    return resolved[0] == resolved[1]


def _is_this_folder(path: str) -> bool:
    try:
        return os.path.realpath(path) == os.getcwd()
    except FileNotFoundError:
        return True  # the folder of this process was removed, so there is nothing to compare


def _interpreter(python: str) -> str:
    found = shutil.which(os.path.expanduser(python))
    if found is None:
        raise UsageError(f"the interpreter {python!r} is not an executable file, and not on the PATH")
    return os.path.abspath(found)


def _close(connecting: Future[socket.socket]) -> None:
    if connecting.exception() is None:
        connecting.result().close()
