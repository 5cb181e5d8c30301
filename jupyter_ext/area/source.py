"""An execution as a live area needs it: to be read again, and acted on."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from pyrepl_stream import InputRequestMessage, Message, TargetError

from ..viewing import Batches

__all__ = ("PATIENCE", "Again", "Readable", "Source", "model_id", "so_far")

PATIENCE = 10.0
"""Seconds that a session may take for an answer, or for more of what it has."""

_NAMESPACE = uuid.UUID("0d6f1f5e-9f0e-5d43-9c3f-6d0a1c1a4b57")


class Readable(Batches, Protocol):
    @property
    def after(self) -> int:
        """The number up to which messages were taken."""


@dataclass(frozen=True)
class Source:
    """``name`` is SESSION/ID, or the id of what runs in this process; ``started`` gives seconds since the
    epoch, None where the area cannot be brought to life in another kernel. ``read`` gives what the cell
    shows, from its start on, ``raw`` what was written. ``last`` gives the number of the last message that
    there is by now, or None where it has ended: all are there; it is told the last that is shown.

    ``running``, ``read`` and ``raw`` do not wait. The others may, for a session that does not answer, and
    raise what it has against them; so does reading. It is an error that another run has the id by now.
    """

    name: str
    started: Callable[[], float | None]
    read: Callable[[], Readable]
    raw: Callable[[], Readable]
    last: Callable[[int], int | None]
    asks: Callable[[InputRequestMessage], bool]
    running: Callable[[], bool]
    interrupt: Callable[[], object]
    kill: Callable[[], object]
    reply: Callable[[str | None, InputRequestMessage], object]


class Again:
    """Has a view read a source from its start on."""

    def __init__(self, source: Source) -> None:
        self.id = source.name
        self._source = source

    def attach(self) -> Readable:
        return self._source.read()

    def asks(self, request: InputRequestMessage) -> bool:
        return self._source.asks(request)


def model_id(name: str, started: float, number: int = 0) -> str:
    """The id of the widget that shows an execution, in any kernel; ``started`` tells a job run anew, and
    ``number`` widgets of other options."""
    return uuid.uuid5(_NAMESPACE, f"{name} {started!r} {number or ''}".rstrip()).hex


def so_far(batches: Readable, last: int | None) -> Iterator[Message]:
    """The messages up to the number ``last``, or up to the end. Raises :class:`TargetError` where no more
    come."""
    try:
        while last is None or batches.after < last:
            before = batches.after
            received = batches.receive(PATIENCE)
            if received is None:
                return
            if not received and batches.after == before:
                raise TargetError(f"nothing more could be read for {PATIENCE:g} s")
            yield from received
    finally:
        batches.close()
