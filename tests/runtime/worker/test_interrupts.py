"""An interrupt ends the execution that it is meant for, and no other."""

from __future__ import annotations

import random
import signal
import sys
import time
from collections.abc import Callable

import pytest
from support.worker import Worker

from pyrepl_stream import ErrorMessage, InputRequestMessage, ResultMessage, StreamType

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
def test_an_interrupt_ends_the_code(worker: Worker, what: str) -> None:
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
def test_an_interrupt_before_the_code_begins_is_not_lost(worker: Worker, what: str) -> None:
    for _ in range(20):
        seen = worker.start(BUSY[what])
        worker.interrupt(seen.ordinal)
        assert worker.wait(seen).complete.status == "interrupted"


def test_code_that_catches_an_interrupt_continues_and_gets_the_next_one(worker: Worker) -> None:
    seen = worker.start(
        "import time\nfor i in range(3):\n    try:\n        print('up', i); time.sleep(1000)\n    except KeyboardInterrupt:\n        print('caught', i)"
    )
    for i in range(3):
        worker.wait_for_text(seen, f"up {i}\n")
        worker.interrupt(seen.ordinal)
    worker.wait(seen)
    assert seen.complete.status == "ok"
    assert seen.text() == "".join(f"up {i}\ncaught {i}\n" for i in range(3))


def test_a_task_that_ignores_its_cancellation_continues(worker: Worker) -> None:
    seen = worker.start(
        "import asyncio\ntry:\n    print('up'); await asyncio.sleep(1000)\nexcept (asyncio.CancelledError, KeyboardInterrupt):\n    print('caught')\n'on'"
    )
    worker.wait_for_text(seen, "up\n")
    worker.interrupt(seen.ordinal)
    worker.wait(seen)
    assert (seen.text(), seen.complete.status) == ("up\ncaught\n", "ok")


def test_a_cancellation_without_an_interrupt_is_an_error(worker: Worker) -> None:
    seen = worker.run("import asyncio\nraise asyncio.CancelledError")
    assert (seen.complete.status, seen.of(ErrorMessage)[0].name) == ("error", "CancelledError")


@pytest.mark.parametrize(
    "code",
    [
        "import time; time.sleep({})",
        "import asyncio; await asyncio.sleep({})",
        "for i in range(int({} * 1e7)): pass",
    ],
)
def test_an_interrupt_around_the_end_never_hits_the_next_execution(
    worker: Worker, code: str, rounds: Callable[[int, int], int]
) -> None:
    chance = random.Random(5)
    ended = []
    for _ in range(rounds(100, 1000)):
        first = worker.start(code.format(0.002))
        worker.turn(chance.uniform(0, 0.006))
        worker.interrupt(first.ordinal)
        if chance.random() < 0.3:
            worker.interrupt(first.ordinal)
        worker.wait(first)
        second = worker.run("sum(range(1000))")
        ended.append(first.complete.status)
        assert second.complete.status == "ok", second.messages
        assert second.of(ResultMessage)[0].data["text/plain"] == "499500"
    assert set(ended) <= {"ok", "interrupted"}


def test_many_interrupts_end_one_execution_and_leave_the_worker_intact(worker: Worker) -> None:
    seen = worker.start("import asyncio\nprint('up'); await asyncio.sleep(1000)")
    worker.wait_for_text(seen, "up\n")
    while seen.complete is None:
        worker.interrupt(seen.ordinal)
        worker.turn()
    assert seen.complete.status == "interrupted"
    assert worker.run("1").complete.status == "ok"


def test_a_signal_between_executions_has_no_effect(worker: Worker) -> None:
    worker.run(
        "import asyncio\nasync def tick():\n    while True: await asyncio.sleep(0.001)\nt = asyncio.ensure_future(tick())\n'x'"
    )
    for _ in range(50):
        worker.process.send_signal(signal.SIGINT)
        worker.turn(0.002)
    assert worker.run("t.done()").of(ResultMessage)[0].data["text/plain"] == "False"
    worker.run("t.cancel()")


