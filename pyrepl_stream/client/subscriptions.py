"""The subscriptions of one client to records of executions, over any number of links in succession."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..runtime.errors import ProtocolError, PyreplStreamError, TargetError
from ..runtime.messages import CompleteMessage, GapMessage, Message
from ..runtime.wire import MAX_LINE, Decoder
from .events import Attached, Broken, Delivered, Event, Finished

LIVE = ("queued", "running")
"""The statuses of an execution that has not ended."""
_MOST_FAILURES = 5  # consecutive failures of one subscription, without a good message in between
_MOST_RESYNCS = 20  # failures on one link: each makes the client send lines, which the host may not read


def peek(execution_id: str, epoch: str | None) -> dict[str, Any]:
    """Return an `attach` operation that gets the host's answer but no messages."""
    return {"op": "attach", "id": execution_id, "after": 0, "follow": False, "epoch": epoch, "credit": 0}


@dataclass
class _Subscription:
    """The state of one subscription."""

    number: int
    execution_id: str
    after: int
    """The number of the last message that was received."""
    follow: bool
    epoch: str | None
    wire: int = 0
    """Its number on the current link; 0 if it has no number there."""
    failures: int = 0
    """Holes and malformed messages since the last good message."""
    unread: int = 0
    """Bytes that were received as messages and not yet read."""
    granted: int = 0
    """Credit that is left: bytes that the host may still send on this link."""
    _last: int = 0  # the host's last sequence number when it answered the last attach
    _was_over: bool = False  # the execution had ended when the host answered the last attach
    _got_data: bool = False  # bytes have arrived since the last attach
    _was_reported: bool = False
    _decoder: Decoder = field(default_factory=Decoder)

    def begin(self, wire: int, window: int) -> dict[str, Any]:
        """Begin again under the number ``wire``; return the fields of the attach operation."""
        self.wire = wire
        self._decoder = Decoder()
        self._got_data = False
        self.granted = credit = max(0, window - self.unread)
        place = {"id": self.execution_id, "after": self.after, "follow": self.follow, "epoch": self.epoch}
        return {**place, "attach": wire, "credit": credit}

    def answered(self, record: Mapping[str, Any]) -> bool:
        """Handle the host's answer to the attach; return True the first time."""
        self.epoch, self._last = record["epoch"], record["last"]
        self._was_over = record["status"] not in LIVE
        reported, self._was_reported = self._was_reported, True
        return not reported

    @property
    def held(self) -> int:
        """Bytes of the message that has not arrived completely."""
        return self._decoder.held

    def spend(self, size: int) -> None:
        """Deduct a slice of ``size`` bytes from the credit.

        Raises:
            ProtocolError: It exceeds the credit by more than a line.
        """
        if self.granted <= 0 or size > self.granted + MAX_LINE:  # a slice may exceed the credit by a line
            raise ProtocolError(f"a slice of {size} bytes exceeds the credit of {self.granted} bytes")
        self.granted -= size

    def take(self, piece: bytes) -> tuple[list[Message], int, str]:
        """Decode a piece of the record.

        Returns:
            Its new messages in order, their size in bytes, and the problem after them or an empty string.
        """
        self._got_data = True
        size = self.held + len(piece)
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
            self.failures = 0
            self.unread += size
        return messages, size, problem

    def _accept(self, message: Message, messages: list[Message]) -> str:
        """Add ``message`` if it is the next one, ignore it if it is a repetition, or return the problem."""
        if message.execution_id != self.execution_id:
            return f"a message of execution {message.execution_id!r} arrived for {self.execution_id!r}"
        if message.sequence <= self.after:
            return ""
        if message.span_start > self.after + 1:
            return f"message {message.span_start} arrived instead of {self.after + 1}"
        if isinstance(message, GapMessage) and message.span_start <= self.after:
            message = replace(message, first=self.after + 1, bytes=None)
        self.after = message.sequence
        messages.append(message)
        return ""

    def is_last(self, message: Message) -> bool:
        """Return True if the subscription ends with ``message``."""
        return not self.follow and isinstance(message, CompleteMessage)

    def ends_early(self, reason: str) -> bool:
        """Return True if the record cannot have ended here, although the host says so with ``reason``."""
        if reason == "complete":
            # True only if the position was already after `complete`; otherwise `complete` would have come.
            return not self._was_over or self._got_data or (self.after < self._last and not self.failures)
        return reason == "closed" and self.after < self._last


