"""The buffer between user code and the engine: nothing is lost, doubled or out of order."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrepl_stream import GapMessage, LogMessage, Message, OutputMessage, StreamType
from pyrepl_stream.runtime.engine.write_buffer import MAX_OUTPUT, Coalescer, WriteBuffer
from pyrepl_stream.runtime.text import utf8_size

OUT, ERR = StreamType.STDOUT, StreamType.STDERR


@pytest.fixture
def switch_interval() -> Iterator[Callable[[float], None]]:
    before = sys.getswitchinterval()
    yield sys.setswitchinterval
    sys.setswitchinterval(before)


def size_of(message: OutputMessage) -> int:
    data = message.data
    return len(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))


def coalesced(buffer: WriteBuffer) -> list[Message]:
    return list(Coalescer().messages(buffer.take()))


def test_neighbours_of_one_stream_become_one_message() -> None:
    buffer = WriteBuffer()
    for text in "abc":
        buffer.stdout.write(text)
    buffer.post(ERR, "d")
    buffer.post(ERR, "e")
    buffer.stdout.write("f")
    messages = coalesced(buffer)
    assert [(m.stream, m.data) for m in messages if isinstance(m, OutputMessage)] == [
        (OUT, "abc"),
        (ERR, "de"),
        (OUT, "f"),
    ]


def test_labels_keep_neighbours_apart() -> None:
    buffer = WriteBuffer()
    buffer.post(OUT, "a", "git")
    buffer.post(OUT, "b", "pip")
    buffer.post(OUT, "c")
    assert [(m.source, m.data) for m in coalesced(buffer) if isinstance(m, OutputMessage)] == [
        ("git", "a"),
        ("pip", "b"),
        ("", "c"),
    ]


def test_a_message_takes_its_place_among_the_output() -> None:
    buffer = WriteBuffer()
    buffer.stdout.write("before")
    buffer.post(None, LogMessage(text="now"))
    buffer.stdout.write("after")
    assert [type(message) for message in coalesced(buffer)] == [OutputMessage, LogMessage, OutputMessage]


def test_an_empty_write_makes_no_message() -> None:
    buffer = WriteBuffer()
    buffer.stdout.write("")
    buffer.post(ERR, "")
    buffer.post(ERR, b"")
    assert coalesced(buffer) == []
    assert buffer.pending() == 0


def test_lost_output_is_counted_in_bytes() -> None:
    buffer = WriteBuffer()
    buffer.stdout.write("é" * 10)
    assert buffer.discard() == 20
    gaps = [GapMessage(bytes=utf8_size(lost), reason="why") for lost in (b"abc", "é\ud800")]
    for gap in gaps:
        buffer.post(None, gap)
    assert [gap.bytes for gap in gaps] == [3, 5]
    assert coalesced(buffer) == gaps


TEXT = st.text(st.characters(codec=None), max_size=30)


@given(
    st.lists(
        st.tuples(st.sampled_from(StreamType), st.sampled_from(["", "git"]), TEXT | st.binary(max_size=30))
    )
)
def test_joined_messages_are_the_text_and_bytes_that_were_written(
    writes: list[tuple[StreamType, str, str | bytes]],
) -> None:
    buffer, coalescer = WriteBuffer(), Coalescer()
    written: dict[tuple[StreamType, str], bytes] = {}
    for stream, source, data in writes:
        if stream is OUT and source == "" and isinstance(data, str):
            buffer.stdout.write(data)
        else:
            buffer.post(stream, data, source)
        raw = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
        written[stream, source] = written.get((stream, source), b"") + raw
    buffer.end_text()
    messages = [*coalescer.messages(buffer.take())]
    received: dict[tuple[StreamType, str], bytes] = {}
    for message in messages:
        assert isinstance(message, OutputMessage)
        assert message.data
        data = message.data
        raw = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
        key = (message.stream, message.source)
        received[key] = received.get(key, b"") + raw
    assert received == {key: data for key, data in written.items() if data}


@given(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=40), st.lists(st.integers(0, 160), max_size=10)
)
def test_text_written_as_bytes_in_any_pieces_arrives_as_text(text: str, cuts: list[int]) -> None:
    raw = text.encode()
    places = sorted({0, len(raw), *(cut for cut in cuts if cut < len(raw))})
    buffer, coalescer = WriteBuffer(), Coalescer()
    received = ""
    for begin, end in zip(places, places[1:], strict=False):
        buffer.post(OUT, raw[begin:end])
        for message in coalescer.messages(buffer.take()):
            assert isinstance(message, OutputMessage)
            assert isinstance(message.data, str)
            received += message.data
    assert received == text
    buffer.end_text()
    assert list(coalescer.messages(buffer.take())) == []


@pytest.mark.parametrize(
    "data",
    [
        "x" * 1_000_000,
        "é" * 500_000,
        "\N{PILE OF POO}" * 100_000,
        "\ud800" * 100_000,
        "x" * (MAX_OUTPUT - 1) + "\N{PILE OF POO}" * 5,
        b"x" * 1_000_000,
        b"\xff" * 1_000_000,
        "é".encode() * 500_000,
        b"x" + "é".encode() * 500_000,
    ],
    ids=["ascii", "2-byte", "4-byte", "surrogate", "edge", "bytes", "no utf-8", "utf-8", "odd utf-8"],
)
def test_long_output_is_cut_into_messages_within_the_limit(data: str | bytes) -> None:
    buffer, coalescer = WriteBuffer(), Coalescer()
    buffer.post(OUT, data)
    buffer.end_text()
    messages = [*coalescer.messages(buffer.take())]
    assert all(isinstance(message, OutputMessage) and size_of(message) <= MAX_OUTPUT for message in messages)
    pieces = [message.data for message in messages if isinstance(message, OutputMessage)]
    kind = str if isinstance(data, str) or data.startswith((b"x", "é".encode())) else bytes
    assert {type(piece) for piece in pieces} == {kind}
    raw = b"".join(p if isinstance(p, bytes) else p.encode("utf-8", "surrogatepass") for p in pieces)
    assert raw == (data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
    assert len(pieces) <= 2 + 2 * len(raw) // MAX_OUTPUT


def test_threads_that_write_while_others_take_lose_nothing(
    switch_interval: Callable[[float], None], rounds: Callable[[int, int], int]
) -> None:
    for number in range(rounds(5, 200)):
        switch_interval(10.0 ** -(3 + number % 4))
        buffer = WriteBuffer()
        taken: list[str] = []
        writing = [True]

        def write(name: str, buffer: WriteBuffer = buffer) -> None:
            for i in range(2000):
                buffer.stdout.write(f"{name}{i};")
                if i % 50 == 0:
                    buffer.cut()

        def take(
            buffer: WriteBuffer = buffer, taken: list[str] = taken, writing: list[bool] = writing
        ) -> None:
            while True:
                last = not writing[0]
                taken.extend(str(item[1]) for item in buffer.take())
                if last:
                    return

        writers = [threading.Thread(target=write, args=(name,)) for name in "abc"]
        taker = threading.Thread(target=take)
        for thread in [taker, *writers]:
            thread.start()
        for thread in writers:
            thread.join()
        writing[0] = False
        taker.join()
        words = "".join(taken).split(";")[:-1]
        assert len(words) == 6000
        for name in "abc":
            assert [word for word in words if word[0] == name] == [f"{name}{i}" for i in range(2000)]
