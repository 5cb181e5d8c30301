"""The client's side of the protocol with one host, over links that may be cut at any moment. It does no I/O.

Received bytes become events, and method calls become bytes to send. Time is a parameter, in seconds of a
monotonic clock. A request is sent again over the next link until it is answered, and each subscription
resumes after its last message. ``runtime/protocol/operations.py`` describes the lines of the protocol.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ..runtime.errors import (
    ConnectionLostError,
    ProtocolError,
    PyreplStreamError,
    SessionClosedError,
    TargetError,
    UsageError,
)
from ..runtime.protocol import operations
from ..runtime.validation import short_repr
from ..runtime.version import __version__
from .events import Answered, Broken, Delivered, Event, Greeted
from .retries import Retries
from .subscriptions import Subscriptions

WINDOW = 1 << 20
"""Maximum number of bytes of one subscription that are in transit, or received and not yet read."""

SILENCE = 5.0  # seconds without a byte from the host, after which the host is pinged
_PING = 0  # the number of a ping, whose answer only shows that the host answers
_PINGS = 3  # consecutive pings without an answer, after which the link counts as dead
_FIRST_PATIENCE = 5.0  # seconds for which to retry a host that was never reached and may not exist
_REFUSALS = 5  # refusals in a row, without progress in between
_STARTING = ("execute", "ping")  # these need a session with the requested options, and may start it
_MARGIN = 1024  # bytes by which the request number and the epoch may lengthen a line


class LinkState(Enum):
    """The states of the current link."""

    DOWN = "down"  # there is no link; one is opened at `connect_at`
    CONNECTING = "connecting"  # the driver is opening one
    GREETING = "greeting"  # the link is open, and `hello` was sent
    UP = "up"  # the host has answered `hello`
    BROKEN = "broken"  # the link is no longer usable: the driver closes it


LINK_MOVES = {
    LinkState.DOWN: {LinkState.CONNECTING},
    LinkState.CONNECTING: {LinkState.GREETING, LinkState.DOWN},
    LinkState.GREETING: {LinkState.UP, LinkState.BROKEN, LinkState.DOWN},
    LinkState.UP: {LinkState.BROKEN, LinkState.DOWN},
    LinkState.BROKEN: {LinkState.DOWN},
}
"""The states that may follow each state."""


@dataclass
class _Request:
    number: int
    record: dict[str, Any]
    sent: int = 0
    refused: bool = False  # a host that was about to end refused it and did not act on it

    @property
    def starts(self) -> bool:
        return self.record["op"] in _STARTING

    def postpone(self) -> None:
        """Leave the request to the next host, as if this one had never received it."""
        if self.refused:
            return
        self.refused = True
        self.sent -= 1
        if not self.sent and self.record["op"] == "execute":
            self.record.pop("epoch", None)


@dataclass
class _Conversation:
    """The state that applies to one link only."""

    received_at: float = 0.0
    output: list[bytes] = field(default_factory=list)
    line: bytearray = field(default_factory=bytearray)  # the beginning of a line that is not complete yet
    slice_left: int = 0  # bytes of the current slice that are still to come
    slice_of: int = 0  # the number, on this link, of the subscription to which the slice belongs
    hello: int = 0  # the number of the `hello` request
    unfit: PyreplStreamError | None = None  # the reason why nothing may be started in this session
    closed: bool = False  # the host accepts nothing more, and closes the link
    pings: int = 0  # consecutive pings without an answer


class ClientProtocol:
    """The state of one client's conversation with one session.

    Its driver opens a link at :attr:`connect_at` and calls :meth:`connecting`, then :meth:`connected` or
    :meth:`disconnected`. It sends :meth:`data_to_send`, passes received data to :meth:`receive`, and calls
    :meth:`tick` at :attr:`tick_at`.

    Args:
        random: Returns random numbers from 0 to 1.
        patience: Seconds without success after which waiting requests fail.
        window: Maximum number of bytes of one subscription that are in transit, or received and not yet read.
        check: Called with the host's answer to `hello`. If it raises :class:`UsageError`, nothing is
            started in this session, but its executions can be read and stopped.
    """

    def __init__(
        self,
        *,
        random: Callable[[], float],
        patience: float,
        window: int = WINDOW,
        check: Callable[[Mapping[str, Any]], object] = lambda hello: None,
    ) -> None:
        self.epoch: str | None = None  # the epoch of the last host
        self._patience = patience
        self._check = check
        self._retries = Retries(random)
        self._requests: dict[int, _Request] = {}
        self._subscriptions = Subscriptions(self._emit, self._number, window)
        self._refusals = 0
        self._may_start = False
        self._numbers = itertools.count(1)
        self._link = LinkState.DOWN
        self._current = _Conversation()

    # -- what the driver has to do -----------------------------------------------------------

    @property
    def busy(self) -> bool:
        """True while there are requests without an answer, or subscriptions."""
        return bool(self._requests or self._subscriptions)

    @property
    def connect_at(self) -> float | None:
        """When to open a link; None if it is not due."""
        return self._retries.at if self._link is LinkState.DOWN and self.busy else None

    @property
    def tick_at(self) -> float | None:
        """When to call :meth:`tick`; None if no call is due."""
        if not self._is_open or not self.busy:
            return None
        return self._current.received_at + SILENCE * (self._current.pings + 1)

    def data_to_send(self) -> bytes:
        """Return the bytes to send over the link, and forget them."""
        data = b"".join(self._current.output)
        self._current.output.clear()
        return data

    def connecting(self) -> bool:
        """Record that the driver is opening a link; return True if it may start the session."""
        self._move(LinkState.CONNECTING)
        self._may_start = any(request.starts for request in self._requests.values())
        return self._may_start

    def connected(self, now: float) -> None:
        """Record that the link is open, and greet the host."""
        self._current = _Conversation(now, hello=self._number())
        self._move(LinkState.GREETING)
        self._emit(op="hello", request=self._current.hello, protocol=operations.PROTOCOL, version=__version__)

    def disconnected(self, now: float, error: PyreplStreamError) -> list[Event]:
        """Record that the link is closed or was not opened; after a :class:`TargetError` it is retried."""
        self._move(LinkState.DOWN)
        self._subscriptions.begin_link()
        if isinstance(error, SessionClosedError) and not self._may_start:
            self._retries.reset()  # requests that arrive later may start the session
            return [*self._fail(self._where(starts=False), error), *self._subscriptions.fail(error)]
        if not isinstance(error, TargetError):
            return self.fail(error)
        reached = self.epoch is not None
        patience = self._patience if reached else min(self._patience, _FIRST_PATIENCE)
        if self._retries.failed(now, patience):
            return []
        if reached:
            error = ConnectionLostError(f"{error} (retried for {patience:g} s)")
        return self.fail(error)

    def tick(self, now: float) -> list[Event]:
        """Ping a silent host, or give up its link."""
        if self.tick_at is None or now < self.tick_at:
            return []
        if self._current.pings >= _PINGS:
            seconds = now - self._current.received_at
            return self._break(TargetError(f"the host was silent for {seconds:.0f} s"))
        self._current.pings += 1
        if self._link is LinkState.UP:
            self._emit(op="ping", request=_PING)
        return []

    def fail(self, error: PyreplStreamError) -> list[Event]:
        """End all requests and subscriptions with ``error``."""
        self._retries.reset()
        return [*self._fail(list(self._requests.values()), error), *self._subscriptions.fail(error)]

    def _fail(self, requests: Iterable[_Request], error: PyreplStreamError) -> list[Event]:
        events: list[Event] = []
        for request in requests:
            del self._requests[request.number]
            events.append(Answered(request.number, {}, error))
        return events

    def _where(self, *, starts: bool) -> list[_Request]:
        return [request for request in self._requests.values() if request.starts is starts]

    def _move(self, state: LinkState) -> None:
        assert state in LINK_MOVES[self._link], f"{self._link} -> {state}"
        self._link = state

    @property
    def _is_open(self) -> bool:
        return self._link in (LinkState.GREETING, LinkState.UP)

    @property
    def _accepts_requests(self) -> bool:
        return self._link is LinkState.UP and not self._current.closed

    # -- requests ----------------------------------------------------------------------------

    def request(self, record: Mapping[str, Any], now: float) -> int:
        """Send an operation over each new link until it is answered, and return its number.

        Args:
            record: The operation without its number; `execute` also without its epoch.
            now: The time.

        Raises:
            UsageError: The operation is too long, or would start something in a session that is not what was
                asked for.
        """
        size = len(operations.line(record)) + _MARGIN
        if size > operations.MAX_OP:
            raise UsageError(
                f"code or input of {size} bytes is too long to send: the limit is {operations.MAX_OP} bytes"
            )
        request = _Request(self._number(), dict(record))
        if request.starts and self._current.unfit is not None:
            raise self._current.unfit
        self._wake(now)
        self._requests[request.number] = request
        if self._accepts_requests:
            self._send_request(request)
        return request.number

    def attach(self, execution_id: str, after: int, follow: bool, epoch: str | None, now: float) -> int:
        """Subscribe to the messages after ``after`` in the record of ``epoch``, or of any epoch if None."""
        self._wake(now)
        return self._subscriptions.add(execution_id, after, follow, epoch, up=self._accepts_requests)

    def consumed(self, number: int, size: int) -> None:
        """Give the host credit for ``size`` bytes that the reader of a subscription has taken."""
        self._subscriptions.consumed(number, size)

    def detach(self, number: int) -> None:
        """End a subscription. Idempotent."""
        self._subscriptions.detach(number)

    # -- bytes in ----------------------------------------------------------------------------

    def receive(self, data: bytes, now: float) -> list[Event]:
        """Handle bytes from the link. Errors that the host reports become events."""
        self._current.received_at = now
        self._current.pings = 0
        events: list[Event] = []
        place = 0
        while place < len(data) and self._is_open:
            if self._current.slice_left:
                piece = data[place : place + self._current.slice_left]
                place += len(piece)
                self._current.slice_left -= len(piece)
                events += self._apply(self._subscriptions.take(self._current.slice_of, piece))
                continue
            end = data.find(b"\n", place)
            if end < 0:
                self._current.line += data[place:]
                if len(self._current.line) > operations.MAX_ANSWER:
                    events += self._break(TargetError("the host sent a line without an end"))
                break
            line = bytes(self._current.line) + data[place:end]
            self._current.line.clear()
            place = end + 1
            try:
                events += self._on_record(operations.parse(line))
            except (ProtocolError, KeyError, TypeError) as exc:
                events += self._break(TargetError(f"the peer is not a pyrepl-stream host: {exc}"))
        return events

    def _on_record(self, record: dict[str, Any]) -> list[Event]:
        if "request" not in record:
            return self._on_notice(record)
        number, error = _count(record["request"]), _error_of(record)
        if number == self._current.hello:
            return self._on_hello(record, error)
        if number == _PING:
            self._retries.reset()  # the link has worked for a while
            return []
        ends = isinstance(error, SessionClosedError)  # the host ends soon: ask the next one
        if self._subscriptions.has_wire(number):
            if error is None:
                operations.check_answer("attach", record)
            return [] if ends else self._subscriptions.answered(number, record, error)
        request = self._requests.get(number)
        if request is None:
            return []
        if ends:
            request.postpone()
            return []
        if error is None:
            operations.check_answer(request.record["op"], record)
        del self._requests[number]
        self._note_progress()
        if request.record["op"] == "attach" and error is None:
            self._emit(op="detach", attach=number)
        return [Answered(number, record, error, request.sent > 1)]

    def _on_notice(self, record: dict[str, Any]) -> list[Event]:
        """Handle a line that is not an answer."""
        error = _error_of(record)
        if error is not None:
            return self._on_refusal(error)
        if record.get("type") == "slice":
            self._current.slice_left = _count(record["bytes"])
            self._current.slice_of = _count(record["attach"])
            self._subscriptions.spend(self._current.slice_of, self._current.slice_left)
        elif record.get("type") == "end":
            return self._apply(self._subscriptions.ended(_count(record["attach"]), str(record.get("reason"))))
        elif record.get("type") == "closed":
            self._current.closed = True
            for request in self._where(starts=True):  # the host has already answered those that it accepted
                request.postpone()
        return []  # a newer host may send other types

    def _on_refusal(self, error: PyreplStreamError) -> list[Event]:
        """Handle a refusal: the host did not understand a line, and reads nothing more from this link."""
        self._refusals += 1
        if self._link is LinkState.GREETING or self._refusals > _REFUSALS:
            return self._break(error)
        sent = [request for request in self._requests.values() if request.sent]
        broken = TargetError(f"the host refused a request: {error}")
        return [*self._fail(sent, error), *self._break(broken)]

    def _apply(self, events: list[Event]) -> list[Event]:
        for event in events:
            if isinstance(event, Delivered):
                self._note_progress()
            elif isinstance(event, Broken):
                self._move(LinkState.BROKEN)
        return events

    def _on_hello(self, record: dict[str, Any], error: PyreplStreamError | None) -> list[Event]:
        if self._link is LinkState.UP:
            raise ProtocolError("a second answer to `hello`")
        if error is None and record["protocol"] != operations.PROTOCOL:
            error = ProtocolError(
                f"the session's host speaks protocol {short_repr(record['protocol'])} and this client speaks "
                f"protocol {operations.PROTOCOL}: use the version of pyrepl-stream that started the session "
                f"({short_repr(record.get('version'))}), or close the session"
            )
        if error is not None:
            return [*self.fail(error), *self._break(error)]
        operations.check_answer("hello", record)
        self._move(LinkState.UP)
        self.epoch = record["epoch"]
        events: list[Event] = [Greeted(record)]
        try:
            self._check(record)
        except PyreplStreamError as exc:
            self._current.unfit = exc
            events += self._fail(self._where(starts=True), exc)
        except (AttributeError, LookupError, TypeError, ValueError, OSError) as exc:
            raise ProtocolError(f"the host's options cannot be understood: {exc!r}") from exc
        for request in list(self._requests.values()):
            self._send_request(request)
        self._subscriptions.resume()
        return events

    # -- lines out ---------------------------------------------------------------------------

    def _number(self) -> int:
        return next(self._numbers)

    def _emit(self, **record: Any) -> None:
        self._current.output.append(operations.line(record))

    def _send_request(self, request: _Request) -> None:
        record = request.record
        if record["op"] == "execute":
            record.setdefault("epoch", self.epoch)  # a host with another epoch must not run it again
        extra = {"attach": request.number} if record["op"] == "attach" else {}
        request.sent += 1
        request.refused = False
        self._emit(**record, **extra, request=request.number)

    def _break(self, error: PyreplStreamError) -> list[Event]:
        self._move(LinkState.BROKEN)
        return [Broken(error)]

    def _wake(self, now: float) -> None:
        """Forget silence and failures that came before the first request."""
        if not self.busy:
            self._current.received_at, self._current.pings = now, 0
            self._retries.reset()

    def _note_progress(self) -> None:
        self._retries.reset()
        self._refusals = 0


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ProtocolError(f"{short_repr(value)} is not a number of bytes, or of a subscription")
    return value


def _error_of(record: Mapping[str, Any]) -> PyreplStreamError | None:
    name = record.get("error")
    if name is None:
        return None
    if not isinstance(name, str):
        raise ProtocolError(f"{short_repr(name)} is not the name of an error")
    return operations.ERRORS.get(name, PyreplStreamError)(str(record.get("message", name)))
