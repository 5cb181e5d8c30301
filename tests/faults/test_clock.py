"""The clock of the soak jumps for programs, and for their children."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from faults.clock import jumping_clock

PROGRAM = """
import subprocess, sys, time
for _ in sys.stdin:
    child = subprocess.check_output([sys.executable, "-c", "import time; print(time.time())"])
    print(time.time(), float(child), time.monotonic(), flush=True)
"""


def test_it_jumps_for_programs_and_their_children_while_they_run(tmp_path: Path) -> None:
    with jumping_clock(tmp_path) as jump:
        if jump is None:
            pytest.skip("there is no C compiler")
        began = time.time(), time.monotonic()
        with subprocess.Popen(
            [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as program:
            assert program.stdin is not None
            assert program.stdout is not None
            for ahead in (0, 86400, -86400):
                jump(ahead)
                print(file=program.stdin, flush=True)
                own, child, monotonic = map(float, program.stdout.readline().split())
                for seen in (own - ahead, child - ahead):
                    assert began[0] <= seen <= time.time()
                assert began[1] <= monotonic <= time.monotonic()
            program.stdin.close()
