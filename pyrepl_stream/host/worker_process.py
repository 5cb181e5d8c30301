"""The worker as its host has it: started, spoken to, signalled, seen to its end."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Callable, Optional

from ..errors import TargetError
from ..process.tree import MARK
from ..worker.frames import Frame, FrameDecoder, FrameType, pack
from ..worker.shared import SharedState
from .family import clock_ticks
from .launch import worker_command
from .loop import READ, WRITE, Loop
from .options import HostOptions

__all__ = ("WorkerProcess", "describe_end", "describe_failure", "keep_limits", "raise_limits")

_BUFFER = 1 << 20  # asked for on both sides of the channel
_DRAIN = 4 << 20  # more than the channel holds: what was there at the beginning of a drain has been read
_RECEIVE = 256 << 10
_WORDS = 8 << 10  # of the end of what a worker says before it is ready
_LEAVE = 2.0  # seconds between the end of the channel and the end of the process


class WorkerProcess:
    """``hear`` gets each frame, ``lost`` is called when the channel has ended and the process too.

    Raises OSError when it cannot be started.
    """

    def __init__(
        self,
        options: HostOptions,
        mark: str,
        loop: Loop,
        hear: Callable[[Frame], object],
        ended: Callable[[WorkerProcess], object],
    ) -> None:
        self.started = clock_ticks()
        self.ready = False
        self.exit: Optional[int] = None
        self.had_unsent = False  # when it ended: whether it had text that is lost with it
        """Its exit code, negative for a signal; None while it lives."""
        self._loop = loop
        self._hear = hear
        self._ended = ended
        self._decoder = FrameDecoder()
        self._outgoing: deque[tuple[memoryview, Sequence[int]]] = deque()
        self._awaited = 0  # an interrupt that waits for the worker to be ready: the ordinal
        self._words = b""
        self._open(options, mark)

    def _open(self, options: HostOptions, mark: str) -> None:
        with contextlib.ExitStack() as stack:
            ours, theirs = socket.socketpair()
            stack.callback(theirs.close)
            shared = SharedState.create()
            stack.callback(os.close, shared)
            words, their_words = os.pipe()
            stack.callback(os.close, their_words)
            try:
                self.shared = SharedState(shared)
                command = [*worker_command(options.python), str(theirs.fileno()), str(shared)]
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=their_words,
                    stderr=their_words,
                    cwd=options.cwd,
                    env=_environment(options.env, mark),
                    pass_fds=(theirs.fileno(), shared),
                    start_new_session=True,
                    preexec_fn=_before_exec,
                )
            except BaseException as exc:
                ours.close()
                os.close(words)
                if isinstance(exc, FileNotFoundError):
                    raise TargetError(
                        f"{exc.filename}, with which this session began, is not there any more: "
                        "put it back, or close the session, and the next one begins anew"
                    ) from exc
                raise
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            ours.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
        ours.setblocking(False)
        os.set_blocking(words, False)
        self._channel: Optional[socket.socket] = ours
        self._said = words
        self._loop.watch(ours.fileno(), READ, self._on_channel)
        self._loop.watch(words, READ, self._on_words)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def last_words(self) -> str:
        """The end of what it printed before it was ready."""
        return self._words.decode("utf-8", "replace").strip()

    # -- to the worker -----------------------------------------------------------------------

    def send(self, frame: Frame, descriptors: Sequence[int] = ()) -> None:
        """``descriptors`` are the worker's from now on: they are closed here."""
        if self._channel is None:
            _close_all(descriptors)
            return
        self._outgoing.append((memoryview(pack(frame)), descriptors))
        self._flush()

    def interrupt(self, ordinal: int) -> None:
        """SIGINT for the execution with that ordinal, and for no other."""
        self.shared.interrupted = ordinal
        if not self.ready:
            self._awaited = ordinal  # before its handler is there the signal would be lost
        else:
            self.signal(signal.SIGINT)

    def signal(self, number: int) -> None:
        if self.exit is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _flush(self) -> None:
        while self._outgoing and self._channel is not None:
            data, descriptors = self._outgoing[0]
            try:
                if descriptors:
                    sent = socket.send_fds(self._channel, [data[:_RECEIVE]], list(descriptors))
                else:
                    sent = self._channel.send(data)
            except BlockingIOError:
                break
            except OSError:  # it is gone: what reads the channel will say so
                self._forget_outgoing()
                break
            _close_all(descriptors)
            if sent < len(data):
                self._outgoing[0] = (data[sent:], ())
            else:
                self._outgoing.popleft()
        if self._channel is not None:
            events = READ | WRITE if self._outgoing else READ
            self._loop.watch(self._channel.fileno(), events, self._on_channel)

    def _forget_outgoing(self) -> None:
        for _, descriptors in self._outgoing:
            _close_all(descriptors)
        self._outgoing.clear()

    # -- from the worker ---------------------------------------------------------------------

    def drain(self, limit: int = _DRAIN) -> None:
        """Hear all that is in the channel now."""
        received = 0
        while self._channel is not None and received < limit:
            try:
                data = self._channel.recv(_RECEIVE)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._close_channel()
                return
            received += len(data)
            try:
                for frame in self._decoder.feed(data):
                    self._take(frame)
            except ValueError as exc:  # user code has written into the channel
                self._words += f"what came from the worker makes no sense: {exc}".encode()
                self._close_channel()
                self.signal(signal.SIGKILL)

    def _take(self, frame: Frame) -> None:
        if frame.type is FrameType.READY:
            self.ready = True
            if self._awaited:
                self.signal(signal.SIGINT)
        self._hear(frame)

    def _on_channel(self, events: int) -> None:
        if events & WRITE:
            self._flush()
        if events & READ:
            self.drain()

    def _on_words(self, events: int) -> None:
        try:
            data = os.read(self._said, _WORDS)
        except OSError:
            data = b""
        self._words = (self._words + data)[-_WORDS:]
        if not data:
            self._close_words()

    def _close_channel(self) -> None:
        if self._channel is not None:
            self._loop.watch(self._channel.fileno(), 0, self._on_channel)
            self._channel.close()
            self._channel = None
            self._forget_outgoing()
            # Without its channel it is of no use, whatever it still does.
            self._loop.later(_LEAVE, self.signal, signal.SIGKILL)

    def _close_words(self) -> None:
        if self._said >= 0:
            self._loop.watch(self._said, 0, self._on_words)
            os.close(self._said)
            self._said = -1

    # -- its end -----------------------------------------------------------------------------

    def reaped(self, status: int) -> None:
        """It has ended, with that wait status."""
        self.exit = os.waitstatus_to_exitcode(status)
        self._process.returncode = self.exit
        self.drain(limit=1 << 62)
        if self._said >= 0:
            self._on_words(READ)
        self._close_channel()
        self._close_words()
        self.had_unsent = self.shared.pending
        self.shared.close()
        self._ended(self)


