"""Faults between a client and its job, with real processes: no byte is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.sessions import host_pid, isolated, wait_for_end

from pyrepl_stream import CompleteMessage, GapMessage, Message, OutputMessage, RemoteSession, connect
from pyrepl_stream.runtime.host.paths import SessionPaths


@pytest.fixture
def root() -> Iterator[Path]:
    with isolated() as root:
        yield root


@pytest.fixture
def remote(root: Path) -> Iterator[RemoteSession]:
    with connect("local:faults") as session:
        yield session


def lines_of(messages: list[Message]) -> list[str]:
    return "".join(message.text for message in messages if isinstance(message, OutputMessage)).splitlines()


def words_of(messages: list[Message]) -> list[str]:
    return " ".join(lines_of(messages)).split()


def numbers(count: int) -> list[str]:
    return [str(number) for number in range(count)]


# A job that waits in the middle until a file exists, so that a cut happens while it runs.
def job(count: int, gate: Path) -> str:
    return f"""
import os, time
for number in range({count}):
    print(number)
    if number == {count // 2}:
        while not os.path.exists({str(gate)!r}):
            time.sleep(0.01)
"""


CLIENT = """
import sys
from pyrepl_stream import OutputMessage, connect
with connect("local:faults") as session:
    for message in session.execute(sys.stdin.read(), execution_id="job"):
        print(message.sequence, flush=True)
"""


def test_a_killed_client_loses_no_byte(
    remote: RemoteSession, root: Path, assert_whole: Callable[..., None]
) -> None:
    gate, code = root / "gate", ""
    code = job(100_000, gate)
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(code.encode())
        client.stdin.close()
        client.stdout.readline()
        client.send_signal(signal.SIGKILL)
        client.stdout.read()
    gate.touch()
    messages = list(remote.execute(code, execution_id="job"))
    assert lines_of(messages) == numbers(100_000)
    assert_whole(messages)
    assert isinstance(messages[-1], CompleteMessage)
    assert messages[-1].success


def test_a_client_much_slower_than_its_job_gets_every_byte_and_does_not_delay_it(
    remote: RemoteSession, assert_whole: Callable[..., None]
) -> None:
    execution = remote.execute(
        "print('x' * 99 + '\\n' * 1, end='')\n" * 5 + "for _ in range(200_000): print('y' * 99)"
    )
    received: list[Message] = []
    for message in execution:
        received.append(message)
        if len(received) == 3:
            # The job has ended long before this reader continues.
            assert remote.execution(execution.id).wait(60).success
    assert_whole(received)
    assert len(lines_of(received)) == 200_005


def test_a_client_that_stalls_does_not_delay_another_one(
    remote: RemoteSession, assert_whole: Callable[..., None]
) -> None:
    execution = remote.execute("for number in range(300_000): print(number)")
    stalled = iter(remote.attach(execution.id))
    first = next(stalled)
    with connect("local:faults") as other:
        messages = list(other.attach(execution.id))
    assert lines_of(messages) == numbers(300_000)
    rest = [first, *stalled]
    assert lines_of(rest) == numbers(300_000)
    assert_whole(rest)


@pytest.mark.parametrize(
    ("code", "exit_code", "told"),
    [
        ("import os; os._exit(3)", 3, "exited with code 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", 139, "SIGSEGV"),
        ("import ctypes; ctypes.string_at(0)", 139, "SIGSEGV"),
        ("import os; os.abort()", 134, "SIGABRT"),
    ],
)
def test_the_session_continues_after_a_worker_that_died_and_the_record_shows_it(
    remote: RemoteSession, code: str, exit_code: int, told: str, assert_whole: Callable[..., None]
) -> None:
    remote.execute("kept = 1").wait(30)
    messages = list(remote.execute(f"print('before' * 20_000, flush=True)\n{code}"))
    assert_whole(messages)
    assert lines_of(messages)[:1] == ["before" * 20_000]
    complete = messages[-1]
    assert isinstance(complete, CompleteMessage)
    assert (complete.success, complete.status, complete.exit_code) == (False, "error", exit_code)
    assert told in (complete.error or "")
    again = remote.execute("print('kept' in globals())").wait(30)
    assert again.success
    assert again.stdout == "False\n"
    assert any("new" in log.text for log in again.logs)


def test_the_session_continues_after_code_that_ran_out_of_memory(
    remote: RemoteSession,
) -> None:
    code = """
import resource
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, resource.RLIM_INFINITY))
print("allocating")
data = []
while True:
    data.append(bytearray(64 << 20))
