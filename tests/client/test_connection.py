"""Sessions over links that fail: on asyncio, on trio and without an event loop."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

from pyrepl_stream import (
    CompleteMessage,
    ConnectionLostError,
    InputRequestMessage,
    Message,
    OutputMessage,
    PyreplStreamError,
    RemoteSession,
    SessionClosedError,
    TargetError,
    UsageError,
)
from pyrepl_stream.testing import ModelHost, ModelLink, Record
from pyrepl_stream.waiting import wait_sync

pytestmark = pytest.mark.anyio


def says(*texts: str, end: bool = True) -> Callable[[Record], None]:
    def start(record: Record) -> None:
        for text in texts:
            record.write(text)
        if end:
            record.end()

    return start


TWO_LINES = says("a\n", "b\n")


def hosted(start: Callable[[Record], object] = TWO_LINES, **options: Any) -> tuple[ModelHost, ModelLink]:
    host = ModelHost()
    host.on_start = start
    return host, ModelLink(host, **options)


async def test_a_session_is_used_over_any_link(anyio_backend: str) -> None:
    _, link = hosted()
    async with RemoteSession(link) as session:
        assert (await session.execute("1")).stdout == "a\nb\n"
        assert [type(message) async for message in session.execute("2")] == [
            OutputMessage,
            OutputMessage,
            CompleteMessage,
        ]


async def test_cuts_at_any_byte_cost_nothing(anyio_backend: str, rounds: Callable[[int, int], int]) -> None:
    chance = random.Random(1)
    texts = [f"{number}\n" * chance.randrange(1, 50) for number in range(200)]
    cuts = [chance.randrange(1, 4000) for _ in range(rounds(20, 1000))]
    host, link = hosted(says(*texts), cuts=cuts)
    async with RemoteSession(link, patience=1e6) as session:
        result = await session.execute("1")
    assert result.stdout == "".join(texts)
    assert link.connections > 3
    assert sum(host.started.values()) == 1


async def test_a_start_that_a_killed_host_may_have_run_is_lost_and_not_run_again(anyio_backend: str) -> None:
    def crash(record: Record) -> None:
        del host.records[record.id]
        host.restart()

    host, link = hosted(crash)
    async with RemoteSession(link) as session:
        execution = session.execute("1")
        messages = [message async for message in execution]
        assert [type(message) for message in messages] == [CompleteMessage]
        result = await execution
        assert (result.status, result.success) == ("lost", False)
        assert "not run again" in result.reason
        assert (execution.status, execution.snapshot().status) == ("lost", "lost")
    assert sum(host.started.values()) == 1


async def test_a_record_that_ends_without_complete_is_lost(anyio_backend: str) -> None:
    def stop(record: Record) -> None:
        record.write("a\n")
        record.closed = True

    _, link = hosted(stop)
    async with RemoteSession(link) as session:
        result = await session.execute("1")
    assert (result.status, result.success, result.stdout) == ("lost", False, "a\n")


async def test_an_unreachable_target_is_retried(anyio_backend: str) -> None:
    _, link = hosted(errors=[TargetError("not yet"), ConnectionRefusedError(111, "refused")])
    async with RemoteSession(link) as session:
        assert (await session.execute("1")).success


async def test_a_usage_error_of_a_link_is_raised_at_once(anyio_backend: str) -> None:
    _, link = hosted(errors=[UsageError("no such machine")])
    with pytest.raises(UsageError, match="no such machine"):
        async with RemoteSession(link):
            raise AssertionError


async def test_a_session_that_is_not_what_was_asked_for_is_an_error(anyio_backend: str) -> None:
    _, link = hosted()
    link.refusal = UsageError("it has another cwd")
    session = RemoteSession(link)
    with pytest.raises(UsageError, match="another cwd"):
        await session.execute("1")
    await session.disconnect()


def test_retries_end_when_patience_is_over() -> None:
    host, link = hosted(says("a\n", end=False))
    session = RemoteSession(link, patience=0.2)
    execution = session.execute("1")
    stream = execution.attach()
    assert stream.receive()
    link._errors += [TargetError("the machine is off")] * 100
    host.restart()
    link.pump()
    with pytest.raises(ConnectionLostError, match=r"machine is off.*0\.2 s"):
        stream.receive()
    with pytest.raises(ConnectionLostError):
        execution.interrupt().wait()
    session.disconnect().wait()


def test_an_unexpected_error_of_a_link_is_raised_to_all_callers(caplog: pytest.LogCaptureFixture) -> None:
    _, link = hosted(errors=[ZeroDivisionError("oops")])
    session = RemoteSession(link)
    with pytest.raises(PyreplStreamError, match="oops"):
        session.execute("1").wait()
    session.disconnect().wait()


def test_the_end_is_reported_without_a_reader() -> None:
    host, link = hosted(says("a\n", end=False))
    with RemoteSession(link) as session:
        execution = session.execute("1", execution_id="x")
        execution.wait_started()
        done = threading.Event()
        execution._run.when_done(done.set)
        assert execution.status == "running"
        host.records["x"].write("more\n")
        host.records["x"].end()
        link.pump()
        assert done.wait(10)
        assert execution.status == "ok"


def test_a_batch_is_delivered_when_the_code_asks_for_input() -> None:
    host, link = hosted(says("a\n", end=False))
    with RemoteSession(link) as session:
        execution = session.execute("1", execution_id="x", streaming=False)
        stream = execution.attach()
        assert stream.receive(0.1) == []
        host.records["x"].emit(InputRequestMessage(prompt="? "))
        host.records["x"].asked = 2
        link.pump()
        messages: list[Message] = []
        while len(messages) < 2:
            messages += stream.receive(10) or []
        assert [type(message) for message in messages] == [OutputMessage, InputRequestMessage]
        execution.input("yes")
        assert host.records["x"].answers == ["yes"]


def test_input_that_was_delivered_before_a_cut_is_not_an_error() -> None:
    host, link = hosted(says(end=False))
    with RemoteSession(link) as session:
        execution = session.execute("1", execution_id="x")
        execution.wait_started()
        record = host.records["x"]
        record.emit(InputRequestMessage(prompt="? "))
        record.asked = 1
        peer = host.peers[-1]
        receive = peer.receive

        def cut(data: bytes) -> None:
            receive(data)
            peer.gone = True

        peer.receive = cut  # type: ignore[method-assign]
        peer.silent = True
        execution.input("yes")
        assert record.answers == ["yes"]
        assert link.connections == 2


def test_closing_a_stream_ends_its_subscription() -> None:
    host, link = hosted(says(*("x" * 1000 for _ in range(5000)), end=False))
    with RemoteSession(link) as session:
        stream = session.execute("1").attach()
        assert stream.receive()
        stream.close()
        session.connect().wait()  # the host has received everything sent before
        assert not host.peers[-1]._attaches


def test_a_reader_that_stops_holds_up_its_own_stream_alone() -> None:
    host, link = hosted(says(*("x" * 1000 for _ in range(5000))))
    with RemoteSession(link) as session:
        execution = session.execute("1")
        slow = execution.attach()
        assert len(execution.wait().stdout) == 5_000_000
        (attach,) = host.peers[-1]._attaches.values()
        assert attach.after < 1300  # about the window
        received = [message for messages in iter(slow.receive, None) for message in messages]
        assert len(received) == 5001


def test_after_disconnecting_every_call_fails() -> None:
    _, link = hosted()
    session = RemoteSession(link)
    execution = session.execute("1")
    session.disconnect().wait()
    session.disconnect().wait()
    for call in (
        execution.wait,
        session.execute("2").wait,
        session.executions().wait,
        session.connect().wait,
    ):
        with pytest.raises(SessionClosedError, match="connect again"):
            call()  # type: ignore[operator]
    assert all(stream.closed for stream in link._streams)


def test_an_idle_session_does_not_reconnect() -> None:
    host, link = hosted()
    with RemoteSession(link) as session:
        session.execute("1").wait()
        host.restart()
        link.pump()
        stream = link._streams[0]
        assert wait_sync(lambda wake: _when(lambda: stream.closed, wake), 10)
        assert link.connections == 1
        session.execute("2").wait()
        assert link.connections == 2


def _when(condition: Callable[[], bool], wake: Callable[[], None]) -> None:
    from pyrepl_stream.runtime.engine.loop import engine_loop

    if condition():
        wake()
    else:
        engine_loop().call(lambda: engine_loop().loop.call_later(0.01, _when, condition, wake))
