"""Messages that are never dropped: a separate file keeps them when their segments are removed."""

from __future__ import annotations

import os
import time

from ..disk import APPEND, Disk, closing
from .reader import TRIMMED
from .segments import gap_line

KEPT_LIMIT = 64 << 20
"""The maximum bytes of messages that are kept without their segments, or wait for room on the disk."""


class PinnedMessages:
    """Writes the file of pinned messages: at most ``limit`` bytes, and gaps for the messages between them."""

    def __init__(self, path: str, execution_id: str, disk: Disk, limit: int = KEPT_LIMIT) -> None:
        self.size = 0  # bytes of the file that readers may see
        self.unsafe = 0  # the first message that is not in the file yet, or 0; its segment must stay
        self._path = path
        self._execution_id = execution_id
        self._disk = disk
        self._room = limit
        self._waiting: list[bytes] = []  # lines
        self._last = 0  # number of the message before the next gap
        self._output = 0  # bytes of output before that gap

    def begin(self, last: int, output: int) -> None:
        """Begin after message ``last`` and ``output`` bytes of output: the first segment is never removed."""
        self._last, self._output = last, output

    def add(self, line: bytes, sequence: int, before: int) -> None:
        """Add the line of a message that follows ``before`` bytes of output. It waits for :meth:`store`."""
        if len(line) > self._room:
            return
        if sequence > self._last + 1:
            output = before - self._output
            self._waiting.append(
                gap_line(self._execution_id, self._last + 1, sequence - 1, output, TRIMMED, time.time())
            )
        self._waiting.append(line)
        self.unsafe = self.unsafe or sequence
        self._room -= len(line)
        self._last, self._output = sequence, before

    def store(self) -> None:
        """Write the waiting messages. If they cannot be written, they continue to wait."""
        if not self._waiting:
            return
        data = b"".join(self._waiting)
        try:
            with closing(self._disk.open(self._path, APPEND | os.O_CREAT)) as descriptor:
                self._disk.truncate(descriptor, self.size)  # removes the remains of a failed write
                self._disk.write_all(descriptor, data)
        except OSError:
            return
        self.size += len(data)
        self._waiting, self.unsafe = [], 0
