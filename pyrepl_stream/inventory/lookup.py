"""Finds the sessions and executions of this machine, without starting anything."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Container, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property

from ..runtime.errors import ProtocolError, PyreplStreamError, UnknownExecutionError, UsageError
from ..runtime.host import launch
from ..runtime.host.paths import SessionPaths, load_options, sessions_directory
from ..runtime.journal.spool.reader import is_closed, read_status
from ..runtime.journal.spool.status import unreadable_status
from ..runtime.messages import CompleteMessage
from ..runtime.protocol import operations
from ..runtime.validation import is_identifier, listed, suggest

__all__ = ("ExecutionInfo", "SessionInfo", "find_execution", "find_session", "list_sessions")

_KEY = re.compile(r"[0-9a-f]{16}")
_TIMEOUT = 2.0  # seconds to wait for the reply of a host
_THREADS = 16  # maximum number of sessions that are examined at the same time
_MAX_NAMES = 6  # maximum number of names in an error message


@dataclass(frozen=True)
class ExecutionInfo:
    """One execution, as its record describes it.

    Attributes:
        session: The name of its session.
        id: Its id.
        status: ``queued``, ``running``, the status at its end, or ``lost``: the session ended before the
            execution did, or the record cannot be read.
        started: Its start in seconds since the epoch.
        complete: Its last message; None if it has not ended or is lost.
        head: A line of its code, for lists.
        directory: The directory of its record.
        alive: True if its session has a host.
        asks: True if it waits for a line of input, which any client can send.
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
        """The id with the name of the session, ``SESSION/ID``."""
        return f"{self.session}/{self.id}"

    @property
    def ended(self) -> bool:
        """True when it neither runs nor waits to run."""
        return self.status not in ("queued", "running")


