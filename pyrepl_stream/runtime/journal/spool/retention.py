"""How much of a spool stays on the disk."""

from __future__ import annotations

from typing import NamedTuple

from ..disk import Disk


class Retention(NamedTuple):
    """The limits of one spool, in bytes."""

    limit: int  # maximum size of the spool
    free_bytes: int  # bytes that must stay free on the disk
    free_share: float  # share of the disk that must stay free, from 0 to 1
    segment: int  # the size at which a new segment begins; only whole segments are removed

    def excess(self, size: int, directory: str, disk: Disk) -> int:
        """Return how many of ``size`` bytes to remove; 0 or less if all may stay."""
        try:
            free, total = disk.free(directory)
        except OSError:
            return size - self.limit
        return max(size - self.limit, self.free_bytes - free, int(self.free_share * total) - free)
