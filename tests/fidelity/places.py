"""The places in which the same cells run."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import Any, NamedTuple

from support.kernels import ROOT, Kernel, kernel
from support.sessions import isolated

from pyrepl_stream import (
    AnySession,
    ClearMessage,
    DisplayMessage,
    ErrorMessage,
    InputRequestMessage,
    LogMessage,
    Message,
    OutputMessage,
    ResultMessage,
    StreamType,
    connect,
)

from .outcomes import NAMES, Case, Outcome, normal

__all__ = ("TARGETS", "Place", "of_session")

Place = Callable[[Case], list[Outcome]]
# Before each case, so that none depends on another. `%reset` removes what `multiprocessing` looks for,
# and `doctest` leaves a result in `builtins`.
_RESET = "%reset -f\n%cd -q {folder}\n__spec__ = None\nexec('import builtins; vars(builtins).pop(\"_\", None)', {{}})"
_LIMIT = 20.0  # seconds; only a cell that hangs takes that long


class Target(NamedTuple):
    """A place, the place that it is compared with, and whether all cells are plain Python."""

    place: Callable[[Path], Any]
    reference: Callable[[Path], Any]
    plain: bool


@contextmanager
def stock_kernel(folder: Path) -> Iterator[Place]:
    """Run plain cells in a stock kernel."""
    with kernel(cwd=folder) as stock:
        stock.run("None")  # stands for `%load_ext` in the other kernels, because `%history` counts cells
        yield lambda case: _in_kernel(stock, case, folder)


@contextmanager
def loaded_kernel(folder: Path) -> Iterator[Place]:
    """Run plain cells in a kernel that has loaded the extension."""
    with kernel(cwd=folder) as loaded:
        loaded.run("%load_ext jupyter_ext")
        yield lambda case: _in_kernel(loaded, case, folder)


@contextmanager
def thread(folder: Path) -> Iterator[Place]:
    """Run cells in `thread:`."""
    with kernel(cwd=folder) as loaded:
        loaded.run("%load_ext jupyter_ext")
        yield lambda case: _in_kernel(loaded, case, folder, "%%remote_stream thread: --plain\n")


@contextmanager
def named_thread(folder: Path) -> Iterator[Place]:
    """Run the cells of each case in a `thread:NAME` of its own."""
    with kernel(cwd=folder) as loaded:
        loaded.run("%load_ext jupyter_ext")

        def place(case: Case) -> list[Outcome]:
            name = re.sub(r"\W", "-", case.id)
            return _in_kernel(loaded, case, folder, f"%%remote_stream thread:{name} --plain\n")

        yield place


@contextmanager
def local(folder: Path) -> Iterator[Place]:
    """Run cells in `local:`."""
    with isolated(), connect("local:fidelity", cwd=str(folder)) as session:

        def place(case: Case) -> list[Outcome]:
            session.execute(_RESET.format(folder=folder)).wait()
            found = [of_session(session, cell) for cell in (*case.cells, NAMES)]
            return [normal(Outcome(*fields), folder) for fields in found]

        yield place


@contextmanager
def plain_python(folder: Path, kind: str = "python") -> Iterator[Place]:
    """Run cells as a plain interpreter does."""
    ours, theirs = socket.socketpair()
    arguments = [sys.executable, str(Path(__file__).with_name("plain.py")), str(theirs.fileno()), kind]
    paths = f"{ROOT}:{ROOT / 'tests'}"
    with tempfile.TemporaryFile("ab") as stdout, tempfile.TemporaryFile("ab") as stderr, ours:
        with subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            cwd=folder,
            env={"PYTHONPATH": paths, "PATH": "/usr/bin:/bin", "PYTHONWARNINGS": "default"},
            pass_fds=[theirs.fileno()],
        ) as process:
            theirs.close()
            lines = ours.makefile("rw", encoding="utf-8")

            def place(case: Case) -> list[Outcome]:
                lines.write(json.dumps([str(folder), [*case.cells, NAMES]]) + "\n")
                lines.flush()
                return [normal(Outcome(*fields), folder) for fields in json.loads(lines.readline())]

            try:
                yield place
            finally:
                process.kill()


@contextmanager
def own_session(folder: Path) -> Iterator[Place]:
    """Run the cells of each case in a `Session()`."""
    with plain_python(folder, "session") as place:
        yield place


TARGETS = {
    "local": Target(local, stock_kernel, False),
    "thread": Target(thread, stock_kernel, False),
    "plain-cell": Target(loaded_kernel, stock_kernel, False),
    "thread-name": Target(named_thread, plain_python, True),
    "session": Target(own_session, plain_python, True),
}


def _in_kernel(running: Kernel, case: Case, folder: Path, first_line: str = "") -> list[Outcome]:
    running.run(_RESET.format(folder=folder))
    found = [_of_kernel(running, first_line + cell) for cell in (*case.cells, NAMES)]
    return [normal(outcome, folder) for outcome in found]


def _of_kernel(running: Kernel, code: str) -> Outcome:
    answers, stop_at = _directions(code)
    try:
        cell = running.run(
            code, answer=answers, on_message=running.interrupt_on(stop_at) if stop_at else lambda *_: None
        )
    except TimeoutError:
        running.manager.interrupt_kernel()
        return Outcome(error="it does not end")
    outcome = Outcome(cell.text("stdout"), cell.text("stderr"))
    for _, message in cell.messages:
        kind, content = message["msg_type"], message["content"]
        if kind in ("execute_result", "display_data", "update_display_data"):
            outcome.shown += ((kind, content["data"], content["metadata"]),)
        elif kind == "clear_output":
            outcome.shown += ((kind, content["wait"], None),)
        elif kind == "error":
            outcome.error = f"{content['ename']}: {content['evalue']}"
            outcome.traceback = "\n".join(content["traceback"])
    return outcome


def _directions(code: str) -> tuple[Iterator[str] | None, str]:
    answers = re.findall(r"(?m)^ *# answer: (.*)$", code)
    stop_at = re.search(r"(?m)^ *# interrupt at: (.*)$", code)
    return iter(answers) if answers else None, stop_at[1] if stop_at else ""


def of_session(session: AnySession, code: str) -> list[Any]:
    """Return the fields of the outcome of a cell in a session."""
    outcome = Outcome()
    answers, stop_at = _directions(code)
    execution = session.execute(code, timeout=_LIMIT)
    for message in execution:
        if isinstance(message, InputRequestMessage):
            execution.input(next(answers, "") if answers else "", message)
        _take(outcome, message)
        if stop_at and stop_at in outcome.stdout:
            stop_at = ""
            execution.interrupt().wait()
    return list(astuple(outcome))


def _take(outcome: Outcome, message: Message) -> None:
    if isinstance(message, OutputMessage):
        if message.stream is StreamType.STDERR:
            outcome.stderr += message.text
        else:
            outcome.stdout += message.text
    elif isinstance(message, LogMessage):
        outcome.stderr += message.line + "\n"  # a handler of `logging` wrote it
    elif isinstance(message, ResultMessage):
        outcome.shown += (("execute_result", dict(message.data), dict(message.metadata)),)
    elif isinstance(message, DisplayMessage):
        kind = "update_display_data" if message.update else "display_data"
        outcome.shown += ((kind, dict(message.data), dict(message.metadata)),)
    elif isinstance(message, ClearMessage):
        outcome.shown += (("clear_output", message.wait, None),)
    elif isinstance(message, ErrorMessage):
        outcome.error = f"{message.name}: {message.value}"
        outcome.traceback = "\n".join(message.traceback)
