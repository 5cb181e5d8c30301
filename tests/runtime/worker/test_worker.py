"""A real worker process, and the messages that it sends about what it runs."""

from __future__ import annotations

import os
import platform
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.host import wait_until
from support.interpreters import VERSIONS, interpreters
from support.worker import Worker

from pyrepl_stream import (
    DisplayMessage,
    ErrorMessage,
    InputRequestMessage,
    LogMessage,
    ResultMessage,
    StreamType,
)
from pyrepl_stream.runtime.process import Command
from pyrepl_stream.runtime.protocol.frames import FrameType
from pyrepl_stream.runtime.protocol.requests import CommandRequest


def test_a_worker_reports_its_interpreter(worker: Worker) -> None:
    assert worker.ready["pid"] == worker.process.pid
    assert worker.ready["python"] == platform.python_version()
    assert worker.ready["ipython"] is None
    assert os.path.samefile(worker.ready["executable"], sys.executable)


def test_output_result_and_complete_arrive_in_order(worker: Worker) -> None:
    seen = worker.run("import sys\nprint('out'); print('err', file=sys.stderr); print('again')\n6 * 7")
    assert seen.text() == "out\nerr\nagain\n"
    assert seen.text(StreamType.STDERR) == "err\n"
    assert seen.of(ResultMessage)[0].data == {"text/plain": "42"}
    assert (seen.complete.success, seen.complete.status) == (True, "ok")
    assert seen.messages[-1] is seen.complete
    assert seen.frames[-2:] == [FrameType.KEPT, FrameType.COMPLETE]


def test_executions_share_a_namespace(worker: Worker) -> None:
    worker.run("kept = 5")
    assert worker.run("kept + 1").of(ResultMessage)[0].data["text/plain"] == "6"
    assert worker.run("_ + 1").of(ResultMessage)[0].data["text/plain"] == "7"


@pytest.mark.parametrize(
    ("code", "name", "status", "exit_code"),
    [
        ("1 / 0", "ZeroDivisionError", "error", None),
        ("1 +", "SyntaxError", "error", None),
        ("raise SystemExit(3)", "SystemExit", "error", 3),
        ("exit(4)", "SystemExit", "error", 4),
        ("import asyncio; await asyncio.sleep(0); 1 / 0", "ZeroDivisionError", "error", None),
        ("raise KeyboardInterrupt", "KeyboardInterrupt", "interrupted", None),
    ],
)
def test_errors_have_only_frames_of_user_code(
    worker: Worker, code: str, name: str, status: str, exit_code: int | None
) -> None:
    seen = worker.run(code)
    (error,) = seen.of(ErrorMessage)
    assert error.name == name
    assert "pyrepl_stream" not in "".join(error.traceback)
    assert (seen.complete.status, seen.complete.exit_code) == (status, exit_code)


def test_an_exit_without_an_error_is_a_success(worker: Worker) -> None:
    seen = worker.run("print('x'); exit()")
    assert (seen.text(), seen.complete.status, seen.complete.exit_code) == ("x\n", "ok", 0)


def test_large_output_arrives_whole(worker: Worker) -> None:
    seen = worker.run(
        "for i in range(200_000): print(i)\nimport sys; sys.stdout.write('x' * 5_000_000); None"
    )
    assert seen.text() == "".join(f"{i}\n" for i in range(200_000)) + "x" * 5_000_000


def test_bytes_and_unusual_characters_arrive_unchanged(worker: Worker) -> None:
    seen = worker.run("import sys\nsys.stdout.buffer.write(b'\\xff\\xfe'); print('\\ud800 \\u00e9')")
    assert [m.data for m in seen.messages[:2]] == [b"\xff\xfe", "\ud800 \u00e9\n"]


def test_the_streams_have_file_descriptors_1_and_2(worker: Worker) -> None:
    seen = worker.run(
        "import os, sys\nos.write(sys.stdout.fileno(), b'o'); os.write(sys.stderr.fileno(), b'e')"
    )
    assert (seen.text(StreamType.STDOUT), seen.text(StreamType.STDERR)) == ("o", "e")


def test_input_asks_and_returns_the_answer(worker: Worker) -> None:
    seen = worker.start("a = input('name? '); import getpass; b = getpass.getpass('secret: '); print(a, b)")
    worker.until(lambda: len(seen.of(InputRequestMessage)) == 1)
    worker.answer(seen, "you")
    worker.until(lambda: len(seen.of(InputRequestMessage)) == 2)
    worker.answer(seen, "hush")
    worker.wait(seen)
    assert [(m.prompt, m.password) for m in seen.of(InputRequestMessage)] == [
        ("name? ", False),
        ("secret: ", True),
    ]
    assert seen.text() == "you hush\n"


