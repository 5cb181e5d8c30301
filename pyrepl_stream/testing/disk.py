"""A fake disk for tests."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping

from ..runtime.journal.disk import Disk

__all__ = ("FaultyDisk",)


class FaultyDisk(Disk):
    """A disk that is full, or fails, on request. Data that it accepts is really written to the disk.

    Args:
        room: The number of bytes that can still be written; None for no limit. Reserved blocks can be
            written even if there is no room.
        faults: The error numbers that the next calls of each operation (``open``, ``write``, ``truncate``,
            ``reserve``, ``rename``, ``sync``, ``unlink``) raise, one for each call; 0 for no error.
        short: Maximum number of bytes that one write accepts; None for no limit.
        free: The result of :meth:`free`.
    """

    def __init__(
        self,
        *,
        room: int | None = None,
        faults: Mapping[str, Iterable[int]] | None = None,
        short: int | None = None,
        free: tuple[int, int] = (1 << 50, 1 << 50),
    ) -> None:
        self.room = room
        self.short = short
        self.space = free
        self.faults = {operation: list(errors) for operation, errors in (faults or {}).items()}
        self.calls: list[str] = []
        self._reserved: dict[tuple[int, int], int] = {}  # bytes, by device and inode

    def open(self, path: str, flags: int) -> int:
        """Open a file. See :class:`Disk` for this and the following methods."""
        self._fail("open")
        return super().open(path, flags)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        """Write as many bytes as there is room for, and return their number."""
        self._fail("write")
        view = memoryview(data)[: self.short]
        if self.room is None:
            return super().write(descriptor, view)
        key = _key(os.fstat(descriptor))
        reserved = self._reserved.get(key, 0)
        if self.room + reserved == 0:
            raise _error(errno.ENOSPC)
        written = super().write(descriptor, view[: self.room + reserved])
        if reserved:
            self._reserved[key] = max(0, reserved - written)
        self.room -= max(0, written - reserved)
        return written

    def truncate(self, descriptor: int, size: int) -> None:
        """Truncate a file to ``size`` bytes."""
        self._fail("truncate")
        super().truncate(descriptor, size)

    def reserve(self, descriptor: int, size: int) -> None:
        """Reserve ``size`` bytes for a file."""
        self._fail("reserve")
        if self.room is not None:
            if self.room < size:
                raise _error(errno.ENOSPC)
            self.room -= size
        super().reserve(descriptor, size)
        self._reserved[_key(os.fstat(descriptor))] = size

    def adopt(self, path: str) -> None:
        """Treat the blocks of this file as reserved."""
        found = os.lstat(path)
        self._reserved[_key(found)] = found.st_size

    def rename(self, old: str, new: str) -> None:
        """Rename a file."""
        self._fail("rename")
        super().rename(old, new)

    def sync(self, descriptor: int) -> None:
        """Flush a file to the disk."""
        self._fail("sync")
        super().sync(descriptor)

    def unlink(self, path: str) -> None:
        """Remove a file, which makes its bytes available again."""
        self._fail("unlink")
        found = os.lstat(path)
        if self.room is not None:
            self.room += found.st_size
        self._reserved.pop(_key(found), None)
        super().unlink(path)

    def free(self, path: str) -> tuple[int, int]:
        """Return the free bytes and inodes that were given to the constructor."""
        return self.space

    def _fail(self, operation: str) -> None:
        self.calls.append(operation)
        errors = self.faults.get(operation)
        if errors and (number := errors.pop(0)):
            raise _error(number)


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def _key(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino
