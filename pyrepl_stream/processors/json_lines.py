"""Events from JSON in output."""

from __future__ import annotations

from ..runtime.validation import check_at_least_one
from .document_events import DocumentProcessor
from .json_reader import JsonReader

__all__ = ("JsonLines",)


class JsonLines(DocumentProcessor):
    """Emits an `event` for each JSON object and array in output; other text passes unchanged.

    A line that contains only values, including its line end, is replaced with their events. A value may
    extend over several lines. On a line with other text, only objects with members become events, each in
    place of its own text: ``INFO {"a": 1} done`` becomes text, an event and text. Arrays and empty objects
    stay text there, as in ``[3/7] Building`` and ``f() {}``. Colours within a value, as in the output of
    ``jq -C``, are ignored.

    The event's name is the text of the object's field ``type`` or ``event``, or else the argument ``name``.
    The event has the sequence number, the timestamp and the source of the output that completed it. Each
    stream and source is read separately. Text is held only while it can still become an event, so events of
    different streams are in the order in which their values end.

    Values with NaN, with numbers that Python cannot hold or with more than 200 levels pass as text.

    Args:
        keep_text: Also pass all text, immediately and unchanged, before the events that it completes.
        max_line_bytes: Maximum size in bytes of UTF-8 of a value, or of a line if its events depend on the
            rest of the line. Larger ones pass as text.
        name: Name of events whose data does not contain a name.

    Raises:
        UsageError: ``max_line_bytes`` is below 1.
    """

    _name_keys = ("type", "event")

    def __init__(self, *, keep_text: bool = False, max_line_bytes: int = 1 << 20, name: str = "json") -> None:
        super().__init__(name, keep_text=keep_text)
        check_at_least_one(max_line_bytes=max_line_bytes)
        self._limit = max_line_bytes

    def _new_state(self) -> JsonReader:
        return JsonReader(self._limit)
