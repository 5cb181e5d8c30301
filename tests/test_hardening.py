"""Programs that once hung, lost output or leaked, found by hostile testing."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import threading
from collections.abc import Callable

import pytest

from pyrepl_stream import (
    CompleteMessage,
    GapMessage,
    InputRequestMessage,
    Message,
    MessageType,
    OutputMessage,
    Session,
    UsageError,
)

pytestmark = pytest.mark.anyio


def test_readers_collected_in_cycles_never_block_the_engine() -> None:
    before = gc.get_threshold()
    gc.set_threshold(5)
    try:
        with Session(buffer_bytes=20_000) as session:
            execution = session.execute("for i in range(20_000): print(i)")
            stream = execution.attach()
            for _ in range(300):
                reader = execution.attach()
                reader.me = reader  # type: ignore[attr-defined]  # a cycle, as a saved traceback makes
                del reader
            assert list(stream)[-1].type == MessageType.COMPLETE
            assert session.execute("1").wait(60).success
    finally:
        gc.set_threshold(*before)


@pytest.mark.parametrize("code", ["logging.warning('x' * 10**6)", "display(Big())"], ids=["logs", "displays"])
@pytest.mark.parametrize("overflow", ["block", "drop_oldest", "drop_newest", "fail"])
def test_logs_and_displays_are_bounded_like_output(overflow: str, code: str) -> None:
    program = (
        f"import logging\nclass Big:\n    def __repr__(self): return 'x' * 10**6\nfor n in range(60): {code}"
    )
    with Session(buffer_bytes=2_000_000, overflow=overflow) as session:
        execution = session.execute(program)
        stream = execution.attach()
        first = stream.receive()
        assert first
        run = session._runs[execution.id].run
        # The reader has stopped. The code goes on until it waits, fails or ends.
        stopped = session.execute("import time\nwhile n < 59 and n != last: last = n; time.sleep(0.2)\nn")
        session.namespace["last"] = -1
        stopped.wait(60)
        assert run.journal.kept_bytes < 10_000_000
        messages = [*first, *(message for batch in iter(stream.receive, None) for message in batch)]
    covered = [n for m in messages for n in range(m.span_start, m.sequence + 1)]
    assert covered == list(range(1, messages[-1].sequence + 1))
    assert sum(isinstance(m, CompleteMessage) for m in messages) == 1
    if overflow == "block":
        assert not [m for m in messages if isinstance(m, GapMessage)]


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
def test_a_question_for_input_is_never_dropped(overflow: str) -> None:
    with Session(buffer_bytes=10_000, overflow=overflow) as session:
        execution = session.execute("for i in range(5000): print(i)\nprint(input())")
        stream = execution.attach()
        seen: list[Message] = []
        while not any(isinstance(m, InputRequestMessage) for m in seen):
            seen += stream.receive(60) or []
        execution.input("answered")
        rest = list(stream)
    assert "answered" in "".join(m.text for m in rest if isinstance(m, OutputMessage))


def test_batch_that_asks_for_input_can_be_answered() -> None:
    with Session() as session:
        execution = session.execute("print(input('name? '))", streaming=False)
        for message in execution:
            if isinstance(message, InputRequestMessage):
                execution.input("bob", message)
        assert execution.stdout == "bob\n"


async def test_a_cancelled_read_loses_no_message() -> None:
    import anyio.lowlevel

    async def slow(message: Message) -> Message:
        await anyio.lowlevel.checkpoint()
        await gate.wait()
        return message

    gate = anyio.Event()
    async with Session() as session:
        execution = session.execute("for i in range(100): print(i)", processors=[slow])
        stream, messages = aiter(execution), []
        for _ in range(5):
            with anyio.CancelScope() as scope:
                scope.cancel()
                async for (
                    message
                ) in stream:  # a message that is ready is delivered all the same, and may be the last
                    messages.append(message)
                    break
        gate.set()
        messages += [message async for message in stream]
    assert "".join(m.text for m in messages if isinstance(m, OutputMessage)).split() == [
        str(i) for i in range(100)
    ]
    assert messages[-1].type == MessageType.COMPLETE


async def test_a_processor_that_raises_costs_no_message() -> None:
    def picky(message: Message) -> Message:
        if message.sequence == 2:
            raise RuntimeError("not this one")
        return message

    async with Session() as session:
        execution = session.execute("import sys\nprint(1)\nprint(2, file=sys.stderr)\n3", processors=[picky])
        seen = [message.sequence async for message in execution if message.type is not MessageType.LOG]
    assert len(seen) >= 4
    assert seen == list(range(1, len(seen) + 1))


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_two_tasks_reading_one_stream_are_an_error() -> None:
    async with Session() as session:
        execution = session.execute("import asyncio; await asyncio.sleep(1000)")
        stream = execution.attach()
        first = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        with pytest.raises(UsageError, match="attach"):
            await anext(stream)
        first.cancel()


async def test_a_write_on_the_readers_loop_never_waits() -> None:
    async with Session(buffer_bytes=10_000) as session:
        go_on = threading.Event()
        session.namespace["go_on"] = go_on
        execution = session.execute("go_on.wait()")
        stream = execution.attach()
        writer = execution.writer("host")
        for i in range(2000):
            writer.write(f"{i} {'x' * 100}\n")
        go_on.set()
        messages = [message async for message in stream]
    assert sum(m.text.count("\n") for m in messages if isinstance(m, OutputMessage)) == 2000


async def test_code_that_blocks_its_loop_does_not_block_await_in_other_executions() -> None:
    release = threading.Event()
    async with Session({"release": release}) as session:
        stuck = await session.execute("import asyncio\nawait asyncio.sleep(0)\nrelease.wait()", timeout=0.1)
        assert stuck.status == "timeout"
        assert (await session.execute("import asyncio\nawait asyncio.sleep(0)\n7")).result == "7"
        release.set()


async def test_a_close_that_was_cancelled_can_be_completed() -> None:
    import anyio

    before = sys.stdout
    session = Session()
    execution = session.execute("while True: pass")
    with anyio.CancelScope() as scope:
        scope.cancel()
        await session.close()
    await session.close()
    assert sys.stdout is before
    assert (await execution).status == "killed"


def test_a_bad_log_record_does_not_end_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    class Own:
        def format(self, record: logging.LogRecord) -> str:
            return f"own {record.getMessage()}"

    code = (
        "import logging, sys\nlog = logging.getLogger('hardening'); log.propagate = False; log.setLevel(10)\n"
        "handler = logging.StreamHandler(sys.stderr); log.handlers[:] = [handler]\n"
        "handler.setFormatter(logging.Formatter('%(asctime)s %(message)s'))\nlog.info('%d items', 'x')\n"
        "handler.setFormatter(own)\nlog.info('fine')\n'on'"
    )
    with Session({"own": Own()}) as session:
        outcome = session.execute(code).wait(60)
    assert outcome.result == "'on'"
    assert "Logging error" in outcome.stderr
    assert outcome.stderr.endswith("own fine\n")


def test_a_waiting_pool_does_not_delay_the_exit(run_python: Callable[..., object]) -> None:
    program = """
