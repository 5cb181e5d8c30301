"""Frames, shared memory, marks: what host and worker have in common."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrepl_stream.worker.frames import Frame, FrameDecoder, FrameType, pack
from pyrepl_stream.worker.shared import SharedState

FRAMES = st.builds(
    Frame,
    type=st.sampled_from(FrameType),
    ordinal=st.integers(0, 2**32 - 1),
    payload=st.binary(max_size=100),
    output=st.integers(0, 2**32 - 1),
)


@given(st.lists(FRAMES, max_size=10), st.lists(st.integers(1, 50), min_size=1))
def test_frames_come_back_however_they_are_cut(frames: list[Frame], sizes: list[int]) -> None:
    data = b"".join(map(pack, frames))
    decoder = FrameDecoder()
    found: list[Frame] = []
    turn = 0
    while data:
        size = sizes[turn % len(sizes)]
        found += decoder.feed(data[:size])
        data, turn = data[size:], turn + 1
    assert found == frames


def test_an_unknown_frame_is_an_error() -> None:
    with pytest.raises(ValueError, match="99"):
        list(FrameDecoder().feed(bytes([99]) + bytes(12)))


@pytest.fixture
def both() -> tuple[SharedState, SharedState]:
    descriptor = SharedState.create()
    ends = SharedState(descriptor), SharedState(descriptor)
    os.close(descriptor)
    return ends


@given(number=st.integers(0, 2**64 - 1))
def test_the_worker_sees_whom_an_interrupt_is_meant_for(number: int) -> None:
    descriptor = SharedState.create()
    host, worker = SharedState(descriptor), SharedState(descriptor)
    os.close(descriptor)
    host.interrupted = number
    assert worker.interrupted == number
    host.close()
    worker.close()


def test_text_is_pending_from_its_write_until_that_write_was_seen_sent(
    both: tuple[SharedState, SharedState],
) -> None:
    host, worker = both
    assert not host.pending
    worker.written = 1
    assert host.pending
    seen = worker.written
    worker.written = 2  # after the worker has looked
    worker.sent = seen
    assert host.pending
    worker.sent = 2
    assert not host.pending
