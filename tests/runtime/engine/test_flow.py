"""The states of a writer, what opens its gate, its pace, and the count of its losses."""

from __future__ import annotations

import threading
from itertools import product

import pytest
from support.sinks import RoomySink

from pyrepl_stream.runtime.engine.flow import MOVES, TICK, Flow, FlowState, Losses, Pace, next_state
from pyrepl_stream.runtime.engine.loop import engine_loop
from pyrepl_stream.runtime.errors import BufferOverflowError

FLAGS = tuple(
    dict(zip(("failed", "backlog", "found", "asked"), values, strict=True))
    for values in product((False, True), repeat=4)
)


def flow(sink: RoomySink, *, fail: bool = False) -> Flow:
    return Flow(sink, engine_loop(), fail=fail, remote=False)


@pytest.mark.parametrize("state", FlowState)
def test_a_tick_makes_allowed_moves_only(state: FlowState) -> None:
    reached = {next_state(state, **flags) for flags in FLAGS}
    assert reached - {state} <= MOVES[state]
    if state is not FlowState.CLOSED:  # a tick never closes
        assert MOVES[state] - reached == {FlowState.CLOSED}


@pytest.mark.parametrize("state", FlowState)
def test_a_state_is_entered_only_by_an_allowed_move(state: FlowState) -> None:
    for before in FlowState:
        made = flow(RoomySink())
        made.state = before
        if state is before or state in MOVES[before]:
            made.enter(state)
            assert made.state is state
        else:
            with pytest.raises(AssertionError):
                made.enter(state)


@pytest.mark.parametrize("state", FlowState)
def test_the_gate_is_shut_in_the_states_in_which_a_writer_waits(state: FlowState) -> None:
    assert set(MOVES) == set(FlowState)
    made = flow(RoomySink())
    made.enter(state)
    assert made.is_open == (state not in (FlowState.GATED, FlowState.FAILED))


def test_a_requested_tick_that_finds_nothing_is_not_a_pause() -> None:
    quiet = {"failed": False, "backlog": False, "found": False}
    assert next_state(FlowState.FLOWING, **quiet, asked=True) is FlowState.FLOWING
    assert next_state(FlowState.FLOWING, **quiet, asked=False) is FlowState.IDLE
    assert next_state(FlowState.IDLE, **quiet, asked=True) is FlowState.IDLE


def test_released_threads_do_not_wait() -> None:
    made = flow(RoomySink())
    made.enter(FlowState.GATED)
    made.release()
    assert not made.wait()


def test_a_wait_raises_once_output_was_lost_under_the_policy_fail() -> None:
    sink = RoomySink()
    sink.overflowed = True
    made = flow(sink, fail=True)
    made.enter(FlowState.FAILED)
    with pytest.raises(BufferOverflowError, match="raise buffer_bytes"):
        made.wait()


# -- the pace ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "small"), [(1, True), (256, True), (257, False)])
def test_a_sample_decides_whether_writes_are_small(size: int, small: bool) -> None:
    pace = Pace()
    assert [pace.sample(size) for _ in range(256)] == [False] * 255 + [True]
    assert pace.small is small


def test_a_new_sample_can_revoke_the_decision() -> None:
    pace = Pace()
    for size in (1, 1000):
        for _ in range(256):
            pace.sample(size)
    assert not pace.small


def test_a_pause_begins_a_new_sample() -> None:
    pace = Pace()
    for _ in range(300):
        pace.sample(1)
    pace.pause()
    assert not pace.small
    assert [pace.sample(1) for _ in range(256)].index(True) == 255


def test_an_internal_reader_calls_the_engine_after_each_mebibyte() -> None:
    pace = Pace()
    assert [pace.read(1 << 18) for _ in range(8)] == [False, False, False, True] * 2


def test_ticks_are_rarer_in_a_flood_of_an_internal_reader() -> None:
    pace = Pace()
    assert pace.tick() == TICK
    pace.read(64 << 10)
    assert pace.tick() > TICK
    assert pace.tick() == TICK


# -- losses --------------------------------------------------------------------------------------


def test_each_call_takes_what_was_lost_since_the_last_one() -> None:
    losses = Losses()
    assert losses.take() is None
    losses.add(3)
    losses.add(4)
    assert losses.take() == 7
    assert losses.take() is None


def test_a_lost_message_without_output_counts_as_a_loss() -> None:
    losses = Losses()
    losses.add(0)
    assert losses.take() == 0


def test_losses_of_all_threads_are_added() -> None:
    losses = Losses()
    start = threading.Barrier(4)

    def lose() -> None:
        start.wait()
        for _ in range(1000):
            losses.add(1)

    threads = [threading.Thread(target=lose) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert losses.take() == 4000
