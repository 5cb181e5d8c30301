"""What is on disk of an execution, for a view."""

from __future__ import annotations

from collections.abc import Iterator

from pyrepl_stream import (
    ExecutionInfo,
    InputRequestMessage,
    Message,
    UnknownExecutionError,
    find_execution,
    read_record,
)

__all__ = ("Record",)


class Record:
    """Reads the record of ``found`` behind the number ``after``, as it is now.

    Reading raises :class:`UnknownExecutionError` when it is gone, or another run has its name.
    """

    def __init__(self, found: ExecutionInfo, after: int = 0) -> None:
        self.id = found.id
        self.after = after
        self._batches = _batches(found, after)

    def attach(self) -> Record:
        return self

    def asks(self, request: InputRequestMessage) -> bool:
        return False

    def receive(self, timeout: float | None = None) -> list[Message] | None:
        batch = next(self._batches, None)
        if batch:
            self.after = batch[-1].sequence
        return batch

    def close(self) -> None:
        pass  # whoever goes on reading it is in the view's own thread


def _batches(found: ExecutionInfo, after: int) -> Iterator[list[Message]]:
    now = find_execution(found.name)
    if (now.id, now.started) != (found.id, found.started):
        raise UnknownExecutionError(f"{found.name} was run anew: the record of this run is gone")
    yield from read_record(found, after)
