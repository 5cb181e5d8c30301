"""The contents of ``status.json``: enough for a list of executions, without reading their messages."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields, replace
from typing import Any, Optional

from ...errors import ProtocolError
from ...fields import read_fields
from ...messages import CompleteMessage, ExecutionStatus
from ...wire import decode, encode

STATUS_SIZE = 16 << 10
"""The maximum size of a status, in bytes."""

_HEAD = 200  # maximum characters of the code, and of the label
_ERROR = 1000  # maximum characters of the error of `complete`


@dataclass(frozen=True)
class SpoolStatus:
    """The status of one execution.

    Attributes:
        execution_id: Its id.
        epoch: The id of the run: the epoch of its host, a dot, and a number.
        session: The name of its session.
        digest: The digest of its request.
        head: The line of its code by which lists identify it.
        started: Seconds since the epoch.
        status: Its status; once it has ended, the status of ``complete``.
        last: The last sequence number at ``complete``; 0 before the end.
        output: Bytes of output at ``complete``; 0 before the end.
        complete: Its `complete`, without the value if that is long; None before the end.
        label: The label of its client.
        command: True if it runs a command, not Python code.
        closed: True once nothing more can be appended, not even late output.
    """

    execution_id: str
    epoch: str
    session: str
    digest: str
    head: str
    started: float
    status: ExecutionStatus = "queued"
    last: int = 0
    output: int = 0
    complete: Optional[CompleteMessage] = None
    label: str = ""
    command: bool = False
    closed: bool = False


def dump_status(status: SpoolStatus) -> bytes:
    """Return the status as JSON of at most :data:`STATUS_SIZE` bytes."""
    record: dict[str, Any] = {field.name: getattr(status, field.name) for field in fields(status)}
    record["head"], record["label"] = status.head[:_HEAD], status.label[:_HEAD]
    record["complete"] = None if status.complete is None else json.loads(_short(status.complete))
    del record["closed"]  # the file `closed` stands for it
    return json.dumps(record).encode("ascii") + b"\n"  # an indent would switch off the encoder in C


def _short(complete: CompleteMessage) -> bytes:
    if complete.error is not None and len(complete.error) > _ERROR:
        complete = replace(complete, error=complete.error[:_ERROR] + "...")
    line = encode(complete)
    return line if len(line) <= STATUS_SIZE // 2 else encode(replace(complete, value=None, extra={}))


def load_status(data: bytes, *, closed: bool) -> SpoolStatus:
    """Return the status that ``data`` holds. Fields of a newer version are ignored.

    Args:
        data: The contents of ``status.json``.
        closed: The value of the field ``closed``, which ``data`` does not contain.

    Raises:
        ProtocolError: ``data`` is not a status.
    """
    try:
        record = json.loads(data)
        complete = record.pop("complete")
        values = read_fields(SpoolStatus, record)
        values["closed"] = closed
        if complete is not None:
            complete = decode(json.dumps(complete))
            if not isinstance(complete, CompleteMessage):
                raise TypeError("`complete` is another message")
        return SpoolStatus(complete=complete, **values)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        raise ProtocolError(f"not the status of an execution: {exc}") from exc


def unreadable_status(directory: str, session: str) -> SpoolStatus:
    """Return a status for a spool whose own status cannot be read. Raises OSError if the spool is gone."""
    started = os.lstat(directory).st_mtime
    name = os.path.basename(directory)
    return SpoolStatus(name, "", session, "", "(its record cannot be read)", started, "lost", closed=True)
