"""What can be done to what was found: read its record, wait for it, end it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..errors import EndedError, ProtocolError, TargetError
from ..host.launch import host_lives
from ..host.places import SessionPlace
from ..host.removal import remove_session
from ..journal.spool import open_spool
from ..messages import CompleteMessage, Message
from ..wire import Decoder
from .finding import ExecutionInfo, SessionInfo

if TYPE_CHECKING:
    from ..client import RemoteSession

__all__ = ("close_session", "read_record", "session_of", "stop_execution", "wait_for_end")


@contextlib.contextmanager
def session_of(name: str) -> Iterator[RemoteSession]:
    """The session of that name, connected when it is used; one that was closed meanwhile stays so."""
    from ..targets import connect  # here: to list what there is needs none of it

    session = connect(f"local:{name}")
    try:
        yield session
    finally:
        session.disconnect().wait()


def read_record(execution: ExecutionInfo, after: int = 0) -> Iterator[list[Message]]:
    """What is recorded behind sequence number ``after``, as it is now; needs no host.

    Raises :class:`UnknownExecutionError` when it is gone, :class:`CursorError` for an ``after`` that
    cannot be.
    """
    reader = open_spool(execution.directory).reader(after, follow=True)
    decoder = Decoder()
    try:
        while data := reader.read():
            yield list(decoder.feed(data))
    finally:
        reader.close()


def wait_for_end(execution: ExecutionInfo) -> CompleteMessage | None:
    """Wait until it has ended, without its output; None when nobody saw the end.

    Raises :class:`TargetError` when its session cannot be reached.
    """
    if execution.ended or not execution.alive:
        return execution.complete
    # The output so far may be gigabytes.
    after = open_spool(execution.directory).last
    with session_of(execution.session) as session:
        for message in session.attach(execution.id, after):
            if isinstance(message, CompleteMessage):
                return message
    return open_spool(execution.directory).status.complete  # it came before `after`


def stop_execution(execution: ExecutionInfo, *, kill: bool = False) -> None:
    """Interrupt it, or end it by every means; returns when it was interrupted, or has ended.

    Raises :class:`EndedError` when it has ended, :class:`TargetError` when its session cannot be reached.
    """
    if execution.ended or not execution.alive:
        verb = "kill" if kill else "interrupt"
        raise EndedError(f"{execution.name} has ended ({execution.status}): there is nothing to {verb}")
    with session_of(execution.session) as session:
        if kill:
            session.kill(execution.id).wait()
            return
        session.interrupt(execution.id)
        session.executions_sync()  # what was asked for before has been done; the code may go on


def close_session(session: SessionInfo, *, keep_records: bool = False) -> None:
    """End a session with all that runs in it, and remove its records. Raises :class:`TargetError`."""
    if session.alive:
        try:
            with session_of(session.name) as connected:
                connected.close(forget=not keep_records).wait()
        except (TargetError, ProtocolError) as exc:
            if session.pid is None or not host_lives(SessionPlace(session.name)):
                raise
            way_out = f"end its process with `kill -KILL {session.pid}`, then close {session.name} again"
            raise TargetError(f"{session.name} cannot be closed: {exc}; {way_out}") from exc
    elif not keep_records:
        remove_session(SessionPlace(session.name))
