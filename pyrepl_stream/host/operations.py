"""What a client can ask of a host, op by op (see ``protocol.py``)."""

from __future__ import annotations

import os
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
from ..worker.requests import Request
from .connection import Attach, Connection
from .loop import Loop
from .options import HostOptions
from .places import check_execution_id
from .protocol import PROTOCOL, error_name, summary
from .record import Execution, StoredExecution, UnreadableExecution
from .runner import Runner
from .store import Store

__all__ = ("Call", "Operations")

VERSION = "1"

Record = Union[Execution, StoredExecution]
_Answer = Optional[Mapping[str, Any]]  # None: it comes later, or never


class Call:
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


class Operations:
    """``settle`` closes the record of an execution that has ended, ``begun`` is called when one was taken
    on, ``close`` begins to end the session (and forgets it, or not)."""

    def __init__(
        self,
        options: HostOptions,
        store: Store,
        runner: Runner,
        loop: Loop,
        *,
        settle: Callable[[Execution], object],
        begun: Callable[[], object],
        close: Callable[[bool], object],
    ) -> None:
        self.closing = False
        self._options = options
        self._store = store
        self._runner = runner
        self._loop = loop
        self._settle = settle
        self._begun = begun
        self._begin_close = close
        self._closers: list[Call] = []
        self._waiting: dict[Execution, list[Call]] = {}  # for an end, or a question
        self._ops: Mapping[str, Callable[[Call], _Answer]] = {
            "hello": self._hello,
            "execute": self._execute,
            "attach": self._attach,
            "credit": self._credit,
            "detach": self._detach,
            "wait": self._wait,
            "interrupt": self._interrupt,
            "kill": self._kill,
            "input": self._input,
            "control": self._control,
            "list": self._list,
            "close": self._close,
            "ping": lambda call: {},
        }

    def do(self, call: Call) -> None:
        """Raises :class:`ProtocolError` for what no client of this protocol says."""
        name = call.text("op")
        if not call.connection.greeted and name != "hello":
            raise ProtocolError("the first line has to be `hello`")
        try:
            if name not in self._ops:
                raise UsageError(f"this host does not know how to {name!r}: it is of an older version")
            if self.closing and name not in ("hello", "ping", "close", "credit", "detach", "wait"):
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

    def tell_closed(self) -> None:
        """Answer who has asked for the end of the session."""
        for call in self._closers:
            call.answer({})

    def _hello(self, call: Call) -> _Answer:
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

    def _execute(self, call: Call) -> _Answer:
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
        if request.id in self._store and not self._has_gone(found, lambda: self.do(call)):
            return None
        new = self._store.create(request, key)
        new.on_news = lambda: self._tell_waiting(new)
        self._runner.submit(new)
        self._begun()
        return {"epoch": new.epoch, "new": True, **self._state(new)}

    def _known(self, found: Record, request: Request) -> _Answer:
        if isinstance(found, UnreadableExecution):
            raise ExecutionExistsError(
                f"there is a record of {request.id!r} that cannot be read; `fresh` removes it and runs "
                "this in its place, another id keeps both"
            )
        if found.status.digest != request.digest:
            raise ExecutionExistsError(
                f"there is an execution {request.id!r} already, of other code; `--fresh` (fresh=True) "
                "ends it, removes its record and runs this in its place, another id keeps both"
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
            self._settle(found)
        self._store.forget(found.id)
        return True

    def _wait(self, call: Call) -> _Answer:
        found = self._found_in_epoch(call)
        known = call.number("asked") if call.op.get("asked") is not None else 0
        same = call.op.get("status") in (None, found.status.status)
        if isinstance(found, Execution) and not found.completed and same and (found.asked or 0) <= known:
            calls = self._waiting.setdefault(found, [])
            calls[:] = [*(waiting for waiting in calls if waiting.connection.is_open), call]
            return None
        return {"epoch": found.epoch, "asked": found.asked, **self._state(found)}

    def _tell_waiting(self, execution: Execution) -> None:
        for call in self._waiting.pop(execution, ()):
            self._loop.later(0, self.do, call)  # when what it is about is written

    def _attach(self, call: Call) -> _Answer:
        found = self._found_in_epoch(call)
        credit = None if call.op.get("credit") is None else call.number("credit")
        after, follow = call.op.get("after", 0), bool(call.op.get("follow"))
        try:
            attach = Attach(call.connection, call.number("attach"), found, after, follow, credit)
        except OSError as exc:
            raise PyreplStreamError(f"the record of {found.id} cannot be read: {exc}") from exc
        call.connection.attach(attach)
        status = found.status
        return {"epoch": found.epoch, "last": status.last, "asked": found.asked, **self._state(found)}

    def _credit(self, call: Call) -> _Answer:
        call.connection.give_credit(call.number("attach"), call.number("bytes"))
        return None

    def _detach(self, call: Call) -> _Answer:
        call.connection.detach(call.number("attach"))
        return None

    def _interrupt(self, call: Call) -> _Answer:
        return self._once(call, self._runner.interrupt)

    def _kill(self, call: Call) -> _Answer:
        return self._once(call, self._runner.kill)

    def _once(self, call: Call, do: Callable[[Execution], object]) -> _Answer:
        execution = self._living(call)
        answers = execution.answers_for(call.key)
        if not answers.asked:
            do(execution)
            answers.asked = True
        return {}

    def _input(self, call: Call) -> _Answer:
        text = call.op.get("text")
        if text is not None and not isinstance(text, str):
            raise ProtocolError("`text` has to be text or null")
        self._runner.answer(self._living(call), call.number("sequence"), text)
        return {}

    def _control(self, call: Call) -> _Answer:
        execution = self._living(call)
        if not execution.is_command:
            raise UsageError(f"execution {execution.id} is Python code, not a command")
        answers = execution.answers_for(call.key)
        if not answers.asked:
            known = ("id", "key", "op", "request")
            do = {name: value for name, value in call.op.items() if name not in known}
            self._runner.control(execution, do, lambda reply: answers.give(_answer_of(reply)))
            answers.asked = True
        answers.add(call.answer)
        return None

    def _list(self, call: Call) -> _Answer:
        return {"executions": [summary(found.status, asked=found.asked) for found in self._store]}

    def _close(self, call: Call) -> _Answer:
        self._closers.append(call)
        self._begin_close(bool(call.op.get("forget")))
        return None

    def _found(self, call: Call) -> Record:
        return self._store.get(call.text("id"))

    def _found_in_epoch(self, call: Call) -> Record:
        found = self._found(call)
        if call.op.get("epoch") not in (None, found.epoch):
            raise WrongEpochError(f"execution {found.id} was made anew since: start with after=0")
        return found

    def _living(self, call: Call) -> Execution:
        found = self._found(call)
        if not isinstance(found, Execution):
            raise EndedError(f"execution {found.id} has ended: {found.status.status}")
        return found

    def _state(self, found: Record) -> dict[str, Any]:
        status = found.status.status
        behind = self._runner.ahead_of(found) if isinstance(found, Execution) else None
        return {"status": status, "behind": None if behind is None else behind.id}


def _check_timeout(timeout: object) -> None:
    if timeout is None:
        return
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 < timeout < float("inf"):
        raise UsageError(f"timeout is {timeout!r}, but must be seconds, more than 0")


def _answer_of(reply: Mapping[str, Any]) -> dict[str, Any]:
    if reply.get("error"):
        return {"error": "usage", "message": reply["error"]}
    return {"pid": reply.get("pid")}
