"""The queue between user code and the engine: nothing lost, doubled or out of order."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrepl_stream import LogMessage, Message, OutputMessage, StreamType
from pyrepl_stream.engine.outbox import MAX_OUTPUT, Coalescer, Lost, Outbox

OUT, ERR = StreamType.STDOUT, StreamType.STDERR


@pytest.fixture
def switch_interval() -> Iterator[Callable[[float], None]]:
    before = sys.getswitchinterval()
    yield sys.setswitchinterval
    sys.setswitchinterval(before)


def size_of(message: OutputMessage) -> int:
    data = message.data
    return len(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))


def coalesced(outbox: Outbox) -> list[Message | Lost]:
    return list(Coalescer().messages(outbox.take()))


def test_neighbours_of_one_stream_become_one_message() -> None:
    outbox = Outbox()
    for text in "abc":
        outbox.stdout.write(text)
    outbox.post(ERR, "d")
    outbox.post(ERR, "e")
    outbox.stdout.write("f")
    messages = coalesced(outbox)
    assert [(m.stream, m.data) for m in messages if isinstance(m, OutputMessage)] == [
        (OUT, "abc"),
        (ERR, "de"),
        (OUT, "f"),
    ]


def test_labels_keep_neighbours_apart() -> None:
    outbox = Outbox()
    outbox.post(OUT, "a", "git")
    outbox.post(OUT, "b", "pip")
    outbox.post(OUT, "c")
    assert [(m.source, m.data) for m in coalesced(outbox) if isinstance(m, OutputMessage)] == [
        ("git", "a"),
        ("pip", "b"),
        ("", "c"),
    ]


def test_a_message_takes_its_place_among_the_output() -> None:
    outbox = Outbox()
    outbox.stdout.write("before")
    outbox.post(None, LogMessage(text="now"))
    outbox.stdout.write("after")
    assert [type(message) for message in coalesced(outbox)] == [OutputMessage, LogMessage, OutputMessage]


def test_an_empty_write_makes_no_message() -> None:
    outbox = Outbox()
    outbox.stdout.write("")
    outbox.post(ERR, "")
    outbox.post(ERR, b"")
    assert coalesced(outbox) == []
    assert outbox.pending() == 0


def test_what_was_lost_is_counted_in_bytes() -> None:
    outbox = Outbox()
    outbox.stdout.write("é" * 10)
    assert outbox.discard() == 20
    outbox.lose(b"abc", "why")
    outbox.lose("é\ud800", "why")
    outbox.lose("", "why")
    assert coalesced(outbox) == [Lost(3, "why"), Lost(5, "why")]


TEXT = st.text(st.characters(codec=None), max_size=30)


@given(st.lists(st.tuples(st.sampled_from(StreamType), st.sampled_from(["", "git"]), TEXT | st.binary(max_size=30))))
def test_any_text_and_bytes_come_out_joined_equal(writes: list[tuple[StreamType, str, str | bytes]]) -> None:
    outbox, coalescer = Outbox(), Coalescer()
    written: dict[tuple[StreamType, str], bytes] = {}
    for stream, source, data in writes:
        if stream is OUT and source == "" and isinstance(data, str):
            outbox.stdout.write(data)
        else:
            outbox.post(stream, data, source)
        raw = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
        written[stream, source] = written.get((stream, source), b"") + raw
    outbox.end_text()
    messages = [*coalescer.messages(outbox.take())]
    received: dict[tuple[StreamType, str], bytes] = {}
    for message in messages:
        assert isinstance(message, OutputMessage)
        assert message.data
        data = message.data
        raw = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
        key = (message.stream, message.source)
        received[key] = received.get(key, b"") + raw
    assert received == {key: data for key, data in written.items() if data}


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40), st.lists(st.integers(0, 160), max_size=10))
def test_text_written_as_bytes_in_any_pieces_comes_out_as_text(text: str, cuts: list[int]) -> None:
    raw = text.encode()
    places = sorted({0, len(raw), *(cut for cut in cuts if cut < len(raw))})
    outbox, coalescer = Outbox(), Coalescer()
    received = ""
    for begin, end in zip(places, places[1:], strict=False):
        outbox.post(OUT, raw[begin:end])
        for message in coalescer.messages(outbox.take()):
            assert isinstance(message, OutputMessage)
            assert isinstance(message.data, str)
            received += message.data
    assert received == text
    outbox.end_text()
    assert list(coalescer.messages(outbox.take())) == []


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
    outbox, coalescer = Outbox(), Coalescer()
    outbox.post(OUT, data)
    outbox.end_text()
    messages = [*coalescer.messages(outbox.take())]
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
        outbox = Outbox()
        taken: list[str] = []
        writing = [True]

        def write(name: str, outbox: Outbox = outbox) -> None:
            for i in range(2000):
                outbox.stdout.write(f"{name}{i};")
                if i % 50 == 0:
                    outbox.cut()

        def take(outbox: Outbox = outbox, taken: list[str] = taken, writing: list[bool] = writing) -> None:
            while True:
                last = not writing[0]
                taken.extend(str(item[1]) for item in outbox.take())
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
