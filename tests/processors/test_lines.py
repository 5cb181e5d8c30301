"""Processors of whole lines: filters, patterns and prefixes."""

from __future__ import annotations

import asyncio
import itertools
import threading
import tracemalloc
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrepl_stream.pipeline import Pipeline
from pyrepl_stream.processors import FILTERS, LineFilter, Lines, PatternMatcher, Prefix
from pyrepl_stream.runtime.errors import UsageError
from pyrepl_stream.runtime.messages import (
    CompleteMessage,
    EventMessage,
    GapMessage,
    InputRequestMessage,
    LogMessage,
    Message,
    OutputMessage,
    StreamType,
)

Make = Callable[[], Callable[[Message], Iterable[Message]]]


def run(processor: Callable[[Message], Iterable[Message]], *chunks: str, source: str = "") -> list[Message]:
    """Return the messages for these chunks, up to `complete`."""
    chain = Pipeline([processor])  # type: ignore[list-item]  # plain ones
    chain.add(
        OutputMessage(execution_id="job", sequence=n, source=source, data=chunk)
        for n, chunk in enumerate(chunks, 1)
    )
    chain.add([CompleteMessage(execution_id="job", sequence=len(chunks) + 1)])
    chain.run()
    *messages, end = chain.ready
    chain.close()
    assert isinstance(end, CompleteMessage)
    return messages


def text(messages: Iterable[Message]) -> str:
    return "".join(str(m.data) for m in messages if isinstance(m, OutputMessage))


def events(messages: Iterable[Message]) -> list[tuple[str, object]]:
    return [(m.name, m.data) for m in messages if isinstance(m, EventMessage)]


def cut(data: str, at: list[int]) -> list[str]:
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in at)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


# -- whole lines --------------------------------------------------------------------------------

lined = st.text(alphabet="ab\r\n é€\ud800", max_size=60)
places = st.lists(st.integers(0, 60), max_size=12)


@given(lined, places, st.integers(1, 12), st.integers(1, 4))
def test_lines_do_not_depend_on_the_chunks_and_nothing_is_lost(
    data: str, at: list[int], most: int, several: int
) -> None:
    def lines_of(chunks: list[str]) -> tuple[list[str], str]:
        lines: list[str] = []

        def see(line: str) -> str:
            lines.append(line)
            return line

        return lines, text(run(Lines(see, max_line_bytes=most, max_lines=several), *chunks))

    whole, passed = lines_of([data])
    assert lines_of(cut(data, at)) == (whole, passed)
    assert passed == data
    assert all(len(line.encode("utf-8", "surrogatepass")) <= most or len(line) == 1 for line in whole)


def test_a_line_ends_with_a_line_feed_a_carriage_return_or_both() -> None:
    lines: list[str] = []
    run(Lines(lines.append), "a\nb\r", "\nc\rd", "\r", "e\r\n\nf")
    assert lines == ["a\n", "b\r\n", "c\r", "d\r", "e\r\n", "\n", "f"]


def test_a_line_passes_when_it_is_complete_and_the_rest_before_the_end() -> None:
    lines = Lines(str.upper)
    assert text(lines(OutputMessage(execution_id="job", sequence=1, data="a\nb"))) == "A\n"
    assert text(lines(OutputMessage(execution_id="job", sequence=2, data="c"))) == ""
    *released, _ = lines(InputRequestMessage(execution_id="job", sequence=3, prompt="bc"))
    assert [(m.sequence, m.data) for m in released] == [(3, "BC")]  # type: ignore[attr-defined]  # output


def test_numbers_never_fall_over_two_streams() -> None:
    lines = Lines(str)
    messages = [
        OutputMessage(execution_id="job", sequence=1, data="begun"),
        OutputMessage(execution_id="job", sequence=2, stream=StreamType.STDERR, data="whole\n"),
        GapMessage(execution_id="job", first=3, sequence=5, bytes=7),
        CompleteMessage(execution_id="job", sequence=6),
    ]
    passed = [one for message in messages for one in lines(message)]
    assert [(type(m).__name__, m.sequence) for m in passed] == [
        ("OutputMessage", 2),
        ("OutputMessage", 3),
        ("GapMessage", 5),
        ("CompleteMessage", 6),
    ]


def test_bytes_pass_and_end_the_line_that_has_begun() -> None:
    lines = Lines(str.upper)
    passed = [*lines(OutputMessage(data="ab")), *lines(OutputMessage(data=b"\xff"))]
    assert [m.data for m in passed if isinstance(m, OutputMessage)] == ["AB", b"\xff"]


def test_a_line_passes_with_a_log_if_the_function_raises() -> None:
    def fail(line: str) -> str:
        raise ValueError(line)

    done = run(Lines(fail), "a\nb", "c\nd\n")
    assert text(done) == "a\nbc\nd\n"
    logs = [m.text for m in done if isinstance(m, LogMessage)]
    assert "ValueError: a" in logs[0]
    assert "failed 3 times" in logs[1]