def test_an_interrupt_does_not_end_a_task_of_an_earlier_execution(worker: Worker) -> None:
    worker.run(
        "import asyncio\nasync def tick():\n    while True: await asyncio.sleep(0)\nt = asyncio.ensure_future(tick())"
    )
    seen = worker.start("print('up'); await asyncio.sleep(1000)")
    worker.wait_for_text(seen, "up\n")
    worker.interrupt(seen.ordinal)
    assert worker.wait(seen).complete.status == "interrupted"
    assert worker.run("t.done()").of(ResultMessage)[0].data["text/plain"] == "False"
    worker.run("t.cancel()")


def test_a_handler_of_user_code_is_removed_after_its_execution(worker: Worker) -> None:
    seen = worker.start(
        "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('up'); time.sleep(0.1)"
    )
    worker.wait_for_text(seen, "up\n")
    worker.interrupt(seen.ordinal)
    assert worker.wait(seen).complete.status == "ok"
    seen = worker.start(BUSY["sleep"])
    worker.wait_for_text(seen, "up\n")
    worker.interrupt(seen.ordinal)
    assert worker.wait(seen).complete.status == "interrupted"


def test_children_are_found_by_their_mark(worker: Worker) -> None:
    seen = worker.start(
        "import subprocess\np = subprocess.Popen('setsid sleep 1000 & sleep 1000', shell=True)\nprint('up'); p.wait()"
    )
    worker.wait_for_text(seen, "up\n")
    worker.until(lambda: len(worker.children(seen.ordinal)) >= 2)
    worker.interrupt(seen.ordinal)
    assert worker.wait(seen).complete.status == "interrupted"


def test_ipython_is_interrupted_too(worker_of: Callable[..., Worker]) -> None:
    worker = worker_of(sys.executable)
    if worker.ready["ipython"] is None:
        pytest.skip("there is no IPython")
    for code in (
        *BUSY.values(),
        "print('up')\n!sleep 1000",
        "%%bash\necho up\nsleep 1000",
        "%time __import__('time').sleep(print('up') or 1000)",
    ):
        seen = worker.start(code)
        worker.wait_for_text(seen, "up")
        worker.interrupt(seen.ordinal)
        assert worker.wait(seen).complete.status == "interrupted", code
    assert worker.run("1 + 1").of(ResultMessage)[0].data["text/plain"] == "2"


def test_a_second_interrupt_ends_earlier_code_that_blocks_the_loop(worker: Worker) -> None:
    first = worker.run("import asyncio, time\ndef block(): print('blocked'); time.sleep(1000)\nNone")
    seen = worker.start("asyncio.get_running_loop().call_soon(block)\nawait asyncio.sleep(1000)")
    worker.wait_for_text(seen, "blocked\n")
    worker.interrupt(seen.ordinal)
    assert worker.wait(seen).complete.status == "interrupted"  # its own callback is ended by the first one
    first = worker.run(
        "begun = asyncio.Event()\nasync def hold():\n    await begun.wait(); block()\nt = asyncio.ensure_future(hold())"
    )
    seen = worker.start("begun.set()\nawait asyncio.sleep(1000)")
    worker.wait_for_text(first, "blocked\n")
    while seen.complete is None:
        worker.interrupt(seen.ordinal)
        worker.turn(0.1)
    assert seen.complete.status == "interrupted"


def test_a_second_interrupt_ends_earlier_code_that_keeps_executions_from_beginning(worker: Worker) -> None:
    code = "import asyncio, time\nasync def hold(): print('blocked'); time.sleep(1000)\nt = asyncio.ensure_future(hold())"
    first = worker.run(code)
    worker.wait_for_text(first, "blocked\n")
    seen = worker.start("print('never')")
    while seen.complete is None:
        worker.interrupt(seen.ordinal)
        worker.turn(0.1)
    assert (seen.complete.status, seen.text()) == ("interrupted", "")
    # Later, asyncio may report that the exception of the interrupted task was never retrieved.
    assert worker.run("print('goes on')").text().startswith("goes on\n")


