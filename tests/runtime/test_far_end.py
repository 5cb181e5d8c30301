"""The far end runs on every supported interpreter with nothing but the standard library."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support.interpreters import VERSIONS, interpreters

import pyrepl_stream

SOURCE = Path(pyrepl_stream.__file__).parent / "runtime"


@pytest.fixture(scope="module")
def far_end(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the far end, without the rest of the package."""
    root = tmp_path_factory.mktemp("far")
    package = root / "pyrepl_stream"
    package.mkdir()
    (package / "__init__.py").touch()
    shutil.copytree(SOURCE, package / "runtime", ignore=shutil.ignore_patterns("__pycache__"))
    return root


PROGRAM = """
import os, sys, threading
from pyrepl_stream.runtime.engine import routing
from pyrepl_stream.runtime.engine.interpreter import Interpreter
from pyrepl_stream.runtime.engine.loop import LoopThread, engine_loop
from pyrepl_stream.runtime.engine.python import PythonRunner
from pyrepl_stream.runtime.engine.run import Run
from pyrepl_stream.runtime.wire import Decoder, encode

loops = []
def user_loop():
    if not loops: loops.append(LoopThread("user"))
    return loops[0]

interpreter = Interpreter()
def execute(number, code, stop=False):
    run = Run(str(number), code, PythonRunner(code, interpreter, user_loop), engine_loop(), limit=None, overflow="block")
    done = threading.Event()
    run.when_done(done.set)
    engine_loop().call(run.start)
    if stop: run.request_stop("interrupted")
    assert done.wait(30), code
    ended = threading.Event()
    run.journal.when_due(ended.set)
    assert ended.wait(30), code
    return run.journal.snapshot()

routing.install()
for number, (code, status) in enumerate([
    ("for i in range(20000): print(i)", "ok"),
    ("import sys; sys.stdout.buffer.write(b'\\\\xff'); print('\\\\ud800', file=sys.stderr)", "ok"),
    ("import threading\\nt = threading.Thread(target=print, args=('thread',)); t.start(); t.join()", "ok"),
    ("import concurrent.futures as f\\nwith f.ThreadPoolExecutor() as p: p.submit(print, 'job').result()", "ok"),
    ("import asyncio\\nasync def g():\\n    for i in range(3): yield i\\nasync for i in g(): print(i)\\nawait asyncio.sleep(0, 5)", "ok"),
    ("import asyncio\\nasync def m(): print('run')\\nasyncio.run(m())", "ok"),
    ("import logging; logging.warning('log')", "ok"),
    ("def f(): return 1 / 0\\nf()", "error"),
    ("1 +", "error"),
    ("exit(3)", "error"),
    ("while True: pass", "interrupted"),
    ("import asyncio; await asyncio.sleep(1000)", "interrupted"),
]):
    messages = execute(number, code, stop=status == "interrupted")
    assert messages[-1].status == status, (code, messages[-3:])
    assert [m.sequence for m in messages] == list(range(1, len(messages) + 1))
    assert not any(m.type == "log" and m.logger == "pyrepl_stream" for m in messages), messages
    decoded = list(Decoder().feed(b"".join(map(encode, messages))))
    assert decoded == messages, code
    if number == 0:
        assert "".join(m.data for m in messages if m.type == "output") == "".join("%d\\n" % i for i in range(20000))
    if number in (2, 3): assert "".join(m.data for m in messages if m.type == "output") in ("thread\\n", "job\\n")
    for m in messages:
        if m.type == "error": assert "pyrepl_stream" not in "".join(m.traceback), m.traceback
for loop in loops: loop.stop()
routing.uninstall()

from pyrepl_stream.runtime.process.call import CallStep
from pyrepl_stream.runtime.process.command import Command
from pyrepl_stream.runtime.process.limits import Limits
from pyrepl_stream.runtime.process.runner import ProcessRunner

def command(runner, answer=None, timeout=None):
    run = Run("command", "", runner, engine_loop(), limit=None, overflow="block", timeout=timeout)
    done = threading.Event()
    run.when_done(done.set)
    engine_loop().call(run.start)
    cursor = run.journal.cursor()
    while answer is not None:
        ready = threading.Event()
        cursor.when_ready(ready.set)
        assert ready.wait(30)
        for message in cursor.read():
            if message.type == "input_request":
                run.answer(message, answer)
                answer = None
    cursor.close()
    assert done.wait(30)
    ended = threading.Event()
    run.journal.when_due(ended.set)
    assert ended.wait(30)
    return run.journal.snapshot()
def text(messages): return "".join(m.data for m in messages if m.type == "output")

seen = command(ProcessRunner(Command("[ -t 1 ] && echo terminal; cat; exit 3", stdin="in\\n")))
assert (text(seen), seen[-1].exit_code) == ("terminal\\nin\\n", 3), seen
seen = command(ProcessRunner(Command("read -p 'name? ' x; echo $x", interactive=True)), answer="you")
assert text(seen) == "name? you\\n", seen
assert text(command(ProcessRunner(Command("seq 1 200000", pty=False)))) == "".join("%d\\n" % i for i in range(1, 200001))
stopped = ProcessRunner(Command("setsid sleep 1000 & trap '' INT TERM; sleep 1000"), limits=Limits(grace=(0.1, 0.1, 1)))
assert command(stopped, timeout=0.1)[-1].status == "timeout"
steps = ProcessRunner(Command(["echo", "x"], source="a"), CallStep(lambda w: w.write("y"), "b"))
assert [m.source for m in command(steps) if m.type == "output"] == ["a", "b"]
standard = set(getattr(sys, "stdlib_module_names", ())) | {"__main__", "pyrepl_stream"}
if len(standard) > 2:
    foreign = sorted({name.partition(".")[0] for name in sys.modules} - standard)
    assert not [name for name in foreign if not name.startswith(("_", "sitecustomize", "usercustomize"))], foreign
print("as it should be")
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_the_far_end_runs_a_program(far_end: Path, version: str) -> None:
    python = interpreters().get(version)
    if python is None:
        pytest.skip(f"no Python {version} on the path or under pyenv")
    process = subprocess.run(
        # -I: neither the user's packages nor the environment; -S: no installed packages at all.
        [
            python,
            "-I",
            "-S",
            "-B",
            "-W",
            "error",
            "-c",
            f"import sys; sys.path.insert(0, {str(far_end)!r})\n{PROGRAM}",
        ],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (process.stdout, process.stderr) == ("as it should be\n", "")


@pytest.mark.parametrize("version", VERSIONS)
def test_every_module_of_the_far_end_compiles(
    far_end: Path, version: str, run_python: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    python = interpreters().get(version)
    if python is None:
        pytest.skip(f"no Python {version} on the path or under pyenv")
    modules = [
        ".".join(path.relative_to(far_end).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted(far_end.rglob("*.py"))
        if path.name not in ("ipython_shell.py", "ipython_profile.py")  # imported only where IPython is
    ]
    program = f"import importlib\nfor name in {modules!r}: importlib.import_module(name)"
    process = run_python(program, "-S", "-B", "-W", "error", python=python, env={"PYTHONPATH": str(far_end)})
    assert process.stderr == ""
