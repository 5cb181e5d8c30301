"""The journal in memory: sequence numbers, cursors, bounds."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrepl_stream import (
    CompleteMessage,
    DisplayMessage,
    ErrorMessage,
    GapMessage,
    LogMessage,
    Message,
    OutputMessage,
    ResultMessage,
    UsageError,
)
from pyrepl_stream.runtime.errors import CursorError
from pyrepl_stream.runtime.journal.memory import Cursor, Journal
from pyrepl_stream.runtime.journal.sizes import cost_of

POLICIES = ["block", "drop_oldest", "drop_newest", "fail"]
Check = Callable[..., None]


def output(size: int = 1000) -> OutputMessage:
    return OutputMessage(data="x" * size)


def read_all(cursor: Cursor) -> list[Message]:
    messages: list[Message] = []
    while read := cursor.read():
        messages += read
    return messages


def output_bytes(messages: list[Message]) -> int:
    """Return the bytes of output that the messages hold or stand for."""
    total = 0
    for message in messages:
        if isinstance(message, OutputMessage):
            total += len(message.text.encode())
        elif isinstance(message, GapMessage):
            assert message.bytes is not None
            total += message.bytes
    return total


# -- numbers ------------------------------------------------------------------------------------


def test_sequence_numbers_start_at_one_and_rise_by_one_over_all_types() -> None:
    journal = Journal("e")
    sent = [output(), LogMessage(text="a"), DisplayMessage(), output(), ResultMessage(), CompleteMessage()]
    for message in sent:
        journal.append(message)
    messages = read_all(journal.cursor())
    assert [message.sequence for message in messages] == [1, 2, 3, 4, 5, 6]
    assert [type(message) for message in messages] == [type(message) for message in sent]
    assert {message.execution_id for message in messages} == {"e"}
    assert journal.last == 6


def test_a_message_without_a_timestamp_gets_one_and_one_that_has_it_keeps_it() -> None:
    journal = Journal("e")
    assert journal.append(output()).timestamp > 1e9
    assert journal.append(LogMessage(timestamp=5.0)).timestamp == 5.0


def test_a_gap_emitted_by_the_writer_takes_one_number() -> None:
    journal = Journal("e")
    journal.append(output())
    gap = journal.append(GapMessage(bytes=70, reason="r"))
    assert (gap.span_start, gap.sequence) == (2, 2)


# -- cursors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [0, 1, 9, 10])
def test_a_cursor_reads_exactly_the_messages_after_its_place(after: int) -> None:
    journal = Journal("e")
    for _ in range(10):
        journal.append(output())
    assert [message.sequence for message in read_all(journal.cursor(after))] == list(range(after + 1, 11))


@pytest.mark.parametrize("after", [-1, 11, True, 1.0, "1", None])
def test_a_position_outside_the_journal_is_a_cursor_error(after: object) -> None:
    journal = Journal("e")
    for _ in range(10):
        journal.append(output())
    with pytest.raises(CursorError):
        journal.cursor(after)  # type: ignore[arg-type]  # the type is what is tested


def test_a_cursor_ends_at_complete_and_one_that_follows_ends_when_the_journal_closes() -> None:
    journal = Journal("e")
    plain, following = journal.cursor(), journal.cursor(follow=True)
    journal.append(CompleteMessage())
    journal.append(output())
    assert [message.sequence for message in read_all(plain)] == [1]
    assert plain.ended
    assert [message.sequence for message in read_all(following)] == [1, 2]
    assert not following.ended
    journal.close()
    assert following.ended


def test_a_cursor_after_complete_that_does_not_follow_has_ended() -> None:
    journal = Journal("e")
    journal.append(CompleteMessage())
    journal.append(output())
    assert journal.cursor(1).ended
    assert read_all(journal.cursor(1)) == []


def test_a_closed_cursor_reads_nothing_and_closing_it_again_does_nothing() -> None:
    journal = Journal("e")
    cursor = journal.cursor()
    journal.append(output())
    cursor.close()
    cursor.close()
    assert cursor.ended
    assert cursor.read() == []


def test_any_number_of_cursors_read_the_same() -> None:
    journal = Journal("e", limit=None)
    early = [journal.cursor() for _ in range(3)]
    for _ in range(500):
        journal.append(output(5000))
    expected = list(range(1, 501))
    for cursor in [*early, journal.cursor()]:
        assert [message.sequence for message in read_all(cursor)] == expected


def test_one_read_returns_a_bounded_batch() -> None:
    journal = Journal("e", limit=None)
    for _ in range(100):
        journal.append(output(60_000))
    batch = journal.cursor().read()
    assert 0 < output_bytes(list(batch)) <= 256 * 1024


def test_when_ready_calls_at_once_when_messages_wait() -> None:
    journal = Journal("e")
    cursor = journal.cursor()
    journal.append(output())
    called = threading.Event()
    cursor.when_ready(called.set)
    assert called.is_set()


def test_when_ready_calls_once_when_a_message_is_appended() -> None:
    journal = Journal("e")
    cursor = journal.cursor()
    calls: list[int] = []
    cursor.when_ready(lambda: calls.append(journal.last))
    assert calls == []
    journal.append(output())
    journal.append(output())
    assert calls == [1]


@pytest.mark.parametrize("end", [Journal.close, lambda journal: journal.append(CompleteMessage())])
def test_when_ready_calls_at_the_end(end: Callable[[Journal], object]) -> None:
    journal = Journal("e")
    cursor = journal.cursor()
    called = threading.Event()
    cursor.when_ready(called.set)
    end(journal)
    assert called.is_set()


def test_closing_a_cursor_wakes_its_reader() -> None:
    cursor = Journal("e").cursor()
    called = threading.Event()
    cursor.when_ready(called.set)
    cursor.close()
    assert called.is_set()


@pytest.mark.parametrize("end", [Journal.close, lambda journal: journal.append(CompleteMessage())])
def test_when_due_calls_at_the_end_and_after_it(end: Callable[[Journal], object]) -> None:
    journal = Journal("e")
    before, after = threading.Event(), threading.Event()
    journal.when_due(before.set)
    journal.append(output())
    assert not before.is_set()
    end(journal)
    assert before.is_set()
    journal.when_due(after.set)
    assert after.is_set()


# -- bounds -------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES)
def test_without_a_reader_the_newest_are_kept_and_the_rest_is_a_gap(policy: str, assert_whole: Check) -> None:
    journal = Journal("e", limit=50_000, overflow=policy)
    for _ in range(1000):
        assert journal.has_room()
        journal.append(output())
    journal.append(CompleteMessage())
    assert journal.kept_bytes <= 50_000 + 2000
    messages = read_all(journal.cursor())
    assert isinstance(messages[0], GapMessage)
    assert messages[0].reason
    assert_whole(messages)
    assert output_bytes(messages) == 1_000_000
    assert isinstance(messages[-1], CompleteMessage)


def test_block_has_no_room_while_a_reader_lags_and_keeps_everything_for_it() -> None:
    journal = Journal("e", limit=50_000, overflow="block")
    cursor = journal.cursor()
    sent = 0
    while journal.has_room():
        journal.append(output())
        sent += 1
    assert 50_000 // 1500 <= sent <= 50
    assert [message.sequence for message in read_all(cursor)] == list(range(1, sent + 1))
    assert journal.has_room()


def test_on_room_is_called_once_when_a_reader_has_made_room() -> None:
    calls: list[int] = []
    journal = Journal("e", limit=50_000, overflow="block", on_room=lambda: calls.append(1))
    cursor = journal.cursor()
    while journal.has_room():
        journal.append(output())
    read_all(cursor)
    read_all(cursor)
    assert calls == [1]


@pytest.mark.parametrize("leave", [Cursor.close, lambda cursor: cursor._journal.release_unread()])
def test_a_reader_that_closes_or_never_began_makes_room(leave: Callable[[Cursor], None]) -> None:
    calls: list[int] = []
    journal = Journal("e", limit=50_000, overflow="block", on_room=lambda: calls.append(1))
    cursor = journal.cursor()
    while journal.has_room():
        journal.append(output())
    leave(cursor)
    assert calls == [1]
    assert journal.has_room()


def test_a_reader_that_began_is_waited_for_even_when_the_unread_are_released() -> None:
    journal = Journal("e", limit=50_000, overflow="block")
    cursor = journal.cursor()
    journal.append(output())
    cursor.read()
    while journal.has_room():
        journal.append(output())
    journal.release_unread()
    assert not journal.has_room()


def test_drop_oldest_shows_a_gap_and_the_newest(assert_whole: Check) -> None:
    journal = Journal("e", limit=50_000, overflow="drop_oldest")
    cursor = journal.cursor()
    for _ in range(1000):
        journal.append(output())
    assert journal.kept_bytes <= 50_000
    messages = read_all(cursor)
    assert isinstance(messages[0], GapMessage)
    assert messages[-1].sequence == 1000
    assert_whole(messages)
    assert output_bytes(messages) == 1_000_000


def test_drop_newest_shows_the_oldest_and_a_gap(assert_whole: Check) -> None:
    journal = Journal("e", limit=50_000, overflow="drop_newest")
    cursor = journal.cursor()
    for _ in range(1000):
        journal.append(output())
    assert journal.overflowed
    messages = read_all(cursor)
    assert messages[0].sequence == 1
    assert isinstance(messages[0], OutputMessage)
    assert isinstance(messages[-1], GapMessage)
    assert_whole(messages)
    assert output_bytes(messages) == 1_000_000


def test_drop_newest_goes_on_after_the_reader_has_caught_up(assert_whole: Check) -> None:
    journal = Journal("e", limit=50_000, overflow="drop_newest")
    cursor = journal.cursor()
    messages: list[Message] = []
    for _ in range(5):
        for _ in range(200):
            journal.append(output())
        messages += read_all(cursor)
    assert sum(isinstance(message, GapMessage) for message in messages) == 5
    assert_whole(messages)
    assert output_bytes(messages) == 1_000_000


def test_a_gap_before_a_gap_counts_only_its_own_bytes(assert_whole: Check) -> None:
    journal = Journal("e", limit=8000, overflow="drop_newest")
    cursor = journal.cursor()
    for _ in range(4):
        journal.append(output(3000))  # two are kept, two are dropped
    cursor.read()
    journal.append(output(3000))
    read_all(cursor)
    journal.append(output(3000))  # now the gap is the oldest record
    late = read_all(journal.cursor())
    assert [type(message) for message in late] == [GapMessage, GapMessage, OutputMessage, OutputMessage]
    assert [message.bytes for message in late[:2]] == [6000, 6000]  # type: ignore[attr-defined]  # gaps
    assert_whole(late)


@pytest.mark.parametrize("policy", POLICIES)
def test_results_errors_and_complete_are_never_dropped(policy: str, assert_whole: Check) -> None:
    journal = Journal("e", limit=50_000, overflow=policy)
    cursor = journal.cursor(follow=True)
    kept = (ErrorMessage, ResultMessage, CompleteMessage)
    for cls in kept:
        for _ in range(100):
            journal.append(output())
        journal.append(cls())
        for _ in range(100):
            journal.append(output())
    messages = read_all(cursor)
    assert [type(message) for message in messages if isinstance(message, kept)] == list(kept)
    assert_whole(messages)
    assert output_bytes(messages) == 600_000


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 3000)),
        st.tuples(st.just("keep"), st.just(0)),
        st.tuples(st.just("emit"), st.just(0)),
        st.tuples(st.just("read"), st.just(0)),
        st.tuples(st.just("attach"), st.integers(0, 50)),
        st.tuples(st.just("release"), st.just(0)),
    ),
    max_size=60,
)


@given(st.sampled_from(POLICIES), STEPS)
def test_every_reader_accounts_for_every_byte(policy: str, steps: list[tuple[str, int]]) -> None:
    limit = 8000
    journal = Journal("e", limit=limit, overflow=policy)
    first = journal.cursor(follow=True)
    readers: list[tuple[Cursor, int, list[Message]]] = [(first, 0, [])]
    written = [0]  # bytes of output up to each sequence number
    never_dropped: list[int] = []

    def append(message: Message, size: int) -> None:
        written.append(written[-1] + size)
        numbered = journal.append(message)
        assert numbered.sequence == len(written) - 1
        if isinstance(message, ResultMessage):
            never_dropped.append(numbered.sequence)

    for step, value in steps:
        if step == "write":
            if policy != "block" or journal.has_room():
                append(output(value), value)
        elif step == "keep":
            append(ResultMessage(), 0)
        elif step == "emit":
            append(LogMessage(text="x"), 0)
        elif step == "read":
            readers[0][2].extend(first.read())
        elif step == "attach":
            after = min(value, journal.last)
            readers.append((journal.cursor(after, follow=True), after, []))
        elif step == "release":
            journal.release_unread()
    append(CompleteMessage(), 0)
    journal.close()
    for cursor, after, messages in readers:
        messages += read_all(cursor)
        assert cursor.ended
        if not messages:
            assert after == journal.last
            continue
        # A gap may begin before the reader's first position.
        assert messages[0].span_start <= after + 1
        expected = messages[0].span_start
        for message in messages:
            assert message.span_start == expected
            expected = message.sequence + 1
            covered = written[message.sequence] - written[message.span_start - 1]
            if isinstance(message, GapMessage):
                assert message.bytes in (covered, None)
                assert message.bytes is not None or after > 0
        assert expected == journal.last + 1
        read = {message.sequence for message in messages if isinstance(message, ResultMessage)}
        assert read == {sequence for sequence in never_dropped if sequence > after}


def test_without_a_limit_everything_is_kept() -> None:
    journal = Journal("e", limit=None)
    for _ in range(2000):
        assert journal.has_room()
        journal.append(output(5000))
    assert output_bytes(read_all(journal.cursor())) == 10_000_000


def test_a_snapshot_has_what_is_kept_in_order() -> None:
    journal = Journal("e", limit=20_000)
    journal.append(ResultMessage())
    for _ in range(100):
        journal.append(output())
    sequences = [message.sequence for message in journal.snapshot()]
    assert sequences[0] == 1
    assert sequences[-1] == 101
    assert sequences == sorted(sequences)


@pytest.mark.parametrize(
    ("options", "named"),
    [({"overflow": "maybe"}, "drop_oldest"), ({"limit": 0}, "buffer_bytes"), ({"limit": -1}, "buffer_bytes")],
)
def test_invalid_settings_are_usage_errors_that_name_valid_ones(
    options: dict[str, object], named: str
) -> None:
    with pytest.raises(UsageError, match=named):
        Journal("e", **options)  # type: ignore[arg-type]  # the types are what is tested


def test_a_writer_and_readers_on_threads_see_one_order(rounds: Callable[[int, int], int]) -> None:
    for _ in range(rounds(3, 100)):
        room = threading.Event()
        journal = Journal("e", limit=30_000, on_room=room.set)
        read: list[list[int]] = [[], [], []]

        def follow(cursor: Cursor, into: list[int]) -> None:
            while not cursor.ended:
                ready = threading.Event()
                cursor.when_ready(ready.set)
                ready.wait()
                into.extend(message.sequence for message in cursor.read())

        threads = [threading.Thread(target=follow, args=(journal.cursor(), into)) for into in read]
        for thread in threads:
            thread.start()
        for _ in range(2000):
            while not journal.has_room():
                room.wait()
                room.clear()
            journal.append(output(100))
        journal.append(CompleteMessage())
        for thread in threads:
            thread.join()
        assert read == [list(range(1, 2002))] * 3


# -- sizes of messages ------------------------------------------------------------------------


def _circle() -> object:
    circle: list[object] = [1]
    circle.append({"circle": circle})
    return circle


def _deep() -> object:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    return deep


class _NoSize:
    def __sizeof__(self) -> int:
        raise RuntimeError("no size")


@pytest.mark.parametrize(
    "value", [_circle(), _deep(), _NoSize(), [_NoSize()]], ids=["circle", "deep", "own", "in a list"]
)
def test_a_display_of_any_value_has_a_size(value: object) -> None:
    journal = Journal("e")
    cursor = journal.cursor()
    journal.append(DisplayMessage(data={"application/json": value, "text/plain": "x" * 10_000}))
    journal.append(output(1))
    shown, after = read_all(cursor)
    assert isinstance(shown, DisplayMessage)
    assert shown.data["application/json"] is value
    assert isinstance(after, OutputMessage)
    assert cost_of(shown) > 10_000


def test_contained_values_count_and_a_shared_list_counts_once() -> None:
    text = "x" * 5000
    part = [text]
    once = cost_of(DisplayMessage(data={"a": [part, text]}))
    assert once > 10_000
    assert cost_of(DisplayMessage(data={"a": [part, text, part, part]})) == once
