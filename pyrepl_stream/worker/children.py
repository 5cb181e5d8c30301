"""What processes that user code starts have to do with the execution that started them."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import signal
import subprocess
import sys
from typing import Any, Callable

from ..process.tree import MARK, Tree
from .marks import with_execution

__all__ = ("end_children", "end_children_at_exit", "mark_children", "watch_starts")

_STARTS = frozenset(("subprocess.Popen", "os.system", "os.posix_spawn", "os.fork", "os.forkpty", "pty.spawn"))
_LOADS = frozenset(("ctypes.dlopen", "ctypes.dlsym"))
# What may well end this process: what was written before is not to be lost with it.
_ENDS = frozenset(("os.kill", "os.killpg", "signal.pthread_kill", "ctypes.string_at", "ctypes.wstring_at"))
_WATCHED = _STARTS | _LOADS | _ENDS

_marks = os.environ.get(MARK, "worker")


def mark_children(ordinal: int) -> None:
    """What is started from now on is of that execution."""
    os.environ[MARK] = with_execution(_marks, ordinal)
    _forget_forkserver()


def watch_starts(flush: Callable[[], object], expect: Callable[[], object]) -> None:
    """Call ``flush`` before a process starts or this one ends, and ``expect`` before others write to 1 and 2.

    For the rest of the process's life: an audit hook cannot be taken back (PEP 578).
    """
    process = os.getpid()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _WATCHED and os.getpid() == process:
            if event not in _ENDS:
                expect()
            if event not in _LOADS:
                flush()

    sys.addaudithook(hook)
    import _posixsubprocess

    # `multiprocessing` starts its processes by this, past all events.
    original = _posixsubprocess.fork_exec

    def fork_exec(*arguments: Any) -> Any:
        if os.getpid() == process:
            expect()
            flush()
        return original(*arguments)

    _posixsubprocess.fork_exec = fork_exec
    os.system = _system
    write = os.write

    @functools.wraps(write)
    def watched_write(descriptor: int, data: Any, /) -> int:
        if descriptor in (1, 2) and os.getpid() == process:
            expect()
            flush()
        return write(descriptor, data)

    os.write = watched_write
    for name in ("_exit", "abort"):
        setattr(os, name, _flushed(getattr(os, name), flush, process))


def _flushed(original: Callable[..., Any], flush: Callable[[], object], process: int) -> Callable[..., Any]:
    @functools.wraps(original)
    def flushed(*arguments: Any) -> Any:
        if os.getpid() == process:
            flush()
        return original(*arguments)

    return flushed


@functools.wraps(os.system)
def _system(command: Any) -> int:
    # That of the C library ignores SIGINT meanwhile, in whatever thread it runs: an interrupt would be lost.
    code = subprocess.call(os.fsencode(command), shell=True, close_fds=False)
    return code << 8 if code >= 0 else -code


def _forget_forkserver() -> None:
    """Have `multiprocessing` start a new server of its processes: the one that there is writes elsewhere."""
    module = sys.modules.get("multiprocessing.forkserver")
    server = getattr(module, "_forkserver", None)
    descriptor = getattr(server, "_forkserver_alive_fd", None)
    if server is None or descriptor is None:
        return
    with contextlib.suppress(AttributeError, OSError):
        import multiprocessing

        _servers[server._forkserver_pid] = descriptor  # it ends with the last copy of this descriptor
        server._forkserver_alive_fd = server._forkserver_pid = server._forkserver_address = None
        if not multiprocessing.active_children():  # whose ends it would have told
            for pid, last in _servers.items():
                os.close(last)
                os.waitpid(pid, 0)
            _servers.clear()


_servers: dict[int, int] = {}


def end_children_at_exit() -> None:
    """Kill everything that user code started, when the handlers that are registered later have run."""
    process = os.getpid()

    def end() -> None:
        if os.getpid() == process:  # not in a forked child
            end_children()

    atexit.register(end)


def end_children() -> None:
    """Kill everything that user code started: nobody is left who could ask for its end."""
    mark = _marks.rpartition(":")[2]
    tree = Tree(os.getpid(), mark)
    killed: set[int] = set()
    while new := set(tree.pids()) - killed:
        for pid in new:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        killed |= new
