"""CPU time of processes that wait: hosts, workers and an attached client, over a minute."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from pyrepl_stream import connect
from pyrepl_stream.runtime.host.launch import host_pid
from pyrepl_stream.runtime.host.paths import SessionPaths

from .report import Table
from .sessions import places

SECONDS = 60.0
SETTLED = 5.0  # seconds after which nothing is left of the start
MOST = 0.001  # of one core


def run() -> Iterator[Table]:
    """Measure all at the same time."""
    table = Table(
        "CPU of processes that wait",
        ("process", "of one core"),
        f"Over {SECONDS:g} s: the time on a CPU that the kernel accounts for all threads of a process.",
    )
    with places():
        with connect("local:idle") as session:
            session.execute("1").wait()
        with connect("local:asks") as session:
            execution = session.execute("input()", execution_id="job")
            assert execution.wait_started(60)
        command = [sys.executable, "-m", "pyrepl_stream.cli", "attach", "asks/job"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
            pids = {
                **_processes("idle", "without a client"),
                **_processes("asks", "with a client, in input()"),
                "a client that is attached": client.pid,
            }
            time.sleep(SETTLED)
            before = {name: _on_cpu(pid) for name, pid in pids.items()}
            time.sleep(SECONDS)
            for name, pid in pids.items():
                share = (_on_cpu(pid) - before[name]) / SECONDS
                table.row(name, table.bounded(name, [share], most=MOST, show="{:.3%}".format))
            table.row("all of them", table.holds("all of them", client.poll() is None, "the client ended"))
            client.kill()
    yield table


def _processes(session: str, how: str) -> dict[str, int]:
    """Return the pids of a session's host and of its worker."""
    host = host_pid(SessionPaths(session))
    assert host is not None
    found = {f"host {how}": host}
    for child in Path(f"/proc/{host}/task/{host}/children").read_text().split():
        words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        if b"worker" in words:
            found[f"worker {how}"] = int(child)
    return found


def _on_cpu(pid: int) -> float:
    """Return the seconds that the threads of a process have been on a CPU."""
    return (
        sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
    )
