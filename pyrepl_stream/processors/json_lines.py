"""JSON in output becomes events."""

from __future__ import annotations

from ..errors import UsageError
from .documents import DocumentProcessor
from .json_reader import JsonReader

__all__ = ("JsonLines",)


class JsonLines(DocumentProcessor[JsonReader]):
    """Turns JSON objects and arrays in output into an `event` each; all else passes as it came.

    A line that holds nothing but values becomes their events, which stand for it and its end. A value may
    go over several lines, and is read as if they were one. Where there is text beside it, an object with
    members counts and stands for itself alone: ``INFO {"a": 1} done`` is text, an event, text. Arrays and
    empty objects do not, so ``[3/7] Building`` and ``f() {}`` are text.

    The event's name is the object's text field ``type`` or ``event``, else ``name``. It has the sequence
    number, the timestamp and the source of the output that completed it. Streams and sources are read each
    by itself. Text is held back only while it can still become an event, by the grammar of JSON, so over
    two streams the order is that of the ends.

    NaN, numbers that Python cannot hold, more than 200 levels, and values (or, where the end of a line
    decides, lines) of more than ``max_line_bytes`` bytes of UTF-8 pass as text. With ``keep_text`` all text
    passes at once, unchanged, and events come beside it.
    """

    _name_keys = ("type", "event")

    def __init__(self, *, keep_text: bool = False, max_line_bytes: int = 1 << 20, name: str = "json") -> None:
        super().__init__(name, keep_text=keep_text)
        if max_line_bytes < 1:
            raise UsageError(f"max_line_bytes is {max_line_bytes}, but must be at least 1")
        self._limit = max_line_bytes

    def for_reader(self) -> JsonLines:
        return JsonLines(keep_text=self._keep_text, max_line_bytes=self._limit, name=self._name)

    def _new_state(self) -> JsonReader:
        return JsonReader(self._limit)
