"""JSON in output becomes events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ..errors import UsageError
from ..messages import CompleteMessage, EventMessage, Message, OutputMessage
from .json_reader import Item, JsonReader
from .text import TextProcessor

__all__ = ("JsonLines",)


class JsonLines(TextProcessor[JsonReader]):
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

    def __init__(self, *, keep_text: bool = False, max_line_bytes: int = 1 << 20, name: str = "json") -> None:
        super().__init__()
        if max_line_bytes < 1:
            raise UsageError(f"max_line_bytes is {max_line_bytes}, but must be at least 1")
        self._keep_text = keep_text
        self._limit = max_line_bytes
        self._name = name

    def for_reader(self) -> JsonLines:
        return JsonLines(keep_text=self._keep_text, max_line_bytes=self._limit, name=self._name)

    def _new_state(self) -> JsonReader:
        return JsonReader(self._limit)

    def _read(self, state: JsonReader, message: OutputMessage, data: str) -> list[Message]:
        if state.pass_over(data):
            return [message]
        items = state.read(data)
        if self._keep_text:
            return [message, *self._messages(items, message)]
        if len(items) == 1 and items[0] == data:
            return [message]
        return self._messages(items, message)

    def _read_bytes(self, state: JsonReader, message: OutputMessage) -> list[Message]:
        messages = self._messages(state.let_go(), message)
        assert isinstance(message.data, bytes)
        state.after_bytes(message.data)
        return [*messages, message]

    def _release(self, state: JsonReader, last: OutputMessage, because: Message) -> list[Message]:
        items = state.end() if isinstance(because, CompleteMessage) else state.let_go()
        return self._messages(items, last)

    def _messages(self, items: Iterable[Item], message: OutputMessage) -> list[Message]:
        messages: list[Message] = []
        text: list[str] = []
        for item in items:
            if isinstance(item, str):
                text.append(item)
            else:
                if text:
                    self._add_output(text, message, messages)
                    text = []
                messages.append(self._event(item.data, message))
        self._add_output(text, message, messages)
        return messages

    def _add_output(self, text: list[str], message: OutputMessage, messages: list[Message]) -> None:
        if not self._keep_text and (joined := "".join(text)):
            messages.append(replace(message, data=joined))

    def _event(self, data: Any, message: OutputMessage) -> EventMessage:
        return EventMessage(
            execution_id=message.execution_id,
            sequence=message.sequence,
            timestamp=message.timestamp,
            source=message.source,
            name=_name_in(data) or self._name,
            data=data,
        )


def _name_in(data: Any) -> str:
    if isinstance(data, dict):
        for key in ("type", "event"):
            name = data.get(key)
            if isinstance(name, str) and name:
                return name
    return ""
