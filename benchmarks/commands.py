"""Commands on terminals and pipes, compared with the smallest program that does the same.

A command's output comes through a thread, a journal and a reader. For comparison,
a bare loop over ``os.read``, or ``subprocess``, runs the same child in turn; a ratio compares two
consecutive runs.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import statistics
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pyrepl_stream import OutputMessage, ProcessExecution, run_process

from .report import Table, middle

STAMPS = 400  # in each run
STAMP_RUNS = 3
PAIRS = 40  # of batch runs
CROWDS = (1, 10, 50, 200)
CROWD_ROUNDS = 5
INTERRUPTS = 9

_STAMPS = f"""
import os, time
for i in range({STAMPS}):
    os.write(1, b"%d\\n" % time.monotonic_ns())
    time.sleep(0.01)
"""
_BLOCK = 64 * 1024
_MB = 1_000_000


def run() -> Iterator[Table]:
    """Yield the tables of all measurements."""
    yield _latency()
    yield _throughput()
    yield _batch()
    yield _crowds()
    yield _interrupt()


# -- from the child's write to our message ---------------------------------------------------


def _latency() -> Table:
    table = Table(
        "From a command's write to its message",
        ("reader", "median", "99th percentile", "arrived"),
        f"A terminal; {STAMP_RUNS} runs of {STAMPS} writes, 100 a second; the figures are those of each run. "
        "Busy: one process for each core that does nothing but count. The bare loop is `os.read` on a "
        "terminal in a thread: what it takes longer when all is busy is the scheduler's.",
    )
    command = [sys.executable, "-I", "-S", "-c", _STAMPS]
    for busy in (False, True):
        bare: list[list[float]] = []
        ours: list[list[float]] = []
        with _busy(os.cpu_count() or 1 if busy else 0):
            for _ in range(STAMP_RUNS):
                bare.append(_bare_delays(command))
                ours.append(asyncio.run(_delays(command)))
        for name, runs in (("bare loop", bare), ("messages", ours)):
            bounds = (0.005, 0.1) if runs is ours else (None, None)
            full = f"{name}, {'busy' if busy else 'idle'}"
            table.row(
                full,
                table.bounded(full, [statistics.median(run) for run in runs], most=bounds[0], show=_ms),
                table.bounded(full, [_percentile(run, 99) for run in runs], most=bounds[1], show=_ms),
                table.holds(full, all(len(run) == STAMPS for run in runs), "some are missing"),
            )
    return table


async def _delays(command: list[str]) -> list[float]:
    stamps = _Stamps()
    async for message in run_process(command):
        if isinstance(message, OutputMessage):
            stamps.take(message.text)
    return stamps.delays


def _bare_delays(command: list[str]) -> list[float]:
    stamps = _Stamps()
    _read_bare(command, terminal=True, take=lambda data: stamps.take(data.decode()))
    return stamps.delays


class _Stamps:
    def __init__(self) -> None:
        self.delays: list[float] = []
        self._rest = ""

    def take(self, text: str) -> None:
        now = time.monotonic_ns()
        *lines, self._rest = (self._rest + text).split("\n")
        self.delays += [(now - int(line)) / 1e9 for line in lines]


@contextmanager
def _busy(count: int) -> Iterator[None]:
    loops = [subprocess.Popen(["/bin/sh", "-c", "while :; do :; done"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


# -- throughput ------------------------------------------------------------------------------

# The child's time must not be what is measured, so it is C code that writes large blocks.
_TEXT = "yes 'The quick brown fox jumps over the lazy dog, and again, and once more' | head -c {}"
_UMLAUTS = "yes 'Füße, Größe, Übermut: süße Grüße an die Möwen über den Dünen' | head -c {}"
_ZEROS = "dd if=/dev/zero bs=64k count={} status=none"
_FLOODS = (  # where, what, the command, bytes, the least share of a bare loop's rate
    (False, "blocks of 64 KiB", _ZEROS.format(300 * _MB // _BLOCK), 300 * _MB // _BLOCK * _BLOCK, 0.8),
    (False, "lines", _TEXT.format(300 * _MB), 300 * _MB, 0.8),
    (False, "lines with umlauts", _UMLAUTS.format(100 * _MB), 100 * _MB, None),
    (True, "lines", _TEXT.format(40 * _MB), 40 * _MB, 0.8),
    (True, "blocks of 64 KiB", _ZEROS.format(40 * _MB // _BLOCK), 40 * _MB // _BLOCK * _BLOCK, 0.8),
)


def _throughput() -> Table:
    table = Table(
        "Throughput of a command's output",
        ("output", "bare loop", "`async for`", "`for`", "`async for` / bare", "`for` / bare", "complete"),
        "Rates; six rounds of the three, in each order once. The bare loop is a thread that reads "
        "64 KiB at a time with `os.read`, from a terminal with the same settings where ours is one. All "
        "three keep what they get in a list.",
    )
    for terminal, what, command, size, least in _FLOODS:
        name = f"{'terminal' if terminal else 'pipe'}, {what}"
        bare, streamed, plain = [], [], []
        complete = True
        ways = ((bare, _bare_flood), (streamed, _async_flood), (plain, _plain_flood))
        for order in itertools.permutations(ways):  # memory that one has freed makes the next one faster
            for rates, way in order:
                started = time.perf_counter()
                received = way(command, terminal)
                rates.append(size / (time.perf_counter() - started))
                complete = complete and sum(map(_size, received)) == size
                received.clear()
        table.row(
            name,
            middle(bare, _rate),
            middle(streamed, _rate),
            middle(plain, _rate),
            *(
                table.bounded(
                    f"{name}, {way}",
                    [ours / base for ours, base in zip(rates, bare, strict=True)],
                    least=least,
                )
                for way, rates in (("async for", streamed), ("for", plain))
            ),
            table.holds(name, complete, "output is missing"),
        )
    return table


def _async_flood(command: str, terminal: bool) -> list[str | bytes]:
    async def read() -> list[str | bytes]:
        kept = []
        async for message in run_process(command, pty=terminal):
            if isinstance(message, OutputMessage):
                kept.append(message.data)
        return kept

    return asyncio.run(read())


def _plain_flood(command: str, terminal: bool) -> list[str | bytes]:
    kept = []
    for message in run_process(command, pty=terminal):
        if isinstance(message, OutputMessage):
            kept.append(message.data)
    return kept


def _bare_flood(command: str, terminal: bool) -> list[str | bytes]:
    kept: list[str | bytes] = []
    _read_bare(["/bin/sh", "-c", command], terminal=terminal, take=kept.append)
    return kept


def _size(data: str | bytes) -> int:
    return len(data) if isinstance(data, bytes) or data.isascii() else len(data.encode())


def _read_bare(command: list[str], *, terminal: bool, take: Callable[[bytes], object]) -> None:
    """Read a command's output with the smallest possible program: one thread and ``os.read``."""
    ours, theirs = os.openpty() if terminal else os.pipe()
    if terminal:
        modes = termios.tcgetattr(theirs)
        modes[1] &= ~termios.ONLCR
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(theirs, termios.TCSANOW, modes)

    def read() -> None:
        while True:
            try:
                data = os.read(ours, _BLOCK)
            except OSError:  # EIO: how a terminal ends
                return
            if not data:
                return
            take(data)

    thread = threading.Thread(target=read)
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs):
        os.close(theirs)
        thread.start()
        thread.join()
    os.close(ours)


