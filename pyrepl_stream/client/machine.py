"""One client's talk with one session over links that may be cut at any moment, without I/O.

Bytes in, events out; verbs in, bytes out; the time (seconds of a monotonic clock) is a parameter. What
was asked is asked again over the next link until it is answered, and each attach goes on where it was.
The lines are told in ``host/protocol.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import ConnectionLostError, ProtocolError, PyreplStreamError, TargetError
from ..host import protocol
from ..messages import CompleteMessage, GapMessage, Message
from ..wire import Decoder
from .events import Answered, Attached, Broken, Delivered, Event, Finished, Greeted
from .retries import Retries

__all__ = ("LIVE", "Machine", "WINDOW")

WINDOW = 1 << 20
"""Bytes of one attach that may be under way, or here and unread."""

LIVE = ("queued", "running")
"""Statuses of what has not ended."""

SILENCE = 5.0  # seconds without a word after which the host is asked for one
_PINGS = 3  # in a row without an answer: the link is dead
_FIRST_PATIENCE = 5.0  # seconds, for a host that was never reached: it may not be there at all
_STUMBLES = 5  # holes, or what is no message, without one message in between


@dataclass
class _Request:
    number: int
    record: dict[str, Any]
    sent: int = 0


@dataclass
class _Attach:
    number: int
    execution_id: str
    after: int
    follow: bool
    epoch: str | None
    wire: int = 0  # how it is called on this link, 0 if it is not
    last: int = 0  # the last message that the host had at the last attach
    over: bool = False  # whether it had ended then
    heard: bool = False  # whether anything has come since
    told: bool = False
    decoder: Decoder = field(default_factory=Decoder)
    unread: int = 0
    owed: int = 0  # bytes that were read and not given back as credit
    stumbles: int = 0


class Machine:
    """``random`` gives numbers from 0 to 1; ``patience`` is how many seconds it tries to get on.

    The driver opens a link at :attr:`connect_at`, and says :meth:`connecting`, :meth:`connected` or
    :meth:`disconnected`; it sends :meth:`data_to_send`, and calls :meth:`tick` at :attr:`tick_at`.
    """

    def __init__(
        self, *, random: Callable[[], float], patience: float, window: int = WINDOW, version: str = ""
    ) -> None:
        self.epoch: str | None = None  # of the host, as it said last
        self._window = window
        self._version = version
        self._patience = patience
        self._retries = Retries(random)
        self._requests: dict[int, _Request] = {}
        self._attaches: dict[int, _Attach] = {}
        self._numbers = 0
        self._link = "down"  # connecting, hello, up, broken
        self._heard = 0.0
        self._pings = 0
        self._begin_link()

    # -- what the driver has to do -----------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether anything is waited for."""
        return bool(self._requests or self._attaches)

    @property
    def connect_at(self) -> float | None:
        """When a link is to be opened, None when it is not."""
        return self._retries.at if self._link == "down" and self.busy else None

    @property
    def tick_at(self) -> float | None:
        """When :meth:`tick` has something to do."""
        if self._link not in ("hello", "up") or not self.busy:
            return None
        return self._heard + SILENCE * (self._pings + 1)

    def data_to_send(self) -> bytes:
        """What is to be sent over the link; it is handed over once."""
        data = b"".join(self._output)
        self._output.clear()
        return data

    def connecting(self) -> None:
        """The driver opens a link."""
        self._link = "connecting"

    def connected(self, now: float) -> None:
        """The link is there."""
        self._begin_link()
        self._link = "hello"
        self._heard = now
        self._hello = self._number()
        self._say(op="hello", request=self._hello, protocol=protocol.PROTOCOL, version=self._version)

    def disconnected(self, now: float, error: PyreplStreamError) -> list[Event]:
        """The link is gone, or could not be opened; a :class:`TargetError` is tried again."""
        self._link = "down"
        for attach in self._attaches.values():
            attach.wire = 0
        if not isinstance(error, TargetError):
            return self.fail(error)
        if not self.busy:
            self._retries.reset()
            return []
        reached = self.epoch is not None
        patience = self._patience if reached else min(self._patience, _FIRST_PATIENCE)
        if self._retries.failed(now, patience):
            return []
        if reached:
            error = ConnectionLostError(f"{error} (tried again for {patience:g} s)")
        return self.fail(error)

    def tick(self, now: float) -> list[Event]:
        """Time has passed."""
        if self.tick_at is None or now < self.tick_at:
            return []
        if self._pings >= _PINGS:
            return self._break(f"the host has not said a word for {now - self._heard:.0f} s")
        self._pings += 1
        if self._link == "up":
            self._pinged.add(self._number())
            self._say(op="ping", request=self._numbers)
        return []

    def fail(self, error: PyreplStreamError) -> list[Event]:
        """Nothing that is waited for comes any more."""
        events: list[Event] = [Answered(number, {}, error) for number in self._requests]
        events += [Finished(number, error) for number in self._attaches]
        self._requests.clear()
        self._attaches.clear()
        self._retries.reset()
        return events

    # -- verbs -------------------------------------------------------------------------------

    def request(self, record: Mapping[str, Any], now: float) -> int:
        """Ask ``record`` (an op without its number) until it is answered; `execute` gets its epoch."""
        self._wake(now)
        request = _Request(self._number(), dict(record))
        self._requests[request.number] = request
        if self._link == "up":
            self._ask(request)
        return request.number

    def peek(self, execution_id: str, epoch: str | None, now: float) -> int:
        """Ask what an attach to the execution would be answered."""
        return self.request({"op": "attach", **_position(execution_id, 0, False, epoch), "credit": 0}, now)

    def attach(
        self, execution_id: str, after: int, follow: bool, epoch: str | None, now: float
    ) -> int:
        """Read what comes after ``after``, in the record of ``epoch`` (None: of any)."""
        self._wake(now)
        attach = _Attach(self._number(), execution_id, after, follow, epoch)
        self._attaches[attach.number] = attach
        if self._link == "up":
            self._attach(attach)
        return attach.number

    def consumed(self, number: int, size: int) -> None:
        """The reader has taken ``size`` bytes of what was delivered."""
        attach = self._attaches.get(number)
        if attach is not None:
            attach.unread -= size
            self._give_back(attach, size)

    def detach(self, number: int) -> None:
        """Read no more. Idempotent."""
        attach = self._attaches.pop(number, None)
        if attach is not None:
            self._leave(attach)

    # -- bytes in ----------------------------------------------------------------------------

    def receive(self, data: bytes, now: float) -> list[Event]:
        """What came over the link. Errors of the other side become events."""
        self._heard = now
        self._pings = 0
        events: list[Event] = []
        place = 0
        while place < len(data) and self._link in ("hello", "up"):
            if self._left:
                piece = data[place : place + self._left]
                place += len(piece)
                self._left -= len(piece)
                events += self._slice(piece, now)
                continue
            end = data.find(b"\n", place)
            if end < 0:
                self._line += data[place:]
                if len(self._line) > protocol.MAX_OP:
                    events += self._break("the host sent a line without an end")
                break
            line = bytes(self._line) + data[place:end]
            self._line.clear()
            place = end + 1
            try:
                events += self._hear(protocol.parse(line), now)
            except (ProtocolError, KeyError, TypeError) as exc:
                events += self._break(f"what answers is no host of ours: {exc}")
        return events

    def _hear(self, record: dict[str, Any], now: float) -> list[Event]:
        if "request" not in record:
            return self._hear_unasked(record)
        number, error = record["request"], _error_of(record)
        if number == self._hello:
            return self._greeted(record, error)
        if number in self._pinged:
            self._retries.reset()  # it has held for a while
            return []
        if number in self._attaching:
            return self._attached(self._attaching.pop(number), record, error)
        request = self._requests.pop(number, None)
        if request is None:
            return []
        if request.record["op"] == "attach" and error is None:
            self._say(op="detach", attach=number)
        return [Answered(number, record, error, request.sent > 1)]

    def _hear_unasked(self, record: dict[str, Any]) -> list[Event]:
        error = _error_of(record)
        if error is not None:
            self._link = "broken"
            return [Broken(error)]
        attach = self._attaches.get(self._wires.get(record.get("attach", 0), 0))
        if record.get("type") == "slice":
            self._left, self._of = int(record["bytes"]), record["attach"]
        elif record.get("type") == "end" and attach is not None:
            return self._ended(attach, str(record.get("reason")))
        return []  # of a newer host

    def _ended(self, attach: _Attach, reason: str) -> list[Event]:
        if reason == "complete":
            # Right for a place behind `complete`; else it would have come, and been the end.
            wrong = not attach.over or attach.heard or (attach.after < attach.last and not attach.stumbles)
        else:
            wrong = reason == "closed" and attach.after < attach.last
        if wrong:
            return self._stumble(attach, f"the record ended behind message {attach.after}")
        del self._attaches[attach.number]
        return [Finished(attach.number)]

    def _greeted(self, record: dict[str, Any], error: PyreplStreamError | None) -> list[Event]:
        if error is None and record["protocol"] != protocol.PROTOCOL:
            error = ProtocolError(
                f"the session's host speaks protocol {record['protocol']} and this client "
                f"{protocol.PROTOCOL}: use the version that started it ({record.get('version')}), or close it"
            )
        if error is not None:
            self._link = "broken"
            return [*self.fail(error), Broken(error)]
        self._link = "up"
        self.epoch = record["epoch"]
        for request in list(self._requests.values()):
            self._ask(request)
        for attach in self._attaches.values():
            self._attach(attach)
        return [Greeted(record)]

    def _attached(self, wire: int, record: dict[str, Any], error: PyreplStreamError | None) -> list[Event]:
        attach = self._attaches.get(self._wires.get(wire, 0))
        if attach is None:
            return []
        if error is not None:
            del self._attaches[attach.number]
            return [Finished(attach.number, error)]
        attach.epoch, attach.last = record["epoch"], record["last"]
        attach.over = record["status"] not in LIVE
        told, attach.told = attach.told, True
        return [] if told else [Attached(attach.number, record)]

    def _slice(self, piece: bytes, now: float) -> list[Event]:
        attach = self._attaches.get(self._wires.get(self._of, 0))
        if attach is None:  # the reader has left
            return []
        attach.heard = True
        messages: list[Message] = []
        problem = ""
        try:
            for message in attach.decoder.feed(piece):
                problem = self._accept(attach, message, messages)
                if problem or _is_last(attach, message):
                    break
        except ProtocolError as exc:
            problem = str(exc)
        events: list[Event] = []
        if messages:
            attach.stumbles = 0
            self._retries.reset()
            attach.unread += len(piece)
            events.append(Delivered(attach.number, messages, len(piece)))
            if _is_last(attach, messages[-1]):
                del self._attaches[attach.number]
                return [*events, Finished(attach.number)]
        elif not problem:
            # A piece of a message: what is to come of it must not wait for room.
            self._give_back(attach, len(piece))
        return [*events, *self._stumble(attach, problem)] if problem else events

    def _accept(self, attach: _Attach, message: Message, messages: list[Message]) -> str:
        """Take ``message`` if it is the next one; returns what is wrong with it."""
        if message.execution_id != attach.execution_id:
            return f"a message of execution {message.execution_id!r} came for {attach.execution_id!r}"
        if message.sequence <= attach.after:
            return ""
        if message.span_start > attach.after + 1:
            return f"message {message.span_start} came where {attach.after + 1} is the next"
        if isinstance(message, GapMessage) and message.span_start <= attach.after:
            message = replace(message, first=attach.after + 1, bytes=None)
        attach.after = message.sequence
        messages.append(message)
        return ""

    def _stumble(self, attach: _Attach, problem: str) -> list[Event]:
        """Attach anew, behind the last good message; when that does not help, over another link."""
        attach.stumbles += 1
        if attach.stumbles > _STUMBLES:
            self.detach(attach.number)
            error = ProtocolError(f"execution {attach.execution_id} cannot be read: {problem}")
            return [Finished(attach.number, error)]
        if attach.stumbles > 1:
            return self._break(problem)
        self._leave(attach)
        self._attach(attach)
        return []

    # -- lines out ---------------------------------------------------------------------------

    def _begin_link(self) -> None:
        """Nothing of an earlier link counts on the next one."""
        self._output: list[bytes] = []
        self._line = bytearray()
        self._left = 0  # bytes of the slice that comes
        self._of = 0  # and whose it is
        self._wires: dict[int, int] = {}
        self._attaching: dict[int, int] = {}  # from a request to what it is to be called
        self._hello = 0
        self._pinged: set[int] = set()
        self._pings = 0

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _say(self, **record: Any) -> None:
        self._output.append(protocol.line(record))

    def _ask(self, request: _Request) -> None:
        record = request.record
        if record["op"] == "execute":
            record.setdefault("epoch", self.epoch)  # a host that has another one must not run it again
        extra = {"attach": request.number} if record["op"] == "attach" else {}
        request.sent += 1
        self._say(**record, **extra, request=request.number)

    def _attach(self, attach: _Attach) -> None:
        attach.wire = self._number()
        attach.decoder = Decoder()
        attach.owed, attach.heard = 0, False
        self._wires[attach.wire] = attach.number
        self._attaching[attach.wire] = attach.wire
        position = _position(attach.execution_id, attach.after, attach.follow, attach.epoch)
        credit = max(0, self._window - attach.unread)
        self._say(op="attach", request=attach.wire, attach=attach.wire, **position, credit=credit)

    def _leave(self, attach: _Attach) -> None:
        if attach.wire:
            self._wires.pop(attach.wire, None)
            self._say(op="detach", attach=attach.wire)
            attach.wire = 0

    def _give_back(self, attach: _Attach, size: int) -> None:
        attach.owed += size
        if attach.wire and attach.owed >= self._window // 4:
            self._say(op="credit", attach=attach.wire, bytes=attach.owed)
            attach.owed = 0

    def _break(self, problem: str) -> list[Event]:
        self._link = "broken"
        return [Broken(TargetError(problem))]

    def _wake(self, now: float) -> None:
        """Something is waited for from now on: silence before it means nothing."""
        if not self.busy:
            self._heard, self._pings = now, 0


def _position(execution_id: str, after: int, follow: bool, epoch: str | None) -> dict[str, Any]:
    return {"id": execution_id, "after": after, "follow": follow, "epoch": epoch}


def _is_last(attach: _Attach, message: Message) -> bool:
    return not attach.follow and isinstance(message, CompleteMessage)


def _error_of(record: Mapping[str, Any]) -> PyreplStreamError | None:
    name = record.get("error")
    if name is None:
        return None
    return protocol.ERRORS.get(name, PyreplStreamError)(str(record.get("message", name)))
