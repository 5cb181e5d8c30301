"""Sessions of tests: in directories of their own, and ended after the test."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pyrepl_stream.runtime.protocol import operations

__all__ = ("end_all_hosts", "host_pid", "isolated", "raw_connection", "wait_for_end")


@contextlib.contextmanager
def isolated() -> Iterator[Path]:
    """Yield a directory below which sessions keep everything; its path is short enough for sockets."""
    root = Path(tempfile.mkdtemp(prefix="ps-", dir="/tmp"))
    names = {"PYREPL_STREAM_RUNTIME_DIR": root / "run", "PYREPL_STREAM_STATE_DIR": root / "state"}
    for path in names.values():
        path.mkdir(mode=0o700)
    before = {name: os.environ.get(name) for name in names}
    os.environ.update({name: str(path) for name, path in names.items()})
    try:
        yield root
    finally:
        end_all_hosts(root)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        shutil.rmtree(root)


def end_all_hosts(root: Path) -> None:
    """Close the sessions below ``root``; kill hosts that do not end in time."""
    for path in (root / "run").glob("*.socket"):
        with contextlib.suppress(OSError), raw_connection(path) as connection:
            pid = host_pid(path)
            hello = {"op": "hello", "request": 1, "protocol": operations.PROTOCOL, "version": "test"}
            close = {"op": "close", "request": 2, "forget": True}
            connection.sendall(operations.line(hello) + operations.line(close))
            if not wait_for_end(pid, 10):
                os.kill(pid, signal.SIGKILL)


def raw_connection(path: Path | str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection


def host_pid(path: Path | str) -> int:
    """Return the process id of the host that listens on a socket."""
    with raw_connection(path) as connection:
        connection.settimeout(20)
        hello = {"op": "hello", "request": 1, "protocol": operations.PROTOCOL, "version": "test"}
        connection.sendall(operations.line(hello))
        with connection.makefile("rb") as lines:
            return int(operations.parse(lines.readline())["pid"])


def wait_for_end(pid: int, seconds: float = 20.0) -> bool:
    """Wait until a process has ended; return False if it did not end in time."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)
