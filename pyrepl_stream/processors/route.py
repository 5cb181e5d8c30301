"""Selected messages, passed to a callable."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Awaitable, Callable, Iterable
from fnmatch import fnmatchcase
from typing import Any

from ..pipeline import is_async
from ..runtime.errors import UsageError
from ..runtime.messages import EventMessage, Message, MessageType
from ..runtime.validation import check_choice, short_repr

__all__ = ("Route",)

_TYPES = tuple(kind.value for kind in MessageType)


class Route:
    """Calls ``sink`` with the messages that match, and passes all messages.

    Each of ``types``, ``sources`` and ``names`` is one string or several; if empty, it matches all messages.

    Args:
        sink: A function that takes a message, plain or ``async``. It may have the attributes ``close()``,
            ``never_waits`` and ``stall_timeout``, like a processor.
        types: Types of messages, such as `output`.
        sources: Labels of sources, with the wildcards ``*`` and ``?``.
        names: Names of events, with the same wildcards.
        take: Do not pass the messages that the sink receives, except `complete`.

    Raises:
        UsageError: The sink cannot be called, or a type is unknown.
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
            raise UsageError(f"sink must be a function that takes a message, not {short_repr(sink)}")
        self._set_sink(sink)
        self._types = frozenset(str(getattr(kind, "value", kind)) for kind in _several(types))
        self._sources = _several(sources)
        self._names = _several(names)
        self._take = take
        for kind in self._types:
            check_choice("message type", kind, _TYPES)

    def _set_sink(self, sink: Any) -> None:
        self._sink = sink
        self.is_async = is_async(sink)
        self.never_waits = bool(getattr(sink, "never_waits", False))
        if hasattr(sink, "stall_timeout"):
            self.stall_timeout = sink.stall_timeout

    def for_reader(self) -> Route:
        """Return a route to a new sink for this reader, if the sink can make one."""
        if not hasattr(self._sink, "for_reader"):
            return self
        sink = self._sink.for_reader()
        if isinstance(sink, tuple):  # a sink of several processors, such as `Lines`, is called as a whole
            return self
        reader = copy.copy(self)
        reader._set_sink(sink)
        return reader

    def __call__(self, message: Message) -> Message | None | Awaitable[Message | None]:
        """Process one message."""
        if not self._wants(message):
            return message
        sent = self._sink(message)
        passes = None if self._take else message
        return _after(sent, passes) if inspect.isawaitable(sent) else passes

    def close(self) -> None:
        """Close the sink."""
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
