"""Helpers of the tests that run real programs: skipping, waiting, and finding processes."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyrepl_stream import Message, OutputMessage

PROGRAMS = Path(__file__).parent
LIMIT = 60.0  # seconds; reached only by a hang


def needs(*programs: str) -> None:
    """Skip the test if a program is missing, or fail in CI, where all must be installed."""
    for program in programs:
        if shutil.which(program) is None:
            if os.environ.get("CI") == "true":
                pytest.fail(f"{program} is not installed, but must be in CI")
            pytest.skip(f"{program} is not installed")


def until(stream: Iterator[Message], text: str) -> str:
    """Read up to the message that completes ``text`` in the output, and return all output read."""
    seen = ""
    for message in stream:
        if isinstance(message, OutputMessage):
            seen += message.text
        if text in seen:
            return seen
    raise AssertionError(f"{text!r} did not come: {seen!r}")


def eventually(holds: Callable[[], object], what: str, limit: float = LIMIT) -> None:
    """Wait for a condition that no event announces, such as the end of another process's child."""
    deadline = time.monotonic() + limit
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"this did not happen: {what}")
        time.sleep(0.01)


def living(*marks: str) -> dict[int, str]:
    """Return the processes, but no zombies, with one of ``marks`` in their arguments or environment."""
    found = {}
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
            text = arguments + Path(f"/proc/{pid}/environ").read_bytes()
            if not any(mark.encode() in text for mark in marks):
                continue
            if _stat(pid)[0] not in "ZX":
                found[pid] = arguments.replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue  # it has ended
    found.pop(os.getpid(), None)
    return found


def zombies() -> set[int]:
    """Return the children of this process that have ended and were not waited for."""
    found = set()
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            state, parent, *_ = _stat(pid)
        except OSError:
            continue
        if state == "Z" and int(parent) == os.getpid():
            found.add(pid)
    return found


def end_all(*marks: str) -> None:
    """Kill all marked processes, so that a failing test leaves none."""
    while marks and (left := living(*marks)):
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
