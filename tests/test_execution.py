"""Executions: processors, results and waiting."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from pyrepl_stream import (
    CompleteMessage,
    EventMessage,
    ExecutionResult,
    GapMessage,
    InputRequestMessage,
    Message,
    MessageType,
    OutputMessage,
    Session,
    UsageError,
)
from pyrepl_stream.processors import Prefix


def upper(message: Message) -> Message:
    return replace(message, data=message.text.upper()) if isinstance(message, OutputMessage) else message


def doubled(message: Message) -> list[Message]:
    return [message, EventMessage(execution_id=message.execution_id, sequence=message.sequence, name="seen")]


def without_output(message: Message) -> Message | None:
    return None if isinstance(message, OutputMessage) else message


async def upper_async(message: Message) -> Message:
    return upper(message)


# -- processors ---------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("processor", [upper, upper_async])
async def test_a_processor_changes_messages(async_session: Session, processor: Callable[..., object]) -> None:
    execution = async_session.execute("print('abc')", processors=[processor])
    assert (await execution).stdout == "ABC\n"


@pytest.mark.anyio
async def test_processors_run_in_order_and_may_add_and_drop(async_session: Session) -> None:
    execution = async_session.execute("print('abc')", processors=(doubled, without_output))
    assert {m.type async for m in execution} == {MessageType.EVENT, MessageType.COMPLETE}


@pytest.mark.anyio
async def test_an_error_in_a_processor_is_a_log_and_nothing_is_lost(async_session: Session) -> None:
    def fail(message: Message) -> Message:
        raise LookupError("mine")

    result = await async_session.execute("print(1)", processors=[fail])
    assert (result.stdout, result.success) == ("1\n", True)
    assert "LookupError: mine" in result.logs[0].text


def test_a_wait_that_timed_out_goes_on_with_what_its_processors_hold(session: Session) -> None:
    session.namespace["go_on"] = go_on = threading.Event()
    code = "import sys; print('abc ', end='', flush=True); go_on.wait(60); print('def'); print('ghi')"
    execution = session.execute(code, processors=[Prefix("> ")])
    with pytest.raises(TimeoutError):
        execution.wait(0.3)
    go_on.set()
    assert execution.wait(60).stdout == "> abc def\n> ghi\n"


def test_processors_work_without_an_event_loop(session: Session) -> None:
    assert session.execute("print('abc')", processors=[upper]).wait(60).stdout == "ABC\n"
    names = [m.type for m in session.execute("1", processors=[doubled])]
    assert names == ["result", "event", "complete", "event"]


def test_an_async_processor_without_an_event_loop_is_a_usage_error(session: Session) -> None:
    with pytest.raises(UsageError, match="async"):
        list(session.execute("1", processors=[upper_async]))


# -- waiting ------------------------------------------------------------------------------------


def test_wait_gives_up_after_its_timeout_and_may_be_called_again(session: Session) -> None:
    session.namespace["go_on"] = go_on = threading.Event()
    execution = session.execute("print(1); go_on.wait(); print(2)")
    with pytest.raises(TimeoutError, match=execution.id):
        execution.wait(0.01)
    go_on.set()
    assert execution.wait(60).stdout == "1\n2\n"
    assert execution.wait() is execution.wait(0)


def test_wait_with_a_timeout_reads_and_loses_nothing_of_long_output(
    session_of: Callable[..., Session],
) -> None:
    session = session_of(buffer_bytes=100_000)
    outcome = session.execute("for i in range(20_000): print('x' * 999)").wait(60)
    assert outcome.missing_bytes == 0
    assert len(outcome.stdout) == 20_000_000


def test_a_wait_that_timed_out_goes_on_where_it_was(session_of: Callable[..., Session]) -> None:
    session = session_of(buffer_bytes=100_000)
    session.namespace["go_on"] = go_on = threading.Event()
    execution = session.execute("print('a' * 300_000); go_on.wait(); print('b' * 300_000)")
    with pytest.raises(TimeoutError):
        execution.wait(0.05)
    go_on.set()
    assert execution.wait(60).stdout == "a" * 300_000 + "\n" + "b" * 300_000 + "\n"


# -- what is known so far -----------------------------------------------------------------------


def test_output_so_far_is_available_without_reading(session: Session) -> None:
    session.namespace["go_on"] = go_on = threading.Event()
    execution = session.execute("print(1); go_on.wait(); 5")
    stream = iter(execution.attach())
    while "\n" not in getattr(next(stream), "data", ""):
        pass
    assert (execution.stdout, execution.result, execution.status, execution.success) == (
        "1\n",
        None,
        "running",
        False,
    )
    go_on.set()
    list(stream)
    assert (execution.stdout, execution.result, execution.status, execution.success) == (
        "1\n",
        "5",
        "ok",
        True,
    )


def test_a_retained_execution_has_all_of_its_output(session_of: Callable[..., Session]) -> None:
    session = session_of(buffer_bytes=10_000)
    execution = session.execute("for i in range(1000): print('x' * 99)", retain_output=True)
    execution.wait(60)
    assert execution.stdout == ("x" * 99 + "\n") * 1000


def test_a_result_collects_gaps() -> None:
    result = ExecutionResult("e")
    for message in (GapMessage(bytes=5), GapMessage(bytes=None), GapMessage(bytes=7)):
        result.add(message)
    assert result.missing_bytes == 12
    assert len(result.gaps) == 3


def test_a_result_is_running_until_complete() -> None:
    result = ExecutionResult("e")
    assert (result.status, result.success) == ("running", False)
    result.add(CompleteMessage(success=True))
    assert (result.status, result.success) == ("ok", True)


def test_an_error_info_is_text_with_attributes(session: Session) -> None:
    error = session.execute("raise ValueError('no')").wait(60).error
    assert error == "ValueError: no"
    assert error is not None
    assert (error.name, error.value) == ("ValueError", "no")
    assert error.traceback[-1] == "ValueError: no"


def test_reprs_name_the_execution(session: Session) -> None:
    execution = session.execute("1", execution_id="job")
    execution.wait(60)
    assert "job" in repr(execution)
    assert "ok" in repr(execution)


# -- garbage ------------------------------------------------------------------------------------


def test_a_waiting_main_thread_handles_an_interrupt_that_does_not_wake_it(
    run_python: Callable[..., object],
) -> None:
    # The system may deliver a signal to any thread, and one that comes just before the wait does not end it.
    program = """
