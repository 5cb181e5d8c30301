"""What processors of text have in common: a state for each stream, and when nothing is held back any more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar, Generic, TypeVar

from ..messages import (
    CompleteMessage,
    GapMessage,
    InputRequestMessage,
    Message,
    OutputMessage,
    StreamType,
)

__all__ = ("TextProcessor",)

State = TypeVar("State")
_Key = tuple[str, StreamType, str]


class TextProcessor(ABC, Generic[State]):
    """Reads the text of each execution, stream and source by itself; other messages pass.

    A subclass may hold text back in its state. It is asked to let go of it before a `complete`, a `gap`
    (the rest of what has begun may be missing) and an `input_request` (whose prompt is to be seen).
    Nothing is held back after `complete`, as nobody would release it. What is released has the
    sequence number of what released it, so that numbers never fall.
    """

    never_waits: ClassVar[bool] = True
    _goes_on: ClassVar[tuple[type[Message], ...]] = ()
    """Kinds of message that release what is held, and behind which the stream's state goes on."""

    def __init__(self) -> None:
        self._states: dict[_Key, State] = {}
        self._last: dict[_Key, OutputMessage] = {}  # of those that have a state
        self._completed: tuple[str, int] | None = None  # execution and sequence

    @abstractmethod
    def for_reader(self) -> TextProcessor[State]:
        """One with the same options and a state of its own."""

    # -- for subclasses ------------------------------------------------------------------------

    @abstractmethod
    def _new_state(self) -> State:
        """The state of a stream before its first text. States that are false are forgotten."""

    @abstractmethod
    def _read(self, state: State, message: OutputMessage, data: str) -> Iterable[Message]:
        """What comes of the stream's next text, which is ``message.data``."""

    def _read_bytes(self, state: State, message: OutputMessage) -> Iterable[Message]:
        """What comes of bytes that are no UTF-8. They end what was begun."""
        return [*self._release(state, message, message), message]

    def _release(self, state: State, last: OutputMessage, because: Message) -> Iterable[Message]:
        """Let go of what is held; ``last`` is the newest output, with the number of ``because``."""
        return ()

    # -- for readers ---------------------------------------------------------------------------

    def __call__(self, message: Message) -> Iterable[Message]:
        if isinstance(message, OutputMessage):
            return self._output(message)
        if isinstance(message, (CompleteMessage, GapMessage, InputRequestMessage)):
            if isinstance(message, CompleteMessage):
                self._completed = (message.execution_id, message.sequence)
            return [*self._release_all(message), message]
        return [message]

    def _output(self, message: OutputMessage) -> Iterable[Message]:
        key = (message.execution_id, message.stream, message.source)
        state = self._states.pop(key, None)
        if state is None or 0 < message.sequence < self._last[key].sequence:
            state = self._new_state()  # it begins, or another read of the same execution does
        if isinstance(message.data, bytes):
            messages = self._read_bytes(state, message)
        else:
            messages = self._read(state, message, message.data)
        ended = self._completed or ("", message.sequence)
        if message.execution_id == ended[0] and message.sequence > ended[1]:
            messages = [*messages, *self._release(state, message, message)]
        if state:
            self._states[key] = state
            self._last[key] = message
        else:
            self._last.pop(key, None)
        return messages

    def _release_all(self, because: Message) -> Iterable[Message]:
        """Of all streams of the execution, in the order of their last output."""
        ended = [key for key in self._states if key[0] == because.execution_id]
        messages: list[Message] = []
        for key in sorted(ended, key=lambda key: self._last[key].sequence):
            state, last = self._states.pop(key), replace(self._last.pop(key), sequence=because.span_start)
            messages += self._release(state, last, because)
            if state and isinstance(because, self._goes_on):
                self._states[key], self._last[key] = state, last
        return messages
