"""Random changes to recorded traffic: ``python -m faults.fuzz --minutes 5 --seed 1``.

Each input is the traffic of one decoder with a few random changes. A violation is an exception that the
decoder does not document, a hang, or memory that grows. The seed is printed first: the same seed makes the same
inputs, and the number in a violation identifies one of them.
"""

from __future__ import annotations

import gc
import os
import random
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from faults.program import main

from pyrepl_stream import (
    CompleteMessage,
    DisplayMessage,
    ErrorMessage,
    EventMessage,
    GapMessage,
    InputRequestMessage,
    Message,
    OutputMessage,
    ProgressMessage,
    ResultMessage,
)
from pyrepl_stream.client.events import Delivered
from pyrepl_stream.client.protocol import ClientProtocol
from pyrepl_stream.runtime import wire
from pyrepl_stream.runtime.errors import ProtocolError
from pyrepl_stream.runtime.protocol import operations
from pyrepl_stream.runtime.protocol.frames import Frame, FrameDecoder, FrameType, pack
from pyrepl_stream.runtime.protocol.requests import Request
from pyrepl_stream.testing import ModelHost

GROWTH = 32 << 20  # bytes by which the process may grow after its first inputs
WARM_UP = 2000  # inputs after which memory is measured for the first time
LONG_SHARE = 0.03  # share of the inputs that contain a message of several lines
HANG = 10.0  # seconds of CPU time after which an input is considered to hang

MESSAGES: tuple[Message, ...] = (
    OutputMessage("a", 1, data="text \udcff\n"),
    OutputMessage("a", 2, data=b"\xff\x00"),
    DisplayMessage("a", 3, data={"text/plain": "1", "application/json": {"a": [1, 2.5]}}, display_id="d"),
    ResultMessage("a", 4, data={"text/plain": "1"}),
    ErrorMessage("a", 5, name="E", value="v", traceback=("one", "two")),
    ProgressMessage("a", 6, current=1, total=2.0, percentage=50),
    EventMessage("a", 7, name="n", data={"x": None}),
    InputRequestMessage("a", 8, prompt="? "),
    GapMessage("a", 10, first=9, bytes=7),
    GapMessage("a", 11, bytes=None),
    CompleteMessage("a", 12, success=True, status="ok"),
)
LONG = (OutputMessage("a", 1, data="x" * (1 << 20)), *MESSAGES[1:])
VALUES = re.compile(rb'(?<=":)("[^"\\]*"|-?[0-9.]+|true|false|null|\{\}|\[\])')
TOKENS = (
    *(b"-1", b"0", b"1e999", b"NaN", b"1.5", b"null", b"true", b'"x"', b"[1]", b"{}", b'"\\ud800"', b""),
    *(b"9" * 19, b"9" * 5000, b"[" * 2000, b'{"a":' * 2000, b"\xff", b"\x00", b"\n", b"\r\n", b'"', b"\\"),
)


# -- the traffic, and what decodes it -----------------------------------------------------------------


def _waiting_client() -> ClientProtocol:
    client = ClientProtocol(random=lambda: 1.0, patience=60.0)
    execution = {"id": "a", "code": "1", "timeout": None, "command": {"arguments": ["x"]}}
    client.request({"op": "execute", "execution": execution, "fresh": False, "key": "k"}, 0.0)
    client.request({"op": "list"}, 0.0)
    client.request({"op": "wait", "id": "a", "asked": None}, 0.0)
    client.attach("a", 0, True, None, 0.0)
    client.connecting()
    client.connected(0.0)
    return client


def _conversation(messages: Sequence[Message]) -> tuple[bytes, bytes]:
    """Return what a client and its host send to each other."""
    host = ModelHost()
    host.on_start = lambda record: record.messages.extend(messages)
    client, peer = _waiting_client(), host.connect()
    sent = received = b""
    while data := client.data_to_send():
        peer.receive(data)
        answer = peer.send()
        client.receive(answer, 0.0)
        sent, received = sent + data, received + answer
    return sent, received


def _to_decoder(pieces: Iterator[bytes]) -> None:
    decoder = wire.Decoder()
    for piece in pieces:
        for message in decoder.feed(piece):
            line = wire.encode(message)
            assert [wire.encode(again) for again in wire.Decoder().feed(line)] == [line]
    decoder.close()


def _to_client(pieces: Iterator[bytes]) -> None:
    client = _waiting_client()
    client.data_to_send()
    for piece in pieces:
        for event in client.receive(piece, 0.0):
            if isinstance(event, Delivered):
                client.consumed(event.attach, event.size)
        client.data_to_send()


def _to_host(pieces: Iterator[bytes]) -> None:
    for line in b"".join(pieces).splitlines():
        op = operations.parse(line)
        if isinstance(op.get("execution"), dict):
            assert Request.from_json(op["execution"]).digest


