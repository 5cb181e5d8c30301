from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.pacing import INTERVAL, MAX_TEXT, Budget, Pacer


def _shown(pacer: Pacer, now: float) -> list[tuple[str, str]]:
    """Everything that waits, shown as time goes by."""
    segments = []
    while pacer:
        segments += pacer.take(now)
        now += INTERVAL
    return segments


def test_first_text_is_shown_at_once() -> None:
    pacer = Pacer(Budget())
    pacer.add("stdout", "hello\n")
    assert pacer.take(0.0) == [("stdout", "hello\n")]
    assert not pacer


@given(st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.text(max_size=50)), max_size=60))
def test_what_fits_is_shown_whole_and_in_order(pieces: list[tuple[str, str]]) -> None:
    pacer = Pacer(Budget())
    for stream, text in pieces:
        pacer.add(stream, text)
    joined = "".join(text for _, text in _shown(pacer, 0.0))
    plain = joined.replace("\x1b[31m", "").replace("\x1b[0m", "")
    expected = "".join(text for _, text in pieces)
    assert plain == expected.replace("\x1b[31m", "").replace("\x1b[0m", "")


def test_streams_stay_apart_while_they_change_seldom() -> None:
    pacer = Pacer(Budget())
    for stream, text in (("stdout", "a"), ("stdout", "b"), ("stderr", "c"), ("stdout", "d")):
        pacer.add(stream, text)
    assert pacer.take(0.0) == [("stdout", "ab"), ("stderr", "c"), ("stdout", "d")]


def test_streams_that_change_often_are_one_text_with_stderr_in_red() -> None:
    pacer = Pacer(Budget())
    for i in range(20):
        pacer.add("stdout", f"{i}\n")
        pacer.add("stderr", f"e{i}\n")
    segments = pacer.take(0.0)
    assert len(segments) == 1
    assert segments[0][1].startswith("0\n\x1b[31me0\n\x1b[0m1\n")


def test_flood_shows_its_tail_and_counts_what_it_skips() -> None:
    pacer = Pacer(Budget())
    lines = [f"line {i}\n" for i in range(100_000)]
    for line in lines:
        pacer.add("stdout", line)
    segments = _shown(pacer, 0.0)
    note = segments[0]
    shown = "".join(text for stream, text in segments[1:])
    assert note[0] == "stderr"
    skipped = int(note[1].split("[")[1].split(" ")[0].replace(",", ""))
    assert skipped + shown.count("\n") == 100_000
    assert "".join(lines).endswith(shown)
    assert shown.startswith("line ")


@given(st.lists(st.integers(1, 400_000), min_size=1, max_size=30))
def test_no_message_is_longer_than_the_limit_and_the_rate_holds(sizes: list[int]) -> None:
    pacer = Pacer(Budget())
    shown: list[tuple[float, int]] = []
    now = 0.0
    for size in sizes:
        pacer.add("stdout", "x" * size)
        for _, text in pacer.take(now):
            assert len(text) <= MAX_TEXT
            shown.append((now, len(text)))
        now += INTERVAL
    for start, _ in shown:
        assert sum(size for at, size in shown if start <= at < start + 3) < 3_000_000


@given(st.lists(st.tuples(st.integers(1, 70_000), st.booleans()), max_size=60))
def test_whatever_is_added_comes_to_an_end_and_the_last_of_it_is_shown(pieces: list[tuple[int, bool]]) -> None:
    pacer = Pacer(Budget())
    for size, ends_line in pieces:
        pacer.add("stdout", "x" * (size - 1) + ("\n" if ends_line else "y"))
    now = 0.0
    shown = ""
    for _ in range(1000):
        if not pacer:
            break
        shown += "".join(text for _, text in pacer.take(now))
        now += INTERVAL
    assert not pacer
    if pieces:
        assert shown[-1] == ("\n" if pieces[-1][1] else "y")


def test_budget_is_shared() -> None:
    budget = Budget(rate=10, burst=100)
    assert budget.take(80, 0.0) == 80
    assert budget.take(80, 0.0) == 20
    assert budget.take(80, 1.0) == 10


def test_what_may_wait_longer_is_not_skipped_and_the_note_says_where_the_rest_is() -> None:
    pacer = Pacer(Budget(), backlog=1_000_000, elsewhere="the log has it")
    pacer.add("stdout", "x" * 900_000)
    assert pacer.size == 900_000
    pacer.add("stdout", "y" * 900_000)
    assert "the log has it]" in pacer.take(0.0)[0][1]
