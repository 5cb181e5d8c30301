"""Output of Python code, its children and C code arrives in the order in which it was written."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from support.worker import Worker

from pyrepl_stream import StreamType

LIBC = "import ctypes, os\nlibc = ctypes.CDLL(None)\ndef c(text): libc.write(1, text.encode(), len(text))\n"
WAYS = {
    "os.system": "import os\ndef other(text): os.system(f'echo {text}')",
    "subprocess": "import subprocess\ndef other(text): subprocess.run(['echo', text])",
    "popen": "import os\ndef other(text):\n    with os.popen(f'echo {text} >&2; echo {text}') as f: f.read()",
    "c": LIBC + "def other(text): c(text + '\\n')",
    "os.write": "import os\ndef other(text): os.write(1, f'{text}\\n'.encode())",
    "fileno": "import os, sys\ndef other(text): os.write(sys.stdout.fileno(), f'{text}\\n'.encode())",
    "stderr of c": LIBC + "def other(text): libc.write(2, f'{text}\\n'.encode(), len(text) + 1)",
    "fork": "import os\ndef other(text):\n    p = os.fork()\n    if not p: print(text); os._exit(0)\n    os.waitpid(p, 0)",
    "multiprocessing": "import multiprocessing as m\nc = m.get_context('fork')\ndef other(text):\n    p = c.Process(target=print, args=(text,)); p.start(); p.join()",
    "posix_spawn": "import os\ndef other(text): os.waitpid(os.posix_spawn('/bin/echo', ['echo', text], os.environ), 0)",
    "the stream below": "import sys\ndef other(text): print(text, file=sys.__stdout__)",
}


def expected(count: int) -> str:
    return "".join(f"a {i}\nb {i}\nc {i}\n" for i in range(count))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_output_of_children_and_c_code_keeps_its_place(
    worker: Worker, way: str, stream: str, rounds: Callable[[int, int], int]
) -> None:
    count = rounds(200 if way in ("os.system", "c") else 50, 10_000 if way in ("os.system", "c") else 500)
    code = f"{WAYS[way]}\nimport sys\nfor i in range({count}):\n    print('a', i, file=sys.{stream}); other(f'b {{i}}'); print('c', i, file=sys.{stream})"
    assert worker.run(code).text() == expected(count)


def test_prints_in_a_hot_loop_stay_before_output_of_a_child(worker: Worker) -> None:
    seen = worker.run(
        f"{LIBC}for turn in range(20):\n    for i in range(1000): print(turn, i)\n    c('c\\n'); print('p'); c('c\\n')"
    )
    assert seen.text() == "".join(
        "".join(f"{turn} {i}\n" for i in range(1000)) + "c\np\nc\n" for turn in range(20)
    )


def test_output_of_children_after_a_hot_loop_keeps_its_place(worker: Worker) -> None:
    seen = worker.run(
        "import os\nfor turn in range(20):\n    for i in range(1000): print(turn, i)\n    os.system('echo b'); print('p')"
    )
    assert seen.text() == "".join(
        "".join(f"{turn} {i}\n" for i in range(1000)) + "b\np\n" for turn in range(20)
    )


def test_complete_comes_after_output_of_children(worker: Worker) -> None:
    for _ in range(50):
        seen = worker.run(f"{LIBC}c('last')")
        assert (seen.text(), seen.messages[-1]) == ("last", seen.complete)


def test_code_that_awaits_keeps_the_order(worker: Worker) -> None:
    seen = worker.run(
        f"{LIBC}import asyncio\nfor i in range(100):\n    print('a', i); c(f'b {{i}}\\n'); print('c', i); await asyncio.sleep(0)"
    )
    assert seen.text() == expected(100)


def test_threads_keep_the_order(worker: Worker) -> None:
    seen = worker.run(
        f"{LIBC}import threading\ndef f():\n    for i in range(100):\n        print('a', i); c(f'b {{i}}\\n'); print('c', i)\n"
        "t = threading.Thread(target=f); t.start(); t.join()"
    )
    assert seen.text() == expected(100)


def test_a_child_that_floods_does_not_delay_output_of_python_code(worker: Worker) -> None:
    seen = worker.run(
        "import subprocess\np = subprocess.Popen(['yes'])\nfor i in range(1000): print('mine', i)\np.kill(); p.wait(); None"
    )
    assert seen.complete.status == "ok"
    mine = [line for line in seen.text().replace("y\n", "").split("\n") if line.strip("y")]
    assert mine == [f"mine {i}" for i in range(1000)]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_of_multiprocessing_write_to_their_own_execution(worker: Worker, method: str) -> None:
    for text in ("first", "second"):
        seen = worker.run(
            f"import multiprocessing\nc = multiprocessing.get_context('{method}')\nprint('a')\n"
            f"p = c.Process(target=print, args=('{text}',)); p.start(); p.join()\nprint('c')"
        )
        assert seen.text() == f"a\n{text}\nc\n"


def test_late_output_of_an_old_child_goes_to_its_own_execution(worker: Worker, tmp_path: object) -> None:
    first = worker.run(
        f"import subprocess, os\nos.mkfifo('{tmp_path}/go')\n"
        f"child = subprocess.Popen('read x < {tmp_path}/go; echo late; echo err >&2', shell=True); None"
    )
    second = worker.run(f"print('second'); open('{tmp_path}/go', 'w').write('x'); child.wait(); None")
    worker.until(lambda: not first.pipes)
    assert (first.text(StreamType.STDOUT), first.text(StreamType.STDERR)) == ("late\n", "err\n")
    assert second.text() == "second\n"


def test_a_fork_that_reaches_the_end_of_the_code_does_not_complete_the_execution(worker: Worker) -> None:
    seen = worker.run(
        "import os\np = os.fork()\nif p: os.waitpid(p, 0)\nprint('child' if not p else 'parent')"
    )
    assert seen.text() == "child\nparent\n"
    assert seen.complete.status == "ok"
    seen = worker.run("p = os.fork()\nif not p: 1 / 0\nos.waitpid(p, 0)[1] >> 8")
    assert "ZeroDivisionError" in seen.text(StreamType.STDERR)
    assert seen.messages[-2].data["text/plain"] == "1"


@pytest.mark.parametrize(
    "end",
    [
        "os._exit(3)",
        "os.abort()",
        "os.kill(os.getpid(), 9)",
        "ctypes.string_at(0)",
        "print(end='', flush=True); ctypes.memset(0, 0, 1)",
    ],
)
def test_output_before_a_sudden_end_is_not_lost(worker_of: Callable[..., Worker], end: str) -> None:
    worker = worker_of(sys.executable, "-S")
    seen = worker.start(f"import ctypes, os\nfor i in range(50_000): print(i)\n{end}")
    worker.until(lambda: worker.channel is None and not seen.pipes)
    assert seen.text(StreamType.STDOUT) == "".join(f"{i}\n" for i in range(50_000))


def test_with_a_host_that_does_not_read_memory_is_bounded_and_no_output_is_lost(own_worker: Worker) -> None:
    seen = own_worker.start(
        "import resource\nbefore = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "line = 'x' * 999\nfor i in range(200_000): print(line)\n"
        "(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024 < 150"
    )
    import time

    time.sleep(1)  # the stall
    own_worker.wait(seen)
    assert len(seen.text()) == 200_000_000
    assert seen.messages[-2].data["text/plain"] == "True"


def test_forked_children_write_whole_lines(worker: Worker) -> None:
    seen = worker.run(
        "import multiprocessing\ndef f(w):\n    for i in range(500): print('worker', w, 'line', i, 'of', 500)\n"
        "with multiprocessing.get_context('fork').Pool(4) as p: p.map(f, range(4)); p.close(); p.join()"
    )
    expected = [f"worker {w} line {i} of 500" for w in range(4) for i in range(500)]
    assert sorted(seen.text().splitlines()) == sorted(expected)


def test_a_large_text_comes_before_later_output_of_a_child(worker: Worker) -> None:
    seen = worker.run("import os, sys\nsys.stdout.write('x' * (60 << 20)); os.write(1, b'after')")
    assert seen.text(StreamType.STDOUT) == "x" * (60 << 20) + "after"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_most_lines_are_one_message(worker: Worker, stream: str) -> None:
    seen = [worker.run(f"import sys\nprint('a', 1, 'b', 2, file=sys.{stream})") for _ in range(20)]
    assert {execution.text() for execution in seen} == {"a 1 b 2\n"}
    assert (
        sum(len(execution.messages) == 2 for execution in seen) > 2
    )  # a thread may be delayed in the middle of a line


@pytest.mark.parametrize("more", ["", ", flush=True", ", file=sys.stderr"])
def test_lines_of_a_burst_are_not_flushed_one_by_one(worker: Worker, more: str) -> None:
    seen = worker.run(
        "import sys, threading\ndef f():\n"
        f"    for i in range(5000): print('line', i{more})\n"
        "threads = [threading.Thread(target=f) for _ in range(2)]\nfor t in threads: t.start()\nfor t in threads: t.join()"
    )
    assert len(seen.text()) == 2 * sum(len(f"line {i}\n") for i in range(5000))
    assert len(seen.messages) < 2500  # each flush makes a message
