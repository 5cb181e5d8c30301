"""A flood of output through slow processors: memory stays flat, and each byte is in output or in a gap."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

# Runs in its own process, whose peak of memory is measured. The processor waits at each message.
PROGRAM = """
import json, os, resource, sys, time
from pyrepl_stream.processors import Branch
from pyrepl_stream import GapMessage, OutputMessage, run_process

policy, size = sys.argv[1], int(sys.argv[2])
got = {"output": 0, "gaps": 0}

def slow(message):
    time.sleep(0.002)
    if isinstance(message, OutputMessage):
        got["output"] += len(message.data)
    elif isinstance(message, GapMessage):
        got["gaps"] += message.bytes

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

run_process(["true"], pty=False).wait()
before = peak()
command = ["/bin/sh", "-c", f"yes 'a line of some length, as programs print them' | head -c {size}"]
branch = Branch(slow, overflow=policy, queue_bytes=1 << 20)
read, logs, last = 0, 0, 0
for message in run_process(command, pty=False, processors=[branch]):
    if isinstance(message, OutputMessage):
        read += len(message.data)
    logs += str(getattr(message.type, "value", "")) == "log"
got.update(read=read, logs=logs, growth=peak() - before)
print(json.dumps(got), flush=True)
os._exit(0)
"""
MOST = 48 << 20  # bytes of memory: journal, queue, what is in flight, and what the allocator keeps of it


@pytest.mark.parametrize("policy", ["block", "drop_oldest", "drop_newest", "fail"])
def test_a_slow_branch_takes_bounded_memory_and_accounts_for_each_byte(
    policy: str, rounds: Callable[[int, int], int]
) -> None:
    size = rounds(20_000_000, 200_000_000)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, policy, str(size)],
        capture_output=True, text=True, timeout=300, check=True, env=os.environ,
    )  # fmt: skip
    got = json.loads(done.stdout)
    assert got["read"] == size  # the reader itself lost nothing
    assert got["growth"] < MOST
    if policy == "fail":
        assert got["logs"] == 1
        assert got["output"] < size  # nothing, if its thread had no turn before the queue was full
    else:
        assert got["output"] + got["gaps"] == size
        assert (got["gaps"] == 0) == (policy == "block")
        assert got["logs"] == 0
