"""A worker process and the host's end of its channel."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Callable, Optional

from ..errors import TargetError
from ..process.tree import MARK
from ..protocol.frames import Frame, FrameDecoder, FrameType, pack
from ..protocol.shared_state import SharedState
from .launch import worker_command, worker_environment
from .loop import READ, WRITE, Loop
from .paths import HostOptions
from .processes import clock_ticks

__all__ = ("WorkerProcess", "describe_end", "describe_failure", "raise_limits")

_BUFFER = 1 << 20  # requested size of the socket buffers, in bytes, for both directions of the channel
_DRAIN = 4 << 20  # maximum bytes to drain: more than the channel holds, so that all sent data are read
_RECEIVE = 256 << 10  # maximum bytes to receive at once, or to send together with descriptors
_STARTUP = 8 << 10  # bytes to keep from the end of what a worker prints before it is ready
_LEAVE = 2.0  # seconds from the closing of the channel to SIGKILL


@dataclass(eq=False, repr=False)
class WorkerProcess:
    """A worker process.

    Attributes:
        options: The options of the session.
        mark: The mark of the processes that the worker starts.
        loop: The host's event loop.
        on_frame: Called with each frame that arrives.
        on_exit: Called when the process has ended and everything that it sent has been handled.
        first: The ordinal of its first execution.

    Raises:
        OSError: The process cannot be started.
        TargetError: The interpreter or the working directory of the session no longer exists.
    """

    options: HostOptions
    mark: str
    loop: Loop
    on_frame: Callable[[Frame], object]
    on_exit: Callable[[WorkerProcess], object]
    first: int = 1
    started: int = field(default_factory=clock_ticks)
    was_ready: bool = False  # it has installed its signal handlers
    received: int = 0  # total bytes received from the channel
    exit: Optional[int] = None  # the exit code, negative for a signal; None while it runs
    refused: str = ""  # why the host killed it: what it sent could not be handled
    had_unsent: bool = False  # it ended before it could send everything that Python code had written
    _decoder: FrameDecoder = field(default_factory=FrameDecoder)
    _outgoing: deque[tuple[memoryview, Sequence[int]]] = field(default_factory=deque)
    _startup: bytes = b""

    def __post_init__(self) -> None:
        with contextlib.ExitStack() as stack, contextlib.ExitStack() as kept:
            ours, theirs = socket.socketpair()
            kept.callback(ours.close)
            stack.callback(theirs.close)
            shared = SharedState.create()
            stack.callback(os.close, shared)
            self.shared = SharedState(shared)
            reader, output = os.pipe()
            self._output = kept.enter_context(open(reader, "rb", buffering=0))
            stack.callback(os.close, output)
            try:
                folder = self.options.cwd or "/"
                _check_directory(folder)
                command = [*worker_command(self.options.python, folder), str(theirs.fileno()), str(shared)]
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd="/",
                    env=worker_environment({**(self.options.env or {}), MARK: self.mark}, folder),
                    pass_fds=(theirs.fileno(), shared),
                    start_new_session=True,
                    preexec_fn=_before_exec,
                )
            except FileNotFoundError as exc:
                raise TargetError(
                    f"{exc.filename}, with which this session was started, no longer exists; restore it, or "
                    "close the session and start it again"
                ) from exc
            kept.pop_all()
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            ours.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
        ours.setblocking(False)
        os.set_blocking(reader, False)
        self._channel: Optional[socket.socket] = ours
        self.loop.watch(ours.fileno(), READ, self._on_channel)
        self.loop.watch(reader, READ, self._on_startup)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def startup_output(self) -> str:
        """The end of what the process printed before it was ready."""
        return self._startup.decode("utf-8", "replace").strip()

    # -- to the worker -----------------------------------------------------------------------

    def send(self, frame: Frame, descriptors: Sequence[int] = ()) -> None:
        """Send a frame.

        Args:
            frame: The frame.
            descriptors: File descriptors to pass to the worker and then close in this process.
        """
        if self._channel is None:
            _close_all(descriptors)
            return
        self._outgoing.append((memoryview(pack(frame)), descriptors))
        self._flush()

    def interrupt(self, ordinal: int) -> None:
        """Interrupt the execution of Python code with that ordinal, which must not have completed."""
        self.shared.interrupted = ordinal
        if self.was_ready:  # otherwise, the code has not begun, and will not begin
            self.signal(signal.SIGINT)
        self.send(Frame(FrameType.STOP, ordinal))

    def signal(self, number: int) -> None:
        """Send a signal to the process, unless it has ended."""
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
            except OSError:  # the worker has ended; the next read of the channel will report it
                self._forget_outgoing()
                break
            _close_all(descriptors)
            if sent < len(data):
                self._outgoing[0] = (data[sent:], ())
            else:
                self._outgoing.popleft()
        if self._channel is not None:
            events = READ | WRITE if self._outgoing else READ
            self.loop.watch(self._channel.fileno(), events, self._on_channel)

    def _forget_outgoing(self) -> None:
        for _, descriptors in self._outgoing:
            _close_all(descriptors)
        self._outgoing.clear()

    # -- from the worker ---------------------------------------------------------------------

    def drain(self, limit: int = _DRAIN) -> None:
        """Handle all frames that are in the channel now, reading at most ``limit`` bytes."""
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
            self.received += len(data)
            try:
                for frame in self._decoder.feed(data):
                    self.was_ready = self.was_ready or frame.type is FrameType.READY
                    self.on_frame(frame)
            except Exception as exc:  # user code has written into the channel, or memory is short
                self.refused = f"{type(exc).__name__}: {exc}".rstrip(": ")
                self._close_channel()
                self.signal(signal.SIGKILL)

    def _on_channel(self, events: int) -> None:
        if events & WRITE:
            self._flush()
        if events & READ:
            self.drain()

    def _on_startup(self, events: int) -> None:
        data = self._output.read(_STARTUP) or b""
        self._startup = (self._startup + data)[-_STARTUP:]
        if not data:
            self._close_output()

    def _close_channel(self) -> None:
        if self._channel is not None:
            self.loop.watch(self._channel.fileno(), 0, self._on_channel)
            self._channel.close()
            self._channel = None
            self._forget_outgoing()
            self.loop.call_later(_LEAVE, self.signal, signal.SIGKILL)

    def _close_output(self) -> None:
        if not self._output.closed:
            self.loop.watch(self._output.fileno(), 0, self._on_startup)
            self._output.close()

    # -- the end of the process --------------------------------------------------------------

    def reaped(self, status: int) -> None:
        """Handle the end of the process, given the wait status with which it was reaped."""
        self.exit = os.waitstatus_to_exitcode(status)
        self._process.returncode = self.exit
        self.drain(limit=1 << 62)
        if not self._output.closed:
            self._on_startup(READ)
        self._close_channel()
        self._close_output()
        self.had_unsent = self.shared.pending
        self.shared.close()
        self.on_exit(self)


def describe_end(code: int) -> str:
    """Return how a process with that exit code ended by itself, as part of a message."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:  # a real-time signal
        name = f"signal {-code}"
    return f"was ended by {name}" + (" (often a sign of too little memory)" if name == "SIGKILL" else "")


