"""Sessions of hosts: latency, throughput and replay, compared with a stock ipykernel; starts; many at once.

Both sides cross process boundaries, so the comparison is fair: worker, host and Unix socket against kernel,
ZeroMQ and `jupyter_client`. Rounds of both take turns. Replay is measured twice: as bytes that a bare socket
receives, which shows the limit of the host, and as messages of a client.
"""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from pyrepl_stream import OutputMessage, RemoteSession, connect
from pyrepl_stream.inventory import close_session, list_sessions
from pyrepl_stream.runtime.host.paths import SessionPaths
from pyrepl_stream.runtime.protocol import operations

from .kernel import kernel
from .latency import BUSY, SLEEPS, _delays, _note
from .report import Table, middle

RUNS = 5
PRINTS = 100
WORK = {
    "200,000 print(i)": ("for i in range(200_000): print(i)", 1_288_890),
    "10,000 lines of 110": ("for i in range(10_000): print('x' * 109)", 1_100_000),
    "100 MB in one print": ("print('x' * 100_000_000)", 100_000_001),
}
REPLAYED = 1_000_000_000
HOSTS = 200


def run() -> Iterator[Table]:
    """Yield the tables of all measurements."""
    with places():
        with connect("local:bench") as session, kernel() as other:
            yield _latency(session, other)
            yield _throughput(session, other)
        with connect("local:replay", retention=2 * REPLAYED) as session:
            yield _replay(session)
        yield _starts()
        yield _many()


@contextmanager
def places() -> Iterator[None]:
    """Give the sessions directories of their own, and leave no host at the end."""
    root = Path(tempfile.mkdtemp(prefix="ps-", dir="/tmp"))
    os.environ["PYREPL_STREAM_RUNTIME_DIR"] = str(root / "run")
    os.environ["PYREPL_STREAM_STATE_DIR"] = str(root / "state")
    try:
        yield
    finally:
        _close_all()
        shutil.rmtree(root, ignore_errors=True)
        del os.environ["PYREPL_STREAM_RUNTIME_DIR"], os.environ["PYREPL_STREAM_STATE_DIR"]


