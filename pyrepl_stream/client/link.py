"""The seam where the client's input and output begin: how bytes reach a host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

__all__ = ("Link", "Stream")


class Stream(Protocol):
    """Two ways of bytes to a host. One task receives and one sends; errors are :class:`OSError`."""

    async def receive(self) -> bytes:
        """What has come, at least one byte; nothing at the end."""

    async def send(self, data: bytes) -> None:
        """Send all of it."""

    async def aclose(self) -> None:
        """Let go. Idempotent; nobody receives or sends any more."""


class Link(Protocol):
    """A way to one session, which can be gone again and again. Used in the engine's event loop."""

    async def connect(self, *, start: bool) -> Stream:
        """Reach the host, and start one where that is for the link to do.

        Without ``start`` nobody asks for a new session: one that was closed is a
        :class:`SessionClosedError`. Raises :class:`TargetError` where trying again makes sense, and
        :class:`UsageError`, or another error of ours, where it does not.
        """

    def greeted(self, hello: Mapping[str, Any]) -> None:
        """The host has answered `hello`. Raises :class:`UsageError` if it is not what was asked for: then
        nothing is run there, but what is there can be read and stopped. Does no I/O."""
