"""Branches: slow, failing and stuck processors alongside a reader, and full queues."""

from __future__ import annotations

import gc
import threading
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrepl_stream.local.session import Session
from pyrepl_stream.processors import Branch
from pyrepl_stream.processors.branch import _Queue
from pyrepl_stream.runtime.errors import UsageError
from pyrepl_stream.runtime.messages import (
    CompleteMessage,
    GapMessage,
    InputRequestMessage,
    LogMessage,
    Message,
    OutputMessage,
    ResultMessage,
)

COMPLETE = CompleteMessage(execution_id="job", sequence=10_000, success=True)


def output(sequence: int, data: str = "x" * 1000) -> OutputMessage:
    return OutputMessage(execution_id="job", sequence=sequence, data=data)


class Collector:
    """Keeps the messages it receives, and waits at each one until it may continue."""

    def __init__(self, turns: int = 1_000_000) -> None:
        self.turns = threading.Semaphore(turns)
        self.messages: list[Message] = []

    def __call__(self, message: Message) -> None:
        assert self.turns.acquire(timeout=60)
        self.messages.append(message)


def fed(branch: Branch, messages: list[Message]) -> list[Message]:
    return [passed for message in messages for passed in branch(message)]


# -- messages that pass --------------------------------------------------------------------------


def test_a_branch_has_received_every_message_when_complete_passes() -> None:
    collector = Collector()
    messages = [*map(output, range(1, 200)), COMPLETE]
    assert fed(Branch(collector), messages) == messages
    assert collector.messages == messages


def test_the_processors_of_a_branch_form_a_pipeline() -> None:
    collector = Collector()
    fed(Branch(lambda m: None if isinstance(m, OutputMessage) else m, collector), [output(1), COMPLETE])
    assert collector.messages == [COMPLETE]


def test_an_async_processor_runs_on_the_event_loop_of_its_branch() -> None:
    loops, seen = set(), []

    async def processor(message: Message) -> None:
        loops.add(id(__import__("asyncio").get_running_loop()))
        await anyio.sleep(0)  # noqa: ASYNC115  # what users write
        seen.append(message)

    messages = [output(1), output(2), COMPLETE]
    assert fed(Branch(processor), messages) == messages
    assert (len(loops), seen) == (1, messages)


def test_a_failure_is_a_log_among_the_messages_that_pass() -> None:
    def fail(message: Message) -> None:
        raise ValueError("no room")

    collector = Collector()
    done = fed(Branch(fail, collector), [output(1), output(2), COMPLETE])
    assert [m for m in done if not isinstance(m, LogMessage)] == [output(1), output(2), COMPLETE]
    logs = [m.text for m in done if isinstance(m, LogMessage)]
    assert "ValueError: no room" in logs[0]
    assert "failed 3 times" in logs[1]
    assert done[-1] is COMPLETE
    assert collector.messages == [output(1), output(2), COMPLETE]


def test_a_processor_that_never_returns_is_abandoned_and_complete_passes() -> None:
    forever = threading.Event()
    try:
        done = fed(Branch(lambda message: forever.wait() and None, stall_timeout=0.05), [output(1), COMPLETE])
    finally:
        forever.set()
    assert done[0] == output(1)
    assert done[-1] is COMPLETE
    assert any("did not return within 0.05 s" in m.text for m in done if isinstance(m, LogMessage))


def test_an_async_processor_that_ends_its_thread_is_a_log_and_complete_passes() -> None:
    async def leave(message: Message) -> None:
        raise SystemExit(3)

    done = fed(Branch(leave), [output(1), output(2), COMPLETE])
    assert [m for m in done if not isinstance(m, LogMessage)] == [output(1), output(2), COMPLETE]
    (log,) = (m for m in done if isinstance(m, LogMessage))
    assert "ended by SystemExit" in log.text


# -- full queues --------------------------------------------------------------------------------


def test_block_waits_for_the_branch_and_loses_nothing() -> None:
    collector = Collector(turns=0)
    branch = Branch(collector, queue_bytes=5000)
    messages: list[Message] = [*map(output, range(1, 50)), COMPLETE]
    passed: list[Message] = []
    feeder = threading.Thread(target=lambda: passed.extend(fed(branch, messages)))
    feeder.start()
    while True:
        already = len(passed)  # before the other count: all messages pass once the last one is processed
        if len(collector.messages) == len(messages):
            break
        assert already == 0
        collector.turns.release()
    feeder.join(30)
    assert collector.messages == messages
    assert passed == messages


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
def test_a_branch_that_drops_gets_a_gap_for_every_byte(overflow: str) -> None:
    collector = Collector(turns=0)
    branch = Branch(collector, queue_bytes=5000, overflow=overflow)
    messages: list[Message] = [output(i, "é" * i) for i in range(1, 200)]
    request, result = InputRequestMessage(sequence=200), ResultMessage(sequence=201)
    assert fed(branch, [*messages, request, result]) == [*messages, request, result]  # without waiting
    for _ in range(300):
        collector.turns.release()
    fed(branch, [COMPLETE])
    _check_whole(collector.messages, sum(2 * i for i in range(1, 200)))
    assert any(isinstance(m, GapMessage) for m in collector.messages)
    assert request in collector.messages
    assert result in collector.messages


