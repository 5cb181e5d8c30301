"""The contract of sessions: thread and remote sessions, on asyncio, on trio and without an event loop."""

from __future__ import annotations

import asyncio
import inspect
import uuid
from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from support.sessions import isolated

from pyrepl_stream import (
    AnySession,
    Command,
    CommandNotFoundError,
    CompleteMessage,
    EventMessage,
    ExecuteMessage,
    Execution,
    ExecutionExistsError,
    IdlePolicy,
    InputRequestMessage,
    Limits,
    Message,
    OutputMessage,
    ProcessExecution,
    RemoteSession,
    Reply,
    Session,
    SessionClosedError,
    UnknownExecutionError,
    UsageError,
    WorkingDirectoryError,
    connect,
)
from pyrepl_stream.runtime.errors import CursorError, ExecutionEndedError

FOREVER = "import time\nprint('begun')\nwhile True: time.sleep(0.01)"


class Loop:
    """Waits and reads with an event loop."""

    def __init__(self, run: Callable[[Callable[[], Coroutine[Any, Any, None]]], object]) -> None:
        self.run = run

    async def get(self, awaitable: Awaitable[Any]) -> Any:
        return await awaitable

    async def read(self, messages: AsyncIterable[Message]) -> list[Message]:
        return [message async for message in messages]

    async def until(self, messages: AsyncIterable[Message], found: Callable[[Message], object]) -> Message:
        async for message in messages:
            if found(message):
                return message
        raise EOFError

    async def enter(self, session: Any) -> Any:
        return await session.__aenter__()

    async def leave(self, session: Any) -> None:
        await session.__aexit__(None, None, None)


class NoLoop:
    """Waits and reads without an event loop: nothing that a test awaits suspends it."""

    def run(self, test: Callable[[], Coroutine[Any, Any, None]]) -> None:
        coroutine = test()
        with pytest.raises(StopIteration):
            coroutine.send(None)

    async def get(self, waitable: Any) -> Any:
        return waitable.wait(60)

    async def read(self, messages: Iterable[Message]) -> list[Message]:
        return list(messages)

    async def until(self, messages: Iterable[Message], found: Callable[[Message], object]) -> Message:
        return next(message for message in messages if found(message))

    async def enter(self, session: Any) -> Any:
        return session.__enter__()

    async def leave(self, session: Any) -> None:
        session.__exit__(None, None, None)


WAYS = {"asyncio": Loop(lambda test: asyncio.run(test())), "trio": Loop(trio.run), "no loop": NoLoop()}
KINDS: dict[str, Callable[[], Any]] = {"thread": Session, "remote": lambda: connect("local:contract")}


class Case:
    """A session of one kind, and the means of a test to use it in one way."""

    def __init__(self, kind: str, way: Loop | NoLoop, root: Path) -> None:
        self.kind = kind
        self.root = root
        self.run, self.get, self.read = way.run, way.get, way.read
        self.until, self.enter, self.leave = way.until, way.enter, way.leave
        self.session: AnySession = KINDS[kind]()

    def gate(self) -> tuple[Path, str]:
        """Return a path, and code that waits until a file is there."""
        path = self.root / uuid.uuid4().hex
        return path, f"import os, time\nwhile not os.path.exists({str(path)!r}): time.sleep(0.01)\n"

    async def begun(self, **options: Any) -> Execution:
        """Return an execution that has started, and runs until it is stopped."""
        execution = self.session.execute(FOREVER, **options)
        await self.until(execution.attach(), is_output)
        return execution


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    with isolated() as root:
        yield root


