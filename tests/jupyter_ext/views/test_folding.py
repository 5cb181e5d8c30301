from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.views.folding import Fold


def folded(*pieces: str) -> str:
    fold = Fold()
    return "".join(fold.feed(piece) for piece in pieces) + fold.release()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\n", "a\nb\n"),
        ("a\r\nb", "a\nb"),
        (" 10%\r 20%\r100%\n", "100%\n"),
        ("long\rab\n", "abng\n"),
        ("long\r\x1b[Kab\n", "ab\n"),
        ("\x1b[31mlong\x1b[0m\rab\n", "ab\n"),
        ("\x1b[31mred\x1b[0m\n", "\x1b[31mred\x1b[0m\n"),
        ("\x1b[2A\x1b[?25lup\x1b]0;title\x07\n", "up\n"),
        ("gone\r    \r", ""),
    ],
)
def test_of_what_is_drawn_over_the_last_state_stays(text: str, shown: str) -> None:
    assert folded(text) == shown


@given(st.lists(st.text(alphabet="ab \r\n\x1b[K1m", max_size=8), max_size=12))
def test_cuts_change_nothing_and_no_carriage_return_is_left(pieces: list[str]) -> None:
    assert folded(*pieces) == folded("".join(pieces))
    assert "\r" not in folded(*pieces)


def test_a_line_without_end_is_not_held_for_ever() -> None:
    fold = Fold()
    assert fold.feed("x" * 100_000) == "x" * 100_000
    assert fold.feed("\rprogress" * 100_000) == ""
    assert fold.release() == "progress"


def test_an_endless_line_after_a_carriage_return_is_not_held_either() -> None:
    fold = Fold()
    assert fold.feed("\rx") == ""
    shown = [fold.feed("y" * 10_000) for _ in range(100)]
    assert len("".join(shown)) > 900_000
    assert "".join([*shown, fold.release()]) == "x" + "y" * 1_000_000
