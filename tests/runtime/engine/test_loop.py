"""The loop of a session, as code in another thread finds it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from pyrepl_stream import Execution, ExecutionResult, OutputMessage, Session

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


def test_an_interrupt_cancels_what_the_code_waits_for(
    session: Session, run: Run, rounds: Callable[[int, int], int]
) -> None:
    for _ in range(rounds(5, 3000)):
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


def test_the_loop_is_made_when_code_first_uses_it() -> None:
    # In a process of its own: other tests leave descriptors and threads.
    program = """
import os, threading
from pyrepl_stream import Session
def used():
    names = [thread.name for thread in threading.enumerate()]
    return len(os.listdir("/dev/fd")), names.count("pyrepl-stream user code")
with Session() as first, Session() as second, Session(running_loop=True) as third:
    sessions = (first, second, third)
    for session in sessions: session.execute("import asyncio").wait(60)
    before = used()
    for code in ("1 + 1", "print(1)", "loop = asyncio._get_running_loop() or asyncio.get_event_loop()"):
        for session in sessions: assert session.execute(code).wait(60).success
    print(*(now - then for now, then in zip(used(), before)))
    for session in sessions: session.execute("loop.get_debug()").wait(60)
    print(*(now - then for now, then in zip(used(), before)))
"""
    output = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert output.splitlines() == ["0 0", "9 3"]


def test_many_sessions_may_be_open() -> None:
    program = """
import resource
from pyrepl_stream import Session
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
sessions = [Session() for _ in range(100)]
print({session.execute("1 + 1").wait(60).result for session in sessions})
"""
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "{'2'}\n"


def test_code_fails_if_there_are_no_descriptors_for_its_loop() -> None:
    program = """
import os, resource
from pyrepl_stream import Session
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
first, second = Session(), Session()
first.execute("import asyncio").wait(60)
taken = []
try:
    while True: taken.append(os.dup(0))
except OSError:
    pass
for session, code in (
    (first, "asyncio.get_event_loop().get_debug()"),
    (first, "await asyncio.sleep(0)"),
    (second, "5"),
):
    outcome = session.execute(code).wait(60)
    print(outcome.error or outcome.result)
for descriptor in taken: os.close(descriptor)
for code in ("asyncio.get_event_loop().run_until_complete(asyncio.sleep(0, 5))", "await asyncio.sleep(0, 5)"):
    print(first.execute(code).wait(60).result)
"""
    output = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert output.splitlines() == ["OSError: [Errno 24] Too many open files"] * 2 + ["5"] * 3


def test_threads_that_use_the_loop_first_find_the_same_one(run: Run) -> None:
    outcome = run(
        "import threading\ntogether = threading.Barrier(8)\nselectors = []\n"
        "def use():\n    together.wait()\n    selectors.append(loop._selector)\n"
        "threads = [threading.Thread(target=use) for _ in range(8)]\n"
        "for thread in threads: thread.start()\nfor thread in threads: thread.join()\n"
        "len(selectors), len(set(selectors))"
    )
    assert outcome.result == "(8, 1)"


def test_code_that_outlives_its_session_finds_a_closed_loop() -> None:
    with Session() as session:
        session.execute("import asyncio\nloop = asyncio.get_event_loop()").wait(60)
    assert session.namespace["loop"].is_closed()


@pytest.mark.parametrize("running", [False, True])
def test_a_forked_child_has_a_loop_of_its_own(running: bool) -> None:
    with Session(running_loop=running) as session:
        code = (
            "import os\nends = os.pipe()\nif os.fork() == 0:\n    try:\n"
            "        value = asyncio.get_event_loop().run_until_complete(double(1)), asyncio.run(double(2))\n"
            "    except BaseException as exc:\n        value = exc\n"
            "    os.write(ends[1], str(value).encode())\n    os._exit(0)\n"
            "os.wait()\nos.read(ends[0], 1000).decode()"
        )
        assert session.execute(BEGIN + code).wait(60).result == "'(2, 4)'"


def test_a_loop_of_another_kind_is_not_lent() -> None:
    # In a process of its own: other tests use the policy too.
    program = """
import asyncio
from pyrepl_stream import Session
class Other(asyncio.SelectorEventLoop):
    pass
class Policy(asyncio.DefaultEventLoopPolicy):
    _loop_factory = Other
asyncio.set_event_loop_policy(Policy())
with Session() as session:
    for code in ("import asyncio\\nasyncio.get_event_loop()", "await asyncio.sleep(0, asyncio.get_running_loop())"):
        outcome = session.execute(code).wait(60)
        print(outcome.error or outcome.result)
"""
    lent, awaited = subprocess.check_output([sys.executable, "-c", program], text=True).splitlines()
    assert lent.startswith("RuntimeError: There is no current event loop")
    assert awaited.startswith("<Other ")
