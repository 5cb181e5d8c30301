"""The file of the newest segment, while it is written."""

from __future__ import annotations

import os

from ..disk import APPEND, CREATE, Disk


class SegmentFile:
    """A file that is opened when there is something to write. Its methods may raise :class:`OSError`."""

    def __init__(self, disk: Disk) -> None:
        self.is_full = False  # the file must no longer grow
        self.is_torn = False  # it ends with part of a message that could not be cut off yet
        self._disk = disk
        self._descriptor = -1

    def create(self, path: str) -> None:
        """Make a new file, and close the previous one."""
        descriptor = self._disk.open(path, CREATE)
        self.close()
        self._descriptor, self.is_full = descriptor, False

    def reopen(self, path: str) -> None:
        """Open an existing file, unless it is open already."""
        if self._descriptor < 0:
            self._descriptor = self._disk.open(path, APPEND)

    def write(self, data: memoryview) -> int:
        """Write ``data`` or part of it. Return the number of bytes written, at least 1."""
        return self._disk.write(self._descriptor, data)

    def repair(self, size: int) -> None:
        """Cut off the remains of a failed write after the first ``size`` bytes."""
        if self.is_torn:
            self._disk.truncate(self._descriptor, size)
            self.is_torn = False

    def close(self) -> None:
        """Close the file. Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self.is_torn = -1, False
