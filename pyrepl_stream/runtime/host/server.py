"""The host of a session: a process that serves clients and outlives them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from typing import Callable, Optional

from ..errors import InsecurePathError
from ..journal.disk import Disk
from ..process.tree import adopt_orphans
from .cleanup import forget_start
from .connection import ClientConnection
from .execution import HostedExecution
from .handlers import OperationHandlers
from .launch import LISTEN_AGAIN, listen, peer_is_ours
from .loop import READ, Loop, Timer
from .paths import HostOptions, SessionPaths
from .scheduler import Scheduler
from .store import Store
from .worker_process import raise_limits

__all__ = ("Host",)

_PAUSE = 0.2  # seconds to the next attempt to accept a client, after file descriptors ran out
_SETTLE = 0.05  # seconds between the end of an execution and the closing of its record
_SYNC = 1.0  # seconds from then until all records that were closed meanwhile are flushed to the disk
_DAY = 86400.0  # seconds
_LINGER = 2.0  # maximum seconds to wait for clients to read the remaining data, and then the closing notice
_POLL = 0.01  # seconds between two checks of the connections


class Host:
    """Serves the clients of one session and runs its executions.

    Args:
        options: The options of the session.
        listener: The socket that listens at the session's path. The caller holds the session's lock.
        killed: True if the session's last host did not end normally.
    """

    def __init__(self, options: HostOptions, listener: socket.socket, *, killed: bool = False) -> None:
        self._options = options
        self._paths = SessionPaths(options.name)
        self._listener = listener
        self._socket = _inode(self._paths.socket)
        self._loop = Loop(lambda: self._scheduler.commit())
        self._store = Store(self._paths, options)
        self.epoch = self._store.epoch
        lost = "the session's last host ended unexpectedly" if killed and len(self._store) else ""
        self._scheduler = Scheduler(
            options, self.epoch, self._loop, self._on_ended, self._restart_idle_timer, lost=lost
        )
        self._connections: set[ClientConnection] = set()
        self._idle_timer: Optional[Timer] = None
        self._forget = False
        self._syncs = False  # a timer for `_sync` is running
        self._handlers = OperationHandlers(
            options, self._store, self._scheduler, self._loop, self._begin_close
        )

    def serve(self) -> None:
        """Serve until the session is closed, or has been idle for ``options.idle_timeout`` seconds.

        The process must exit afterwards, because its signal handlers stay installed.
        """
        raise_limits()
        adopt_orphans()
        self._listener.setblocking(False)
        self._handle_signals()
        self._loop.watch(self._listener.fileno(), READ, self._accept)
        self._remove_old_records()
        self._scheduler.warm_up()
        self._restart_idle_timer()
        self._loop.run()

    def _handle_signals(self) -> None:
        """Handle signals in the loop, until the end of this process."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        # SIGINT is meant for a terminal's foreground process, and SIGHUP is sent when the terminal is closed.
        # They get a handler that does nothing, because the worker would inherit an ignored signal.
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, LISTEN_AGAIN):
            signal.signal(number, lambda number, frame: None)

        def on_signals(events: int) -> None:
            numbers = os.read(reader, 4096)
            self._scheduler.reap()
            if signal.SIGTERM in numbers:
                self._begin_close(forget=False)
            if LISTEN_AGAIN in numbers:
                self._listen_again()

        self._loop.watch(reader, READ, on_signals)

    # -- clients -----------------------------------------------------------------------------------

    def _accept(self, events: int) -> None:
        try:
            peer, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError:  # no file descriptor or no memory is left: accept the client later
            self._loop.watch(self._listener.fileno(), 0, self._accept)
            self._loop.call_later(_PAUSE, self._accept_again)
            return
        if not peer_is_ours(peer):
            peer.close()
            return
        self._connections.add(ClientConnection(peer, self._loop, self._handlers.handle, self._on_disconnect))
        self._restart_idle_timer()

    def _listen_again(self) -> None:
        """Create the socket again if it is no longer at its path, or its path has changed."""
        if self._scheduler.is_closing:
            return
        try:
            if self._socket == _inode(self._paths.socket) != 0:
                return
            listener = listen(self._paths)
        except (OSError, InsecurePathError):
            return  # the client asks again
        self._loop.watch(self._listener.fileno(), 0, self._accept)
        self._listener.close()
        self._listener, self._socket = listener, _inode(self._paths.socket)
        listener.setblocking(False)
        self._loop.watch(listener.fileno(), READ, self._accept)

    def _accept_again(self) -> None:
        if not self._scheduler.is_closing:
            self._loop.watch(self._listener.fileno(), READ, self._accept)

    def _on_disconnect(self, connection: ClientConnection) -> None:
        self._connections.discard(connection)
        self._restart_idle_timer()

    # -- timers --------------------------------------------------------------------------------------

    def _on_ended(self, execution: HostedExecution) -> None:
        # Delayed, so that readers get `complete` before the record's closing keeps the disk busy.
        self._loop.call_later(_SETTLE, self._settle, execution)

    def _settle(self, execution: HostedExecution) -> None:
        self._store.settle(execution)
        if not self._syncs:
            self._syncs = True
            self._loop.call_later(_SYNC, self._sync)

    def _sync(self) -> None:
        self._syncs = False
        self._store.sync()

    def _remove_old_records(self) -> None:
        # Once a day by the monotonic clock: the time of day may be wrong when the host starts.
        self._store.forget_old()
        self._loop.call_later(_DAY, self._remove_old_records)

    def _restart_idle_timer(self) -> None:
        """Cancel the idle timer, and start it if the host is idle now."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None
        if not self._connections and self._scheduler.is_idle and not self._scheduler.is_closing:
            self._idle_timer = self._loop.call_later(self._options.idle_timeout, self._begin_close, False)

    # -- the end -------------------------------------------------------------------------------------

    def _begin_close(self, forget: bool) -> None:
        self._forget = self._forget or forget
        if self._scheduler.is_closing:
            return
        self._loop.watch(self._listener.fileno(), 0, self._accept)
        self._listener.close()
        # Removed at once, so that a client that arrives now waits for the lock and then starts another host.
        with contextlib.suppress(OSError, InsecurePathError):
            if _inode(self._paths.socket) == self._socket:
                os.unlink(self._paths.socket)
        self._scheduler.close(self._linger)

    def _linger(self) -> None:
        """Let clients read the rest of the output, now that every execution has ended."""
        self._store.settle_all()
        self._when_each(
            lambda connection: connection.has_all, self._notify_closed, time.monotonic() + _LINGER
        )

    def _notify_closed(self) -> None:
        if self._forget or not len(self._store):
            self._store.forget_all()
        else:
            Disk().discard(self._paths.host_lock)  # a leftover lock file would mean that the host was killed
        with contextlib.suppress(OSError):
            forget_start(self._paths)
        self._handlers.answer_closers()
        for connection in self._connections:
            connection.answer({"type": "closed"})
        self._when_each(lambda connection: connection.is_idle, self._loop.stop, time.monotonic() + _LINGER)

    def _when_each(
        self, condition: Callable[[ClientConnection], bool], function: Callable[[], object], deadline: float
    ) -> None:
        """Call ``function`` when ``condition`` is true for all connections, or at ``deadline``."""
        if all(map(condition, self._connections)) or time.monotonic() >= deadline:
            function()
        else:
            self._loop.call_later(_POLL, self._when_each, condition, function, deadline)


def _inode(path: str) -> int:
    """Return the number of a file's inode; 0 if there is no file."""
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return 0
