"""The executions of a session by id: those of this host, and the records of earlier hosts."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import time
import uuid
from collections.abc import Iterator
from typing import Callable, Optional

from ..engine.summary_line import summary_line
from ..errors import ProtocolError, PyreplStreamError, UnknownExecutionError, UsageError
from ..journal.disk import read_own
from ..journal.reserves import ReservePool
from ..journal.spool.reader import is_closed, read_status
from ..journal.spool.repair import mark_lost, remove_leftovers, remove_spool
from ..journal.spool.status import SpoolStatus, unreadable_status
from ..journal.spool.writer import Spool, sync_status
from ..protocol.requests import Request
from .cleanup import end_left_over, forget_session
from .execution import HostedExecution, ReadableExecution, StoredExecution
from .paths import HostOptions, SessionPaths, check_execution_id
from .worker_process import describe_failure

__all__ = ("Store",)

_LOST = "the session's host ended before the execution did; its end was not observed"


class Store:
    """The executions of a session. ``epoch`` is a new id for each host; records add a number to it.

    A closed record is read when it is needed: a session can have tens of thousands of them.

    Args:
        paths: The paths of the session. The caller holds the host's lock.
        options: The options of the session.
    """

    def __init__(self, paths: SessionPaths, options: HostOptions) -> None:
        self.epoch = uuid.uuid4().hex
        self._paths = paths
        self._options = options
        self._records = itertools.count(1)
        self._known: dict[str, Optional[ReadableExecution]] = {}  # None: the record has not been read yet
        self._old: set[str] = set()  # the records that were too old at the last call of `forget_old`
        self._unsynced: list[str] = []  # directories of records whose final status may not be on the disk
        self._directory = paths.directory
        self._disk = ReservePool(self._directory)
        remove_leftovers(self._directory)
        end_left_over(self._directory)
        with os.scandir(self._directory) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        for name in sorted(names):
            with contextlib.suppress(UsageError):  # not the id of an execution
                self._known[name] = None if is_closed(self._path(name)) else self._stored(name)

    def _stored(self, name: str) -> StoredExecution:
        directory = self._path(name)
        try:
            status = read_status(directory)
            if not status.closed:
                mark_lost(directory, _LOST)
                status = read_status(directory)
            if status.execution_id != name:
                raise ProtocolError(f"it belongs to execution {status.execution_id!r}")
            return StoredExecution(directory, status)
        except (PyreplStreamError, OSError) as exc:
            status = unreadable_status(directory, self._paths.name)
            return StoredExecution(directory, status, unreadable=str(exc))

    def _path(self, execution_id: str) -> str:
        return os.path.join(self._directory, check_execution_id(execution_id))

    def __iter__(self) -> Iterator[ReadableExecution]:
        for name in list(self._known):
            with contextlib.suppress(UnknownExecutionError):
                yield self.get(name)

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, execution_id: str) -> bool:
        return execution_id in self._known

    def get(self, execution_id: str) -> ReadableExecution:
        """Return an execution. Raises :class:`UnknownExecutionError`."""
        try:
            found = self._known[execution_id]
            if found is None:
                found = self._known[execution_id] = self._stored(execution_id)
            return found
        except (KeyError, FileNotFoundError):
            self._known.pop(execution_id, None)
            raise UnknownExecutionError(
                f"session {self._paths.name!r} has no execution {execution_id!r}, or no longer has it"
            ) from None

    def hosted(self) -> list[HostedExecution]:
        """Return the executions that this host runs, or whose records are not closed yet."""
        return [found for found in self._known.values() if isinstance(found, HostedExecution)]

    def key_of(self, execution_id: str) -> str:
        """Return the key of the request that started an execution; empty if it had none."""
        found = self.get(execution_id)
        if isinstance(found, HostedExecution):
            return found.key
        try:
            request = json.loads(read_own(os.path.join(self._path(execution_id), "request.json")))
            return str(request.get("key", ""))
        except (OSError, PyreplStreamError, ValueError, AttributeError):
            return ""

    def create(
        self, request: Request, key: str, *, make_way: Optional[Callable[[], object]] = None
    ) -> HostedExecution:
        """Return a new execution.

        Args:
            request: What to run.
            key: The key of the client's request; empty if it has none.
            make_way: Called to remove the execution that has this id, once the new record is written.

        Raises:
            PyreplStreamError: The record cannot be created. Then nothing is removed.
        """
        status = SpoolStatus(
            execution_id=request.id,
            epoch=f"{self.epoch}.{next(self._records)}",
            session=self._paths.name,
            digest=request.digest,
            head=summary_line(request.code)[:200],
            started=time.time(),
            label=request.label,
            command=request.command is not None,
        )
        try:
            directory, record = self._path(request.id), {**request.as_json(), "key": key}
            spool = Spool.create(
                directory,
                status,
                request=record,
                limit=self._options.retention,
                disk=self._disk,
                make_way=make_way,
            )
        except OSError as exc:
            raise PyreplStreamError(
                f"the record of execution {request.id} cannot be created in {self._directory}: "
                f"{describe_failure(exc)}"
            ) from exc
        execution = self._known[request.id] = HostedExecution(request, key, spool)
        return execution

    def settle(self, execution: HostedExecution) -> None:
        """Close the record of an execution that has ended, unless it is already closed or removed."""
        if self._known.get(execution.id) is execution:
            status = execution.close()
            self._unsynced.append(self._path(execution.id))
            self._known[execution.id] = StoredExecution(self._path(execution.id), status)

    def settle_all(self) -> None:
        """Close the records of all executions, which have ended; no other one begins."""
        for execution in self.hosted():
            self.settle(execution)
        self.sync()
        self._disk.clear()

    def sync(self) -> None:
        """Flush the statuses of the records that were closed since the last call to the disk."""
        for directory in self._unsynced:
            sync_status(directory, self._disk)
        self._unsynced.clear()

    def forget(self, execution_id: str) -> None:
        """Remove the record of an execution that has ended."""
        found = self._known[execution_id]
        if isinstance(found, HostedExecution):
            self.settle(found)
        del self._known[execution_id]
        remove_spool(self._path(execution_id))

    def forget_all(self) -> None:
        """Remove the session's directory of records."""
        self._known.clear()
        forget_session(self._paths)

    def forget_old(self) -> None:
        """Remove the records that were closed more than ``options.keep`` seconds ago.

        A record is removed only if it was too old at the last call as well, so that a clock that is wrong
        for less than the time between two calls removes nothing.
        """
        before = time.time() - self._options.keep
        ended = [name for name, found in self._known.items() if not isinstance(found, HostedExecution)]
        old = {name for name in ended if self._closed_at(name) < before}
        for name in old & self._old:
            self.forget(name)
        self._old = old

    def _closed_at(self, name: str) -> float:
        """Return when a record was closed, which is the last change to the names in its directory."""
        try:
            return os.lstat(self._path(name)).st_mtime
        except FileNotFoundError:
            return time.time()
