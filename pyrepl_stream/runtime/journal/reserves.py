"""Files with allocated blocks that the spools of one session use one after the other."""

from __future__ import annotations

import itertools
import os
from contextlib import suppress

from .disk import Disk, hidden

__all__ = ("ReservePool",)

_MOST = 4  # files of one size that are kept


class ReservePool(Disk):
    """A disk that keeps released reserves, because removing and making one can take milliseconds.

    Args:
        directory: Where they are kept.
    """

    def __init__(self, directory: str) -> None:
        self._path = hidden(os.path.join(directory, "file"), "reserve")
        self._numbers = itertools.count()
        self._free: dict[int, list[str]] = {}  # by size

    def reserve_file(self, path: str, size: int) -> None:
        """See :meth:`Disk.reserve_file`."""
        free = self._free.get(size)
        if free:
            with suppress(OSError):
                self.rename(free.pop(), path)
                return
        super().reserve_file(path, size)

    def release_file(self, path: str, size: int) -> None:
        """See :meth:`Disk.release_file`."""
        free = self._free.setdefault(size, [])
        kept = f"{self._path}-{next(self._numbers)}"
        with suppress(OSError):  # it has been used
            if len(free) < _MOST and os.lstat(path).st_size == size:
                self.rename(path, kept)
                free.append(kept)
                return
        super().release_file(path, size)

    def clear(self) -> None:
        """Remove what is kept."""
        for path in itertools.chain.from_iterable(self._free.values()):
            self.discard(path)
        self._free.clear()
