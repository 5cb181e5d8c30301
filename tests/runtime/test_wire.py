"""The wire format: messages are decoded as they were encoded; invalid input is a ProtocolError."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pyrepl_stream import (
    ClearMessage,
    CompleteMessage,
    DisplayMessage,
    ErrorMessage,
    EventMessage,
    GapMessage,
    InputReplyMessage,
    InputRequestMessage,
    LogMessage,
    Message,
    OutputMessage,
    ProgressMessage,
    ResultMessage,
    StreamType,
)
from pyrepl_stream.runtime.errors import ProtocolError
from pyrepl_stream.runtime.messages import MESSAGE_CLASSES, UnknownMessage
from pyrepl_stream.runtime.wire import MAX_LINE, MAX_MESSAGE, Decoder, decode, encode, numbered, unnumbered

TEXT = st.text(st.characters(codec=None), max_size=60)  # lone surrogates too
SEQUENCE = st.integers(1, 2**63 - 1)
SECONDS = st.floats(0, 1e12)
NUMBER = st.none() | st.integers(-(10**18), 10**18) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
BUNDLE = st.dictionaries(TEXT, JSON, max_size=3)
COMMON: dict[str, st.SearchStrategy[Any]] = {
    "execution_id": TEXT,
    "sequence": SEQUENCE,
    "timestamp": SECONDS,
    "source": TEXT,
    "extra": st.dictionaries(TEXT.map(lambda text: f"x-{text}"), JSON, max_size=2),
}
FIELDS: dict[type[Message], dict[str, st.SearchStrategy[Any]]] = {
    OutputMessage: {"stream": st.sampled_from(StreamType), "data": TEXT | st.binary(max_size=60)},
    DisplayMessage: {
        "data": BUNDLE,
        "metadata": BUNDLE,
        "display_id": st.none() | TEXT,
        "update": st.booleans(),
    },
    ResultMessage: {"data": BUNDLE, "metadata": BUNDLE},
    ClearMessage: {"wait": st.booleans()},
    ErrorMessage: {"name": TEXT, "value": TEXT, "traceback": st.lists(TEXT, max_size=3).map(tuple)},
    LogMessage: {"level": TEXT, "logger": TEXT, "text": TEXT},
    ProgressMessage: {
        "bar": TEXT,
        "description": TEXT,
        "current": NUMBER,
        "total": NUMBER,
        "unit": TEXT,
        "percentage": NUMBER,
        "rate": NUMBER,
        "elapsed": NUMBER,
        "remaining": NUMBER,
        "finished": st.booleans(),
        "library": TEXT,
        "raw": TEXT,
    },
    EventMessage: {"name": TEXT, "data": JSON},
    InputRequestMessage: {"prompt": TEXT, "password": st.booleans()},
    InputReplyMessage: {"request": SEQUENCE, "text": st.none() | TEXT},
    CompleteMessage: {
        "success": st.booleans(),
        "status": TEXT,
        "exit_code": st.none() | st.integers(-(2**31), 2**31),
        "error": st.none() | TEXT,
        "duration": SECONDS,
        "value": JSON,
    },
    UnknownMessage: {"unknown_type": TEXT.map(lambda text: f"new-{text}")},
}
MESSAGES: st.SearchStrategy[Message] = st.one_of(
    *(st.builds(cls, **COMMON, **fields) for cls, fields in FIELDS.items()),
    st.builds(
        lambda first, more, **common: GapMessage(first=first, sequence=first + more, **common),
        st.integers(1, 2**40),
        st.integers(0, 2**40),
        execution_id=TEXT,
        bytes=st.none() | st.integers(0, 2**60),
        reason=TEXT,
    ),
)


@pytest.mark.parametrize("odd", [{"display_id": 5}, {"metadata": "ab"}, {"data": []}, {"update": None}])
def test_a_display_that_no_reader_would_accept_is_not_encoded(odd: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=next(iter(odd))):
        encode(DisplayMessage(execution_id="a", sequence=1, **odd))


def test_the_strategies_cover_every_type() -> None:
    assert {*FIELDS, GapMessage} == {*MESSAGE_CLASSES.values(), UnknownMessage}


@given(MESSAGES)
def test_any_message_is_decoded_as_it_was_encoded(message: Message) -> None:
    assert decode(encode(message)) == message


@given(MESSAGES)
def test_a_line_is_ascii_with_one_line_end(message: Message) -> None:
    line = encode(message)
    assert line.isascii()
    assert line.index(b"\n") == len(line) - 1
    assert json.loads(line)["sequence"] == message.sequence


@given(MESSAGES)
def test_a_message_numbered_later_is_the_same(message: Message) -> None:
    assert decode(numbered(unnumbered(message), message.execution_id, message.sequence)) == message


@pytest.mark.parametrize("size", [MAX_LINE - 200, MAX_LINE, 3 * MAX_LINE])
def test_a_long_message_is_split_into_parts_when_it_is_numbered(size: int) -> None:
    message = ResultMessage(execution_id="e", sequence=7, data={"text/plain": "x\n" * (size // 2)})
    lines = numbered(unnumbered(message), "e", 7)
    assert all(len(line) < MAX_LINE for line in lines.splitlines())
    assert list(Decoder().feed(lines)) == [message]


def test_a_gap_without_a_number_stands_for_itself() -> None:
    line = numbered(unnumbered(GapMessage(bytes=3, reason="why")), "e", 9)
    gap = decode(line)
    assert (gap.span_start, gap.sequence) == (9, 9)


def test_a_gap_that_stands_for_its_own_number_can_be_sent_on() -> None:
    line = numbered(unnumbered(GapMessage(bytes=3, reason="why")), "e", 9)
    assert decode(encode(decode(line))) == decode(line)


@given(st.binary(max_size=500), st.sampled_from(StreamType))
@example(b"\xff\xfe", StreamType.STDOUT)
@example(b"", StreamType.STDERR)
def test_any_bytes_are_decoded_unchanged(data: bytes, stream: StreamType) -> None:
    message = decode(encode(OutputMessage(execution_id="e", sequence=1, stream=stream, data=data)))
    assert isinstance(message, OutputMessage)
    assert (message.data, message.stream) == (data, stream)


@given(st.lists(MESSAGES, max_size=6), st.lists(st.integers(0, 2000), max_size=6))
def test_a_decoder_accepts_chunks_of_any_size(messages: list[Message], cuts: list[int]) -> None:
    stream = b"".join(map(encode, messages))
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    decoder = Decoder()
    decoded: list[Message] = []
    for begin, end in zip(places, places[1:], strict=False):
        decoded += decoder.feed(stream[begin:end])
    decoder.close()
    assert decoded == messages


LINES = st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode())
RECORDS = st.fixed_dictionaries(
    {"type": st.sampled_from([*MESSAGE_CLASSES, "part", "new"]) | JSON},
    optional={
        name: JSON | strategy
        for name, strategy in {
            "execution_id": TEXT,
            "sequence": st.integers(-2, 3),
            "stream": st.sampled_from(["stdout", "stderr", "stdin"]),
            "data": TEXT,
            "base64": TEXT,
            "first": st.integers(-2, 3),
            "bytes": st.integers(),
            "traceback": st.lists(TEXT, max_size=2),
            "metadata": BUNDLE,
            "timestamp": NUMBER,
            "part": st.integers(-1, 3),
            "parts": st.integers(-1, 3),
        }.items()
    },
).map(lambda record: json.dumps(record).encode())


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(LINES | RECORDS, max_size=5).map(b"\n".join))
@example(b'{"type":"output","execution_id":"e","sequence":1,"data":"\xff"}\n')
@example(b'{"type":"output","execution_id":"e","sequence":1e999}\n')
@example(b'{"type":"output","execution_id":"e","sequence":1,"base64":null}\n')
@example(b'{"type":"output","execution_id":"e","sequence":1,"base64":"\xc3\xa9"}\n')
@example(b'{"type":"part","execution_id":"e","sequence":1,"part":1,"parts":1,"data":"[]"}\n')
@example(b'{"type":"part","execution_id":"e","sequence":1,"part":true,"parts":true,"data":""}\n')
@example(b'{"type":"part","execution_id":"e","sequence":1,"part":[1],"parts":1,"data":""}\n')
@example(b"[" * 100_000 + b"\n")
@example(b'{"type":' * 100_000 + b"\n")
@example(b"1" * 10_000 + b"\n")
@example(b"\x00\x00\xfe\xff\n")
def test_invalid_input_raises_only_protocol_errors(garbage: bytes) -> None:
    decoder = Decoder()
    try:
        for message in decoder.feed(garbage + b"\n"):
            assert isinstance(message, Message)
            decode(encode(message))
        decoder.close()
    except ProtocolError:
        pass
    for line in garbage.split(b"\n"):
        try:
            decode(line)
        except ProtocolError:
            pass


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{}",
        "[]",
        "null",
        '{"type": 5}',
        '{"type": "output"}',
        '{"type": "output", "execution_id": "e", "sequence": 0}',
        '{"type": "output", "execution_id": "e", "sequence": -1}',
        '{"type": "output", "execution_id": "e", "sequence": true}',
        '{"type": "output", "execution_id": "e", "sequence": 1.5}',
        '{"type": "output", "execution_id": "e", "sequence": 9223372036854775808}',
        '{"type": "output", "execution_id": 1, "sequence": 1}',
        '{"type": "output", "execution_id": "e", "sequence": 1, "data": 5}',
        '{"type": "output", "execution_id": "e", "sequence": 1, "stream": "stdin"}',
        '{"type": "output", "execution_id": "e", "sequence": 1, "base64": "*"}',
        '{"type": "output", "execution_id": "e", "sequence": 1, "timestamp": NaN}',
        '{"type": "output", "execution_id": "e", "sequence": 1, "timestamp": Infinity}',
        '{"type": "display", "execution_id": "e", "sequence": 1, "data": []}',
        '{"type": "error", "execution_id": "e", "sequence": 1, "traceback": [1]}',
        '{"type": "gap", "execution_id": "e", "sequence": 1, "first": 2}',
        '{"type": "gap", "execution_id": "e", "sequence": 1, "first": 0}',
        '{"type": "part", "execution_id": "e", "sequence": 1, "part": 1, "parts": 1, "data": ""}',
        '{"type": "new"}',
    ],
)
def test_a_malformed_line_is_a_protocol_error(line: str) -> None:
    with pytest.raises(ProtocolError):
        decode(line)


def test_unknown_fields_of_a_newer_peer_are_kept_and_forwarded() -> None:
    line = b'{"type":"output","execution_id":"e","sequence":1,"data":"x","colour":{"r":1}}\n'
    message = decode(line)
    assert message.extra == {"colour": {"r": 1}}
    assert json.loads(encode(message))["colour"] == {"r": 1}


def test_an_unknown_type_of_a_newer_peer_is_kept_and_forwarded() -> None:
    record = {"type": "hologram", "execution_id": "e", "sequence": 4, "timestamp": 1.5, "depth": 3}
    message = decode(json.dumps(record))
    assert isinstance(message, UnknownMessage)
    assert message.unknown_type == "hologram"
    assert json.loads(encode(message)) == record


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_does_not_have_travel_as_null(value: float) -> None:
    sent = ResultMessage(execution_id="e", sequence=1, data={"application/json": {"a": [value, 1.0]}})
    received = decode(encode(sent))
    assert isinstance(received, ResultMessage)
    assert received.data == {"application/json": {"a": [None, 1.0]}}


@pytest.mark.parametrize("levels", [498, 499, 900, 5000])
def test_data_that_an_older_interpreter_could_not_read_is_not_written(levels: int) -> None:
    # CPython 3.13 writes and reads 5,000 levels, 3.11 fewer than 1,000.
    data: list[Any] = []
    for _ in range(levels - 1):
        data = [data, {}, (1,)]
    message = ResultMessage(execution_id="a", sequence=1, data={"application/json": data})
    if levels == 498:  # the record and its data are two more
        assert isinstance(decode(encode(message)), ResultMessage)
    else:
        with pytest.raises((ProtocolError, RecursionError)):
            encode(message)


def test_data_without_a_json_form_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        encode(ResultMessage(execution_id="e", sequence=1, data={"x": object()}))


@pytest.mark.parametrize("character", ["x", "\x00", "\N{PILE OF POO}", "\ud800", '"'])
def test_the_largest_output_of_the_engine_is_one_line(character: str) -> None:
    size = len(character.encode("utf-8", "surrogatepass"))
    message = OutputMessage(execution_id="e" * 64, sequence=2**63 - 1, data=character * (65536 // size))
    line = encode(message)
    assert line.count(b"\n") == 1
    assert len(line) <= MAX_LINE
    assert decode(line) == message


@pytest.mark.parametrize("character", ["x", "\\", "\N{PILE OF POO}"])
def test_a_long_message_travels_as_parts_that_each_fit_a_line(character: str) -> None:
    message = ResultMessage(execution_id="e", sequence=1, data={"text/plain": character * 3_000_000})
    data = encode(message)
    lines = data.splitlines(keepends=True)
    assert len(lines) > 1
    assert all(len(line) <= MAX_LINE for line in lines)
    assert {json.loads(line)["type"] for line in lines} == {"part"}
    assert list(Decoder().feed(data)) == [message]


def test_a_message_over_the_limit_has_its_largest_mime_part_replaced_by_a_note() -> None:
    bundle = {"text/plain": "small", "text/html": "x" * (MAX_MESSAGE + 1), "image/png": "kept"}
    (message,) = Decoder().feed(encode(ResultMessage(execution_id="e", sequence=1, data=bundle)))
    assert isinstance(message, ResultMessage)
    assert "text/html" not in message.data
    assert message.data["image/png"] == "kept"
    assert message.data["text/plain"].startswith("small\n")
    assert "text/html" in message.data["text/plain"]


def test_a_message_over_the_limit_without_mime_parts_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError, match="limit"):
        encode(LogMessage(execution_id="e", sequence=1, text="x" * (MAX_MESSAGE + 1)))


def part(index: Any, count: Any, data: Any = "", sequence: int = 1) -> bytes:
    record = {"type": "part", "execution_id": "e", "sequence": sequence}
    return json.dumps({**record, "part": index, "parts": count, "data": data}).encode() + b"\n"


@pytest.mark.parametrize(
    "stream",
    [
        part(2, 2),
        part(1, 2) + part(1, 2),
        part(1, 3) + part(3, 3),
        part(1, 2) + part(2, 3),
        part(1, 2) + part(2, 2, sequence=2),
        part(1, 2) + encode(LogMessage(execution_id="e", sequence=1)),
        part(1, 1, json.dumps({"type": "part"})),
        part(1, 1, 5),
        part(0, 1),
        part("1", 1),
        part(1, "1"),
    ],
)
def test_parts_out_of_order_are_a_protocol_error(stream: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(Decoder().feed(stream))


def test_parts_beyond_the_limit_are_refused_before_they_are_joined() -> None:
    decoder = Decoder()
    data = "x" * 900_000

    def send_for_ever() -> None:
        for index in range(1, 1000):
            list(decoder.feed(part(index, 1000, data)))

    with pytest.raises(ProtocolError, match="exceed"):
        send_for_ever()


@pytest.mark.parametrize("data", [b"x" * MAX_LINE, b"x" * MAX_LINE + b"\n"])
def test_a_line_that_never_ends_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError, match="exceeds"):
        list(Decoder().feed(data))


def test_blank_lines_are_ignored() -> None:
    line = encode(LogMessage(execution_id="e", sequence=1, text="x"))
    assert len(list(Decoder().feed(b"\n  \n" + line + b"\n"))) == 1


@pytest.mark.parametrize("data", [b'{"type"', part(1, 2)])
def test_an_end_inside_a_message_is_a_protocol_error(data: bytes) -> None:
    decoder = Decoder()
    assert list(decoder.feed(data)) == []
    with pytest.raises(ProtocolError, match="ended"):
        decoder.close()


def test_empty_parts_without_an_end_are_an_error() -> None:
    part = {"type": "part", "execution_id": "e", "sequence": 1, "parts": 10**12, "data": ""}
    lines = [json.dumps({**part, "part": number}) + "\n" for number in range(1, 1000)]
    with pytest.raises(ProtocolError, match="parts"):
        list(Decoder().feed("".join(lines).encode()))
