"""A link to a host through any socket, such as that of a :class:`pyrepl_stream.testing.BadNetwork`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from typing import Any

from pyrepl_stream import TargetError
from pyrepl_stream.links.local import SocketStream

__all__ = ("NetworkLink",)


class NetworkLink:
    """A link to the process that listens on a path."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def connect(self, *, start: bool) -> SocketStream:
        connection = socket.socket(socket.AF_UNIX)
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connection, self._path)
        except OSError as exc:
            connection.close()
            raise TargetError(str(exc)) from exc
        return SocketStream(connection)

    def greeted(self, hello: Mapping[str, Any]) -> None:
        """Accept any host."""
