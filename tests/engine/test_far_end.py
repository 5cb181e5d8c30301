"""The far end runs on every supported interpreter with nothing but the standard library."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support.interpreters import VERSIONS, interpreters

import pyrepl_stream
from pyrepl_stream.host.pack import FAR_END

SOURCE = Path(pyrepl_stream.__file__).parent


@pytest.fixture(scope="module")
def far_end(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is sent to the far end, and nothing else of the package."""
    root = tmp_path_factory.mktemp("far")
    package = root / "pyrepl_stream"
    package.mkdir()
    (package / "__init__.py").touch()
    for name in FAR_END:
        source = SOURCE / name
        if source.is_dir():
            shutil.copytree(source, package / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, package / name)
    return root


PROGRAM = """
import os, sys, threading
from pyrepl_stream.engine import routing
from pyrepl_stream.engine.interpreter import Interpreter
from pyrepl_stream.engine.loop import LoopThread, engine_loop
from pyrepl_stream.engine.python import PythonBody
from pyrepl_stream.engine.run import Run
from pyrepl_stream.wire import Decoder, encode

loops = []
def user_loop():
    if not loops: loops.append(LoopThread("user"))
    return loops[0]

interpreter = Interpreter()
def execute(number, code, stop=False):
    run = Run(str(number), code, PythonBody(code, interpreter, user_loop), engine_loop(), limit=None, overflow="block")
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

import asyncio
from pyrepl_stream.process import Step, run_process, run_steps
seen = run_process("[ -t 1 ] && echo terminal; cat; exit 3", stdin="in\\n").wait(30)
assert (seen.stdout, seen.exit_code) == ("terminal\\nin\\n", 3), seen
answered = run_process("read -p 'name? ' x; echo $x", interactive=True)
for message in answered:
    if message.type == "input_request": answered.input("you", message)
assert answered.stdout == "name? you\\n", answered.stdout
many = run_process("seq 1 200000", pty=False).wait(30)
assert many.stdout == "".join("%d\\n" % i for i in range(1, 200001))
stopped = run_process("setsid sleep 1000 & trap '' INT TERM; sleep 1000", timeout=0.1, grace=(0.1, 0.1, 1))
assert stopped.wait(30).status == "timeout"
async def awaited():
    return [m async for m in run_steps([Step("a", ["echo", "x"]), Step("b", call=lambda w: w.write("y"))])]
assert [m.source for m in asyncio.run(awaited()) if m.type == "output"] == ["a", "b"]
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
        [python, "-I", "-S", "-B", "-W", "error", "-c", f"import sys; sys.path.insert(0, {str(far_end)!r})\n{PROGRAM}"],
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
        if path.name != "ipython_shell.py"  # imported only where IPython is
    ]
    program = f"import importlib\nfor name in {modules!r}: importlib.import_module(name)"
    process = run_python(program, "-S", "-B", "-W", "error", python=python, env={"PYTHONPATH": str(far_end)})
    assert process.stderr == ""
