"""Carries what an execution writes from its outbox to a sink, live and bounded.

Three states. *Idle*: the next write wakes the engine. *Flowing*: writes go straight into the outbox
by C code (large ones do not: in the 5 ms that the engine may have to wait for the GIL, C code writes
50 MB), and a tick of 2 ms takes them out. *Gated*: the sink has no room, and a write waits before it
enters the outbox. Which state holds is what ``write`` is in the dict of each bound thread
(``streams.py``), so that a flowing write costs nothing extra. A ``write`` that user code saved follows
the state too, unless it was saved in mid-flow: that one is C code for good, and is bounded by ``SLACK``.
"""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from collections.abc import Iterator
from typing import Callable, Optional, Protocol, Union

from ..errors import BufferOverflowError
from ..journal import NEVER_DROPPED, cost_of
from ..messages import GapMessage, Message, StreamType
from .loop import LoopThread, process_is_leaving, runs_event_loop
from .outbox import Coalescer, Lost, Outbox, size_of

__all__ = ("Sink", "Order", "Writer")

TICK = 0.002  # seconds between two takes while text flows
SLOW_TICK = 0.05  # seconds; catches `write` methods that user code saved while text flowed
SLACK = 32 << 20  # bytes that writers which cannot wait may write while the gate is shut
AHEAD = 8 << 20  # characters: with more of them waiting to be taken, large writes wait too
_SAMPLE = 256  # writes after which it is known whether they are small
_SMALL = 256  # characters; a write that is small as a rule may go straight in
_LINE_END = 0.0005  # seconds that the end of a line has to come after its beginning
_AT_LEISURE = 64  # lines; what writes more of them without a pause is in a hurry
FLOOD_TICK = 0.008  # seconds, while a pump floods: the engine's turns at the GIL are what slows it down
_FLOOD = 64 << 10  # bytes of a pump in one tick
_PUMPED = 1 << 20  # bytes that a pump writes until it has the engine take them
_WAKE = 8  # messages of a drain after which readers are woken
_BURST = 256  # messages that one drain moves at most, so that the engine stays responsive
_CANNOT_WAIT = "the reader lagged, and the writer could not wait"


class Sink(Protocol):
    """Where messages go: a journal, or a channel to one."""

    def append(self, message: Message, *, wake: bool) -> object: ...

    def wake(self) -> None:
        """Have readers look at what was appended without a wake."""

    def has_room(self) -> bool:
        """False: come back when it has called for :meth:`Writer.tick`."""

    @property
    def overflowed(self) -> bool: ...


class Order(Protocol):
    """Keeps text in order with what is written to file descriptors, past the writer. For any thread."""

    def unread(self) -> bool:
        """Whether something was written there that has not been read."""

    def wait(self) -> bool:
        """Wait until that is read, with a bound; False when there was nothing to wait for."""

    def entered(self) -> None:
        """Text was written: what is written to the descriptors from now on comes behind it."""

    def flush(self) -> bool:
        """Wait, with a bound, until what was written has left this process; whether it has."""


