"""The loop of a session, as code in another thread finds it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable

import pytest

from pyrepl_stream import Execution, ExecutionResult, OutputMessage, Session
from pyrepl_stream.runtime.engine.loop import UserLoop, new_user_loop

BEGIN = """
import asyncio
async def double(x):
    print("in", x)
    await asyncio.sleep(0)
    return 2 * x
async def forever():
    print("waits")
    try:
        await asyncio.Event().wait()
    finally:
        print("cleaned")
loop = asyncio.get_event_loop()
"""
Run = Callable[[str], ExecutionResult]


@pytest.fixture
def run(session: Session) -> Run:
    return lambda code: session.execute(BEGIN + code).wait(60)


def interrupt_after(execution: Execution, text: str, last: str = "") -> None:
    """Interrupt an execution when it has printed ``text``, and wait until it has printed ``last``."""
    seen = ""
    for message in execution.attach(follow=True):
        if isinstance(message, OutputMessage):
            before, seen = seen, seen + message.text
            if text in seen and text not in before:
                execution.interrupt().wait()
        if text in seen and last in seen:
            break


def test_code_finds_the_loop_at_rest(run: Run) -> None:
    outcome = run("asyncio.get_event_loop() is loop, loop.is_running(), loop.is_closed()")
    assert outcome.result == "(True, False, False)"
    assert run("asyncio.get_running_loop()").error == "RuntimeError: no running event loop"


def test_a_task_of_code_that_does_not_await_runs_when_the_code_has_ended(run: Run) -> None:
    run("task = asyncio.ensure_future(double(1))")
    assert run("await task").result == "2"


def test_code_runs_the_loop_with_the_tasks_made_before(run: Run) -> None:
    outcome = run(
        "task = loop.create_task(double(1))\nloop.run_until_complete(asyncio.gather(task, double(2)))"
    )
    assert (outcome.result, outcome.stdout) == ("[2, 4]", "in 1\nin 2\n")


def test_an_error_of_a_coroutine_is_raised_where_the_code_runs_the_loop(run: Run) -> None:
    outcome = run("async def fail(): 1 / 0\nloop.run_until_complete(fail())")
    assert outcome.error is not None
    assert outcome.error == "ZeroDivisionError: division by zero"
    assert "pyrepl_stream" not in "\n".join(outcome.error.traceback)


def test_the_loop_cannot_be_run_from_within(run: Run) -> None:
    nested = (
        "async def nested():\n    inner = asyncio.sleep(0)\n    try: loop.run_until_complete(inner)\n"
        "    finally: inner.close()\n"
    )
    outcome = run(nested + "loop.run_until_complete(nested())")
    assert outcome.error == "RuntimeError: This event loop is already running"
    outcome = run(nested + "asyncio.run(nested())")
    assert outcome.error == "RuntimeError: Cannot run the event loop while another loop is running"


def test_a_loop_that_code_runs_forever_ends_when_it_is_stopped(run: Run) -> None:
    assert run("loop.call_later(0.01, loop.stop)\nloop.run_forever()\nprint('out')").stdout == "out\n"


def test_code_does_not_close_a_loop_that_others_use(run: Run) -> None:
    assert run("loop.run_until_complete(double(1))\nloop.close()").success
    assert run("await double(2)").result == "4"


def test_an_interrupt_cancels_what_the_code_waits_for(session: Session, run: Run) -> None:
    execution = session.execute(BEGIN + "loop.run_until_complete(forever())")
    interrupt_after(execution, "waits\n", "cleaned\n")
    assert execution.wait(60).status == "interrupted"
    assert run("await double(2)").result == "4"


def test_an_interrupt_ends_a_coroutine_that_does_not_await(session: Session, run: Run) -> None:
    code = "async def busy():\n    print('busy', flush=True)\n    while True: pass\nloop.run_until_complete(busy())"
    execution = session.execute(BEGIN + code)
    interrupt_after(execution, "busy\n")
    assert execution.wait(60).status == "interrupted"
    assert run("await double(2)").result == "4"


@pytest.mark.parametrize("running", [False, True])
def test_nested_loops_of_nest_asyncio_work(running: bool) -> None:
    # In a process of its own: it cannot be undone.
    program = f"""
from pyrepl_stream import Session
with Session(running_loop={running}) as session:
    for code in (
        "import asyncio, nest_asyncio2\\nnest_asyncio2.apply()\\nasync def f(x): return x",
        "print(asyncio.get_event_loop().run_until_complete(f(1)))",
        "async def g(): return asyncio.get_event_loop().run_until_complete(f(2))\\nprint(await g())",
        "print(asyncio.run(f(3)))",
    ):
        outcome = session.execute(code).wait(60)
        print(outcome.stdout, outcome.error or "", end="")
"""
    assert subprocess.check_output([sys.executable, "-c", program], text=True).split() == ["1", "2", "3"]


def test_a_loop_of_another_kind_is_used_as_it_is() -> None:
    class Other(asyncio.SelectorEventLoop):
        pass

    class Policy(asyncio.DefaultEventLoopPolicy):
        _loop_factory = Other

    kinds = []
    for policy in (None, Policy()):
        asyncio.set_event_loop_policy(policy)
        try:
            loop = new_user_loop()
        finally:
            asyncio.set_event_loop_policy(None)
        kinds.append(type(loop))
        loop.close()
    assert kinds == [UserLoop, Other]
