"""A host that is only its protocol: no processes, no disk, no I/O. Bytes in, bytes out."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyrepl_stream import (
    CompleteMessage,
    CursorError,
    EndedError,
    ExecutionExistsError,
    GapMessage,
    Message,
    OutputMessage,
    PyreplStreamError,
    SessionClosedError,
    UnknownExecutionError,
    WrongEpochError,
)
from pyrepl_stream.engine.loop import engine_loop
from pyrepl_stream.host import protocol
from pyrepl_stream.wire import encode

__all__ = ("ModelHost", "ModelLink", "ModelPeer", "Record")

_SLICE = 64 << 10


@dataclass
class Record:
    """One execution, as it would be on disk."""

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
        return next((message for message in self.messages if isinstance(message, CompleteMessage)), None)

    @property
    def last(self) -> int:
        return self.messages[-1].sequence if self.messages else 0

    @property
    def status(self) -> str:
        return "running" if self.complete is None else self.complete.status

    def say(self, message: Message) -> None:
        number = self.last + 1
        values = {**vars(message), "execution_id": self.id, "sequence": number, "timestamp": 1.0}
        if isinstance(message, GapMessage):
            values["first"], values["sequence"] = number, number + message.sequence
        self.messages.append(type(message)(**values))

    def write(self, text: str) -> None:
        self.say(OutputMessage(data=text))

    def end(self, status: str = "ok") -> None:
        if self.complete is None:
            self.say(CompleteMessage(success=status == "ok", status=status))


class ModelHost:
    """The sessions of a machine over several lives of its host; ``started`` counts what was run."""

    _ids = itertools.count(1)

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.started: dict[str, int] = {}
        self.peers: list[ModelPeer] = []
        self.epoch = "epoch-1"
        self.options: dict[str, Any] = {}
        self.closing = False
        """Whether it takes nothing on any more."""
        self.on_start: Callable[[Record], object] = lambda record: None

    def restart(self) -> None:
        """It is killed and another one comes: connections are gone, what ran is lost, records stay."""
        self.epoch = f"epoch-{next(self._ids) + 1}"
        self.closing = False
        for record in self.records.values():
            record.end("lost")
            record.closed = True
        for peer in self.peers:
            peer.gone = True
        self.peers.clear()

    def close(self) -> None:
        """It tells its clients; what they say afterwards it does not hear. :meth:`restart` is its end."""
        self.closing = True
        for peer in self.peers:
            peer.close()

    def connect(self) -> ModelPeer:
        self.peers.append(ModelPeer(self))
        return self.peers[-1]

    def execute(self, op: dict[str, Any]) -> dict[str, Any]:
        request = op["execution"]
        found = self.records.get(request["id"])
        if found is not None and (not op["fresh"] or op["key"] == found.key):
            if found.code != request["code"]:
                raise ExecutionExistsError("there is one of other code")
            return {"epoch": found.epoch, "new": False, "status": found.status, "behind": None}
        if op["epoch"] != self.epoch:
            raise WrongEpochError("the host has ended since")
        if found is not None:
            found.end("killed")
            found.closed = True
        epoch = f"{self.epoch}.{next(self._ids)}"
        record = self.records[request["id"]] = Record(request["id"], request["code"], epoch, op["key"])
        self.started[op["key"]] = self.started.get(op["key"], 0) + 1
        self.on_start(record)
        return {"epoch": epoch, "new": True, "status": record.status, "behind": None}

    def is_live(self, op: dict[str, Any]) -> bool:
        """Whether there is no news for who waits."""
        record = self.records.get(op["id"])
        return record is not None and record.complete is None and (record.asked or 0) <= (op["asked"] or 0)

    def get(self, execution_id: str) -> Record:
        if execution_id not in self.records:
            raise UnknownExecutionError(f"there is no execution {execution_id}")
        return self.records[execution_id]


@dataclass
class _Attach:
    record: Record
    after: int
    follow: bool
    credit: int


class ModelPeer:
    """One connection of a host."""

    def __init__(self, host: ModelHost) -> None:
        self.gone = False
        self.skip = 0
        """How many messages are left out next: a host that is broken, for the client to notice."""
        self.repeat = 0
        """How many messages are sent once more than is right."""
        self.pings = 0
        self.silent = False
        self.deaf = False
        self._host = host
        self._incoming = bytearray()
        self._answers: list[bytes] = []
        self._attaches: dict[int, _Attach] = {}
        self._waiting: list[dict[str, Any]] = []  # until there is news

    def close(self) -> None:
        self._answers.append(protocol.line({"type": "closed"}))
        self.deaf = True

    def receive(self, data: bytes) -> None:
        if self.deaf:
            return
        self._incoming += data
        *lines, rest = bytes(self._incoming).split(b"\n")
        self._incoming = bytearray(rest)
        for line in lines:
            self._obey(protocol.parse(line))

    def send(self) -> bytes:
        """What goes out now: all answers, then a slice for each attach that has something."""
        if self.silent or self.gone:
            return b""
        waiting, self._waiting = self._waiting, []
        for op in waiting:
            self._obey(op)
        output, self._answers = self._answers, []
        for number, attach in list(self._attaches.items()):
            output += self._slices(number, attach)
        return b"".join(output)

    def _slices(self, number: int, attach: _Attach) -> list[bytes]:
        output = []
        while attach.credit > 0 and (data := self._next(attach)):
            attach.credit -= len(data)
            output += [protocol.line({"type": "slice", "attach": number, "bytes": len(data)}), data]
        at_end = attach.after >= attach.record.last
        complete = attach.record.complete
        ended = not attach.follow and complete is not None and attach.after >= complete.sequence
        if ended or (at_end and attach.record.closed):
            del self._attaches[number]
            reason = "closed" if attach.follow else "complete" if complete is not None else "lost"
            output.append(protocol.line({"type": "end", "attach": number, "reason": reason}))
        return output

    def _next(self, attach: _Attach) -> bytes:
        complete = attach.record.complete
        stop = None if attach.follow or complete is None else complete.sequence
        sent: list[bytes] = []
        size = 0
        limit = min(_SLICE, attach.credit)
        for message in attach.record.messages:
            if size >= limit or (stop is not None and message.sequence > stop):
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
            sent.append(encode(message))
            size += len(sent[-1])
        return b"".join(sent)

    def _obey(self, op: dict[str, Any]) -> None:
        if op["op"] == "wait" and self._host.is_live(op):
            self._waiting.append(op)
            return
        try:
            if self._host.closing and op["op"] not in ("hello", "ping", "credit", "detach", "wait"):
                raise SessionClosedError("it is being closed")
            answer = getattr(self, f"_on_{op['op']}")(op)
        except PyreplStreamError as exc:
            answer = {"error": protocol.error_name(exc), "message": str(exc)}
        if answer is not None:
            self._answers.append(protocol.line({"request": op["request"], **answer}))

    def _on_hello(self, op: dict[str, Any]) -> dict[str, Any]:
        return {
            "protocol": protocol.PROTOCOL,
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
            raise WrongEpochError("it was made anew")
        if op["after"] > record.last:
            raise CursorError(f"after is {op['after']}, beyond the end: the last message is {record.last}")
        self._attaches[op["attach"]] = _Attach(record, op["after"], op["follow"], op["credit"])
        return {
            "epoch": record.epoch,
            "last": record.last,
            "status": record.status,
            "asked": record.asked,
            "behind": None,
        }

    def _on_wait(self, op: dict[str, Any]) -> dict[str, Any]:
        record = self._host.get(op["id"])
        return {"epoch": record.epoch, "status": record.status, "asked": record.asked}

    def _on_credit(self, op: dict[str, Any]) -> None:
        if op["attach"] in self._attaches:
            self._attaches[op["attach"]].credit += op["bytes"]

    def _on_detach(self, op: dict[str, Any]) -> None:
        self._attaches.pop(op["attach"], None)

    def _on_interrupt(self, op: dict[str, Any]) -> dict[str, Any]:
        record = self._host.get(op["id"])
        if record.complete is not None and op["key"] not in record.interrupts:
            raise EndedError("it has ended")
        record.interrupts.add(op["key"])
        record.end("interrupted")
        return {}

    _on_kill = _on_interrupt

    def _on_input(self, op: dict[str, Any]) -> dict[str, Any]:
        record = self._host.get(op["id"])
        if record.asked != op["sequence"]:
            raise EndedError("it was answered already")
        record.asked = None
        record.answers.append(op["text"])
        return {}

    def _on_list(self, op: dict[str, Any]) -> dict[str, Any]:
        return {"executions": [{"id": record.id, "status": record.status} for record in self._host.records.values()]}

    def _on_ping(self, op: dict[str, Any]) -> dict[str, Any]:
        self.pings += 1
        return {}

    def _on_close(self, op: dict[str, Any]) -> dict[str, Any]:
        for record in self._host.records.values():
            record.end("killed")
            record.closed = True
        return {}


class ModelLink:
    """A link to such a host. Each connection is cut behind as many bytes to the client as ``cuts`` says."""

    def __init__(self, host: ModelHost, *, cuts: Iterable[int] = (), errors: Iterable[Exception] = ()) -> None:
        self.host = host
        self.refusal: Exception | None = None
        self.connections = 0
        self._cuts: Iterator[int] = iter(cuts)
        self._errors = list(errors)
        self._streams: list[ModelStream] = []

    async def connect(self, *, start: bool) -> ModelStream:
        if self._errors:
            raise self._errors.pop(0)
        self.connections += 1
        self._streams.append(ModelStream(self.host.connect(), next(self._cuts, None)))
        return self._streams[-1]

    def greeted(self, hello: Mapping[str, Any]) -> None:
        if self.refusal is not None:
            raise self.refusal

    def pump(self) -> None:
        """The host has something new to say. From any thread."""
        engine_loop().call(lambda: [stream.pump() for stream in self._streams])


class ModelStream:
    def __init__(self, peer: ModelPeer, cut: int | None) -> None:
        self.closed = False
        self._peer = peer
        self._left = cut
        self._data = bytearray()
        self._news = asyncio.Event()

    def pump(self) -> None:
        self._data += self._peer.send()
        self._news.set()

    async def receive(self) -> bytes:
        while not self._data and not self._peer.gone and self._left != 0:
            self._news.clear()
            await self._news.wait()
        size = len(self._data) if self._left is None else self._left
        piece = bytes(self._data[:size])
        del self._data[: len(piece)]
        if self._left is not None:
            self._left -= len(piece)
        return piece

    async def send(self, data: bytes) -> None:
        if self._peer.gone:
            raise BrokenPipeError(32, "Broken pipe")
        self._peer.receive(data)
        self.pump()

    async def aclose(self) -> None:
        self.closed = True
