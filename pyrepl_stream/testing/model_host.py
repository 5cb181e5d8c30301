"""A model of a host that speaks the protocol without processes, disk or I/O: bytes in, bytes out."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..runtime import errors
from ..runtime.engine.loop import engine_loop
from ..runtime.messages import CompleteMessage, GapMessage, Message, OutputMessage, Status
from ..runtime.protocol import operations
from ..runtime.wire import encode

__all__ = ("ModelHost", "ModelLink", "ModelPeer", "Record")

_SLICE = 64 << 10
_NEVER = 1 << 62  # bytes


@dataclass
class Record:
    """The record of one execution."""

    id: str
    code: str
    epoch: str
    key: str
    messages: list[Message] = field(default_factory=list)
    closed: bool = False
    interrupts: set[str] = field(default_factory=set)
    asked: int | None = None
    answers: list[str | None] = field(default_factory=list)

    @property
    def complete(self) -> CompleteMessage | None:
        """The `complete` message; None while the execution runs."""
        return next((message for message in self.messages if isinstance(message, CompleteMessage)), None)

    @property
    def last(self) -> int:
        """The sequence number of the last message; 0 if there are no messages."""
        return self.messages[-1].sequence if self.messages else 0

    @property
    def status(self) -> str:
        """``running``, or the status of the `complete` message."""
        return "running" if self.complete is None else self.complete.status

    @property
    def state(self) -> dict[str, Any]:
        """The fields that the answers about an execution share."""
        return {"epoch": self.epoch, "status": self.status, "asked": self.asked, "behind": None}

    def emit(self, message: Message) -> None:
        """Append a message with the next sequence number."""
        number = self.last + 1
        values = {**vars(message), "execution_id": self.id, "sequence": number, "timestamp": 1.0}
        if isinstance(message, GapMessage):
            values["first"], values["sequence"] = number, number + message.sequence
        self.messages.append(type(message)(**values))

    def write(self, text: str) -> None:
        """Append output."""
        self.emit(OutputMessage(data=text))

    def end(self, status: Status = "ok") -> None:
        """End the execution, unless it has ended."""
        if self.complete is None:
            self.emit(CompleteMessage(success=status == "ok", status=status))


class ModelHost:
    """A host that can be restarted. ``started`` counts how many times each request was carried out."""

    _ids = itertools.count(1)

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.started: dict[str, int] = {}
        self.peers: list[ModelPeer] = []
        self.epoch = "epoch-1"
        self.options: dict[str, Any] = {}
        self.closing = False  # it accepts no more requests
        self.on_start: Callable[[Record], object] = lambda record: None

    def restart(self) -> None:
        """Kill the host and start another one: connections are cut, executions are lost, records stay."""
        self.epoch = f"epoch-{next(self._ids) + 1}"
        self.closing = False
        for record in self.records.values():
            record.end("lost")
            record.closed = True
        for peer in self.peers:
            peer.gone = True
        self.peers.clear()

    def close(self) -> None:
        """Notify the clients, and ignore everything that they send until :meth:`restart` is called."""
        self.closing = True
        for peer in self.peers:
            peer.close()

    def connect(self) -> ModelPeer:
        """Return the host's end of a new connection."""
        self.peers.append(ModelPeer(self))
        return self.peers[-1]

    def execute(self, op: dict[str, Any]) -> dict[str, Any]:
        """Start the execution that an operation requests, or find the one that it started before."""
        request = op["execution"]
        found = self.records.get(request["id"])
        if found is not None and (not op["fresh"] or op["key"] == found.key):
            if found.code != request["code"]:
                raise errors.ExecutionExistsError("the execution exists with other code")
            return {"new": False, **found.state}
        if op["epoch"] != self.epoch:
            raise errors.StaleEpochError("the host has ended since")
        if found is not None:
            if found.complete is None:
                raise errors.ExecutionExistsError("it is still running")
            found.closed = True
        epoch = f"{self.epoch}.{next(self._ids)}"
        record = self.records[request["id"]] = Record(request["id"], request["code"], epoch, op["key"])
        self.started[op["key"]] = self.started.get(op["key"], 0) + 1
        self.on_start(record)
        return {"new": True, **record.state}

    def get(self, execution_id: str) -> Record:
        """Return a record. Raises :class:`UnknownExecutionError`."""
        if execution_id not in self.records:
            raise errors.UnknownExecutionError(f"there is no execution {execution_id}")
        return self.records[execution_id]


