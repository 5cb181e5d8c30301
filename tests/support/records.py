"""Makes many records of ended executions, and finds out which of them a program reads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pyrepl_stream.runtime.host.paths import SessionPaths
from pyrepl_stream.runtime.journal.spool.status import SpoolStatus
from pyrepl_stream.runtime.journal.spool.writer import Spool
from pyrepl_stream.runtime.messages import CompleteMessage, OutputMessage
from pyrepl_stream.runtime.wire import unnumbered

__all__ = ("make_records", "records_read")

_COUNT = """
import os, sys
def note(event, details):
    if event == "open" and str(details[0]).endswith("status.json"):
        read.add(os.path.basename(os.path.dirname(details[0])))
read = set()
sys.addaudithook(note)
try:
    exec(sys.argv[1])
finally:
    print("\\nREAD", *sorted(read))
"""


def make_records(session: str, count: int) -> list[str]:
    """Make ``count`` records of executions that printed a line, the oldest first. Return their ids."""
    paths = SessionPaths(session)
    first = Path(paths.execution("job-00000"))
    status = SpoolStatus(first.name, "epoch", session, "digest", "code", 1e9)
    spool = Spool.create(str(first), status, request={})
    spool.append(unnumbered(OutputMessage(data="text\n")), 5)
    spool.complete(CompleteMessage(success=True, status="ok", duration=1.0))
    spool.close()
    files = {path.name: path.read_text() for path in first.iterdir()}
    ids = [f"job-{number:05}" for number in range(count)]
    for execution_id in ids[1:]:
        copy = first.with_name(execution_id)
        copy.mkdir(mode=0o700)
        for name, text in files.items():
            (copy / name).write_text(text.replace(first.name, execution_id))
    return ids


def records_read(code: str) -> tuple[list[str], str]:
    """Run ``code`` in a process. Return the ids of the records whose status it read, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", _COUNT, code], check=False, stdout=subprocess.PIPE, text=True, timeout=60
    )
    printed, _, read = done.stdout.rpartition("\nREAD")
    return read.split(), printed
