"""The messages to pages, tested with a page that loses some."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_ext.area.sender import INTERVAL, LONGEST_ROW, MAX_MESSAGE, Sender
from jupyter_ext.area.state import AreaState, Header
from jupyter_ext.views.display_options import DisplayOptions
from pyrepl_stream import DisplayMessage, OutputMessage

_HEADER = Header("local:", "default/job")


def area(text: str = "", **options: Any) -> tuple[AreaState, Sender]:
    state = AreaState(_HEADER, DisplayOptions(bars=False, **options))
    if text:
        say(state, text)
    return state, Sender(state)


def say(state: AreaState, text: str, source: str = "") -> None:
    state.take(OutputMessage(data=text, source=source))


def size(message: Mapping[str, Any]) -> int:
    """Return the size of a message as a kernel encodes it, in bytes."""
    return len(json.dumps(message, ensure_ascii=False, allow_nan=False).encode())


def drained(sender: Sender, now: float = 0.0) -> list[dict[str, Any]]:
    """Push until nothing is due, each message as early as possible."""
    messages = []
    while (due := sender.due(now)) is not None:
        now = due
        message = sender.push(now)
        assert message is not None
        messages.append(message)
    return messages


class Page:
    """A model of the page: rows by number, and the knowledge of losses."""

    def __init__(self) -> None:
        self.rows: dict[int, Any] = {}
        self.displays: dict[str, Any] = {}
        self.seq = 0
        self.missed = False

    def take(self, messages: Iterable[Mapping[str, Any]]) -> None:
        for message in messages:
            if "seq" in message:
                self.missed |= message["seq"] > self.seq + (0 if "to" in message else 1)
                self.seq = max(self.seq, message["seq"])
            if message["type"] == "display":
                self.displays[message["id"]] = message["bundle"]
                continue
            for number, rows in message["runs"]:
                self.rows.update(enumerate(rows, number))
            kept = range(message["first"], message["end"])
            self.rows = {number: row for number, row in self.rows.items() if number in kept}


def shown(state: AreaState) -> dict[int, Any]:
    page = state.page
    return {number: page.row(number).json() for number in range(page.first, page.end)}


# -- pushing -----------------------------------------------------------------------------------


def test_the_first_rows_are_sent_at_once_and_the_next_after_an_interval() -> None:
    state, sender = area("one\n")
    assert sender.due(7.0) == 7.0
    assert sender.push(7.0) == {"type": "rows", "seq": 1, "first": 0, "end": 1, "runs": [[0, ["one"]]]}
    assert sender.due(7.0) is None
    say(state, "two\n")
    assert sender.due(7.0) == 7.0 + INTERVAL
    assert sender.push(7.01) is None
    message = sender.push(7.0 + INTERVAL)
    assert message is not None
    assert (message["seq"], message["runs"]) == (2, [[1, ["two"]]])


def test_nothing_is_due_without_changes() -> None:
    _, sender = area()
    assert sender.due(0.0) is None
    assert sender.push(0.0) is None


def test_only_a_changed_row_is_sent_again() -> None:
    state, sender = area("one\ntwo\nthree\n")
    sender.push(0.0)
    say(state, "\x1b[2A\rTWO")
    message = sender.push(1.0)
    assert message is not None
    assert message["runs"] == [[1, ["TWO"]]]
    assert sender.due(1.0) is None


def test_the_tail_of_a_flood_is_sent_at_once_and_the_rest_later() -> None:
    state, sender = area("".join(f"line {n} {'x' * 60}\n" for n in range(9_000)))
    first = sender.push(0.0)
    assert first is not None
    (run,) = first["runs"]
    assert run[0] + len(run[1]) == 9_000
    assert len(run[1]) > 500
    assert first["skipped"] == [[0, run[0]]]
    page = Page()
    page.take([first, *drained(sender, 0.0)])
    assert page.rows == shown(state)


def test_rows_that_leave_the_area_before_they_are_sent_are_not_promised() -> None:
    state, sender = area(f"{'x' * 20}\n" * 25_000, lines=10_000)
    first = sender.push(0.0)
    assert first is not None
    assert first["skipped"][0][0] == state.page.first == 15_000
    say(state, "y\n" * 5_000)
    (second, *rest) = drained(sender, 10.0)
    assert second["skipped"][0][0] == state.page.first == 20_000
    page = Page()
    page.take([first, second, *rest])
    assert page.rows == shown(state)


def test_each_message_during_a_flood_has_the_newest_rows() -> None:
    state, sender = area()
    for tick in range(40):
        say(state, "".join(f"{tick} {n} {'x' * 70}\n" for n in range(5_000)))
        message = sender.push(tick * INTERVAL * 1.01)
        assert message is not None
        assert size(message) <= MAX_MESSAGE
        number, rows = message["runs"][-1]
        assert number + len(rows) == state.page.end
        assert len(rows) >= 40


@given(
    st.lists(
        st.text(max_size=200)
        | st.builds(lambda char, count: char * count, st.characters(), st.integers(0, 40_000)),
        max_size=30,
    )
)
@settings(max_examples=50, deadline=None)
def test_messages_are_within_the_size_limit(lines: list[str]) -> None:
    state, sender = area("\n".join(lines))
    messages = [*drained(sender), *sender.replay("v"), sender.tail()]
    assert max(map(size, messages), default=0) <= MAX_MESSAGE


def test_a_row_that_is_too_long_is_cut_with_a_note() -> None:
    state, sender = area("\x1b[31m" + "\N{SNOWMAN}" * 30_000 + "\x1b[0m" + "x" * 30_000 + "\n")
    (message,) = drained(sender)
    ((_, (row,)),) = message["runs"]
    assert size({"": row}) <= LONGEST_ROW
    kept = sum(len(segment[0]) for segment in row[:-1])
    assert row[-1][0] == f" … {60_000 - kept:,} more characters are in the log only"
    assert kept > 10_000


def test_a_long_row_of_many_styles_is_cut_with_a_note() -> None:
    state, sender = area("".join(f"\x1b[3{n % 8}mx" for n in range(60_000)))
    (message,) = drained(sender)
    ((_, (row,)),) = message["runs"]
    assert size({"": row}) <= LONGEST_ROW
    kept = sum(len(segment[0]) for segment in row[:-1])
    assert row[-1][0] == f" … {60_000 - kept:,} more characters are in the log only"
    assert kept > 1_000
    assert sender.tail()["runs"] == message["runs"]


def test_skipped_ranges_count_for_the_size_limit() -> None:
    state, sender = area("x\n" * 4_000)
    drained(sender)
    now = 10.0
    for _ in range(150):  # each leaves a skipped range
        now += INTERVAL * 1.01
        say(state, f"{'y' * 2_000}\n" * 60)
        message = sender.push(now)
        assert message is not None
        assert size(message) <= MAX_MESSAGE
    assert len(message["skipped"]) == 100


def test_clearing_is_sent_to_the_pages() -> None:
    state, sender = area("one\n")
    sender.push(0.0)
    state.page.clear()
    message = sender.push(1.0)
    assert message is not None
    assert (message["first"], message["end"], message["runs"]) == (1, 1, [])


def test_rows_of_an_alternate_screen_are_removed_at_its_end() -> None:
    state, sender = area("before\n\x1b[?1049h\x1b[Hfull screen\r\nmore")
    page = Page()
    page.take(drained(sender))
    assert "full screen" in page.rows.values()
    say(state, "\x1b[?1049lafter\n")
    page.take(drained(sender, 1.0))
    assert page.rows == shown(state)
    assert "full screen" not in page.rows.values()


# -- repairing ---------------------------------------------------------------------------------


def test_a_replay_sends_all_rows_to_one_view_the_newest_first() -> None:
    state, sender = area("".join(f"line {n} {'x' * 60}\n" for n in range(3_000)))
    drained(sender)
    messages = list(sender.replay("page-1"))
    assert {message["to"] for message in messages} == {"page-1"}
    assert {message["seq"] for message in messages} == {sender.tail()["seq"]}
    assert [message.get("done", False) for message in messages] == [False] * (len(messages) - 1) + [True]
    starts = [message["runs"][0][0] for message in messages[:-1]]
    assert starts == sorted(starts, reverse=True)
    page = Page()
    page.take(messages)
    assert page.rows == shown(state)


def test_requested_rows_are_sent_if_they_exist() -> None:
    _, sender = area("".join(f"{n}\n" for n in range(30)), lines=10)
    (message,) = sender.rows("v", 5, 23)
    assert message["runs"] == [[20, ["20", "21", "22"]]]
    assert list(sender.rows("v", 0, 5)) == []
    assert list(sender.rows("v", 90, 95)) == []
    assert list(sender.rows("v", -5, -1)) == []


def test_rows_that_leave_the_area_during_a_replay_are_not_sent() -> None:
    state, sender = area("".join(f"line {n} {'x' * 600}\n" for n in range(1_000)), lines=1_000)
    replay = sender.replay("v")
    page = Page()
    page.take([next(replay)])
    say(state, "new\n" * 900)
    page.take(replay)
    page.take(drained(sender))
    assert page.rows == shown(state)


def test_the_tail_is_small_and_ends_with_the_newest_row() -> None:
    _, sender = area("".join(f"line {n}\n" for n in range(9_000)))
    tail = sender.tail()
    assert size(tail) <= 16 << 10
    assert tail["seq"] == 0
    assert tail["runs"][0][1][-1] == "line 8999"
    assert len(tail["runs"][0][1]) > 500


_step = st.one_of(
    st.builds(
        lambda source, text: ("say", source, text),
        st.sampled_from(["", "w1"]),
        st.lists(
            st.sampled_from(
                ["a", "bc\n", "\n", "\r", "\x1b[A", "\x1b[2A\r", "\x1b[K", "\x1b[2J", "\x1b[31m", "é"]
            )
            | st.sampled_from(["\x1b[?1049h", "\x1b[?1049l", "x" * 3000 + "\n", "many\n" * 30]),
            max_size=12,
        ).map("".join),
    ),
    st.just(("clear", "", "")),
    st.sampled_from([("push", "", ""), ("lose", "", ""), ("hello", "", "")]),
    st.integers(0, 60).map(lambda n: ("display", str(n % 3), "x" * n)),
)


@given(st.lists(_step, max_size=40))
@settings(max_examples=200, deadline=None)
def test_after_any_losses_a_replay_restores_rows_and_displays(
    steps: list[tuple[str, str, str]],
) -> None:
    state, sender = area(lines=50)
    page = Page()
    now = 0.0
    for what, where, text in steps:
        now += INTERVAL * 1.01
        if what == "say":
            say(state, text, where)
        elif what == "display":
            data = {"text/html": f"<b>{text}</b>", "text/plain": "x"}
            state.take(DisplayMessage(data=data, display_id=where, update=True))
        elif what == "clear":
            state.page.clear()
        elif what == "hello":
            page.take(sender.replay("v"))
        elif (message := sender.push(now)) is not None and what == "push":
            page.take([message])
    page.take(drained(sender, now))
    page.take(sender.replay("v"))
    assert page.rows == shown(state)
    assert page.seq == sender.tail()["seq"]
    for row in page.rows.values():
        if isinstance(row, dict) and "d" in row:
            page.take(sender.display_messages("v", [] if row["d"] in page.displays else [row["d"]]))
            assert page.displays[row["d"]] == state.displays[row["d"]]


@given(st.lists(st.integers(0, 400), min_size=1, max_size=30))
@settings(max_examples=50, deadline=None)
def test_a_page_without_losses_needs_no_repair(floods: list[int]) -> None:
    state, sender = area(lines=100)
    page = Page()
    for tick, lines in enumerate(floods):
        say(state, f"{'x' * 900}\n" * lines)
        if (message := sender.push(tick * INTERVAL * 1.01)) is not None:
            page.take([message])
    page.take(drained(sender, 1e6))
    assert not page.missed
    assert page.rows == shown(state)


# -- displays ----------------------------------------------------------------------------------


def test_a_display_is_sent_before_its_row_and_does_not_delay_rows() -> None:
    state, sender = area("before\n")
    for _ in range(3):
        state.take(DisplayMessage(data={"text/html": "<b>x</b>"}))
    say(state, "after\n")
    kinds = [message["type"] for message in drained(sender)]
    assert kinds == ["display", "rows", "display", "display"]


def test_only_the_newest_version_of_a_changing_display_is_sent() -> None:
    state, sender = area()
    sent = []
    for tick in range(100):
        data = {"text/html": f"<b>{tick} {'x' * 1_000_000}</b>"}
        state.take(DisplayMessage(data=data, display_id="plot", update=True))
        message = sender.push(tick * 0.1)
        if message is not None and message["type"] == "display":
            sent.append((tick, message["bundle"]["html"].split()[0]))
    assert sent == [(tick, f"<b>{tick}") for tick, _ in sent]
    assert 30 <= len(sent) <= 45  # of 1 MB each, in ten seconds


def test_a_lost_display_is_noticed_and_a_replay_has_its_newest_version() -> None:
    state, sender = area("one\n")
    page = Page()
    for text in ("first", "last"):
        data = {"text/html": f"<b>{text}</b>"}
        state.take(DisplayMessage(data=data, display_id="plot", update=True))
        messages = drained(sender, 10.0)
        page.take(messages if text == "first" else [])
    say(state, "two\n")
    assert not page.missed
    page.take(drained(sender, 20.0))
    assert page.missed
    page.take(sender.replay("v"))
    assert page.displays["d1"]["html"] == "<b>last</b>"


def test_a_display_sent_on_request_is_replayed_after_a_change() -> None:
    state, sender = area()
    page = Page()
    state.take(DisplayMessage(data={"text/html": "<b>first</b>"}, display_id="plot"))
    page.take(sender.display_messages("v", ["d1"]))
    state.take(DisplayMessage(data={"text/html": "<b>last</b>"}, display_id="plot", update=True))
    drained(sender)  # lost
    page.take(sender.replay("v"))
    assert page.displays["d1"]["html"] == "<b>last</b>"


def test_a_requested_display_that_is_gone_is_a_note() -> None:
    _, sender = area()
    (message,) = sender.display_messages("v", ["d9"])
    assert message["bundle"]["kind"] == "note"


# -- rates -------------------------------------------------------------------------------------


@pytest.mark.parametrize("lines", [1, 300])
def test_eight_areas_at_full_speed_stay_below_the_rate_limit(lines: int) -> None:
    areas = [area() for _ in range(8)]
    messages = 0
    seconds = 2
    for tick in range(seconds * 500):
        for state, sender in areas:
            if tick % 5 == 0:
                say(state, f"{'x' * 79}\n" * lines)
                if lines == 1:
                    state.take(DisplayMessage(data={"text/html": "x"}, display_id="p", update=True))
            messages += sender.push(tick / 500) is not None
    # Besides them: `status`, `bars` and `tail` of each area, 13 a second.
    assert messages / seconds + 8 * 13 < 500
    for state, sender in areas:
        page = Page()
        page.take(drained(sender, seconds))
        page.take(sender.replay("v"))
        assert page.rows == shown(state)