def contract(test: Callable[[Case], Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test with both kinds of session, in all three ways."""

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("kind", KINDS)
    def run(kind: str, way: str, root: Path) -> None:
        case = Case(kind, WAYS[way], root)

        async def within() -> None:
            await case.enter(case.session)
            try:
                await test(case)
            finally:
                for execution in await case.get(case.session.executions()):
                    if execution.status in ("queued", "running"):
                        await case.get(execution.kill())
                await case.leave(case.session)

        case.run(within)

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


def text(messages: Iterable[Message]) -> str:
    return "".join(message.text for message in messages if isinstance(message, OutputMessage))


def is_output(message: Message) -> bool:
    return isinstance(message, OutputMessage)


# -- the same signatures -----------------------------------------------------------------------


def methods() -> list[str]:
    return [
        name for name in vars(AnySession) if not name.startswith("_") and callable(vars(AnySession)[name])
    ]


@pytest.mark.parametrize("kind", [Session, RemoteSession])
@pytest.mark.parametrize("name", methods())
def test_the_methods_of_both_kinds_have_the_parameters_of_the_contract(kind: type, name: str) -> None:
    expected = inspect.signature(getattr(AnySession, name)).parameters
    actual = inspect.signature(getattr(kind, name)).parameters
    shown = {name: (p.kind, p.default) for name, p in actual.items() if name in expected}
    assert shown == {name: (p.kind, p.default) for name, p in expected.items()}
    assert all(actual[name].default is not inspect.Parameter.empty for name in actual.keys() - expected)


# -- execute -----------------------------------------------------------------------------------


@contract
async def test_an_execution_gives_its_result(case: Case) -> None:
    execution = case.session.execute("print('hello'); 6 * 7")
    result = await case.get(execution)
    assert (result.status, result.stdout, result.result) == ("ok", "hello\n", "42")
    assert execution.status == "ok"


@contract
async def test_an_execution_gives_its_messages(case: Case) -> None:
    messages = await case.read(case.session.execute("print('hello')"))
    assert [message.sequence for message in messages] == list(range(1, len(messages) + 1))
    assert text(messages) == "hello\n"
    assert isinstance(messages[-1], CompleteMessage)


@contract
async def test_the_namespace_lasts(case: Case) -> None:
    await case.get(case.session.execute("kept = 1"))
    assert (await case.get(case.session.execute("kept"))).result == "1"


@contract
async def test_an_execute_message_has_its_id(case: Case) -> None:
    name = uuid.uuid4().hex
    execution = case.session.execute(ExecuteMessage(id=name, timestamp=0, code="1"))
    assert execution.id == name
    assert (await case.get(execution)).result == "1"


@contract
async def test_an_id_with_the_same_code_attaches(case: Case) -> None:
    name = uuid.uuid4().hex
    first = case.session.execute("print(1)", execution_id=name)
    assert await case.get(first.started())
    await case.get(first)
    second = case.session.execute("print(1)", execution_id=name)
    assert not await case.get(second.started())
    assert (await case.get(second)).stdout == "1\n"


@contract
async def test_an_id_with_other_code_is_an_error(case: Case) -> None:
    name = uuid.uuid4().hex
    await case.get(case.session.execute("1", execution_id=name))
    with pytest.raises(ExecutionExistsError, match="other code.*fresh=True"):
        await case.get(case.session.execute("2", execution_id=name))


@contract
async def test_fresh_replaces_an_execution_that_has_ended_and_keeps_the_namespace(case: Case) -> None:
    name = uuid.uuid4().hex
    await case.get(case.session.execute("count = 1; print('first')", execution_id=name))
    second = case.session.execute("print('second', count)", execution_id=name, fresh=True)
    assert await case.get(second.started())
    assert (await case.get(second)).stdout == "second 1\n"
    assert (await case.get(case.session.execution(name))).stdout == "second 1\n"


@contract
async def test_fresh_is_an_error_while_the_execution_runs(case: Case) -> None:
    execution = await case.begun(execution_id=uuid.uuid4().hex)
    with pytest.raises(ExecutionExistsError, match="still running: stop it first"):
        await case.get(case.session.execute("2", execution_id=execution.id, fresh=True))
    assert execution.status == "running"


@contract
async def test_a_timeout_ends_the_code(case: Case) -> None:
    result = await case.get(case.session.execute(FOREVER, timeout=0.2))
    assert result.status == "timeout"
    assert (result.error.name, result.error.value) == ("TimeoutError", "the run took longer than 0.2 s")


@contract
async def test_code_sees_a_timeout_as_an_interrupt(case: Case) -> None:
    code = "import time\ntry:\n    while True: time.sleep(0.01)\nexcept KeyboardInterrupt:\n    print('interrupted')\n    raise"
    result = await case.get(case.session.execute(code, timeout=0.2))
    assert (result.stdout, result.status, result.error.name) == ("interrupted\n", "timeout", "TimeoutError")
    assert "0.2 s" in result.reason


@contract
async def test_processors_and_the_format_apply_to_the_messages(case: Case) -> None:
    code = "print('{\"a\": 1}')"
    messages = await case.read(case.session.execute(code, format="json"))
    assert any(isinstance(message, EventMessage) for message in messages)
    dropped = case.session.execute(
        code, processors=[lambda message: None if isinstance(message, OutputMessage) else message]
    )
    assert text(await case.read(dropped)) == ""


@contract
async def test_without_streaming_all_messages_come_at_the_end(case: Case) -> None:
    path, waiting = case.gate()
    execution = case.session.execute(f"print(1)\n{waiting}print(2)", streaming=False)
    await case.get(execution.started())
    path.touch()
    assert (await case.get(execution)).stdout == "1\n2\n"


@contract
async def test_the_execution_is_handed_over_before_its_code_starts(case: Case) -> None:
    created: list[Execution] = []

    def refuse(execution: Execution) -> None:
        raise LookupError("not now")

    execution = case.session.execute("1", on_created=created.append)
    assert created == [execution]
    name = uuid.uuid4().hex
    with pytest.raises(LookupError):
        case.session.execute("never = 1", execution_id=name, on_created=refuse)
    assert (await case.get(case.session.execute("'never' in globals()"))).result == "False"
    with pytest.raises(UnknownExecutionError):
        await case.get(case.session.execution(name))


@contract
async def test_all_output_can_be_retained(case: Case) -> None:
    execution = case.session.execute("for i in range(60_000): print('x' * 99)", retain_output=True)
    execution.detach()
    assert len((await case.get(execution)).stdout) == 6_000_000


@contract
async def test_arguments_are_checked_in_the_call(case: Case) -> None:
    for options in ({"timeout": 0}, {"timeout": "1"}, {"format": "xml"}, {"processors": [1]}):
        with pytest.raises(UsageError):
            case.session.execute("1", **options)
    with pytest.raises(UsageError, match="ExecuteMessage"):
        case.session.execute(b"1")  # type: ignore[arg-type]


@contract
async def test_the_old_names_of_options_warn(case: Case) -> None:
    created: list[Execution] = []
    with pytest.deprecated_call(match="use on_created="):
        execution = case.session.execute("1", before=created.append)  # type: ignore[call-arg]
    assert created == [execution]


# -- run_process -------------------------------------------------------------------------------


@contract
async def test_a_command_is_run_as_an_execution(case: Case) -> None:
    for command in ("echo 1; exit 3", ["bash", "-c", "echo 1; exit 3"], Command("echo 1; exit 3")):
        execution = case.session.run_process(command)
        assert isinstance(execution, ProcessExecution)
        result = await case.get(execution)
        assert (result.stdout.split(), result.exit_code, result.success) == (["1"], 3, False)


@contract
async def test_the_process_of_a_command_is_acted_on(case: Case) -> None:
    execution = case.session.run_process(Command("while read line; do echo got $line; done", pty=False))
    assert isinstance(execution.pid, int)
    assert execution.write("one\n") == 4
    assert execution.write(b"two\n") == 4
    execution.close_stdin()
    assert (await case.get(execution)).stdout == "got one\ngot two\n"
    for act in (lambda: execution.write("more"), lambda: execution.send_signal(15)):
        with pytest.raises(UsageError, match="ended"):
            act()
    with pytest.raises(UsageError, match="not a signal"):
        execution.send_signal(999)
    with pytest.raises(UsageError, match="size"):
        execution.resize(0, 0)


@contract
async def test_the_limits_of_a_command_apply_where_it_runs(case: Case) -> None:
    result = await case.get(case.session.run_process(["sleep", "1000"], limits=Limits(idle=IdlePolicy(0.2))))
    assert result.status == "timeout"
    assert "idle" in result.reason


@contract
async def test_an_id_with_the_same_command_attaches(case: Case) -> None:
    name = uuid.uuid4().hex
    await case.get(case.session.run_process("echo $A", execution_id=name))
    assert not await case.get(case.session.run_process("echo $A", execution_id=name).started())
    for other in (
        lambda: case.session.run_process("echo 2", execution_id=name),
        lambda: case.session.run_process(Command("echo $A", env={"A": "1"}), execution_id=name),
        lambda: case.session.execute("echo $A", execution_id=name),
    ):
        with pytest.raises(ExecutionExistsError, match="other code"):
            await case.get(other())


@contract
async def test_a_command_that_cannot_start_is_an_error_in_the_call(case: Case) -> None:
    with pytest.raises(CommandNotFoundError):
        case.session.run_process(["no-such-program"])
    with pytest.raises(WorkingDirectoryError):
        case.session.run_process(Command("ls", cwd="/no/such/directory"))


# -- what runs, and what ran -------------------------------------------------------------------


@contract
async def test_an_unknown_id_is_an_error(case: Case) -> None:
    with pytest.raises(UnknownExecutionError):
        await case.get(case.session.execution("unknown"))
    with pytest.raises(UnknownExecutionError):
        await case.get(case.session.execution("unknown").started())
    with pytest.raises(UnknownExecutionError):
        await case.get(case.session.interrupt("unknown"))
    with pytest.raises(UnknownExecutionError):
        await case.get(case.session.kill("unknown"))
    with pytest.raises(UnknownExecutionError):
        await case.read(case.session.attach("unknown"))


@contract
async def test_an_interrupt_keeps_the_namespace(case: Case) -> None:
    await case.get(case.session.execute("kept = 2"))
    execution = await case.begun()
    await case.get(case.session.interrupt(execution.id))
    assert (await case.get(execution)).status == execution.status == "interrupted"
    await case.get(execution.interrupt())  # that it has ended is not an error
    assert (await case.get(case.session.execute("kept"))).result == "2"


@contract
async def test_a_kill_ends_an_execution(case: Case) -> None:
    execution = await case.begun()
    await case.get(case.session.kill(execution.id))
    assert (await case.get(execution)).status == execution.status == "killed"


@contract
async def test_a_stop_is_sent_without_waiting_for_the_reply(case: Case) -> None:
    execution = await case.begun()
    case.session.interrupt(execution.id)
    assert (await case.get(execution)).status == "interrupted"


@contract
async def test_attaching_begins_after_a_number(case: Case) -> None:
    execution = case.session.execute("import sys\nfor i in range(3): print(i, flush=True)")
    messages = await case.read(execution)
    for after in range(len(messages) + 1):
        assert await case.read(case.session.attach(execution.id, after)) == messages[after:]
    with pytest.raises(CursorError, match="after"):
        case.session.attach(execution.id, -1)


@contract
async def test_a_number_beyond_the_last_message_is_the_same_error_at_any_time(case: Case) -> None:
    async def refuse() -> None:
        for follow in (False, True):
            with pytest.raises(CursorError, match=r"^after is 99, but the last message is [1-9]$"):
                await case.read(execution.attach(99, follow=follow))

    execution = await case.begun()
    await refuse()
    await case.get(execution.kill())
    await refuse()


@contract
async def test_following_goes_on_after_the_end(case: Case) -> None:
    path, waiting = case.gate()
    late = f"def late():\n    {waiting.strip().replace(chr(10), chr(10) + '    ')}\n    print('late')\n"
    execution = case.session.execute(
        f"{late}import threading; threading.Thread(target=late).start(); print(1)"
    )
    await case.get(execution)
    stream = case.session.attach(execution.id, follow=True)
    path.touch()
    message = await case.until(stream, lambda message: "late" in text([message]))
    assert text([message]).startswith("late")


@contract
async def test_executions_are_listed_oldest_first(case: Case) -> None:
    names = [uuid.uuid4().hex for _ in range(3)]
    for name in names:
        await case.get(case.session.execute("1", execution_id=name))
    listed = [execution.id for execution in await case.get(case.session.executions())]
    assert listed[-3:] == names
    assert case.session.execution(names[0]).id == names[0]


@contract
async def test_input_is_answered_once(case: Case) -> None:
    execution = case.session.execute("print(input('name? '))")
    message = await case.until(execution.attach(), lambda message: isinstance(message, InputRequestMessage))
    assert isinstance(message, InputRequestMessage)
    assert execution.asks(message)
    execution.input("Ada", message)
    assert (await case.get(execution)).stdout.endswith("Ada\n")
    with pytest.raises((UsageError, ExecutionEndedError)):
        execution.input("Bob")


# -- replies -----------------------------------------------------------------------------------


@contract
async def test_a_reply_can_be_awaited_again_and_not_be_cancelled(case: Case) -> None:
    reply = case.session.executions()
    assert isinstance(reply, Reply)
    assert not reply.cancel()
    assert await case.get(reply) is await case.get(reply)
    assert reply.done()


def test_a_reply_is_waited_for_with_a_limit(session: Session) -> None:
    reply: Reply[int] = Reply()
    with pytest.raises(TimeoutError, match="0.01 s"):
        reply.wait(0.01)
    reply.set_result(1)
    assert reply.wait(0.01) == reply.result() == 1
    assert reply.then(lambda number: number + 1).wait(0) == 2
    with pytest.raises(ZeroDivisionError):
        reply.then(lambda number: number / 0).wait(0)


# -- the session -------------------------------------------------------------------------------


@contract
async def test_starting_again_does_nothing(case: Case) -> None:
    assert await case.get(case.session.start()) is case.session
    assert await case.get(case.session.start()) is case.session


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_closing_ends_what_runs_and_nothing_starts_any_more(kind: str, way: str, root: Path) -> None:
    case = Case(kind, WAYS[way], root)

    async def test() -> None:
        session = case.session
        await case.get(session.start())
        execution = await case.begun()
        stream = execution.attach(follow=True)
        await case.get(session.close())
        messages = await case.read(stream)
        assert isinstance(messages[-1], CompleteMessage)
        assert messages[-1].status == "killed"
        await case.get(session.close())
        for call in (session.start, lambda: session.execute("1"), lambda: session.run_process("true")):
            with pytest.raises(SessionClosedError, match="closed"):
                await case.get(call())  # type: ignore[operator]

    case.run(test)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_session_that_never_started_can_be_closed(kind: str, way: str, root: Path) -> None:
    case = Case(kind, WAYS[way], root)

    async def test() -> None:
        await case.get(case.session.close())

    case.run(test)