def _check_whole(messages: list[Message], size: int) -> None:
    """Check that numbers rise by one over gaps, and that bytes and gaps add up to ``size``."""
    last = total = 0
    for message in messages:
        if message is not COMPLETE:
            assert message.span_start == last + 1
            last = message.sequence
        if isinstance(message, GapMessage):
            total += message.bytes or 0
        elif isinstance(message, OutputMessage):
            total += len(str(message.data).encode())
    assert total == size
    assert messages[-1] is COMPLETE


def test_fail_ends_the_branch_with_a_log() -> None:
    collector = Collector(turns=0)
    branch = Branch(collector, queue_bytes=5000, overflow="fail")
    messages: list[Message] = [*map(output, range(1, 50)), COMPLETE]
    done = fed(branch, messages)
    assert [m for m in done if not isinstance(m, LogMessage)] == messages
    (log,) = (m for m in done if isinstance(m, LogMessage))
    assert "fell behind by 5,000 bytes" in log.text
    collector.turns.release()


@given(
    st.lists(st.sampled_from(["put", "never", "pop"]), max_size=80),
    st.sampled_from(["drop_oldest", "drop_newest"]),
)
def test_a_queue_accounts_for_every_byte_and_is_bounded_in_any_schedule(
    steps: list[str], overflow: str
) -> None:
    queue = _Queue(overflow, 3000)
    got: list[Message] = []
    sequence = size = kept = 0
    for step in steps:
        if step == "pop":
            if queue:
                got.append(queue.pop())
            continue
        sequence += 1
        if step == "never":
            kept += 1
            assert queue.put(ResultMessage(execution_id="job", sequence=sequence))
        else:
            size += 1000
            assert queue.put(output(sequence))
        assert queue.size <= 3000 + (kept + 1) * 2000
    while queue:
        got.append(queue.pop())
    assert queue.size == 0
    assert sum(isinstance(m, ResultMessage) for m in got) == kept
    _check_whole([*got, COMPLETE], size)


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
def test_a_gap_of_a_branch_before_it_leaves_no_bytes_in_a_queue(overflow: str) -> None:
    queue = _Queue(overflow, 3000)
    gap = GapMessage(execution_id="job", sequence=2, reason="a slow processor lagged")
    for message in (output(1, "x" * 500), gap, output(3, "x" * 5000)):
        assert queue.put(message)
    while queue:
        queue.pop()
    assert queue.size == 0


# -- several ------------------------------------------------------------------------------------


def test_raising_stuck_and_slow_processors_affect_neither_each_other_nor_the_record(session: Session) -> None:
    forever = threading.Event()
    collectors = [Collector(), Collector()]

    def fail(message: Message) -> None:
        raise ValueError("each time")

    branches = [
        Branch(collectors[0]),
        Branch(fail),
        Branch(lambda message: forever.wait() and None, stall_timeout=0.1, overflow="drop_oldest"),
        Branch(collectors[1]),
        lambda message: fail(message),
    ]
    try:
        execution = session.execute("for i in range(20_000): print(i)", processors=branches)
        result = execution.wait(120)
    finally:
        forever.set()
    expected = "".join(f"{i}\n" for i in range(20_000))
    assert result.stdout == expected
    assert result.success
    assert execution.snapshot().success
    for collector in collectors:
        assert "".join(str(m.data) for m in collector.messages if isinstance(m, OutputMessage)) == expected
    assert {"ValueError: each time" in log.text for log in result.logs} == {True, False}


def test_each_reader_has_its_own_branch_whose_thread_ends_with_it() -> None:
    before = set(threading.enumerate())
    collector = Collector()
    original = Branch(collector)
    for _ in range(2):
        branch = original.for_reader()
        fed(branch, [output(1)])
        threads = set(threading.enumerate()) - before
        branch.close()
        del branch
        gc.collect()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"overflow": "drop"}, "there is no overflow policy .drop.; known: block"),
        ({"queue_bytes": 0}, "at least 1"),
        ({"stall_timeout": 0}, "more than 0"),
    ],
)
def test_invalid_options_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        Branch(Collector(), **options)


def test_an_object_that_cannot_be_a_processor_is_refused() -> None:
    with pytest.raises(UsageError, match="must be callable, and 3 is not"):
        Branch(3)  # type: ignore[arg-type]  # the mistake
