"""A host for one real worker process: frames, pipes and signals, handled in the order of a real host."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyrepl_stream import Message, OutputMessage, StreamType
from pyrepl_stream.runtime.process.tree import MARK, marked_processes
from pyrepl_stream.runtime.protocol.frames import Frame, FrameDecoder, FrameType, pack
from pyrepl_stream.runtime.protocol.marks import execution_of
from pyrepl_stream.runtime.protocol.requests import CommandRequest, Request
from pyrepl_stream.runtime.protocol.shared_state import SharedState
from pyrepl_stream.runtime.wire import decode, numbered

__all__ = ("Execution", "Worker")

ROOT = Path(__file__).parents[2]
DEADLINE = 60.0  # seconds after which a wait is considered to hang
_BOOT = "import sys; from pyrepl_stream.runtime.worker.main import main; main(%d, %d)"
_MESSAGES = (FrameType.MESSAGE, FrameType.KEPT, FrameType.ASK, FrameType.COMPLETE)


@dataclass
class Execution:
    ordinal: int
    messages: list[Message] = field(default_factory=list)
    pipes: dict[int, StreamType] = field(default_factory=dict)  # the read ends
    frames: list[FrameType] = field(default_factory=list)
    complete: Any = None
    closed: bool = False

    def text(self, stream: StreamType | None = None) -> str:
        """Return the output in order, of both streams or of one."""
        return "".join(
            m.text for m in self.messages if isinstance(m, OutputMessage) and stream in (None, m.stream)
        )

    def of(self, kind: type) -> list[Any]:
        return [message for message in self.messages if isinstance(message, kind)]


class Worker:
    """A worker and the host's view of it. Methods that wait run the host's loop."""

    def __init__(
        self,
        python: str = sys.executable,
        *options: str,
        path: Path = ROOT,
        env: dict[str, str] | None = None,
    ):
        ours, theirs = socket.socketpair()
        shared = SharedState.create()
        self.mark = f"test{os.getpid()}x{id(self):x}"
        self.process = subprocess.Popen(
            [python, "-u", *options, "-c", _BOOT % (theirs.fileno(), shared)],
            env={**os.environ, "PYTHONPATH": str(path), MARK: self.mark, **(env or {})},
            pass_fds=(theirs.fileno(), shared),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        self.shared = SharedState(shared)
        os.close(shared)
        self.channel: socket.socket | None = ours
        ours.setblocking(False)
        self._decoder = FrameDecoder()
        self._selector = selectors.DefaultSelector()
        self._selector.register(ours, selectors.EVENT_READ)
        self._asked = 0
        self._held: dict[
            int, tuple[int, float]
        ] = {}  # by pipe: the number of the FLUSHED that it waits for, and until when
        self._frames: list[Frame] = []
        self.executions: dict[int, Execution] = {}
        self.replies: list[dict[str, Any]] = []
        self.flushes = 0
        self.ready: dict[str, Any] = {}

    def __enter__(self) -> Worker:
        self.until(lambda: bool(self.ready))
        return self

    def __exit__(self, *exc: object) -> None:
        self.end()

    def end(self) -> None:
        """Act as a host that ends: close the channel and wait for the worker."""
        if self.channel is not None:
            self._selector.unregister(self.channel)
            self.channel.close()
            self.channel = None
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for execution in self.executions.values():
            for pipe in list(execution.pipes):
                self._close(execution, pipe)
        self._selector.close()
        self.shared.close()

    # -- operations of a host --------------------------------------------------------------------

    def start(self, code: str = "", command: CommandRequest | None = None) -> Execution:
        execution = Execution(len(self.executions) + 1)
        self.executions[execution.ordinal] = execution
        request = Request(f"e{execution.ordinal}", code, command)
        data = pack(Frame(FrameType.EXECUTE, execution.ordinal, json.dumps(request.as_json()).encode()))
        if command is not None:
            self._send(data)
            return execution
        ends = [os.pipe(), os.pipe()]
        for (reader, _), stream in zip(ends, (StreamType.STDOUT, StreamType.STDERR), strict=True):
            os.set_blocking(reader, False)
            execution.pipes[reader] = stream
            self._selector.register(reader, selectors.EVENT_READ, execution)
        self._send(data, [writer for _, writer in ends])
        for _, writer in ends:
            os.close(writer)
        return execution

    def run(self, code: str = "", command: CommandRequest | None = None) -> Execution:
        """Execute up to `complete`."""
        return self.wait(self.start(code, command))

    def wait(self, execution: Execution) -> Execution:
        self.until(lambda: execution.complete is not None)
        return execution

    def interrupt(self, ordinal: int, *, children: bool = True) -> None:
        if self.executions[ordinal].complete is not None:
            return
        self.shared.interrupted = ordinal
        self.process.send_signal(signal.SIGINT)
        self.emit(FrameType.STOP, ordinal)
        for pid in self.children(ordinal) if children else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)

    def children(self, ordinal: int) -> list[int]:
        """Return the processes that have the mark of an execution in their environment."""
        found = [pid for pid, _, _, marks in marked_processes() if execution_of(marks, self.mark) == ordinal]
        return [pid for pid in found if pid != self.process.pid]

    def wait_for_text(self, execution: Execution, text: str) -> None:
        self.until(lambda: text in execution.text())

    def emit(self, kind: FrameType, ordinal: int = 0, payload: bytes = b"") -> None:
        self._send(pack(Frame(kind, ordinal, payload)))

    def control(self, execution: Execution, do: str, **more: Any) -> dict[str, Any]:
        count = len(self.replies)
        if "data" in more:
            more["base64"] = base64.b64encode(more.pop("data")).decode()
        self.emit(
            FrameType.CONTROL, execution.ordinal, json.dumps({"request": count, "do": do, **more}).encode()
        )
        self.until(lambda: len(self.replies) > count)
        return self.replies[-1]

    def answer(self, execution: Execution, text: str | None) -> None:
        """Answer the newest question."""
        question = [m for m in execution.messages if m.type == "input_request"][-1]
        payload = json.dumps({"request": question.extra["request"], "text": text}).encode()
        self.emit(FrameType.INPUT, execution.ordinal, payload)

    def until(self, condition: Callable[[], bool]) -> None:
        """Run the loop until the condition holds. Raises AssertionError after 60 s, or when the worker ends."""
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline, "the worker hangs"
            assert self.channel is not None or any(e.pipes for e in self.executions.values()), (
                "the worker has ended"
            )
            self.turn(1.0)

    def turn(self, timeout: float = 0.0) -> None:
        """Run one turn of the host's loop."""
        now = time.monotonic()
        if self._held:
            timeout = max(0.0, min(timeout, *(until - now for _, until in self._held.values())))
        ready = [key for key, _ in self._selector.select(timeout)]
        for key in ready:
            if key.data is not None and key.fd not in self._held:
                self._on_readable(key.data, key.fd)
        self._drain()
        for pipe, (number, until) in list(self._held.items()):
            if self.flushes >= number or self.channel is None or time.monotonic() > until:
                self._unhold(pipe)

    def _on_readable(self, execution: Execution, pipe: int) -> None:
        pending = self.shared.pending and self.channel is not None
        self._drain()
        if not pending or self.channel is None:
            self._read(execution, pipe)
        else:
            # One FLUSH for each pipe: the answer to an earlier one does not include text written since.
            self.emit(FrameType.FLUSH)
            self._asked += 1
            self._held[pipe] = self._asked, time.monotonic() + 1.0
            self._selector.unregister(pipe)

    def _unhold(self, pipe: int) -> None:
        """Read a pipe for which FLUSHED has arrived, or did not arrive in time."""
        del self._held[pipe]
        execution = next(e for e in self.executions.values() if pipe in e.pipes)
        self._selector.register(pipe, selectors.EVENT_READ, execution)
        self._read(execution, pipe)

    def _read(self, execution: Execution, pipe: int) -> None:
        try:
            data = os.read(pipe, 256 << 10)
        except BlockingIOError:
            return
        if not data:
            self._close(execution, pipe)
            return
        self._add(
            execution, OutputMessage(stream=execution.pipes[pipe], data=data.decode("utf-8", "replace"))
        )

    def _close(self, execution: Execution, pipe: int) -> None:
        if pipe not in self._held:
            self._selector.unregister(pipe)
        self._held.pop(pipe, None)
        os.close(pipe)
        del execution.pipes[pipe]

    def _add(self, execution: Execution, message: Message) -> None:
        execution.messages.append(message)

    def _drain(self) -> None:
        while self.channel is not None:
            try:
                data = self.channel.recv(1 << 20)
            except BlockingIOError:
                return
            except ConnectionResetError:
                data = b""
            if not data:
                self._selector.unregister(self.channel)
                self.channel.close()
                self.channel = None
                return
            for frame in self._decoder.feed(data):
                self._on_frame(frame)
            until = time.monotonic() + 1.0  # the text that a pipe waits for is arriving
            self._held.update({pipe: (number, until) for pipe, (number, _) in self._held.items()})

    def _on_frame(self, frame: Frame) -> None:
        if frame.type is FrameType.READY:
            self.ready = json.loads(frame.payload)
        elif frame.type is FrameType.FLUSHED:
            self.flushes += 1
        elif frame.type is FrameType.REPLY:
            self.replies.append(json.loads(frame.payload))
        else:
            execution = self.executions[frame.ordinal]
            execution.frames.append(frame.type)
            if frame.type is FrameType.CLOSED:
                execution.closed = True
                return
            assert frame.type in _MESSAGES
            message = decode(numbered(frame.payload, f"e{frame.ordinal}", len(execution.messages) + 1))
            self._add(execution, message)
            if frame.type is FrameType.COMPLETE:
                execution.complete = message

    def _send(self, data: bytes, descriptors: list[int] | None = None) -> None:
        assert self.channel is not None
        self.channel.setblocking(True)
        try:
            if descriptors:
                sent = socket.send_fds(self.channel, [data], descriptors)
                data = data[sent:]
            self.channel.sendall(data)
        except BrokenPipeError:
            pass  # the worker has ended; what it sent before can still be read
        finally:
            self.channel.setblocking(False)
