"""Executions of all kinds, as what shows them needs them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from pyrepl_stream import (
    Execution,
    ExecutionInfo,
    InputRequestMessage,
    Message,
    MessageStream,
    PyreplStreamError,
    RemoteExecution,
    RemoteSession,
    TargetError,
    UnknownExecutionError,
)

from .area.source import PATIENCE, Source
from .records import Record

__all__ = ("of_record", "of_session", "of_thread")


def of_thread(execution: Execution) -> Source:
    """What runs in this process."""
    return Source(
        name=execution.id,
        started=lambda: None,
        read=execution.attach,
        raw=execution.attach,
        last=lambda shown: shown if execution.status == "running" else None,
        asks=execution.asks,
        running=lambda: execution.status == "running",
        interrupt=execution.interrupt,
        kill=execution.kill,
        reply=execution.input,
    )


def of_session(
    session: RemoteSession,
    execution: RemoteExecution,
    name: str,
    after: int = 0,
    started: float | None = None,
) -> Source:
    """What runs, or ran, in a session that can be reached; ``after``: it is shown from there on.
    ``started`` is asked for where it is not known."""
    run = _Run(session, execution, name, started)
    return Source(
        name=name,
        started=lambda: None if after else run.started(),
        read=lambda: _Bound(execution.attach(after), run),
        raw=lambda: _Bound(session.execution(execution.id).attach(), run),
        last=lambda shown: run.last(),
        asks=execution.asks,
        running=lambda: execution.status == "running",
        interrupt=lambda: run.checked().interrupt(),
        kill=lambda: run.checked().kill(),
        reply=lambda text, request: run.checked().input(text, request),
    )


def of_record(found: ExecutionInfo, after: int = 0) -> Source:
    """What is only on disk."""
    return Source(
        name=found.name,
        started=lambda: None if after else found.started,
        read=lambda: Record(found, after),
        raw=lambda: Record(found),
        last=lambda shown: None,
        asks=lambda request: False,
        running=lambda: False,
        interrupt=lambda: None,
        kill=lambda: None,
        reply=_nobody,
    )


class _Run:
    """One run of an execution in a session, told from another of that id by when it started."""

    def __init__(
        self, session: RemoteSession, execution: RemoteExecution, name: str, started: float | None
    ) -> None:
        self._session = session
        self._execution = execution
        self._name = name
        self._started = started

    def started(self) -> float | None:
        """In seconds since the epoch; None where that cannot be found out."""
        if self._started is None:
            with contextlib.suppress(PyreplStreamError):  # it is shown all the same
                self._started = self._listed()["started"]
        return self._started

    def last(self) -> int | None:
        """See :class:`Source`."""
        summary = self._look()
        return int(summary["last"]) if summary["status"] in ("queued", "running") else None

    def checked(self) -> RemoteExecution:
        """The execution, when its id means this run."""
        self._look()
        return self._execution

    def _look(self) -> Mapping[str, Any]:
        summary = self._listed()
        if self._started is not None and summary["started"] != self._started:
            raise UnknownExecutionError(f"{self._name} was run anew: the record of this run is gone")
        return summary

    def _listed(self) -> Mapping[str, Any]:
        """What the session says of it."""
        try:  # the list has no time limit of its own
            self._session.execution(self._execution.id).wait_started(PATIENCE)
        except TimeoutError:
            text = f"the session of {self._name} has not answered within {PATIENCE:g} s"
            raise TargetError(text) from None
        for listed in self._session.executions_sync():
            if listed.id == self._execution.id and listed.summary is not None:
                return listed.summary
        raise UnknownExecutionError(f"the record of {self._name} is gone")


class _Bound:
    """Reads a run, and nothing when its id has become another's."""

    def __init__(self, stream: MessageStream, run: _Run) -> None:
        self._stream = stream
        self._run: _Run | None = run  # until it was asked

    @property
    def after(self) -> int:
        return self._stream.after

    def receive(self, timeout: float | None = None) -> list[Message] | None:
        if self._run is not None:  # behind the attach: what that began to read is what is looked at, or older
            self._run.checked()
            self._run = None
        return self._stream.receive(timeout)

    def close(self) -> None:
        self._stream.close()


def _nobody(text: str | None, request: InputRequestMessage) -> None:
    """A record asks nothing."""
