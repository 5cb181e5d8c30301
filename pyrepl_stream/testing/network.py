"""A proxy between a client and a host that cuts connections or goes silent."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterable, Iterator

__all__ = ("BadNetwork",)


class BadNetwork:
    """Listens on a Unix socket, and passes bytes to and from another Unix socket.

    While ``silent`` is set, clients receive nothing, and their connections stay open.

    Args:
        path: The socket to listen on.
        target: The socket of the host.
        cuts: For each connection, the number of bytes to the client after which it is cut; None for never.
    """

    def __init__(self, path: str, target: str, cuts: Iterable[int | None] = ()) -> None:
        self.path = path
        self.connections = 0
        self.silent = threading.Event()
        self._target = target
        self._cuts: Iterator[int | None] = iter(cuts)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()  # guards _open, and the closing of its sockets
        self._start(self._accept)

    def __enter__(self) -> BadNetwork:
        return self

    def __exit__(self, *exc: object) -> None:
        self.silent.clear()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _start(self, *call: object) -> None:
        thread = threading.Thread(target=call[0], args=call[1:], daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                client = self._listener.accept()[0]
                self.connections += 1
                host = socket.socket(socket.AF_UNIX)
                try:
                    host.connect(self._target)
                except OSError:
                    client.close()
                    host.close()
                    continue
                self._start(self._pass, client, host, next(self._cuts, None))

    def _pass(self, client: socket.socket, host: socket.socket, left: int | None) -> None:
        with self._lock:
            self._open |= {client, host}
        try:
            with selectors.DefaultSelector() as selector, contextlib.suppress(OSError):
                selector.register(client, selectors.EVENT_READ, host)
                selector.register(host, selectors.EVENT_READ, client)
                while left is None or left > 0:
                    for key, _ in selector.select(0.05):
                        if key.fileobj is host and self.silent.is_set():
                            continue
                        data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                        if not data:
                            return
                        if key.fileobj is host and left is not None:
                            data = data[:left]
                            left -= len(data)
                        key.data.sendall(data)
        finally:
            with self._lock:
                self._open -= {client, host}
                client.close()
                host.close()
