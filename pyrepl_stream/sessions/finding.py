"""The sessions of this machine and what runs in them, found without starting anything."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Container, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from difflib import get_close_matches

from ..errors import ProtocolError, PyreplStreamError, UnknownExecutionError, UsageError
from ..host import launch, protocol
from ..host.options import load_options
from ..host.places import SessionPlace, check_execution_id, sessions_directory
from ..journal.spool import open_spool
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
_AT_ONCE = 16  # sessions that are looked at
_MOST = 6  # names in an error


@dataclass(frozen=True)
class ExecutionInfo:
    """One execution as its record has it; ``started`` in seconds since the epoch.

    ``status`` is ``queued``, ``running``, or how it ended; ``lost`` where nobody saw the end, or the record
    cannot be read: then, as before the end, ``complete`` may be None. ``head`` is the line of its
    code that it is known by, ``directory`` where the record is; ``alive`` says whether its session has a
    host. ``asks``: it waits for a line of input, which who attaches can give.
    """

    session: str
    id: str
    status: str
    started: float
    complete: CompleteMessage | None
    head: str
    directory: str
    alive: bool
    asks: bool = False

    @property
    def name(self) -> str:
        """The id with its session: unambiguous."""
        return f"{self.session}/{self.id}"

    @property
    def ended(self) -> bool:
        return self.status not in ("queued", "running")


@dataclass(frozen=True)
class SessionInfo:
    """One session, the oldest execution first.

    ``alive`` says whether it has a host, ``pid`` is the host's process, and ``answers`` says whether it did
    when it was asked.
    """

    name: str
    alive: bool
    pid: int | None
    answers: bool
    executions: tuple[ExecutionInfo, ...]


# -- what is there -------------------------------------------------------------------------------


def list_sessions() -> list[SessionInfo]:
    """The sessions that have a host or records, by name. Raises :class:`UnsafePathError`."""
    records = sessions_directory(make=False)
    keys = os.listdir(records) if os.path.isdir(records) else []
    directories = [os.path.join(records, key) for key in keys if _KEY.fullmatch(key)]
    # Hosts that do not answer are waited for at the same time.
    with ThreadPoolExecutor(_AT_ONCE, "sessions") as pool:
        found = list(pool.map(_session, directories))
    return sorted((session for session in found if session is not None), key=lambda session: session.name)


def _session(directory: str) -> SessionInfo | None:
    """None for what has no name: it was no session's, or is just being removed."""
    name = _name(directory)
    if name is None:
        return None
    place = SessionPlace(name)
    alive = launch.host_lives(place)  # first: what ends meanwhile has ended, and is not taken for lost
    asking = _asking(place) if alive else None
    executions = sorted(
        _executions(name, directory, alive, asking or ()), key=lambda found: (found.started, found.id)
    )
    return SessionInfo(
        name=name,
        alive=alive,
        pid=launch.host_pid(place) if alive else None,
        answers=asking is not None,
        executions=tuple(executions),
    )


def _name(directory: str) -> str | None:
    options = load_options(directory)
    if options is not None:
        return options.name
    for path in _directories(directory):
        try:
            return open_spool(path).status.session
        except (OSError, PyreplStreamError):
            continue
    return None


def _asking(place: SessionPlace) -> set[str] | None:
    """Which executions wait for input, as the host says; None where it does not answer."""
    hello = {"op": "hello", "request": 1, "protocol": protocol.PROTOCOL, "version": ""}
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_PATIENCE)
            connection.connect(place.socket)
            if not launch.peer_is_ours(connection):
                return None
            connection.sendall(protocol.line(hello) + protocol.line({"op": "list", "request": 2}))
            with connection.makefile("rb") as file:
                protocol.parse(file.readline(protocol.MAX_OP))
                answer = protocol.parse(file.readline(protocol.MAX_OP))
        return {str(found["id"]) for found in answer["executions"] if found["asked"] is not None}
    except (OSError, ProtocolError, LookupError, TypeError):
        return None


def _directories(directory: str) -> Iterator[str]:
    """Where records are, readable or not."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return
    for name in names:
        path = os.path.join(directory, name)
        try:
            check_execution_id(name)
        except UsageError:
            continue  # none of ours, or not there yet, or not any more
        if os.path.isdir(path):
            yield path


def _executions(
    session: str, directory: str, alive: bool, asking: Container[str]
) -> Iterator[ExecutionInfo]:
    for path in _directories(directory):
        try:
            yield _execution(session, path, alive, asking)
        except FileNotFoundError:
            pass  # it has been removed meanwhile


def _execution(session: str, directory: str, alive: bool, asking: Container[str]) -> ExecutionInfo:
    try:
        status = open_spool(directory).status
    except (OSError, PyreplStreamError):
        return ExecutionInfo(
            session=session,
            id=os.path.basename(directory),
            status="lost",
            started=os.stat(directory).st_mtime,
            complete=None,
            head="",
            directory=directory,
            alive=alive,
        )
    complete = status.complete
    known = status.status if alive else "lost"
    return ExecutionInfo(
        session=session,
        id=status.execution_id,
        status=known if complete is None else complete.status,
        started=status.started,
        complete=complete,
        head=status.head,
        directory=directory,
        alive=alive,
        asks=complete is None and status.execution_id in asking,
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
    sessions = list_sessions() if sessions is None else list(sessions)
    if slash:
        session = session or "default"
        if session not in {candidate.name for candidate in sessions}:
            hint = _hint(session, [candidate.name for candidate in sessions])
            raise UnknownExecutionError(f"there is no session {session!r}{hint}")
        sessions = [candidate for candidate in sessions if candidate.name == session]
    known = [execution for candidate in sessions for execution in candidate.executions]
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
