"""Data of a pipe become messages wherever they are split; marks identify the processes of an execution."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrepl_stream.runtime.host.execution import READ_BYTES, HostedExecution, OutputPipe
from pyrepl_stream.runtime.journal.spool.status import SpoolStatus
from pyrepl_stream.runtime.messages import Message, OutputMessage, StreamType
from pyrepl_stream.runtime.protocol.marks import execution_of, with_execution
from pyrepl_stream.runtime.protocol.requests import Request
from pyrepl_stream.runtime.wire import decode, numbered


class Record:
    """Keeps what is appended to it, in place of a spool."""

    status = SpoolStatus("one", "epoch", "session", "digest", "head", started=0.0)

    def __init__(self) -> None:
        self.bodies: list[tuple[bytes, int]] = []

    def append(self, body: bytes, output: int) -> None:
        self.bodies.append((body, output))


@pytest.fixture(scope="module")
def pipe() -> Iterator[OutputPipe]:
    pipe = OutputPipe(StreamType.STDERR)
    yield pipe
    pipe.close()


def read(pipe: OutputPipe, chunks: list[bytes]) -> list[Message]:
    record: Any = Record()
    execution = HostedExecution(Request("one", ""), "", record)
    execution.pipes.append(pipe)
    for chunk in chunks:
        execution.append_output(pipe, chunk)
    execution.end_text()
    messages = [decode(numbered(body, "one", index + 1)) for index, (body, _) in enumerate(record.bodies)]
    for message, (_, size) in zip(messages, record.bodies, strict=True):
        assert isinstance(message, OutputMessage)
        assert len(as_bytes(message)) == size <= (64 << 10) + 3
    return messages


def as_bytes(message: Message) -> bytes:
    assert isinstance(message, OutputMessage)
    return message.data if isinstance(message.data, bytes) else message.data.encode()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in zip(edges, edges[1:], strict=False)]


@given(data=st.binary(max_size=300), places=st.lists(st.integers(0, 1000), max_size=8))
def test_no_byte_is_lost_changed_or_repeated(pipe: OutputPipe, data: bytes, places: list[int]) -> None:
    assert b"".join(map(as_bytes, read(pipe, cut(data, places)))) == data


@given(text=st.text(max_size=100), places=st.lists(st.integers(0, 1000), max_size=20))
def test_text_stays_text_wherever_it_is_split(pipe: OutputPipe, text: str, places: list[int]) -> None:
    data = text.encode("utf-8", "ignore")
    messages = read(pipe, cut(data, places))
    assert all(isinstance(message.data, str) for message in messages if isinstance(message, OutputMessage))
    assert b"".join(map(as_bytes, messages)) == data


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 262_144])
@pytest.mark.parametrize("character", ["x", "ä", "€", "𝄞"])
def test_long_text_is_split_between_characters(pipe: OutputPipe, size: int, character: str) -> None:
    text = character * (size // len(character.encode()))
    messages = read(pipe, [text.encode()])
    assert "".join(message.data for message in messages if isinstance(message, OutputMessage)) == text  # type: ignore[misc]


def test_read_returns_the_data_then_nothing_then_none_at_the_end() -> None:
    pipe = OutputPipe(StreamType.STDOUT)
    writer = pipe.take_writer()
    assert pipe.read() == b""
    os.write(writer, b"x" * 1000)
    assert pipe.read() == b"x" * 1000
    assert pipe.read() == b""
    os.close(writer)
    assert pipe.read() is None
    pipe.close()
    pipe.close()
    assert READ_BYTES == 256 << 10


def test_an_execution_is_identified_by_the_mark_that_its_processes_inherit() -> None:
    marks = with_execution("outer:host", 7)
    assert execution_of(marks.encode().split(b":"), "host") == 7
    assert execution_of([b"host"], "host") == 0
    assert execution_of(b"host:host-7:0123abcd".split(b":"), "host") == 7
    for others in ([], [b"other", b"other-7"], [b"host2-7"], [b"host-x"]):
        assert execution_of(others, "host") is None
