"""Removal of escape sequences, and the base class of all processors that rewrite text."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from ..runtime.messages import (
    DisplayMessage,
    ErrorMessage,
    InputRequestMessage,
    LogMessage,
    Message,
    OutputMessage,
    ResultMessage,
)
from ..terminal.parser import SEQUENCE, Escapes, without_start
from .text import TextProcessor

__all__ = ("Rewriting", "StripAnsi", "TextRewriter", "stripped")

_CONTROL = r"[\x00-\x07\x0b\x0c\x0e-\x1f\x7f-\x9f]"  # all but line feed, carriage return, tab and backspace
_UNWANTED = re.compile(_CONTROL)
# The lookahead lets the search skip plain text: it is twice as fast on a line with four sequences.
_REMOVED = re.compile(f"(?={_CONTROL})(?:{SEQUENCE}|{_CONTROL})")


def stripped(text: str) -> str:
    """Return a complete text without the sequences and characters that :class:`StripAnsi` removes."""
    if _UNWANTED.search(text) is None:
        return text
    escapes = Escapes()
    return _REMOVED.sub("", escapes.complete(text)) + _REMOVED.sub("", without_start(escapes.flush()))


@dataclass
class Rewriting:
    """State of a stream that is being rewritten."""

    escapes: Escapes = field(default_factory=Escapes)
    of_bytes: bool = False  # the held start of a sequence came from bytes, not from text

    def __bool__(self) -> bool:
        return bool(self.escapes)


State = TypeVar("State", bound=Rewriting)


class TextRewriter(TextProcessor[State]):
    """Processor that rewrites the text of messages; a message whose text does not change passes unchanged.

    It rewrites the text of output, logs, errors and prompts, and the plain text of displays and results.
    Output that becomes empty is dropped. Bytes that are not UTF-8 are kept, and the text around them is
    rewritten; a sequence that begins in text cannot end in such bytes, or vice versa.
    """

    _goes_on = (InputRequestMessage,)  # the line continues after the answer, with the same styles

    @abstractmethod
    def _rewrite(self, state: State, text: str, message: Message) -> str:
        """Return the replacement for the next text, in which every sequence is complete."""

    def _rewrite_unfinished(self, state: State, unfinished: str, message: Message) -> str:
        """Return the replacement for the start of a sequence that never ended."""
        return self._rewrite(state, without_start(unfinished), message)

    def _rewrite_end(self, state: State) -> str:
        """Return text to add at the end."""
        return ""

    def __call__(self, message: Message) -> Iterable[Message]:
        """Process one message."""
        if not isinstance(message, OutputMessage):
            message = self._rewrite_fields(message)
        return super().__call__(message)

    def _read(self, state: State, message: OutputMessage, data: str) -> Iterable[Message]:
        return self._next(state, message, data, of_bytes=False)

    def _read_bytes(self, state: State, message: OutputMessage) -> Iterable[Message]:
        assert isinstance(message.data, bytes)
        return self._next(state, message, message.data.decode("utf-8", "surrogateescape"), of_bytes=True)

    def _next(self, state: State, message: OutputMessage, text: str, *, of_bytes: bool) -> list[Message]:
        released: list[Message] = []
        if state.of_bytes != of_bytes:
            unfinished = self._rewrite_unfinished(state, state.escapes.flush(), message)
            released = _with_text(message, unfinished, state.of_bytes)
            state.of_bytes = of_bytes
        shown = self._rewrite(state, state.escapes.complete(text), message)
        if shown == text:
            return [*released, message]
        return [*released, *_with_text(message, shown, of_bytes)]

    def _release(self, state: State, last: OutputMessage, because: Message) -> Iterable[Message]:
        return _with_text(last, self._end(state, last), state.of_bytes)

    def _rewrite_fields(self, message: Message) -> Message:
        if isinstance(message, LogMessage):
            return _changed(message, text=self._whole(message.text, message))
        if isinstance(message, ErrorMessage):
            traceback = tuple(self._whole(line, message) for line in message.traceback)
            return _changed(message, value=self._whole(message.value, message), traceback=traceback)
        if isinstance(message, InputRequestMessage):
            return _changed(message, prompt=self._whole(message.prompt, message))
        if isinstance(message, (DisplayMessage, ResultMessage)):
            plain = message.data.get("text/plain")
            if isinstance(plain, str):
                return _changed(message, data={**message.data, "text/plain": self._whole(plain, message)})
        return message

    def _whole(self, text: str, message: Message) -> str:
        """Rewrite ``text``, which is not part of a stream."""
        state = self._new_state()
        shown = self._rewrite(state, state.escapes.complete(text), message)
        return shown + self._end(state, message)

    def _end(self, state: State, message: Message) -> str:
        return self._rewrite_unfinished(state, state.escapes.flush(), message) + self._rewrite_end(state)


class StripAnsi(TextRewriter[Rewriting]):
    """Removes escape sequences and control characters; line feed, carriage return, tab and backspace stay.

    The text of a sequence that never ended, such as the title of a link, is kept: a terminal would not show
    it, but the program that omitted the end probably intended to show it.
    """

    def _new_state(self) -> Rewriting:
        return Rewriting()

    def _read(self, state: Rewriting, message: OutputMessage, data: str) -> Iterable[Message]:
        if not state and _UNWANTED.search(data) is None:
            return (message,)
        return super()._read(state, message, data)

    def _rewrite(self, state: Rewriting, text: str, message: Message) -> str:
        return _REMOVED.sub("", text)


def _with_text(message: OutputMessage, text: str, of_bytes: bool) -> list[Message]:
    if not text:
        return []
    return [replace(message, data=text.encode("utf-8", "surrogateescape") if of_bytes else text)]


def _changed(message: Message, **fields: Any) -> Message:
    changed = replace(message, **fields)
    return message if changed == message else changed
