"""Sessions of a test: in directories of their own, and all ended after it."""

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

from pyrepl_stream.host import protocol

__all__ = ("end_all_hosts", "host_pid", "isolated", "raw_connection", "wait_for_end")


@contextlib.contextmanager
def isolated() -> Iterator[Path]:
    """Sessions live below the directory that this yields; its path is short, as sockets need it."""
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
    """Close the sessions below ``root``; what does not end in time is killed."""
    for path in (root / "run").glob("*.socket"):
        with contextlib.suppress(OSError), raw_connection(path) as connection:
            pid = host_pid(path)
            hello = {"op": "hello", "request": 1, "protocol": protocol.PROTOCOL, "version": "test"}
            close = {"op": "close", "request": 2, "forget": True}
            connection.sendall(protocol.line(hello) + protocol.line(close))
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
    """The host that listens on this socket."""
    with raw_connection(path) as connection:
        connection.settimeout(20)
        hello = {"op": "hello", "request": 1, "protocol": protocol.PROTOCOL, "version": "test"}
        connection.sendall(protocol.line(hello))
        with connection.makefile("rb") as lines:
            return int(protocol.parse(lines.readline())["pid"])


def wait_for_end(pid: int, seconds: float = 20.0) -> bool:
    """Wait until a process has ended; whether it did in time."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)
