"""All executions that a session knows, by id: those of this host, and the records of earlier ones."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator
from typing import Union

from ..engine.heading import head_of
from ..errors import ProtocolError, PyreplStreamError, UnknownExecutionError, UsageError
from ..journal.disk import read_own
from ..journal.spool import (
    Spool,
    SpoolStatus,
    mark_lost,
    open_spool,
    remove_leftovers,
    remove_spool,
    unreadable_status,
)
from ..worker.requests import Request
from .options import HostOptions
from .places import SessionPlace, check_execution_id
from .record import Execution, StoredExecution, UnreadableExecution
from .removal import end_left_over, forget_session
from .worker_process import describe_failure

__all__ = ("Store",)

_LOST = "the session's host ended before the execution did: its end was not seen"


class Store:
    """``epoch`` is new with each host."""

    def __init__(self, place: SessionPlace, options: HostOptions) -> None:
        self.epoch = uuid.uuid4().hex
        self._place = place
        self._options = options
        self._known: dict[str, Union[Execution, StoredExecution]] = {}
        self._directory = place.directory
        remove_leftovers(self._directory)
        end_left_over(self._directory)
        with os.scandir(self._directory) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        for name in sorted(names):
            self._load(name)

    def _load(self, name: str) -> None:
        try:
            directory = self._path(name)
        except UsageError:
            return  # no execution can have it
        try:
            status = open_spool(directory).status
            if not status.closed:
                mark_lost(directory, _LOST)
                status = open_spool(directory).status
            if status.execution_id != name:
                raise ProtocolError(f"it is that of {status.execution_id!r}")
            self._known[name] = StoredExecution(directory, status)
        except (PyreplStreamError, OSError) as exc:
            status = unreadable_status(directory, self._place.name)
            self._known[name] = UnreadableExecution(directory, status, str(exc))

    def _path(self, execution_id: str) -> str:
        return os.path.join(self._directory, check_execution_id(execution_id))

    def __iter__(self) -> Iterator[Union[Execution, StoredExecution]]:
        return iter(list(self._known.values()))

    def __contains__(self, execution_id: str) -> bool:
        return execution_id in self._known

    def get(self, execution_id: str) -> Union[Execution, StoredExecution]:
        """Raises :class:`UnknownExecutionError`."""
        try:
            return self._known[execution_id]
        except KeyError:
            raise UnknownExecutionError(
                f"session {self._place.name!r} has no execution {execution_id!r} (or no longer)"
            ) from None

    def key_of(self, execution_id: str) -> str:
        """The key that the client gave its request; empty where it gave none."""
        found = self.get(execution_id)
        if isinstance(found, Execution):
            return found.key
        try:
            request = json.loads(read_own(os.path.join(self._path(execution_id), "request.json")))
            return str(request.get("key", ""))
        except (OSError, PyreplStreamError, ValueError, AttributeError):
            return ""

    def create(self, request: Request, key: str) -> Execution:
        """A new execution. Raises :class:`PyreplStreamError` when its record cannot be made."""
        status = SpoolStatus(
            execution_id=request.id,
            epoch=self.epoch,
            session=self._place.name,
            digest=request.digest,
            head=head_of(request.code)[:200],
            started=time.time(),
            label=request.label,
            command=request.command is not None,
        )
        try:
            spool = Spool.create(
                self._path(request.id),
                status,
                request={**request.as_json(), "key": key},
                limit=self._options.retention,
            )
        except OSError as exc:
            raise PyreplStreamError(
                f"the record of {request.id} cannot be made in {self._directory}: {describe_failure(exc)}"
            ) from exc
        execution = self._known[request.id] = Execution(request, key, spool)
        return execution

    def ended(self, execution: Execution) -> None:
        """Nothing comes from it any more: it is what its record says."""
        status = execution.close()
        self._known[execution.id] = StoredExecution(self._path(execution.id), status)

    def forget(self, execution_id: str) -> None:
        """Remove the record of one that has ended."""
        del self._known[execution_id]
        remove_spool(self._path(execution_id))

    def forget_all(self) -> None:
        """The session, with all that there is of it."""
        self._known.clear()
        forget_session(self._place)

    def forget_old(self) -> None:
        """Remove the records that have been kept long enough."""
        before = time.time() - self._options.keep
        for found in self:
            if isinstance(found, StoredExecution) and _end_of(found.status) < before:
                self.forget(found.id)


def _end_of(status: SpoolStatus) -> float:
    return status.started if status.complete is None else status.complete.timestamp