@dataclass(frozen=True)
class SessionInfo:
    """One session. The records of its executions are read when they are asked for.

    Attributes:
        name: Its name.
        alive: True if it has a host.
        pid: The process id of the host, if it is known.
        answers: True if the host has replied.
    """

    name: str
    alive: bool
    pid: int | None
    answers: bool
    _directory: str = field(repr=False)
    _asking: Container[str] = field(repr=False)

    @cached_property
    def executions(self) -> tuple[ExecutionInfo, ...]:
        """Its executions, the oldest first."""
        return self._read(self.ids)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The ids of its executions, in no particular order. Reads no record."""
        return tuple(_ids(self._directory))

    def newest(self, count: int) -> tuple[ExecutionInfo, ...]:
        """Return the executions that ended last, the oldest first, and all that have not ended.

        Reads no other records.

        Args:
            count: The maximum number of those that have ended.
        """
        ended = sorted((changed, name) for name in self.ids if (changed := self._ended(name)) is not None)
        left_out = {name for _, name in ended[: max(0, len(ended) - count)]}
        return self._read(name for name in self.ids if name not in left_out)

    def execution(self, execution_id: str) -> ExecutionInfo | None:
        """Return the execution with this id, or None if there is no such execution."""
        return next(iter(self._read([execution_id])), None)

    def _ended(self, execution_id: str) -> float | None:
        """Return when the record was closed, or None if it is not closed. Does not read it."""
        path = os.path.join(self._directory, execution_id)
        with contextlib.suppress(FileNotFoundError):
            return os.lstat(path).st_mtime if is_closed(path) else None
        return None

    def _read(self, ids: Iterable[str]) -> tuple[ExecutionInfo, ...]:
        found = filter(None, (self._info(execution_id) for execution_id in ids))
        return tuple(sorted(found, key=lambda execution: (execution.started, execution.id)))

    def _info(self, execution_id: str) -> ExecutionInfo | None:
        path = os.path.join(self._directory, execution_id)
        try:
            status = read_status(path)
        except (OSError, PyreplStreamError):
            try:
                status = unreadable_status(path, self.name)
            except FileNotFoundError:
                return None  # it has just been removed
        complete = status.complete
        known = status.status if self.alive else "lost"
        return ExecutionInfo(
            session=self.name,
            id=execution_id,
            status=known if complete is None else complete.status,
            started=status.started,
            complete=complete,
            head=status.head,
            directory=path,
            alive=self.alive,
            asks=complete is None and execution_id in self._asking,
        )


# -- listing -------------------------------------------------------------------------------------


def list_sessions() -> list[SessionInfo]:
    """Return the sessions that have a host or records, ordered by name.

    Raises:
        InsecurePathError: Another user could have written to the state directory.
    """
    records = sessions_directory(make=False)
    keys = os.listdir(records) if os.path.isdir(records) else []
    directories = [os.path.join(records, key) for key in keys if _KEY.fullmatch(key)]
    # In parallel, because a host that hangs takes the whole timeout.
    with ThreadPoolExecutor(_THREADS, "sessions") as pool:
        found = list(pool.map(_session, directories))
    return sorted((session for session in found if session is not None), key=lambda session: session.name)


def _session(directory: str) -> SessionInfo | None:
    """Return the session of a directory, or None if the directory has no session or is being removed."""
    name = _name(directory)
    if name is None:
        return None
    place = SessionPaths(name)
    alive = launch.host_is_alive(place)  # checked first: one that ends meanwhile must not appear as lost
    asking = _asking(place) if alive else None
    return SessionInfo(
        name=name,
        alive=alive,
        pid=launch.host_pid(place) if alive else None,
        answers=asking is not None,
        _directory=directory,
        _asking=asking or (),
    )


def _name(directory: str) -> str | None:
    options = load_options(directory)
    if options is not None:
        return options.name
    for execution_id in _ids(directory):
        try:
            return read_status(os.path.join(directory, execution_id)).session
        except (OSError, PyreplStreamError):
            continue
    return None


def _asking(place: SessionPaths) -> set[str] | None:
    """Return the ids of executions that wait for input, or None when the host does not reply."""
    hello = {"op": "hello", "request": 1, "protocol": operations.PROTOCOL, "version": ""}
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_TIMEOUT)
            connection.connect(place.socket)
            if not launch.peer_is_ours(connection):
                return None
            question = {"op": "list", "request": 2, "ended": False}
            connection.sendall(operations.line(hello) + operations.line(question))
            with connection.makefile("rb") as file:
                operations.parse(file.readline(operations.MAX_OP))
                answer = operations.parse(file.readline(operations.MAX_OP))
        return {str(found["id"]) for found in answer["executions"] if found["asked"] is not None}
    except (OSError, ProtocolError, LookupError, TypeError):
        return None


def _ids(directory: str) -> list[str]:
    """Return the ids of the records, readable or not."""
    try:
        with os.scandir(directory) as entries:
            # Directories with other names are being created or removed.
            return [entry.name for entry in entries if is_identifier(entry.name) and entry.is_dir()]
    except FileNotFoundError:
        return []


# -- finding -------------------------------------------------------------------------------------


def find_session(name: str, sessions: Iterable[SessionInfo] | None = None) -> SessionInfo:
    """Return the session with this name, or with this address, such as ``local:NAME``.

    Args:
        name: The name or the address.
        sessions: The sessions to search, by default all of this machine.

    Raises:
        UsageError: There is no such session.
    """
    known = {session.name: session for session in (list_sessions() if sessions is None else sessions)}
    if name.startswith("local:"):
        name = name.removeprefix("local:") or "default"
    if name not in known:
        raise UsageError(f"there is no session {name!r}; {suggest(name, known)}")
    return known[name]


def find_execution(name: str, sessions: Iterable[SessionInfo] | None = None) -> ExecutionInfo:
    """Return the execution with this id.

    Args:
        name: The id or ``SESSION/ID``. An unambiguous beginning of the id is enough.
        sessions: The sessions to search, by default all of this machine.

    Raises:
        UnknownExecutionError: There is no such execution.
        UsageError: Several executions have this id, or ids that begin with it.
    """
    session, slash, wanted = name.removeprefix("local:").rpartition("/")
    sessions = list_sessions() if sessions is None else sessions
    if slash:
        try:
            sessions = [find_session(session or "default", sessions)]
        except UsageError as exc:
            raise UnknownExecutionError(str(exc)) from None
    known = [(candidate, execution_id) for candidate in sessions for execution_id in candidate.ids]
    matches = [one for one in known if one[1] == wanted]
    matches = matches or [one for one in known if wanted and one[1].startswith(wanted)]
    if len(matches) > 1:
        names = listed(sorted(f"{candidate.name}/{one}" for candidate, one in matches), _MAX_NAMES)
        raise UsageError(f"{name!r} is ambiguous: {names}; give more of the id, or SESSION/ID")
    found = matches[0][0].execution(matches[0][1]) if matches else None
    if found is None:
        hint = suggest(wanted, [execution_id for _, execution_id in known], most=_MAX_NAMES)
        raise UnknownExecutionError(f"there is no execution {name!r}; {hint}")
    return found
