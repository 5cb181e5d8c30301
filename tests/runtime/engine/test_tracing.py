"""Tracers and profilers after executions in threads: CPython 3.11 repeats events while an exception is pending."""

from __future__ import annotations

import subprocess
import sys

import pytest

DEADLINE = 60.0  # seconds after which a program is taken to hang
PROGRAM = """
import os, sys, threading
from pyrepl_stream import Session

entered, left = threading.Event(), threading.Event()
session = Session({"entered": entered, "left": left})
execution = session.execute(%r)
if %r:
    entered.wait()
    execution.interrupt()
print(execution.wait().status)

def called():
    return sum(range(10))

events = 0
def count(frame, event, argument):
    global events
    events += 1
    if events > 1000:
        os._exit(3)
    return count

if %r == "cProfile":
    import cProfile
    profile = cProfile.Profile()
    profile.runcall(called)
    events = sum(entry.callcount for entry in profile.getstats())
else:
    install = getattr(sys, %r)
    install(count)
    called()
    install(None)
print(events < 20)
left.set()
session.__exit__(None, None, None)
"""
LOOP = "entered.set()\nwhile True: pass"
BLOCKED = "entered.set()\nleft.wait()"  # an interrupt is raised when the wait has ended
LOOP_BLOCKED = "import asyncio\nawait asyncio.sleep(0)\n" + BLOCKED


@pytest.mark.parametrize("tool", ["settrace", "setprofile", "cProfile"])
@pytest.mark.parametrize(
    ("code", "interrupt", "status"),
    [
        ("1 + 1", False, "ok"),
        (LOOP, True, "interrupted"),
        (BLOCKED, True, "interrupted"),
        (LOOP_BLOCKED, True, "interrupted"),
    ],
    ids=["ended", "interrupted", "blocked", "loop blocked"],
)
def test_a_tracer_sees_each_event_once(code: str, interrupt: bool, status: str, tool: str) -> None:
    program = PROGRAM % (code, interrupt, tool, tool)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, [status, "True"], "")