def describe_end(code: int) -> str:
    """What became of a process, for people."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:  # a real-time signal
        name = f"signal {-code}"
    return f"was ended by {name}" + (" (often a sign of too little memory)" if name == "SIGKILL" else "")


def describe_failure(exc: Exception) -> str:
    """Why something could not be begun, for people."""
    if not isinstance(exc, OSError) or exc.strerror is None:  # errors of ours are OSErrors, too
        return str(exc)
    hint = _HINTS.get(exc.errno or 0, "")
    where = f" ({exc.filename})" if exc.filename else ""
    return f"{exc.strerror}{where}{hint}"


_HELD = (
    ": processes that earlier executions left running keep the pipes of their output open, two descriptors "
    "each; end them (kill the execution, or close the session)"
)
_HINTS = {
    errno.EMFILE: _HELD,
    errno.ENFILE: _HELD,
    errno.E2BIG: ": `env` and the environment of the session are longer than the system allows",
}


def _environment(changes: Optional[Mapping[str, Optional[str]]], mark: str) -> dict[str, str]:
    environment = {**os.environ, **(changes or {})}
    return {**{name: value for name, value in environment.items() if value is not None}, MARK: mark}


def _close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


_limits: Optional[tuple[int, int]] = None


def raise_limits() -> None:
    """As many descriptors as the system allows: each execution that still prints takes two."""
    global _limits
    _limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (_limits[1], _limits[1]))


def keep_limits() -> None:
    """What is started now gets the limit that the user has set: programs that use ``select`` need it."""
    if _limits is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, _limits)


def _before_exec() -> None:
    keep_limits()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # until the worker has its handler
