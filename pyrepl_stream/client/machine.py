"""One client's talk with one session over links that may be cut at any moment, without I/O.

Bytes in, events out; verbs in, bytes out; the time (seconds of a monotonic clock) is a parameter. What
was asked is asked again over the next link until it is answered, and each attach goes on where it was.
The lines are told in ``host/protocol.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import (
    ConnectionLostError,
    ProtocolError,
    PyreplStreamError,
    SessionClosedError,
    TargetError,
    UsageError,
)
from ..host import protocol
from .attach import position
from .attaches import Attaches
from .events import Answered, Broken, Delivered, Event, Greeted
from .retries import Retries

__all__ = ("Machine", "WINDOW")

WINDOW = 1 << 20
"""Bytes of one attach that may be under way, or here and unread."""

SILENCE = 5.0  # seconds without a word after which the host is asked for one
_PINGS = 3  # in a row without an answer: the link is dead
_FIRST_PATIENCE = 5.0  # seconds, for a host that was never reached: it may not be there at all
_REFUSALS = 5  # without anything good in between
_STARTING = ("execute", "ping")  # what wants a session that is as asked for, and has it started if need be
_MARGIN = 1024  # bytes that a line grows by its number and its epoch


@dataclass
class _Request:
    number: int
    record: dict[str, Any]
    sent: int = 0
    refused: bool = False  # by a host that was about to end and has done nothing of it

    @property
    def starts(self) -> bool:
        return self.record["op"] in _STARTING

    def put_off(self) -> None:
        """It is for the next host, as if this one had not been asked."""
        if self.refused:
            return
        self.refused = True
        self.sent -= 1
        if not self.sent and self.record["op"] == "execute":
            self.record.pop("epoch", None)


class Machine:
    """``random`` gives numbers from 0 to 1; ``patience`` is how many seconds it tries to get on.

    ``check`` gets what a host says of itself, and raises :class:`UsageError` where that is not what was
    asked for: then nothing is run there, but what is there already can be read and stopped.
    The driver opens a link at :attr:`connect_at`, and says :meth:`connecting`, :meth:`connected` or
    :meth:`disconnected`; it sends :meth:`data_to_send`, and calls :meth:`tick` at :attr:`tick_at`.
    """

    def __init__(
        self,
        *,
        random: Callable[[], float],
        patience: float,
        window: int = WINDOW,
        version: str = "",
        check: Callable[[Mapping[str, Any]], object] = lambda hello: None,
    ) -> None:
        self.epoch: str | None = None  # of the host, as it said last
        self._version = version
        self._patience = patience
        self._check = check
        self._retries = Retries(random)
        self._requests: dict[int, _Request] = {}
        self._attaches = Attaches(self._say, self._number, window)
        self._refusals = 0
        self._unfit: PyreplStreamError | None = None  # why this host is not what was asked for
        self._may_start = False
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

    def connecting(self) -> bool:
        """The driver opens a link; returns whether the session is to be started if it was closed."""
        self._link = "connecting"
        self._may_start = any(request.starts for request in self._requests.values())
        return self._may_start

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
        self._attaches.begin_link()
        if isinstance(error, SessionClosedError) and not self._may_start:
            self._retries.reset()  # what was asked for meanwhile may start it
            return [*self._fail(self._where(starts=False), error), *self._attaches.fail(error)]
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
        self._retries.reset()
        return [*self._fail(list(self._requests.values()), error), *self._attaches.fail(error)]

    def _fail(self, requests: Iterable[_Request], error: PyreplStreamError) -> list[Event]:
        events: list[Event] = []
        for request in requests:
            del self._requests[request.number]
            events.append(Answered(request.number, {}, error))
        return events

    def _where(self, *, starts: bool) -> list[_Request]:
        return [request for request in self._requests.values() if request.starts is starts]

    @property
    def _is_up(self) -> bool:
        return self._link == "up" and not self._closed

    # -- verbs -------------------------------------------------------------------------------

    def request(self, record: Mapping[str, Any], now: float) -> int:
        """Ask ``record`` (an op without its number) until it is answered; `execute` gets its epoch.

        Raises :class:`UsageError` for what is too long, or what this session is not to be asked for.
        """
        size = len(protocol.line(record)) + _MARGIN
        if size > protocol.MAX_OP:
            most = f"{protocol.MAX_OP} is the most"
            raise UsageError(f"code, or input, that takes {size} bytes on the wire is too long: {most}")
        request = _Request(self._number(), dict(record))
        if request.starts and self._unfit is not None:
            raise self._unfit
        self._wake(now)
        self._requests[request.number] = request
        if self._is_up:
            self._ask(request)
        return request.number

    def peek(self, execution_id: str, epoch: str | None, now: float) -> int:
        """Ask what an attach to the execution would be answered."""
        return self.request({"op": "attach", **position(execution_id, 0, False, epoch), "credit": 0}, now)

    def attach(
        self, execution_id: str, after: int, follow: bool, epoch: str | None, now: float
    ) -> int:
        """Read what comes after ``after``, in the record of ``epoch`` (None: of any)."""
        self._wake(now)
        return self._attaches.add(execution_id, after, follow, epoch, up=self._is_up)

    def consumed(self, number: int, size: int) -> None:
        """The reader has taken ``size`` bytes of what was delivered."""
        self._attaches.consumed(number, size)

    def detach(self, number: int) -> None:
        """Read no more. Idempotent."""
        self._attaches.detach(number)

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
                events += self._heed(self._attaches.take(self._of, piece))
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
        put_off = isinstance(error, SessionClosedError)  # the host ends soon: it is asked anew, of the next
        if self._attaches.is_asked(number):
            return [] if put_off else self._attaches.answered(number, record, error)
        request = self._requests.get(number)
        if request is None:
            return []
        if put_off:
            request.put_off()
            return []
        del self._requests[number]
        self._progress()
        if request.record["op"] == "attach" and error is None:
            self._say(op="detach", attach=number)
        return [Answered(number, record, error, request.sent > 1)]

    def _hear_unasked(self, record: dict[str, Any]) -> list[Event]:
        error = _error_of(record)
        if error is not None:
            return self._refused(error)
        if record.get("type") == "slice":
            self._left, self._of = int(record["bytes"]), record["attach"]
        elif record.get("type") == "end":
            return self._heed(self._attaches.ended(record["attach"], str(record.get("reason"))))
        elif record.get("type") == "closed":
            self._closed = True
            for request in self._where(starts=True):  # what it has taken on it has answered before this
                request.put_off()
        return []  # of a newer host

    def _refused(self, error: PyreplStreamError) -> list[Event]:
        """The host does not understand something that was said, and listens to this link no more."""
        self._refusals += 1
        if self._link == "hello" or self._refusals > _REFUSALS:
            self._link = "broken"
            return [Broken(error)]
        asked = [request for request in self._requests.values() if request.sent]
        return [*self._fail(asked, error), *self._break(f"the host has refused what it was told: {error}")]

    def _heed(self, events: list[Event]) -> list[Event]:
        for event in events:
            if isinstance(event, Delivered):
                self._progress()
            elif isinstance(event, Broken):
                self._link = "broken"
        return events

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
        events: list[Event] = [Greeted(record)]
        try:
            self._check(record)
        except PyreplStreamError as exc:
            self._unfit = exc
            events += self._fail(self._where(starts=True), exc)
        for request in list(self._requests.values()):
            self._ask(request)
        self._attaches.resume()
        return events

    # -- lines out ---------------------------------------------------------------------------

    def _begin_link(self) -> None:
        """Nothing of an earlier link counts on the next one."""
        self._output: list[bytes] = []
        self._line = bytearray()
        self._left = 0  # bytes of the slice that comes
        self._of = 0  # and whose it is
        self._unfit = None
        self._hello = 0
        self._closed = False  # the host takes nothing on any more, and hangs up
        self._attaches.begin_link()
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
        request.refused = False
        self._say(**record, **extra, request=request.number)

    def _break(self, problem: str) -> list[Event]:
        self._link = "broken"
        return [Broken(TargetError(problem))]

    def _wake(self, now: float) -> None:
        """Something is waited for from now on: silence, and failures, before it mean nothing."""
        if not self.busy:
            self._heard, self._pings = now, 0
            if self._link == "up":
                self._retries.reset()

    def _progress(self) -> None:
        self._retries.reset()
        self._refusals = 0


def _error_of(record: Mapping[str, Any]) -> PyreplStreamError | None:
    name = record.get("error")
    if name is None:
        return None
    return protocol.ERRORS.get(name, PyreplStreamError)(str(record.get("message", name)))
