"""The disk operations of spools, and checks that files and directories belong to the user alone."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Union

from ..errors import InsecurePathError

CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
APPEND = os.O_WRONLY | os.O_APPEND


@contextmanager
def closing(descriptor: int) -> Iterator[int]:
    """Close a file descriptor at the end of the block."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class Disk:
    """The system calls with which a spool writes. Any of them but :meth:`discard` may raise :class:`OSError`.

    ``pyrepl_stream.testing.FaultyDisk`` is a disk that fills up and fails.
    """

    def open(self, path: str, flags: int) -> int:
        """Open a file that is not a link, and is not inherited. ``O_CREAT`` creates it with mode 0600."""
        return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def write(self, descriptor: int, data: Union[bytes, memoryview]) -> int:
        """Write at least 1 byte of ``data``, which is not empty. Return the number of bytes written."""
        written = os.write(descriptor, data)
        if written == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return written

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut a file to ``size`` bytes."""
        os.ftruncate(descriptor, size)

    def reserve(self, descriptor: int, size: int) -> None:
        """Allocate the blocks for ``size`` bytes of an empty file."""
        if hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(descriptor, 0, size)
                return
            except OSError as exc:
                if exc.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
                    raise
        self.write_all(descriptor, bytes(size))

    def rename(self, old: str, new: str) -> None:
        """Rename a file or directory."""
        os.rename(old, new)

    def unlink(self, path: str) -> None:
        """Remove a file."""
        os.unlink(path)

    def free(self, path: str) -> tuple[int, int]:
        """Return the bytes that the user may still write to the disk of ``path``, and the disk's size."""
        found = os.statvfs(path)
        return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize

    def write_all(self, descriptor: int, data: bytes) -> None:
        """Write all of ``data``."""
        view = memoryview(data)
        while view:
            view = view[self.write(descriptor, view) :]

    def sync(self, descriptor: int) -> None:
        """Flush the data to the disk: a later rename might survive a power failure that they do not."""
        os.fsync(descriptor)

    def make_file(self, path: str, data: bytes) -> None:
        """Make a new file that holds ``data``."""
        with closing(self.open(path, CREATE)) as descriptor:
            self.write_all(descriptor, data)

    def reserve_file(self, path: str, size: int) -> None:
        """Make a new file with ``size`` bytes of allocated blocks, for :meth:`replace_file`."""
        with closing(self.open(path, CREATE)) as descriptor:
            self.reserve(descriptor, size)

    def release_file(self, path: str, size: int) -> None:
        """Remove a file that :meth:`reserve_file` made with this size, unless it has been used."""
        self.discard(path)

    def replace_file(self, path: str, reserved: str, data: bytes, *, sync: bool = True) -> None:
        """Write ``data`` to ``reserved``, a file that may have blocks already, and rename it to ``path``.

        Without ``sync``, a power failure soon after may leave an empty file.
        """
        with closing(self.open(reserved, os.O_WRONLY | os.O_CREAT)) as descriptor:
            self.write_all(descriptor, data)
            self.truncate(descriptor, len(data))
            if sync:
                self.sync(descriptor)
        self.rename(reserved, path)

    def discard(self, path: str) -> None:
        """Remove a file, if possible."""
        with suppress(OSError):
            self.unlink(path)


def check_directory(path: str) -> None:
    """Check that ``path`` is a directory that only this user can access. Links are not followed.

    Raises:
        InsecurePathError: It is not such a directory.
        OSError: It does not exist, or cannot be examined.
    """
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise InsecurePathError(f"{path!r} is not a directory; remove it")
    if found.st_uid != os.geteuid():
        raise InsecurePathError(f"{path!r} belongs to another user (uid {found.st_uid}); remove it")
    if stat.S_IMODE(found.st_mode) & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        raise InsecurePathError(f"{path!r} is open to other users (mode {mode:04o}); run chmod 0700 on it")


def open_own(path: str) -> int:
    """Open a file of this user for reading, and return its descriptor.

    Raises:
        InsecurePathError: It is a link, not a regular file, or belongs to another user.
        OSError: It cannot be opened.
    """
    try:
        # O_NONBLOCK has no effect on regular files; without it, opening a named pipe instead would block.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            raise InsecurePathError(f"{path!r} is a link; remove it") from exc
        raise
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        os.close(descriptor)
        raise InsecurePathError(f"{path!r} is not a regular file of this user; remove it")
    return descriptor


def read_own(path: str) -> bytes:
    """Return the contents of a file of this user. Raises as :func:`open_own` does."""
    with open(open_own(path), "rb") as file:
        return file.read()


def hidden(directory: str, kind: str) -> str:
    """Return a path next to ``directory`` that is not the path of any execution."""
    parent, name = os.path.split(os.path.abspath(directory))
    return os.path.join(parent, f".{kind}-{name}")
