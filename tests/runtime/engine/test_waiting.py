"""Threads of executions wait for events, without polling."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pyrepl_stream import InputRequestMessage, OutputMessage, Session


@pytest.fixture
def sleeps() -> Iterator[list[str]]:
    """Record the functions that call ``time.sleep`` in threads started by the test."""
    found: list[str] = []

    def watch(frame: Any, event: str, argument: Any) -> None:
        if event == "c_call" and argument is time.sleep:
            found.append(frame.f_code.co_name)

    threading.setprofile(watch)
    yield found
    threading.setprofile(None)


def test_executions_that_end_at_once_do_not_poll(
    session_of: Callable[..., Session], sleeps: list[str]
) -> None:
    count = 300
    go = threading.Barrier(count)
    session = session_of({"go": go}, max_concurrent=count)
    executions = [session.execute("print('before')\ngo.wait()\nprint('after')") for _ in range(count)]
    assert [execution.wait().stdout for execution in executions] == ["before\nafter\n"] * count
    assert sleeps == []


def test_the_wait_for_input_does_not_poll(session: Session, sleeps: list[str]) -> None:
    execution = session.execute("print(input('name? '))", streaming=False)
    for message in execution:
        if isinstance(message, InputRequestMessage):
            execution.input("me", message)
    assert execution.wait().stdout == "me\n"
    assert sleeps == []


@pytest.mark.parametrize("start", ["", "import asyncio\nawait asyncio.sleep(0)\n"], ids=["thread", "loop"])
def test_an_interrupt_ends_the_wait_for_input(session: Session, sleeps: list[str], start: str) -> None:
    code = start + "try:\n    input()\nexcept KeyboardInterrupt:\n    print('taken')\n    raise"
    execution = session.execute(code, streaming=False)
    for message in execution:
        if isinstance(message, InputRequestMessage):
            execution.interrupt()
    result = execution.wait()
    assert (result.status, result.stdout) == ("interrupted", "taken\n")
    assert sleeps == []


def test_the_end_of_the_session_ends_the_wait_for_input_of_a_thread(
    session_of: Callable[..., Session],
) -> None:
    ended = threading.Event()
    code = """
import threading
def ask():
    try:
        input()
    except EOFError:
        ended.set()
threading.Thread(target=ask, daemon=True).start()
"""
    session = session_of({"ended": ended})
    execution = session.execute(code, streaming=False)
    assert execution.wait().status == "ok"
    session.__exit__(None, None, None)
    assert ended.wait(60)


def test_the_wait_for_a_reader_does_not_poll(session_of: Callable[..., Session], sleeps: list[str]) -> None:
    session = session_of(buffer_bytes=10_000)
    code = "import sys, time\nfor i in range(100): sys.stderr.write('x' * 1000), time.sleep(0.001)"
    execution = session.execute(code)
    stream = execution.attach()
    received = stream.receive(60)
    time.sleep(0.3)  # the code waits for room
    while received is not None:
        received = stream.receive(60)
    assert execution.wait().status == "ok"
    assert "wait" not in sleeps


@pytest.mark.parametrize("start", ["", "import asyncio\nawait asyncio.sleep(0)\n"], ids=["thread", "loop"])
def test_an_interrupt_ends_the_wait_for_a_reader(session_of: Callable[..., Session], start: str) -> None:
    session = session_of(buffer_bytes=10_000)
    execution = session.execute(start + "import sys\nwhile True: sys.stderr.write('x' * 1000)")
    stream = execution.attach()
    assert stream.receive(60)
    time.sleep(0.1)  # the code waits for room
    began = time.monotonic()
    execution.interrupt()
    while stream.receive(60) is not None:
        pass
    assert time.monotonic() - began < 30
    assert execution.wait().status == "interrupted"


@pytest.mark.parametrize("start", ["", "import asyncio\nawait asyncio.sleep(0)\n"], ids=["thread", "loop"])
def test_an_interrupt_that_a_finalizer_loses_is_repeated(session: Session, start: str) -> None:
    code = """
class Held:
    def __del__(self):
        print("in the finalizer", flush=True)
        while True:
            pass
Held()
print("after it", flush=True)
while True:
    pass
"""
    execution = session.execute(start + code)
    for message in execution:
        if isinstance(message, OutputMessage):
            execution.interrupt()
            break
    result = execution.wait()
    assert (result.status, result.stdout) == ("interrupted", "in the finalizer\nafter it\n")
    assert result.logs == []
