"""One record that is read over links which may be cut: what has come of it, and what is next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import ProtocolError
from ..messages import CompleteMessage, GapMessage, Message
from ..wire import Decoder

__all__ = ("LIVE", "Attach", "position")

LIVE = ("queued", "running")
"""Statuses of what has not ended."""


@dataclass
class Attach:
    """``window`` is how many bytes may be under way, or here and unread."""

    number: int
    execution_id: str
    after: int
    follow: bool
    epoch: str | None
    window: int
    wire: int = 0
    """How it is called on this link, 0 if it is not."""
    stumbles: int = 0
    """Holes, or what is no message, without one message in between."""
    _unread: int = 0
    _owed: int = 0  # bytes that were read and not given back as credit
    _last: int = 0  # the last message that the host had at the last attach
    _over: bool = False  # whether it had ended then
    _heard: bool = False  # whether anything has come since
    _told: bool = False
    _decoder: Decoder = field(default_factory=Decoder)

    def begin(self, wire: int) -> dict[str, Any]:
        """Over this link, as ``wire``; returns the op that asks for it."""
        self.wire = wire
        self._decoder = Decoder()
        self._owed, self._heard = 0, False
        place = position(self.execution_id, self.after, self.follow, self.epoch)
        return {**place, "attach": wire, "credit": max(0, self.window - self._unread)}

    def answered(self, record: Mapping[str, Any]) -> bool:
        """The host has it; returns whether that is told for the first time."""
        self.epoch, self._last = record["epoch"], record["last"]
        self._over = record["status"] not in LIVE
        told, self._told = self._told, True
        return not told

    def take(self, piece: bytes) -> tuple[list[Message], str]:
        """The new messages in a piece of the record, in order, and what is wrong behind them."""
        self._heard = True
        messages: list[Message] = []
        problem = ""
        try:
            for message in self._decoder.feed(piece):
                problem = self._accept(message, messages)
                if problem or self.is_last(message):
                    break
        except ProtocolError as exc:
            problem = str(exc)
        if messages:
            self.stumbles = 0
            self._unread += len(piece)
        return messages, problem

    def _accept(self, message: Message, messages: list[Message]) -> str:
        """Take ``message`` if it is the next one; returns what is wrong with it."""
        if message.execution_id != self.execution_id:
            return f"a message of execution {message.execution_id!r} came for {self.execution_id!r}"
        if message.sequence <= self.after:
            return ""
        if message.span_start > self.after + 1:
            return f"message {message.span_start} came where {self.after + 1} is the next"
        if isinstance(message, GapMessage) and message.span_start <= self.after:
            message = replace(message, first=self.after + 1, bytes=None)
        self.after = message.sequence
        messages.append(message)
        return ""

    def is_last(self, message: Message) -> bool:
        return not self.follow and isinstance(message, CompleteMessage)

    def ends_wrongly(self, reason: str) -> bool:
        """Whether the host cannot mean it when it says that nothing comes any more."""
        if reason == "complete":
            # Right for a place behind `complete`; else it would have come, and been the end.
            return not self._over or self._heard or (self.after < self._last and not self.stumbles)
        return reason == "closed" and self.after < self._last

    def consumed(self, size: int) -> int:
        """The reader has taken ``size`` bytes; returns how many are to be given back as credit now."""
        self._unread -= size
        return self.give_back(size)

    def give_back(self, size: int) -> int:
        """These bytes wait for no reader; returns as :meth:`consumed` does."""
        self._owed += size
        if not self.wire or self._owed < self.window // 4:
            return 0
        credit, self._owed = self._owed, 0
        return credit


def position(execution_id: str, after: int, follow: bool, epoch: str | None) -> dict[str, Any]:
    """What an attach says of its place in a record."""
    return {"id": execution_id, "after": after, "follow": follow, "epoch": epoch}
