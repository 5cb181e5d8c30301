"""One client of the host: its lines come in, answers and then slices of spools go out."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Mapping
from typing import Any, Callable, Optional

from ..errors import ProtocolError
from .loop import READ, WRITE, Loop
from .protocol import MAX_OP, TURN, line, parse
from .record import Execution, StoredExecution

__all__ = ("Connection", "Attach")

_BUFFER = 1 << 20  # asked for
_RECEIVE = 256 << 10
_BACKLOG = 1 << 20  # bytes of answers that are not taken, after which nothing is read any more
_PAUSE = 0.5  # seconds until a record that cannot be opened is tried again
_TURNS = 4  # that one client gets until the others do


class Attach:
    """What one client reads of one execution."""

    def __init__(
        self,
        connection: Connection,
        number: int,
        execution: Execution | StoredExecution,
        after: int,
        follow: bool,
        credit: Optional[int],
    ) -> None:
        self.number = number
        self.credit = credit
        """Bytes that the client takes now; None: any number."""
        self._connection = connection
        self._execution = execution
        self._follow = follow
        self._reader = execution.reader(after, follow=follow)
        if isinstance(execution, Execution):
            execution.readers.append(self)

    @property
    def has_credit(self) -> bool:
        return self.credit is None or self.credit > 0

    def read(self) -> bytes:
        """The next slice, which uses up credit; empty when there is nothing now."""
        data = self._reader.read(TURN if self.credit is None else min(TURN, self.credit))
        if self.credit is not None:
            self.credit -= len(data)
        return data

    @property
    def end(self) -> Optional[str]:
        """Why nothing comes any more; None when something may."""
        if self._reader.ended:
            return "closed" if self._follow else "complete"
        return "lost" if isinstance(self._execution, StoredExecution) else None

    def wake(self) -> None:
        self._connection.ready(self)

    def close(self) -> None:
        self._reader.close()
        if isinstance(self._execution, Execution) and self in self._execution.readers:
            self._execution.readers.remove(self)


class Connection:
    """``obey`` gets each line of the client; ``gone`` is called when it has left."""

    def __init__(
        self,
        peer: socket.socket,
        loop: Loop,
        obey: Callable[[Connection, dict[str, Any]], object],
        gone: Callable[[Connection], object],
    ) -> None:
        peer.setblocking(False)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        self.greeted = False
        self._peer: Optional[socket.socket] = peer
        self._loop = loop
        self._obey = obey
        self._gone = gone
        self._incoming = bytearray()
        self._searched = 0  # of it: there is no end of a line before
        self._answers: deque[bytes] = deque()
        self._backlog = 0
        self._outgoing: deque[memoryview] = deque()  # goes out as it is: a slice is not interrupted
        self._attaches: dict[int, Attach] = {}
        self._ready: deque[Attach] = deque()
        loop.watch(peer.fileno(), READ, self._on_peer)

    @property
    def is_open(self) -> bool:
        return self._peer is not None

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing that the client could be sent now."""
        return self._peer is None or not (self._outgoing or self._answers or self._ready)

    @property
    def has_all(self) -> bool:
        """Whether there is nothing that the client could still read, be it without credit now."""
        return self._peer is None or (self.is_idle and not self._attaches)

    def answer(self, record: Mapping[str, Any]) -> None:
        if self._peer is not None:
            data = line(record)
            self._answers.append(data)
            self._backlog += len(data)
            self._watch()

    def attach(self, attach: Attach) -> None:
        """In place of what has the same number."""
        self.detach(attach.number)
        self._attaches[attach.number] = attach
        self.ready(attach)

    def detach(self, number: int) -> None:
        attach = self._attaches.pop(number, None)
        if attach is not None:
            attach.close()
            if attach in self._ready:
                self._ready.remove(attach)

    def give_credit(self, number: int, size: int) -> None:
        attach = self._attaches.get(number)  # it may have ended while this was on its way
        if attach is not None and attach.credit is not None:
            attach.credit += size
            self.ready(attach)

    def ready(self, attach: Attach) -> None:
        """There may be something to read."""
        if attach.number not in self._attaches:
            return
        if attach.has_credit and attach not in self._ready and self._peer is not None:
            self._ready.append(attach)
            self._watch()

    def close(self) -> None:
        if self._peer is None:
            return
        peer, self._peer = self._peer, None
        self._loop.watch(peer.fileno(), 0, self._on_peer)
        peer.close()
        for number in list(self._attaches):
            self.detach(number)
        self._answers.clear()
        self._outgoing.clear()
        self._gone(self)

    # -- in and out --------------------------------------------------------------------------

    def _watch(self) -> None:
        if self._peer is not None:
            read = READ if self._backlog < _BACKLOG else 0
            self._loop.watch(self._peer.fileno(), read | (0 if self.is_idle else WRITE), self._on_peer)

    def _on_peer(self, events: int) -> None:
        try:
            if events & READ:
                self._receive()
            self._obey_lines()
            self._send()
            self._obey_lines()  # those that had to wait for room
        except OSError:  # it has gone, or what it reads cannot be read
            self.close()
        self._watch()

    def _receive(self) -> None:
        if self._peer is None:
            return
        try:
            data = self._peer.recv(_RECEIVE)
        except BlockingIOError:
            return
        if not data:
            self.close()
            return
        self._incoming += data

    def _obey_lines(self) -> None:
        """All that are there, as long as their answers are taken."""
        begin = 0
        while self._peer is not None and self._backlog < _BACKLOG:
            end = self._incoming.find(b"\n", max(begin, self._searched))
            if end < 0:
                self._searched = len(self._incoming)
                break
            self._hear(bytes(self._incoming[begin:end]))
            begin = end + 1
        del self._incoming[:begin]
        self._searched = max(0, self._searched - begin)
        if self._searched > MAX_OP:
            self._refuse(ProtocolError(f"a line is longer than {MAX_OP} bytes"))

    def _hear(self, data: bytes) -> None:
        try:
            self._obey(self, parse(data))
        except ProtocolError as exc:
            self._refuse(exc)

    def _refuse(self, error: ProtocolError) -> None:
        """It does not speak as we do: what it says next would make no sense either."""
        if self._peer is not None:
            self.answer({"error": "protocol", "message": str(error)})
            try:
                self._send()
            except OSError:
                pass
            self.close()

    def _send(self) -> None:
        turns = 0
        while self._peer is not None and turns < _TURNS:
            if not self._outgoing and not self._fill():
                return
            turns += 1
            while self._outgoing:
                try:
                    sent = self._peer.sendmsg(list(self._outgoing)[:16])
                except BlockingIOError:
                    return
                self._take(sent)

    def _take(self, sent: int) -> None:
        while sent:
            first = self._outgoing.popleft()
            if sent < len(first):
                self._outgoing.appendleft(first[sent:])
                return
            sent -= len(first)

    def _fill(self) -> bool:
        """What goes out next: all answers, or a slice. False when there is nothing."""
        if self._answers:
            self._outgoing.append(memoryview(b"".join(self._answers)))
            self._answers.clear()
            self._backlog = 0
            return True
        while self._ready:
            attach = self._ready.popleft()
            if not attach.has_credit:
                continue
            try:
                data = attach.read()
            except OSError:  # no descriptor is left: others may give some back
                self._loop.later(_PAUSE, self.ready, attach)
                continue
            if data:
                head = line({"type": "slice", "attach": attach.number, "bytes": len(data)})
                self._outgoing += (memoryview(head), memoryview(data))
                self._ready.append(attach)
                return True
            reason = attach.end
            if reason is not None:
                self.detach(attach.number)
                end = line({"type": "end", "attach": attach.number, "reason": reason})
                self._outgoing.append(memoryview(end))
                return True
        return False
