"""Code of cells and event loops: the worker's own, and those that code runs."""

from __future__ import annotations

import sys
from collections.abc import Callable

from support.worker import Worker

from pyrepl_stream import ErrorMessage, ResultMessage


def value(worker: Worker, code: str) -> str:
    seen = worker.run(code)
    assert seen.complete.status == "ok", seen.messages
    return str(seen.of(ResultMessage)[0].data["text/plain"])


def test_code_that_does_not_await_can_create_tasks(worker: Worker) -> None:
    seen = worker.run(
        "import asyncio\nasync def f(): print('in the task'); return 5\nt = asyncio.create_task(f())\nprint('first')"
    )
    worker.wait_for_text(seen, "in the task\n")
    assert seen.text() == "first\nin the task\n"
    assert value(worker, "await t") == "5"
    assert value(
        worker, "asyncio.get_running_loop().is_running(), asyncio.get_event_loop().is_running()"
    ) == ("(True, True)")


def test_the_loop_that_runs_for_code_cannot_be_run_again(worker: Worker) -> None:
    seen = worker.run("import asyncio\nc = asyncio.sleep(0)\nasyncio.get_event_loop().run_until_complete(c)")
    assert seen.of(ErrorMessage)[0].value == "This event loop is already running"
    worker.run("c.close()")


RUN = "import asyncio\nasync def f(): await asyncio.sleep(0); return 3\n"
FINDS = "asyncio.get_running_loop().is_running(), asyncio.get_event_loop() is asyncio.get_running_loop()"


def test_asyncio_run_works_and_the_loop_is_running_afterwards(worker: Worker) -> None:
    assert value(worker, f"{RUN}asyncio.run(f()), {FINDS}") == "(3, True, True)"
    assert value(worker, f"{RUN}await f()") == "3"
    assert (
        worker.run(f"{RUN}async def g(): asyncio.run(f())\nawait g()").of(ErrorMessage)[0].name
        == "RuntimeError"
    )


def test_asyncio_run_works_in_a_thread_and_in_a_forked_child(worker: Worker) -> None:
    assert value(worker, f"{RUN}await asyncio.to_thread(asyncio.run, f())") == "3"
    code = "import os\npid = os.fork()\nif not pid: os._exit(asyncio.run(f()))\nos.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])"
    assert value(worker, RUN + code) == "3"


def test_loops_of_other_packages_work(worker_of: Callable[..., Worker]) -> None:
    worker = worker_of(sys.executable, "-W", "error::RuntimeWarning")
    assert value(worker, f"import anyio\n{RUN}anyio.run(f)") == "3"
    worker.run("%autoawait trio")
    assert value(worker, "import trio\nawait trio.sleep(0)\n5") == "5"
    worker.run("%autoawait asyncio")
    assert value(worker, f"{RUN}await f()") == "3"


def test_nested_loops_work(worker_of: Callable[..., Worker]) -> None:
    worker = worker_of(sys.executable)
    worker.run("import nest_asyncio2; nest_asyncio2.apply()")
    for _ in range(2):
        assert value(worker, f"{RUN}asyncio.run(f())") == "3"
        assert value(worker, f"{RUN}asyncio.get_event_loop().run_until_complete(f())") == "3"
        assert value(worker, f"{RUN}await f()") == "3"
    seen = worker.start("print('up'); asyncio.run(asyncio.sleep(1000))")
    worker.wait_for_text(seen, "up\n")
    worker.interrupt(seen.ordinal)
    assert worker.wait(seen).complete.status == "interrupted"
    assert value(worker, f"{RUN}await f()") == "3"


# As freezegun does: in each module that has the function as an attribute.
FREEZE = """
import sys, time
now = [0.0]
for real in (time.monotonic, time.time, time.monotonic_ns):
    for module in list(sys.modules.values()):
        for name, value in list(vars(module).items()):
            if value is real:
                setattr(module, name, lambda: now[0])
"""


def test_code_that_freezes_the_clock_can_print_and_ask(own_worker: Worker) -> None:
    seen = own_worker.start(
        f"{FREEZE}\nfor i in range(3): print('before', i); print(input('q? '))\nnow[0] = 1e12"
    )
    for i in range(3):
        own_worker.wait_for_text(seen, f"before {i}\n")
        own_worker.until(lambda n=i: len([m for m in seen.messages if m.type == "input_request"]) > n)
        own_worker.answer(seen, f"answer {i}")
    own_worker.wait(seen)
    assert seen.complete.status == "ok"
    assert seen.text() == "".join(f"before {i}\nanswer {i}\n" for i in range(3))
    assert seen.complete.timestamp > 1e9 and seen.complete.duration < 1e6
