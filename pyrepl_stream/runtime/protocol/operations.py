"""The protocol between a client and a host: lines of JSON, and between them slices of spools.

The client sends operations, beginning with ``hello``. An operation has an ``op`` and, if it is answered, a
``request`` number, which the answer repeats. The ``error`` of an answer is one of the names in
:data:`ERRORS`. Messages are sent in slices: a ``slice`` line gives the number of an ``attach`` and the
number of bytes of whole lines that follow (``wire.py``). Answers are sent before slices. A connection may
be cut at any time, and every operation may be sent again.

=============  ===========================================================================================
op             fields; then the fields of the answer besides ``request`` and ``error``
=============  ===========================================================================================
``hello``      ``protocol``, ``version`` of the client; ``protocol``, ``version`` of the host, ``epoch``,
               ``session``, ``pid``, ``options`` with which the session was started
``execute``    ``execution``: a request (``requests.py``); ``epoch`` of the host that was asked first;
               ``fresh``: remove the ended execution with this id (refused with ``execution_exists`` while
               it is queued or running), unless it was started by an operation with this ``key``;
               ``key``: chosen by the client for ``fresh``, so that it has an effect only once.
               ``epoch`` (of the execution), ``new``: false if the execution existed, ``status``,
               ``behind``: the id of the execution that must end before this one begins, or null
``attach``     ``attach`` (a number that the client chooses), ``id``, ``after``, ``follow``, ``epoch``
               (null for any), ``credit`` (bytes; null for any number); ``epoch``, ``last``, ``status``,
               ``asked``: the sequence number of the question that waits for an answer, or null;
               ``behind`` as above
``credit``     ``attach``, ``bytes``: further bytes that may be sent; no answer
``detach``     ``attach``; no answer
``wait``       ``id``, ``epoch``, ``status`` and ``asked`` as the client knows them, or null; answered when
               the status changes or a question is asked: ``epoch``, ``status``, ``asked``, ``behind``
``interrupt``  ``id``, ``key``: chosen by the client; an operation with the same key has no second effect
``kill``       like ``interrupt``
``input``      ``id``, ``sequence`` of the question, ``text`` (null for the end of input)
``control``    ``id``, ``key``, ``do`` and further fields as in ``FrameType.CONTROL``; ``pid``
``list``       ``ended`` (false to leave out those of which nothing runs); ``executions``: objects as
               returned by :func:`summary`
``close``      end the session; ``forget``: remove its records too
``ping``       no fields
=============  ===========================================================================================

The host also sends lines that are not answers: ``{"type": "slice", "attach", "bytes"}``; ``{"type": "end",
"attach", "reason"}`` after the last slice, with the reason ``complete``, ``closed``, or ``lost`` if the
execution's host ended first; ``{"type": "closed"}`` when the session is closed, after which the host reads
no more operations. A new execution that is refused with ``session_closed`` before that line may be sent to
the next host.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import make_dataclass
from typing import Any, Optional

from .. import errors
from ..fields import from_record
from ..journal.spool.status import SpoolStatus

__all__ = (
    "PROTOCOL",
    "TURN",
    "MAX_OP",
    "MAX_ANSWER",
    "ERRORS",
    "check_answer",
    "error_name",
    "line",
    "parse",
    "summary",
)

PROTOCOL = 1  # the version of the protocol; it rises for a new meaning, not for new fields or operations
TURN = 256 << 10  # maximum bytes of a slice; the next slice may belong to another `attach`
MAX_OP = 64 << 20  # maximum bytes of an operation, which has to hold code or input
MAX_ANSWER = 16 << 20  # maximum bytes of a line of the host; `list` sends about 300 for each execution

# Subclasses come before their base classes.
ERRORS: Mapping[str, type[errors.PyreplStreamError]] = {
    "wrong_epoch": errors.StaleEpochError,
    "beyond_the_end": errors.CursorError,
    "unknown_execution": errors.UnknownExecutionError,
    "execution_exists": errors.ExecutionExistsError,
    "ended": errors.ExecutionEndedError,
    "session_closed": errors.SessionClosedError,
    "usage": errors.UsageError,
    "protocol": errors.ProtocolError,
    "failed": errors.PyreplStreamError,
}


def error_name(error: errors.PyreplStreamError) -> str:
    """Return the name of an error in an answer; its text is in the field ``message``."""
    return next(name for name, kind in ERRORS.items() if isinstance(error, kind))


def line(record: Mapping[str, Any]) -> bytes:
    """Return a record as a line."""
    return json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"


def parse(data: bytes) -> dict[str, Any]:
    """Return the record of a line. Raises :class:`ProtocolError` for an invalid line."""
    try:
        record = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise errors.ProtocolError(f"a line is not JSON: {data[:80]!r}") from exc
    if not isinstance(record, dict):
        raise errors.ProtocolError(f"a line is not a JSON object: {data[:80]!r}")
    return record


_BEHIND = ("behind", Optional[str], None)
_SUMMARY = make_dataclass("_SUMMARY", [("id", str), ("status", str)])
_ANSWERS: Mapping[str, type] = {
    "hello": make_dataclass("hello", [("epoch", str)]),
    "execute": make_dataclass("execute", [("epoch", str), ("new", bool), ("status", str, ""), _BEHIND]),
    "attach": make_dataclass(
        "attach", [("epoch", str), ("last", int), ("status", str), ("asked", Optional[int], None), _BEHIND]
    ),
    "wait": make_dataclass("wait", [("epoch", str), ("status", str), ("asked", Optional[int]), _BEHIND]),
    "list": make_dataclass("list", [("executions", tuple[_SUMMARY, ...])]),  # type: ignore[valid-type]
}
"""The fields of an answer that clients rely on, by operation: the name, the type, and the default if any."""


def check_answer(op: str, record: Mapping[str, Any]) -> None:
    """Check the fields of an answer to the operation ``op`` that is not an error.

    Raises:
        ProtocolError: A field is missing or has the wrong type.
    """
    if op in _ANSWERS:
        try:
            from_record(_ANSWERS[op], record)
        except TypeError as exc:
            raise errors.ProtocolError(f"the answer to `{op}` is not valid: {exc}") from exc


def summary(status: SpoolStatus, *, asked: Optional[int] = None) -> dict[str, Any]:
    """Return the description of an execution that the operation `list` sends.

    Args:
        status: The status of the execution.
        asked: The sequence number of the question that waits for an answer, or None.

    Returns:
        A JSON object; ``code`` is one line of the code, ``started`` is in seconds since the Unix epoch.
    """
    end = {name: getattr(status.complete, name, None) for name in ("duration", "exit_code", "error")}
    return {
        "id": status.execution_id,
        "epoch": status.epoch,
        "status": status.status,
        "code": status.head,
        "command": status.command,
        "label": status.label,
        "started": status.started,
        "last": status.last,
        "asked": asked,
        "closed": status.closed,
        **end,
    }
