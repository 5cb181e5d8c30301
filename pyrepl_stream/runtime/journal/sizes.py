"""The size of a message: bytes of memory, and bytes of output."""

from __future__ import annotations

import sys

from ..messages import GapMessage, Message, OutputMessage
from ..text import utf8_size

_OVERHEAD = 400  # bytes that a message object costs besides its data


def output_bytes(message: Message) -> int:
    """Return the bytes of output (as UTF-8) that a message holds or stands for."""
    if isinstance(message, OutputMessage):
        return utf8_size(message.data)
    return (message.bytes or 0) if isinstance(message, GapMessage) else 0


def cost_of(message: Message) -> int:
    """Return the approximate number of bytes of memory that a message takes."""
    if isinstance(message, OutputMessage):
        return _OVERHEAD + sys.getsizeof(message.data)
    return _OVERHEAD + sum(_size(value) for value in vars(message).values())


def _size(value: object) -> int:
    """Return the size of a value from user code, which may be cyclic and may change during the call."""
    if not isinstance(value, (dict, list, tuple)):
        return _own_size(value)
    size = 0
    seen: set[int] = set()
    left: list[object] = [value]
    while left:
        value = left.pop()
        if not isinstance(value, (dict, list, tuple)):
            size += _own_size(value)
        elif id(value) not in seen:
            seen.add(id(value))
            left += (*value.keys(), *value.values()) if isinstance(value, dict) else value
    return size


def _own_size(value: object) -> int:
    try:
        return sys.getsizeof(value)
    except Exception:  # from a `__sizeof__` of user code
        return _OVERHEAD