def _to_frames(pieces: Iterator[bytes]) -> None:
    decoder = FrameDecoder()
    for piece in pieces:
        for frame in decoder.feed(piece):
            if frame.type in (FrameType.MESSAGE, FrameType.KEPT, FrameType.COMPLETE):
                wire.decode_unnumbered(frame.payload)


def _frames(messages: Sequence[Message]) -> bytes:
    bodies = [wire.unnumbered(message) for message in messages if not isinstance(message, GapMessage)]
    return b"".join(pack(Frame(FrameType.MESSAGE, 1, body, 5)) for body in bodies)


TARGETS: dict[str, tuple[Callable[[Sequence[Message]], bytes], Callable[[Iterator[bytes]], None]]] = {
    "wire lines": (lambda messages: b"".join(map(wire.encode, messages)), _to_decoder),
    "answers of a host": (lambda messages: _conversation(messages)[1], _to_client),
    "operations of a client": (lambda messages: _conversation(messages)[0], _to_host),
    "frames of a worker": (_frames, _to_frames),
}


# -- changes --------------------------------------------------------------------------------------------


def changed(data: bytes, choose: random.Random) -> bytes:
    """Return ``data`` with one to four random changes."""
    for _ in range(choose.randrange(1, 5)):
        place = choose.randrange(len(data) + 1)
        end = min(len(data), place + choose.choice((1, 1, 4, 20, 1000)))
        kind = choose.choice(("value", "value", "value", "flip", "remove", "repeat", "insert", "cut", "line"))
        if kind == "value":
            found = [match.span() for match in VALUES.finditer(data)]
            place, end = choose.choice(found) if found else (place, place)
            data = data[:place] + choose.choice(TOKENS) + data[end:]
        elif kind == "flip":
            data = data[:place] + bytes([choose.randrange(256)]) + data[place + 1 :]
        elif kind == "remove":
            data = data[:place] + data[end:]
        elif kind == "repeat":
            data = data[:end] + data[place:end] * choose.choice((1, 1, 50)) + data[end:]
        elif kind == "insert":
            data = data[:place] + choose.choice(TOKENS) + data[place:]
        elif kind == "cut":
            data = data[:place]
        else:
            lines = data.splitlines(keepends=True) or [b""]
            lines.insert(choose.randrange(len(lines)), choose.choice(lines))
            data = b"".join(lines)
    return data


def pieces_of(data: bytes, choose: random.Random) -> Iterator[bytes]:
    """Yield ``data`` in pieces of random sizes."""
    size = choose.choice((100, 10_000, 1 << 20))
    place = 0
    while place < len(data):
        end = place + choose.randrange(1, size + 1)
        yield data[place:end]
        place = end


# -- runs -------------------------------------------------------------------------------------------------


def memory() -> int:
    """Return the resident memory of this process in bytes."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _hang(number: int, frame: object) -> None:
    raise TimeoutError(f"it took more than {HANG:g} s")


def fuzz(seconds: float, seed: int, inputs: int | None = None) -> tuple[Counter[str], list[str]]:
    """Decode inputs for a time, or a given number of them. Return the number by target, and the violations."""
    done: Counter[str] = Counter()
    found: list[str] = []
    recorded = {
        (name, messages is LONG): record(messages)
        for name, (record, _) in TARGETS.items()
        for messages in (MESSAGES, LONG)
    }
    end = time.monotonic() + seconds
    base = 0
    signal.signal(signal.SIGVTALRM, _hang)
    while time.monotonic() < end and (inputs is None or done.total() < inputs):
        number = done.total()
        choose = random.Random(f"{seed}/{number}")
        name = choose.choice(sorted(TARGETS))
        data = changed(recorded[name, choose.random() < LONG_SHARE], choose)
        done[name] += 1
        signal.setitimer(signal.ITIMER_VIRTUAL, HANG)
        try:
            TARGETS[name][1](pieces_of(data, choose))
        except ProtocolError:
            pass
        except Exception as exc:
            found.append(f"input {number}, {name}: {type(exc).__name__}: {str(exc)[:200]}")
            print(f"VIOLATION seed {seed} {found[-1]}", flush=True)
        if number % WARM_UP == WARM_UP - 1:
            now = memory()
            base = base or now
            if now > base + GROWTH:
                found.append(f"input {number}: memory grew from {base >> 20} to {now >> 20} MiB")
                print(f"VIOLATION seed {seed} {found[-1]}", flush=True)
                break
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    print(f"seed {seed}: {done.total()} inputs, {len(found)} violations, {memory() >> 20} MiB", flush=True)
    return done, found


if __name__ == "__main__":
    sys.exit(main("faults.fuzz", __doc__, fuzz, minutes=5))