@pytest.mark.parametrize("more", ["file=sys.stderr", "flush=True"])
@pytest.mark.parametrize(
    "code",
    [
        "import sys, asyncio\nawait asyncio.sleep(0)\nwhile True: print('x', {})",
        "import sys, asyncio\nasync def f():\n    while True: print('x', {})\nasyncio.run(f())",
    ],
)
def test_code_that_only_prints_on_a_loop_is_interrupted(
    worker: Worker, code: str, more: str, rounds: Callable[[int, int], int]
) -> None:
    for _ in range(rounds(3, 30)):
        seen = worker.start(code.format(more))
        worker.wait_for_text(seen, "x\n" * 100)
        worker.interrupt(seen.ordinal)
        assert worker.wait(seen).complete.status == "interrupted"


def test_code_that_waits_on_a_loop_until_the_host_reads_is_interrupted(own_worker: Worker) -> None:
    seen = own_worker.start("import asyncio\nawait asyncio.sleep(0)\nwhile True: print('x' * 1000)")
    own_worker.wait_for_text(seen, "x\n")
    time.sleep(1.0)  # the host reads nothing, so that the code has to wait for room
    own_worker.interrupt(seen.ordinal)
    time.sleep(2.5)  # until the signal is repeated no more
    assert own_worker.wait(seen).complete.status == "interrupted"


def test_the_execution_after_an_interrupted_one_is_not_cut_short(worker: Worker) -> None:
    worker.run("import ctypes, time; libc = ctypes.CDLL(None)")
    seen = worker.start("print('up'); time.sleep(1000)")
    worker.wait_for_text(seen, "up\n")
    worker.interrupt(seen.ordinal)
    assert worker.wait(seen).complete.status == "interrupted"
    # `sleep(3)` returns the seconds that remain when a signal interrupts it.
    assert worker.run("libc.sleep(3)").of(ResultMessage)[0].data["text/plain"] == "0"


SENT = {
    "raise_signal": "import signal; signal.raise_signal(signal.SIGINT)",
    "os.kill": "import os, signal; os.kill(os.getpid(), signal.SIGINT); time.sleep(1000)",
    "pthread_kill": "import signal, threading; signal.pthread_kill(threading.get_ident(), signal.SIGINT)",
    "interrupt_main": "import _thread; _thread.interrupt_main()",
    "interrupt_main in a thread": "import _thread, threading; threading.Timer(0.1, _thread.interrupt_main).start(); time.sleep(1000)",
    "pthread_kill in a thread": "import signal, threading; threading.Timer(0.1, signal.pthread_kill, (threading.get_ident(), signal.SIGINT)).start(); time.sleep(1000)",
    "a child": "import os, subprocess, sys; subprocess.Popen(['sh', '-c', f'sleep 0.1; kill -INT {os.getpid()}']); time.sleep(1000)",
    "a task": "import asyncio, signal\nasync def f(): signal.raise_signal(signal.SIGINT)\nasyncio.run(f())",
    "code that awaits": "import asyncio, signal; await asyncio.sleep(0); signal.raise_signal(signal.SIGINT)",
    "interrupt_main while code awaits": "import _thread, asyncio, threading; threading.Timer(0.1, _thread.interrupt_main).start(); await asyncio.sleep(1000)",
}


@pytest.mark.parametrize("what", SENT)
def test_a_signal_that_code_sends_raises_keyboard_interrupt(worker: Worker, what: str) -> None:
    seen = worker.run(f"import time; print('up')\n{SENT[what]}\nprint('reached')")
    assert (seen.text(), seen.complete.status) == ("up\n", "interrupted")
    assert seen.of(ErrorMessage)[0].name == "KeyboardInterrupt"
    assert "pyrepl_stream" not in "".join(seen.of(ErrorMessage)[0].traceback)
    assert worker.run("1 + 1").complete.status == "ok"


