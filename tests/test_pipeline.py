"""Pipelines: a processor that fails costs the others and the reader no message."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from pyrepl_stream.local.session import Session
from pyrepl_stream.pipeline import Pipeline
from pyrepl_stream.processors import Tee
from pyrepl_stream.runtime.errors import UsageError
from pyrepl_stream.runtime.messages import (
    CompleteMessage,
    ErrorMessage,
    EventMessage,
    LogMessage,
    Message,
    OutputMessage,
)

COMPLETE = CompleteMessage(execution_id="job", sequence=9, success=True)


def output(sequence: int, data: str = "x") -> OutputMessage:
    return OutputMessage(execution_id="job", sequence=sequence, data=data)


def through(
    *processors: Any, messages: tuple[Message, ...] = (output(1), output(2), COMPLETE)
) -> list[Message]:
    chain = Pipeline(processors)
    chain.add(messages)
    chain.run()
    chain.close()
    return list(chain.ready)


async def through_async(
    *processors: Any, messages: tuple[Message, ...] = (output(1), output(2), COMPLETE)
) -> list[Message]:
    chain = Pipeline(processors)
    chain.add(messages)
    done = await drained(chain)
    chain.close()
    return done


async def drained(chain: Pipeline) -> list[Message]:
    done: list[Message] = []
    while chain.busy:
        await chain.run_async()
        done += chain.ready
        chain.ready.clear()
    return done


def texts(messages: list[Message]) -> list[str]:
    return [m.text if isinstance(m, LogMessage) else str(m.type.value) for m in messages]  # type: ignore[union-attr]  # ours have types


# -- what passes --------------------------------------------------------------------------------


def test_without_processors_messages_are_ready_at_once() -> None:
    chain = Pipeline(())
    chain.add([output(1)])
    assert not chain.busy
    assert list(chain.ready) == [output(1)]


def test_outputs_go_on_to_the_next_processor_in_order() -> None:
    def twice(message: Message) -> list[Message]:
        return [message, EventMessage(execution_id="job", sequence=message.sequence, name="e")]

    seen: list[Message] = []

    def see(message: Message) -> Message:
        seen.append(message)
        return message

    done = through(twice, see)
    assert [m.sequence for m in done] == [1, 1, 2, 2, 9, 9]
    assert seen == done


def test_a_generator_is_a_processor() -> None:
    def both(message: Message) -> Iterator[Message]:
        yield message
        yield message

    assert len(through(both, messages=(output(1),))) == 2


def test_complete_passes_regardless_of_what_a_processor_returns() -> None:
    assert through(lambda message: None) == [COMPLETE]


def test_each_reader_makes_its_own_processor_of_a_class_or_by_for_reader() -> None:
    class Counter:
        def __init__(self) -> None:
            self.count = 0

        def __call__(self, message: Message) -> Message:
            self.count += 1
            return EventMessage(data=self.count)

    class Shared(Counter):
        def for_reader(self) -> Counter:
            return Counter()

    shared = Shared()
    for _ in range(2):
        for processor in (Counter, shared):
            assert [m.data for m in through(processor, messages=(output(1), output(2)))] == [1, 2]  # type: ignore[attr-defined]  # events


# -- hooks --------------------------------------------------------------------------------------


class Hooked:
    def __init__(self) -> None:
        self.closed = 0

    def __call__(self, message: Message) -> Message:
        return message

    def on_error(self, message: ErrorMessage) -> Message:
        return EventMessage(name=f"after {message.name}")

    def on_complete(self, message: CompleteMessage) -> Message:
        return EventMessage(name=f"status {message.status}")

    def close(self) -> None:
        self.closed += 1


def test_hooks_are_called_once_and_what_they_return_comes_before_the_message() -> None:
    hooked = Hooked()
    done = through(hooked, messages=(output(1), ErrorMessage(name="E"), COMPLETE))
    assert texts(done) == ["output", "event", "error", "event", "complete"]
    assert [m.name for m in done if isinstance(m, EventMessage)] == ["after E", "status ok"]
    assert hooked.closed == 1


def test_a_hook_that_raises_does_not_keep_complete() -> None:
    class Bad(Hooked):
        def on_complete(self, message: CompleteMessage) -> Message:
            raise ValueError("at the end")

    done = through(Bad())
    assert done[-1] is COMPLETE
    assert "ValueError: at the end" in texts(done)[-2]


@pytest.mark.anyio
async def test_hooks_may_be_async() -> None:
    class Late(Hooked):
        async def on_complete(self, message: CompleteMessage) -> Message:  # type: ignore[override]  # as it may
            await anyio.lowlevel.checkpoint()
            return EventMessage(name="late")

    assert texts(await through_async(Late())) == ["output", "output", "event", "complete"]
    assert Pipeline([Late()]).is_async
    assert any("async for" in text for text in texts(through(Late())))


# -- failures -----------------------------------------------------------------------------------


def bad(message: Message) -> Message:
    raise ValueError("no good")


async def bad_async(message: Message) -> Message:
    raise ValueError("no good")


@pytest.mark.anyio
@pytest.mark.parametrize("processor", [bad, bad_async])
async def test_a_processor_that_raises_passes_messages_and_logs_once_and_at_the_end(
    processor: Callable[..., Any],
) -> None:
    seen: list[Message] = []
    done = await through_async(processor, lambda message: seen.append(message) or message)
    assert [m for m in done if not isinstance(m, LogMessage)] == [output(1), output(2), COMPLETE]
    first, second = (m for m in done if isinstance(m, LogMessage))
    assert "ValueError: no good" in first.text
    assert "test_pipeline.py" in first.text
    assert (first.level, first.logger, first.sequence) == ("ERROR", "pyrepl_stream.processors", 1)
    assert "failed 3 times" in second.text
    assert seen == done


@pytest.mark.parametrize("returned", ["text", "", b"", 3, [1], ["a"]])
def test_a_result_that_is_not_a_message_is_a_failure(returned: object) -> None:
    done = through(lambda message: returned, messages=(output(1),))
    assert done[-1] == output(1)
    assert "must return messages, not" in texts(done)[0]


def test_system_exit_in_a_processor_is_a_failure() -> None:
    def leave(message: Message) -> Message:
        raise SystemExit(3)

    assert through(leave)[-1] is COMPLETE


@pytest.mark.anyio
async def test_a_processor_that_never_returns_is_abandoned_and_the_others_get_all_messages() -> None:
    forever = threading.Event()

    def stuck(message: Message) -> Message:
        forever.wait()
        return message

    stuck.stall_timeout = 0.05  # type: ignore[attr-defined]  # as its contract has it
    calls: list[int] = []

    def other(message: Message) -> Message:
        calls.append(message.sequence)
        return message

    try:
        done = await through_async(other, stuck, other)
        assert through(stuck) == done
    finally:
        forever.set()
    assert texts(done)[1:] == ["output", "output", "complete"]
    assert "stuck did not return within 0.05 s and is not called again" in texts(done)[0]
    assert calls == [1, 1, 1, 2, 2, 9, 9]  # the log, too


@pytest.mark.anyio
async def test_an_async_processor_that_never_returns_is_cancelled() -> None:
    ended = []

    async def stuck(message: Message) -> Message:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(message.sequence)
        return message

    stuck.stall_timeout = 0.05  # type: ignore[attr-defined]
    done = await through_async(stuck)
    assert texts(done)[1:] == ["output", "output", "complete"]
    await anyio.wait_all_tasks_blocked()
    assert ended == [1]


def test_the_text_of_a_failure_is_bounded_and_has_no_escape_sequences() -> None:
    def fail(message: Message) -> Message:
        raise ValueError("\x1b]0;evil\x07" + "x" * 1_000_000)

    text = texts(through(fail))[0]
    assert "\\x1b]0;evil\\x07" in text
    assert len(text) < 5000


def test_a_processor_that_makes_messages_without_end_fails() -> None:
    def endless(message: Message) -> Iterator[Message]:
        while True:
            yield message

    done = through(endless, messages=(output(1),))
    assert done[-1] == output(1)
    assert "more than 131,072 messages for one" in texts(done)[0]


def test_processors_cannot_add_a_complete_message() -> None:
    assert through(lambda message: [message, message], messages=(COMPLETE,)) == [COMPLETE]
    assert through(lambda message: CompleteMessage(), messages=(output(1), COMPLETE))[-1:] == [
        CompleteMessage()
    ]
    assert through(lambda message: CompleteMessage(), messages=(output(1),)) == []


@pytest.mark.anyio
async def test_a_cancelled_future_within_a_processor_is_a_failure_and_no_cancellation_of_the_reader() -> None:
    async def cancelled(message: Message) -> Message:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future
        return message

    if sniffed_asyncio():
        done = await through_async(cancelled)
        assert done[-1] is COMPLETE
        assert "it was cancelled" in texts(done)[0]


def sniffed_asyncio() -> bool:
    return asyncio._get_running_loop() is not None


def test_a_close_that_never_returns_does_not_block_the_reader() -> None:
    forever = threading.Event()

    class Stuck(Hooked):
        def close(self) -> None:
            forever.wait()

    assert through(Stuck())[-1] is COMPLETE
    forever.set()


@pytest.mark.parametrize(
    ("processors", "said"),
    [
        (3, "processors must be a list"),
        ([3], "must be callable, and 3 is not"),
        ([Tee], "Tee needs arguments"),
    ],
)
def test_invalid_processors_are_refused_before_the_code_starts(
    session: Session, processors: Any, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        session.execute("started = True", processors=processors)
    assert "started" not in session.namespace


# -- who calls ----------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_an_event_loop_goes_on_while_a_plain_processor_works() -> None:
    turn = threading.Event()

    def waits(message: Message) -> Message:
        assert turn.wait(30)
        return message

    async with anyio.create_task_group() as tasks:

        async def release() -> None:
            turn.set()

        tasks.start_soon(release)
        assert await through_async(waits, messages=(output(1),)) == [output(1)]


def test_a_processor_that_never_waits_is_called_by_the_reader_and_others_by_a_thread() -> None:
    threads: list[int] = []

    def where(message: Message) -> Message:
        threads.append(threading.get_ident())
        return message

    through(where, messages=(output(1), output(2)))
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()
    threads.clear()
    where.never_waits = True  # type: ignore[attr-defined]
    through(where, messages=(output(1),))
    assert threads == [threading.get_ident()]


def test_the_thread_ends_with_its_reader() -> None:
    before = set(threading.enumerate())
    chain = Pipeline([lambda message: message])
    chain.add([output(1)])
    chain.run()
    (thread,) = set(threading.enumerate()) - before
    del chain
    gc.collect()
    thread.join(30)
    assert not thread.is_alive()


# -- cancelled ----------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_reader_that_is_cancelled_gets_each_message_once_and_processes_it_once() -> None:
    calls: list[int] = []
    begun = anyio.Event()

    async def slow(message: Message) -> Message:
        calls.append(message.sequence)
        if len(calls) == 1:
            begun.set()
            await anyio.sleep_forever()
        return message

    chain = Pipeline([slow])
    chain.add([output(1), output(2)])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(chain.run_async)
        await begun.wait()
        tasks.cancel_scope.cancel()
    assert not chain.ready
    assert await drained(chain) == [output(1), output(2)]
    assert calls == [1, 2]


def test_an_interrupt_within_a_processor_loses_no_message() -> None:
    calls: list[int] = []

    def interrupted(message: Message) -> Message:
        calls.append(message.sequence)
        if message.sequence == 2:
            raise KeyboardInterrupt
        return message

    interrupted.never_waits = True  # type: ignore[attr-defined]
    chain = Pipeline([interrupted])
    chain.add([output(1), output(2), output(3)])
    with pytest.raises(KeyboardInterrupt):
        chain.run()
    chain.run()
    assert list(chain.ready) == [output(1), output(2), output(3)]
    assert calls == [1, 2, 3]


def test_an_asyncio_task_that_is_cancelled_twice_loses_no_message() -> None:
    async def main() -> list[Message]:
        chain = Pipeline([_forever_once()])
        chain.add([output(1), output(2)])
        for _ in range(2):
            task = asyncio.ensure_future(chain.run_async())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait({task})
        return await drained(chain)

    assert asyncio.run(main()) == [output(1), output(2)]


def _forever_once() -> Callable[[Message], Awaitable[Message]]:
    calls: list[Message] = []

    async def processor(message: Message) -> Message:
        calls.append(message)
        if len(calls) < 2:
            await asyncio.Event().wait()
        return message

    return processor
