"""What the client's machine tells its driver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import PyreplStreamError
from ..messages import Message

__all__ = ("Answered", "Attached", "Broken", "Delivered", "Event", "Finished", "Greeted")


@dataclass(frozen=True)
class Greeted:
    """A host is there; ``hello`` is what it says of itself."""

    hello: Mapping[str, Any]


@dataclass(frozen=True)
class Answered:
    """``again``: it was asked for more than once, so what it asked for may have been done before."""

    request: int
    record: Mapping[str, Any]
    error: PyreplStreamError | None = None
    again: bool = False


@dataclass(frozen=True)
class Attached:
    """Messages come from now on. Told once, whatever becomes of the link."""

    attach: int
    record: Mapping[str, Any]


@dataclass(frozen=True)
class Delivered:
    """The next messages, in order, each once; ``size`` is what :meth:`Machine.consumed` wants to know."""

    attach: int
    messages: list[Message]
    size: int


@dataclass(frozen=True)
class Finished:
    """Nothing comes any more: the end of the record, or an error."""

    attach: int
    error: PyreplStreamError | None = None


@dataclass(frozen=True)
class Broken:
    """The link is of no use any more: close it, then call :meth:`Machine.disconnected`."""

    error: PyreplStreamError


Event = Greeted | Answered | Attached | Delivered | Finished | Broken
