"""The base class of text processors: it keeps one state per stream, and releases held text when it must."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar, Generic, Self, TypeVar

from ..runtime.messages import (
    CompleteMessage,
    GapMessage,
    InputRequestMessage,
    Message,
    OutputMessage,
    StreamType,
)

State = TypeVar("State")
_Key = tuple[str, StreamType, str]


class TextProcessor(ABC, Generic[State]):
    """Processor that reads the text of each execution, stream and source separately; other messages pass.

    A subclass may hold text back in its state. It must release the text before a `complete`, a `gap` (the
    rest of the held text may be missing) and an `input_request` (whose prompt must appear). No text is held
    after `complete`, since nothing would release it. Released text has the sequence number of the message
    that released it, so numbers never decrease.
    """

    never_waits: ClassVar[bool] = True
    _goes_on: ClassVar[tuple[type[Message], ...]] = ()
    """Types of messages that release held text, but do not discard the stream's state."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        """Reset to the state of a new reader. A subclass that has its own state extends this."""
        self._states: dict[_Key, tuple[State, OutputMessage]] = {}  # with the stream's newest message
        self._completed: tuple[str, int] | None = None  # execution and number of the last `complete`

    def for_reader(self) -> Self:
        """Return a processor with the same options and its own state."""
        reader = copy.copy(self)
        reader._reset()
        return reader

    # -- for subclasses ------------------------------------------------------------------------

    @abstractmethod
    def _new_state(self) -> State:
        """Return the state of a stream before its first text. A falsy state is discarded."""

    @abstractmethod
    def _read(self, state: State, message: OutputMessage, data: str) -> Iterable[Message]:
        """Process the stream's next text, which is ``message.data``."""

    def _read_bytes(self, state: State, message: OutputMessage) -> Iterable[Message]:
        """Process bytes that are not UTF-8, after releasing the held text."""
        return [*self._release(state, message, message), message]

    def _release(self, state: State, last: OutputMessage, because: Message) -> Iterable[Message]:
        """Release held text, because of the message ``because``.

        ``last`` is the stream's newest output, but has the sequence number of ``because``.
        """
        return ()

    # -- for readers ---------------------------------------------------------------------------

    def __call__(self, message: Message) -> Iterable[Message]:
        """Process one message."""
        if isinstance(message, OutputMessage):
            return self._output(message)
        if isinstance(message, (CompleteMessage, GapMessage, InputRequestMessage)):
            if isinstance(message, CompleteMessage):
                self._completed = (message.execution_id, message.sequence)
            return [*self._release_all(message), message]
        return [message]

    def _output(self, message: OutputMessage) -> Iterable[Message]:
        key = (message.execution_id, message.stream, message.source)
        state, last = self._states.pop(key, (None, message))
        if state is None or 0 < message.sequence < last.sequence:
            state = self._new_state()  # the stream begins, or is read again from its start
        if isinstance(message.data, bytes):
            messages = self._read_bytes(state, message)
        else:
            messages = self._read(state, message, message.data)
        ended = self._completed or ("", message.sequence)
        if message.execution_id == ended[0] and message.sequence > ended[1]:
            messages = [*messages, *self._release(state, message, message)]
        if state:
            self._states[key] = state, message
        return messages

    def _release_all(self, because: Message) -> Iterable[Message]:
        """Release the held text of all streams of the execution, in the order of their last output."""
        ended = [key for key in self._states if key[0] == because.execution_id]
        messages: list[Message] = []
        for key in sorted(ended, key=lambda key: self._states[key][1].sequence):
            state, last = self._states.pop(key)
            last = replace(last, sequence=because.span_start)
            messages += self._release(state, last, because)
            if state and isinstance(because, self._goes_on):
                self._states[key] = state, last
        return messages


def beginning(text: str, size: int) -> str:
    """Return the first characters of ``text``, at least one, that fit into ``size`` bytes of UTF-8."""
    encoded = text.encode("utf-8", "surrogatepass")
    while size > 0 and encoded[size : size + 1] and encoded[size] & 0xC0 == 0x80:
        size -= 1  # the position is within a character
    return encoded[:size].decode("utf-8", "surrogatepass") or text[:1]
