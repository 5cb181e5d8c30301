"""The sink of a writer under test."""

from __future__ import annotations

from pyrepl_stream import Message

__all__ = ("RoomySink",)


class RoomySink:
    """A sink that always has room and drops what it gets. Set ``overflowed`` for one that has lost output."""

    overflowed = False

    def append(self, message: Message, *, wake: bool) -> None: ...

    def wake(self) -> None: ...

    def has_room(self) -> bool:
        return True

    def close(self) -> None: ...
