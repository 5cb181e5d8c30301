"""The host of a session: it serves clients, and outlives them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import traceback
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Callable, Optional, Union

from ..errors import (
    EndedError,
    ExecutionExistsError,
    ProtocolError,
    PyreplStreamError,
    SessionClosedError,
    UsageError,
    WrongEpochError,
)
from ..process.tree import adopt_orphans
from ..worker.requests import Request
from .connection import Attach, Connection
from .launch import peer_is_ours
from .loop import READ, Loop, Timer
from .options import HostOptions
from .places import SessionPlace, check_execution_id
from .protocol import PROTOCOL, error_name, summary
from .record import Execution, StoredExecution
from .runner import Runner
from .store import Store
from .worker_process import raise_limits

__all__ = ("Host",)

VERSION = "1"
_PAUSE = 0.2  # seconds until a client is let in again, when there was no descriptor for one
_DAY = 86400.0
_LINGER = 2.0  # seconds that clients have, at the end, to take what there is for them

Record = Union[Execution, StoredExecution]
_Answer = Optional[Mapping[str, Any]]


class Host:
    """``listener`` listens on the session's socket. The caller holds the session's lock."""

    def __init__(self, options: HostOptions, listener: socket.socket) -> None:
        self._options = options
        self._place = SessionPlace(options.name)
        self._listener = listener
        self._socket = os.stat(self._place.socket).st_ino
        self._loop = Loop(self._end_of_turn)
        self._store = Store(self._place, options)
        self._runner = Runner(options, self._store.epoch, self._loop, self._ended, self._watch_idle)
        self._connections: set[Connection] = set()
        self._idle_timer: Optional[Timer] = None
        self._closing = False
        self._forget = False
        self._closers: list[Callable[[_Answer], object]] = []
        self._ops: Mapping[str, Callable[[_Call], _Answer]] = {
            "hello": self._hello,
            "execute": self._execute,
            "attach": self._attach,
            "credit": self._credit,
            "detach": self._detach,
            "interrupt": self._interrupt,
            "kill": self._kill,
            "input": self._input,
            "control": self._control,
            "list": self._list,
            "close": self._close,
            "ping": lambda call: {},
        }

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
        if not self._closing:
            self._loop.watch(self._listener.fileno(), READ, self._accept)

    def _gone(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._watch_idle()

    def _obey(self, connection: Connection, op: dict[str, Any]) -> None:
        self._do(_Call(connection, op))

    def _do(self, call: _Call) -> None:
        """Raises :class:`ProtocolError` for what no client of this protocol says."""
        name = call.text("op")
        if not call.connection.greeted and name != "hello":
            raise ProtocolError("the first line has to be `hello`")
        try:
            if name not in self._ops:
                raise UsageError(f"this host does not know how to {name!r}: it is of an older version")
            if self._closing and name not in ("hello", "ping", "close", "credit", "detach"):
                raise SessionClosedError(f"session {self._options.name!r} is being closed")
            answer = self._ops[name](call)
        except ProtocolError:
            raise
        except PyreplStreamError as exc:
            answer = {"error": error_name(exc), "message": str(exc)}
        except Exception as exc:
            traceback.print_exc(file=sys.stderr)
            answer = {"error": "failed", "message": f"{type(exc).__name__}: {exc}"}
        if answer is not None:
            call.answer(answer)

    # -- ops ---------------------------------------------------------------------------------

    def _hello(self, call: _Call) -> _Answer:
        if call.op.get("protocol") != PROTOCOL:
            raise ProtocolError(f"the host speaks protocol {PROTOCOL}, not {call.op.get('protocol')!r}")
        call.connection.greeted = True
        return {
            "protocol": PROTOCOL,
            "version": VERSION,
            "epoch": self._store.epoch,
            "session": self._options.name,
            "pid": os.getpid(),
            "options": asdict(self._options),
        }

    def _execute(self, call: _Call) -> _Answer:
        execution = call.op.get("execution")
        if not isinstance(execution, dict):
            raise ProtocolError("`execution` has to be a request")
        request = Request.from_json(execution)
        check_execution_id(request.id)
        _check_timeout(request.timeout)
        key = call.text("key", "")
        if request.id in self._store:
            found = self._store.get(request.id)
            if not call.op.get("fresh") or (key and key == self._store.key_of(request.id)):
                return self._known(found, request)
        # Another host was asked for it first, and nobody can tell how far that came.
        if call.op.get("epoch") not in (None, self._store.epoch):
            raise WrongEpochError(f"the host that was to run {request.id} has ended: it may have begun")
        if request.id in self._store and not self._has_gone(found, lambda: self._do(call)):
            return None
        new = self._store.create(request, key)
        self._runner.submit(new)
        self._watch_idle()
        return {"epoch": new.epoch, "new": True, **self._state(new)}

    def _known(self, found: Record, request: Request) -> _Answer:
        if found.status.digest != request.digest:
            raise ExecutionExistsError(
                f"there is an execution {request.id!r} already, of other code; `fresh` ends it, removes its "
                "record and runs this in its place, another id keeps both"
            )
        return {"epoch": found.epoch, "new": False, **self._state(found)}

    def _has_gone(self, found: Record, again: Callable[[], object]) -> bool:
        """Whether nothing is left of ``found``; if not yet, ``again`` is called when it has ended."""
        if isinstance(found, Execution):
            if not found.completed:
                found.when_complete.append(lambda: self._loop.later(0, again))
                if found.reason is None or found.reason[0] != "killed":
                    self._runner.kill(found)
                return False
            self._runner.discard(found)
        self._store.forget(found.id)
        return True

    def _attach(self, call: _Call) -> _Answer:
        found = self._found(call)
        epoch = call.op.get("epoch")
        if epoch is not None and epoch != found.epoch:
            raise WrongEpochError(f"execution {found.id} was made anew since: start with after=0")
        credit = None if call.op.get("credit") is None else call.number("credit")
        after, follow = call.op.get("after", 0), bool(call.op.get("follow"))
        try:
            attach = Attach(call.connection, call.number("attach"), found, after, follow, credit)
        except OSError as exc:
            raise PyreplStreamError(f"the record of {found.id} cannot be read: {exc}") from exc
        call.connection.attach(attach)
        status = found.status
        return {"epoch": found.epoch, "last": status.last, "asked": found.asked, **self._state(found)}

    def _credit(self, call: _Call) -> _Answer:
        call.connection.give_credit(call.number("attach"), call.number("bytes"))
        return None

    def _detach(self, call: _Call) -> _Answer:
        call.connection.detach(call.number("attach"))
        return None

    def _interrupt(self, call: _Call) -> _Answer:
        return self._once(call, self._runner.interrupt)

    def _kill(self, call: _Call) -> _Answer:
        return self._once(call, self._runner.kill)

    def _once(self, call: _Call, do: Callable[[Execution], object]) -> _Answer:
        execution = self._living(call)
        answers = execution.answers_for(call.key)
        if not answers.asked:
            do(execution)
            answers.asked = True
        return {}

    def _input(self, call: _Call) -> _Answer:
        text = call.op.get("text")
        if text is not None and not isinstance(text, str):
            raise ProtocolError("`text` has to be text or null")
        self._runner.answer(self._living(call), call.number("sequence"), text)
        return {}

    def _control(self, call: _Call) -> _Answer:
        execution = self._living(call)
        if not execution.is_command:
            raise UsageError(f"execution {execution.id} is Python code, not a command")
        answers = execution.answers_for(call.key)
        answers.add(call.answer)
        if answers.asked:
            return None
        answers.asked = True
        known = ("id", "key", "op", "request")
        do = {name: value for name, value in call.op.items() if name not in known}
        self._runner.control(execution, do, lambda reply: answers.give(_answer_of(reply)))
        return None

    def _list(self, call: _Call) -> _Answer:
        return {"executions": [summary(found.status, asked=found.asked) for found in self._store]}

    def _close(self, call: _Call) -> _Answer:
        self._closers.append(lambda answer: call.answer(answer or {}))
        self._begin_close(forget=bool(call.op.get("forget")))
        return None

    def _found(self, call: _Call) -> Record:
        return self._store.get(call.text("id"))

    def _living(self, call: _Call) -> Execution:
        found = self._found(call)
        if not isinstance(found, Execution):
            raise EndedError(f"execution {found.id} has ended: {found.status.status}")
        return found

    def _state(self, found: Record) -> dict[str, Any]:
        status = found.status.status
        behind = self._runner.ahead_of(found) if isinstance(found, Execution) else None
        return {"status": status, "behind": None if behind is None else behind.id}

    # -- turns, and what comes with time -----------------------------------------------------

    def _end_of_turn(self) -> None:
        self._runner.commit()

    def _ended(self, execution: Execution) -> None:
        self._store.ended(execution)

    def _clean(self) -> None:
        self._store.forget_old()
        self._loop.later(_DAY, self._clean)

    def _watch_idle(self) -> None:
        """Once more, from the beginning: something has changed."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None
        if not self._connections and self._runner.is_idle and not self._closing:
            self._idle_timer = self._loop.later(self._options.idle_timeout, self._begin_close, False)

    # -- the end -----------------------------------------------------------------------------

    def _begin_close(self, forget: bool) -> None:
        self._forget = self._forget or forget
        if self._closing:
            return
        self._closing = True
        self._loop.watch(self._listener.fileno(), 0, self._accept)
        self._listener.close()
        # At once: who comes now waits for the lock, and starts another.
        with contextlib.suppress(OSError):
            if os.stat(self._place.socket).st_ino == self._socket:
                os.unlink(self._place.socket)
        self._runner.close(self._linger)

    def _linger(self) -> None:
        """Everything has ended. Clients take what there is for them, then they are told."""
        self._linger_until(self._loop.later(_LINGER, self._tell_closers))

    def _linger_until(self, timer: Timer) -> None:
        if timer.function is not None and all(connection.is_idle for connection in self._connections):
            timer.cancel()
            self._tell_closers()
        elif timer.function is not None:
            self._loop.later(0.01, self._linger_until, timer)

    def _tell_closers(self) -> None:
        if self._forget:
            self._store.forget_all()
        for closer in self._closers:
            closer({})
        self._part(self._loop.later(_LINGER, self._loop.stop))

    def _part(self, timer: Timer) -> None:
        if all(connection.is_idle for connection in self._connections):
            self._loop.stop()
        elif timer.function is not None:
            self._loop.later(0.01, self._part, timer)


class _Call:
    """One line of a client."""

    def __init__(self, connection: Connection, op: dict[str, Any]) -> None:
        self.connection = connection
        self.op = op

    def answer(self, answer: Mapping[str, Any]) -> None:
        self.connection.answer({"request": self.op.get("request"), **answer})

    @property
    def key(self) -> str:
        """Under which this is obeyed once; empty where it has none."""
        key = self.text("key", "")
        return key and f"{self.text('op')} {key}"

    def text(self, name: str, default: Optional[str] = None) -> str:
        value = self.op.get(name, default)
        if not isinstance(value, str):
            raise ProtocolError(f"`{name}` has to be text, not {value!r}")
        return value

    def number(self, name: str) -> int:
        value = self.op.get(name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ProtocolError(f"`{name}` has to be a number, not {value!r}")
        return value


def _check_timeout(timeout: object) -> None:
    if timeout is None:
        return
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 < timeout < float("inf"):
        raise UsageError(f"timeout is {timeout!r}, but must be seconds, more than 0")


def _answer_of(reply: Mapping[str, Any]) -> dict[str, Any]:
    if reply.get("error"):
        return {"error": "usage", "message": reply["error"]}
    return {"pid": reply.get("pid")}