# -- batch -----------------------------------------------------------------------------------


def _batch() -> Table:
    table = Table(
        "Batch",
        ("way", "time", "over `subprocess.run` of the same pair", "complete"),
        f'`sh -c "sleep 0.05; echo x"`, {PAIRS} rounds; `subprocess.run(capture_output=True)` and the two '
        "ways of `run_process(streaming=False).wait()` take turns.",
    )
    command = ["/bin/sh", "-c", "sleep 0.05; echo x"]
    base: list[float] = []
    ours: dict[str, list[float]] = {"on pipes": [], "on a terminal": []}
    whole = dict.fromkeys(ours, True)
    for number in range(PAIRS + 1):
        started = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        base.append(time.perf_counter() - started)
        for name in ours:
            started = time.perf_counter()
            result = run_process(command, pty=name == "on a terminal", streaming=False).wait()
            ours[name].append(time.perf_counter() - started)
            whole[name] = whole[name] and result.success and result.stdout == "x\n"
        if not number:  # the first of each loads code
            base.clear()
            for times in ours.values():
                times.clear()
    table.row("subprocess.run", middle(base, _ms), "", "")
    for name, times in ours.items():
        over = [mine / other - 1 for mine, other in zip(times, base, strict=True)]
        table.row(
            f"run_process, {name}",
            middle(times, _ms),
            table.bounded(name, over, most=0.05, show="{:+.1%}".format),
            table.holds(name, whole[name], "output is missing"),
        )
    return table


# -- many at once ----------------------------------------------------------------------------