class Writer:
    """The one path from user code to a sink. ``write`` and ``post`` may be called by any thread."""

    def __init__(
        self,
        sink: Sink,
        engine: LoopThread,
        *,
        fail: bool = False,
        on_shut: Callable[[], None] = lambda: None,
        order: Optional[Order] = None,
    ) -> None:
        self._sink = sink
        self._order = order
        self._ordered = False  # others write to the descriptors: no write goes straight in
        self._engine = engine
        self._fail = fail
        self._on_shut = on_shut  # called in the engine's thread when the gate shuts
        self._outbox = Outbox()
        # Either of these, as the state asks for, and at C's price also where user code saved it:
        # `partial.__setstate__` changes in place what a partial calls.
        self._direct = self._outbox.stdout.write
        self.flush: Callable[[], object] = self._outbox.stdout.flush if order is None else self._flush
        self._indirect = self._write
        self.write = functools.partial(self._indirect)
        self._coalescer = Coalescer()
        self._rest: Optional[Iterator[Union[Message, Lost]]] = None  # what the sink had no room for
        # The gate is a flag that is polled: a lock could be left held by a thread that an
        # asynchronous exception takes out of its wait, and the engine would wait for it.
        self._open = True
        self._room = threading.Event()  # the same, for threads to which no exception is sent
        # Lines, and calls of `flush`, that were waited for since nothing was written for a while.
        self._seen_off = self._flushed = 0
        self._posted = 0  # bytes that such a thread wrote since it last had them taken
        self._flowing = False
        self._light = False  # while text flows: its writes are small
        self._sampled = 0  # writes whose sizes are in _sample
        self._sample = 0  # characters
        # How many writes, and bytes of output, each thread could not put here, ever.
        self._lost: dict[int, tuple[int, int]] = {}
        self._noted = (0, 0)  # of their sums
        self._encode: Optional[Callable[[str], bytes]] = None
        self._closed = False
        self._hurry = False  # the code was told to end: nobody waits at the gate any more
        self._escaped = 0  # bytes written past the shut gate
        self._timer: Optional[asyncio.TimerHandle] = None
        self._bound: list[dict[str, object]] = []  # dicts of the threads whose stdout this is
        self.alive = True  # the code runs: look for text even when nothing wakes the engine
        self.fallback: Callable[[str], int] = len  # where text goes after the end of the session

    # -- any thread --------------------------------------------------------------------------

    def _write(self, text: str) -> int:
        """Write to stdout when the writer is idle or gated. (``write`` is this, or C code.)"""
        if self._closed:
            return self.fallback(text)
        if self._encode is not None:
            self.post(StreamType.STDOUT, self._encode(text))
            return len(text)
        if not self._open and not self._wait_for_room():
            if self._escaped + self._outbox.pending() + len(text) > SLACK:
                self._lose(size_of(text))
                return len(text)
        if self._order is not None and self._order.wait():
            self._ordered = True
        count = self._direct(text)
        if self._order is not None:
            self._order.entered()
        if self._flowing:
            self._weigh(count)
        else:
            self._wake()
        if self._order is not None and text.endswith("\n"):
            self._see_off()
        return count

    def post(
        self,
        stream: Optional[StreamType],
        data: Union[str, bytes, Message],
        source: str = "",
        *,
        pump: bool = False,
    ) -> None:
        """Write to a stream under a label, or (``stream`` None) say a whole message.

        ``pump``: for a thread of ours, which no exception is sent to; it waits, and has the engine
        take what it wrote, without the delays that others cost.
        """
        if self._closed:
            if isinstance(data, (str, bytes)):
                self.fallback(data if isinstance(data, str) else data.decode("utf-8", "replace"))
            return
        if not self._open and not isinstance(data, NEVER_DROPPED) and not self._wait_for_room(pump):
            self._escaped += cost_of(data) if isinstance(data, Message) else len(data)
            if self._escaped > SLACK:
                self._lose(0 if isinstance(data, Message) else size_of(data))
                return
        if self._order is not None and self._order.wait():
            self.keep_order()
        self._outbox.post(stream, data, source)
        if self._order is not None:
            self._order.entered()
        if pump and not isinstance(data, Message):
            self._posted += len(data)
            if self._posted >= _PUMPED:  # reset by the tick; a few calls too many do no harm
                self._posted = 0
                self._engine.call(self.tick)
        self._wake()
        if self._order is not None and not pump and _ends_line(data):
            self._see_off()

    def _see_off(self) -> None:
        """A line that is written at leisure has left this process before the code goes on, and may crash."""
        if self._seen_off < _AT_LEISURE:
            self._seen_off += 1
            if self._order is not None and not self._order.flush():
                self._seen_off = _AT_LEISURE  # the host is slow, and nobody is to wait for it line by line

    def _flush(self) -> None:
        # Who asks waits, but not line by line for thousands of them: only text is at stake here. (What starts
        # or ends a process asks the order itself.)
        if self._order is not None and not self._closed and self._flushed < _AT_LEISURE:
            self._flushed += 1
            if not self._order.flush():
                self._flushed = _AT_LEISURE

    def bind(self, names: dict[str, object]) -> None:
        """Make this writer the target of a thread; ``names`` is its dict in the stdout proxy."""
        self._bound.append(names)
        self._point()

    def unbind(self, names: dict[str, object]) -> None:
        self._bound[:] = [known for known in self._bound if known is not names]
        names.pop("write", None)
        names.pop("flush", None)

    def encode_by(self, encode: Optional[Callable[[str], bytes]]) -> None:
        """Have what is written to stdout go as the bytes that ``encode`` makes of it."""
        self._encode = encode
        self._point()

    def keep_order(self) -> None:
        """Somebody is about to write to the descriptors: no write goes straight in any more."""
        if self._order is not None and not self._ordered:
            self._ordered = True
            self._point()

    @property
    def is_bound(self) -> bool:
        """Whether any thread writes here."""
        return bool(self._bound)

    @property
    def idle(self) -> bool:
        """Whether all that was written is in the sink. (Of what goes straight in, nobody knows.)"""
        return not self._is_direct() and self._rest is None and self._outbox.empty

    @property
    def taken(self) -> bool:
        """Whether the last :meth:`tick` found an end of what was written."""
        return self._rest is None

    def release(self) -> None:
        """Let nobody wait for room any more: the code was told to end."""
        self._hurry = True
        self._room.set()

    def after_fork(self) -> None:
        """This is the child: there is no engine here, and the execution is the parent's."""
        self._closed = True
        self._point()

    def _wait_for_room(self, pump: bool = False) -> bool:
        """Wait at the gate. False when this thread must not wait: it runs an event loop."""
        # With an order the sink is a channel, whose reader needs no event loop of this process but ours.
        may_wait = not runs_event_loop() or (
            self._order is not None and threading.get_ident() != self._engine.ident
        )
        while not self._open and not self._hurry and not process_is_leaving():
            if self._fail and self._sink.overflowed:
                raise BufferOverflowError(
                    "the reader lags by more than buffer_bytes, and overflow is 'fail': "
                    "read faster, raise buffer_bytes, or choose another overflow policy"
                )
            if not may_wait:
                return False
            if pump:
                self._room.wait(SLOW_TICK)
            else:
                time.sleep(TICK)
        return self._open

    def _lose(self, size: int) -> None:
        # Totals for each thread, which only that thread changes: no lock, and no memory for each loss.
        thread = threading.get_ident()
        count, total = self._lost.get(thread, (0, 0))
        self._lost[thread] = count + 1, total + size

    def _weigh(self, size: int) -> None:
        """Find out whether writes are small; wait when they are not and the engine has to catch up."""
        self._sample = self._sample + size if self._sampled else size
        self._sampled += 1
        if self._sampled >= _SAMPLE:
            self._light = self._sample <= _SMALL * self._sampled
            self._sampled = 0
            self._point()
        # On an event loop too: this is the engine's turn at the GIL, some milliseconds, and no reader's.
        while self._outbox.pending() > AHEAD and self._open and not self._hurry and not process_is_leaving():
            time.sleep(TICK)

    def _wake(self) -> None:
        if not self._flowing:
            self._flowing = True
            self._point()
            if not self._engine.call(self._begin):
                self._flowing = False

    def _point(self) -> None:
        direct: Optional[bool] = None
        while direct != self._is_direct():  # again, when another thread changed the state meanwhile
            direct = self._is_direct()
            target = self._direct if direct else self._indirect
            self.write.__setstate__((target, (), {}, None))  # type: ignore[attr-defined]  # not in typeshed
            for names in list(self._bound):
                names["write"] = self._direct if direct else self.write
                names["flush"] = self.flush

    def _is_direct(self) -> bool:
        return (
            self._flowing
            and self._light
            and self._open
            and self._encode is None
            and not self._ordered
            and not self._closed
        )

    # -- the engine's thread -----------------------------------------------------------------

    def _begin(self) -> None:
        """The first text after a while has come. ``print`` writes a line in two pieces: they go together."""
        if not self._outbox.in_line:
            self.tick()
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._engine.loop.call_later(_LINE_END, self.tick)

    def tick(self, asked: bool = False) -> None:
        """Take what was written, and set the state that follows from it.

        ``asked``: for somebody who waits for it. That nothing is found then says nothing about the pace.
        """
        if self._closed:
            return
        if self._timer is not None:
            self._timer.cancel()
        if not self._open:
            self._catch_escapes()
        if self._light and self._order is not None and self._order.unread():
            self.keep_order()
        if self._light and self._outbox.pending() > AHEAD:
            self._light = False
            self._point()
        flood = self._posted >= _FLOOD
        self._posted = 0
        found = self.drain()
        shut = self._rest is not None or (self._fail and self._sink.overflowed)
        if shut and self._open:
            self._on_shut()
        self._open = not shut
        if self._open:
            self._escaped = 0
            self._room.set()
        else:
            self._room.clear()
        busy = found or self._rest is not None
        idle = self._flowing and not busy and not asked
        self._flowing = busy or (self._flowing and asked)
        if idle:
            self._light = False
            self._sampled = 0
            self._seen_off = self._flushed = 0
        self._point()
        if idle:
            self.drain()  # what was written between the last take and the change of `write`
        if self._rest is not None and self._sink.has_room():
            self._timer = self._engine.loop.call_later(0, self.tick)  # only the burst was over
        elif self._flowing and (self._open or self._outbox.pending()):
            self._timer = self._engine.loop.call_later(FLOOD_TICK if flood else TICK, self.tick)
        elif self._flowing or self.alive or self._bound:
            self._timer = self._engine.loop.call_later(SLOW_TICK, self.tick)

    def _catch_escapes(self) -> None:
        """Bound what comes past the shut gate, through a `write` that user code had saved."""
        if self._escaped + self._outbox.pending() > SLACK:
            self._lose(self._outbox.discard())
        else:
            self._escaped += self._outbox.pending()
            self._outbox.cut()

    def drain(self) -> bool:
        """Move what was written to the sink, as far as it has room; whether anything was moved."""
        if self._rest is None:
            self._rest = self._coalescer.messages(self._outbox.take())
        try:
            return self._move()
        finally:
            self._sink.wake()

    def _move(self) -> bool:
        assert self._rest is not None
        for moved in range(_BURST):
            if not self._sink.has_room():
                return moved > 0
            if moved % _WAKE == _WAKE - 1:
                self._sink.wake()
            message = next(self._rest, None)
            if message is None:
                self._rest = None
                if not self._note_losses():
                    return moved > 0
                self._rest = self._coalescer.messages(self._outbox.take())
                continue
            self._append(message)
        return True

    def _note_losses(self) -> bool:
        """Queue what was lost since the last note; whether there was any."""
        losses = list(self._lost.values())
        count, size = sum(loss[0] for loss in losses), sum(loss[1] for loss in losses)
        if count == self._noted[0]:
            return False
        self._outbox.cut()
        self._outbox.note(size - self._noted[1], _CANNOT_WAIT)
        self._noted = count, size
        return True

    def flush_bytes(self) -> None:
        """The code has ended: what waited for the rest of a character goes as it is."""
        self._note_losses()
        self._outbox.end_text()
        self.drain()

    def close(self) -> None:
        """The session has ended: what is written from now on goes to the fallback."""
        if self._closed:
            return
        self._hurry = True
        self._note_losses()
        self._outbox.end_text()
        for message in self._rest or ():
            self._append(message)
        for message in self._coalescer.messages(self._outbox.take()):
            self._append(message)
        self._rest = None
        self._sink.wake()
        self._closed = True
        self._open = True
        self._room.set()
        if self._timer is not None:
            self._timer.cancel()
        self._point()

    def _append(self, message: Union[Message, Lost]) -> None:
        if isinstance(message, Lost):
            message = GapMessage(bytes=message.bytes, reason=message.reason)
        self._sink.append(message, wake=False)


def _ends_line(data: Union[str, bytes, Message]) -> bool:
    if isinstance(data, Message):
        return False
    return data.endswith("\n") if isinstance(data, str) else data.endswith(b"\n")
