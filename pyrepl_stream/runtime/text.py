"""The size of text in UTF-8, and a decoder for UTF-8 that arrives in pieces."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Union

MAX_OUTPUT = 64 * 1024
"""The maximum number of bytes of UTF-8 in one output message."""


def utf8_size(data: Union[str, bytes]) -> int:
    """Return the number of bytes of ``data`` as UTF-8; lone surrogates count as 3 bytes."""
    if isinstance(data, bytes) or data.isascii():
        return len(data)
    return len(data.encode("utf-8", "surrogatepass"))


class Utf8Decoder:
    """Decodes the bytes of one stream. A character that is split over two chunks is joined again."""

    def __init__(self) -> None:
        self._tail = b""  # the beginning of an incomplete character

    @property
    def has_tail(self) -> bool:
        """True while the rest of a character is missing."""
        return bool(self._tail)

    def decode(self, data: Union[bytes, memoryview]) -> Iterator[Union[str, bytes]]:
        """Yield ``data`` as text of at most ``MAX_OUTPUT`` bytes; a piece that is not UTF-8 stays bytes."""
        view, start = memoryview(data), 0
        while start < len(view):
            end = start + MAX_OUTPUT - len(self._tail)
            chunk = self._tail + view[start:end] if self._tail else view[start:end]
            start, self._tail = end, b""
            try:
                text, used = codecs.utf_8_decode(chunk, "strict", False)
            except UnicodeDecodeError:
                yield bytes(chunk)
                continue
            if used < len(chunk):
                self._tail = bytes(chunk[used:])
            if text:
                yield text

    def flush(self) -> bytes:
        """Return the beginning of a character that was not completed, and discard it."""
        tail, self._tail = self._tail, b""
        return tail
