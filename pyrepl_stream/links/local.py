"""``local:`` and ``local:NAME``: a session on this machine, started when it is first asked for."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import weakref
from collections.abc import Mapping
from typing import Any

from ..caller import Caller
from ..errors import UsageError
from ..host.launch import connect_or_start
from ..host.options import HostOptions
from ..host.places import SessionPlace
from ..waiting import wait_async

__all__ = ("LocalLink", "SocketStream")

_RECEIVE = 256 << 10


class LocalLink:
    """The way to the session of that name, ``default`` without one.

    ``python`` is the interpreter that runs the code (default: this one), ``cwd`` its directory (default:
    that of this process), ``env`` is added to its environment (None takes a variable away). The session
    ends by itself after ``idle_timeout`` seconds without a client and without an execution, and keeps
    ``retention`` bytes of each execution. A session that is there already is used as it is; to connect to
    one with another ``python``, ``cwd`` or ``env`` than is given here, or to run something there, is an
    error. A session whose host was killed is started again as it was, but for what is given. Raises
    :class:`UsageError`.
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
        self._place = SessionPlace(rest or "default")
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
        caller = Caller()  # it may take seconds, and is left to itself when nobody waits any more
        call = caller.start(lambda: connect_or_start(self._place, self._given, start=start))
        caller.end()
        try:
            await wait_async(call.when_done)
        except asyncio.CancelledError:
            call.when_done(lambda: _close(call.result))
            raise
        connection: socket.socket = call.result()
        return SocketStream(connection)

    def greeted(self, hello: Mapping[str, Any]) -> None:
        running = hello["options"]
        for name in ("python", "cwd"):
            if name in self._given and self._given[name] != running[name]:
                raise self._other(f"{name} {running[name]!r} and not {self._given[name]!r}")
        there = running["env"] or {}
        for name, value in self._given.get("env", {}).items():
            if name not in there or there[name] != value:
                raise self._other(f"another {name} in env")  # the values may be secrets

    def _other(self, what: str) -> UsageError:
        session = self._place.name
        return UsageError(
            f"session {session!r} runs already, with {what}: use another name (local:NAME), or end it first "
            f"(pyrepl-stream close {session})"
        )


class SocketStream:
    """A socket in the engine's event loop."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._socket = connection
        _open.add(self)

    async def receive(self) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self._socket, _RECEIVE)

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def aclose(self) -> None:
        with contextlib.suppress(OSError):  # the host was faster
            self._socket.shutdown(socket.SHUT_RDWR)  # also where a copy of the process has it open
        self._socket.close()

    def close_copy(self) -> None:
        """After a fork: here nobody uses it, and the host is not to take it for a client."""
        self._socket.close()


_open: weakref.WeakSet[SocketStream] = weakref.WeakSet()


def _close_copies() -> None:
    for stream in list(_open):
        stream.close_copy()


os.register_at_fork(after_in_child=_close_copies)


def _absolute(path: str) -> str:
    try:
        return os.path.abspath(path)
    except FileNotFoundError:
        raise UsageError(f"{path!r} lies in a directory that was removed: give a whole path") from None


def _interpreter(python: str) -> str:
    found = shutil.which(os.path.expanduser(python))
    if found is None:
        raise UsageError(f"there is no interpreter {python!r} that could be run")
    return os.path.abspath(found)


def _close(result: Any) -> None:
    try:
        result().close()
    except Exception:
        pass  # it was not opened
