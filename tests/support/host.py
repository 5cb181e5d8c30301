"""A real host in a process of its own, and a low-level client."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.sessions import isolated

from pyrepl_stream.runtime.host.launch import connect, connect_or_start, host_is_alive
from pyrepl_stream.runtime.host.paths import SessionPaths
from pyrepl_stream.runtime.messages import CompleteMessage, GapMessage, Message, OutputMessage
from pyrepl_stream.runtime.wire import Decoder

PATIENCE = 30.0


@dataclass
class Attached:
    """The messages of one `attach`."""

    messages: list[Message] = field(default_factory=list)
    decoder: Decoder = field(default_factory=Decoder)
    slices: list[int] = field(default_factory=list)
    end: str | None = None
    number: int = 0
    answer: dict[str, Any] = field(default_factory=dict)

    @property
    def complete(self) -> CompleteMessage:
        return next(message for message in self.messages if isinstance(message, CompleteMessage))

    def text(self, stream: str = "stdout") -> str:
        return "".join(
            m.text for m in self.messages if isinstance(m, OutputMessage) and m.stream.value == stream
        )

    @property
    def everything(self) -> str:
        return "".join(m.text for m in self.messages if isinstance(m, OutputMessage))

    @property
    def output_bytes(self) -> int:
        total = 0
        for message in self.messages:
            if isinstance(message, OutputMessage):
                data = message.data
                total += len(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
            elif isinstance(message, GapMessage):
                assert message.bytes is not None
                total += message.bytes
        return total

    def assert_whole(self, first: int = 1) -> None:
        for message in self.messages:
            assert message.span_start == first, f"{message!r} where {first} was expected"
            first = message.sequence + 1


class Refused(Exception):
    """The host answered with an error."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name
        self.text = text


class Client:
    """A connection to a host. Every method that waits calls :meth:`pump`."""

    def __init__(self, peer: socket.socket, *, greet: bool = True) -> None:
        self.peer = peer
        peer.settimeout(PATIENCE)
        self.attached: dict[int, Attached] = {}
        self.answers: dict[int, dict[str, Any]] = {}
        self.order: list[str] = []  # kinds of the lines received: `answer`, `slice`, `end`
        self._numbers = itertools.count(1)
        self._buffer = b""
        self.hello = self.ask(op="hello", protocol=1, version="test") if greet else {}

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self.peer.close()

    @property
    def epoch(self) -> str:
        return str(self.hello["epoch"])

    def send(self, **op: Any) -> int:
        op.setdefault("request", next(self._numbers))
        self.peer.sendall(json.dumps(op).encode() + b"\n")
        return int(op["request"])

    def ask(self, **op: Any) -> dict[str, Any]:
        number = self.send(**op)
        return self.answer(number)

    def answer(self, number: int) -> dict[str, Any]:
        self.until(lambda: number in self.answers)
        answer = self.answers.pop(number)
        if "error" in answer:
            raise Refused(answer["error"], answer["message"])
        return answer

    def execute(self, code: str, id: str, *, timeout: float | None = None, **op: Any) -> dict[str, Any]:  # noqa: A002
        execution = {"id": id, "code": code, "timeout": timeout}
        return self.ask(op="execute", execution=execution, **op)

    def command(self, arguments: Any, id: str, **fields: Any) -> dict[str, Any]:  # noqa: A002
        execution = {"id": id, "code": str(arguments), "command": {"arguments": arguments, **fields}}
        return self.ask(op="execute", execution=execution)

    def attach(self, id: str, after: int = 0, **op: Any) -> Attached:  # noqa: A002
        number = next(self._numbers)
        attached = self.attached[number] = Attached()
        attached.number = number
        attached.answer = self.ask(op="attach", attach=number, id=id, after=after, **op)
        return attached

    def run(self, code: str, id: str, **op: Any) -> Attached:  # noqa: A002
        """Execute ``code`` and read up to `complete`."""
        self.execute(code, id, **op)
        return self.read(id)

    def read(self, id: str, after: int = 0, **op: Any) -> Attached:  # noqa: A002
        attached = self.attach(id, after, **op)
        self.until(lambda: attached.end is not None)
        return attached

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline
            self.pump()

    def until_text(self, attached: Attached, text: str) -> None:
        self.until(lambda: text in attached.everything)

    def pump(self) -> None:
        """Receive one line, and the slice that follows it."""
        line = self._line()
        record = json.loads(line)
        if record.get("type") == "slice":
            attached = self.attached[record["attach"]]
            attached.slices.append(record["bytes"])
            attached.messages += attached.decoder.feed(self._exactly(record["bytes"]))
            self.order.append("slice")
        elif record.get("type") == "end":
            self.attached[record["attach"]].end = record["reason"]
            self.order.append("end")
        else:
            self.answers[record.get("request") or 0] = record
            self.order.append("answer")

    def _line(self) -> bytes:
        while b"\n" not in self._buffer:
            self._buffer += self._receive()
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _exactly(self, size: int) -> bytes:
        parts, have = [self._buffer], len(self._buffer)
        while have < size:
            parts.append(self._receive())
            have += len(parts[-1])
        data = b"".join(parts)
        self._buffer = data[size:]
        return data[:size]

    def _receive(self) -> bytes:
        data = self.peer.recv(1 << 20)
        if not data:
            raise EOFError("the host has closed the connection")
        return data


class RunningHost:
    """A session of a test, in its own directories."""

    def __init__(self, name: str = "test", **options: Any) -> None:
        self.place = SessionPaths(name)
        self.options = options
        self._clients: list[Client] = []

    def client(self, *, greet: bool = True) -> Client:
        client = Client(connect_or_start(self.place, self.options), greet=greet)
        self._clients.append(client)
        return client

    @property
    def pid(self) -> int:
        with self.client() as client:
            return int(client.hello["pid"])

    def kill(self) -> None:
        """Kill the host and wait until it has ended."""
        os.kill(self.pid, signal.SIGKILL)
        self.wait_gone()

    def wait_gone(self) -> None:
        wait_until(lambda: not host_is_alive(self.place))

    def directory(self, execution_id: str) -> Path:
        return Path(self.place.execution(execution_id))

    def end(self) -> None:
        for client in self._clients:
            client.peer.close()
        peer = connect(self.place)
        if peer is not None:
            with Client(peer) as client, contextlib.suppress(EOFError, OSError, Refused):
                client.ask(op="close", forget=True)
        self.wait_gone()


@contextlib.contextmanager
def running_hosts() -> Iterator[Callable[..., RunningHost]]:
    """Make sessions for a test; they are ended after it."""
    hosts: list[RunningHost] = []

    def make(**options: Any) -> RunningHost:
        hosts.append(RunningHost(f"test-{os.getpid()}-{len(hosts)}", **options))
        return hosts[-1]

    with isolated():
        yield make
        for host in hosts:
            host.end()


def wait_until(condition: Callable[[], object], patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