def _latency(session: RemoteSession, other: object) -> Table:
    table = Table(
        "Latency from write to message, over a process border",
        ("code", "session", "ipykernel"),
        f"Medians of {RUNS} runs of {PRINTS} prints, taken in turn.",
    )
    for name, code, bound in (("sleeps", SLEEPS, 0.002), ("computes", BUSY, 0.005)):
        ours, theirs = [], []
        for _ in range(RUNS):
            delays: list[float] = []
            for message in session.execute(code.format(PRINTS)):
                if isinstance(message, OutputMessage):
                    delays += _delays(message.text)
            assert len(delays) == PRINTS
            ours.append(statistics.median(delays))
            noted: list[float] = []
            other.run(code.format(PRINTS // 4), partial(_note, noted))  # type: ignore[attr-defined]
            theirs.append(statistics.median(noted))
        table.row(name, table.bounded(name, ours, most=bound, show=_ms), middle(theirs, _ms))
    return table


def _throughput(session: RemoteSession, other: object) -> Table:
    table = Table(
        "Throughput to a client, over process borders",
        ("work", "session", "ipykernel", "session / ipykernel", "every byte"),
        f"Medians of {RUNS} runs, taken in turn; every byte is counted where it arrives.",
    )
    for name, (code, size) in WORK.items():
        ours, theirs, whole = [], [], True
        for _ in range(RUNS):
            started = time.perf_counter()
            got = 0
            for message in session.execute(code):
                if isinstance(message, OutputMessage):
                    got += len(message.data)
            ours.append(time.perf_counter() - started)
            whole = whole and got == size
            theirs.append(other.run(code, len))  # type: ignore[attr-defined]
        table.row(
            name,
            middle(ours, _seconds),
            middle(theirs, _seconds),
            table.bounded(name, [a / b for a, b in zip(ours, theirs, strict=True)], most=1.0),
            table.holds(name, whole, "bytes are missing"),
        )
    return table


def _replay(session: RemoteSession) -> Table:
    table = Table(
        "Replay of 1 GB from a spool",
        ("reader", "rate"),
        f"Medians of {RUNS} runs; bytes of lines a second, the page cache warm.",
    )
    code = "import sys\ntext = 'x' * 99 + '\\n'\nfor _ in range({}): sys.stdout.write(text * 10_000)"
    outcome = session.execute(code.format(REPLAYED // 1_000_000), execution_id="big")
    outcome.detach()
    while outcome.status in ("queued", "running"):
        time.sleep(0.1)
    bare, decoded = [], []
    for _ in range(RUNS):
        started = time.perf_counter()
        bare.append(_receive_all("replay", "big") / (time.perf_counter() - started))
    for _ in range(2):
        started = time.perf_counter()
        got = sum(len(m.data) for m in session.attach("big") if isinstance(m, OutputMessage))
        decoded.append(got / (time.perf_counter() - started))
        assert got == REPLAYED
    table.row("a bare socket", table.bounded("a bare socket", bare, least=500e6, show=_rate))
    table.row("messages of a client", middle(decoded, _rate))
    return table


def _receive_all(name: str, execution_id: str) -> int:
    """Attach over a bare socket, and count the bytes of all slices."""
    total = 0
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(SessionPaths(name).socket)
        for op in (
            {"op": "hello", "request": 1, "protocol": operations.PROTOCOL, "version": "bench"},
            {"op": "attach", "request": 2, "attach": 1, "id": execution_id, "after": 0, "credit": 1 << 62},
        ):
            connection.sendall(operations.line(op))
        with connection.makefile("rb", buffering=1 << 20) as lines:
            for line in lines:
                record = operations.parse(line)
                if record.get("type") == "slice":
                    left = record["bytes"]
                    while left:
                        left -= len(lines.read(min(left, 1 << 20)))
                    total += record["bytes"]
                elif record.get("type") == "end":
                    return total
    raise RuntimeError("the connection ended early")


def _starts() -> Table:
    table = Table(
        "From connect() to the first result",
        ("session", "time"),
        f"Medians of {RUNS} runs.",
    )
    cold, warm = [], []
    for number in range(RUNS):
        for times in (cold, warm):
            started = time.perf_counter()
            with connect(f"local:start{number}") as session:
                assert session.execute("6 * 7").wait(60).result == "42"
            times.append(time.perf_counter() - started)
        with connect(f"local:start{number}") as session:
            session.close().wait(60)
    with kernel_start() as seconds:
        table.row("an ipykernel, started", _seconds(seconds))
    table.row("none yet: host and worker are started", middle(cold, _seconds))
    table.row("one that is there", middle(warm, _ms))
    return table


@contextmanager
def kernel_start() -> Iterator[float]:
    """Return the seconds from the start of a stock kernel to its first result."""
    started = time.perf_counter()
    with kernel() as other:
        other.run("6 * 7", len)
        yield time.perf_counter() - started


def _many() -> Table:
    table = Table(
        f"{HOSTS} sessions at once",
        ("what", "each"),
        "Proportional resident memory (what processes share is divided among them); each has run one cell.",
    )
    started = time.perf_counter()
    for number in range(HOSTS):
        with connect(f"local:many{number}") as session:
            assert session.execute("1").wait(120).success
    table.row("start and first result", _seconds((time.perf_counter() - started) / HOSTS))
    hosts, workers = [], []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"host" in words and words[0] == os.fsencode(sys.executable):
            hosts.append(_memory(process))
        elif b"worker" in words and words[0] == os.fsencode(sys.executable):
            workers.append(_memory(process))
    table.row("hosts that live", table.holds("all are there", len(hosts) >= HOSTS, f"only {len(hosts)}"))
    table.row("a host", middle(hosts, _mib))
    table.row("a worker, with IPython in it", middle(workers, _mib))
    _close_all()
    return table


def _close_all() -> None:
    for session in list_sessions():
        close_session(session)


def _memory(process: Path) -> float:
    for line in (process / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0.0


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f} s"


def _rate(rate: float) -> str:
    return f"{rate / 1e6:,.0f} MB/s"


def _mib(size: float) -> str:
    return f"{size / (1 << 20):.1f} MiB"