def test_the_end_of_input_raises(worker: Worker) -> None:
    seen = worker.start("input()")
    worker.until(lambda: bool(seen.of(InputRequestMessage)))
    worker.answer(seen, None)
    assert worker.wait(seen).of(ErrorMessage)[0].name == "EOFError"


def test_standard_input_is_at_its_end(worker: Worker) -> None:
    assert worker.run("import sys; sys.stdin.read()").of(ResultMessage)[0].data["text/plain"] == "''"


def test_display_and_logging_become_messages(worker: Worker) -> None:
    seen = worker.run(
        "class Page:\n    def _repr_html_(self): return '<b>x</b>'\n"
        "display(Page(), display_id='d')\nimport logging; logging.warning('careful')"
    )
    (shown,) = seen.of(DisplayMessage)
    assert (shown.data["text/html"], shown.display_id) == ("<b>x</b>", "d")
    assert seen.of(LogMessage)[0].text == "careful"


def test_a_message_that_json_cannot_represent_is_replaced(worker: Worker) -> None:
    seen = worker.run("class Odd:\n    def _repr_json_(self): return {1, 2}\nOdd()")
    assert seen.complete.status == "ok"
    text = seen.of(ResultMessage)[0].data["text/plain"]
    assert text.startswith("<")
    assert "\n[its other forms could not be sent: " in text
    assert worker.run("1").complete.status == "ok"


@pytest.mark.parametrize("value", ["circle", "deep", "object()"])
def test_the_text_of_a_display_that_json_cannot_represent_is_shown(worker: Worker, value: str) -> None:
    seen = worker.run(
        "circle = []; circle.append(circle)\ndeep = []\nfor _ in range(5000): deep = [deep]\n"
        "class Page:\n"
        "    def _repr_mimebundle_(self, include=None, exclude=None):\n"
        f"        return {{'text/plain': 'a page', 'application/json': {value}}}\n"
        "display(Page(), display_id='d')\nprint('after')"
    )
    (shown,) = seen.of(DisplayMessage)
    assert shown.data["text/plain"].startswith("a page\n[its other forms could not be sent: ")
    assert (shown.display_id, seen.text(), seen.complete.status) == ("d", "after\n", "ok")


# -- threads, tasks, the loop ---------------------------------------------------------------------


def test_threads_write_to_their_execution_even_after_its_end(worker: Worker) -> None:
    first = worker.run(
        "import threading\ngo = threading.Event()\n"
        "def late():\n    go.wait(); print('late')\nthreading.Thread(target=late).start()"
    )
    second = worker.run("print('second'); go.set()")
    worker.until(lambda: first.closed)
    assert (first.text(), second.text()) == ("late\n", "second\n")
    assert first.frames[-1] is FrameType.CLOSED
    assert first.messages.index(first.complete) < len(first.messages) - 1


def test_an_execution_closes_when_its_threads_and_tasks_have_ended(worker: Worker) -> None:
    seen = worker.run("1")
    worker.until(lambda: seen.closed)
    assert seen.frames[-1] is FrameType.CLOSED


def test_tasks_continue_between_executions(worker: Worker) -> None:
    first = worker.run(
        "import asyncio\nasync def tick():\n    for i in range(3):\n        await asyncio.sleep(0.01); print('tick', i)\n"
        "task = asyncio.ensure_future(tick()); await asyncio.sleep(0)"
    )
    worker.until(lambda: first.closed)
    assert first.text() == "tick 0\ntick 1\ntick 2\n"


def test_code_without_await_may_run_a_loop_of_its_own(worker: Worker) -> None:
    seen = worker.run("import asyncio\nasync def f(): print('in'); return 3\nasyncio.run(f())")
    assert (seen.text(), seen.of(ResultMessage)[0].data["text/plain"]) == ("in\n", "3")
    assert (
        worker.run("import asyncio; await asyncio.sleep(0, 4)").of(ResultMessage)[0].data["text/plain"] == "4"
    )


def test_a_closed_loop_is_replaced(own_worker: Worker) -> None:
    own_worker.run("import asyncio; asyncio.get_event_loop().close()")
    seen = own_worker.run("import asyncio; await asyncio.sleep(0, 4)")
    assert seen.of(ResultMessage)[0].data["text/plain"] == "4"


