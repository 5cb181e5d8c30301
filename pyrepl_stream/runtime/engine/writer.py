"""Carries the output of an execution from its buffer to a sink, live and within a memory limit.

While text flows, C code puts small writes straight into the buffer, and a tick every 2 ms moves them to
the sink. (Large writes are checked: in the 5 ms that the engine may have to wait for the GIL, C code writes
50 MB.) The ``write`` in the dict of each bound thread (``streams.py``) depends on the state, so that a
flowing write costs nothing extra. A ``write`` that user code saved follows the state too, unless it was
saved while text flowed: then it remains C code, but its text is limited, too (``_SLACK``).

The parts: ``flow.py`` has the states, the waiting, the timing and the count of dropped output; ``order.py``
keeps the order with file descriptors; and ``binding.py`` exchanges ``write``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sized
from itertools import chain
from typing import Callable, Optional, Union

from ..journal.memory import NEVER_DROPPED
from ..journal.sizes import cost_of
from ..messages import GapMessage, Message, StreamType
from ..text import utf8_size
from .binding import WriteBinding
from .flow import SLOW_TICK, TICK, Flow, FlowState, Losses, Pace, WriterSink, next_state
from .loop import LoopThread, process_is_leaving
from .order import DescriptorOrder, OrderedOutput
from .write_buffer import Coalescer, WriteBuffer

__all__ = ("Writer",)

_SLACK = 32 << 20  # bytes that threads which must not wait may write while the gate is shut
_AHEAD = 8 << 20  # characters; while more are waiting to be moved, large writes wait too
_LINE_END = 0.0005  # seconds to wait for the end of a line after its beginning
_WAKE = 8  # number of messages after which readers are woken
_BURST = 256  # maximum messages moved at once, so that the engine stays responsive
_CANNOT_WAIT = "the reader lagged, and the writer could not wait"
_IDLE, _FLOWING, _GATED, _FAILED, _CLOSED = FlowState  # access to members is slow before Python 3.12


class Writer:
    """The one path from user code to a sink. ``write`` and ``post`` may be called by any thread."""

    def __init__(
        self,
        sink: WriterSink,
        engine: LoopThread,
        *,
        fail: bool = False,
        on_shut: Callable[[], None] = lambda: None,
        order: Optional[DescriptorOrder] = None,
    ) -> None:
        """Make the writer of one execution.

        Args:
            sink: Where the messages go.
            engine: The loop that moves them.
            fail: Raise in user code once the sink has lost output.
            on_shut: Called in the engine's thread when the sink has run out of room.
            order: Keeps order with file descriptors 1 and 2, for an execution whose descriptors are read
                too. The sink is then a channel to another process.
        """
        self._sink = sink
        self._engine = engine
        self._on_shut = on_shut
        self._order = None if order is None else OrderedOutput(order)
        self._buffer = WriteBuffer()
        self._coalescer = Coalescer()
        self._backlog: Optional[Iterator[Message]] = None  # messages for which the sink had no room
        self._flow = Flow(sink, engine, fail=fail, remote=order is not None)
        self._pace = Pace()
        self._losses = Losses()
        self._encode: Optional[Callable[[str], bytes]] = None
        self._timer: Optional[asyncio.TimerHandle] = None
        stdout = self._buffer.stdout
        flush = stdout.flush if order is None else self._flush
        self.binding = WriteBinding(stdout.write, self._write, flush, self._is_direct)
        self._direct = stdout.write
        self.write = self.binding.write
        self.flush = flush
        self.alive = True  # the code runs
        self.waiting: Sized = ()  # one item for each bound thread that waits for input, and cannot write
        self.fallback: Callable[[str], int] = len  # where text goes after the end of the session

    # -- called from any thread --------------------------------------------------------------

    def _write(self, text: str) -> int:
        """Write to stdout with all checks; ``write`` calls either this method or C code."""
        flow = self._flow
        if flow.state is _CLOSED:
            return self.fallback(text)
        if self._encode is not None:
            self.post(StreamType.STDOUT, self._encode(text))
            return len(text)
        if not flow.is_open and not flow.wait():
            if flow.escaped + self._buffer.pending() + len(text) > _SLACK:
                self._losses.add(utf8_size(text))
                return len(text)
        if self._order is not None and self._order.wait():
            self.keep_order()
        count = self._direct(text)
        if self._order is not None:
            self._order.entered()
        if flow.state is _IDLE and not flow.woken:
            self._wake()
        else:
            if self._pace.sample(count):
                self.binding.update()
            if self._buffer.pending() > _AHEAD:
                self._wait_for_engine()
        if self._order is not None and text.endswith("\n"):
            self._order.flush_line()
        return count

    def post(
        self,
        stream: Optional[StreamType],
        data: Union[str, bytes, Message],
        source: str = "",
        *,
        pump: bool = False,
    ) -> None:
        """Write to a stream, or emit a message.

        Args:
            stream: The stream, or None when ``data`` is a message.
            data: Text, bytes, or a message.
            source: The label of the output.
            pump: The caller is an internal thread that reads a program's output. It calls the engine itself
                once it has written a lot.

        Raises:
            BufferOverflowError: Output was lost, and the policy is "fail".
        """
        flow = self._flow
        if flow.state is _CLOSED:
            if isinstance(data, (str, bytes)):
                self.fallback(data if isinstance(data, str) else data.decode("utf-8", "replace"))
            return
        if not flow.is_open and not isinstance(data, NEVER_DROPPED) and not flow.wait():
            flow.escaped += cost_of(data) if isinstance(data, Message) else len(data)
            if flow.escaped > _SLACK:
                self._losses.add(0 if isinstance(data, Message) else utf8_size(data))
                return
        if self._order is not None and self._order.wait():
            self.keep_order()
        self._buffer.post(stream, data, source)
        if self._order is not None:
            self._order.entered()
        if pump and not isinstance(data, Message) and self._pace.read(len(data)):
            self._engine.call(self.tick)
        self._wake()
        if self._order is not None and not pump and _ends_line(data):
            self._order.flush_line()

    def _flush(self) -> None:
        if self._order is not None and self._flow.state is not _CLOSED:
            self._order.flush()

    def encode_by(self, encode: Optional[Callable[[str], bytes]]) -> None:
        """Encode text for stdout by calling ``encode``; None for the default, UTF-8."""
        self._encode = encode
        self.binding.update()

    def keep_order(self) -> None:
        """Apply the checks to every write from now on: other code is about to write to the descriptors."""
        if self._order is not None and not self._order.strict:
            self._order.strict = True
            self.binding.update()

    @property
    def idle(self) -> bool:
        """True when everything written so far is in the sink, and no write can bypass the checks."""
        return not self._is_direct() and self._backlog is None and self._buffer.empty

    @property
    def taken(self) -> bool:
        """True when the last :meth:`tick` moved everything that was written before it."""
        return self._backlog is None

    def release(self) -> None:
        """Unblock all threads that wait for room: the execution is being stopped."""
        self._flow.release()

    def after_fork(self) -> None:
        """Write to the fallback in a forked child: it has no engine, and the execution is the parent's."""
        self._flow.close_in_child()
        self.binding.update()

    def _wait_for_engine(self) -> None:
        """Wait until the engine has caught up, even on an event loop: this takes only milliseconds."""
        flow = self._flow
        while flow.is_open and self._buffer.pending() > _AHEAD:
            if flow.released or process_is_leaving():
                return
            time.sleep(TICK)

    def _wake(self) -> None:
        flow = self._flow
        if (flow.state is _IDLE or flow.state is _FAILED) and not flow.woken:
            flow.woken = True
            if not self._engine.call(self._begin):
                flow.woken = False

    def _is_direct(self) -> bool:
        flow = self._flow
        return (
            self._pace.small
            and (flow.state is _FLOWING or (flow.state is _IDLE and flow.woken))
            and self._encode is None
            and (self._order is None or not self._order.strict)
        )

    # -- called in the engine's thread -------------------------------------------------------

    def _begin(self) -> None:
        """Take the first text after a pause. ``print`` writes a line in two pieces: wait for the second."""
        flow = self._flow
        if flow.state is _IDLE:
            flow.enter(_FLOWING)
        flow.woken = False
        if not self._buffer.in_line or flow.state is _CLOSED:
            self.tick()
        else:
            self._later(_LINE_END)

    def _later(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._engine.loop.call_later(seconds, self.tick)

    def tick(self, asked: bool = False) -> None:
        """Move text to the sink, and enter the next state.

        Args:
            asked: A caller waits for the text written so far. Finding no text is then not a pause.
        """
        flow, pace = self._flow, self._pace
        before = flow.state
        if before is _CLOSED:
            return
        if self._timer is not None:
            self._timer.cancel()
        if not flow.is_open:
            self._catch_escapes()
        if pace.small and self._order is not None and self._order.unread():
            self.keep_order()
        if pace.small and self._buffer.pending() > _AHEAD:
            pace.small = False
            self.binding.update()
        delay = pace.tick()
        found = self._move()
        backlog = self._backlog is not None
        state = next_state(before, failed=flow.failed, backlog=backlog, found=found, asked=asked)
        if flow.is_open and state in (_GATED, _FAILED):
            self._on_shut()
        flow.enter(state)
        if state is _IDLE and before is not _IDLE:
            pace.pause()
            if self._order is not None:
                self._order.pause()
            self.binding.update()
            self._move()  # text written between the move above and the change of `write`
        else:
            self.binding.update()
        self._schedule(delay)

    def _schedule(self, delay: float) -> None:
        """Set the timer for the next tick, ``delay`` seconds from now while text flows."""
        state = self._flow.state
        if self._backlog is not None and self._sink.has_room():
            self._later(0)  # only the limit of a burst was reached
        elif state is _FLOWING or (state is _GATED and self._buffer.pending()):
            self._later(delay)
        elif state is _GATED or self.binding.count > len(self.waiting):
            self._later(SLOW_TICK)  # a thread may call a `write` that it saved, which wakes nothing

    def _catch_escapes(self) -> None:
        """Limit the text that a ``write`` saved by user code adds while the writer is blocked."""
        flow = self._flow
        if flow.escaped + self._buffer.pending() > _SLACK:
            self._losses.add(self._buffer.discard())
        else:
            flow.escaped += self._buffer.pending()
            self._buffer.cut()

    def _move(self) -> bool:
        """Move text to the sink as long as it has room. Return True if any text was moved."""
        if self._backlog is None:
            self._backlog = self._coalescer.messages(self._buffer.take())
        try:
            return self._append_burst(self._backlog)
        finally:
            self._sink.wake()

    def _append_burst(self, messages: Iterator[Message]) -> bool:
        for moved in range(_BURST):
            if not self._sink.has_room():
                return moved > 0
            if moved % _WAKE == _WAKE - 1:
                self._sink.wake()
            message = next(messages, None)
            if message is None:
                self._backlog = None
                if not self._note_losses():
                    return moved > 0
                self._backlog = messages = self._coalescer.messages(self._buffer.take())
                continue
            self._sink.append(message, wake=False)
        return True

    def _note_losses(self) -> bool:
        """Queue a gap for the output lost since the last call. Return False if no output was lost."""
        size = self._losses.take()
        if size is None:
            return False
        self._buffer.post(None, GapMessage(bytes=size, reason=_CANNOT_WAIT))
        return True

    def flush_bytes(self) -> None:
        """Move everything, including incomplete characters, because the code has ended."""
        self._note_losses()
        self._buffer.end_text()
        self._move()

    def close(self) -> None:
        """Move everything to the sink at the end of the session. Later text goes to the fallback."""
        if self._flow.state is _CLOSED:
            return
        self._flow.release()
        self._note_losses()
        self._buffer.end_text()
        for message in chain(self._backlog or (), self._coalescer.messages(self._buffer.take())):
            self._sink.append(message, wake=False)
        self._backlog = None
        self._sink.wake()
        self._flow.enter(_CLOSED)
        if self._timer is not None:
            self._timer.cancel()
        self.binding.update()


def _ends_line(data: Union[str, bytes, Message]) -> bool:
    if isinstance(data, Message):
        return False
    return data.endswith("\n") if isinstance(data, str) else data.endswith(b"\n")
