"""The far end's entry: ``host LISTENER REPORT OPTIONS`` or ``worker CHANNEL SHARED``.

What is in capitals are descriptors, but for OPTIONS, which are :class:`HostOptions` as JSON.
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


def _host(descriptor: int, report: int, options: str) -> None:
    import os

    if os.fork():
        os._exit(0)  # whoever started it has no child of it to wait for
    import fcntl
    import json
    import socket
    import traceback

    from .launch import READY, forget_locks, host_lock
    from .options import HostOptions
    from .places import SessionPlace

    try:
        listener = socket.socket(fileno=descriptor)
        listener.set_inheritable(False)
        fcntl.fcntl(report, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
        settings = HostOptions(**json.loads(options))
        from .server import Host

        # Who looks whether there is a host holds the lock for a moment.
        place = SessionPlace(settings.name)
        with host_lock(place, 5.0) as held:
            if not held:
                raise RuntimeError("there is a host of this session already")
            host = Host(settings, listener)
            os.write(report, READY)
            os.close(report)
            report = -1
            host.serve()
            forget_locks(place)
    except BaseException as exc:
        if report >= 0:
            os.write(report, f"{type(exc).__name__}: {exc}".encode("utf-8", "replace"))
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
