"""The table of an execution's states: every state is reachable, and only the moves in it are allowed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pyrepl_stream.runtime.host.execution import MOVES, ExecutionState, HostedExecution


def test_each_state_is_reachable_and_the_last_one_is_final() -> None:
    every = list(ExecutionState)
    assert list(MOVES) == every
    reached = {every[0]}
    for state in every:  # states are listed in the order in which they are reached
        assert state in reached
        reached |= MOVES[state]
    assert [state for state in every if not MOVES[state]] == [every[-1]]


@pytest.mark.parametrize("state", ExecutionState)
@pytest.mark.parametrize("following", ExecutionState)
def test_only_the_moves_of_the_table_are_allowed(state: ExecutionState, following: ExecutionState) -> None:
    execution: Any = SimpleNamespace(state=state)
    if following in MOVES[state]:
        HostedExecution.move_to(execution, following)
        assert execution.state is following
    else:
        with pytest.raises(RuntimeError, match=f"{state} cannot be followed by {following}"):
            HostedExecution.move_to(execution, following)
        assert execution.state is state
