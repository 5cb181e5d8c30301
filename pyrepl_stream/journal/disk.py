"""The disk as the spool uses it, and what has to be the user's own there."""

from __future__ import annotations

import errno
import os
import stat
from typing import Union

from ..errors import UnsafePathError

__all__ = ("Disk", "check_directory", "open_own", "read_own", "hidden", "CREATE", "APPEND")

CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
APPEND = os.O_WRONLY | os.O_APPEND


class Disk:
    """What a spool asks of the operating system when it writes; all raise :class:`OSError`.

    ``pyrepl_stream.testing.FaultyDisk`` is one that fills up and fails.
    """

    def open(self, path: str, flags: int) -> int:
        """A descriptor that no child inherits, of a file (made with mode 0600) that is no link."""
        return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def write(self, descriptor: int, data: Union[bytes, memoryview]) -> int:
        """Bytes that were written: it may be fewer."""
        return os.write(descriptor, data)

    def truncate(self, descriptor: int, size: int) -> None:
        os.ftruncate(descriptor, size)

    def reserve(self, descriptor: int, size: int) -> None:
        """Make sure of the blocks for ``size`` bytes of an empty file."""
        if hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(descriptor, 0, size)
                return
            except OSError as exc:
                if exc.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
                    raise
        self.write_all(descriptor, bytes(size))

    def rename(self, old: str, new: str) -> None:
        os.rename(old, new)

    def unlink(self, path: str) -> None:
        os.unlink(path)

    def free(self, path: str) -> tuple[int, int]:
        """Bytes that the user may still write where ``path`` is, and bytes that there are in all."""
        found = os.statvfs(path)
        return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize

    def write_all(self, descriptor: int, data: bytes) -> None:
        """As often as it takes."""
        view = memoryview(data)
        while view:
            written = self.write(descriptor, view)
            if written == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            view = view[written:]

    def sync(self, descriptor: int) -> None:
        """Have what was written survive a loss of power: the rename that comes next may."""
        os.fsync(descriptor)

    def make_file(self, path: str, data: bytes) -> None:
        descriptor = self.open(path, CREATE)
        try:
            self.write_all(descriptor, data)
            self.sync(descriptor)
        finally:
            os.close(descriptor)

    def reserve_file(self, path: str, size: int) -> None:
        """A file that holds blocks for :meth:`replace_file`."""
        descriptor = self.open(path, CREATE)
        try:
            self.reserve(descriptor, size)
        finally:
            os.close(descriptor)

    def replace_file(self, path: str, reserved: str, data: bytes) -> None:
        """Put ``data`` in place of ``path``, by way of a file that may have blocks already."""
        descriptor = self.open(reserved, os.O_WRONLY | os.O_CREAT)
        try:
            self.write_all(descriptor, data)
            self.truncate(descriptor, len(data))
            self.sync(descriptor)
        finally:
            os.close(descriptor)
        self.rename(reserved, path)

    def discard(self, path: str) -> None:
        """Remove a file; where that fails there is one too many."""
        try:
            self.unlink(path)
        except OSError:
            pass


def check_directory(path: str) -> None:
    """Raises :class:`UnsafePathError` unless it is a directory of ours that is closed to others.

    By ``lstat``: what another user has planted, or has a link to, is not followed.
    """
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise UnsafePathError(f"{path!r} is no directory; remove it")
    if found.st_uid != os.geteuid():
        raise UnsafePathError(f"{path!r} belongs to another user (uid {found.st_uid}); remove it")
    if stat.S_IMODE(found.st_mode) & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        raise UnsafePathError(f"{path!r} is open to others (mode {mode:04o}); chmod 0700 it")


def open_own(path: str) -> int:
    """A descriptor to read a file of ours. Raises :class:`UnsafePathError` and :class:`OSError`."""
    try:
        # A named pipe that somebody planted would block without O_NONBLOCK; files do not mind it.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            raise UnsafePathError(f"{path!r} is a link; remove it") from exc
        raise
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        os.close(descriptor)
        raise UnsafePathError(f"{path!r} is no file of this user; remove it")
    return descriptor


def read_own(path: str) -> bytes:
    """The whole of a file of ours. Raises as :func:`open_own` does."""
    with open(open_own(path), "rb") as file:
        return file.read()


def hidden(directory: str, kind: str) -> str:
    """A name beside ``directory`` that is nobody's id."""
    parent, name = os.path.split(os.path.abspath(directory))
    return os.path.join(parent, f".{kind}-{name}")
