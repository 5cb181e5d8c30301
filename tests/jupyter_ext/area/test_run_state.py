"""The states of the area: their table, their texts, and the same texts in the page."""

from __future__ import annotations

import itertools
import re
from typing import get_args

import pytest

from jupyter_ext.area.module import STATIC
from jupyter_ext.area.state import STATE_WORDS, AreaState, Header
from pyrepl_stream import CompleteMessage, OutputMessage
from pyrepl_stream.runtime.messages import Status

ENDS = (*get_args(Status), "unknown")
STATES = ("queued", "starting", "running", *ENDS)
MOVES: dict[str, tuple[str, ...]] = {
    "queued": ("starting", "running", *ENDS),
    "starting": ("queued", "running", *ENDS),
    "running": ENDS,
    **dict.fromkeys(ENDS, ()),
}
"""The states that may follow each state. An execution that is read again starts from the first state."""
STEPS = {
    "output": lambda state: state.take(OutputMessage(data="x")),
    "unreadable": lambda state: setattr(state, "unknown", not state.ended),
    **{
        status: lambda state, status=status: state.take(
            CompleteMessage(success=status == "ok", status=status)
        )
        for status in ("ok", "error", "interrupted", "timeout", "killed", "lost")
    },
}


def test_each_state_has_moves_and_words() -> None:
    assert set(MOVES) == set(STATE_WORDS) == set(STATES)
    assert {state for moves in MOVES.values() for state in moves} == set(STATES)


def test_the_page_knows_the_same_states() -> None:
    page = (STATIC / "status.js").read_text("utf-8")
    (words,) = re.findall(r"^export const STATES = \{\n(.*?)^\};", page, re.DOTALL | re.MULTILINE)
    assert dict(re.findall(r'(\w+): "([\w ]+)"', words)) == STATE_WORDS
    (typed,) = re.findall(r"@property \{([^}]*)\} \[state\]", page)
    assert set(re.findall(r'"(\w+)"', typed)) == set(STATES)
    (unfinished,) = re.findall(r"UNFINISHED = new Set\(\[(.*)\]\)", page)
    assert set(re.findall(r'"(\w+)"', unfinished)) == {state for state, moves in MOVES.items() if moves}


@pytest.mark.parametrize("queued_after", ["", "other"])
@pytest.mark.parametrize("steps", list(itertools.permutations(STEPS, 2)), ids="-".join)
def test_a_state_is_only_followed_by_one_of_its_moves(steps: tuple[str, str], queued_after: str) -> None:
    state = AreaState(Header("local:", "default/x", queued_after=queued_after))
    seen = [state.status()["state"]]
    for step in steps:
        if state.ended or state.unknown:
            break  # nothing is read after that
        STEPS[step](state)
        seen.append(state.status()["state"])
    assert seen[0] == ("queued" if queued_after else "starting")
    for before, after in itertools.pairwise(seen):
        assert after == before or after in MOVES[before]