def _crowds() -> Table:
    table = Table(
        "Many commands at once",
        (
            "commands",
            "threads of `subprocess`",
            "pipes",
            "terminals",
            "pipes / threads",
            "terminals / threads",
            "all outputs whole",
        ),
        f"Each prints 20,000 lines (109 kB) and sleeps 0.1 s; {CROWD_ROUNDS} rounds, in turn. The threads "
        "call `communicate`; the executions are awaited together.",
    )
    expected = "".join(f"{number}\n" for number in range(1, 20_001))
    for count in CROWDS:
        base, pipes, terminals = [], [], []
        whole = True
        for _ in range(CROWD_ROUNDS):
            for times, run_all in ((base, _threads), (pipes, _piped), (terminals, _on_terminals)):
                started = time.perf_counter()
                outputs = run_all(count)
                times.append(time.perf_counter() - started)
                whole = whole and outputs == [expected] * count
        table.row(
            str(count),
            *(middle(times, _ms) for times in (base, pipes, terminals)),
            *(
                middle([mine / other for mine, other in zip(times, base, strict=True)], "{:.2f}x".format)
                for times in (pipes, terminals)
            ),
            table.holds(f"{count} at once", whole, "output is missing"),
        )
    return table


_COUNT = ["/bin/sh", "-c", "seq 1 20000; sleep 0.1"]


def _threads(count: int) -> list[str]:
    outputs = [""] * count

    def one(place: int) -> None:
        with subprocess.Popen(_COUNT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
            outputs[place] = process.communicate()[0]

    threads = [threading.Thread(target=one, args=(place,)) for place in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outputs


def _piped(count: int) -> list[str]:
    return asyncio.run(_together(count, pty=False))


def _on_terminals(count: int) -> list[str]:
    return asyncio.run(_together(count, pty=True))


async def _together(count: int, *, pty: bool) -> list[str]:
    async def one() -> str:
        return (await run_process(_COUNT, pty=pty)).stdout

    return list(await asyncio.gather(*(one() for _ in range(count))))


# -- interrupt -------------------------------------------------------------------------------

_TREES = (  # the name, the command
    ("`sleep 1000`", ["sleep", "1000"]),
    ("a shell that waits for it", "sleep 1000; true"),
    ("a pipeline in a shell in a shell", "sh -c 'sleep 1000 | sleep 1000; true'; true"),
    # A shell without job control starts these so that they ignore SIGINT; they get SIGTERM 0.3 s later.
    ("background jobs, which ignore SIGINT", "sleep 1000 & sleep 1000 & wait"),
)


def _interrupt() -> Table:
    table = Table(
        "Interrupt of a command",
        ("command", "from `interrupt()` to `complete`", "status", "none is left"),
        f"{INTERRUPTS} runs of each, in turn, 0.2 s after the start.",
    )
    times: dict[str, list[float]] = {name: [] for name, _ in _TREES}
    states: dict[str, set[str]] = {name: set() for name, _ in _TREES}
    left = dict.fromkeys(times, 0)
    for _ in range(INTERRUPTS):
        for name, command in _TREES:
            seconds, status, running = asyncio.run(_interrupted(run_process(command)))
            times[name].append(seconds)
            states[name].add(status)
            left[name] += running
    for name in times:
        table.row(
            name,
            middle(times[name], _ms),
            table.holds(name, states[name] == {"interrupted"}, ", ".join(sorted(states[name]))),
            table.holds(name, not left[name], f"{left[name]} processes are left"),
        )
    return table


async def _interrupted(execution: ProcessExecution) -> tuple[float, str, int]:
    async def read() -> str:
        return (await execution).status

    reader = asyncio.ensure_future(read())
    await asyncio.sleep(0.2)
    session = execution.pid or -1
    started = time.perf_counter()
    execution.interrupt()
    status = await reader
    return time.perf_counter() - started, status, _in_session(session)


def _in_session(session: int) -> int:
    """Return the number of running processes of a session (Linux; elsewhere 0)."""
    count = 0
    for name in os.listdir("/proc") if os.path.exists("/proc/self/stat") else ():
        try:
            with open(f"/proc/{name}/stat") as file:
                fields = file.read().rpartition(") ")[2].split()
        except OSError:
            continue
        count += name.isdigit() and int(fields[3]) == session and fields[0] not in "ZX"
    return count


def _percentile(values: list[float], number: int) -> float:
    return statistics.quantiles(values, n=100)[number - 1]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms" if seconds < 0.01 else f"{seconds * 1000:.1f} ms"


def _rate(rate: float) -> str:
    return f"{rate / _MB:,.0f} MB/s"