def test_a_task_that_exits_ends_neither_the_worker_nor_the_execution(worker: Worker) -> None:
    seen = worker.run(
        "import asyncio\nasync def leave(): raise SystemExit(7)\nt = asyncio.ensure_future(leave())\n"
        "await asyncio.sleep(0.01); 8"
    )
    assert seen.of(ResultMessage)[0].data["text/plain"] == "8"
    assert worker.run("t.exception().code").of(ResultMessage)[0].data["text/plain"] == "7"


def test_jobs_of_a_thread_pool_write_to_the_execution_that_submitted_them(worker: Worker) -> None:
    first = worker.run(
        "import multiprocessing.pool\npool = multiprocessing.pool.ThreadPool(2); pool.map(print, ['first'])"
    )
    assert first.text() == "first\n"
    for call in (
        "pool.map(print, ['x'])",
        "pool.starmap(print, [('x',)])",
        "pool.apply(print, ('x',))",
        "pool.apply_async(func=print, args=('x',)).get()",
        "list(pool.imap(print, ['x']))",
        "list(pool.imap_unordered(print, ['x']))",
        "pool.map_async(print, ['x']).get()",
    ):
        assert worker.run(f"{call}; None").text() == "x\n", call
    worker.run("pool.close(); pool.join()")
    assert first.text() == "first\n"


def test_replaced_streams_are_restored_for_the_next_execution(worker: Worker) -> None:
    seen = worker.run(
        "import io, sys\nsys.stdout = kept = io.StringIO(); sys.stderr = sys.__stderr__; print('silent')"
    )
    assert (seen.text(), seen.complete.status) == ("", "ok")
    seen = worker.run("print('out'); print('err', file=sys.stderr); kept.getvalue()")
    assert (seen.text(StreamType.STDOUT), seen.text(StreamType.STDERR)) == ("out\n", "err\n")
    (warning,) = seen.of(LogMessage)
    assert (warning.level, "sys.stdout" in warning.text) == ("WARNING", True)
    assert seen.of(ResultMessage)[0].data["text/plain"] == "'silent\\n'"


# -- commands -------------------------------------------------------------------------------------


def test_a_command_runs_on_a_terminal(worker: Worker) -> None:
    seen = worker.run("c", CommandRequest.of(Command("[ -t 1 ] && echo terminal; exit 3")))
    worker.until(lambda: seen.closed)
    assert (seen.text(), seen.complete.exit_code, seen.complete.status) == ("terminal\n", 3, "error")


def test_a_command_gets_input_and_signals(worker: Worker) -> None:
    seen = worker.start(
        "c",
        CommandRequest.of(
            Command(
                "trap 'echo caught; exit 5' USR1; read line; echo got $line; cat; while :; do sleep 0.01; done"
            )
        ),
    )
    reply = worker.control(seen, "write", data=b"words\n")
    assert reply["error"] is None
    assert reply["pid"] > 0
    assert worker.control(seen, "close_stdin")["error"] is None
    worker.wait_for_text(seen, "got words\n")
    assert worker.control(seen, "resize", rows=10, columns=20)["error"] is None
    assert worker.control(seen, "signal", number=int(signal.SIGUSR1))["error"] is None
    worker.wait(seen)
    assert seen.text().endswith("caught\n")
    assert worker.control(seen, "write", data=b"late")["error"]


def test_a_command_can_be_stopped(worker: Worker) -> None:
    seen = worker.start("c", CommandRequest.of(Command("echo up; sleep 1000")))
    worker.wait_for_text(seen, "up")
    worker.emit(FrameType.STOP, seen.ordinal)
    assert worker.wait(seen).complete.status == "interrupted"
    seen = worker.start(
        "c", CommandRequest.of(Command("trap '' INT TERM; echo up; while :; do sleep 1; done"))
    )
    worker.wait_for_text(seen, "up")
    worker.emit(FrameType.STOP, seen.ordinal, b"force")
    assert worker.wait(seen).complete.status == "killed"


def test_a_command_that_cannot_be_run_is_an_error(worker: Worker) -> None:
    seen = worker.run("c", CommandRequest({"arguments": ["no-such-program-here"]}))
    assert seen.of(ErrorMessage)[0].name == "CommandNotFoundError"
    assert seen.complete.status == "error"


