"""The base class of processors that find documents in text and emit an event for each document."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby
from typing import Any, ClassVar, NamedTuple, Protocol

from ..runtime.messages import CompleteMessage, EventMessage, Message, OutputMessage
from .text import TextProcessor


class Document(NamedTuple):
    """The data of an event, and the text from which it was read."""

    data: Any
    text: str

    @property
    def counts_anywhere(self) -> bool:
        """True if this is an event even on a line with text: `f() {}` and `[3/7] Building` are not data."""
        return isinstance(self.data, dict) and len(self.data) > 0


Item = str | Document


class DocumentReader(Protocol):
    """Reads one stream of text, and returns the text that passes and the documents, in order."""

    def pass_over(self, data: str) -> bool:
        """Return True if all of the text passes; it must then not be passed to :meth:`read`."""

    def read(self, data: str) -> list[Item]:
        """Read the next text."""

    def release(self) -> list[Item]:
        """Return the held text, because it cannot be held any longer."""

    def end(self) -> list[Item]:
        """Return the held text and documents at the end of the stream."""

    def after_bytes(self, data: bytes) -> None:
        """Record that bytes which are not UTF-8 have passed."""


class DocumentProcessor(TextProcessor[DocumentReader]):
    """Emits an event for each document. Other text passes; with ``keep_text``, all text passes."""

    _name_keys: ClassVar[tuple[str, ...]]
    """Keys of a mapping that may hold the event's name. The first one with non-empty text is used."""

    def __init__(self, name: str, *, keep_text: bool = False) -> None:
        super().__init__()
        self._name = name
        self._keep_text = keep_text

    def _read(self, state: DocumentReader, message: OutputMessage, data: str) -> list[Message]:
        if state.pass_over(data):
            return [message]
        messages = self._messages(state.read(data), message)
        return [message, *messages] if self._keep_text else messages

    def _read_bytes(self, state: DocumentReader, message: OutputMessage) -> list[Message]:
        messages = self._messages(state.release(), message)
        assert isinstance(message.data, bytes)
        state.after_bytes(message.data)
        return [*messages, message]

    def _release(self, state: DocumentReader, last: OutputMessage, because: Message) -> list[Message]:
        items = state.end() if isinstance(because, CompleteMessage) else state.release()
        return self._messages(items, last)

    def _messages(self, items: Iterable[Item], message: OutputMessage) -> list[Message]:
        messages: list[Message] = []
        for kind, group in groupby(items, type):
            if kind is str:
                text = "".join(map(str, group))
                if text and not self._keep_text:
                    messages.append(message if text == message.data else replace(message, data=text))
                continue
            for item in group:
                assert isinstance(item, Document)
                messages.append(EventMessage(*message.stamp, name=self._name_of(item.data), data=item.data))
        return messages

    def _name_of(self, data: Any) -> str:
        if isinstance(data, dict):
            for key in self._name_keys:
                name = data.get(key)
                if isinstance(name, str) and name:
                    return name
        return self._name