def test_the_rest_of_a_dropped_line_is_dropped_and_failures_are_counted_without_a_pipeline_too() -> None:
    dropping = Lines(lambda line: None, max_line_bytes=10)
    chunks = ["x" * 20, "y" * 20, "\n"]
    assert text(made for chunk in chunks for made in dropping(OutputMessage(data=chunk))) == ""

    def fail(line: str) -> str:
        raise ValueError(line)

    failing = Lines(fail)
    messages = [OutputMessage(data="a\n"), OutputMessage(data="b\n"), CompleteMessage()]
    logs = [made.text for one in messages for made in failing(one) if isinstance(made, LogMessage)]
    assert len(logs) == 2
    assert "failed 2 times" in logs[1]


def test_a_line_that_has_begun_is_not_lost_if_the_function_stalls() -> None:
    forever = threading.Event()

    def stuck(line: str) -> str:
        if "def" in line:
            forever.wait()
        return line

    stuck.stall_timeout = 0.05  # type: ignore[attr-defined]  # as its contract has it
    assert text(run(Lines(stuck), "abc ", "def\n", "ghi\n")) == "abc def\nghi\n"
    forever.set()


def test_a_slow_function_loses_and_repeats_nothing_when_its_reader_is_cancelled() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(line: str) -> str:
        begun.set()
        go_on.wait(30)
        return line

    async def main() -> str:
        chain = Pipeline([Lines(slow)])
        chain.add([OutputMessage(execution_id="job", sequence=1, data="x\ny")])
        task = asyncio.ensure_future(chain.run_async())
        while not begun.is_set():
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        go_on.set()
        chain.add(
            [
                OutputMessage(execution_id="job", sequence=2, data="z\n"),
                CompleteMessage(execution_id="job", sequence=3),
            ]
        )
        messages: list[Message] = []
        while chain.busy:
            await chain.run_async()
            messages += chain.ready
            chain.ready.clear()
        return text(messages)

    assert asyncio.run(main()) == "x\nyz\n"


def test_a_line_without_an_end_takes_bounded_memory_and_linear_time() -> None:
    lines = Lines(str)
    tracemalloc.start()
    try:
        for sequence in range(1, 20_000):
            for _ in lines(OutputMessage(execution_id="job", sequence=sequence, data="x" * 1000)):
                pass
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("make", [lambda: LineFilter("x"), lambda: Prefix(), lambda: PatternMatcher(x="x")])
def test_each_reader_has_its_own_processor(make: Make) -> None:
    original = make()
    list(original(OutputMessage(data="begun")))
    other = original.for_reader()  # type: ignore[attr-defined]  # they have it
    assert type(other) is type(original)
    assert "begun" not in text(run(other, "x\n"))


# -- filters ------------------------------------------------------------------------------------


def test_lines_that_match_pass_unless_they_are_excluded() -> None:
    done = run(LineFilter(["loss", "acc"], ["nan"]), "loss=1\nother\nacc=2 na", "n\nacc=3\n")
    assert text(done) == "loss=1\nacc=3\n"


def test_a_message_whose_lines_all_match_passes_unchanged() -> None:
    message = OutputMessage(data="a\nab\n")
    assert list(LineFilter("a")(message)) == [message]


def test_colours_are_kept_and_ignored_by_expressions() -> None:
    assert (
        text(run(LineFilter("^error: x"), "\x1b[31merr\x1b[1mor\x1b[0m: x\nok\n"))
        == "\x1b[31merr\x1b[1mor\x1b[0m: x\n"
    )


@pytest.mark.parametrize(
    ("name", "kept", "dropped"),
    [
        ("errors", ["ERROR x", "KeyError: 'a'", "Traceback (most recent call last):", "2 failed", "fatal: no"], ["ok", "terror", "0 mirrored"]),
        ("warnings", ["WARN x", "a Warning: b", "error"], ["info", "forewarned"]),
        ("no-progress", ["done 100%", "accuracy 93% on test", "a | b"], [" 45%|████▌     | 45/100\r", "45\r", "a ━━━━ 3/4"]),
        ("no-debug", ["INFO x", "debugger"], ["DEBUG x", "12:00 TRACE y", "level=debug"]),
        ("no-blank", ["x", " x"], ["", "  "]),
    ],
)  # fmt: skip
def test_filters_by_name(name: str, kept: list[str], dropped: list[str]) -> None:
    assert name in FILTERS
    for line in kept:
        assert text(run(LineFilter(name), line + "\n")) == line + "\n"
    for line in dropped:
        assert text(run(LineFilter(name), line if line.endswith("\r") else line + "\n")) == ""


def test_the_rest_of_a_line_that_is_too_long_is_treated_as_its_beginning() -> None:
    line_filter = LineFilter("wanted", max_line_bytes=10)
    long = "wanted" + "x" * 50 + "\n"
    assert text(run(line_filter, long + "not " * 9 + "wanted\nwanted\n", "no")) == long + "wanted\n"


