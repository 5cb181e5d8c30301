"""Marks the processes that user code starts, and keeps their output in order with Python code's output."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import sys
from typing import Any, Callable

from ..process.tree import MARK, Tree, kill_until_gone
from ..protocol.marks import with_execution

__all__ = ("end_children", "mark_children", "watch_starts")

_STARTS = frozenset(("subprocess.Popen", "os.system", "os.posix_spawn", "os.fork", "os.forkpty", "pty.spawn"))
_LOADS = frozenset(("ctypes.dlopen", "ctypes.dlsym"))
# Calls that may end this process. Output that was written before the call must not be lost.
_ENDS = frozenset(("os.kill", "os.killpg", "signal.pthread_kill", "ctypes.string_at", "ctypes.wstring_at"))
_WATCHED = _STARTS | _LOADS | _ENDS

_marks = os.environ.get(MARK, "worker")
_worker = os.getpid()


def mark_children(ordinal: int) -> None:
    """Mark the processes that are started from now on as belonging to execution ``ordinal``."""
    os.environ[MARK] = with_execution(_marks, ordinal)
    _forget_forkserver()


def watch_starts(flush: Callable[[], object], expect_output: Callable[[], object]) -> None:
    """Watch for the start of processes and for other code that writes to file descriptors 1 and 2.

    The watch lasts as long as this process, because an audit hook cannot be removed (PEP 578).

    Args:
        flush: Called before a process starts, and before this one ends.
        expect_output: Called before code that bypasses the writer may write to descriptors 1 and 2.
    """

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _WATCHED and os.getpid() == _worker:
            if event not in _ENDS:
                expect_output()
            if event not in _LOADS:
                flush()

    def flushed(original: Callable[..., Any], *, writes: bool) -> Callable[..., Any]:
        @functools.wraps(original)
        def call(*arguments: Any) -> Any:
            if os.getpid() == _worker:
                if writes:
                    expect_output()
                flush()
            return original(*arguments)

        return call

    sys.addaudithook(hook)
    import _posixsubprocess

    # `multiprocessing` starts its processes with this function, which raises no audit event.
    _posixsubprocess.fork_exec = flushed(_posixsubprocess.fork_exec, writes=True)
    for name in ("_exit", "abort"):
        setattr(os, name, flushed(getattr(os, name), writes=False))
    os.system = _system
    write = os.write

    @functools.wraps(write)
    def watched_write(descriptor: int, data: Any, /) -> int:
        if descriptor in (1, 2) and os.getpid() == _worker:
            expect_output()
            flush()
        return write(descriptor, data)

    os.write = watched_write


@functools.wraps(os.system)
def _system(command: Any) -> int:
    # `system` of the C library ignores SIGINT while the command runs, so an interrupt would be lost.
    code = subprocess.call(os.fsencode(command), shell=True, close_fds=False)
    return code << 8 if code >= 0 else -code


def _forget_forkserver() -> None:
    """Make `multiprocessing` start a new fork server: the old one's output goes to an earlier execution."""
    module = sys.modules.get("multiprocessing.forkserver")
    server = getattr(module, "_forkserver", None)
    descriptor = getattr(server, "_forkserver_alive_fd", None)
    if server is None or descriptor is None:
        return
    with contextlib.suppress(AttributeError, OSError):
        import multiprocessing

        # The server ends when the last copy of this descriptor is closed.
        _servers[server._forkserver_pid] = descriptor
        server._forkserver_alive_fd = server._forkserver_pid = server._forkserver_address = None
        if not multiprocessing.active_children():  # they need their server, which reports when they end
            for pid, last in _servers.items():
                os.close(last)
                os.waitpid(pid, 0)
            _servers.clear()


_servers: dict[int, int] = {}


def end_children() -> None:
    """Kill every process that user code started, unless this is a forked child of the worker."""
    if os.getpid() == _worker:
        kill_until_gone(Tree(os.getpid(), _marks.rpartition(":")[2]).pids)
