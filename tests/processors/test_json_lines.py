"""JSON in output: the same events at any cut, and not a byte lost."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import tracemalloc
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrepl_stream.local.session import Session
from pyrepl_stream.processors import PROCESSORS, JsonLines, processors_by_name
from pyrepl_stream.runtime.errors import UsageError
from pyrepl_stream.runtime.messages import (
    CompleteMessage,
    DisplayMessage,
    EventMessage,
    GapMessage,
    InputRequestMessage,
    Message,
    OutputMessage,
    StreamType,
)


def run(chunks: Iterable[str | bytes], processor: JsonLines | None = None) -> list[Message]:
    """Return the messages for these chunks of stdout, up to `complete`."""
    processor = processor or JsonLines()
    messages: list[Message] = []
    sequence = 0
    for sequence, chunk in enumerate(chunks, 1):
        messages += processor(OutputMessage(execution_id="job", sequence=sequence, data=chunk))
    *rest, end = processor(CompleteMessage(execution_id="job", sequence=sequence + 1))
    assert isinstance(end, CompleteMessage)
    return [*messages, *rest]


def shown(messages: Iterable[Message]) -> list[Any]:
    """Return joined text, and the data of events as tuples of one."""
    out: list[Any] = []
    for message in messages:
        if isinstance(message, EventMessage):
            out.append((message.data,))
        elif isinstance(message, OutputMessage):
            if out and type(out[-1]) is type(message.data):
                out[-1] += message.data
            else:
                out.append(message.data)
    return out


# -- events and text ---------------------------------------------------------------------------


def test_lines_of_json_become_events_and_other_text_passes_in_order() -> None:
    messages = run(['start\n{"a": 1}\nmiddle\n[1, 2]\n', '{"b": 2}\nend\n'])
    assert shown(messages) == ["start\n", ({"a": 1},), "middle\n", ([1, 2],), ({"b": 2},), "end\n"]


def test_an_event_has_the_place_of_the_output_that_completed_its_line() -> None:
    processor = JsonLines()
    first = OutputMessage("job", 3, 30.0, "worker", stream=StreamType.STDERR, data='{"a":')
    second = OutputMessage("job", 4, 40.0, "worker", stream=StreamType.STDERR, data="1}\n")
    assert processor(first) == []
    assert processor(second) == [EventMessage("job", 4, 40.0, "worker", name="json", data={"a": 1})]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ('{"type": "result", "event": "other"}', "result"),
        ('{"event": "start"}', "start"),
        ('{"type": 3, "event": "start"}', "start"),
        ('{"type": ""}', "agent"),
        ('{"type": null}', "agent"),
        ('["type"]', "agent"),
    ],
)
def test_an_event_is_named_by_its_type(line: str, name: str) -> None:
    (event,) = run([line], JsonLines(name="agent"))
    assert isinstance(event, EventMessage)
    assert event.name == name


@pytest.mark.parametrize(
    "line", ['{"a": 1}\n', '{"a": 1}\r\n', '\t  {"a": 1}  \n', '\r{ "a" : 1 }', '{"a": 1}']
)
def test_blanks_and_either_line_end_belong_to_the_line(line: str) -> None:
    for chunks in ([line], list(line)):
        assert shown(run(chunks)) == [({"a": 1},)]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "\n",
        " \t ",
        "3\n",
        '"text"\n',
        "null\n",
        "true\n",
        "{}}\n",
        '{"a":\n"1\n"}\n',
        "[1] 1234\n",
        "[3/7] Building\n",
        "[]. {}. [1]\n",
        "f() {}\n",
        "[[]] []x\n",
        '[{"a": 1}] x\n',
        '{"a": 1, "b": {"c": NaN}}\n',
        '{"a": {"b": 1e999}}\n',
        "{'a': 1}\n",
        "[INFO] ready\n",
        '{"a": NaN}\n',
        "[Infinity]\n",
        "[1e999]\n",
        f"[{'9' * 5000}]\n",
        "[" * 100_000 + "\n",
        "[" * 100_000 + "]" * 100_000 + "\n",
        '{"a":' * 300 + "1" + "}" * 300 + "\n",
        '{"a": "\x00"}\n',
        '[{"a": 1}]\u2028\n',
        '{"a": "\ud800\n',
    ],
)
def test_other_text_passes_exactly(line: str) -> None:
    for chunks in ([line], [line[:1], line[1:]], [line[:-1], line[-1:]]):
        assert "".join(shown(run(chunks))) == line


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1} {"b": 2}\t[3]{}\r\nx', [({"a": 1},), ({"b": 2},), ([3],), ({},), "x"]),
        ("{}\n[]\nx", [({},), ([],), "x"]),
        ('  [1] {"a": 1} []\n', [([1],), ({"a": 1},), ([],)]),
        ("[1] [2]", [([1],), ([2],)]),
    ],
)
def test_each_value_of_a_line_of_values_is_an_event(text: str, found: list[Any]) -> None:
    for chunks in ([text], list(text)):
        assert shown(run(chunks)) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('INFO {"a": 1} done\n', ["INFO ", ({"a": 1},), " done\n"]),
        (' {"a": 1} done\n', [" ", ({"a": 1},), " done\n"]),
        ('{"a": 1} {"b": 2} done\n', [({"a": 1},), " ", ({"b": 2},), " done\n"]),
        ('[1] {"a": 1} done\n', ["[1] ", ({"a": 1},), " done\n"]),
        ('[INFO] {"a": [{}]} [1]\n', ["[INFO] ", ({"a": [{}]},), " [1]\n"]),
        ('{{"a": 1}}\n', ["{", ({"a": 1},), "}\n"]),
        ('x {"a": 1}\n{"b": 2}\n', ["x ", ({"a": 1},), "\n", ({"b": 2},)]),
        ('\ufeff{"a": 1}\n', ["\ufeff", ({"a": 1},), "\n"]),
        ('{"a": 1}\u2028\n', [({"a": 1},), "\u2028\n"]),
        ('"{"a":1}"\n', ['"', ({"a": 1},), '"\n']),
    ],
)
def test_an_object_with_members_beside_text_is_an_event(text: str, found: list[Any]) -> None:
    for chunks in ([text], list(text)):
        assert shown(run(chunks)) == found


@pytest.mark.parametrize("indent", [0, 2, "\t"])
@pytest.mark.parametrize(
    "data", [{"a": {"b": [1, {}, []], "c": "{"}, "d": None}, [[{"x": 1.5}], ["y", True]]]
)
def test_a_value_over_several_lines_is_an_event_with_its_line_end(data: Any, indent: Any) -> None:
    text = json.dumps(data, indent=indent)
    for end in ("\n", "\r\n", " \n"):
        whole = f"before\n{text}{end}after\n".replace("\n", end.lstrip(" "))
        after = f"after{end.lstrip(' ')}"
        for chunks in ([whole], list(whole), whole.splitlines(keepends=True)):
            assert shown(run(chunks)) == [f"before{end.lstrip(' ')}", (data,), after]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{\n{"a": 1}\n', ["{\n", ({"a": 1},)]),
        ("{\n  [1]\n}\n", ["{\n", ([1],), "}\n"]),
        ('{ "a":\n  b {"c": 1}\n', ['{ "a":\n  b ', ({"c": 1},), "\n"]),
        ("[1,\n2] x\n[3]\n", ["[1,\n2] x\n", ([3],)]),
    ],
)
def test_the_search_continues_where_a_value_stops_being_json(text: str, found: list[Any]) -> None:
    for chunks in ([text], list(text)):
        assert shown(run(chunks)) == found


def test_prose_after_an_open_bracket_passes_at_its_first_character() -> None:
    processor = JsonLines()
    assert shown(processor(OutputMessage(data="Starting {\n"))) == ["Starting "]
    assert shown(processor(OutputMessage(data="W"))) == ["{\nW"]
    assert shown(processor(OutputMessage(data='ait\n{\n  "a":\n'))) == ["ait\n"]
    assert shown(processor(OutputMessage(data="1.x"))) == ['{\n  "a":\n1.x']


def test_an_object_is_an_event_before_its_line_ends() -> None:
    processor = JsonLines()
    assert shown(processor(OutputMessage(data='{"a": 1}'))) == [({"a": 1},)]
    assert shown(processor(OutputMessage(data=' {"b": 1}'))) == [], "the blank may be text yet"
    assert shown(processor(OutputMessage(data="\n"))) == [({"b": 1},)]


def test_up_to_200_levels_are_an_event() -> None:
    line = "[" * 200 + "]" * 200
    assert shown(run([line])) == [(json.loads(line),)]
    assert shown(run([f"[{line}]"])) == [f"[{line}]"]
    for indent in (1, None):
        deep = json.dumps(json.loads(f"[{line}]"), indent=indent)
        for chunks in ([deep], list(deep)):
            assert shown(run(chunks)) == [deep]
    wide = json.dumps([[n] for n in range(1000)])
    assert shown(run([wide])) == [(json.loads(wide),)]


def test_separators_within_text_do_not_end_a_line() -> None:
    data = {"a": "x\u2028y\x85z\x0c\x1c"}
    assert shown(run([json.dumps(data, ensure_ascii=False) + "\n"])) == [(data,)]


# -- held text ---------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["Continue? ", "50%\r", "3", "[INFO] loading", "{name}", "[\x1b[2K", "$ {x"])
def test_a_partial_line_that_cannot_be_json_passes_at_once(text: str) -> None:
    message = OutputMessage(data=text)
    assert JsonLines()(message) == [message]


@pytest.mark.parametrize("text", ["{", ' {"a": ', "[", "[ 1,", "[tr", "  "])
def test_a_partial_line_that_can_be_json_is_held(text: str) -> None:
    assert JsonLines()(OutputMessage(data=text)) == []


def test_an_array_on_a_line_that_has_begun_as_text_is_text() -> None:
    assert shown(run(["got ", "[1]\n", "[2]\n"])) == ["got [1]\n", ([2],)]
    assert shown(run(["got:", " ", "[1]", "\n"])) == ["got: [1]\n"]


def test_output_without_json_passes_as_the_same_message() -> None:
    processor = JsonLines()
    for data in ("one\n", "two\nthree", " {x}\n", "a [b] c\n"):
        message = OutputMessage(data=data)
        (same,) = processor(message)
        assert same is message


def test_lines_are_joined_by_stream_and_source() -> None:
    processor = JsonLines()
    places = [(StreamType.STDOUT, ""), (StreamType.STDERR, ""), (StreamType.STDOUT, "worker")]
    for number, (stream, source) in enumerate(places):
        assert processor(OutputMessage(stream=stream, source=source, data=f'{{"n": {number}')) == []
    ended = [processor(OutputMessage(stream=stream, source=source, data="}\n")) for stream, source in places]
    assert [(event.source, event.data) for (event,) in ended if isinstance(event, EventMessage)] == [
        ("", {"n": 0}),
        ("", {"n": 1}),
        ("worker", {"n": 2}),
    ]


def test_held_text_is_released_before_complete() -> None:
    processor = JsonLines()
    processor(OutputMessage("job", 1, stream=StreamType.STDERR, data="[1]"))
    processor(OutputMessage("job", 2, data='{"b": '))
    processor(OutputMessage("other", 1, data='{"c": '))
    event, text, complete = processor(CompleteMessage("job", 3))
    assert isinstance(event, EventMessage)
    assert (event.sequence, event.data) == (3, [1]), "numbers never fall, and `complete` released them"
    assert text == OutputMessage("job", 3, data='{"b": ')
    assert complete == CompleteMessage("job", 3)
    assert len(list(processor(CompleteMessage("other", 2)))) == 2


def test_nothing_is_held_after_complete() -> None:
    processor = JsonLines()
    processor(CompleteMessage("job", 3))
    late = OutputMessage("job", 4, data='{"a": ')
    assert processor(late) == [late]
    assert processor(OutputMessage("job", 1, data='{"a": ')) == [], "read again from the start"


def test_an_abandoned_read_does_not_mix_with_the_next_one() -> None:
    processor = JsonLines()
    processor(OutputMessage("job", 2, data='{"old": '))
    assert shown(run(['{"a": ', "1}\n"], processor)) == [({"a": 1},)]
    processor(OutputMessage("job2", 2, data="old text "))
    assert shown(processor(OutputMessage("job2", 1, data='{"a": 1}\n'))) == [({"a": 1},)]


@pytest.mark.parametrize("between", [GapMessage("job", 2, first=2), InputRequestMessage("job", 2)])
def test_a_gap_and_a_request_for_input_release_held_text(between: Message) -> None:
    processor = JsonLines()
    processor(OutputMessage("job", 1, data=' {"a": 1} [1, '))
    assert processor(between) == [
        OutputMessage("job", 2, data=" "),
        EventMessage("job", 2, name="json", data={"a": 1}),
        OutputMessage("job", 2, data=" [1, "),
        between,
    ]
    assert shown(processor(OutputMessage("job", 3, data='}\n{"b": 2}\n'))) == ["}\n", ({"b": 2},)]


def test_bytes_pass_and_make_their_line_text() -> None:
    assert shown(run(['{"a": "', b"\xff", '"}\n', '{"b": 2}\n'])) == ['{"a": "', b"\xff", '"}\n', ({"b": 2},)]
    assert shown(run([b'\xff\n{"a": ', "1}\n"])) == [b'\xff\n{"a": ', "1}\n"]
    assert shown(run([' {"a": 1} [2]', b"\xff", "[3]\n"])) == [" ", ({"a": 1},), " [2]", b"\xff", "[3]\n"]
    assert shown(run([b"\xff\n", "[1]\n"])) == [b"\xff\n", ([1],)]


def test_other_messages_pass() -> None:
    processor = JsonLines()
    processor(OutputMessage(data="{"))
    display = DisplayMessage(data={"text/plain": "{}"})
    assert processor(display) == [display]


def test_with_keep_text_all_text_passes_at_once_beside_the_events() -> None:
    chunks: list[str | bytes] = ['a\n{"b": 1}\n{"c"', ": 2}", '\n{"d', b"\xff", '\n{"e": 3}']
    messages = run(chunks, JsonLines(keep_text=True))
    assert [m.data for m in messages if isinstance(m, OutputMessage)] == chunks
    assert [m.data for m in messages if isinstance(m, EventMessage)] == [{"b": 1}, {"c": 2}, {"e": 3}]
    assert isinstance(messages[1], EventMessage), "an event follows the text that completed it"


# -- limits ------------------------------------------------------------------------------------


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("text", ["a" * 100, "\N{GRINNING FACE}" * 25])
def test_a_line_longer_than_the_limit_is_text_at_any_cut(text: str, whole: bool) -> None:
    line = json.dumps([text], ensure_ascii=False)
    size = len(line.encode())

    def chunks(end: str) -> list[str]:
        return [line + end] if whole else [*line, *end]

    for end in ("\n", ""):
        assert shown(run(chunks(end), JsonLines(max_line_bytes=size))) == [([text],)]
        assert shown(run(chunks(end), JsonLines(max_line_bytes=size - 1))) == [line + end]


@pytest.mark.parametrize("indent", [None, 1])
def test_nothing_within_a_value_that_is_too_long_is_an_event(indent: int | None) -> None:
    text = json.dumps({"all": [{"n": n} for n in range(20)]}, indent=indent) + '\n{"next": 1}\n'
    for chunks in ([text], list(text)):
        messages = run(chunks, JsonLines(max_line_bytes=100))
        assert shown(messages) == [text.removesuffix('{"next": 1}\n'), ({"next": 1},)]


def test_values_on_a_line_that_is_too_long_are_treated_as_beside_text() -> None:
    text = " [1]" * 10 + ' {"a": 1}\n'
    for chunks in ([text], list(text)):
        assert shown(run(chunks, JsonLines(max_line_bytes=20))) == [" [1]" * 10 + " ", ({"a": 1},), "\n"]


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(UsageError, match="max_line_bytes is 0, but must be at least 1"):
        JsonLines(max_line_bytes=0)


def test_a_line_without_an_end_takes_linear_time_and_bounded_memory() -> None:
    processor = JsonLines()
    chunk = '{"a": 1, "b": [' + "x" * (64 * 1024 - 15)
    tracemalloc.start()
    try:
        passed = 0
        for sequence in range(1, 1601):  # 100 MB
            for message in processor(OutputMessage("job", sequence, data=chunk)):
                assert isinstance(message, OutputMessage)
                passed += len(message.data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert passed == 1600 * len(chunk)
    assert peak < 8 << 20


HOSTILE = [
    "  " * 150_000,
    "[" + "1," * 150_000,
    '{"a":"' + "x" * 300_000,
    '{"a":"' + "\\n" * 150_000,
    "{" * 300_000,
    "[" * 300_000,
    "{\n" * 150_000,
    '{"' * 150_000,
    '{"a":' * 60_000,
    '{"a":1,\n' * 30_000,
    "[1] " * 100_000 + "x",
    "[\n[1}\n" * 30_000,
    "[1" + "0" * 300_000,
    "[[1e" * 60_000,
    'x {"a": "\n' * 30_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:6])
def test_hostile_text_takes_linear_time_and_is_not_lost(text: str) -> None:
    for size in (3, 1000, len(text)):  # with quadratic time this would not end
        assert "".join(shown(run(text[at : at + size] for at in range(0, len(text), size)))) == text


def test_a_large_value_in_small_chunks_is_an_event_with_its_last_character() -> None:
    text = json.dumps({"items": [{"n": n} for n in range(2000)]})
    processor = JsonLines()
    for number in range(0, len(text) - 1, 3):
        assert processor(OutputMessage(data=text[number : min(number + 3, len(text) - 1)])) == []
    assert shown(processor(OutputMessage(data=text[-1]))) == [(json.loads(text),)]


def test_a_value_that_stops_being_json_passes_at_once_or_when_its_length_has_doubled() -> None:
    begun = '{"a": [' + "1, " * 3000
    for wrong, most in (("W", 1), ("1 2 ", len(begun) // 4 + 1)):
        processor = JsonLines()
        text = begun
        passed = processor(OutputMessage(data=begun))
        while not passed and len(text) < len(begun) + len(wrong) * most:
            text += wrong
            passed = processor(OutputMessage(data=wrong))
        assert shown(passed) == [text]


def test_an_object_over_many_lines_in_small_chunks_is_an_event() -> None:
    data = {"items": [{"n": n} for n in range(16_000)]}
    text = json.dumps(data, indent=1)
    assert text.count("\n") > 48_000
    for size in (7, 65_536):
        assert shown(run(text[at : at + size] for at in range(0, len(text), size))) == [(data,)]


def test_only_lines_that_have_begun_are_remembered() -> None:
    processor = JsonLines()
    for number in range(1000):
        processor(OutputMessage(source=str(number), data='text\n{"a": 1}\n'))
    assert not processor._states


# -- any text, any cuts ------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
JSON_LINES = st.builds(
    lambda before, value, escaped, after, indent: (
        before + json.dumps(value, ensure_ascii=escaped, indent=indent) + after
    ),
    st.text(" \t\r", max_size=2) | st.just("x "),
    st.lists(VALUES, max_size=3) | st.dictionaries(st.text(), VALUES, max_size=3),
    st.booleans(),
    st.sampled_from(["", "\r", " ", ",", " x"]),
    st.none() | st.integers(0, 2),
)
TEXT_LINES = st.text(st.sampled_from('{}[]":,1 \t\r\x1ba\u2028é')) | st.text()
BROKEN = st.tuples(JSON_LINES, st.integers(0, 60)).map(lambda one: one[0][: one[1]])
OUTPUT = st.builds(
    str.join, st.sampled_from(["\n", "", " "]), st.lists(JSON_LINES | BROKEN | TEXT_LINES, max_size=6)
)
CUTS = st.lists(st.integers(0, 200), max_size=12)


def cut(text: str, at: list[int]) -> list[str]:
    places = sorted({0, len(text), *(place for place in at if place < len(text))})
    return [text[start:end] for start, end in zip(places, places[1:], strict=False)]


def expected(text: str) -> list[Any]:
    """Return what is shown of a whole text, found by a simple, slow method."""
    out: list[Any] = []
    line: list[Any] = []  # text, and values with theirs
    position, mixed = 0, False

    def end_line(end: str) -> None:
        nonlocal mixed
        values = any(isinstance(one, tuple) for one in line)
        for one in [*line, end]:
            if isinstance(one, tuple) and (not mixed or (isinstance(one[0], dict) and one[0])):
                out.append((one[0],))
            elif mixed or not values:
                out.append(one[1] if isinstance(one, tuple) else one)
        line.clear()
        mixed = False

    while position < len(text):
        start, char = position, text[position]
        position += 1
        if char == "\n":
            end_line("\n")
        elif char not in "{[" or (mixed and char == "["):
            line.append(char)
            mixed = mixed or char not in " \t\r"
        else:
            kind, position, data = first_value(text, start)
            value = text[start:position]
            *before, last = value.rpartition("\n")
            if kind == "value":
                line.append((data, value))
                continue
            mixed = True
            if kind == "refused" and before[1] and not last.strip(" \t\r"):
                line.append("".join(before))
                end_line("")
                value = last
            line.append(value)
    end_line("")
    return joined(out)


def first_value(text: str, start: int) -> tuple[str, int, Any]:
    """Return the kind, the end and the data of what begins at ``start``, according to `json`."""
    try:
        data, end = json.JSONDecoder(parse_constant=refuse, parse_float=finite).raw_decode(text, start)
    except json.JSONDecodeError as error:
        if error.msg.startswith("Unterminated"):
            return "text", len(text), None
        return "refused", error.pos, None
    except ValueError:
        try:
            return "text", json.JSONDecoder().raw_decode(text, start)[1], None
        except json.JSONDecodeError as error:
            return "refused", error.pos, None
    return "value", end, data


def refuse(constant: str) -> float:
    raise ValueError(constant)


def finite(number: str) -> float:
    return float(number) if math.isfinite(float(number)) else refuse(number)


def joined(items: Iterable[Any]) -> list[Any]:
    out: list[Any] = []
    for one in items:
        if isinstance(one, str) and out and isinstance(out[-1], str):
            out[-1] += one
        elif one != "":
            out.append(one)
    return out


COLOURED = [
    '\x1b[1;39m{\n  \x1b[0m\x1b[34;1m"a"\x1b[0m\x1b[1;39m:\x1b[0m \x1b[0;39m1\x1b[0m\x1b[1;39m\n}\x1b[0m\n',
    '\x1b[1;39m[\x1b[0;39m1\x1b[0m\x1b[1;39m,\x1b[0;32m"x"\x1b[0m\x1b[1;39m]\x1b[0m\r\n',
]


@pytest.mark.parametrize(("text", "data"), [(COLOURED[0], {"a": 1}), (COLOURED[1], [1, "x"])])
def test_colours_within_json_are_ignored_at_every_cut(text: str, data: Any) -> None:
    for at in range(len(text)):
        assert shown(run([text[:at], text[at:]])) == [(data,)]
    assert shown(run(list(text))) == [(data,)]
    assert shown(run([text * 100])) == [(data,)] * 100


def test_colours_of_text_stay() -> None:
    text = '\x1b[31mINFO\x1b[0m \x1b[1m{"a":\x1b[0m1} \x1b[2mdone\x1b[0m\n\x1b[32m[3/7]\x1b[0m x\n{\x1b[0mx\n\x1b[2K[1\x1b[1'
    found = ["\x1b[31mINFO\x1b[0m \x1b[1m", ({"a": 1},)]
    found.append(text[text.index(" \x1b[2mdone") :])
    for at in range(len(text)):
        assert shown(run([text[:at], text[at:]])) == found
    assert shown(run(list(text))) == found


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
@pytest.mark.parametrize("options", [["-C"], ["-C", "-c"]])
def test_output_of_jq_with_colours_is_an_event(options: list[str]) -> None:
    output = subprocess.run(
        ["jq", *options, "."],
        input='{"a":1,"b":[null,{"c":"x"}]}',
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "\x1b" in output
    assert shown(run([output])) == [({"a": 1, "b": [None, {"c": "x"}]},)]


@given(OUTPUT, CUTS)
def test_output_does_not_depend_on_the_cuts(text: str, at: list[int]) -> None:
    assert shown(run(cut(text, at))) == expected(text)


@given(OUTPUT, CUTS, st.integers(1, 40))
def test_a_limit_loses_nothing_and_does_not_depend_on_the_cuts(text: str, at: list[int], limit: int) -> None:
    whole = shown(run([text] if text else [], JsonLines(max_line_bytes=limit)))
    assert shown(run(cut(text, at), JsonLines(max_line_bytes=limit))) == whole
    rest = iter(text)
    assert all(char in rest for one in whole if isinstance(one, str) for char in one), "in its order"


@given(OUTPUT, CUTS)
def test_with_keep_text_all_text_is_kept(text: str, at: list[int]) -> None:
    chunks = cut(text, at)
    messages = run(chunks, JsonLines(keep_text=True))
    assert [m.data for m in messages if isinstance(m, OutputMessage)] == chunks
    assert [(m.data,) for m in messages if isinstance(m, EventMessage)] == [
        one for one in expected(text) if isinstance(one, tuple)
    ]


@given(OUTPUT, CUTS, st.lists(st.integers(0, 2), min_size=13, max_size=13))
def test_sequence_numbers_never_fall(text: str, at: list[int], kinds: list[int]) -> None:
    processor = JsonLines()
    numbers: list[int] = []
    number = 0
    for kind, chunk in zip(kinds, cut(text, at), strict=False):
        number += 1
        numbers += [m.sequence for m in processor(OutputMessage("job", number, data=chunk))]
        if kind:
            number += 2
            between = (
                GapMessage("job", number, first=number - 1)
                if kind == 1
                else InputRequestMessage("job", number)
            )
            numbers += [m.span_start for m in processor(between)]
    numbers += [m.sequence for m in processor(CompleteMessage("job", number + 1))]
    assert numbers == sorted(numbers)


@given(
    st.lists(st.text(st.sampled_from('{}[]":1 \n')) | st.binary(max_size=5).map(lambda tail: b"\xff" + tail))
)
def test_text_and_bytes_together_lose_nothing(chunks: list[str | bytes]) -> None:
    raw = b"".join(chunk.encode() if isinstance(chunk, str) else chunk for chunk in chunks)
    data = [one for one in shown(run(chunks)) if not isinstance(one, tuple)]
    rest = iter(raw)
    for byte in b"".join(one.encode() if isinstance(one, str) else one for one in data):
        assert byte in rest, "other text passes in its order"
    kept = [m.data for m in run(chunks, JsonLines(keep_text=True)) if isinstance(m, OutputMessage)]
    assert [one for one in kept if one] == [one for one in chunks if one]


# -- in a session, and by name -----------------------------------------------------------------


def test_an_execution_shows_events_among_its_output() -> None:
    code = "import json\nprint('start')\nprint(json.dumps({'type': 'step', 'n': 1}))\nprint('[1', end='')"
    with Session() as session:
        messages = list(session.execute(code, processors=[JsonLines()]))
    assert [(m.name, m.data) for m in messages if isinstance(m, EventMessage)] == [
        ("step", {"type": "step", "n": 1})
    ]
    assert "".join(m.text for m in messages if isinstance(m, OutputMessage)) == "start\n[1"
    assert isinstance(messages[-1], CompleteMessage)


def test_processors_by_name_are_classes() -> None:
    assert processors_by_name(["json_lines"]) == (JsonLines,)
    assert processors_by_name([]) == ()
    assert PROCESSORS["json_lines"] is JsonLines


def test_an_unknown_processor_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="no processor 'json_line'; did you mean 'json_lines'"):
        processors_by_name(["json_line"])