@pytest.mark.parametrize("exclude", [False, True])
def test_an_expression_that_backtracks_is_switched_off_with_a_log_and_nothing_is_lost(exclude: bool) -> None:
    evil = r"(a|aa)+$"
    line_filter = LineFilter((), evil, time_limit=0.02) if exclude else LineFilter(evil, time_limit=0.02)
    data = "a" * 60 + "b\nplain\n"
    done = run(line_filter, data, data)
    assert text(done) == data * 2
    (log,) = (m for m in done if isinstance(m, LogMessage))
    assert "took more than 0.02 s for one line" in log.text
    assert "is switched off" in log.text
    assert log.level == "WARNING"


def test_an_expression_that_backtracks_a_little_on_every_line_is_switched_off_too() -> None:
    data = "a" * 21 + "!\n"
    done = run(LineFilter(exclude=r"(a|aa)+$", time_limit=0.05), *[data * 50] * 40)
    assert text(done) == data * 2000
    assert sum(isinstance(m, LogMessage) for m in done) == 1


def test_many_short_lines_do_not_switch_an_expression_off() -> None:
    assert run(LineFilter("7", time_limit=0.001), *["1\n" * 1000] * 100) == []


def test_an_invalid_expression_is_refused_with_the_position_of_its_error() -> None:
    with pytest.raises(UsageError, match=r"'\(a' is not a regular expression: missing \)"):
        LineFilter("(a")


# -- patterns -----------------------------------------------------------------------------------


def test_named_groups_become_events_and_all_text_passes_at_once() -> None:
    matcher = PatternMatcher(
        r"loss=(?P<loss>[\d.]+)(?: acc=(?P<acc>\d+))?", epoch=r"epoch (?P<number>\d+)/(?P<of>\d+)"
    )
    message = OutputMessage(execution_id="job", sequence=1, data="epoch 1/3\nlo")
    first = list(matcher(message))
    assert first[0] is message
    assert events(first) == [("epoch", {"number": "1", "of": "3"})]
    matcher = matcher.for_reader()
    assert events(run(matcher, "lo", "ss=0.5\nloss=0.4 acc=7")) == [
        ("loss", "0.5"),
        ("loss", "0.4"),
        ("acc", "7"),
    ]


def test_lines_that_match_can_be_removed() -> None:
    done = run(PatternMatcher(r"^@(?P<tag>\w+)", keep_text=False), "a\n@b\nc\n", "@d\n")
    assert [m.data for m in done] == ["a\n", "b", "c\n", "d"]  # type: ignore[attr-defined]  # output and events


@given(lined, places)
def test_patterns_keep_the_text_and_events_do_not_depend_on_the_chunks(data: str, at: list[int]) -> None:
    done = run(PatternMatcher(r"(?P<a>a+)"), *cut(data, at))
    assert text(done) == data
    assert events(done) == events(run(PatternMatcher(r"(?P<a>a+)"), data))


def test_a_pattern_that_backtracks_is_switched_off_and_its_lines_pass() -> None:
    data = "a" * 60 + "b\n"
    done = run(PatternMatcher(x=r"(a|aa)+$", time_limit=0.02, keep_text=False), data, data)
    assert text(done) == data * 2
    assert sum(isinstance(m, LogMessage) for m in done) == 1


def test_patterns_without_a_name_for_events_are_refused() -> None:
    with pytest.raises(UsageError, match="has no named group"):
        PatternMatcher("abc")
    with pytest.raises(UsageError, match="needs an expression"):
        PatternMatcher()


# -- prefixes -----------------------------------------------------------------------------------


def test_each_line_begins_with_the_last_part_of_its_label() -> None:
    assert text(run(Prefix(), "a\nb", "c\n\n", source="script:setup")) == "[setup] a\n[setup] bc\n[setup] \n"
    assert text(run(Prefix(), "a\n")) == "[stdout] a\n"


def test_fields_of_a_template() -> None:
    prefix = Prefix("{time:%Y} {elapsed:.2f} {elapsed} {stream} {{x}} ")
    list(prefix(OutputMessage(execution_id="job", sequence=1, timestamp=1_700_000_000.0, data="")))
    message = OutputMessage(
        execution_id="job", sequence=2, timestamp=1_700_000_001.25, stream=StreamType.STDERR, data="a\n"
    )
    assert text(prefix(message)) == "2023 1.25 1.2 stderr {x} a\n"
    assert text(Prefix("{host}|")(OutputMessage(data="a\n"))).endswith("|a\n")


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("[{sourc}]", "has no field 'sourc'; did you mean 'source'?"),
        ("{source.__class__}", "has no field 'source.__class__'"),
        ("{", "cannot be filled in"),
        ("{0}", "has no field '0'"),
        ("{elapsed:x}", "cannot be filled in"),
        ("{source!z}", "cannot be filled in"),
        ("{source:{foo}}", "cannot be filled in"),
        ("{time:{source.__class__}}", "cannot be filled in"),
        ("{source:>9999999999999}", "cannot be filled in"),
        ("{source:>5000}", "longer than 1000 characters"),
    ],
)
def test_invalid_templates_are_refused(template: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        Prefix(template)
    assert said in str(caught.value)


@given(lined, places)
def test_prefixed_lines_do_not_depend_on_the_chunks(data: str, at: list[int]) -> None:
    assert text(run(Prefix("> "), *cut(data, at))) == text(run(Prefix("> "), data))