class Subscriptions:
    """The subscriptions of one client. A :class:`Broken` event ends the link.

    Args:
        emit: Sends an operation, given as keyword arguments.
        number: Returns a new number, for a subscription or a request.
        window: Maximum number of bytes of one subscription that are in transit, or received and not yet read.
    """

    def __init__(self, emit: Callable[..., object], number: Callable[[], int], window: int) -> None:
        self._emit = emit
        self._number = number
        self._window = window
        self._subscriptions: dict[int, _Subscription] = {}
        self._wires: dict[int, _Subscription] = {}  # by their number on this link
        self._resyncs = 0

    def __len__(self) -> int:
        return len(self._subscriptions)

    # -- links -------------------------------------------------------------------------------

    def begin_link(self) -> None:
        """Forget everything that applied only to the previous link."""
        self._wires.clear()
        self._resyncs = 0
        for subscription in self._subscriptions.values():
            subscription.wire = 0

    def resume(self) -> None:
        """Resume every subscription over the link, which is up."""
        for subscription in self._subscriptions.values():
            self._begin(subscription)

    def fail(self, error: PyreplStreamError) -> list[Event]:
        """End every subscription with ``error``."""
        events: list[Event] = [Finished(number, error) for number in self._subscriptions]
        self._subscriptions.clear()
        self._wires.clear()
        return events

    # -- readers -----------------------------------------------------------------------------

    def add(self, execution_id: str, after: int, follow: bool, epoch: str | None, *, up: bool) -> int:
        """Add a subscription and return its number; ``up``: begin it at once, over the current link."""
        subscription = _Subscription(self._number(), execution_id, after, follow, epoch)
        self._subscriptions[subscription.number] = subscription
        if up:
            self._begin(subscription)
        return subscription.number

    def consumed(self, number: int, size: int) -> None:
        """Give the host credit for ``size`` bytes that the reader has taken."""
        subscription = self._subscriptions.get(number)
        if subscription is not None:
            subscription.unread -= size
            self._give_credit(subscription)

    def detach(self, number: int) -> None:
        """End a subscription. Idempotent."""
        subscription = self._subscriptions.pop(number, None)
        if subscription is not None:
            self._leave(subscription)

    # -- what the host sends -----------------------------------------------------------------

    def has_wire(self, number: object) -> bool:
        """Return True if a subscription, and its attach request, has ``number`` on this link."""
        return number in self._wires

    def answered(self, wire: int, record: Mapping[str, Any], error: PyreplStreamError | None) -> list[Event]:
        """Handle the host's answer to an attach."""
        subscription = self._wires[wire]
        if error is not None:
            return [self._end(subscription, error)]
        return [Attached(subscription.number, record)] if subscription.answered(record) else []

    def spend(self, wire: int, size: int) -> None:
        """Handle the beginning of a slice of ``size`` bytes.

        Raises:
            ProtocolError: The slice exceeds the credit of its subscription.
        """
        subscription = self._wires.get(wire)
        if subscription is not None:
            subscription.spend(size)

    def take(self, wire: int, piece: bytes) -> list[Event]:
        """Handle a piece of the record that was requested under the number ``wire``."""
        subscription = self._wires.get(wire)
        if subscription is None:  # the reader has left
            return []
        messages, size, problem = subscription.take(piece)
        events: list[Event] = []
        if messages:
            events.append(Delivered(subscription.number, messages, size))
            if subscription.is_last(messages[-1]):
                return [*events, self._end(subscription)]
        elif not problem:
            self._give_credit(subscription)
        return [*events, *self._resync(subscription, problem)] if problem else events

    def ended(self, wire: int, reason: str) -> list[Event]:
        """Handle the host's notice that a record has ended."""
        subscription = self._wires.get(wire)
        if subscription is None:
            return []
        if subscription.ends_early(reason):
            return self._resync(subscription, f"the record ended after message {subscription.after}")
        return [self._end(subscription)]

    def _end(self, subscription: _Subscription, error: PyreplStreamError | None = None) -> Finished:
        del self._subscriptions[subscription.number]
        del self._wires[subscription.wire]
        return Finished(subscription.number, error)

    def _resync(self, subscription: _Subscription, problem: str) -> list[Event]:
        """Attach again after the last good message; if that fails too, do so over another link."""
        subscription.failures += 1
        if subscription.failures > _MOST_FAILURES:
            self.detach(subscription.number)
            error = ProtocolError(f"execution {subscription.execution_id} cannot be read: {problem}")
            return [Finished(subscription.number, error)]
        self._resyncs += 1
        if subscription.failures > 1 or self._resyncs > _MOST_RESYNCS:
            return [Broken(TargetError(problem))]
        self._leave(subscription)
        self._begin(subscription)
        return []

    def _begin(self, subscription: _Subscription) -> None:
        wire = self._number()
        self._wires[wire] = subscription
        self._emit(op="attach", request=wire, **subscription.begin(wire, self._window))

    def _leave(self, subscription: _Subscription) -> None:
        if subscription.wire:
            del self._wires[subscription.wire]
            self._emit(op="detach", attach=subscription.wire)
            subscription.wire = 0

    def _give_credit(self, subscription: _Subscription) -> None:
        """Fill the window with credit, once a quarter of it is free."""
        room = self._window - subscription.unread - subscription.held
        if not subscription.unread:  # the rest of a message that is longer than the window must not wait
            room = max(room, self._window // 2)
        due = room - subscription.granted
        if subscription.wire and due >= self._window // 4:
            self._emit(op="credit", attach=subscription.wire, bytes=due)
            subscription.granted += due
