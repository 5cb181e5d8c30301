"""An interrupt ends the execution that it is meant for, whatever that does, and no other."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable

import pytest
from support.worker import Worker

from pyrepl_stream import ErrorMessage, InputRequestMessage, ResultMessage

BUSY = {
    "sleep": "import time\nprint('up'); time.sleep(1000)",
    "a read of a socket": "import socket\na, b = socket.socketpair()\nprint('up'); a.recv(1)",
    "a lock": "import threading\nl = threading.Lock(); l.acquire()\nprint('up'); l.acquire()",
    "a queue": "import queue\nprint('up'); queue.Queue().get()",
    "a loop": "print('up')\nwhile True: pass",
    "a loop of prints": "print('up')\nwhile True: print('x')",
    "await": "import asyncio\nprint('up'); await asyncio.sleep(1000)",
    "a loop that awaits": "import asyncio\nprint('up')\nwhile True: await asyncio.sleep(0)",
    "a loop in a coroutine": "import asyncio\nawait asyncio.sleep(0)\nprint('up')\nwhile True: pass",
    "sleep in a coroutine": "import asyncio, time\nawait asyncio.sleep(0)\nprint('up'); time.sleep(1000)",
    "asyncio.run": "import asyncio\nasync def f(): print('up'); await asyncio.sleep(1000)\nasyncio.run(f())",
    "subprocess.run": "import subprocess\nprint('up'); subprocess.run(['sleep', '1000'])",
    "os.system": "import os\nprint('up'); os.system('sleep 1000')",
    "a child that was waited for": "import subprocess\np = subprocess.Popen(['sleep', '1000'])\nprint('up'); p.wait()",
    "a thread that was joined": "import threading, time\nt = threading.Thread(target=time.sleep, args=(5,), daemon=True); t.start()\nprint('up'); t.join()",
    "input": "print('up'); input()",
}


@pytest.mark.parametrize("what", BUSY)
def test_it_ends(worker: Worker, what: str) -> None:
    worker.run("kept = 5")
    seen = worker.start(BUSY[what])
    worker.wait_for_text(seen, "up\n")
    if what == "input":
        worker.until(lambda: bool(seen.of(InputRequestMessage)))
    worker.interrupt(seen.ordinal)
    worker.wait(seen)
    assert (seen.complete.status, seen.complete.success) == ("interrupted", False)
    assert seen.of(ErrorMessage)[0].name == "KeyboardInterrupt"
    assert "pyrepl_stream" not in "".join(seen.of(ErrorMessage)[0].traceback)
    assert worker.run("kept").of(ResultMessage)[0].data["text/plain"] == "5"


@pytest.mark.parametrize("what", ["sleep", "await", "a loop", "sleep in a coroutine"])
def test_one_that_comes_before_the_code_holds(worker: Worker, what: str) -> None:
    for _ in range(20):
        seen = worker.start(BUSY[what])
        worker.interrupt(seen.ordinal)
        assert worker.wait(seen).complete.status == "interrupted"


def test_one_that_is_caught_goes_on_and_the_next_one_comes(worker: Worker) -> None:
    seen = worker.start(
        "import time\nfor i in range(3):\n    try:\n        print('up', i); time.sleep(1000)\n    except KeyboardInterrupt:\n        print('caught', i)"
    )
    for i in range(3):
        worker.wait_for_text(seen, f"up {i}\n")
        worker.interrupt(seen.ordinal)
    worker.wait(seen)
    assert seen.complete.status == "ok"
    assert seen.text() == "".join(f"up {i}\ncaught {i}\n" for i in range(3))


def test_a_task_that_swallows_the_cancellation_goes_on(worker: Worker) -> None:
    seen = worker.start(
        "import asyncio\ntry:\n    print('up'); await asyncio.sleep(1000)\nexcept (asyncio.CancelledError, KeyboardInterrupt):\n    print('caught')\n'on'"
    )
    worker.wait_for_text(seen, "up\n")
    worker.interrupt(seen.ordinal)
    worker.wait(seen)
    assert (seen.text(), seen.complete.status) == ("up\ncaught\n", "ok")


def test_a_cancellation_that_nobody_asked_for_is_an_error(worker: Worker) -> None:
    seen = worker.run("import asyncio\nraise asyncio.CancelledError")
    assert (seen.complete.status, seen.of(ErrorMessage)[0].name) == ("error", "CancelledError")


def test_one_for_another_execution_does_nothing(worker: Worker) -> None:
    seen = worker.start("import time\nprint('up'); time.sleep(0.2); print('done')")
    worker.wait_for_text(seen, "up\n")
    for ordinal in (seen.ordinal - 1, seen.ordinal + 1, 0):
        worker.interrupt(ordinal)
    assert worker.wait(seen).text() == "up\ndone\n"


@pytest.mark.parametrize("code", ["import time; time.sleep({})", "import asyncio; await asyncio.sleep({})", "for i in range(int({} * 1e7)): pass"])
def test_one_around_the_end_never_hits_the_next(worker: Worker, code: str, rounds: Callable[[int, int], int]) -> None:
    chance = random.Random(5)
    ended = []
    for _ in range(rounds(100, 1000)):
        first = worker.start(code.format(0.002))
        worker.turn(chance.uniform(0, 0.006))
        worker.interrupt(first.ordinal)
        if chance.random() < 0.3:
            worker.interrupt(first.ordinal)
        worker.wait(first)
        second = worker.start("sum(range(1000))")
        worker.interrupt(first.ordinal)
        worker.wait(second)
        ended.append(first.complete.status)
        assert second.complete.status == "ok", second.messages
        assert second.of(ResultMessage)[0].data["text/plain"] == "499500"
    assert set(ended) <= {"ok", "interrupted"}


def test_many_in_a_row_end_one_execution_and_leave_the_worker_whole(worker: Worker) -> None:
    seen = worker.start("import asyncio\nprint('up'); await asyncio.sleep(1000)")
    worker.wait_for_text(seen, "up\n")
    while seen.complete is None:
        worker.interrupt(seen.ordinal)
        worker.turn()
    assert seen.complete.status == "interrupted"
    assert worker.run("1").complete.status == "ok"


def test_between_executions_nothing_is_hit(worker: Worker) -> None:
    seen = worker.run("import asyncio\nasync def tick():\n    while True: await asyncio.sleep(0.001)\nt = asyncio.ensure_future(tick())\n'x'")
    for _ in range(50):
        worker.interrupt(seen.ordinal)
        worker.turn(0.002)
    assert worker.run("t.done()").of(ResultMessage)[0].data["text/plain"] == "False"
    worker.run("t.cancel()")


def test_a_task_of_an_earlier_execution_is_not_what_an_interrupt_ends(worker: Worker) -> None:
    worker.run("import asyncio\nasync def tick():\n    while True: await asyncio.sleep(0)\nt = asyncio.ensure_future(tick())")
    seen = worker.start("print('up'); await asyncio.sleep(1000)")
    worker.wait_for_text(seen, "up\n")
    worker.interrupt(seen.ordinal)
    assert worker.wait(seen).complete.status == "interrupted"
    assert worker.run("t.done()").of(ResultMessage)[0].data["text/plain"] == "False"
    worker.run("t.cancel()")


def test_a_handler_that_user_code_leaves_holds_for_its_execution_only(worker: Worker) -> None:
    seen = worker.start("import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('up'); time.sleep(0.1)")
    worker.wait_for_text(seen, "up\n")
    worker.interrupt(seen.ordinal)
    assert worker.wait(seen).complete.status == "ok"
    seen = worker.start(BUSY["sleep"])
    worker.wait_for_text(seen, "up\n")
    worker.interrupt(seen.ordinal)
    assert worker.wait(seen).complete.status == "interrupted"


def test_children_that_were_started_by_a_mark_are_found(worker: Worker) -> None:
    seen = worker.start("import subprocess\np = subprocess.Popen('setsid sleep 1000 & sleep 1000', shell=True)\nprint('up'); p.wait()")
    worker.wait_for_text(seen, "up\n")
    worker.until(lambda: len(worker.children(seen.ordinal)) >= 2)
    worker.interrupt(seen.ordinal)
    assert worker.wait(seen).complete.status == "interrupted"


def test_ipython_is_interrupted_too(worker_of: Callable[..., Worker]) -> None:
    worker = worker_of(sys.executable)
    if worker.ready["ipython"] is None:
        pytest.skip("there is no IPython")
    for code in (*BUSY.values(), "print('up')\n!sleep 1000", "%%bash\necho up\nsleep 1000", "%time __import__('time').sleep(print('up') or 1000)"):
        seen = worker.start(code)
        worker.wait_for_text(seen, "up")
        worker.interrupt(seen.ordinal)
        assert worker.wait(seen).complete.status == "interrupted", code
    assert worker.run("1 + 1").of(ResultMessage)[0].data["text/plain"] == "2"


def test_code_of_an_earlier_execution_that_holds_the_loop_is_ended_by_a_second_one(worker: Worker) -> None:
    first = worker.run("import asyncio, time\ndef block(): print('blocked'); time.sleep(1000)\nNone")
    seen = worker.start("asyncio.get_running_loop().call_soon(block)\nawait asyncio.sleep(1000)")
    worker.wait_for_text(seen, "blocked\n")
    worker.interrupt(seen.ordinal)
    assert worker.wait(seen).complete.status == "interrupted"  # its own callback: the first one holds
    first = worker.run(
        "begun = asyncio.Event()\nasync def hold():\n    await begun.wait(); block()\nt = asyncio.ensure_future(hold())"
    )
    seen = worker.start("begun.set()\nawait asyncio.sleep(1000)")
    worker.wait_for_text(first, "blocked\n")
    while seen.complete is None:
        worker.interrupt(seen.ordinal)
        worker.turn(0.1)
    assert seen.complete.status == "interrupted"


def test_code_of_an_earlier_execution_that_lets_none_begin_is_ended_by_a_second_one(worker: Worker) -> None:
    code = "import asyncio, time\nasync def hold(): print('blocked'); time.sleep(1000)\nt = asyncio.ensure_future(hold())"
    first = worker.run(code)
    worker.wait_for_text(first, "blocked\n")
    seen = worker.start("print('never')")
    while seen.complete is None:
        worker.interrupt(seen.ordinal)
        worker.turn(0.1)
    assert (seen.complete.status, seen.text()) == ("interrupted", "")
    # Behind it asyncio may say that nobody asked for the end of the task that was interrupted.
    assert worker.run("print('goes on')").text().startswith("goes on\n")


@pytest.mark.parametrize("more", ["file=sys.stderr", "flush=True"])
@pytest.mark.parametrize("code", ["import sys, asyncio\nawait asyncio.sleep(0)\nwhile True: print('x', {})", "import sys, asyncio\nasync def f():\n    while True: print('x', {})\nasyncio.run(f())"])
def test_code_that_does_nothing_but_print_on_a_loop_is_interrupted(worker: Worker, code: str, more: str, rounds: Callable[[int, int], int]) -> None:
    for _ in range(rounds(3, 30)):
        seen = worker.start(code.format(more))
        worker.wait_for_text(seen, "x\n" * 100)
        worker.interrupt(seen.ordinal)
        assert worker.wait(seen).complete.status == "interrupted"


def test_what_comes_after_an_interrupted_execution_is_not_cut_short(worker: Worker) -> None:
    worker.run("import ctypes, time; libc = ctypes.CDLL(None)")
    seen = worker.start("print('up'); time.sleep(1000)")
    worker.wait_for_text(seen, "up\n")
    worker.interrupt(seen.ordinal)
    assert worker.wait(seen).complete.status == "interrupted"
    # `sleep(3)` gives the seconds that a signal has left of it.
    assert worker.run("libc.sleep(3)").of(ResultMessage)[0].data["text/plain"] == "0"
