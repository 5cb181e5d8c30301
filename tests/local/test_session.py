"""Thread sessions, on asyncio and on trio."""

from __future__ import annotations

import asyncio
import builtins
import concurrent.futures
import getpass
import io
import itertools
import logging
import sys
import threading
from collections.abc import Callable

import anyio
import anyio.lowlevel
import pytest

from pyrepl_stream import (
    CompleteMessage,
    ExecuteMessage,
    GapMessage,
    Message,
    MessageType,
    OutputMessage,
    Session,
    SessionClosedError,
    StreamType,
    UnknownExecutionError,
    UsageError,
)
from pyrepl_stream.local.session import MOVES, State
from pyrepl_stream.runtime.errors import CursorError

pytestmark = pytest.mark.anyio

Check = Callable[..., None]


def types(messages: list[Message]) -> list[str]:
    """Return the types in order; equal neighbours count once, since a print may come in pieces."""
    return [str(message_type.value) for message_type, _ in itertools.groupby(m.type for m in messages)]


# -- the main job -------------------------------------------------------------------------------


async def test_the_test_of_the_projects_origin() -> None:
    session = Session()
    await session.start()
    code = """
for i in range(10000):
    print(f"Line {i}: " + "x" * 100)
"""
    message = ExecuteMessage(id="large-1", timestamp=0, code=code)
    text = ""
    async for msg in session.execute(message):
        assert msg.execution_id == "large-1"
        if msg.type == MessageType.OUTPUT:
            assert msg.stream == StreamType.STDOUT
            text += msg.data
    await session.close()
    lines = text.splitlines()
    assert len(lines) == 10_000
    assert all(len(line) > 100 for line in lines)
    assert len(text) > 1_000_000
    assert lines == [f"Line {i}: " + "x" * 100 for i in range(10_000)]


async def test_messages_come_while_the_code_runs(async_session: Session) -> None:
    seen = threading.Semaphore(0)
    async_session.namespace["seen"] = seen
    text = ""
    async for message in async_session.execute("for i in range(3): print(i); seen.acquire()"):
        if message.type == MessageType.OUTPUT:
            text += message.data
            for _ in range(message.data.count("\n")):
                seen.release()
    assert text == "0\n1\n2\n"


async def test_the_last_message_is_the_one_complete(async_session: Session, assert_whole: Check) -> None:
    messages = [message async for message in async_session.execute("print(1)\n2")]
    assert types(messages) == ["output", "result", "complete"]
    assert_whole(messages)
    assert len({message.id for message in messages}) == len(messages)
    assert all(message.timestamp > 1e9 for message in messages)
    complete = messages[-1]
    assert isinstance(complete, CompleteMessage)
    assert (complete.success, complete.status, complete.error) == (True, "ok", None)
    assert complete.duration > 0


async def test_an_awaited_execution_is_a_result(async_session: Session) -> None:
    outcome = await async_session.execute("import sys; print('a'); print('b', file=sys.stderr); 6 * 7")
    assert (outcome.success, outcome.status) == (True, "ok")
    assert (outcome.stdout, outcome.stderr, outcome.result) == ("a\n", "b\n", "42")
    assert outcome.error is None
    assert outcome.duration > 0


async def test_an_execution_may_be_awaited_again(async_session: Session) -> None:
    execution = async_session.execute("print(1)")
    assert await execution is await execution


async def test_the_namespace_lasts(async_session: Session) -> None:
    await async_session.execute("def double(x): return 2 * x\nvalue = 21")
    assert (await async_session.execute("double(value)")).result == "42"
    assert async_session.namespace["value"] == 21


async def test_a_given_namespace_is_used_as_it_is() -> None:
    namespace = {"value": 1}
    async with Session(namespace) as session:
        await session.execute("value += 1; other = 3")
        assert session.namespace is namespace
    assert (namespace["value"], namespace["other"]) == (2, 3)


