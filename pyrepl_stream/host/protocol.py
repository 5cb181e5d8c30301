"""What a client and a host say to each other: lines of JSON, and between them slices of spools.

The client speaks first, with ``hello``. Its lines have ``op`` and, where an answer is expected, a
``request`` number that the answer repeats; ``error`` in an answer names one of :data:`ERRORS`. Messages
come in slices: a ``slice`` line says for which ``attach`` and how many bytes of whole lines follow
(``wire.py``). Answers go ahead of slices. Every connection may be cut at any moment, and every op may
be sent again.

=============  ===========================================================================================
op             fields; what the answer has besides ``request`` and ``error``
=============  ===========================================================================================
``hello``      ``protocol``, ``version``; ``protocol``, ``version``, ``epoch``, ``session``, ``pid``, and
               ``options``: with what the session was started
``execute``    a request as ``worker/requests.py`` has it, in ``execution``; ``epoch``: that of the host
               when this was asked for first; ``fresh``: end and forget what has this id now, unless it
               was started by this ``key``, which the client chose (asked again after a cut).
               ``key``: chosen by the client for ``fresh``, so that it happens once.
               ``epoch`` (of the execution), ``new``: false where it was there already, ``status``,
               ``behind``: the id of the execution that has to end before this one begins, or null
``attach``     ``attach`` (a number of the client's), ``id``, ``after``, ``follow``, ``epoch`` (null: any),
               ``credit`` (bytes; null: any number); ``epoch``, ``last``, ``status``, ``asked``: the
               sequence of the question that waits for an answer, or null; ``behind`` as above
``credit``     ``attach``, ``bytes`` more that may be sent; no answer
``detach``     ``attach``; no answer
``wait``       ``id``, ``epoch``, ``status`` and ``asked`` (as far as they are known, or null); answered when
               there is another status, or question: ``epoch``, ``status``, ``asked``
``interrupt``  ``id``, ``key``: chosen by the client, the same key is obeyed once
``kill``       the same
``input``      ``id``, ``sequence`` of the question, ``text`` (null: end of input)
``control``    ``id``, ``key``, ``do`` and more as ``FrameType.CONTROL``; ``pid``
``list``       ``executions``: objects as :func:`summary` describes
``close``      end the session; ``forget``: its records too
``ping``       nothing; nothing
=============  ===========================================================================================

Lines of the host that answer nothing: ``{"type": "slice", "attach", "bytes"}``; ``{"type": "end",
"attach", "reason"}``: no slice comes any more (``complete``, ``closed``, or ``lost`` with the host);
``{"type": "closed"}``: the session was closed, and what is asked from now on is not heard. What is new
and is refused with ``session_closed`` before that can be asked of the next host.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Optional

from ..errors import (
    CursorError,
    EndedError,
    ExecutionExistsError,
    ProtocolError,
    PyreplStreamError,
    SessionClosedError,
    UnknownExecutionError,
    UsageError,
    WrongEpochError,
)
from ..journal.spool import SpoolStatus

__all__ = ("PROTOCOL", "TURN", "MAX_OP", "ERRORS", "error_name", "line", "parse", "summary")

PROTOCOL = 1
"""Raised when what is here changes its meaning; more fields and ops do not."""

TURN = 256 << 10
"""Bytes that one attach sends until it is another's turn."""

MAX_OP = 64 << 20
"""Longest line of a client in bytes: code, or input, has to fit."""


# The more special ones first.
ERRORS: Mapping[str, type[PyreplStreamError]] = {
    "wrong_epoch": WrongEpochError,
    "beyond_the_end": CursorError,
    "unknown_execution": UnknownExecutionError,
    "execution_exists": ExecutionExistsError,
    "ended": EndedError,
    "session_closed": SessionClosedError,
    "usage": UsageError,
    "protocol": ProtocolError,
    "failed": PyreplStreamError,
}


def error_name(error: PyreplStreamError) -> str:
    """The name under which an error travels; its text goes in ``message``."""
    return next(name for name, kind in ERRORS.items() if isinstance(error, kind))


def line(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"


def parse(data: bytes) -> dict[str, Any]:
    """Raises :class:`ProtocolError` for what is no line of this protocol."""
    try:
        record = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise ProtocolError(f"not a line of JSON: {data[:80]!r}") from exc
    if not isinstance(record, dict):
        raise ProtocolError(f"not an object: {data[:80]!r}")
    return record


def summary(status: SpoolStatus, *, asked: Optional[int] = None) -> dict[str, Any]:
    """An execution in a list: ``code`` is the line it is known by, ``started`` in seconds since the epoch."""
    complete = status.complete
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
        "duration": None if complete is None else complete.duration,
        "exit_code": None if complete is None else complete.exit_code,
        "error": None if complete is None else complete.error,
    }
