"""Finding sessions and executions by their records on disk, with and without hosts."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.records import make_records, records_read
from support.sessions import isolated
from support.sessions import wait_for_end as wait_for_process

from pyrepl_stream import (
    CompleteMessage,
    OutputMessage,
    SessionClosedError,
    TargetError,
    UnknownExecutionError,
    UsageError,
    connect,
)
from pyrepl_stream.inventory import (
    close_session,
    close_sessions,
    find_execution,
    find_session,
    list_sessions,
    read_record,
    sessions_table,
    stop_execution,
    wait_for_end,
)
from pyrepl_stream.runtime.errors import CursorError, ExecutionEndedError
from pyrepl_stream.runtime.host.launch import locked
from pyrepl_stream.runtime.host.paths import SessionPaths
from pyrepl_stream.runtime.journal.spool.status import SpoolStatus
from pyrepl_stream.runtime.journal.spool.writer import Spool
from pyrepl_stream.runtime.wire import unnumbered


@pytest.fixture(autouse=True)
def root() -> Iterator[Path]:
    with isolated() as root:
        yield root


def record(
    session: str, execution_id: str, *, started: float = 1e9, ended: bool = True, head: str = "code"
) -> None:
    """Make the record that a host leaves of an execution that printed `one` and `two`."""
    place = SessionPaths(session)
    status = SpoolStatus(execution_id, "epoch", session, "digest", head, started)
    spool = Spool.create(place.execution(execution_id), status, request={})
    spool.begin()
    for text in ("one\n", "two\n"):
        spool.append(unnumbered(OutputMessage(data=text)), len(text))
    spool.commit()
    if ended:
        spool.complete(CompleteMessage(success=False, status="error", exit_code=3, duration=61.5))
    spool.close()


def test_sessions_are_listed_by_name_and_executions_by_age() -> None:
    record("b", "late", started=2e9)
    record("b", "early", started=1e9)
    record("a", "other")
    sessions = list_sessions()
    assert [session.name for session in sessions] == ["a", "b"]
    assert [execution.name for execution in sessions[1].executions] == ["b/early", "b/late"]
    assert not any(session.alive for session in sessions)
    assert (find_session("local:a").name, find_session("b").pid) == ("a", None)


def test_an_execution_without_an_end_and_a_host_is_lost() -> None:
    record("a", "done")
    record("a", "cut", ended=False)
    assert {e.id: (e.status, e.ended) for e in list_sessions()[0].executions} == {
        "done": ("error", True),
        "cut": ("lost", True),
    }
    assert wait_for_end(find_execution("cut")) is None
    done = wait_for_end(find_execution("done"))
    assert done is not None
    assert done.exit_code == 3
    with pytest.raises(ExecutionEndedError, match=r"a/cut has ended \(lost\): there is nothing to interrupt"):
        stop_execution(find_execution("cut"))


def test_a_record_that_cannot_be_read_is_lost(root: Path) -> None:
    record("a", "good")
    directory = Path(SessionPaths("a").directory)
    (directory / "rubbish").mkdir(0o700)
    (directory / "rubbish" / "status.json").write_text("")
    (directory / "empty").mkdir()
    (session,) = list_sessions()
    assert {execution.id: execution.status for execution in session.executions} == {
        "good": "error",
        "rubbish": "lost",
        "empty": "lost",
    }
    assert wait_for_end(find_execution("rubbish")) is None
    assert "a/rubbish" in sessions_table([session])


def test_other_files_are_ignored(root: Path) -> None:
    record("a", "good")
    directory = Path(SessionPaths("a").directory)
    (directory / ".hidden").mkdir()
    (directory / "-none").mkdir()
    (directory / "file").touch()
    (directory.parent / "0123456789abcdef").mkdir()
    (directory.parent / "something").mkdir()
    Path(SessionPaths("b").socket).with_name("0123456789abcdef.socket").touch()
    (session,) = list_sessions()
    assert [execution.id for execution in session.executions] == ["good"]


_RUBBISH = [
    b"",
    b"rubbish\n",
    b'{"error": "usage"}\n',
    b'{"request": 1}\n',
    b"\xff" * 100,
    b"{}\n[]\n",
    b"{}\n{}\n",
    b'{}\n{"executions": 5}\n',
    b'{}\n{"executions": [5]}\n',
    b'{}\n{"executions": [{}]}\n',
]


@pytest.mark.parametrize("answer", _RUBBISH)
def test_a_host_that_sends_rubbish_is_alive_and_does_not_answer(root: Path, answer: bytes) -> None:
    record("a", "good")
    with locked(SessionPaths("a").host_lock), socket.socket(socket.AF_UNIX) as listener:
        listener.bind(SessionPaths("a").socket)
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        found = find_session("a")
        assert (found.alive, found.answers, found.pid) == (True, False, os.getpid())
        assert f"[the host does not answer: a (process {os.getpid()})]" in sessions_table([found])
        thread.join()


def test_the_error_about_a_host_that_cannot_be_closed_says_how_to_end_it(root: Path) -> None:
    record("a", "good")
    with (
        locked(SessionPaths("a").host_lock),
        socket.create_server(SessionPaths("a").socket, family=socket.AF_UNIX) as listener,
    ):

        def serve() -> None:
            with contextlib.suppress(OSError):  # the listener was shut down
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(1 << 16)
                        connection.sendall(b'{"request": 1, "error": "protocol", "message": "too new"}\n')

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with pytest.raises(
                TargetError, match=f"a cannot be closed: .*`kill -KILL {os.getpid()}`, then close a again"
            ):
                close_session(find_session("a"))
            record("b", "other")
            assert list(close_sessions(list_sessions())) == ["a"]
            assert [session.name for session in list_sessions()] == ["a"]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_hosts_are_asked_at_the_same_time(root: Path) -> None:
    names = ["a", "b", "c"]
    all_asked = threading.Barrier(len(names))

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(threading.BrokenBarrierError):
            connection.recv(1 << 16)  # closing with unread data would reset the connection
            all_asked.wait()
            connection.sendall(b'{"request": 1}\n{"request": 2, "executions": []}\n')

    with contextlib.ExitStack() as stack:
        for name in names:
            record(name, "good")
            stack.enter_context(locked(SessionPaths(name).host_lock))
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(SessionPaths(name).socket)
            listener.listen()
            thread = threading.Thread(target=serve, args=(listener,))
            thread.start()
            stack.callback(thread.join)
        stack.callback(all_asked.abort)
        assert [(session.name, session.answers) for session in list_sessions()] == [
            (name, True) for name in names
        ]


def test_a_listener_without_the_lock_is_not_a_host(root: Path) -> None:
    record("a", "good")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(SessionPaths("a").socket)
        listener.listen()
        assert not find_session("a").alive


def test_a_session_without_executions_is_found_when_its_host_was_killed(root: Path) -> None:
    with connect("local:idle") as session:
        assert session.hello is not None
        pid = session.hello["pid"]
        (found,) = list_sessions()
        assert (found.name, found.alive, found.pid, found.executions) == ("idle", True, pid, ())
        os.kill(pid, signal.SIGKILL)
        assert wait_for_process(pid)
    (found,) = list_sessions()
    assert (found.name, found.alive) == ("idle", False)
    assert sessions_table([found]).splitlines()[1:] == ["idle/      ended", "[no host, only records: idle]"]
    close_session(found)
    assert list_sessions() == []
    left = [path.name for path in root.rglob("*") if path.is_file() or path.is_socket()]
    assert left == []


def test_an_end_between_listing_and_waiting_is_not_missed(root: Path) -> None:
    with connect("local:a") as session:
        code = (
            f"import os, time\nprint(1, flush=True)\nwhile not os.path.exists('{root}/go'): time.sleep(0.01)"
        )
        execution = session.execute(code, execution_id="job")
        assert execution.attach().receive()
        found = find_execution("job")
        assert found.status == "running"
        (root / "go").touch()
        assert execution.wait().success
        complete = wait_for_end(found)
        assert complete is not None
        assert complete.success


def test_an_action_on_a_session_that_was_closed_meanwhile_does_not_start_it() -> None:
    with connect("local:a") as session:
        stream = session.execute(
            "print(1, flush=True); import time; time.sleep(1000)", execution_id="job"
        ).attach()
        assert stream.receive()
        found, known = find_execution("job"), find_session("a")
        session.close().wait()
    for action in (stop_execution, wait_for_end):
        with pytest.raises((SessionClosedError, UnknownExecutionError)):
            action(found)
    close_session(known)
    assert list_sessions() == []


def test_ids_can_be_shortened_unless_they_are_ambiguous() -> None:
    for session, execution_id in (("a", "train"), ("a", "training"), ("b", "train"), ("default", "only")):
        record(session, execution_id)
    names = {
        word: find_execution(word).name
        for word in ("o", "training", "a/train", "b/t", "local:b/tr", "local:/o")
    }
    assert names == {
        "o": "default/only",
        "training": "a/training",
        "a/train": "a/train",
        "b/t": "b/train",
        "local:b/tr": "b/train",
        "local:/o": "default/only",
    }
    for word in ("t", "train", "a/t"):
        with pytest.raises(UsageError, match=f"'{word}' is ambiguous: a/train"):
            find_execution(word)
    for word in ("", "a/", "b/training", "x"):
        with pytest.raises(UnknownExecutionError, match="there is no execution"):
            find_execution(word)
    with pytest.raises(UnknownExecutionError, match="there is no session 'c'; known: a, b, default"):
        find_execution("c/train")
    with pytest.raises(UnknownExecutionError, match=r"did you mean 'training'\?"):
        find_execution("trainnig")


def test_an_error_names_a_limited_number_of_executions() -> None:
    for number in range(40):
        record("a", f"job-{number:02}")
    with pytest.raises(UsageError, match=r"a/job-05 and 34 more; give more of the id"):
        find_execution("job")
    with pytest.raises(UnknownExecutionError, match=r"known: job-00, .*job-05 and 34 more$"):
        find_execution("x")
    with pytest.raises(UsageError, match="there is no session 'b'; known: a"):
        find_session("b")


RUN = "from pyrepl_stream.cli import main\nmain({!r})"


def test_a_table_reads_the_records_of_what_runs_and_of_what_ended_last() -> None:
    ids = make_records("a", 120)
    for number, execution_id in enumerate(ids):
        os.utime(SessionPaths("a").execution(execution_id), (number, number))
    record("a", "cut", started=2e9, ended=False)
    lost = Path(SessionPaths("a").execution("cut"))
    (lost / "closed").rename(lost / "open")
    os.utime(lost, (0, 0))
    record("b", "other")
    read, printed = records_read(RUN.format(["ls"]))
    assert read == ["cut", *ids[20:], "other"]
    assert printed.count("\na/") == 101
    assert "[older executions that are not shown: 20 of a]\n" in printed


def test_an_execution_is_found_without_reading_other_records() -> None:
    make_records("a", 5)
    record("a", "train")
    record("b", "other")
    Path(SessionPaths("a").directory, "session.json").write_text('{"name": "a"}')
    Path(SessionPaths("b").directory, "session.json").write_text('{"name": "b"}')
    for name in ("tr", "train", "a/train"):
        read, printed = records_read(RUN.format(["logs", name]))
        assert read == ["train"]
        assert printed == "one\ntwo\n"
    assert records_read(RUN.format(["logs", "job"]))[0] == []


def test_a_record_is_read_from_any_position() -> None:
    record("a", "job")
    found = find_execution("job")
    messages = [message for batch in read_record(found) for message in batch]
    assert [message.sequence for message in messages] == [1, 2, 3]
    assert [message for batch in read_record(found, 2) for message in batch] == messages[2:]
    assert [batch for batch in read_record(found, 3) if batch] == []
    for after in (-1, 4):
        with pytest.raises(CursorError):
            next(read_record(found, after))


def test_the_records_of_a_session_without_a_host_can_be_deleted(root: Path) -> None:
    record("a", "job")
    record("b", "job")
    close_session(find_session("a"), keep_records=True)
    assert len(list_sessions()) == 2
    close_session(find_session("a"))
    assert [session.name for session in list_sessions()] == ["b"]
    assert not list(root.glob("run/*"))


def test_a_session_that_a_host_has_taken_over_keeps_its_records() -> None:
    record("a", "job")
    session = find_session("a")
    with (
        locked(SessionPaths("a").host_lock),
        pytest.raises(UsageError, match="has been started in the meantime"),
    ):
        close_session(session)
    assert find_execution("job")


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("utc")
def test_the_table_shows_name_status_start_duration_and_code() -> None:
    record("a", "job", started=1e9, head="print('\x1b[31mred\x07')" + "x" * 100)
    record("b", "cut", started=1e9 - 86400, ended=False, head="second")
    assert sessions_table(list_sessions(), now=1e9 + 100).splitlines() == [
        "EXECUTION  STATUS     STARTED           TOOK  CODE",
        "a/job      error (3)  01:46:40          1:02  print(' [31mred ')xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...",
        "b/cut      lost       2001-09-08 01:46        second",
        "[no host, only records: a, b]",
    ]
    assert sessions_table([]) == "there are no sessions\n"
