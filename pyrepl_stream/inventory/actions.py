"""Actions on executions and sessions that ``lookup.py`` has found: reading, waiting, ending."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from ..runtime.errors import ExecutionEndedError, ProtocolError, PyreplStreamError, TargetError
from ..runtime.host.cleanup import remove_session
from ..runtime.host.launch import host_is_alive
from ..runtime.host.paths import SessionPaths
from ..runtime.journal.spool.reader import open_spool
from ..runtime.messages import CompleteMessage, Message
from ..runtime.wire import Decoder
from .lookup import ExecutionInfo, SessionInfo

if TYPE_CHECKING:
    from ..client import RemoteSession

__all__ = ("close_session", "close_sessions", "read_record", "session_of", "stop_execution", "wait_for_end")

_THREADS = 16  # maximum number of sessions that are closed at the same time


@contextlib.contextmanager
def session_of(name: str) -> Iterator[RemoteSession]:
    """Provide the session ``name``. It connects when first used, and does not start a closed session."""
    from ..targets import connect  # imported only here, because listing does not need it

    session = connect(f"local:{name}")
    try:
        yield session
    finally:
        session.disconnect().wait()


def read_record(execution: ExecutionInfo, after: int = 0) -> Iterator[list[Message]]:
    """Yield the messages recorded so far, in batches. The session need not run.

    Args:
        execution: The execution.
        after: The sequence number after which to begin.

    Raises:
        UnknownExecutionError: The record was deleted.
        CursorError: The record has no message with the number ``after``.
    """
    reader = open_spool(execution.directory).reader(after, follow=True)
    decoder = Decoder()
    try:
        while data := reader.read():
            yield list(decoder.feed(data))
    finally:
        reader.close()


def wait_for_end(execution: ExecutionInfo) -> CompleteMessage | None:
    """Wait until an execution has ended, without reading its output so far.

    Returns:
        The last message, or None when the execution is lost: its session ended before it did.

    Raises:
        TargetError: The session cannot be reached.
    """
    if execution.ended or not execution.alive:
        return execution.complete
    # Skip the output so far, which may be gigabytes.
    after = open_spool(execution.directory).last
    with session_of(execution.session) as session:
        for message in session.attach(execution.id, after):
            if isinstance(message, CompleteMessage):
                return message
    return open_spool(execution.directory).status.complete  # it was recorded before the stream began


def stop_execution(execution: ExecutionInfo, *, kill: bool = False) -> None:
    """Interrupt an execution, or kill it.

    Returns when the interrupt was delivered, or when the killed execution has ended.

    Args:
        execution: The execution.
        kill: Kill the execution. If it is Python code, the namespace of its session is lost.

    Raises:
        ExecutionEndedError: The execution has ended.
        TargetError: The session cannot be reached.
    """
    if execution.ended or not execution.alive:
        verb = "kill" if kill else "interrupt"
        raise ExecutionEndedError(
            f"{execution.name} has ended ({execution.status}): there is nothing to {verb}"
        )
    with session_of(execution.session) as session:
        if kill:
            session.kill(execution.id).wait()
            return
        session.interrupt(execution.id)
        session.executions().wait()  # its reply follows the delivery of the interrupt; the code may continue


def close_session(session: SessionInfo, *, keep_records: bool = False) -> None:
    """End a session and everything that runs in it, and delete its records.

    Args:
        session: The session.
        keep_records: Do not delete its records.

    Raises:
        TargetError: The session cannot be reached.
    """
    if session.alive:
        try:
            with session_of(session.name) as connected:
                connected.close(forget=not keep_records).wait()
        except (TargetError, ProtocolError) as exc:
            if session.pid is None or not host_is_alive(SessionPaths(session.name)):
                raise
            way_out = f"end its process with `kill -KILL {session.pid}`, then close {session.name} again"
            raise TargetError(f"{session.name} cannot be closed: {exc}; {way_out}") from exc
    elif not keep_records:
        remove_session(SessionPaths(session.name))


def close_sessions(
    sessions: Sequence[SessionInfo], *, keep_records: bool = False
) -> dict[str, PyreplStreamError]:
    """Close several sessions, as :func:`close_session` does. One that fails does not keep the others open.

    Args:
        sessions: The sessions.
        keep_records: Do not delete their records.

    Returns:
        The errors, by the name of the session.
    """

    def close(session: SessionInfo) -> PyreplStreamError | None:
        try:
            close_session(session, keep_records=keep_records)
        except PyreplStreamError as exc:
            return exc
        return None

    # In parallel, because a host waits for its processes to end.
    with ThreadPoolExecutor(_THREADS, "close") as pool:
        errors = list(pool.map(close, sessions))
    return {session.name: error for session, error in zip(sessions, errors, strict=True) if error is not None}
