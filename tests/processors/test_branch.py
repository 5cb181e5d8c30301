"""Branches: slow, raising and stuck processors beside a reader, and what their queues do when full."""

from __future__ import annotations

import gc
import threading
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrepl_stream.errors import UsageError
from pyrepl_stream.messages import (
    CompleteMessage,
    GapMessage,
    InputRequestMessage,
    LogMessage,
    Message,
    OutputMessage,
    ResultMessage,
)
from pyrepl_stream.processors import Branch
from pyrepl_stream.processors.branch import _Queue
from pyrepl_stream.session import Session

COMPLETE = CompleteMessage(execution_id="job", sequence=10_000, success=True)


def output(sequence: int, data: str = "x" * 1000) -> OutputMessage:
    return OutputMessage(execution_id="job", sequence=sequence, data=data)


class Collector:
    """Keeps what it gets, and waits at each message until it may go on."""

    def __init__(self, turns: int = 1_000_000) -> None:
        self.turns = threading.Semaphore(turns)
        self.messages: list[Message] = []

    def __call__(self, message: Message) -> None:
        assert self.turns.acquire(timeout=60)
        self.messages.append(message)


def fed(branch: Branch, messages: list[Message]) -> list[Message]:
    return [passed for message in messages for passed in branch(message)]


# -- what passes --------------------------------------------------------------------------------


def test_messages_pass_and_the_branch_has_all_of_them_when_complete_passes() -> None:
    collector = Collector()
    messages = [*map(output, range(1, 200)), COMPLETE]
    assert fed(Branch(collector), messages) == messages
    assert collector.messages == messages


def test_the_processors_of_a_branch_are_one_after_the_other() -> None:
    collector = Collector()
    fed(Branch(lambda m: None if isinstance(m, OutputMessage) else m, collector), [output(1), COMPLETE])
    assert collector.messages == [COMPLETE]


def test_an_async_processor_runs_on_one_event_loop_of_its_own() -> None:
    loops, seen = set(), []

    async def processor(message: Message) -> None:
        loops.add(id(__import__("asyncio").get_running_loop()))
        await anyio.sleep(0)  # noqa: ASYNC115  # what users write
        seen.append(message)

    messages = [output(1), output(2), COMPLETE]
    assert fed(Branch(processor), messages) == messages
    assert (len(loops), seen) == (1, messages)


def test_a_failure_is_a_log_among_what_passes() -> None:
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


def test_one_that_never_returns_is_given_up_and_complete_passes() -> None:
    forever = threading.Event()
    try:
        done = fed(Branch(lambda message: forever.wait() and None, stall_timeout=0.05), [output(1), COMPLETE])
    finally:
        forever.set()
    assert done[0] == output(1)
    assert done[-1] is COMPLETE
    assert any("did not return within 0.05 s" in m.text for m in done if isinstance(m, LogMessage))


def test_an_async_one_that_ends_its_thread_is_a_log_and_complete_passes() -> None:
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
    while len(collector.messages) < len(messages):
        assert len(passed) == 0
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
    assert fed(branch, [*messages, request, result]) == [*messages, request, result]  # nobody waited
    for _ in range(300):
        collector.turns.release()
    fed(branch, [COMPLETE])
    _check_whole(collector.messages, sum(2 * i for i in range(1, 200)))
    assert any(isinstance(m, GapMessage) for m in collector.messages)
    assert request in collector.messages
    assert result in collector.messages


def _check_whole(messages: list[Message], size: int) -> None:
    """Numbers rise by one over gaps, and bytes and gaps are all there was."""
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


@given(st.lists(st.sampled_from(["put", "never", "pop"]), max_size=80), st.sampled_from(["drop_oldest", "drop_newest"]))
def test_whatever_the_schedule_a_queue_accounts_for_every_byte_and_is_bounded(steps: list[str], overflow: str) -> None:
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
    assert sum(isinstance(m, ResultMessage) for m in got) == kept
    _check_whole([*got, COMPLETE], size)


# -- several ------------------------------------------------------------------------------------


def test_a_raising_a_stuck_and_a_slow_one_harm_neither_each_other_nor_the_record(session: Session) -> None:
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


def test_each_reader_has_a_branch_of_its_own_and_its_thread_ends_with_it() -> None:
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
        ({"overflow": "drop"}, "must be one of block"),
        ({"queue_bytes": 0}, "at least 1"),
        ({"stall_timeout": 0}, "more than 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        Branch(Collector(), **options)


def test_what_cannot_be_a_processor_is_refused() -> None:
    with pytest.raises(UsageError, match="which 3 cannot be"):
        Branch(3)  # type: ignore[arg-type]  # the mistake