def test_a_command_runs_in_the_current_directory_of_the_code(worker: Worker, tmp_path: object) -> None:
    worker.run(f"import os; before = os.getcwd(); os.chdir({str(tmp_path)!r})")
    assert worker.run("c", CommandRequest.of(Command("pwd"))).text().strip() == str(tmp_path)
    worker.run("os.chdir(before)")


# -- the end --------------------------------------------------------------------------------------


def test_a_worker_exits_on_end(worker_of: Callable[..., Worker]) -> None:
    worker = worker_of(sys.executable, "-S")
    seen = worker.run("import atexit; atexit.register(print, 'bye')")
    worker.emit(FrameType.END)
    worker.until(lambda: worker.channel is None and not seen.pipes)
    assert worker.process.wait(10) == 0
    assert seen.text() == "bye\n"


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("import os; print('last'); os._exit(3)", 3),
        ("import os, signal; print('last'); os.kill(os.getpid(), signal.SIGKILL)", -9),
        ("import ctypes; print('last'); ctypes.string_at(0)", -11),
    ],
)
def test_output_before_a_sudden_end_is_in_the_channel(own_worker: Worker, code: str, exit_code: int) -> None:
    seen = own_worker.start("print('before')")
    own_worker.wait(seen)
    crashed = own_worker.start(code)
    own_worker.until(lambda: own_worker.channel is None and not crashed.pipes)
    assert own_worker.process.wait(10) == exit_code
    assert crashed.complete is None
    if exit_code == -11:
        assert "Segmentation fault" in crashed.text(StreamType.STDERR)


def test_the_worker_and_its_children_end_with_the_host(own_worker: Worker) -> None:
    seen = own_worker.start(
        "import subprocess, os, time\n"
        "a = subprocess.Popen(['sleep', '1000'], start_new_session=True)\n"
        "b = os.fork()\nif not b: time.sleep(1000)\nprint(a.pid, b, flush=True); time.sleep(1000)"
    )
    own_worker.wait_for_text(seen, "\n")
    pids = [int(word) for word in seen.text().split()]
    assert own_worker.channel is not None
    own_worker._selector.unregister(own_worker.channel)
    own_worker.channel.close()
    own_worker.channel = None
    assert own_worker.process.wait(10) == 1
    own_worker.until(lambda: not seen.pipes)  # all of the processes held them open
    wait_until(lambda: not any(map(_lives, pids)))  # a process closes its descriptors before it ends


def test_the_children_of_a_worker_end_when_it_exits(own_worker: Worker) -> None:
    seen = own_worker.run(
        "import subprocess\nfor env in (None, {}):\n"
        "    for new in (False, True): print(subprocess.Popen(['/bin/sleep', '1000'], env=env, start_new_session=new).pid)"
    )
    pids = [int(word) for word in seen.text().split()]
    assert all(map(_lives, pids))
    own_worker.emit(FrameType.END)
    own_worker.until(lambda: not seen.pipes)
    assert own_worker.process.wait(10) == 0
    wait_until(lambda: not any(map(_lives, pids)))


@pytest.mark.parametrize("of", ["", "import asyncio; await asyncio.sleep(0); "])
@pytest.mark.parametrize("first", [0, 3])
def test_code_may_close_descriptors_that_it_did_not_open(own_worker: Worker, of: str, first: int) -> None:
    seen = own_worker.run(f"{of}import os; os.closerange({first}, 256); print('closed')")
    assert (seen.text(), seen.complete.status) == ("closed\n", "ok")
    seen = own_worker.run("import asyncio; await asyncio.sleep(0.01); print('on'); os.system('echo child')")
    assert (seen.text(), seen.complete.status) == ("on\nchild\n", "ok")


@pytest.mark.parametrize(
    "code",
    [
        "os.close(asyncio.get_event_loop()._selector.fileno())",
        "os.closerange(3, 100_000)",
        "os.closerange(0, 100_000)",
    ],
)
def test_a_worker_whose_loop_is_broken_recovers_or_exits(own_worker: Worker, code: str) -> None:
    own_worker.run("import os, asyncio, sys\nloop = asyncio.get_event_loop(); None")
    seen = own_worker.start(code)
    own_worker.until(lambda: seen.complete is not None or (own_worker.channel is None and not seen.pipes))
    if own_worker.channel is None:
        assert own_worker.process.wait(10) != 0
    else:
        seen = own_worker.run("await asyncio.sleep(0.01); 'on'")
        if seen.complete.status == "error":  # the execution came before the worker noticed
            assert seen.of(ErrorMessage)[0].name == "OSError"
            seen = own_worker.run("await asyncio.sleep(0.01); 'on'")
        assert seen.complete.status == "ok"


