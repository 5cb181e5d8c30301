"""Clients and their sessions when hosts are killed, stopped or closed, and after a fork."""

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
)
from pyrepl_stream.inventory import list_sessions
from pyrepl_stream.inventory.actions import session_of
from pyrepl_stream.runtime.host.paths import SessionPaths


@pytest.fixture(autouse=True)
def root() -> Iterator[Path]:
    with isolated() as root:
        yield root


def program(code: str) -> str:
    """Return the output of a program, of both streams."""
    return subprocess.run(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=True,
    ).stdout


def pid_of(session: RemoteSession) -> int:
    session.connect().wait()
    assert session.hello is not None
    return int(session.hello["pid"])


# -- killed, closed ------------------------------------------------------------------------------


def test_a_session_whose_host_was_killed_restarts_with_its_options(root: Path) -> None:
    with connect("local:a", cwd=root, env={"A": "secret"}) as owner:
        owner.execute(
            "import time; print(1, flush=True); time.sleep(1000)", execution_id="job"
        ).wait_started()
        os.kill(pid_of(owner), signal.SIGKILL)
        with session_of("a") as watcher:
            (complete,) = [m for m in watcher.attach("job") if isinstance(m, CompleteMessage)]
            assert complete.status == "lost"
            pid = pid_of(watcher)
        assert owner.execution("job").wait().status == "lost"
        assert (
            owner.execute("import os; print(os.getcwd(), os.environ['A'])").wait().stdout
            == f"{root} secret\n"
        )
        assert pid_of(owner) == pid


def test_a_session_with_other_options_is_read_and_stopped_but_runs_nothing(root: Path) -> None:
    with connect("local:a") as session:
        execution = session.execute("import time; print(1, flush=True); time.sleep(1000)", execution_id="job")
        other = connect("local:a", env={"A": "1"})
        with pytest.raises(UsageError, match="another value of A in env"):
            other.execute("print('never')").wait()
        stream = iter(other.attach("job"))
        assert isinstance(next(stream), OutputMessage)
        other.interrupt("job").wait()
        assert [found.id for found in other.executions().wait()] == ["job"]
        assert execution.wait().status == "interrupted"
        other.disconnect().wait()
        session.close().wait()


def test_reading_does_not_restart_a_closed_session() -> None:
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


def test_code_that_is_sent_while_the_session_closes_runs_in_the_next_one() -> None:
    stays = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print(1, flush=True); time.sleep(1000)"
    with connect("local:a") as session:
        stream = session.execute(stays, execution_id="job").attach()
        pid = pid_of(session)
        assert stream.receive()
        with connect("local:a") as other:
            closed = other.close()
            wait_until(lambda: not os.path.exists(SessionPaths("a").socket))  # it does not listen any more
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


def test_a_garbage_collected_session_disconnects() -> None:
    for _ in range(3):
        session = connect("local:a", idle_timeout=0.2)
        session.execute("1").wait()
        pid = pid_of(session)
        del session
        gc.collect()
    assert wait_for_end(pid)


def test_an_execution_works_after_its_session_object_is_gone() -> None:
    execution = connect("local:a").execute("print(input('? '))")
    stream = execution.attach()
    received = []
    while not any(message.type == "input_request" for message in received):
        received += stream.receive() or []
    gc.collect()
    execution.input("yes")
    assert execution.wait().stdout.endswith("yes\n")
    assert execution.snapshot().status == "ok"


def test_a_session_that_is_not_entered_leaves_no_resources_open() -> None:
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


def test_a_forked_process_must_connect_again() -> None:
    code = """
import os, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from pyrepl_stream import SessionClosedError, connect
with connect("local:a") as session:
    execution = session.execute("print(input())")
    stream = execution.attach()
    stream.receive()
    if not os.fork():
        for call in (session.execute("1").wait, execution.wait, stream.receive, session.executions().wait):
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


def test_a_forked_process_does_not_count_as_a_client() -> None:
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
        pid = host_pid(SessionPaths("a").socket)
        os.kill(pid, signal.SIGSTOP)
        try:
            (found,) = list_sessions()
        finally:
            os.kill(pid, signal.SIGCONT)
        assert (found.alive, found.answers, found.pid) == (True, False, pid)
        assert [execution.status for execution in found.executions] == ["running"]
        assert list_sessions()[0].answers
        session.close().wait()
