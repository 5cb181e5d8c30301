from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.views.rate_limiter import INTERVAL, MAX_TEXT, Budget, RateLimiter


def _shown(limiter: RateLimiter, now: float) -> list[tuple[str, str]]:
    """Return all segments that wait, taken one interval after the other."""
    segments = []
    while limiter:
        segments += limiter.take(now)
        now += INTERVAL
    return segments


def test_first_text_is_shown_at_once() -> None:
    limiter = RateLimiter(Budget())
    limiter.add("stdout", "hello\n")
    assert limiter.take(0.0) == [("stdout", "hello\n")]
    assert not limiter


@given(st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.text(max_size=50)), max_size=60))
def test_text_within_the_limits_is_shown_whole_and_in_order(pieces: list[tuple[str, str]]) -> None:
    limiter = RateLimiter(Budget())
    for stream, text in pieces:
        limiter.add(stream, text)
    joined = "".join(text for _, text in _shown(limiter, 0.0))
    plain = joined.replace("\x1b[31m", "").replace("\x1b[0m", "")
    expected = "".join(text for _, text in pieces)
    assert plain == expected.replace("\x1b[31m", "").replace("\x1b[0m", "")


def test_streams_are_separate_segments_while_they_change_rarely() -> None:
    limiter = RateLimiter(Budget())
    for stream, text in (("stdout", "a"), ("stdout", "b"), ("stderr", "c"), ("stdout", "d")):
        limiter.add(stream, text)
    assert limiter.take(0.0) == [("stdout", "ab"), ("stderr", "c"), ("stdout", "d")]


def test_streams_that_change_often_are_one_text_with_stderr_in_red() -> None:
    limiter = RateLimiter(Budget())
    for i in range(20):
        limiter.add("stdout", f"{i}\n")
        limiter.add("stderr", f"e{i}\n")
    segments = limiter.take(0.0)
    assert len(segments) == 1
    assert segments[0][1].startswith("0\n\x1b[31me0\n\x1b[0m1\n")


def test_a_flood_shows_its_tail_and_counts_what_it_skips() -> None:
    limiter = RateLimiter(Budget())
    lines = [f"line {i}\n" for i in range(100_000)]
    for line in lines:
        limiter.add("stdout", line)
    segments = _shown(limiter, 0.0)
    note = segments[0]
    shown = "".join(text for stream, text in segments[1:])
    assert note[0] == "stderr"
    skipped = int(note[1].split("[")[1].split(" ")[0].replace(",", ""))
    assert skipped + shown.count("\n") == 100_000
    assert "".join(lines).endswith(shown)
    assert shown.startswith("line ")


@given(st.lists(st.integers(1, 400_000), min_size=1, max_size=30))
def test_messages_and_rate_stay_within_the_limits(sizes: list[int]) -> None:
    limiter = RateLimiter(Budget())
    shown: list[tuple[float, int]] = []
    now = 0.0
    for size in sizes:
        limiter.add("stdout", "x" * size)
        for _, text in limiter.take(now):
            assert len(text) <= MAX_TEXT
            shown.append((now, len(text)))
        now += INTERVAL
    for start, _ in shown:
        assert sum(size for at, size in shown if start <= at < start + 3) < 3_000_000


@given(st.lists(st.tuples(st.integers(1, 70_000), st.booleans()), max_size=60))
def test_all_text_is_consumed_and_the_end_of_it_is_shown(
    pieces: list[tuple[int, bool]],
) -> None:
    limiter = RateLimiter(Budget())
    for size, ends_line in pieces:
        limiter.add("stdout", "x" * (size - 1) + ("\n" if ends_line else "y"))
    now = 0.0
    shown = ""
    for _ in range(1000):
        if not limiter:
            break
        shown += "".join(text for _, text in limiter.take(now))
        now += INTERVAL
    assert not limiter
    if pieces:
        assert shown[-1] == ("\n" if pieces[-1][1] else "y")


def test_budget_is_shared() -> None:
    budget = Budget(rate=10, burst=100)
    assert budget.take(80, 0.0) == 80
    assert budget.take(80, 0.0) == 20
    assert budget.take(80, 1.0) == 10


def test_a_longer_backlog_skips_less_and_the_note_names_the_log() -> None:
    limiter = RateLimiter(Budget(), backlog=1_000_000, elsewhere="the log has it")
    limiter.add("stdout", "x" * 900_000)
    assert limiter.size == 900_000
    limiter.add("stdout", "y" * 900_000)
    assert "the log has it]" in limiter.take(0.0)[0][1]
