"""Calls in a daemon thread, and the replies with their results."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable

import anyio
import pytest

from pyrepl_stream import Reply
from pyrepl_stream.executor import Executor, call_in_thread


def test_functions_are_called_in_order_in_one_thread() -> None:
    executor = Executor("test")
    replies = [
        executor.submit(lambda number=number: (number, threading.get_ident())) for number in range(100)
    ]  # type: ignore[misc]
    results = [reply.wait(60) for reply in replies]
    assert [number for number, _ in results] == list(range(100))
    assert {thread for _, thread in results} != {threading.get_ident()}
    executor.close()


def test_a_closed_executor_ends_its_thread_and_starts_another_for_later_calls() -> None:
    executor = Executor("test")
    first = executor.submit(threading.current_thread).wait(60)
    executor.close()
    first.join(60)
    assert not first.is_alive()
    second = executor.submit(threading.current_thread).wait(60)
    assert second is not first
    assert (second.daemon, second.name) == (True, "test")
    executor.close()


def test_an_error_is_raised_where_the_reply_is_waited_for() -> None:
    reply = call_in_thread("test", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        reply.wait(60)
    assert isinstance(reply.exception(), ZeroDivisionError)


def test_system_exit_is_the_cause_of_a_runtime_error() -> None:
    def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(RuntimeError, match="raised SystemExit") as raised:
        call_in_thread("test", leave).wait(60)
    assert isinstance(raised.value.__cause__, SystemExit)


@pytest.mark.anyio
async def test_a_reply_is_awaited_by_several_tasks(anyio_backend: str) -> None:
    release = threading.Event()
    reply = call_in_thread("test", lambda: release.wait(60))
    results: list[bool] = []

    async def wait() -> None:
        results.append(await reply)

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        group.start_soon(wait)
        release.set()
    assert results == [True, True]


def test_a_reply_cannot_be_cancelled() -> None:
    reply: Reply[int] = Reply()
    assert not reply.cancel()
    reply.set_result(1)
    assert reply.wait() == 1


def test_a_call_that_never_returns_does_not_keep_the_process_alive(
    run_python: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    program = """
import threading
from pyrepl_stream.executor import call_in_thread
begun = threading.Event()
call_in_thread("test", lambda: (begun.set(), threading.Event().wait()))
begun.wait()
"""
    assert run_python(program, "-W", "error").returncode == 0