"""
    result = remote.execute(code).wait(60)
    assert (result.success, result.status) == (False, "error")
    assert result.stdout == "allocating\n"
    assert remote.execute("1 + 1").wait(60).result == "2"


def test_a_call_that_holds_the_gil_does_not_delay_a_second_client(
    remote: RemoteSession, root: Path, rounds: Callable[[int, int], int]
) -> None:
    seconds = rounds(2, 20)
    code = f"""
import ctypes, time
print("before", flush=True)
time.sleep(0.05)
ctypes.PyDLL(None).usleep({seconds}_000_000)
print("after")
"""
    execution = remote.execute(code)
    stream = iter(remote.attach(execution.id))
    assert words_of([next(stream)]) == ["before"]
    with connect("local:faults") as other:
        attached = iter(other.attach(execution.id))
        assert words_of([next(attached)]) == ["before"]
        assert execution.status == "running"
        assert words_of(list(attached)) == ["after"]
    assert words_of(list(stream)) == ["after"]


def test_the_records_of_a_killed_host_are_replayed_and_end_as_lost(
    remote: RemoteSession, root: Path, assert_whole: Callable[..., None]
) -> None:
    execution = remote.execute(job(20_000, root / "never"), execution_id="job")
    messages: list[Message] = []
    stream = iter(execution)
    while len(lines_of(messages)) < 10_001:
        messages.append(next(stream))
    pid = host_pid(SessionPaths("faults").socket)
    worker = int(remote.execution("job").id == "job") and _children(pid)
    os.kill(pid, signal.SIGKILL)
    messages += stream
    assert lines_of(messages) == numbers(10_001)
    assert_whole(messages)
    complete = messages[-1]
    assert isinstance(complete, CompleteMessage)
    assert (complete.success, complete.status) == (False, "lost")
    for child in worker or ():
        assert wait_for_end(child), "the worker outlived its host"
    # Once more, with nothing but the record.
    with connect("local:faults") as other:
        assert list(other.attach("job")) == messages


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_job_without_a_client_ends_with_constant_memory_and_a_gap_for_dropped_output(
    root: Path, rounds: Callable[[int, int], int], assert_whole: Callable[..., None]
) -> None:
    megabytes = rounds(100, 5_000)
    line = "x" * 999
    code = f"for _ in range({megabytes} * 1000): print({line!r})"
    with connect("local:flood", retention=32 << 20) as session:
        execution = session.execute(code, execution_id="flood")
        assert execution.wait_started(30)
        pid = host_pid(SessionPaths("flood").socket)
        before = _memory(pid)
        execution.detach()
        flood = session.execution("flood")
        while flood.status in ("queued", "running"):
            time.sleep(0.05)
        assert _memory(pid) - before < 32 << 20
        messages = list(session.attach("flood"))
    assert_whole(messages)
    gaps = [message for message in messages if isinstance(message, GapMessage)]
    assert len(gaps) == 1
    kept = sum(len(message.text) for message in messages if isinstance(message, OutputMessage))
    assert kept + (gaps[0].bytes or 0) == megabytes * 1_000_000
    assert 8 << 20 <= kept <= 48 << 20
    assert isinstance(messages[-1], CompleteMessage)
    assert messages[-1].success


def _memory(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) << 10
    raise AssertionError("no VmRSS")


def test_executions_of_different_clients_share_the_namespace(remote: RemoteSession) -> None:
    remote.execute("answer = 42").wait(30)
    with connect("local:faults") as other:
        assert other.execute("answer").wait(30).result == "42"


def test_clients_in_many_threads_share_one_session(remote: RemoteSession) -> None:
    results: list[str] = []

    def run(number: int) -> None:
        results.append(remote.execute(f"print('{number}' * 5000)").wait(60).stdout.strip())

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [str(number) * 5000 for number in range(8)]