async def test_code_is_the_main_module_of_a_session_of_its_own(async_session: Session) -> None:
    assert (await async_session.execute("__name__")).result == "'__main__'"


async def test_a_batch_is_delivered_at_the_end(async_session: Session) -> None:
    execution = async_session.execute("print(1)", streaming=False)
    messages = [message async for message in execution]
    assert types(messages) == ["output", "complete"]
    assert (await async_session.execute("print(2)", streaming=False)).stdout == "2\n"


async def test_batch_keeps_more_than_the_buffer(session_of: Callable[..., Session]) -> None:
    session = session_of(buffer_bytes=1000)
    outcome = await session.execute("for i in range(1000): print('x' * 1000)", streaming=False)
    assert outcome.stdout == ("x" * 1000 + "\n") * 1000


async def test_an_environment_variable_turns_every_run_into_batch(
    async_session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYREPL_STREAM_DISABLE_STREAMING", "1")
    async_session.namespace["ended"] = ended = []
    async for _ in async_session.execute("print(1); import time; time.sleep(.05); ended.append(1)"):
        assert ended == [1]


# -- several at once ----------------------------------------------------------------------------


async def test_concurrent_executions_have_their_own_streams(
    async_session: Session, joined: Callable[..., str]
) -> None:
    everybody = threading.Barrier(8)
    async_session.namespace["everybody"] = everybody
    texts: dict[int, str] = {}

    async def run(number: int) -> None:
        code = f"everybody.wait()\nfor i in range(300): print({number}, i)"
        messages = [message async for message in async_session.execute(code)]
        texts[number] = joined(messages)

    async with anyio.create_task_group() as group:
        for number in range(8):
            group.start_soon(run, number)
    assert texts == {n: "".join(f"{n} {i}\n" for i in range(300)) for n in range(8)}


async def test_concurrent_awaiting_executions_have_their_own_streams(async_session: Session) -> None:
    texts: dict[int, str] = {}

    async def run(number: int) -> None:
        code = f"import asyncio\nfor i in range(50): print({number}, i); await asyncio.sleep(0)"
        texts[number] = (await async_session.execute(code)).stdout

    async with anyio.create_task_group() as group:
        for number in range(8):
            group.start_soon(run, number)
    assert texts == {n: "".join(f"{n} {i}\n" for i in range(50)) for n in range(8)}


async def test_concurrent_sessions_have_their_own_namespaces() -> None:
    async with Session() as one, Session() as other:
        await one.execute("name = 'one'")
        await other.execute("name = 'other'")
        assert (await one.execute("print(name)")).stdout == "one\n"
        assert (await other.execute("print(name)")).stdout == "other\n"


async def test_more_than_max_concurrent_are_queued_and_run_in_order(
    session_of: Callable[..., Session],
) -> None:
    order: list[int] = []
    go_on = threading.Event()
    session = session_of({"order": order, "go_on": go_on}, max_concurrent=1)
    first = session.execute("print('started'); go_on.wait(); order.append(0)")
    rest = [session.execute(f"order.append({i})") for i in range(1, 10)]
    async for message in first:
        if message.type == MessageType.OUTPUT and not go_on.is_set():
            assert first.status == "running"
            assert {execution.status for execution in rest} == {"queued"}
            go_on.set()
    for execution in rest:
        assert (await execution).success
    assert order == list(range(10))


async def test_a_queued_execution_that_is_interrupted_never_starts(
    session_of: Callable[..., Session],
) -> None:
    order: list[int] = []
    go_on = threading.Event()
    session = session_of({"order": order, "go_on": go_on}, max_concurrent=1)
    first = session.execute("go_on.wait()")
    second, third = session.execute("order.append(2)"), session.execute("order.append(3)")
    await second.interrupt()
    go_on.set()
    assert (await first).success
    assert (await second).status == "interrupted"
    assert (await third).success
    assert order == [3]


# -- ids ----------------------------------------------------------------------------------------


async def test_the_same_id_with_the_same_code_attaches(async_session: Session) -> None:
    runs: list[int] = []
    async_session.namespace["runs"] = runs
    first = async_session.execute("runs.append(1); print('once')", execution_id="job")
    again = async_session.execute("runs.append(1); print('once')", execution_id="job")
    assert (await first).stdout == (await again).stdout == "once\n"
    later = async_session.execute(ExecuteMessage(id="job", timestamp=0, code="runs.append(1); print('once')"))
    assert (await later).stdout == "once\n"
    assert runs == [1]
    assert [execution.id for execution in await async_session.executions()] == ["job"]


async def test_the_same_id_with_other_code_is_a_usage_error(async_session: Session) -> None:
    await async_session.execute("1", execution_id="job")
    with pytest.raises(UsageError, match="job"):
        async_session.execute("2", execution_id="job")


async def test_generated_ids_are_unique(async_session: Session) -> None:
    ids = [(await async_session.execute("1")).id for _ in range(20)]
    assert len(set(ids)) == 20
    assert [execution.id for execution in await async_session.executions()] == ids


async def test_an_unknown_id_is_an_error(async_session: Session) -> None:
    with pytest.raises(UnknownExecutionError, match="nobody"):
        async_session.attach("nobody")
    with pytest.raises(UnknownExecutionError, match="nobody"):
        async_session.interrupt("nobody")


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((5,), {}),
        ((b"1",), {}),
        ((None,), {}),
        (("1",), {"timeout": 0}),
        (("1",), {"timeout": -1}),
        (("1",), {"timeout": float("nan")}),
    ],
)
async def test_invalid_arguments_are_usage_errors(
    async_session: Session, arguments: tuple[object, ...], options: dict[str, object]
) -> None:
    with pytest.raises(UsageError):
        async_session.execute(*arguments, **options)  # type: ignore[arg-type]  # that is the point
    assert await async_session.executions() == []


