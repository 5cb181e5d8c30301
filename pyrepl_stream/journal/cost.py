"""What a message takes: bytes of memory, and bytes of output."""

from __future__ import annotations

import sys

from ..messages import GapMessage, Message, OutputMessage

__all__ = ("cost_of", "output_bytes")

_OVERHEAD = 400  # bytes that a message object costs besides its data


def output_bytes(message: Message) -> int:
    """How many bytes of output, as UTF-8, a message is or stands for."""
    if isinstance(message, OutputMessage):
        data = message.data
        if isinstance(data, bytes) or data.isascii():
            return len(data)
        return len(data.encode("utf-8", "surrogatepass"))
    return (message.bytes or 0) if isinstance(message, GapMessage) else 0


def cost_of(message: Message) -> int:
    """About how many bytes of memory a message takes."""
    if isinstance(message, OutputMessage):
        return _OVERHEAD + sys.getsizeof(message.data)
    return _OVERHEAD + sum(_size(value) for value in vars(message).values())


def _size(value: object) -> int:
    """Of whatever code displays: it may be nested without end, and change while this looks at it."""
    if not isinstance(value, (dict, list, tuple)):
        return _own_size(value)
    size = 0
    seen: set[int] = set()
    left: list[object] = [value]
    while left:
        value = left.pop()
        if isinstance(value, (dict, list, tuple)):
            if id(value) in seen:
                continue
            seen.add(id(value))
            if isinstance(value, dict):
                left += value.keys()
                left += value.values()
            else:
                left += value
        else:
            size += _own_size(value)
    return size


def _own_size(value: object) -> int:
    try:
        return sys.getsizeof(value)
    except Exception:  # an object's own `__sizeof__`
        return _OVERHEAD