@dataclass
class _Attach:
    record: Record
    after: int
    follow: bool
    credit: int
    lines: bytes = b""  # the lines to send next


class ModelPeer:
    """The host's end of one connection."""

    def __init__(self, host: ModelHost) -> None:
        self.gone = False
        self.skip = 0  # the number of messages to leave out next, as a broken host would
        self.repeat = 0  # the number of messages to send twice, as a broken host would
        self.pings = 0
        self.silent = False
        self.deaf = False
        self._host = host
        self._incoming = b""
        self._answers: list[bytes] = []
        self._attaches: dict[int, _Attach] = {}
        self._waiting: list[dict[str, Any]] = []  # `wait` operations with nothing to report yet

    def close(self) -> None:
        """Notify the client that the session was closed."""
        self._answers.append(operations.line({"type": "closed"}))
        self.deaf = True

    def receive(self, data: bytes) -> None:
        """Handle bytes from the client."""
        if self.deaf:
            return
        *lines, self._incoming = (self._incoming + data).split(b"\n")
        for line in lines:
            self._handle(operations.parse(line))

    def send(self) -> bytes:
        """Return the bytes to send: all answers, then a slice for each attach with new messages."""
        if self.silent or self.gone:
            return b""
        waiting, self._waiting = self._waiting, []
        for op in waiting:
            self._handle(op)
        output, self._answers = self._answers, []
        for number, attach in list(self._attaches.items()):
            output += self._slices(number, attach)
        return b"".join(output)

    def _slices(self, number: int, attach: _Attach) -> list[bytes]:
        output = []
        while attach.credit > 0 and (data := self._next(attach)):
            attach.credit -= len(data)
            output += [operations.line({"type": "slice", "attach": number, "bytes": len(data)}), data]
        if attach.lines:
            return output
        at_end = attach.after >= attach.record.last
        complete = attach.record.complete
        ended = not attach.follow and complete is not None and attach.after >= complete.sequence
        if ended or (at_end and attach.record.closed):
            del self._attaches[number]
            reason = "closed" if attach.follow else "complete" if complete is not None else "lost"
            output.append(operations.line({"type": "end", "attach": number, "reason": reason}))
        return output

    def _next(self, attach: _Attach) -> bytes:
        """Return whole lines within the credit, but at least one, as the real host does."""
        limit = min(_SLICE, attach.credit)
        lines = attach.lines or self._lines(attach, limit)
        end = lines.rfind(b"\n", 0, limit) + 1 or lines.find(b"\n") + 1
        attach.lines = lines[end:]
        return lines[:end]

    def _lines(self, attach: _Attach, limit: int) -> bytes:
        complete = attach.record.complete
        stop = attach.record.last if attach.follow or complete is None else complete.sequence
        data = b""
        for message in attach.record.messages:
            if len(data) >= limit or message.sequence > stop:
                break
            if message.sequence <= attach.after:
                if not self.repeat:
                    continue
                self.repeat -= 1
            elif self.skip and message.sequence < attach.record.last:
                self.skip -= 1
                attach.after = message.sequence
                continue
            attach.after = max(attach.after, message.sequence)
            data += encode(message)
        return data

    def _handle(self, op: dict[str, Any]) -> None:
        try:
            if self._host.closing and op["op"] not in ("hello", "ping", "credit", "detach", "wait"):
                raise errors.SessionClosedError("the session is being closed")
            answer = getattr(self, f"_on_{op['op']}")(op)
        except errors.PyreplStreamError as exc:
            answer = {"error": operations.error_name(exc), "message": str(exc)}
        if answer is not None:
            self._answers.append(operations.line({"request": op["request"], **answer}))

    def _on_hello(self, op: dict[str, Any]) -> dict[str, Any]:
        return {
            "protocol": operations.PROTOCOL,
            "version": "model",
            "epoch": self._host.epoch,
            "session": "model",
            "pid": 1,
            "options": self._host.options,
        }

    def _on_execute(self, op: dict[str, Any]) -> dict[str, Any]:
        return self._host.execute(op)

    def _on_attach(self, op: dict[str, Any]) -> dict[str, Any]:
        record = self._host.get(op["id"])
        if op["epoch"] not in (None, record.epoch):
            raise errors.StaleEpochError("the record was replaced")
        if op["after"] > record.last:
            raise errors.CursorError(
                f"after is {op['after']}, beyond the end: the last message is {record.last}"
            )
        self._attaches[op["attach"]] = _Attach(record, op["after"], op["follow"], op["credit"])
        return {"last": record.last, **record.state}

    def _on_wait(self, op: dict[str, Any]) -> dict[str, Any] | None:
        record = self._host.get(op["id"])
        if record.complete is None and (record.asked or 0) <= (op["asked"] or 0):
            self._waiting.append(op)  # there is nothing to report yet
            return None
        return record.state

    def _on_credit(self, op: dict[str, Any]) -> None:
        if op["attach"] in self._attaches:
            self._attaches[op["attach"]].credit += op["bytes"]

    def _on_detach(self, op: dict[str, Any]) -> None:
        self._attaches.pop(op["attach"], None)

    def _on_interrupt(self, op: dict[str, Any]) -> dict[str, Any]:
        record = self._host.get(op["id"])
        if record.complete is not None and op["key"] not in record.interrupts:
            raise errors.ExecutionEndedError("it has ended")
        record.interrupts.add(op["key"])
        record.end("interrupted")
        return {}

    _on_kill = _on_interrupt

    def _on_input(self, op: dict[str, Any]) -> dict[str, Any]:
        record = self._host.get(op["id"])
        if record.asked != op["sequence"]:
            raise errors.ExecutionEndedError("it was answered already")
        record.asked = None
        record.answers.append(op["text"])
        return {}

    def _on_list(self, op: dict[str, Any]) -> dict[str, Any]:
        records = self._host.records.values()
        return {"executions": [{"id": record.id, "status": record.status} for record in records]}

    def _on_ping(self, op: dict[str, Any]) -> dict[str, Any]:
        self.pings += 1
        return {}

    def _on_close(self, op: dict[str, Any]) -> dict[str, Any]:
        for record in self._host.records.values():
            record.end("killed")
            record.closed = True
        return {}


