"""Fakes that stand where real parts stand, for the tests of programs that use this package, and its own."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping

from .journal.disk import Disk

__all__ = ("FaultyDisk",)


class FaultyDisk(Disk):
    """A disk that is full, or fails, when it is told to; what it does take is really on the disk.

    ``room``: bytes that can still be written (``None``: any number); blocks that were reserved are had
    already, and are written to although there is no room. ``faults``: for an operation (``open``,
    ``write``, ``truncate``, ``reserve``, ``rename``, ``unlink``) the errors that its next calls raise, one
    each, 0 for none. ``short``: bytes that one write takes at most. ``free``: what :meth:`free` answers.
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
        self._reserved: dict[tuple[int, int], int] = {}  # by device and inode

    def open(self, path: str, flags: int) -> int:
        self._fail("open")
        return super().open(path, flags)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
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
        self._fail("truncate")
        super().truncate(descriptor, size)

    def reserve(self, descriptor: int, size: int) -> None:
        self._fail("reserve")
        if self.room is not None:
            if self.room < size:
                raise _error(errno.ENOSPC)
            self.room -= size
        super().reserve(descriptor, size)
        self._reserved[_key(os.fstat(descriptor))] = size

    def adopt(self, path: str) -> None:
        """The blocks of this file are reserved, by whoever made it."""
        found = os.lstat(path)
        self._reserved[_key(found)] = found.st_size

    def rename(self, old: str, new: str) -> None:
        self._fail("rename")
        super().rename(old, new)

    def unlink(self, path: str) -> None:
        self._fail("unlink")
        found = os.lstat(path)
        if self.room is not None:
            self.room += found.st_size
        self._reserved.pop(_key(found), None)
        super().unlink(path)

    def free(self, path: str) -> tuple[int, int]:
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
