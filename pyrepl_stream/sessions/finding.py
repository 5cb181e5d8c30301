"""The sessions of this machine and what runs in them, found without starting anything."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from ..errors import ProtocolError, UnknownExecutionError, UsageError
from ..host import launch, protocol
from ..host.places import runtime_directory, sessions_directory
from ..journal.spool import SpoolStatus, open_spool
from ..messages import CompleteMessage

__all__ = (
    "ExecutionInfo",
    "SessionInfo",
    "find_execution",
    "find_session",
    "list_sessions",
)

_KEY = re.compile(r"[0-9a-f]{16}")
_PATIENCE = 2.0  # seconds that a host may take to say who it is
_MOST = 6  # names in an error


@dataclass(frozen=True)
class ExecutionInfo:
    """One execution as its record has it; ``started`` in seconds since the epoch.

    ``status`` is ``queued``, ``running``, or how it ended; ``lost`` where nobody saw the end: then, as
    before the end, ``complete`` may be None. ``head`` is the first line of its code, ``directory`` where
    the record is, and ``alive`` says whether its session has a host.
    """

    session: str
    id: str
    status: str
    started: float
    complete: CompleteMessage | None
    head: str
    directory: str
    alive: bool

    @property
    def name(self) -> str:
        """The id with its session: unambiguous."""
        return f"{self.session}/{self.id}"

    @property
    def ended(self) -> bool:
        return self.status not in ("queued", "running")


@dataclass(frozen=True)
class SessionInfo:
    """One session; ``pid`` is that of its host, None where it has none. Its oldest execution is first."""

    name: str
    pid: int | None
    executions: tuple[ExecutionInfo, ...]

    @property
    def alive(self) -> bool:
        return self.pid is not None


# -- what is there -------------------------------------------------------------------------------


def list_sessions() -> list[SessionInfo]:
    """The sessions that have a host or records, by name. Raises :class:`UnsafePathError`."""
    sockets, records = runtime_directory(), sessions_directory()
    keys = {name for name in os.listdir(records) if _KEY.fullmatch(name)}
    keys |= {name[:16] for name in os.listdir(sockets) if re.fullmatch(r"[0-9a-f]{16}\.socket", name)}
    found = [_session(os.path.join(sockets, f"{key}.socket"), os.path.join(records, key)) for key in keys]
    return sorted((session for session in found if session is not None), key=lambda session: session.name)


def _session(path: str, directory: str) -> SessionInfo | None:
    """None for what has neither a host nor an execution."""
    hello = _hello(path)  # first: what ends meanwhile is seen to have ended, and not taken for lost
    statuses = list(_statuses(directory))
    if hello is None and not statuses:
        return None
    name = str(hello["session"]) if hello is not None else statuses[0][1].session
    executions = [_execution(name, place, status, hello is not None) for place, status in statuses]
    executions.sort(key=lambda execution: (execution.started, execution.id))
    return SessionInfo(name, None if hello is None else int(hello["pid"]), tuple(executions))


def _hello(path: str) -> dict[str, Any] | None:
    """What the host that listens there says of itself; None where there is none that answers."""
    said = {"op": "hello", "request": 1, "protocol": protocol.PROTOCOL, "version": ""}
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_PATIENCE)
            connection.connect(path)
            if not launch.peer_is_ours(connection):
                return None
            connection.sendall(protocol.line(said))
            with connection.makefile("rb") as file:
                answer = protocol.parse(file.readline(protocol.MAX_OP))
    except (OSError, ProtocolError):
        return None
    return answer if "session" in answer and "pid" in answer else None


def _statuses(directory: str) -> Iterator[tuple[str, SpoolStatus]]:
    """The executions whose records can be read, with where they are."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return
    for name in names:
        place = os.path.join(directory, name)
        # It may be removed while we look at it, or may be none of ours.
        with contextlib.suppress(OSError, ProtocolError, UnknownExecutionError):
            if not name.startswith(".") and os.path.isdir(place):
                yield place, open_spool(place).status


def _execution(session: str, directory: str, status: SpoolStatus, alive: bool) -> ExecutionInfo:
    complete = status.complete
    known = status.status
    if complete is None and not alive:
        known = "lost"
    return ExecutionInfo(
        session=session,
        id=status.execution_id,
        status=known if complete is None else complete.status,
        started=status.started,
        complete=complete,
        head=status.head,
        directory=directory,
        alive=alive,
    )


# -- finding -------------------------------------------------------------------------------------


def find_session(name: str, sessions: Iterable[SessionInfo] | None = None) -> SessionInfo:
    """The session of that name, which may be an address (``local:NAME``). Raises :class:`UsageError`."""
    known = {session.name: session for session in (list_sessions() if sessions is None else sessions)}
    if name.startswith("local:"):
        name = name.removeprefix("local:") or "default"
    if name not in known:
        raise UsageError(f"there is no session {name!r}{_hint(name, known)}")
    return known[name]


def find_execution(word: str, sessions: Iterable[SessionInfo] | None = None) -> ExecutionInfo:
    """The execution that ``word`` means: an id or ``SESSION/ID``; a beginning does if it is only one's.

    Raises :class:`UnknownExecutionError` for none, and :class:`UsageError` for several.
    """
    session, slash, wanted = word.removeprefix("local:").rpartition("/")
    known = [
        execution
        for candidate in (list_sessions() if sessions is None else sessions)
        for execution in candidate.executions
        if candidate.name == (session or "default") or not slash
    ]
    found = [execution for execution in known if execution.id == wanted]
    found = found or [execution for execution in known if wanted and execution.id.startswith(wanted)]
    if not found:
        hint = _hint(wanted, [execution.id for execution in known])
        raise UnknownExecutionError(f"there is no execution {word!r}{hint}")
    if len(found) > 1:
        names = ", ".join(execution.name for execution in found[:_MOST])
        more = f" and {len(found) - _MOST} more" if len(found) > _MOST else ""
        raise UsageError(f"{word!r} could be {names}{more}: write more of it, or SESSION/ID")
    return found[0]


def _hint(word: str, known: Iterable[str]) -> str:
    """The end of an error about a name: the nearest one, or what there is."""
    names = sorted(set(known))
    near = get_close_matches(word, names, 1)
    if near:
        return f"; did you mean {near[0]}?"
    if not names:
        return ": there are none"
    more = ", ..." if len(names) > _MOST else ""
    return f"; there are {', '.join(names[:_MOST])}{more}"
