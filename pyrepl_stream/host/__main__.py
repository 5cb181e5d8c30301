"""The far end's entry: ``host LISTENER REPORT NAME`` or ``worker CHANNEL SHARED``.

What is in capitals are descriptors, but for the NAME of the session.
"""

from __future__ import annotations

import sys

__all__ = ("main",)


def main(role: str = "", *words: str) -> None:
    """Be what ``role`` says, until the end."""
    if role == "worker" and len(words) == 2:
        from ..worker.main import main as work

        work(int(words[0]), int(words[1]))
    elif role == "host" and len(words) == 3:
        _host(int(words[0]), int(words[1]), words[2])
    else:
        sys.exit(__doc__)


def _host(descriptor: int, report: int, name: str) -> None:
    import os

    if os.fork():
        os._exit(0)  # whoever started it has no child of it to wait for
    from .guard import guard

    guarded = guard(descriptor, report)
    import fcntl
    import socket
    import traceback

    from .launch import READY, host_lock
    from .options import saved_options
    from .places import SessionPlace
    from .removal import forget_start

    try:
        listener = socket.socket(fileno=descriptor)
        listener.set_inheritable(False)
        fcntl.fcntl(report, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
        from .server import Host

        # Who looks whether there is a host holds the lock for a moment.
        place = SessionPlace(name)
        killed = os.path.exists(place.host_lock)  # one that ends by itself removes it
        with host_lock(place, 5.0) as held:
            if not held:
                raise RuntimeError("there is a host of this session already")
            options = saved_options(place)
            if options is None or options.name != name:
                raise RuntimeError("the options of this session cannot be read")
            host = Host(options, listener, killed=killed)
            os.write(guarded, host.epoch.encode("ascii"))
            os.write(report, READY)
            os.close(report)
            report = -1
            host.serve()
            forget_start(place)
    except BaseException as exc:
        if report >= 0:
            os.write(report, f"{type(exc).__name__}: {exc}".encode("utf-8", "replace"))
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