import signal, threading, time
from pyrepl_stream import Session

def interrupt():
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    time.sleep(0.3)  # the main thread waits by now
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
with Session() as session:
    execution = session.execute("import time\\nwhile True: time.sleep(0.01)")
    for wait in (execution.wait, execution.attach().receive):
        threading.Thread(target=interrupt).start()
        try:
            wait()
        except KeyboardInterrupt:
            print("seen")
    execution.kill()
"""
    process = run_python(program, timeout=60)
    assert (process.stdout, process.stderr) == ("seen\nseen\n", "")


def test_streams_collected_during_a_write_do_not_block(run_python: Callable[..., object]) -> None:
    # The garbage collector may run in any thread, also in the one that writes to the journal.
    program = """
import gc
from pyrepl_stream import Session
class Cycle:
    def __init__(self, *kept): self.kept, self.own = kept, self
with Session() as session:
    gc.set_threshold(20, 1, 1)
    writing = session.execute("import sys\\nfor i in range(20000): sys.stdout.write('x'); sys.stderr.write('y')")
    count = 0
    for message in writing:
        Cycle(writing.attach(), session.execute("1", execution_id="other"))
        count += len(getattr(message, "data", ""))
        if message.type == "complete": break
    print(count)
"""
    process = run_python(program, "-X", "dev", timeout=100)
    assert (process.stdout, process.stderr) == ("40000\n", "")


def test_a_garbage_collected_execution_does_not_hold_its_code_up(session_of: Callable[..., Session]) -> None:
    session = session_of(buffer_bytes=10_000)
    session.namespace["ended"] = ended = threading.Event()
    session.execute("for i in range(5000): print('x' * 99)\nended.set()", execution_id="job")
    gc.collect()
    assert ended.wait(60)


def test_finished_executions_are_forgotten_when_they_take_too_much(
    session_of: Callable[..., Session],
) -> None:
    session = session_of(buffer_bytes=50_000)
    for number in range(60):
        session.execute("print('x' * 100_000)", execution_id=str(number)).wait(60)
    kept = len(session._runs)
    assert 1 <= kept <= 40
    assert str(59) in session._runs


async def test_a_question_stays_open_until_it_is_answered(async_session: Session, anyio_backend: str) -> None:
    execution = async_session.execute("input('? ')")
    async for message in execution:
        if isinstance(message, InputRequestMessage):
            assert execution.asks(message)
            execution.input("yes", message)
            assert not execution.asks(message)


async def test_a_thread_session_accepts_at_once(async_session: Session, anyio_backend: str) -> None:
    execution = async_session.execute("1")
    assert await execution.started()
    assert execution.wait_started()
