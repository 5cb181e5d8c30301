"""``local:`` and ``local:NAME``: a session on this machine, started when it is first asked for."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
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
    ``retention`` bytes of each execution. A session that is there already is used as it is; one with
    another ``python``, ``cwd`` or ``env`` than is given here is an error. Raises :class:`UsageError`.
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
            "cwd": None if cwd is None else os.path.abspath(os.path.expanduser(os.fspath(cwd))),
            "env": dict(env) if isinstance(env, Mapping) else env,
            "idle_timeout": idle_timeout,
            "retention": retention,
        }
        self._given = {name: value for name, value in given.items() if value is not None}
        self._options = HostOptions(self._place.name, **self._given)

    async def connect(self) -> SocketStream:
        caller = Caller()  # it may take seconds, and is left to itself when nobody waits any more
        call = caller.start(lambda: connect_or_start(self._place, self._options))
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
                raise self._other(name, self._given[name], running[name])
        there = running["env"] or {}
        for name, value in self._given.get("env", {}).items():
            if name not in there or there[name] != value:
                raise self._other(f"env {name}", value, there.get(name))

    def _other(self, name: str, wanted: object, there: object) -> UsageError:
        session = self._place.name
        return UsageError(
            f"session {session!r} runs already, with {name} {there!r} and not {wanted!r}: use another name "
            f"(local:NAME), or end it first (pyrepl-stream close {session})"
        )


class SocketStream:
    """A socket in the engine's event loop."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._socket = connection

    async def receive(self) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self._socket, _RECEIVE)

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def aclose(self) -> None:
        self._socket.close()


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
