from __future__ import annotations

import json

import pytest

from jupyter_ext.area.bars import Bars, bar_text
from pyrepl_stream import ProgressMessage


def _bar(name: str, *, finished: bool = False, **fields: object) -> ProgressMessage:
    return ProgressMessage(bar=name, finished=finished, **fields)  # type: ignore[arg-type]


def _names(bars: Bars) -> list[str]:
    return [bar.get("bar", next(iter(bar.items()))) for bar in bars.json()]


def test_bars_stay_in_order_of_appearance_with_their_newest_state() -> None:
    bars = Bars()
    for name, current in (("outer", 0), ("inner", 0), ("outer", 1), ("inner", 5)):
        bars.update(_bar(name, current=current, total=10))
    assert [(bar["bar"], bar["current"]) for bar in bars.json()] == [("outer", 1), ("inner", 5)]


def test_bars_of_one_name_from_two_sources_are_two() -> None:
    bars = Bars()
    bars.update(_bar("tqdm-1", source="w1"))
    bars.update(_bar("tqdm-1", source="w2"))
    assert _names(bars) == ["w1:tqdm-1", "w2:tqdm-1"]


def test_names_that_differ_in_control_characters_are_two_bars() -> None:
    bars = Bars()
    for name in ("a", "a\x01", "a\x02", "a\x01"):
        bars.update(_bar(name, current=1))
    assert _names(bars) == ["a", "a #2", "a #3"]


def test_numbers_outside_json_are_left_out() -> None:
    bars = Bars()
    for number in (10**400, -(10**400), float("inf"), float("nan")):
        fields = dict.fromkeys(("current", "total", "percentage", "rate", "elapsed", "remaining"), number)
        bars.update(_bar("b", **fields))
        (bar,) = bars.json()
        assert {bar[name] for name in fields} == {None}
        assert bar_text(bar) == "progress: under way"


def test_finished_bars_beyond_three_are_folded() -> None:
    bars = Bars()
    for n in range(10):
        bars.update(_bar(f"b{n}", description=f"b{n}", finished=n != 0))
    assert _names(bars) == [("folded", 6), "b0", "b7", "b8", "b9"]
    bars.update(_bar("b0", description="b0", finished=True))  # appeared first, finished last
    assert _names(bars) == [("folded", 7), "b0", "b8", "b9"]


def test_a_loop_within_a_loop_leaves_one_bar() -> None:
    bars = Bars()
    bars.update(_bar("t1", description="epochs", total=4))
    for n in range(4):
        bars.update(_bar(f"i{n}", description="batches", total=100, current=50))
        bars.update(_bar(f"i{n}", description="batches", total=100, current=97, finished=True))
    bars.update(_bar("t1", description="epochs", total=4, finished=True))
    assert _names(bars) == [("folded", 3), "t1", "i3"]


def test_at_most_fifty_bars_are_shown_and_a_thousand_kept() -> None:
    bars = Bars()
    for n in range(5000):
        bars.update(_bar(f"b{n}", description=f"b{n}", finished=n % 2 == 0))
    told = bars.json()
    assert len([bar for bar in told if "bar" in bar]) == 50
    assert told[0] == {"folded": 2500}
    assert len(json.dumps(told)) < 64 << 10


def test_changes_since_the_last_read_are_flagged() -> None:
    bars = Bars()
    assert not bars.changed
    bars.update(_bar("b"))
    assert bars.changed
    bars.json()
    assert not bars.changed


def test_numbers_outside_json_are_null() -> None:
    bars = Bars()
    bars.update(_bar("b", current=float("nan"), total=float("inf"), percentage=250.0, rate=float("-inf")))
    (bar,) = bars.json()
    assert (bar["current"], bar["total"], bar["percentage"], bar["rate"]) == (None, None, 100.0, None)


def test_descriptions_are_one_line_without_control_characters() -> None:
    bars = Bars()
    bars.update(_bar("b", description="a\x1b[31m\n\x00b\ud800" + "x" * 10_000))
    (bar,) = bars.json()
    assert bar["description"].startswith("a b xxx")
    assert len(bar["description"]) == 200


def test_a_bar_in_words() -> None:
    bars = Bars()
    bars.update(
        _bar(
            "b",
            description="epochs",
            current=42,
            total=100,
            percentage=42.0,
            rate=3.14,
            unit="it",
            remaining=72.0,
        )
    )
    bars.update(_bar("c", library="pip", current=1_234_567, unit="B", finished=True, elapsed=3700))
    bars.update(_bar("d", source="w1"))
    assert [bar_text(bar) for bar in bars.json()] == [
        "epochs: 42% | 42 of 100 it | 3.14 it/s | 1:12 left",
        "pip: 1.23 MB | took 1:01:40",
        "[w1] progress: under way",
    ]
    assert bar_text({"folded": 1200}) == "1,200 finished"


def test_a_bar_that_ends_before_its_total_has_stopped() -> None:
    bars = Bars()
    bars.update(_bar("a", description="extract", percentage=99.6, finished=True))
    bars.update(_bar("b", description="load", percentage=40.0, elapsed=3, finished=True))
    bars.update(_bar("c", description="index", percentage=100.0, elapsed=3, finished=True))
    assert [bar_text(bar) for bar in bars.json()] == [
        "extract: 99% | stopped",
        "load: 40% | stopped after 0:03",
        "index: 100% | took 0:03",
    ]
    assert [bar["finished"] for bar in bars.json()] == [True, True, True]


def test_an_unfinished_bar_ends_with_the_run() -> None:
    for success, said in ((True, "finished"), (False, "stopped")):
        bars = Bars()
        bars.update(_bar("before", description="before", current=7, finished=True))
        bars.end(success)
        bars.update(_bar("at", description="at", current=7, finished=True))
        assert [bar_text(bar) for bar in bars.json()] == ["before: 7 | finished", f"at: 7 | {said}"]


def test_a_current_value_in_bytes_has_its_unit() -> None:
    bars = Bars()
    bars.update(_bar("b", description="pip", current=134_100, total=134_100, unit="B", percentage=100.0))
    assert bar_text(bars.json()[0]) == "pip: 100% | 134 kB of 134 kB"


@pytest.mark.parametrize("success", [True, False])
def test_bars_wiped_during_the_run_are_counted_at_its_end(success: bool) -> None:
    bars = Bars()
    bars.update(_bar("outer", description="outer", percentage=50.0))
    for number in range(5):
        inner = {"description": f"inner {number}", "library": "tqdm", "percentage": 92.0 + 2 * number}
        bars.update(_bar(f"i{number}", **inner))
        bars.update(_bar(f"i{number}", **inner, finished=True, wiped=True))
    assert _names(bars) == [("folded", 2), "outer", "i2", "i3", "i4"]
    assert not any(bar.get("stopped") for bar in bars.json())
    bars.update(
        _bar("rich", library="rich", percentage=100.0, finished=True, wiped=True)
    )  # rich draws it again
    bars.end(success)
    assert _names(bars) == [("folded", 5), "outer", "rich"]


def test_a_bar_wiped_at_the_end_of_a_failed_run_has_stopped() -> None:
    for success, left in ((True, [("folded", 1)]), (False, ["b"])):
        bars = Bars()
        bars.end(success)
        bars.update(_bar("b", percentage=92.0, finished=True, wiped=True))
        assert not success or not bars.json()[-1].get("stopped")
        assert _names(bars) == left