def test_code_finds_the_handlers_of_a_plain_interpreter(worker: Worker) -> None:
    found = "import signal, sys\nprint(signal.getsignal(signal.SIGINT) is signal.default_int_handler, signal.set_wakeup_fd(-1))"
    assert worker.run(found).text() == "True -1\n"
    assert (
        worker.run(f"import asyncio\nasync def f(): await asyncio.sleep(0)\nasyncio.run(f())\n{found}").text()
        == "True -1\n"
    )
    assert (
        worker.run("import asyncio\nawait asyncio.sleep(0)\nsignal.set_wakeup_fd(-1)")
        .of(ResultMessage)[0]
        .data["text/plain"]
        == "-1"
    )


def test_a_handler_of_code_gets_the_signal(worker: Worker) -> None:
    seen = worker.start(
        "import signal, time\ngot = []\nsignal.signal(signal.SIGINT, lambda *a: got.append(a[0]))\nprint('up')\nwhile not got: time.sleep(0.01)\nprint(got)"
    )
    worker.wait_for_text(seen, "up\n")
    worker.interrupt(seen.ordinal)
    assert worker.wait(seen).text() == "up\n[<Signals.SIGINT: 2>]\n" or seen.text() == "up\n[2]\n"


def test_a_loop_of_code_gets_the_signal(worker: Worker) -> None:
    seen = worker.start(
        "import asyncio, signal\nasync def f():\n    got = asyncio.Event()\n    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, got.set)\n    print('up'); await got.wait(); print('got')\nasyncio.run(f())"
    )
    worker.wait_for_text(seen, "up\n")
    worker.interrupt(seen.ordinal)
    assert worker.wait(seen).text() == "up\ngot\n"


FORKED = """
import os, signal, sys{imports}
pid = os.fork()
if not pid:
    print(signal.getsignal(signal.SIGINT) is signal.default_int_handler, signal.getsignal(signal.SIGURG) is signal.SIG_DFL, sys.unraisablehook is sys.__unraisablehook__, flush=True)
    os._exit(0)
os.waitpid(pid, 0); None
"""


@pytest.mark.parametrize("imports", ["", ", asyncio; await asyncio.sleep(0)"])
def test_a_forked_child_has_the_handlers_of_a_plain_interpreter(worker: Worker, imports: str) -> None:
    assert worker.run(FORKED.format(imports=imports)).text() == "True True True\n"


def test_a_child_that_a_task_forks_between_executions_has_plain_handlers(worker: Worker) -> None:
    code = "\n".join(f"    {line}" for line in FORKED.format(imports="").splitlines())
    seen = worker.run(
        f"import asyncio\nasync def later():\n    await asyncio.sleep(0.05)\n{code}\nt = asyncio.ensure_future(later())"
    )
    worker.wait_for_text(seen, "True True True\n")


def test_a_forked_child_can_be_interrupted(worker: Worker) -> None:
    seen = worker.run(
        "import os, signal, time\nr, w = os.pipe()\npid = os.fork()\nif not pid:\n    try:\n        os.write(w, b'.'); time.sleep(1000)\n    except KeyboardInterrupt:\n        os._exit(7)\nos.read(r, 1); os.kill(pid, signal.SIGINT); print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))"
    )
    assert seen.text() == "7\n"


def test_trio_works_after_an_interrupt(worker_of: Callable[..., Worker]) -> None:
    worker = worker_of(sys.executable, "-W", "error::RuntimeWarning")
    sleep = "import trio\nasync def f():\n    try:\n        print('up'); await trio.sleep(1000)\n    finally:\n        print('cleaned up')\ntrio.run(f)"
    for _ in range(2):
        seen = worker.start(sleep)
        worker.wait_for_text(seen, "up\n")
        worker.interrupt(seen.ordinal)
        assert worker.wait(seen).complete.status == "interrupted"
        assert (seen.text(), seen.text(StreamType.STDERR)) == ("up\ncleaned up\n", "")
    assert worker.run("trio.run(trio.sleep, 0)").complete.status == "ok"


def test_code_that_blocks_a_loop_of_its_own_is_interrupted(worker: Worker) -> None:
    seen = worker.start(
        "import asyncio, time\nasync def f(): print('up'); time.sleep(1000)\nasyncio.run(f())"
    )
    worker.wait_for_text(seen, "up\n")
    worker.interrupt(seen.ordinal)
    assert worker.wait(seen).complete.status == "interrupted"
