"""Events: what :class:`ClientProtocol` reports to its driver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..runtime.errors import PyreplStreamError
from ..runtime.messages import Message


@dataclass(frozen=True)
class Greeted:
    """A host has answered `hello`; ``hello`` is its answer."""

    hello: Mapping[str, Any]


@dataclass(frozen=True)
class Answered:
    """A request was answered, or failed.

    ``again`` is True if it was sent more than once, so that an earlier copy may have been carried out.
    """

    request: int
    record: Mapping[str, Any]
    error: PyreplStreamError | None = None
    again: bool = False


@dataclass(frozen=True)
class Attached:
    """A subscription begins to deliver. It is reported once, and not again after a cut."""

    attach: int
    record: Mapping[str, Any]


@dataclass(frozen=True)
class Delivered:
    """The next messages of a subscription, in order and without repetition.

    ``size`` is their size in bytes, to pass to :meth:`ClientProtocol.consumed` when they are read.
    """

    attach: int
    messages: list[Message]
    size: int


@dataclass(frozen=True)
class Finished:
    """A subscription has ended, at the end of the record or with an error."""

    attach: int
    error: PyreplStreamError | None = None


@dataclass(frozen=True)
class Broken:
    """The link is no longer usable: close it, then call :meth:`ClientProtocol.disconnected`."""

    error: PyreplStreamError


Event = Greeted | Answered | Attached | Delivered | Finished | Broken
