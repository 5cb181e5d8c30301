"""A session with many ended executions: listing, reading one of them, and starting the host."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from pyrepl_stream import CompleteMessage, OutputMessage, connect
from pyrepl_stream.runtime.host.paths import SessionPaths
from pyrepl_stream.runtime.journal.spool.status import SpoolStatus
from pyrepl_stream.runtime.journal.spool.writer import Spool
from pyrepl_stream.runtime.wire import unnumbered

from .report import Table
from .sessions import places

RUNS = 5
RECORDS = 10_000
MOST = 0.5  # seconds


def run() -> Iterator[Table]:
    """Yield the tables of all measurements."""
    table = Table(
        f"A session with {RECORDS:,} ended executions",
        ("what", "time"),
        f"Medians of {RUNS} runs. Commands include the start of their process.",
    )
    with places():
        _make_records("bench")
        for name, words in (("ls", ["ls"]), ("logs ID", ["logs", "job-07777"])):
            table.row(name, _bounded(table, name, partial(_command, *words)))
        name = "the start of its host"
        starts = [_start() for _ in range(RUNS)]
        table.row(name, table.bounded(name, starts, most=MOST, show=_seconds))
        with connect("local:bench") as session:
            session.start().wait()
            for name, words in (("attach ID", ["attach", "job-07777"]), ("ls, with a host", ["ls"])):
                table.row(name, _bounded(table, name, partial(_command, *words)))
    yield table


def _bounded(table: Table, name: str, action: Callable[[], object]) -> str:
    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - started)
    return table.bounded(name, seconds, most=MOST, show=_seconds)


def _command(*words: str) -> None:
    program = "import sys; from pyrepl_stream.cli import main; sys.exit(main(sys.argv[1:]))"
    subprocess.run([sys.executable, "-c", program, *words], check=True, stdout=subprocess.DEVNULL)


def _start() -> float:
    """Start the host, close it, and return the seconds that the start took."""
    started = time.perf_counter()
    with connect("local:bench") as session:
        session.start().wait()
        seconds = time.perf_counter() - started
        session.close(forget=False).wait()
    return seconds


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f} s"


def _make_records(session: str) -> None:
    """Make one record, and copies of it with other ids."""
    first = Path(SessionPaths(session).execution("job-00000"))
    spool = Spool.create(str(first), SpoolStatus(first.name, "", session, "", "code", 1e9), request={})
    spool.append(unnumbered(OutputMessage(data="text\n")), 5)
    spool.complete(CompleteMessage(success=True, status="ok"))
    spool.close()
    files = {path.name: path.read_text() for path in first.iterdir()}
    for number in range(1, RECORDS):
        copy = first.with_name(f"job-{number:05}")
        copy.mkdir(mode=0o700)
        for name, text in files.items():
            (copy / name).write_text(text.replace(first.name, copy.name))