import threading
from pyrepl_stream import Session
begun = threading.Event()
session = Session({"begun": begun}, buffer_bytes=10_000)
code = '''
from concurrent.futures import ThreadPoolExecutor
def flood():
    begun.set()
    for i in range(200_000): print("x" * 1000)
ThreadPoolExecutor().submit(flood).result()
'''
stream = session.execute(code).attach()
stream.receive()
begun.wait()
"""
    process = run_python(program, "-W", "error")
    assert process.returncode == 0  # type: ignore[attr-defined]


def test_a_command_does_not_outlive_the_process(run_python: Callable[..., object]) -> None:
    from support.kernels import is_alive

    program = """
from pyrepl_stream import Session
from pyrepl_stream import Command
from pyrepl_stream.runtime.process import ProcessRunner
session = Session()
for message in session.launch(ProcessRunner(Command("echo $$; exec sleep 1000")), "c"):
    print(message.text, end="")
    break
"""
    process = run_python(program)
    assert not is_alive(int(process.stdout))  # type: ignore[attr-defined]


def test_a_deleted_sys_stdout_is_restored_at_the_end() -> None:
    before = sys.stdout
    with Session() as session:
        session.execute("import sys; del sys.stdout").wait(60)
    assert sys.stdout is before


def test_display_works_without_ipython(run_python: Callable[..., object]) -> None:
    program = """
from pyrepl_stream import Session
with Session() as session:
    session.execute("class H:\\n    def _repr_html_(self): return '<b>'\\ndisplay(H(), 1)").wait()
    result = session.execute("display(2)").wait()
    print(result.displays[0].data, result.success)
import builtins
print(hasattr(builtins, "display"))
"""
    process = run_python(program)
    assert process.stdout == "{'text/plain': '2'} True\nFalse\n"  # type: ignore[attr-defined]


def test_a_value_whose_attributes_raise_still_has_its_repr() -> None:
    code = "class W:\n    def __getattr__(self, name): raise RuntimeError(name)\n    def __repr__(self): return 'a W'\nW()"
    with Session() as session:
        assert session.execute(code).wait(60).result == "a W"


def test_stdout_works_as_a_context_manager() -> None:
    with Session() as session:
        assert (
            session.execute("import sys\nwith sys.stdout as f: f.write('x')\nprint('y')").wait(60).stdout
            == "xy\n"
        )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_with_a_saved_write_neither_waits_nor_loses_text(
    run_python: Callable[..., object],
) -> None:
    code = (
        "import os, sys\nw = sys.stdout.write\npid = os.fork()\nif not pid:\n"
        "    for _ in range(40): w('x' * 10**6)\n    sys.stdout.flush(); os._exit(0)\n"
        "print(os.waitpid(pid, 0)[1])"
    )
    program = f"""
from pyrepl_stream import Session
with Session() as session:
    assert session.execute({code!r}).wait().stdout == "0\\n"
"""
    process = run_python(program)
    assert (process.stderr, process.returncode) == ("", 0)  # type: ignore[attr-defined]
    assert process.stdout == "x" * 40 * 10**6  # type: ignore[attr-defined]
