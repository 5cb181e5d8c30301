"""The sources of live areas: executions in this process, in sessions, and recorded on disk.

A source is one run of an execution, wherever it takes place. ``running``, ``attach`` and ``attach_raw`` never
wait. The other methods, and reading, may wait for up to :data:`PATIENCE` and raise the errors of a session.
They raise :class:`UnknownExecutionError` if another run has taken the id.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from pyrepl_stream import (
    Execution,
    InputRequestMessage,
    Message,
    MessageStream,
    PyreplStreamError,
    RemoteExecution,
    RemoteSession,
    TargetError,
    UnknownExecutionError,
)
from pyrepl_stream.inventory import ExecutionInfo, find_execution, read_record

from ..views.view_loop import Batches

PATIENCE = 10.0
"""Maximum seconds to wait for a session's answer or for its next messages."""

_NAMESPACE = uuid.UUID("0d6f1f5e-9f0e-5d43-9c3f-6d0a1c1a4b57")


class LocalSource:
    """An execution in a thread session of this process. :class:`SessionSource` describes the methods."""

    def __init__(self, execution: Execution) -> None:
        self.id = execution.id
        self.attach = self.attach_raw = execution.attach
        self.asks, self.input = execution.asks, execution.input
        self.interrupt, self.kill = execution.interrupt, execution.kill
        self._execution = execution

    @property
    def running(self) -> bool:
        """True while the code runs."""
        return self._execution.status == "running"

    def started(self) -> float | None:
        """Return None: another kernel cannot show the area again."""
        return None

    def last(self, shown: int) -> int | None:
        """Return ``shown`` while the code runs: the area reads without delay."""
        return shown if self.running else None


@dataclass(eq=False)
class SessionSource:
    """A run of an execution in a session that can be reached.

    Args:
        session: The session.
        execution: The execution, with the processors through which the cell shows it.
        id: SESSION/ID.
        after: The sequence number after which the cell shows messages.
        start: When the run started, in seconds since the epoch; None to ask the session.
    """

    session: RemoteSession
    execution: RemoteExecution
    id: str
    after: int = 0
    start: float | None = None

    @property
    def running(self) -> bool:
        """True while the code runs."""
        return self.execution.status == "running"

    def started(self) -> float | None:
        """Return the start of the run in seconds since the epoch; None if another kernel cannot show it."""
        if self.after:
            return None
        if self.start is None:
            with contextlib.suppress(PyreplStreamError):  # the execution is shown even without it
                self.start = self._summary()["started"]
        return self.start

    def attach(self) -> Batches:
        """Read the messages that the cell shows."""
        return _CheckedStream(self.execution.attach(self.after), self)

    def attach_raw(self) -> Batches:
        """Read the recorded messages."""
        return _CheckedStream(self.session.execution(self.execution.id).attach(), self)

    def last(self, shown: int) -> int | None:
        """Return the number of the newest message, or None after the end.

        Args:
            shown: The number of the last message that the area shows.
        """
        summary = self.check()
        return int(summary["last"]) if summary["status"] in ("queued", "running") else None

    def asks(self, request: InputRequestMessage) -> bool:
        """Return True while the code waits for the answer to this request."""
        return self.execution.asks(request)

    def input(self, text: str | None, request: InputRequestMessage) -> None:
        """Answer ``request``."""
        self.check()
        self.execution.input(text, request)

    def interrupt(self) -> object:
        """Interrupt the code."""
        self.check()
        return self.execution.interrupt()

    def kill(self) -> object:
        """End the code by force."""
        self.check()
        return self.execution.kill()

    def check(self) -> Mapping[str, Any]:
        """Return the session's description of the run. Raise an error if another run has taken its id."""
        summary = self._summary()
        if self.start is not None and summary["started"] != self.start:
            raise UnknownExecutionError(f"{self.id} was run again: the record of this run is gone")
        return summary

    def _summary(self) -> Mapping[str, Any]:
        try:
            executions = self.session.executions().wait(PATIENCE)
        except TimeoutError:
            raise TargetError(f"the session of {self.id} did not answer within {PATIENCE:g} s") from None
        for listed in executions:
            if listed.id == self.execution.id and listed.summary is not None:
                return listed.summary
        raise UnknownExecutionError(f"the record of {self.id} is gone")


