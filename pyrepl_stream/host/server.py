"""The host of a session: it serves clients, and outlives them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from typing import Any, Optional

from ..journal.disk import Disk
from ..process.tree import adopt_orphans
from .connection import Connection
from .launch import peer_is_ours
from .loop import READ, Loop, Timer
from .operations import Call, Operations
from .options import HostOptions
from .places import SessionPlace
from .record import Execution
from .runner import Runner
from .store import Store
from .worker_process import raise_limits

__all__ = ("Host",)

_PAUSE = 0.2  # seconds until a client is let in again, when there was no descriptor for one
_SETTLE = 0.05  # seconds
_DAY = 86400.0
_LINGER = 2.0  # seconds that clients have, at the end, to take what there is for them


class Host:
    """``listener`` listens on the session's socket. The caller holds the session's lock.

    ``killed``: the session's last host did not end by itself.
    """

    def __init__(self, options: HostOptions, listener: socket.socket, *, killed: bool = False) -> None:
        self._options = options
        self._place = SessionPlace(options.name)
        self._listener = listener
        self._socket = os.stat(self._place.socket).st_ino
        self._loop = Loop(self._end_of_turn)
        self._store = Store(self._place, options)
        self.epoch = self._store.epoch
        gone = "the session's last host ended unexpectedly" if killed and list(self._store) else ""
        self._runner = Runner(options, self.epoch, self._loop, self._ended, self._watch_idle, gone=gone)
        self._settling: dict[str, Execution] = {}  # they have ended, and their records are to be closed
        self._connections: set[Connection] = set()
        self._idle_timer: Optional[Timer] = None
        self._forget = False
        self._operations = Operations(
            options,
            self._store,
            self._runner,
            self._loop,
            settle=self._settle,
            begun=self._watch_idle,
            close=self._begin_close,
        )

    def serve(self) -> None:
        """Until the session is closed, or nobody has needed it for long."""
        raise_limits()
        adopt_orphans()
        self._listener.setblocking(False)
        with contextlib.ExitStack() as stack:
            self._heed_signals(stack)
            self._loop.watch(self._listener.fileno(), READ, self._accept)
            self._clean()
            self._runner.warm_up()
            self._watch_idle()
            self._loop.run()
            self._loop.close()

    def _heed_signals(self, stack: contextlib.ExitStack) -> None:
        reader, writer = socket.socketpair()
        for end in (reader, writer):
            end.setblocking(False)
            stack.callback(end.close)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        stack.callback(signal.set_wakeup_fd, -1)

        # Not ignored, which the worker would inherit: SIGINT is for a terminal's foreground, and SIGHUP
        # comes when it is closed.
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            stack.callback(signal.signal, number, signal.signal(number, lambda number, frame: None))

        def heard(events: int) -> None:
            numbers = reader.recv(4096)
            self._runner.reap()
            if signal.SIGTERM in numbers:
                self._begin_close(forget=False)

        self._loop.watch(reader.fileno(), READ, heard)

    # -- clients -----------------------------------------------------------------------------

    def _accept(self, events: int) -> None:
        try:
            peer, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError:  # no descriptor is left, or no memory: whoever waits is let in later
            self._loop.watch(self._listener.fileno(), 0, self._accept)
            self._loop.later(_PAUSE, self._accept_again)
            return
        if not peer_is_ours(peer):
            peer.close()
            return
        self._connections.add(Connection(peer, self._loop, self._obey, self._gone))
        self._watch_idle()

    def _accept_again(self) -> None:
        if not self._operations.closing:
            self._loop.watch(self._listener.fileno(), READ, self._accept)

    def _gone(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._watch_idle()

    def _obey(self, connection: Connection, op: dict[str, Any]) -> None:
        self._operations.do(Call(connection, op))

    # -- turns, and what comes with time -----------------------------------------------------

    def _end_of_turn(self) -> None:
        self._runner.commit()

    def _ended(self, execution: Execution) -> None:
        # Readers get `complete` first: what is to be done on the disk takes its time.
        self._settling[execution.id] = execution
        self._loop.later(_SETTLE, self._settle, execution)

    def _settle(self, execution: Execution) -> None:
        if self._settling.get(execution.id) is execution:
            del self._settling[execution.id]
            self._store.ended(execution)

    def _clean(self) -> None:
        self._store.forget_old()
        self._loop.later(_DAY, self._clean)

    def _watch_idle(self) -> None:
        """Once more, from the beginning: something has changed."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None
        if not self._connections and self._runner.is_idle and not self._operations.closing:
            self._idle_timer = self._loop.later(self._options.idle_timeout, self._begin_close, False)

    # -- the end -----------------------------------------------------------------------------

    def _begin_close(self, forget: bool) -> None:
        self._forget = self._forget or forget
        if self._operations.closing:
            return
        self._operations.closing = True
        self._loop.watch(self._listener.fileno(), 0, self._accept)
        self._listener.close()
        # At once: who comes now waits for the lock, and starts another.
        with contextlib.suppress(OSError):
            if os.stat(self._place.socket).st_ino == self._socket:
                os.unlink(self._place.socket)
        self._runner.close(self._linger)

    def _linger(self) -> None:
        """Everything has ended. Clients take what there is for them, then they are told."""
        for execution in list(self._settling.values()):
            self._settle(execution)
        self._linger_until(self._loop.later(_LINGER, self._tell_closers))

    def _linger_until(self, timer: Timer) -> None:
        if timer.function is not None and all(connection.has_all for connection in self._connections):
            timer.cancel()
            self._tell_closers()
        elif timer.function is not None:
            self._loop.later(0.01, self._linger_until, timer)

    def _tell_closers(self) -> None:
        if self._forget or not list(self._store):
            self._store.forget_all()
        else:
            Disk().discard(self._place.host_lock)  # what is left of it says that a host was killed
        self._operations.tell_closed()
        for connection in self._connections:
            connection.answer({"type": "closed"})
        self._part(self._loop.later(_LINGER, self._loop.stop))

    def _part(self, timer: Timer) -> None:
        if all(connection.is_idle for connection in self._connections):
            self._loop.stop()
        elif timer.function is not None:
            self._loop.later(0.01, self._part, timer)