@pytest.mark.parametrize(
    "options",
    [
        {"namespace": []},
        {"buffer_bytes": 0},
        {"buffer_bytes": -5},
        {"overflow": "explode"},
        {"max_concurrent": 0},
    ],
)
async def test_invalid_options_of_a_session_are_usage_errors(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Session(**options)  # type: ignore[arg-type]  # that they are refused is the point


# -- attaching ----------------------------------------------------------------------------------


async def test_attaching_reads_the_messages_after_any_number(async_session: Session) -> None:
    execution = async_session.execute("import sys\nfor i in range(5): print(i); print(i, file=sys.stderr)")
    messages = [message async for message in execution]
    last = messages[-1].sequence
    for after in range(last + 1):
        assert [message async for message in execution.attach(after)] == messages[after:]
        assert [message async for message in async_session.attach(execution.id, after)] == messages[after:]


@pytest.mark.parametrize("after", [-1, 1_000_000])
async def test_attaching_at_an_invalid_number_is_a_cursor_error(async_session: Session, after: int) -> None:
    execution = async_session.execute("print(1)")
    await execution
    with pytest.raises(CursorError):
        execution.attach(after)


async def test_attaching_one_beyond_the_last_message_is_a_cursor_error(async_session: Session) -> None:
    execution = async_session.execute("print(1)")
    last = [message async for message in execution][-1].sequence
    assert [message async for message in execution.attach(last)] == []
    with pytest.raises(CursorError, match=str(last)):
        execution.attach(last + 1)


async def test_attaching_where_messages_are_no_longer_kept_gives_a_gap(
    session_of: Callable[..., Session], assert_whole: Check, gap_bytes: Callable[..., int]
) -> None:
    session = session_of(buffer_bytes=100_000)
    execution = session.execute("for i in range(2000): print('x' * 999)")
    await execution
    late = [message async for message in session.attach(execution.id)]
    assert isinstance(late[0], GapMessage)
    assert_whole(late)
    kept = sum(len(message.data) for message in late if isinstance(message, OutputMessage))
    assert gap_bytes(late) + kept == 2_000_000
    assert kept <= 200_000
    assert isinstance(late[-1], CompleteMessage)


async def test_concurrent_readers_all_get_every_message(async_session: Session) -> None:
    go_on = threading.Event()
    async_session.namespace["go_on"] = go_on
    execution = async_session.execute("go_on.wait()\nfor i in range(1000): print(i)")
    seen: list[list[Message]] = []

    async def view() -> None:
        seen.append([message async for message in async_session.attach(execution.id)])

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(view)
        go_on.set()
    assert len(seen) == 5
    assert all(messages == seen[0] for messages in seen)


async def test_following_gets_the_output_of_threads_after_complete(
    async_session: Session, assert_whole: Check, joined: Callable[..., str]
) -> None:
    go_on = threading.Event()
    async_session.namespace["go_on"] = go_on
    code = "import threading\ndef late(): go_on.wait(); print('late')\nthreading.Thread(target=late).start(); print('now')"
    execution = async_session.execute(code)
    messages = []
    async for message in execution.attach(follow=True):
        messages.append(message)
        if isinstance(message, CompleteMessage):
            go_on.set()
        if joined(messages).endswith("late\n"):
            break
    assert joined(messages) == "now\nlate\n"
    assert_whole(messages)
    assert types(messages) == ["output", "complete", "output"]


async def test_following_ends_when_the_session_closes() -> None:
    session = Session()
    execution = session.execute("print(1)")
    stream = execution.attach(follow=True)
    messages = []

    async def follow() -> None:
        async for message in stream:
            messages.append(message)

    async with anyio.create_task_group() as group:
        group.start_soon(follow)
        await execution
        await session.close()
    assert types(messages) == ["output", "complete"]


# -- readers ------------------------------------------------------------------------------------


async def test_a_reader_that_goes_away_leaves_the_session_usable(session_of: Callable[..., Session]) -> None:
    session = session_of(buffer_bytes=50_000)
    async for message in session.execute(
        "for i in range(10_000): print('x' * 100)\ndone = True", execution_id="a"
    ):
        assert message.type == MessageType.OUTPUT
        break
    late = [message async for message in session.attach("a")]
    assert isinstance(late[-1], CompleteMessage)
    assert late[-1].success
    assert (await session.execute("done")).result == "True"


async def test_a_reader_that_is_cancelled_leaves_the_session_usable(async_session: Session) -> None:
    execution = async_session.execute("import time\nwhile True: time.sleep(.005)", execution_id="a")
    with anyio.move_on_after(0.05):
        async for _ in execution:
            pass
    await execution.interrupt()
    assert (await async_session.execute("print(1)")).stdout == "1\n"


async def test_an_execution_without_readers_runs_to_its_end(session_of: Callable[..., Session]) -> None:
    ended = threading.Event()
    session = session_of({"ended": ended}, buffer_bytes=10_000)
    session.execute("for i in range(10_000): print('x' * 100)\nended.set()")
    assert await anyio.to_thread.run_sync(ended.wait, 60)


async def test_a_slow_reader_gets_every_byte_with_block(
    session_of: Callable[..., Session], assert_whole: Check, joined: Callable[..., str]
) -> None:
    session = session_of(buffer_bytes=20_000)
    messages = []
    async for message in session.execute("for i in range(3000): print(i, 'x' * 100)"):
        messages.append(message)
        await anyio.lowlevel.checkpoint()
    assert joined(messages) == "".join(f"{i} {'x' * 100}\n" for i in range(3000))
    assert_whole(messages)
    assert not any(isinstance(message, GapMessage) for message in messages)


# -- the end ------------------------------------------------------------------------------------


async def test_a_closed_session_refuses_to_run_code() -> None:
    session = Session()
    await session.close()
    with pytest.raises(SessionClosedError):
        session.execute("1")
    with pytest.raises(SessionClosedError):
        await session.start()


async def test_starting_and_closing_again_does_nothing() -> None:
    session = Session()
    assert await session.start() is session
    assert await session.start() is session
    assert (await session.execute("1")).success
    await session.close()
    await session.close()


async def test_output_can_be_read_after_the_close() -> None:
    async with Session() as session:
        execution = session.execute("print(1)")
        await execution
    assert execution.stdout == "1\n"
    assert types([message async for message in execution.attach()]) == ["output", "complete"]


async def test_closing_ends_what_runs_with_killed() -> None:
    session = Session()
    executions = [
        session.execute("print(1)\nwhile True: pass"),
        session.execute("import asyncio; await asyncio.sleep(1000)"),
    ]
    async for message in executions[0]:
        if message.type == MessageType.OUTPUT:
            await session.close()
    assert [(await execution).status for execution in executions] == ["killed", "killed"]


async def test_closing_gives_up_on_code_that_cannot_be_interrupted() -> None:
    go_on = threading.Event()
    session = Session({"go_on": go_on})
    execution = session.execute(
        "print(1)\nwhile not go_on.is_set():\n    try:\n        go_on.wait()\n    except KeyboardInterrupt: pass"
    )
    async for message in execution:
        if message.type == MessageType.OUTPUT:
            break
    await session.close()
    go_on.set()
    assert (await execution).status == "killed"


async def test_closing_works_while_a_stopped_reader_holds_the_writer() -> None:
    session = Session(buffer_bytes=10_000)
    stream = session.execute("while True: print('x' * 100)").__aiter__()
    first = await stream.__anext__()
    await session.close()
    rest = [message async for message in stream]
    assert isinstance(rest[-1], CompleteMessage)
    assert rest[-1].status == "killed"
    assert first.sequence == 1


ROUTED = (
    (sys, "stdout"),
    (sys, "stderr"),
    (threading.Thread, "start"),
    (concurrent.futures.ThreadPoolExecutor, "submit"),
    (asyncio.BaseEventLoop, "run_forever"),
    (logging.StreamHandler, "emit"),
    (builtins, "input"),
    (getpass, "getpass"),
)


async def test_closing_the_last_session_undoes_the_routing() -> None:
    before = [getattr(owner, name) for owner, name in ROUTED]
    async with Session() as session:
        assert sys.stdout is not before[0]
        async with Session() as other:
            await other.execute("import threading; threading.Thread(target=print).start()")
        assert sys.stdout is not before[0]
        assert (await session.execute("print(1)")).stdout == "1\n"
    assert all(getattr(owner, name) is was for (owner, name), was in zip(ROUTED, before, strict=True))


async def test_a_stream_that_was_put_into_sys_meanwhile_stays() -> None:
    theirs, before = io.StringIO(), sys.stdout
    session = Session()
    await session.start()
    try:
        sys.stdout = theirs
        await session.close()
        assert sys.stdout is theirs
    finally:
        sys.stdout = before


async def test_code_outside_of_executions_writes_to_the_original_streams(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with Session() as session:
        await session.execute("print('inside')")
        print("outside")
        print("error", file=sys.stderr)
    assert capsys.readouterr() == ("outside\n", "error\n")


async def test_a_session_is_gone_from_the_thread_list_when_it_is_closed() -> None:
    async with Session() as session:
        await session.execute("import asyncio; await asyncio.sleep(0)")
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("execution") or "user code" in name]


def test_a_session_works_without_an_event_loop() -> None:
    with Session() as session:
        assert session.execute("print(1); 2").wait(60).stdout == "1\n"
        assert types(list(session.execute("print(1)"))) == ["output", "complete"]


@pytest.mark.parametrize("end", ["", "import sys; sys.exit(0)", "session.execute('print(1)').wait(30)"])
@pytest.mark.parametrize(
    "code",
    [
        "1",
        "print(1)",
        "while True: pass",
        "while True: print('x' * 1000)",
        "import time; time.sleep(1000)",
        "import asyncio; await asyncio.sleep(1000)",
        "import asyncio; task = asyncio.create_task(asyncio.sleep(1000)); await asyncio.sleep(0)",
        "input()",
    ],
)
def test_a_session_that_is_never_closed_neither_warns_nor_hangs_at_exit(
    run_python: Callable[..., object], code: str, end: str
) -> None:
    program = f"""
from pyrepl_stream import Session
session = Session()
execution = session.execute({code!r})
for message in session.execute("print('up')"): pass
{end}
"""
    process = run_python(program, "-X", "dev", "-W", "error")
    assert (process.stdout, process.stderr, process.returncode) == ("", "", 0)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_closed_session_leaves_no_resource_warnings(
    run_python: Callable[..., object], backend: str
) -> None:
    program = f"""
import anyio, gc
from pyrepl_stream import Session

async def main():
    async with Session() as session:
        await session.execute("import asyncio; task = asyncio.create_task(asyncio.sleep(1000)); await asyncio.sleep(0)")
        await session.execute("async def numbers():\\n    yield 1\\n    yield 2\\nstill = numbers(); await anext(still)")
        session.execute("import asyncio; await asyncio.sleep(1000)")
        async for message in session.execute("print(1)\\nwhile True: pass"):
            break

anyio.run(main, backend={backend!r})
gc.collect()
"""
    # Not -X dev: with it asyncio reports callbacks of the main loop that another thread's GIL held up.
    process = run_python(program, "-W", "error")
    assert (process.stdout, process.stderr, process.returncode) == ("", "", 0)


def test_importing_the_package_does_not_import_ipython_or_anyio(run_python: Callable[..., object]) -> None:
    program = """
import sys, pyrepl_stream
from pyrepl_stream import Session
print([name for name in ("IPython", "anyio", "trio", "jupyter_client", "ipykernel") if name in sys.modules])
"""
    assert run_python(program, "-W", "error").stdout == "[]\n"


@pytest.mark.parametrize("after", State)
@pytest.mark.parametrize("before", State)
def test_a_session_moves_only_as_its_table_says(before: State, after: State) -> None:
    session = Session()
    session._state = before
    if after in MOVES[before]:
        session._move(after)
        assert session._state is after
    else:
        with pytest.raises(AssertionError):
            session._move(after)


SHOWN = """
import asyncio
async def f():
    print("in the task")
    return 5
task = asyncio.create_task(f())
asyncio.get_running_loop().call_later(0, print, "a timer")
print(asyncio.get_event_loop().is_running(), asyncio.run(f()))
"""


def test_code_that_does_not_await_finds_a_running_loop_if_asked_for() -> None:
    with Session(running_loop=True) as session:
        execution = session.execute(SHOWN)
        result = execution.wait()
        assert result.stdout.startswith("in the task\nTrue 5\n")  # the task begins when the code has ended
        assert session.execute("await task").wait().result.data["text/plain"] == "5"
        text = ""
        for message in execution.attach(follow=True):
            text += getattr(message, "text", "")
            if "a timer" in text and text.count("in the task") == 2:
                break


def test_code_that_does_not_await_finds_no_loop_as_in_plain_python(session: Session) -> None:
    result = session.execute("import asyncio; asyncio.get_running_loop()").wait()
    assert result.error is not None
    assert result.error.name == "RuntimeError"


def test_a_full_buffer_delays_code_that_finds_a_running_loop() -> None:
    with Session(running_loop=True, buffer_bytes=10_000) as session:
        execution = session.execute("for i in range(5_000): print('x' * 100)")
        result = execution.wait()
    assert result.stdout == ("x" * 100 + "\n") * 5_000
    assert result.gaps == []