def test_code_that_awaits_on_a_loop_that_it_broke_gets_an_error(own_worker: Worker) -> None:
    own_worker.run("import asyncio, os")
    seen = own_worker.run("os.close(asyncio.get_event_loop()._selector.fileno())\nawait asyncio.sleep(0.01)")
    assert (seen.complete.status, seen.of(ErrorMessage)[0].name) == ("error", "OSError")
    assert own_worker.run("await asyncio.sleep(0.01); 'on'").complete.status == "ok"


def test_code_that_ignores_cancellation_is_abandoned_at_the_third_interrupt(own_worker: Worker) -> None:
    code = (
        "import asyncio\nasync def stubborn():\n    while True:\n        print('again')\n"
        "        try: await asyncio.sleep(1000)\n        except asyncio.CancelledError: pass\n"
    )
    seen = own_worker.start(f"{code}await stubborn()")
    for count in (1, 2, 3):
        own_worker.until(lambda: seen.text().count("again") == count)  # noqa: B023
        own_worker.interrupt(seen.ordinal)
    assert own_worker.wait(seen).complete.status == "interrupted"
    assert own_worker.run("await asyncio.sleep(0.01); 'on'").complete.status == "ok"


def test_an_interrupt_in_debug_mode_recognizes_helpers_of_the_loop(
    rounds: Callable[[int, int], int],
) -> None:
    with Worker(env={"PYTHONASYNCIODEBUG": "1"}) as worker:
        for _ in range(rounds(30, 1000)):
            seen = worker.start("import asyncio\nprint('on')\nwhile True: await asyncio.sleep(0)")
            worker.wait_for_text(seen, "on")
            worker.interrupt(seen.ordinal)
            assert worker.wait(seen).complete.status == "interrupted"


def test_signal_handlers_that_raise_between_executions_have_no_effect(
    own_worker: Worker, tmp_path: Path
) -> None:
    called = tmp_path / "called"
    own_worker.run(
        "import asyncio, os, signal\nkept = asyncio.get_event_loop().create_task(asyncio.sleep(1000))\n"
        f"class Odd(BaseException): pass\ndef handler(*_): os.mkdir({str(called)!r}); raise Odd\n"
        "signal.signal(signal.SIGUSR1, handler); None"
    )
    for _ in range(5):
        own_worker.process.send_signal(signal.SIGUSR1)
        wait_until(called.exists)
        called.rmdir()
    seen = own_worker.run("kept.get_loop() is asyncio.get_event_loop(), kept.done()")
    assert seen.of(ResultMessage)[0].data["text/plain"] == "(True, False)"


@pytest.mark.parametrize("kind", ["BaseException", "TimeoutError"])
def test_code_that_a_signal_handler_ended_does_not_continue(own_worker: Worker, kind: str) -> None:
    own_worker.run(
        f"import asyncio, signal\nclass Odd({kind}): pass\ndef handler(*_): raise Odd\n"
        "signal.signal(signal.SIGALRM, handler); left = []"
    )
    seen = own_worker.run(
        "signal.setitimer(signal.ITIMER_REAL, 0.05)\n"
        "try:\n    await asyncio.sleep(0.2); left.append('went on')\nfinally: left.append('end')"
    )
    assert seen.of(ErrorMessage)[0].name == "Odd"
    seen = own_worker.run("await asyncio.sleep(0.3); left")
    assert seen.of(ResultMessage)[0].data["text/plain"] == "['end']"


def test_the_exception_of_a_signal_handler_is_raised_in_code_that_awaits(
    own_worker: Worker, tmp_path: Path
) -> None:
    called = tmp_path / "called"
    own_worker.run(
        "import asyncio, os, signal\nkept = asyncio.get_event_loop().create_task(asyncio.sleep(1000))\n"
        f"def handler(*_): os.mkdir({str(called)!r}); raise TimeoutError('too long')\n"
        "signal.signal(signal.SIGALRM, handler); None"
    )
    seen = own_worker.run("signal.setitimer(signal.ITIMER_REAL, 0.05)\nawait asyncio.sleep(1000)")
    (error,) = seen.of(ErrorMessage)
    assert (error.name, error.value) == ("TimeoutError", "too long")
    called.rmdir()
    own_worker.process.send_signal(signal.SIGALRM)  # no code awaits now
    wait_until(called.exists)
    seen = own_worker.run("kept.get_loop() is asyncio.get_event_loop(), kept.done()")
    assert seen.of(ResultMessage)[0].data["text/plain"] == "(True, False)"


