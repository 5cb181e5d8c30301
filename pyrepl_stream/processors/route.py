"""Messages to those that want them."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from fnmatch import fnmatchcase
from typing import Any

from ..chain import is_async
from ..errors import UsageError
from ..messages import EventMessage, Message, MessageType

__all__ = ("Route",)

_TYPES = tuple(kind.value for kind in MessageType)


class Route:
    """Hands messages to ``sink``, plain or ``async``, when they are of the right kind; all of them pass.

    Each of ``types`` (`output`, `event`, ...), ``sources`` and ``names`` (of events) is one or several;
    an empty one takes all. Sources and names may have the wildcards ``*`` and ``?``. With
    ``take=True`` what the sink gets does not pass. A `complete` always does.

    A sink may have ``close()``, ``never_waits`` and ``stall_timeout`` as a processor may. Raises
    :class:`UsageError`.
    """

    def __init__(
        self,
        sink: Callable[[Message], Any],
        *,
        types: str | Iterable[str] = (),
        sources: str | Iterable[str] = (),
        names: str | Iterable[str] = (),
        take: bool = False,
    ) -> None:
        if not callable(sink):
            raise UsageError(f"a sink is a function that takes a message, not {type(sink).__name__}")
        self._sink = sink
        self._types = frozenset(str(getattr(kind, "value", kind)) for kind in _several(types))
        self._sources = _several(sources)
        self._names = _several(names)
        self._take = take
        for kind in self._types.difference(_TYPES):
            raise UsageError(f"there is no message type {kind!r}: known are {', '.join(_TYPES)}")
        self.is_async = is_async(sink)
        self.never_waits = bool(getattr(sink, "never_waits", False))
        if hasattr(sink, "stall_timeout"):
            self.stall_timeout = sink.stall_timeout

    def for_reader(self) -> Route:
        if not hasattr(self._sink, "for_reader"):
            return self
        sink = self._sink.for_reader()
        if isinstance(sink, tuple):  # several in one: they are called as the one they are
            return self
        return Route(sink, types=self._types, sources=self._sources, names=self._names, take=self._take)

    def __call__(self, message: Message) -> Message | None | Awaitable[Message | None]:
        if not self._wants(message):
            return message
        sent = self._sink(message)
        passes = None if self._take else message
        return _after(sent, passes) if inspect.isawaitable(sent) else passes

    def close(self) -> None:
        getattr(self._sink, "close", bool)()

    def _wants(self, message: Message) -> bool:
        if self._types and str(getattr(message.type, "value", message.type)) not in self._types:
            return False
        if self._names and not (isinstance(message, EventMessage) and _matches(message.name, self._names)):
            return False
        return not self._sources or _matches(message.source, self._sources)


async def _after(sent: Awaitable[object], message: Message | None) -> Message | None:
    await sent
    return message


def _several(given: str | Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _matches(text: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)
