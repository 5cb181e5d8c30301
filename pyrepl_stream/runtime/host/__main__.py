"""Entry point of the far end: ``host LISTENER REPORT NAME`` or ``worker CHANNEL SHARED``.

NAME is the name of the session; the other arguments in capitals are inherited file descriptors.
"""

from __future__ import annotations

import sys
from typing import Callable

__all__ = ("main", "prepare")


def main(role: str = "", *arguments: str) -> None:
    """Run this process as a host or as a worker, until it ends."""
    prepare(role, *arguments)(sys.path[:])


def prepare(role: str = "", *arguments: str) -> Callable[[list[str]], None]:
    """Import what ``role`` needs.

    Returns:
        The function that runs the process in that role. It takes the ``sys.path`` of user code.
    """
    if role == "worker" and len(arguments) == 2:
        from ..worker.main import main as run_worker

        return lambda path: run_worker(int(arguments[0]), int(arguments[1]), path)
    if role == "host" and len(arguments) == 3:
        return lambda path: _run_host(int(arguments[0]), int(arguments[1]), arguments[2])
    sys.exit(__doc__)


def _run_host(descriptor: int, report: int, name: str) -> None:
    import os

    if os.fork():
        os._exit(0)  # orphan the host, so that the process that starts it need not wait for its end
    from .watchdog import start_watchdog

    watchdog = start_watchdog(descriptor, report)
    import fcntl
    import socket
    import traceback

    from .launch import READY, locked
    from .paths import SessionPaths, load_options

    try:
        listener = socket.socket(fileno=descriptor)
        listener.set_inheritable(False)
        fcntl.fcntl(report, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
        from .server import Host

        paths = SessionPaths(name)
        killed = os.path.exists(paths.host_lock)  # a host that ends normally removes its lock file
        with locked(paths.host_lock, 5.0) as held:  # a process that only tests the lock holds it briefly
            if not held:
                raise RuntimeError("this session already has a host")
            options = load_options(paths.records)
            if options is None or options.name != name:
                raise RuntimeError(f"the options of this session in {paths.records} cannot be read")
            host = Host(options, listener, killed=killed)
            os.write(watchdog, host.epoch.encode("ascii"))
            os.write(report, READY)
            os.close(report)
            report = -1
            host.serve()
    except BaseException as exc:
        if report >= 0:
            os.write(report, f"{type(exc).__name__}: {exc}".encode("utf-8", "replace"))
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
