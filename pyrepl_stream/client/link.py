"""Links: how bytes travel between a client and a host. I/O begins here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

__all__ = ("Link", "Stream")


class Stream(Protocol):
    """A two-way byte stream to a host. One task receives and one sends; errors are :class:`OSError`."""

    async def receive(self) -> bytes:
        """Return at least one received byte, or no bytes at the end of the stream."""

    async def send(self, data: bytes) -> None:
        """Send all of ``data``."""

    async def aclose(self) -> None:
        """Close the stream, once no task receives or sends any more. Idempotent."""


class Link(Protocol):
    """A way to connect to one session, again after each cut.

    It is used in the engine's event loop.
    """

    async def connect(self, *, start: bool) -> Stream:
        """Connect to the host.

        Args:
            start: Start the session if it does not run and the link can start one. False if no request
                needs a new session.

        Raises:
            TargetError: There is no connection, but a retry may succeed.
            SessionClosedError: The session was closed, and ``start`` is False.
            UsageError: A retry cannot succeed. The same holds for every other error of this package.
        """

    def greeted(self, hello: Mapping[str, Any]) -> str | None:
        """Check the host's answer to `hello`. Does no I/O.

        Returns:
            How the session differs from one that this process would start, as text for the user; None if
            it does not differ.

        Raises:
            UsageError: The session differs from what was asked for explicitly. Then nothing is started in
                it, but its executions can be read and stopped.
        """