class _CheckedStream:
    """Reads a run, and raises an error if another run has taken its id."""

    def __init__(self, stream: MessageStream, source: SessionSource) -> None:
        self._stream = stream
        self._source: SessionSource | None = source  # None once it has been checked

    @property
    def after(self) -> int:
        return self._stream.after

    def receive(self, timeout: float | None = None) -> list[Message] | None:
        if self._source is not None:
            # Checked after attaching: if this run still has the id now, the stream belongs to it.
            self._source.check()
            self._source = None
        return self._stream.receive(timeout)

    def close(self) -> None:
        self._stream.close()


class RecordSource:
    """A recorded execution whose session is not running.

    Reading it raises :class:`UnknownExecutionError` if the record is gone or belongs to another run.

    Args:
        found: The execution.
        after: The sequence number after which the cell shows messages.
    """

    running = False

    def __init__(self, found: ExecutionInfo, after: int = 0) -> None:
        self.id = found.name
        self._found = found
        self._after = after

    def started(self) -> float | None:
        """Return the start of the run in seconds since the epoch; None if another kernel cannot show it."""
        return None if self._after else self._found.started

    def attach(self) -> Batches:
        """Read the messages that the cell shows."""
        return _StoredMessages(self._found, self._after)

    def attach_raw(self) -> Batches:
        """Read the recorded messages."""
        return _StoredMessages(self._found, 0)

    def last(self, shown: int) -> int | None:
        """Return the number of the newest message, or None after the end."""
        return None

    def asks(self, request: InputRequestMessage) -> bool:
        """Return False: a recorded execution does not wait for input."""
        return False

    def input(self, text: str | None, request: InputRequestMessage) -> None:
        """Do nothing: no code is waiting for input."""

    def interrupt(self) -> None:
        """Do nothing: the execution has ended."""

    def kill(self) -> None:
        """Do nothing: the execution has ended."""


class _StoredMessages:
    """Reads the current record of an execution, after a sequence number."""

    def __init__(self, found: ExecutionInfo, after: int) -> None:
        self.after = after
        self._batches = self._read(found)

    def _read(self, found: ExecutionInfo) -> Iterator[list[Message]]:
        now = find_execution(found.name)
        if (now.id, now.started) != (found.id, found.started):
            raise UnknownExecutionError(f"{found.name} was run again: the record of this run is gone")
        for batch in read_record(found, self.after):
            self.after = batch[-1].sequence if batch else self.after
            yield batch

    def receive(self, timeout: float | None = None) -> list[Message] | None:
        return next(self._batches, None)

    def close(self) -> None:
        """Do nothing: another thread may be reading."""


Source: TypeAlias = LocalSource | SessionSource | RecordSource


def model_id(name: str, started: float, number: int = 0) -> str:
    """Return the id of the widget model that shows an execution, the same in every kernel.

    Args:
        name: SESSION/ID.
        started: When the run started, which distinguishes it from earlier runs of the same job.
        number: Distinguishes models that show the run with different options.
    """
    return uuid.uuid5(_NAMESPACE, f"{name} {started!r} {number or ''}".rstrip()).hex


def so_far(batches: Batches, last: int | None) -> Iterator[Message]:
    """Yield the messages up to sequence number ``last``, or up to the end if it is None.

    Raises:
        TargetError: No message arrived within :data:`PATIENCE`.
    """
    try:
        while last is None or batches.after < last:
            before = batches.after
            received = batches.receive(PATIENCE)
            if received is None:
                return
            if not received and batches.after == before:
                raise TargetError(f"no message of the execution arrived within {PATIENCE:g} s")
            yield from received
    finally:
        batches.close()
