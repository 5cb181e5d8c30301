"""YAML documents: the same events at any cut, nothing lost, and bounded time and memory."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pyrepl_stream.processors.yaml_stream import YamlStream
from pyrepl_stream.runtime.errors import UsageError
from pyrepl_stream.runtime.messages import (
    CompleteMessage,
    EventMessage,
    GapMessage,
    InputRequestMessage,
    Message,
    OutputMessage,
)


def run(chunks: Iterable[str | bytes], processor: YamlStream | None = None) -> list[Message]:
    """Return the messages for these chunks of stdout, up to `complete`."""
    processor = processor or YamlStream()
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


def whole_and_cut(text: str, **options: Any) -> list[Any]:
    """Return what is shown of ``text``, after checking that it is the same in one chunk and in many."""
    whole = shown(run([text], YamlStream(**options)))
    assert shown(run(list(text), YamlStream(**options))) == whole
    assert shown(run(text.splitlines(keepends=True), YamlStream(**options))) == whole
    return whole


# -- events and text ---------------------------------------------------------------------------


def test_documents_become_events_and_text_before_them_passes() -> None:
    text = "Rendering\n---\na: 1\nb: [x, y]\n---\n- 1\n- c: d\n...\nbye\n--- {e: f}\n"
    assert whole_and_cut(text) == [
        "Rendering\n",
        ({"a": 1, "b": ["x", "y"]},),
        ([1, {"c": "d"}],),
        "bye\n",
        ({"e": "f"},),
    ]


@pytest.mark.parametrize(
    "document",
    [
        "---\nkey: value\n",
        "---\r\nkey: value\r\n",
        "---   # Source: chart/templates/service.yaml\nkey: value\n",
        "---\n# a comment\n\nkey: value",
        "--- {key: value}",
        "--- &all {key: value}\n...",
        "--- !!map\nkey: value\n... \n",
        "---\n  key: value\n",
        "---\nkey:\n  value\n",
        "---\n{\nkey: value\n}\n",
        '---\n"key": value\n\n',
        "---\n? key\n: value\n",
    ],
)
def test_forms_of_a_document(document: str) -> None:
    assert whole_and_cut(document) == [({"key": "value"},)]


def test_a_block_may_contain_indented_text_and_sequences() -> None:
    text = "---\nscript: |\n  --- x\n\n  prose\nlist:\n- a\n- b\n# end\nfolded: >-\n  one\n  two\n"
    data = {"script": "--- x\n\nprose\n", "list": ["a", "b"], "folded": "one two"}
    assert whole_and_cut(text) == [(data,)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "a: 1\n",
        "---",
        "---\n",
        "---\n---\n...\n",
        "...\n",
        "----\nx: 1\n",
        "---\ttext\n",
        "--- a/file\n+++ b/file\n",
        "--- FAIL: TestSum (0.00s)\nkey: value\n",
        "---\nA line of prose\nkey: value\n",
        "---\nkey: value\nA line of prose\nkey: value\n",
        "---\n  key: value\nother: value\n",
        "---\ntext\n",
        "--- |\n  text\n",
        "---\n'key: value'\n",
        "---\nkey: [1, 2\n",
        "---\n- a\nb: c\n",
        "---\nkey: !python/object/apply:os.system ['true']\n",
        "---\nkey: !Ref x\n",
        "---\n? [a]\n: b\n",
        "---\nkey: *unknown\n",
        "---\nkey: &a [*a]\n",
        "---\na: &a 1\nb: &a [*a]\n",
        "---\nkey: a\0b\n",
        "---\nkey: \ud800\n",
        "%YAML 1.1\n",
        " ---\na: 1\n",
    ],
)
def test_other_text_passes_exactly(text: str) -> None:
    assert "".join(whole_and_cut(text)) == text


def test_an_event_has_the_place_of_the_output_that_completed_it() -> None:
    processor = YamlStream(name="manifest")
    assert list(processor(OutputMessage("job", 3, 30.0, "helm", data="---\na: 1\n"))) == []
    assert list(processor(OutputMessage("job", 4, 40.0, "helm", data="...\nb"))) == [
        EventMessage("job", 4, 40.0, "helm", name="manifest", data={"a": 1}),
        OutputMessage("job", 4, 40.0, "helm", data="b"),
    ]


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("{kind: Pod, type: other}", "Pod"),
        ("{kind: 1, type: step, event: x}", "step"),
        ("{kind: '', event: x}", "x"),
        ("{a: 1}", "yaml"),
        ("[kind]", "yaml"),
    ],
)
def test_an_event_is_named_by_its_kind(body: str, name: str) -> None:
    (event,) = run([f"--- {body}\n"])
    assert isinstance(event, EventMessage)
    assert event.name == name


@pytest.mark.parametrize(
    ("written", "data"),
    [
        ("2001-12-14", "2001-12-14"),
        ("2001-12-14t21:59:43.10-05:00", "2001-12-14T21:59:43.100000-05:00"),
        ("2001-99-99", "2001-99-99"),
        ("!!binary aGk=", "aGk="),
        ("!!set {a, 2}", ["a", 2]),
        ("!!omap [a: 1, b: 2]", [{"a": 1}, {"b": 2}]),
        (".nan", ".nan"),
        ("-.inf", "-.inf"),
        ("1.0e+999", "1.0e+999"),
        ("9" * 5000, "9" * 5000),
        ("1" + ":59" * 100_000, "1" + ":59" * 100_000),
        ("!!int x", "x"),
        ("!!bool x", "x"),
        ("!!int ''", ""),
        ("0x10", 16),
        ("no", False),
        ("~", None),
        ("'1'", "1"),
        ("{on: 1, 1.10: 2, null: 3, 2001-12-14: 4}", {"on": 1, "1.10": 2, "null": 3, "2001-12-14": 4}),
        ("=", "="),
    ],
)
def test_data_has_the_types_of_json(written: str, data: Any) -> None:
    ((event,),) = shown(run([f"---\na: {written}\n"]))
    assert event == {"a": data}
    assert json.loads(json.dumps(event, allow_nan=False)) == event


def test_merge_keys_are_merged_and_aliases_repeated() -> None:
    text = "---\nbase: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\nboth: [*b, *b]\n"
    base = {"x": 1, "y": 2}
    assert whole_and_cut(text) == [({"base": base, "use": {"x": 1, "y": 3}, "both": [base, base]},)]


# -- without a marker --------------------------------------------------------------------------


def test_an_implicit_document_begins_at_the_first_possible_line() -> None:
    text = "Using the context\n\n# Source\napiVersion: v1\nkind: Pod\n---\nkind: Job\n...\nkind: Last\n"
    assert whole_and_cut(text, implicit=True) == [
        "Using the context\n",
        ({"apiVersion": "v1", "kind": "Pod"},),
        ({"kind": "Job"},),
        ({"kind": "Last"},),
    ]
    assert whole_and_cut("kind: Pod\nprose\nkind: Job\n", implicit=True) == ["kind: Pod\nprose\nkind: Job\n"]
    assert whole_and_cut("kind: Pod\nprose\n---\nkind: Job\n", implicit=True) == [
        "kind: Pod\nprose\n",
        ({"kind": "Job"},),
    ]


def test_implicit_is_off_by_default_and_readers_keep_options() -> None:
    assert whole_and_cut("kind: Pod\n") == ["kind: Pod\n"]
    reader = YamlStream(implicit=True, name="x", max_document_bytes=30).for_reader()
    (event, text) = run(["a: 1\n--- {b: " + "x" * 30 + "}\n"], reader)
    assert isinstance(event, EventMessage)
    assert (event.name, event.data) == ("x", {"a": 1})
    assert shown([text]) == ["--- {b: " + "x" * 30 + "}\n"]


# -- held text ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["Continue? ", "-x", "--- a", "----", "..", "a: 1\n", "---\nprose\n", "\n--- |"]
)
def test_text_that_cannot_be_a_document_passes_at_once(text: str) -> None:
    assert shown(YamlStream()(OutputMessage(data=text))) == [text]


@pytest.mark.parametrize("text", ["-", "--", "---", "---\n", "--- {", "---\na: 1\n", "---\nContin"])
def test_text_that_can_be_a_document_is_held(text: str) -> None:
    assert list(YamlStream()(OutputMessage(data=text))) == []


def test_output_without_documents_passes_as_the_same_message() -> None:
    processor = YamlStream()
    for data in ("one\n", "two\nthree", " four\n", "a - b\n", "", "\n"):
        message = OutputMessage(data=data)
        (same,) = processor(message) or [message]
        assert same is message


@pytest.mark.parametrize("between", [GapMessage("job", 2, first=2), InputRequestMessage("job", 2)])
def test_a_gap_and_a_request_for_input_release_held_text(between: Message) -> None:
    processor = YamlStream()
    processor(OutputMessage("job", 1, data="---\na: 1\nName: "))
    assert list(processor(between)) == [OutputMessage("job", 2, data="---\na: 1\nName: "), between]
    assert shown(processor(OutputMessage("job", 3, data="x\n---\nb: 2\n...\n"))) == ["x\n", ({"b": 2},)]


def test_nothing_is_held_after_complete() -> None:
    processor = YamlStream()
    processor(CompleteMessage("job", 3))
    late = OutputMessage("job", 4, data="---\na: ")
    assert list(processor(late)) == [late]


def test_bytes_pass_and_end_a_document_that_has_begun() -> None:
    assert shown(run(["---\na: ", b"\xff", "\n---\nb: 2\n"])) == ["---\na: ", b"\xff", "\n", ({"b": 2},)]
    assert shown(run([b"\xff\n", "--- {b: 2}"])) == [b"\xff\n", ({"b": 2},)]


def test_only_streams_within_a_document_or_line_are_remembered() -> None:
    processor = YamlStream()
    for number in range(1000):
        processor(OutputMessage(source=str(number), data="text\n---\na: 1\n...\n"))
    assert not processor._states


# -- limits ------------------------------------------------------------------------------------


def test_a_document_longer_than_the_limit_is_text_up_to_the_next() -> None:
    document = "---\na: 'é'\nb: 2\n"
    size = len(document.encode())
    data = {"a": "é", "b": 2}
    text = document + "---\nc: 3\n"
    assert whole_and_cut(text, max_document_bytes=size) == [(data,), ({"c": 3},)]
    assert whole_and_cut(text, max_document_bytes=size - 1) == [document, ({"c": 3},)]


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(UsageError, match="max_document_bytes is 0, but must be at least 1"):
        YamlStream(max_document_bytes=0)


BOMBS = {
    "aliases": "---\na0: &a0 x\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1}, ' * 10}]\n" for n in range(1, 30)),
    "merges": "---\na0: &a0 {k: v}\n"
    + "".join(f"a{n}: &a{n} {{<<: [{f'*a{n - 1}, ' * 10}], k{n}: v}}\n" for n in range(1, 30)),
    "chain": "---\na0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 300)),
    "flow": "--- " + "[" * 1_000_000,
    "block": "---\n" + "- " * 500_000,
    "keys": "---\n" + "? " * 500_000,
    "maps": "--- " + "{a: " * 200_000,
    "nodes": "---\n" + "- a\n" * 200_000,
    "tags": "%TAG !a! tag:x\n" * 60_000 + "---\n" + "%TAG !a! tag:x\n" * 60_000,
    "marks": "---\n" * 200_000,
    "dashes": "-" * 1_000_000,
    "blank": "---" + " " * 1_000_000,
    "prose": "---\na: " + "word " * 200_000 + "\nx\n",
    "no end": "---\na: " + "x" * 5_000_000,
    "escapes": '---\na: "' + "\\x4" * 300_000 + '"\n',
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_text(bomb: str) -> None:
    text = BOMBS[bomb]
    chunks = [text[at : at + 1000] for at in range(0, len(text), 1000)]
    assert "".join(shown(run([text]))) == text
    assert "".join(shown(run(chunks))) == text


def test_text_in_tiny_chunks_takes_linear_time() -> None:
    for text in ("---\n" + "- b\n" * 20_000, "---\na: " + "b" * 300_000, "---" + " " * 300_000):
        assert shown(run(list(text))) == shown(run([text]))


def test_up_to_200_levels_are_an_event() -> None:
    for levels, events in ((200, 1), (201, 0)):
        text = "--- " + "[" * levels + "1" + "]" * levels
        assert sum(isinstance(message, EventMessage) for message in run([text])) == events


# -- any text, any cuts ------------------------------------------------------------------------

# PyYAML writes these unescaped, but reads them as line breaks, as YAML 1.1 does.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x85\u2028\u2029"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
DATA = st.lists(VALUES, max_size=3) | st.dictionaries(TEXT, VALUES, max_size=3)
LINES = st.lists(
    st.sampled_from(
        [
            "---",
            "--- ",
            "...",
            "a: 1",
            "- b",
            "  c: d",
            "prose",
            "",
            "# x",
            "--- {e: f}",
            "--- x",
            "[1,",
            "2]",
        ]
        + ["'q", "%TAG", "a: &x [1]", "b: *x", "-", "--", "..", "\ta: 1", "a: |"]
    )
)
OUTPUT = LINES.map("\n".join) | st.text(st.sampled_from("-.: \n\rab[]{}&*!#'"))
CUTS = st.lists(st.integers(0, 120), max_size=12)


def cut(text: str, at: list[int]) -> list[str]:
    places = sorted({0, len(text), *(place for place in at if place < len(text))})
    return [text[start:end] for start, end in zip(places, places[1:], strict=False)]


@given(OUTPUT, CUTS, st.booleans(), st.integers(1, 60))
def test_output_does_not_depend_on_the_cuts(text: str, at: list[int], implicit: bool, limit: int) -> None:
    def read(chunks: list[str]) -> list[Any]:
        return shown(run(chunks, YamlStream(implicit=implicit, max_document_bytes=limit)))

    whole = read([text] if text else [])
    assert read(cut(text, at)) == whole
    assert read(list(text)) == whole
    rest = iter(text)
    assert all(char in rest for one in whole if isinstance(one, str) for char in one), "in its order"


@given(st.lists(DATA, max_size=4), CUTS, st.booleans())
def test_dumped_documents_are_read_back(documents: list[Any], at: list[int], flow: bool) -> None:
    text = yaml.safe_dump_all(documents, explicit_start=True, default_flow_style=flow, allow_unicode=True)
    assert shown(run(cut(text, at))) == [(data,) for data in documents]


@given(LINES.map("\n".join), CUTS, st.lists(st.integers(0, 2), min_size=13, max_size=13))
def test_sequence_numbers_never_fall(text: str, at: list[int], kinds: list[int]) -> None:
    processor = YamlStream()
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