def test_a_worker_whose_engine_failed_reports_it_and_exits(own_worker: Worker) -> None:
    seen = own_worker.start(
        "import os\nfrom pyrepl_stream.runtime.engine.loop import engine_loop\n"
        "os.close(engine_loop().loop._selector.fileno())\nprint('x'); import time; time.sleep(1000)"
    )
    own_worker.until(lambda: own_worker.channel is None and not seen.pipes)
    assert own_worker.process.wait(10) == 70
    assert "the worker cannot continue: OSError" in seen.text(StreamType.STDERR)


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_the_channel_is_not_among_the_low_file_descriptors(worker: Worker) -> None:
    seen = worker.run(
        "import os, stat\nfor n in range(3, 100):\n"
        "    try: s = os.fstat(n)\n    except OSError: continue\n"
        "    if stat.S_ISSOCK(s.st_mode) and os.get_inheritable(n): print('inheritable', n)\n"
        "import subprocess; subprocess.run(['ls', '/proc/self/fd'], close_fds=False)"
    )
    assert seen.text().split() == ["0", "1", "2", "3"]  # 3 is the directory itself


@pytest.mark.parametrize("version", VERSIONS)
def test_every_supported_interpreter_runs_a_worker(worker_of: Callable[..., Worker], version: str) -> None:
    python = interpreters().get(version)
    if python is None:
        pytest.skip(f"no Python {version} on the path or under pyenv")
    worker = worker_of(python, "-S", "-B", "-W", "error")
    seen = worker.run(
        "import os\nfor i in range(20):\n    print('a', i); os.system(f'echo b {i}'); print('c', i)\n"
        "import asyncio; await asyncio.sleep(0, 'value')"
    )
    assert seen.text() == "".join(f"a {i}\nb {i}\nc {i}\n" for i in range(20))
    assert seen.of(ResultMessage)[0].data["text/plain"] == "'value'"
    for code in (
        "import time; print('up'); time.sleep(1000)",
        "import asyncio; print('up'); await asyncio.sleep(1000)",
    ):
        seen = worker.start(code)
        worker.wait_for_text(seen, "up")
        worker.interrupt(seen.ordinal)
        assert worker.wait(seen).complete.status == "interrupted"
    seen = worker.run("c", CommandRequest.of(Command("echo command")))
    assert seen.text() == "command\n"


def test_a_lack_of_memory_is_an_error_or_the_end_of_the_worker(own_worker: Worker) -> None:
    seen = own_worker.start(
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))\nx = []\nwhile True: x.append(bytes(1 << 20))"
    )
    own_worker.until(lambda: seen.complete is not None or own_worker.channel is None)
    if seen.complete is not None:
        assert seen.of(ErrorMessage)[0].name == "MemoryError"


def test_a_lack_of_descriptors_is_an_error_of_that_execution(own_worker: Worker) -> None:
    own_worker.run(
        "import resource, os\nlimits = resource.getrlimit(resource.RLIMIT_NOFILE)\nn = os.dup(1); os.close(n)\nresource.setrlimit(resource.RLIMIT_NOFILE, (n, limits[1]))"
    )
    seen = own_worker.run("print('not run')")
    assert (seen.text(), seen.complete.status) == ("", "error")


def test_a_worker_does_not_wake_up_while_its_code_sleeps(worker: Worker) -> None:
    seen = worker.start("import time; time.sleep(1000)")
    worker.until(lambda: _state_of(worker, "S"))
    before = _switches(worker)
    worker.turn(0.5)
    assert _switches(worker) - before < 3
    worker.interrupt(seen.ordinal)
    worker.wait(seen)


def _state_of(worker: Worker, state: str) -> bool:
    worker.turn(0.3)
    status = [path.read_text() for path in Path(f"/proc/{worker.process.pid}/task").glob("*/status")]
    return all(f"State:\t{state}" in text for text in status)


def _switches(worker: Worker) -> int:
    """Return how often the threads of a worker have waited."""
    status = [path.read_text() for path in Path(f"/proc/{worker.process.pid}/task").glob("*/status")]
    return sum(int(text.split("\nvoluntary_ctxt_switches:")[1].split()[0]) for text in status)
