"""What ``status.json`` says of an execution: enough for a list of them, without reading the messages."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields, replace
from typing import Any, Optional

from ..errors import ProtocolError
from ..messages import CompleteMessage
from ..wire import decode, encode

__all__ = ("SpoolStatus", "STATUS_SIZE", "dump_status", "load_status", "unreadable_status")

STATUS_SIZE = 16 << 10
"""Bytes that a status has at most."""

_HEAD = 200  # characters of the code, and of the label
_ERROR = 1000  # characters of the error, of a `complete` that is too long as it is


@dataclass(frozen=True)
class SpoolStatus:
    """``status``: ``queued``, ``running``, or as in ``complete``; ``started``: seconds since the epoch.

    ``last`` and ``output`` (bytes) are what there was at ``complete``, 0 before. ``complete`` is without
    its value where that is long. ``closed``: nothing comes any more, late output neither.
    """

    execution_id: str
    epoch: str
    session: str
    digest: str
    head: str  # the line of the code that it is known by
    started: float
    status: str = "queued"
    last: int = 0
    output: int = 0
    complete: Optional[CompleteMessage] = None
    label: str = ""
    command: bool = False  # and not Python code
    closed: bool = False


_TYPES = {"str": str, "int": int, "float": (int, float), "bool": bool}


def dump_status(status: SpoolStatus) -> bytes:
    """JSON of at most :data:`STATUS_SIZE` bytes, for texts of sensible length."""
    record: dict[str, Any] = {field.name: getattr(status, field.name) for field in fields(status)}
    record["head"], record["label"] = status.head[:_HEAD], status.label[:_HEAD]
    record["complete"] = None if status.complete is None else json.loads(_short(status.complete))
    del record["closed"]  # another file says it
    return json.dumps(record, indent=1).encode("ascii") + b"\n"


def _short(complete: CompleteMessage) -> bytes:
    if complete.error is not None and len(complete.error) > _ERROR:
        complete = replace(complete, error=complete.error[:_ERROR] + "...")
    line = encode(complete)
    return line if len(line) <= STATUS_SIZE // 2 else encode(replace(complete, value=None, extra={}))


def load_status(data: bytes, *, closed: bool) -> SpoolStatus:
    """Raises :class:`ProtocolError` for what is no status; what a newer version added is ignored."""
    try:
        record = json.loads(data)
        complete = record.pop("complete")
        known = {field.name: field for field in fields(SpoolStatus)}
        values = {name: value for name, value in record.items() if name in known}
        for name, value in values.items():
            if not isinstance(value, _TYPES[str(known[name].type)]):  # type: ignore[arg-type]
                raise TypeError(f"`{name}` is {value!r}")
        values["closed"] = closed
        if complete is not None:
            complete = decode(json.dumps(complete))
            if not isinstance(complete, CompleteMessage):
                raise TypeError("`complete` is no such message")
        return SpoolStatus(complete=complete, **values)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        raise ProtocolError(f"not the status of an execution: {exc}") from exc


def unreadable_status(directory: str, session: str) -> SpoolStatus:
    """What is to be said of a record that tells nothing itself. Raises OSError when it is gone."""
    started = os.lstat(directory).st_mtime
    name = os.path.basename(directory)
    return SpoolStatus(name, "", session, "", "(its record cannot be read)", started, "lost", closed=True)
