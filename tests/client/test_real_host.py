"""Remote sessions with real hosts, on asyncio, on trio and without an event loop."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest
from support.sessions import host_pid, isolated, wait_for_end

from pyrepl_stream import (
    Command,
    CompleteMessage,
    ExecuteMessage,
    ExecutionExistsError,
    InputReplyMessage,
    InputRequestMessage,
    Message,
    OutputMessage,
    RemoteSession,
    SessionClosedError,
    UnknownExecutionError,
    UsageError,
    connect,
)
from pyrepl_stream.processors import JsonLines
from pyrepl_stream.runtime.errors import CursorError, ExecutionEndedError
from pyrepl_stream.runtime.host.paths import SessionPaths
from pyrepl_stream.runtime.protocol import CommandRequest

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    with isolated() as root:
        yield root


@pytest.fixture
def remote(root: Path) -> Iterator[RemoteSession]:
    with connect("local:shared") as session:
        yield session
        for execution in session.executions().wait():  # left by a failed test, the next one would wait for it
            if execution.status in ("queued", "running"):
                execution.kill().wait()


@pytest.fixture
def own(root: Path) -> Iterator[RemoteSession]:
    """A session that the test may end."""
    with connect("local:own") as session:
        yield session
    with connect("local:own") as session:
        session.close().wait()


def gate(root: Path, name: str) -> tuple[Path, str]:
    """Return a path, and code that waits until a file is there."""
    path = root / name
    return path, f"import os, time\nwhile not os.path.exists({str(path)!r}): time.sleep(0.01)\n"


# -- reading -----------------------------------------------------------------------------------


async def test_an_execution_is_awaited_for_its_result(root: Path, anyio_backend: str) -> None:
    async with connect("local:shared") as session:
        result = await session.execute("print('hello'); 6 * 7")
    assert (result.status, result.success, result.stdout, result.result) == ("ok", True, "hello\n", "42")


async def test_an_execution_is_iterated_for_its_messages(
    root: Path, anyio_backend: str, joined: Callable[..., str], assert_whole: Callable[..., None]
) -> None:
    async with connect("local:shared") as session:
        messages = [message async for message in session.execute("for n in range(1000): print(n)")]
    assert_whole(messages)
    assert isinstance(messages[-1], CompleteMessage)
    assert joined(messages) == "".join(f"{number}\n" for number in range(1000))


def test_a_session_works_without_an_event_loop(remote: RemoteSession) -> None:
    execution = remote.execute("x = 1\nprint('a')")
    assert "".join(message.text for message in execution if isinstance(message, OutputMessage)) == "a\n"
    assert execution.wait().stdout == "a\n"
    assert remote.execute(ExecuteMessage("x + 1")).wait().result == "2"


def test_several_threads_read_several_executions_of_one_session(remote: RemoteSession) -> None:
    results: dict[int, str] = {}

    def run(number: int) -> None:
        results[number] = remote.execute(f"print({number} * 'x' * 10_000)").wait().stdout

    threads = [threading.Thread(target=run, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: "x" * 10_000 * number + "\n" for number in range(1, 9)}


def test_several_readers_get_the_same_messages(remote: RemoteSession) -> None:
    execution = remote.execute("for n in range(100): print(n)")
    first, second = list(execution), list(execution)
    assert first == second == list(remote.attach(execution.id))


def test_output_larger_than_the_window_is_delivered_whole(
    remote: RemoteSession, assert_whole: Callable[..., None]
) -> None:
    execution = remote.execute("import sys\nfor n in range(2000): sys.stdout.write(f'{n:07}' * 2000)")
    messages = list(execution)
    assert_whole(messages)
    text = "".join(message.text for message in messages if isinstance(message, OutputMessage))
    assert text == "".join(f"{number:07}" * 2000 for number in range(2000))


def test_processors_and_formats_work_as_in_a_thread_session(remote: RemoteSession) -> None:
    code = "print('{\"a\": 1}')"
    assert [event.data for event in remote.execute(code, format="json").wait().events] == [{"a": 1}]
    assert [event.data for event in remote.execute(code, processors=[JsonLines]).wait().events] == [{"a": 1}]


def test_a_batch_is_delivered_at_the_end(remote: RemoteSession, root: Path) -> None:
    path, waiting = gate(root, "batch")
    execution = remote.execute(f"print(1)\n{waiting}\nprint(2)", streaming=False)
    stream = execution.attach()
    assert stream.receive(0.2) == []
    path.touch()
    messages = [message for received in iter(stream.receive, None) for message in received]
    assert "".join(message.text for message in messages if isinstance(message, OutputMessage)) == "1\n2\n"


@pytest.mark.parametrize("after", [0, 1, 2])
def test_attaching_delivers_the_messages_after_a_number(remote: RemoteSession, after: int) -> None:
    execution = remote.execute("print(1)")
    messages = list(execution)
    assert list(execution.attach(after)) == messages[after:]
    assert list(remote.attach(execution.id, after)) == messages[after:]


@pytest.mark.parametrize("after", [None, 2**63 - 1, 2**63, 2**100])
def test_reading_beyond_the_end_is_an_error(remote: RemoteSession, after: int | None) -> None:
    execution = remote.execute("print(1)")
    last = list(execution)[-1].sequence
    after = last + 1 if after is None else after
    with pytest.raises(CursorError, match="after is"):
        list(execution.attach(after))


@pytest.mark.parametrize("after", [-1, True, 1.5, "1"])
def test_an_invalid_position_is_refused_at_once(remote: RemoteSession, after: int) -> None:
    with pytest.raises(CursorError, match="0 or more"):
        remote.execute("1").attach(after)


async def test_following_continues_after_the_end(root: Path, anyio_backend: str) -> None:
    path, waiting = gate(root, f"follow-{anyio_backend}")
    code = f"import threading\ndef late():\n    {waiting.replace(chr(10), chr(10) + '    ')}\n    import sys; sys.stdout.write('late\\n')\nthreading.Thread(target=late).start()"
    async with connect("local:shared") as session:
        execution = session.execute(code)
        assert (await execution).stdout == ""
        path.touch()
        async for message in execution.attach(follow=True):
            if isinstance(message, OutputMessage):
                break
        assert message.text == "late\n"
        assert message.sequence > 1


def test_a_snapshot_reads_the_record_so_far(remote: RemoteSession, root: Path) -> None:
    path, waiting = gate(root, "so-far")
    execution = remote.execute(f"import sys; sys.stdout.write('so far\\n')\n{waiting}\n1/0")
    stream = execution.attach()
    stream.receive()
    assert execution.stdout == "so far\n"
    assert execution.status == "running"
    assert not execution.success
    path.touch()
    execution.wait()
    assert execution.error is not None
    assert execution.error.name == "ZeroDivisionError"
    assert execution.status == "error"


def test_a_wait_that_timed_out_can_be_continued(remote: RemoteSession, root: Path) -> None:
    path, waiting = gate(root, "limit")
    execution = remote.execute(f"print(1)\n{waiting}\nprint(2)")
    with pytest.raises(TimeoutError):
        execution.wait(0.05)
    path.touch()
    assert execution.wait().stdout == "1\n2\n"


# -- what a session has against it ----------------------------------------------------------------


async def test_other_code_under_a_known_id_is_an_error_where_it_is_awaited(
    root: Path, anyio_backend: str
) -> None:
    name = f"job-{anyio_backend}"
    async with connect("local:shared") as session:
        assert await session.execute("print(1)", execution_id=name).started()
        again = session.execute("print(1)", execution_id=name)
        assert not await again.started()
        assert (await again).stdout == "1\n"
        other = session.execute("print(2)", execution_id=name)
        with pytest.raises(ExecutionExistsError, match="fresh"):
            await other.started()
        with pytest.raises(ExecutionExistsError, match="fresh"):
            await other
        with pytest.raises(ExecutionExistsError):
            [message async for message in other]
        fresh = session.execute("print(2)", execution_id=name, fresh=True)
        assert await fresh.started()
        assert (await fresh).stdout == "2\n"


def test_fresh_keeps_what_is_loaded_and_is_refused_while_the_execution_runs(remote: RemoteSession) -> None:
    remote.execute("loaded = [1]").wait()
    execution = remote.execute("import time; time.sleep(1000)", execution_id="sleeper")
    assert execution.wait_started(30)
    again = "print(loaded)"
    with pytest.raises(ExecutionExistsError, match=r"session\.interrupt\('sleeper'\)"):
        remote.execute(again, execution_id="sleeper", fresh=True).wait()
    remote.interrupt("sleeper")
    assert execution.wait().status == "interrupted"
    assert remote.execute(again, execution_id="sleeper", fresh=True).wait().stdout == "[1]\n"


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".", "-x", "x" * 65, "ä"])
def test_an_invalid_id_is_refused_at_once(remote: RemoteSession, name: str) -> None:
    with pytest.raises(UsageError, match="execution id"):
        remote.execute("1", execution_id=name)
    with pytest.raises(UsageError, match="execution id"):
        remote.execution(name)


def test_invalid_options_are_refused_at_once(remote: RemoteSession) -> None:
    with pytest.raises(UsageError, match="timeout"):
        remote.execute("1", timeout=-1)
    with pytest.raises(UsageError, match="text or an ExecuteMessage"):
        remote.execute(1)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="format"):
        remote.execute("1", format="xml")


def test_the_old_names_of_methods_warn(remote: RemoteSession) -> None:
    with pytest.deprecated_call(match=r"use run_process"):
        execution = remote.launch_command(CommandRequest.of(Command("echo 1")))
    assert execution.wait().stdout == "1\n"
    with pytest.deprecated_call(match=r"use executions\(\).wait"):
        assert execution.id in [listed.id for listed in remote.executions_sync()]


async def test_an_unknown_execution_is_an_error_wherever_it_is_used(root: Path, anyio_backend: str) -> None:
    async with connect("local:shared") as session:
        execution = session.execution("nobody")
        with pytest.raises(UnknownExecutionError):
            await execution.started()
        with pytest.raises(UnknownExecutionError):
            await execution
        with pytest.raises(UnknownExecutionError):
            await session.interrupt("nobody")
        with pytest.raises(UnknownExecutionError):
            [message async for message in session.attach("nobody")]


def test_on_created_is_called_before_the_code_starts(remote: RemoteSession) -> None:
    seen: list[str] = []

    def refuse(execution: object) -> None:
        raise LookupError("not now")

    remote.execute("1", on_created=lambda execution: seen.append(execution.id), execution_id="seen").wait()
    assert seen == ["seen"]
    with pytest.raises(LookupError):
        remote.execute("1", on_created=refuse, execution_id="unseen")
    with pytest.raises(UnknownExecutionError):
        remote.execution("unseen").wait_started()


# -- acting on it ------------------------------------------------------------------------------


async def test_an_interrupt_is_awaited_until_the_end(root: Path, anyio_backend: str) -> None:
    async with connect("local:shared") as session:
        await session.execute("kept = 1")
        execution = session.execute("print('begun'); import time; time.sleep(1000)")
        async for message in execution:
            if isinstance(message, OutputMessage):
                break
        await execution.interrupt()
        assert execution.status == "interrupted"
        await execution.interrupt()  # that it has ended is not an error
        assert (await session.execute("kept")).result == "1"


def test_a_kill_ends_code_that_ignores_interrupts(own: RemoteSession) -> None:
    code = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint(1)\nwhile True: time.sleep(1)"
    execution = own.execute(code)
    for message in execution:
        if isinstance(message, OutputMessage):
            break
    execution.kill().wait(30)
    assert execution.wait().status == "killed"


def test_a_timeout_ends_a_run(remote: RemoteSession) -> None:
    result = remote.execute("import time; time.sleep(1000)", timeout=0.2).wait()
    assert result.status == "timeout"
    assert "0.2 s" in result.reason


def test_a_queued_execution_names_the_one_that_it_waits_for(remote: RemoteSession, root: Path) -> None:
    path, waiting = gate(root, "queue")
    first = remote.execute(waiting)
    first.wait_started()
    second = remote.execute("print(2)")
    second.wait_started()
    assert (second.status, second.behind) == ("queued", first.id)
    path.touch()
    assert second.wait().stdout == "2\n"


async def test_input_is_answered(root: Path, anyio_backend: str) -> None:
    async with connect("local:shared") as session:
        execution = session.execute("print(input('name? '))")
        seen: list[Message] = []
        async for message in execution:
            seen.append(message)
            if isinstance(message, InputRequestMessage):
                assert execution.asks(message)
                execution.input("Ada", message)
                assert not execution.asks(message)
                with pytest.raises(ExecutionEndedError):
                    execution.input("Bob", message)
        assert (await execution).stdout.endswith("Ada\n")
        assert any(isinstance(message, InputReplyMessage) and message.text == "Ada" for message in seen)


def test_the_open_question_is_answered_without_naming_it(remote: RemoteSession) -> None:
    execution = remote.execute("print(input('name? '))")
    for message in execution:
        if isinstance(message, InputRequestMessage):
            break
    remote.execution(execution.id).input("Ada")
    assert execution.wait().stdout.endswith("Ada\n")
    with pytest.raises(UsageError):
        execution.input("again")


def test_only_its_session_writes_into_an_execution(remote: RemoteSession) -> None:
    with pytest.raises(UsageError, match="runs elsewhere"):
        remote.execute("1").writer()


def test_commands_are_written_to_signalled_and_resized(remote: RemoteSession) -> None:
    execution = remote.run_process("while read line; do echo got $line; done; echo end")
    assert isinstance(execution.pid, int)
    assert execution.write("one\n") == 4
    assert execution.write(b"two\n") == 4
    execution.resize(50, 100)
    execution.close_stdin()
    result = execution.wait()
    assert (result.stdout, result.exit_code) == ("got one\ngot two\nend\n", 0)
    with pytest.raises(ExecutionEndedError):
        execution.write("more\n")
    with pytest.raises(UsageError, match="not a signal"):
        execution.send_signal(999)


def test_a_command_that_gets_a_signal_ends_by_it(remote: RemoteSession) -> None:
    execution = remote.run_process(["sleep", "1000"])
    assert execution.pid is not None
    execution.send_signal(signal.SIGTERM)
    assert execution.wait().exit_code == 128 + signal.SIGTERM


# -- sessions ----------------------------------------------------------------------------------


async def test_the_session_goes_on_when_its_client_has_left(root: Path, anyio_backend: str) -> None:
    async with connect("local:shared") as session:
        assert session.hello is not None
        pid = session.hello["pid"]
        execution = session.execute("left = 'behind'\nprint(left)")
        await execution.started()
    async with connect("local:shared") as session:
        assert session.hello is not None
        assert session.hello["pid"] == pid
        assert (await session.execution(execution.id)).stdout == "behind\n"
        known = {found.id: found for found in await session.executions()}
    assert known[execution.id].status == "ok"
    assert known[execution.id].summary is not None
    assert known[execution.id].summary["code"] == "left = 'behind'"


def test_a_reader_fails_when_its_client_disconnects(remote: RemoteSession) -> None:
    with connect("local:shared") as session:
        execution = session.execute("print(1); import time; time.sleep(1000)")
        stream = execution.attach()
        stream.receive()
    with pytest.raises(SessionClosedError, match="continues"):
        stream.receive()
    with pytest.raises(SessionClosedError):
        session.execute("1").wait()
    remote.interrupt(execution.id).wait()


def test_the_first_use_connects(root: Path) -> None:
    session = connect("local:shared")
    assert session.hello is None
    assert session.execute("print(1)").wait().stdout == "1\n"
    session.disconnect().wait()


def test_closing_ends_the_session_and_what_runs_in_it(own: RemoteSession) -> None:
    assert own.hello is not None
    execution = own.execute("import time; time.sleep(1000)")
    execution.wait_started()
    stream = execution.attach()
    own.close().wait()
    assert wait_for_end(own.hello["pid"])
    received = [message for messages in iter(stream.receive, None) for message in messages]
    assert isinstance(received[-1], CompleteMessage)
    assert received[-1].status == "killed"
    with pytest.raises(SessionClosedError, match="closed"):
        own.execute("1").wait()


def test_a_host_that_is_killed_leaves_its_record_and_is_replaced(own: RemoteSession) -> None:
    execution = own.execute("import sys, time\nx = 1\nsys.stdout.write('before\\n')\ntime.sleep(1000)")
    stream = iter(execution)
    assert isinstance(next(stream), OutputMessage)
    os.kill(host_pid(SessionPaths("own").socket), signal.SIGKILL)
    (complete,) = list(stream)
    assert isinstance(complete, CompleteMessage)
    assert (complete.status, complete.success) == ("lost", False)
    assert own.execute("'x' in globals()").wait().result == "False"
    assert own.execution(execution.id).wait().stdout == "before\n"


def test_other_options_than_those_of_the_running_session_are_an_error(
    remote: RemoteSession, root: Path
) -> None:
    for options in ({"cwd": root}, {"env": {"A": "1"}}, {"python": "/bin/sh"}):
        with pytest.raises(UsageError, match=r"'shared' is already running.*another name.*close shared"):
            connect("local:shared", **options).connect().wait()


def test_another_folder_than_that_of_this_process_is_logged_once_before_the_first_answer(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with connect("local:elsewhere", cwd=root) as started:
        started.execute("1").wait()
        assert not caplog.records
        with connect("local:elsewhere") as session:
            session.execution("nothing")
            session.executions().wait()
            assert not caplog.records
            assert session.execute("1").wait_started()
            (record,) = caplog.records
            assert (record.name, record.levelname) == ("pyrepl_stream", "WARNING")
            assert str(root) in record.getMessage()
            session.execute("1").wait()
            assert len(caplog.records) == 1
        reports: list[str] = []
        with connect("local:elsewhere", report=reports.append) as session:
            session.execute("1").wait()
        with connect("local:elsewhere", report=None) as session:
            session.execute("1").wait()
        assert reports == [record.getMessage()]
        assert len(caplog.records) == 1
        started.close().wait()


def test_options_of_a_new_session_hold(root: Path) -> None:
    with connect(
        "local:options", cwd=root, env={"GREETING": "hi"}, idle_timeout=100.0, retention=1 << 30
    ) as session:
        result = session.execute("import os; print(os.getcwd(), os.environ['GREETING'])").wait()
        assert result.stdout == f"{os.path.realpath(root)} hi\n"
        with connect("local:options", cwd=root, env={"GREETING": "hi"}) as same:
            assert same.hello is not None and session.hello is not None
            assert same.hello["pid"] == session.hello["pid"]
        session.close().wait()


async def test_a_reader_that_is_cancelled_leaves_the_run_alone(root: Path, anyio_backend: str) -> None:
    path, waiting = gate(root, f"cancelled-{anyio_backend}")
    async with connect("local:shared") as session:
        execution = session.execute(f"{waiting}\nprint('done')")
        with anyio.move_on_after(0.05):
            await execution
        path.touch()
        assert (await execution).stdout == "done\n"
