"""Frames and shared memory of a host and its worker."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrepl_stream.runtime.errors import ProtocolError
from pyrepl_stream.runtime.protocol.frames import Frame, FrameDecoder, FrameType, pack
from pyrepl_stream.runtime.protocol.shared_state import SharedState

FRAMES = st.builds(
    Frame,
    type=st.sampled_from(FrameType),
    ordinal=st.integers(0, 2**32 - 1),
    payload=st.binary(max_size=100),
    output=st.integers(0, 2**32 - 1),
)


@given(st.lists(FRAMES, max_size=10), st.lists(st.integers(1, 50), min_size=1))
def test_frames_are_decoded_however_they_are_split(frames: list[Frame], sizes: list[int]) -> None:
    data = b"".join(map(pack, frames))
    decoder = FrameDecoder()
    found: list[Frame] = []
    turn = 0
    while data:
        size = sizes[turn % len(sizes)]
        found += decoder.feed(data[:size])
        data, turn = data[size:], turn + 1
    assert found == frames


def test_a_frame_is_yielded_once_even_if_its_handler_fails() -> None:
    frames = [Frame(FrameType.MESSAGE, number, b"x") for number in range(1, 4)]
    decoder = FrameDecoder()
    reading = decoder.feed(b"".join(map(pack, frames)))
    assert next(reading) == frames[0]
    reading.close()  # as an exception in the caller's loop does
    assert list(decoder.feed(b"")) == frames[1:]


def test_an_unknown_frame_is_an_error() -> None:
    with pytest.raises(ProtocolError, match="99"):
        list(FrameDecoder().feed(bytes([99]) + bytes(12)))


def test_a_frame_whose_handler_fails_is_not_yielded_again() -> None:
    decoder = FrameDecoder()
    frames = [Frame(FrameType.MESSAGE, 1, payload) for payload in (b"a", b"b", b"c")]
    reader = decoder.feed(b"".join(map(pack, frames)))
    assert next(reader) == frames[0]
    reader.close()  # as an exception in the loop over the frames does
    assert list(decoder.feed(b"")) == frames[1:]


def test_a_length_beyond_the_limit_is_an_error() -> None:
    with pytest.raises(ValueError, match="4294967295"):
        list(FrameDecoder().feed(bytes([FrameType.MESSAGE]) + bytes(8) + b"\xff" * 4))


@pytest.fixture
def both() -> tuple[SharedState, SharedState]:
    descriptor = SharedState.create()
    ends = SharedState(descriptor), SharedState(descriptor)
    os.close(descriptor)
    return ends


@given(number=st.integers(0, 2**64 - 1))
def test_the_worker_sees_which_execution_an_interrupt_is_meant_for(number: int) -> None:
    descriptor = SharedState.create()
    host, worker = SharedState(descriptor), SharedState(descriptor)
    os.close(descriptor)
    host.interrupted = number
    assert worker.interrupted == number
    host.close()
    worker.close()


def test_text_is_pending_from_its_write_until_it_is_recorded_as_sent(
    both: tuple[SharedState, SharedState],
) -> None:
    host, worker = both
    assert not host.pending
    worker.written = 1
    assert host.pending
    seen = worker.written
    worker.written = 2  # after the worker read the number
    worker.sent = seen
    assert host.pending
    worker.sent = 2
    assert not host.pending


def test_a_frame_that_is_too_long_is_an_error_before_its_payload_arrives() -> None:
    with pytest.raises(ProtocolError, match="4294967295"):
        list(FrameDecoder().feed(bytes([FrameType.MESSAGE]) + b"\xff" * 12))
