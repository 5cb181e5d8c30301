"""YAML documents in output become events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ..errors import UsageError
from ..messages import CompleteMessage, EventMessage, Message, OutputMessage
from .text import TextProcessor
from .yaml_documents import Item, YamlDocuments
from .yaml_loading import LARGEST

__all__ = ("YamlStream",)


class YamlStream(TextProcessor[YamlDocuments]):
    """Turns each YAML document that is a mapping or a sequence into an `event`; all else passes as it came.

    A document begins with a line ``---`` and ends before the next one, with a line ``...`` or at the end
    of the output. Its event stands for all of these lines. Text before the first ``---`` passes; with
    ``implicit``, as for tools that print bare documents, a document also begins at the first line of the
    output, or after ``...``, that can begin a mapping or a sequence.

    The event's name is the mapping's text field ``kind``, ``type`` or ``event``, else ``name``. It has the
    sequence number, the timestamp and the source of the output that completed the document.

    A document is held back until it is complete. It is let go at the first line that shows that it is
    none: prose, or a line that is indented less than its first one. Scalars, errors, unknown tags,
    references of a node to itself, collections as keys, more than 200 levels or 100,000 nodes (aliases
    counted by what they stand for) and documents of more than ``max_document_bytes`` pass as text.

    Data is as JSON has it: keys are text as written, dates are ISO 8601 text, binary is base64, sets are
    lists; scalars that cannot be had otherwise, as ``.nan``, are text as written.
    """

    def __init__(
        self, *, implicit: bool = False, max_document_bytes: int = LARGEST, name: str = "yaml"
    ) -> None:
        super().__init__()
        if max_document_bytes < 1:
            raise UsageError(f"max_document_bytes is {max_document_bytes}, but must be at least 1")
        self._implicit = implicit
        self._limit = max_document_bytes
        self._name = name

    def for_reader(self) -> YamlStream:
        return YamlStream(implicit=self._implicit, max_document_bytes=self._limit, name=self._name)

    def _new_state(self) -> YamlDocuments:
        return YamlDocuments(self._limit, self._implicit)

    def _read(self, state: YamlDocuments, message: OutputMessage, data: str) -> list[Message]:
        if state.pass_over(data):
            return [message]
        return self._messages(state.read(data), message)

    def _read_bytes(self, state: YamlDocuments, message: OutputMessage) -> list[Message]:
        messages = self._messages(state.let_go(), message)
        assert isinstance(message.data, bytes)
        state.after_bytes(message.data)
        return [*messages, message]

    def _release(self, state: YamlDocuments, last: OutputMessage, because: Message) -> list[Message]:
        items = state.end() if isinstance(because, CompleteMessage) else state.let_go()
        return self._messages(items, last)

    def _messages(self, items: Iterable[Item], message: OutputMessage) -> list[Message]:
        messages: list[Message] = []
        text: list[str] = []
        for item in [*items, None]:
            if isinstance(item, str):
                text.append(item)
                continue
            if joined := "".join(text):
                messages.append(message if joined == message.data else replace(message, data=joined))
                text = []
            if item is not None:
                messages.append(self._event(item[0], message))
        return messages

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
        for key in ("kind", "type", "event"):
            name = data.get(key)
            if isinstance(name, str) and name:
                return name
    return ""