class ModelLink:
    """A link to a :class:`ModelHost`, whose connections can be cut after a number of bytes to the client.

    Args:
        host: The host.
        cuts: For each connection, the number of bytes after which it is cut; further connections are not
            cut.
        errors: Errors to raise instead of making the first connections.
    """

    def __init__(
        self, host: ModelHost, *, cuts: Iterable[int] = (), errors: Iterable[Exception] = ()
    ) -> None:
        self.host = host
        self.refusal: Exception | None = None
        self.connections = 0
        self._cuts: Iterator[int] = iter(cuts)
        self._errors = list(errors)
        self._streams: list[ModelStream] = []

    async def connect(self, *, start: bool) -> ModelStream:
        """Connect to the host. See :class:`pyrepl_stream.client.Link`."""
        if self._errors:
            raise self._errors.pop(0)
        self.connections += 1
        self._streams.append(ModelStream(self.host.connect(), next(self._cuts, _NEVER)))
        return self._streams[-1]

    def greeted(self, hello: Mapping[str, Any]) -> None:
        """Raise :attr:`refusal`, if it is set."""
        if self.refusal is not None:
            raise self.refusal

    def pump(self) -> None:
        """Deliver the bytes that the host sends now. May be called from any thread."""
        engine_loop().call(self._pump)

    def _pump(self) -> None:
        for stream in self._streams:
            stream.pump()


class ModelStream:
    """A connection over a :class:`ModelLink`."""

    def __init__(self, peer: ModelPeer, cut: int) -> None:
        self.closed = False
        self._peer = peer
        self._left = cut
        self._data = bytearray()
        self._news = asyncio.Event()

    def pump(self) -> None:
        self._data += self._peer.send()
        self._news.set()

    async def receive(self) -> bytes:
        while not self._data and not self._peer.gone and self._left:
            self._news.clear()
            await self._news.wait()
        piece = bytes(self._data[: self._left])
        del self._data[: len(piece)]
        self._left -= len(piece)
        return piece

    async def send(self, data: bytes) -> None:
        if self._peer.gone:
            raise BrokenPipeError(32, "Broken pipe")
        self._peer.receive(data)
        self.pump()

    async def aclose(self) -> None:
        self.closed = True
