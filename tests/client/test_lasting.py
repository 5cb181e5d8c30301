"""What becomes of clients and their sessions when hosts are killed, stopped or closed, and after a fork."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.host import wait_until
from support.sessions import host_pid, isolated, wait_for_end

from pyrepl_stream import (
    CompleteMessage,
    OutputMessage,
    RemoteSession,
    SessionClosedError,
    UsageError,
    connect,
    list_sessions,
)
from pyrepl_stream.host.places import SessionPlace
from pyrepl_stream.sessions.acting import session_of


@pytest.fixture(autouse=True)
def root() -> Iterator[Path]:
    with isolated() as root:
        yield root


def program(code: str) -> str:
    """What a program prints, on both streams."""
    return subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=True
    ).stdout


def pid_of(session: RemoteSession) -> int:
    session.connect().wait()
    assert session.hello is not None
    return int(session.hello["pid"])


# -- killed, closed ------------------------------------------------------------------------------


def test_whoever_comes_first_after_a_host_was_killed_the_session_is_as_it_was(root: Path) -> None:
    with connect("local:a", cwd=root, env={"A": "secret"}) as owner:
        owner.execute("import time; print(1, flush=True); time.sleep(1000)", execution_id="job").wait_started()
        os.kill(pid_of(owner), signal.SIGKILL)
        with session_of("a") as watcher:
            (complete,) = [m for m in watcher.attach("job") if isinstance(m, CompleteMessage)]
            assert complete.status == "lost"
            pid = pid_of(watcher)
        assert owner.execution("job").wait().status == "lost"
        assert owner.execute("import os; print(os.getcwd(), os.environ['A'])").wait().stdout == f"{root} secret\n"
        assert pid_of(owner) == pid


def test_a_session_with_other_options_is_read_and_stopped_but_runs_nothing(root: Path) -> None:
    with connect("local:a") as session:
        execution = session.execute("import time; print(1, flush=True); time.sleep(1000)", execution_id="job")
        other = connect("local:a", env={"A": "1"})
        with pytest.raises(UsageError, match="another A in env"):
            other.execute("print('never')").wait()
        stream = iter(other.attach("job"))
        assert isinstance(next(stream), OutputMessage)
        other.interrupt("job").wait()
        assert [found.id for found in other.executions_sync()] == ["job"]
        assert execution.wait().status == "interrupted"
        other.disconnect().wait()
        session.close().wait()


def test_a_reader_of_a_session_that_was_closed_starts_no_other() -> None:
    with connect("local:a") as session:
        execution = session.execute("for n in range(200_000): print('x' * 100)", execution_id="job")
        stream = execution.attach()
        assert stream.receive()
        assert execution.wait().success
        with connect("local:a") as other:
            other.close().wait()
        with contextlib.suppress(SessionClosedError):  # or the host had time to send the rest
            list(iter(stream.receive, None))
        with pytest.raises(SessionClosedError):
            session.execution("job").wait()
        assert not any(found.alive and found.pid is not None for found in list_sessions())
        assert session.execute("'new'").wait().result == "'new'"
        session.close().wait()


def test_what_is_run_while_the_session_is_being_closed_runs_in_the_next_one() -> None:
    stays = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print(1, flush=True); time.sleep(1000)"
    with connect("local:a") as session:
        stream = session.execute(stays, execution_id="job").attach()
        pid = pid_of(session)
        assert stream.receive()
        with connect("local:a") as other:
            closed = other.close()
            wait_until(lambda: not os.path.exists(SessionPlace("a").socket))  # it listens no more
            assert session.execute("'new'").wait().result == "'new'"
            closed.wait()
        assert pid_of(session) != pid
        session.close().wait()


def test_one_request_that_is_too_long_fails_alone() -> None:
    with connect("local:a") as session:
        stream = session.execute("print(input())", execution_id="job").attach()
        assert stream.receive()
        with pytest.raises(UsageError, match="too long"):
            session.execute("x" * (65 << 20)).wait()
        session.execution("job").input("yes")
        assert session.execution("job").wait().stdout.endswith("yes\n")
        session.close().wait()


# -- dropped -------------------------------------------------------------------------------------


def test_a_session_that_nobody_holds_disconnects() -> None:
    for _ in range(3):
        session = connect("local:a", idle_timeout=0.2)
        session.execute("1").wait()
        pid = pid_of(session)
        del session
        gc.collect()
    assert wait_for_end(pid)


def test_an_execution_needs_nobody_to_hold_its_session() -> None:
    execution = connect("local:a").execute("print(input('? '))")
    stream = execution.attach()
    received = []
    while not any(message.type == "input_request" for message in received):
        received += stream.receive() or []
    gc.collect()
    execution.input("yes")
    assert execution.wait().stdout.endswith("yes\n")
    assert execution.snapshot().status == "ok"


def test_a_session_that_is_not_entered_leaves_nothing_behind() -> None:
    code = """
from pyrepl_stream import UsageError, connect
with connect("local:a") as session:
    for _ in range(3):
        try:
            connect("local:a", env={"A": "1"}).__enter__()
        except UsageError:
            print("refused")
"""
    assert program(code) == "refused\n" * 3


# -- forks ---------------------------------------------------------------------------------------


def test_a_copy_of_the_process_is_told_to_connect_again() -> None:
    code = """
import os, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from pyrepl_stream import SessionClosedError, connect
with connect("local:a") as session:
    execution = session.execute("print(input())")
    stream = execution.attach()
    stream.receive()
    if not os.fork():
        for call in (session.execute("1").wait, execution.wait, stream.receive, session.executions_sync):
            try:
                call()
            except SessionClosedError as exc:
                print("connect again" in str(exc), flush=True)
        session.disconnect().wait()
        with connect("local:a") as other:
            other.execution(execution.id).input("from the child")
        os._exit(0)
    os.wait()
    print(execution.wait().stdout.splitlines()[-1])
"""
    assert program(code) == "True\n" * 4 + "from the child\n"


def test_a_copy_of_the_process_is_no_client() -> None:
    code = """
import os, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from pyrepl_stream import connect
with connect("local:a", idle_timeout=0.2) as session:
    pid = session.hello["pid"]
    reader, writer = os.pipe()
    if not os.fork():
        os.close(writer)
        os.read(reader, 1)  # until the parent has seen the host end
        os._exit(0)
host = os.pidfd_open(pid)
import select
print(bool(select.select([host], [], [], 20)[0]))
"""
    assert program(code) == "True\n"


# -- stopped -------------------------------------------------------------------------------------


def test_a_host_that_does_not_answer_is_not_dead() -> None:
    with connect("local:a") as session:
        assert session.execute("print(1, flush=True); import time; time.sleep(1000)").attach().receive()
        pid = host_pid(SessionPlace("a").socket)
        os.kill(pid, signal.SIGSTOP)
        try:
            (found,) = list_sessions()
        finally:
            os.kill(pid, signal.SIGCONT)
        assert (found.alive, found.answers, found.pid) == (True, False, pid)
        assert [execution.status for execution in found.executions] == ["running"]
        assert list_sessions()[0].answers
        session.close().wait()