def describe_failure(exc: Exception) -> str:
    """Return why an execution could not be started, as part of a message."""
    if not isinstance(exc, OSError) or exc.strerror is None:  # some errors of this package are OSErrors
        return str(exc)
    hint = _HINTS.get(exc.errno or 0, "")
    where = f" ({exc.filename})" if exc.filename else ""
    return f"{exc.strerror}{where}{hint}"


_HELD = (
    "; processes that earlier executions left running keep two file descriptors of their output open for "
    "each execution: kill these executions, or close the session"
)
_HINTS = {
    errno.EMFILE: _HELD,
    errno.ENFILE: _HELD,
    errno.E2BIG: "; the environment of the session, with `env`, is longer than the system allows",
}


def _check_directory(path: str) -> None:
    """Raise OSError unless a process can change to the directory ``path``."""
    try:
        os.stat(os.path.join(path, "."))
    except OSError as exc:
        raise OSError(exc.errno, exc.strerror, path) from exc


def _close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


_limits: Optional[tuple[int, int]] = None


def raise_limits() -> None:
    """Allow this process as many file descriptors as possible: each execution that still writes needs two."""
    global _limits
    _limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (_limits[1], _limits[1]))


def _before_exec() -> None:
    if _limits is not None:  # programs that use `select` need the user's limit
        resource.setrlimit(resource.RLIMIT_NOFILE, _limits)
