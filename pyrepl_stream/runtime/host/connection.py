"""The connection of one client: receives operations, and sends answers before slices of spools."""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Callable, Literal, Optional, TypeVar

from ..errors import ProtocolError
from ..journal.spool.reader import SpoolReader
from ..protocol.operations import MAX_OP, TURN, line, parse
from ..validation import short_repr
from .execution import HostedExecution, ReadableExecution, StoredExecution
from .loop import READ, WRITE, Loop

__all__ = ("UNLIMITED", "ClientConnection", "OperationCall", "SpoolFeed")

UNLIMITED = 1 << 62  # credit, in bytes, of a client that sets no limit
_T = TypeVar("_T")
_KINDS = {str: "text", int: "a whole number", dict: "an object"}
_BUFFER = 1 << 20  # requested size of the socket's send buffer, in bytes
_RECEIVE = 256 << 10  # maximum bytes to receive at once
_BACKLOG = 1 << 20  # bytes of unsent answers at which the host stops reading operations
_PAUSE = 0.5  # seconds until another attempt to read a record
_TURNS = 4  # slices that one client is sent before the other clients have their turn


@dataclass(eq=False)
class SpoolFeed:
    """One execution that a client reads.

    Attributes:
        number: The number that the client has given to it.
        execution: The execution.
        reader: Reads the execution's record.
        follow: Continue after `complete`, until the execution can produce no more output.
        credit: The number of bytes that the client accepts now.
    """

    number: int
    execution: ReadableExecution
    reader: SpoolReader
    follow: bool
    credit: int

    def read(self) -> bytes:
        """Return the next slice, and deduct its size from the credit; empty if there is nothing to read."""
        data = self.reader.read(min(TURN, self.credit))
        self.credit -= len(data)
        return data

    @property
    def end(self) -> Optional[Literal["closed", "complete", "lost"]]:
        """The reason why nothing more will be sent; None while more data may follow.

        ``complete``: everything up to the `complete` message has been read. ``closed``: late output has been
        read as well. ``lost``: the execution's host ended before the execution did.
        """
        if self.reader.ended:
            return "closed" if self.follow else "complete"
        return "lost" if isinstance(self.execution, StoredExecution) else None


@dataclass(eq=False)
class OperationCall:
    """One operation of a client.

    Attributes:
        connection: The client's connection.
        op: The fields of the operation.
    """

    connection: ClientConnection
    op: dict[str, Any]

    def answer(self, answer: Mapping[str, Any]) -> None:
        """Send the answer."""
        self.connection.answer({"request": self.op.get("request"), **answer})

    @property
    def key(self) -> str:
        """The key that keeps a repeated operation from taking effect twice; empty if it has no key."""
        key = self.optional("key", str)
        return f"{self.op['op']} {key}" if key else ""

    def optional(self, name: str, kind: type[_T]) -> Optional[_T]:
        """Return a field as :meth:`get` does; None if it is missing or null."""
        return None if self.op.get(name) is None else self.get(name, kind)

    def get(self, name: str, kind: type[_T]) -> _T:
        """Return a field. Raises :class:`ProtocolError` if it is not of the type ``kind``."""
        value = self.op.get(name)
        if type(value) is not kind:  # not `isinstance`, which accepts True as an int
            raise ProtocolError(f"the field `{name}` must be {_KINDS[kind]}, not {short_repr(value)}")
        return value


