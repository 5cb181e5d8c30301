"""All that one client reads of one session, over one link after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..errors import ProtocolError, PyreplStreamError, TargetError
from .attach import Attach
from .events import Attached, Broken, Delivered, Event, Finished

__all__ = ("Attaches",)

_STUMBLES = 5  # holes, or what is no message, without one message in between


class Attaches:
    """``say`` sends an op, ``number`` gives a new number. A :class:`Broken` event ends the link."""

    def __init__(self, say: Callable[..., object], number: Callable[[], int], window: int) -> None:
        self._say = say
        self._number = number
        self._window = window
        self._attaches: dict[int, Attach] = {}
        self.begin_link()

    def __len__(self) -> int:
        return len(self._attaches)

    # -- links -------------------------------------------------------------------------------

    def begin_link(self) -> None:
        """Nothing of an earlier link counts on the next one."""
        self._wires: dict[int, int] = {}  # from what they are called on this link to their numbers
        self._asked: set[int] = set()  # those of them that are not answered yet
        for attach in self._attaches.values():
            attach.wire = 0

    def resume(self) -> None:
        """The link is up: go on with each where it was."""
        for attach in self._attaches.values():
            self._begin(attach)

    def fail(self, error: PyreplStreamError) -> list[Event]:
        """Nothing comes any more."""
        events: list[Event] = [Finished(number, error) for number in self._attaches]
        self._attaches.clear()
        return events

    # -- readers -----------------------------------------------------------------------------

    def add(self, execution_id: str, after: int, follow: bool, epoch: str | None, *, up: bool) -> int:
        """``up``: there is a link, over which it begins at once."""
        attach = Attach(self._number(), execution_id, after, follow, epoch, self._window)
        self._attaches[attach.number] = attach
        if up:
            self._begin(attach)
        return attach.number

    def consumed(self, number: int, size: int) -> None:
        attach = self._attaches.get(number)
        if attach is not None:
            self._give_credit(attach, attach.consumed(size))

    def detach(self, number: int) -> None:
        attach = self._attaches.pop(number, None)
        if attach is not None:
            self._leave(attach)

    # -- what the host says ------------------------------------------------------------------

    def is_asked(self, request: object) -> bool:
        """Whether a request of that number is an attach that waits for its answer."""
        return request in self._asked

    def answered(
        self, wire: int, record: Mapping[str, Any], error: PyreplStreamError | None
    ) -> list[Event]:
        self._asked.remove(wire)
        attach = self._called(wire)
        if attach is None:
            return []
        if error is not None:
            del self._attaches[attach.number]
            return [Finished(attach.number, error)]
        return [Attached(attach.number, record)] if attach.answered(record) else []

    def take(self, wire: int, piece: bytes) -> list[Event]:
        """A piece of what was asked for as ``wire``."""
        attach = self._called(wire)
        if attach is None:  # the reader has left
            return []
        messages, problem = attach.take(piece)
        events: list[Event] = []
        if messages:
            events.append(Delivered(attach.number, messages, len(piece)))
            if attach.is_last(messages[-1]):
                del self._attaches[attach.number]
                return [*events, Finished(attach.number)]
        elif not problem:
            # A piece of a message: what is to come of it must not wait for room.
            self._give_credit(attach, attach.give_back(len(piece)))
        return [*events, *self._stumble(attach, problem)] if problem else events

    def ended(self, wire: int, reason: str) -> list[Event]:
        """The host says that nothing comes any more."""
        attach = self._called(wire)
        if attach is None:
            return []
        if attach.ends_wrongly(reason):
            return self._stumble(attach, f"the record ended behind message {attach.after}")
        del self._attaches[attach.number]
        return [Finished(attach.number)]

    def _called(self, wire: int) -> Attach | None:
        return self._attaches.get(self._wires.get(wire, 0))

    def _stumble(self, attach: Attach, problem: str) -> list[Event]:
        """Attach anew, behind the last good message; when that does not help, over another link."""
        attach.stumbles += 1
        if attach.stumbles > _STUMBLES:
            self.detach(attach.number)
            error = ProtocolError(f"execution {attach.execution_id} cannot be read: {problem}")
            return [Finished(attach.number, error)]
        if attach.stumbles > 1:
            return [Broken(TargetError(problem))]
        self._leave(attach)
        self._begin(attach)
        return []

    def _begin(self, attach: Attach) -> None:
        wire = self._number()
        self._wires[wire] = attach.number
        self._asked.add(wire)
        self._say(op="attach", request=wire, **attach.begin(wire))

    def _leave(self, attach: Attach) -> None:
        if attach.wire:
            self._wires.pop(attach.wire, None)
            self._say(op="detach", attach=attach.wire)
            attach.wire = 0

    def _give_credit(self, attach: Attach, size: int) -> None:
        if size:
            self._say(op="credit", attach=attach.wire, bytes=size)
