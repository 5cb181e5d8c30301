"""What processors have in common that find documents in text and make events of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Protocol, TypeVar

from ..messages import CompleteMessage, EventMessage, Message, OutputMessage
from .text import TextProcessor

__all__ = ("Document", "DocumentProcessor", "DocumentReader", "event_of")


class Document(Protocol):
    """What becomes an event."""

    @property
    def data(self) -> Any: ...


class DocumentReader(Protocol):
    """Reads one stream: text that passes and documents, in their order."""

    def pass_over(self, data: str) -> bool:
        """Whether all of this is text that passes, and was read so."""

    def read(self, data: str) -> Sequence[str | Document]: ...

    def let_go(self) -> Sequence[str | Document]:
        """What is held, as text."""

    def end(self) -> Sequence[str | Document]:
        """What is held, when nothing more comes."""

    def after_bytes(self, data: bytes) -> None:
        """Bytes that are no UTF-8 have passed."""


Reader = TypeVar("Reader", bound=DocumentReader)


class DocumentProcessor(TextProcessor[Reader]):
    """Documents become events, all else passes; with ``keep_text`` all text does, and events beside it."""

    _name_keys: ClassVar[tuple[str, ...]]
    """Where a mapping may have the event's name."""

    def __init__(self, name: str, *, keep_text: bool = False) -> None:
        super().__init__()
        self._name = name
        self._keep_text = keep_text

    def _read(self, state: Reader, message: OutputMessage, data: str) -> list[Message]:
        if state.pass_over(data):
            return [message]
        messages = self._messages(state.read(data), message)
        return [message, *messages] if self._keep_text else messages

    def _read_bytes(self, state: Reader, message: OutputMessage) -> list[Message]:
        messages = self._messages(state.let_go(), message)
        assert isinstance(message.data, bytes)
        state.after_bytes(message.data)
        return [*messages, message]

    def _release(self, state: Reader, last: OutputMessage, because: Message) -> list[Message]:
        items = state.end() if isinstance(because, CompleteMessage) else state.let_go()
        return self._messages(items, last)

    def _messages(self, items: Iterable[str | Document], message: OutputMessage) -> list[Message]:
        messages: list[Message] = []
        text: list[str] = []  # passes, not yet in a message
        for item in items:
            if isinstance(item, str):
                text.append(item)
                continue
            self._add_output(text, message, messages)
            text = []
            messages.append(event_of(message, self._name_in(item.data) or self._name, item.data))
        self._add_output(text, message, messages)
        return messages

    def _add_output(self, text: list[str], message: OutputMessage, messages: list[Message]) -> None:
        if not self._keep_text and (joined := "".join(text)):
            messages.append(message if joined == message.data else replace(message, data=joined))

    def _name_in(self, data: Any) -> str:
        if isinstance(data, dict):
            for key in self._name_keys:
                name = data.get(key)
                if isinstance(name, str) and name:
                    return name
        return ""


def event_of(message: Message, name: str, data: Any) -> EventMessage:
    """An event in the place of the message that it came from."""
    return EventMessage(
        execution_id=message.execution_id,
        sequence=message.sequence,
        timestamp=message.timestamp,
        source=message.source,
        name=name,
        data=data,
    )