@dataclass(eq=False, repr=False)
class ClientConnection:
    """The connection of a client.

    Attributes:
        peer: The connected socket.
        loop: The host's event loop.
        on_operation: Called with each operation. It may raise :class:`ProtocolError`.
        on_close: Called when the connection has been closed.
    """

    peer: socket.socket
    loop: Loop
    on_operation: Callable[[OperationCall], object]
    on_close: Callable[[ClientConnection], object]
    is_open: bool = True
    greeted: bool = False
    _lines: deque[bytes] = field(default_factory=deque)  # received and not handled yet
    _line: bytearray = field(default_factory=bytearray)  # the beginning of the next line
    _answers: bytearray = field(default_factory=bytearray)
    _outgoing: deque[memoryview] = field(default_factory=deque)  # sent first, to keep slices whole
    _feeds: dict[int, SpoolFeed] = field(default_factory=dict)  # by the client's number
    _ready: deque[SpoolFeed] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.peer.setblocking(False)
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        self.loop.watch(self.peer.fileno(), READ, self._on_ready)

    @property
    def is_idle(self) -> bool:
        """True if there is nothing to send now."""
        return not (self._outgoing or self._answers or self._ready)

    @property
    def has_all(self) -> bool:
        """True if everything was sent; False also while slices wait for the client to grant credit."""
        return self.is_idle and not self._feeds

    def answer(self, record: Mapping[str, Any]) -> None:
        """Send a line, ahead of any waiting slice."""
        if self.is_open:
            self._answers += line(record)
            self._watch()

    def attach(self, feed: SpoolFeed) -> None:
        """Begin to send slices of ``feed``, which replaces any feed with the same number."""
        self.detach(feed.number)
        self._feeds[feed.number] = feed
        if isinstance(feed.execution, HostedExecution):
            feed.execution.readers[feed] = lambda: self.mark_ready(feed)
        self.mark_ready(feed)

    def detach(self, number: int) -> None:
        """Stop sending slices of the feed with that number."""
        feed = self._feeds.pop(number, None)
        if feed is not None:
            feed.reader.close()
            if isinstance(feed.execution, HostedExecution):
                del feed.execution.readers[feed]
            if feed in self._ready:
                self._ready.remove(feed)

    def give_credit(self, number: int, size: int) -> None:
        """Add ``size`` bytes to the credit of the feed with that number, unless it has ended."""
        feed = self._feeds.get(number)
        if feed is not None:
            feed.credit += size
            self.mark_ready(feed)

    def mark_ready(self, feed: SpoolFeed) -> None:
        """Read ``feed`` when the client can next receive data, if it has granted credit."""
        if self._feeds.get(feed.number) is feed and feed.credit > 0 and feed not in self._ready:
            self._ready.append(feed)
            self._watch()

    def close(self) -> None:
        """Close the connection and everything that the client reads."""
        if not self.is_open:
            return
        self.is_open = False
        self.loop.watch(self.peer.fileno(), 0, self._on_ready)
        self.peer.close()
        for number in list(self._feeds):
            self.detach(number)
        self._answers.clear()
        self._outgoing.clear()
        self.on_close(self)

    # -- receiving and sending -------------------------------------------------------------------

    def _watch(self) -> None:
        if self.is_open:
            read = READ if len(self._answers) < _BACKLOG else 0
            self.loop.watch(self.peer.fileno(), read | (0 if self.is_idle else WRITE), self._on_ready)

    def _on_ready(self, events: int) -> None:
        try:
            if events & READ:
                self._receive()
            self._handle_lines()
            self._send()
            self._handle_lines()  # lines that had to wait until answers were sent
        except OSError:  # the client has left, or a record cannot be read
            self.close()
        self._watch()

    def _receive(self) -> None:
        with contextlib.suppress(BlockingIOError):
            data = self.peer.recv(_RECEIVE)
            if not data:
                self.close()
            rest, *following = data.split(b"\n")
            self._line += rest
            for rest in following:
                self._lines.append(bytes(self._line))
                self._line[:] = rest

    def _handle_lines(self) -> None:
        """Handle the received lines, until too many answers are unsent."""
        while self._lines and self.is_open and len(self._answers) < _BACKLOG:
            try:
                self.on_operation(OperationCall(self, parse(self._lines.popleft())))
            except ProtocolError as exc:
                self._refuse(exc)
        if len(self._line) > MAX_OP:
            self._refuse(ProtocolError(f"an operation is longer than {MAX_OP} bytes, which is the limit"))

    def _refuse(self, error: ProtocolError) -> None:
        """Send ``error`` and close the connection: data after an invalid line cannot be interpreted."""
        if self.is_open:
            self.answer({"error": "protocol", "message": str(error)})
            with contextlib.suppress(OSError):
                self._send()
            self.close()

    def _send(self) -> None:
        for _ in range(_TURNS):
            if not self._outgoing and not self._fill():
                return
            while self._outgoing:
                try:
                    sent = self.peer.sendmsg(self._outgoing)
                except BlockingIOError:
                    return
                self._discard_sent(sent)

    def _discard_sent(self, sent: int) -> None:
        while sent:
            first = self._outgoing.popleft()
            if sent < len(first):
                self._outgoing.appendleft(first[sent:])
                return
            sent -= len(first)

    def _fill(self) -> bool:
        """Put all answers, or else a slice, into ``_outgoing``. Returns False if there is nothing to send."""
        if self._answers:
            self._outgoing.append(memoryview(self._answers))
            self._answers = bytearray()
            return True
        while self._ready:
            feed = self._ready.popleft()
            if feed.credit <= 0:
                continue
            try:
                data = feed.read()
            except OSError:  # no file descriptor is free; try again later
                self.loop.call_later(_PAUSE, self.mark_ready, feed)
                continue
            if data:
                head = line({"type": "slice", "attach": feed.number, "bytes": len(data)})
                self._outgoing += (memoryview(head), memoryview(data))
                self._ready.append(feed)
                return True
            reason = feed.end
            if reason is not None:
                self.detach(feed.number)
                end = line({"type": "end", "attach": feed.number, "reason": reason})
                self._outgoing.append(memoryview(end))
                return True
        return False
