"""The operations that a host performs for its clients (see ``runtime/protocol/operations.py``)."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Callable, Optional

from .. import errors
from ..messages import LogMessage
from ..protocol.operations import PROTOCOL, error_name, summary
from ..protocol.requests import Request
from ..validation import check_seconds
from ..version import __version__
from .connection import UNLIMITED, OperationCall, SpoolFeed
from .execution import HostedExecution, ReadableExecution, Reply, StoredExecution
from .loop import Loop
from .paths import HostOptions, check_execution_id
from .scheduler import Scheduler
from .store import Store

__all__ = ("OperationHandlers",)

_WHILE_CLOSING = ("hello", "ping", "close", "credit", "detach", "wait")
_Answer = Optional[Mapping[str, Any]]  # None if the answer is sent later, or never


@dataclass(eq=False, repr=False)
class OperationHandlers:
    """Performs operations: the method ``_on_NAME`` performs the operation ``NAME``.

    Attributes:
        options: The options of the session.
        store: The executions of the session.
        scheduler: Runs the executions.
        loop: The host's event loop.
        close: Begins to close the session. The argument is true if its records must be removed.
    """

    options: HostOptions
    store: Store
    scheduler: Scheduler
    loop: Loop
    close: Callable[[bool], object]
    _closers: list[OperationCall] = field(default_factory=list)
    # `wait` operations that have not been answered yet.
    _waiting: dict[HostedExecution, list[OperationCall]] = field(default_factory=dict)

    def handle(self, call: OperationCall) -> None:
        """Perform an operation and answer it.

        Raises:
            ProtocolError: The operation is not valid; the connection must be closed.
        """
        name = call.get("op", str)
        if not call.connection.greeted and name != "hello":
            raise errors.ProtocolError("the first operation must be `hello`")
        try:
            handler: Optional[Callable[[OperationCall], _Answer]] = getattr(self, f"_on_{name}", None)
            if handler is None:
                raise errors.UsageError(
                    f"the host of this session (pyrepl-stream {__version__}) does not have the operation "
                    f"{name!r}; close the session and start it again with a newer version"
                )
            if self.scheduler.is_closing and name not in _WHILE_CLOSING:
                raise errors.SessionClosedError(f"session {self.options.name!r} is being closed")
            answer = handler(call)
        except errors.ProtocolError:
            raise
        except errors.PyreplStreamError as exc:
            answer = {"error": error_name(exc), "message": str(exc)}
        except Exception as exc:
            traceback.print_exc(file=sys.stderr)
            answer = {"error": "failed", "message": f"{type(exc).__name__}: {exc}"}
        if answer is not None:
            call.answer(answer)

    def answer_closers(self) -> None:
        """Answer all `close` operations, now that the session is closed."""
        for call in self._closers:
            call.answer({})

    def _on_ping(self, call: OperationCall) -> _Answer:
        return {}

    def _on_hello(self, call: OperationCall) -> _Answer:
        if call.op.get("protocol") != PROTOCOL:
            raise errors.ProtocolError(
                f"this session's host speaks protocol {PROTOCOL}, not {call.op.get('protocol')!r}: use "
                f"pyrepl-stream {__version__}, which started it, or close the session"
            )
        call.connection.greeted = True
        return {
            "protocol": PROTOCOL,
            "version": __version__,
            "epoch": self.store.epoch,
            "session": self.options.name,
            "pid": os.getpid(),
            "options": asdict(self.options),
        }

    def _on_execute(self, call: OperationCall) -> _Answer:
        request = Request.from_json(call.get("execution", dict))
        check_execution_id(request.id)
        check_seconds("timeout", request.timeout, optional=True)
        key = call.optional("key", str) or ""
        if request.id in self.store:
            found = self.store.get(request.id)
            if not call.op.get("fresh") or (key and key == self.store.key_of(request.id)):
                return self._existing(found, request)
        # The client asked an earlier host first, and that host may have started the execution.
        if call.op.get("epoch") not in (None, self.store.epoch):
            raise errors.StaleEpochError(
                f"the host that was asked to run {request.id} has ended; the execution may have begun"
            )
        left: set[int] = set()
        if request.id in self.store:
            self._check_ended(found)
            new = self.store.create(request, key, make_way=lambda: left.update(self._forget(found)))
        else:
            new = self.store.create(request, key)
        new.on_change = lambda: self._answer_waiting(new)
        if left:
            pids = ", ".join(map(str, sorted(left)))
            text = f"processes that the earlier run of {new.id} had left running were ended: {pids}"
            new.emit(LogMessage(level="WARNING", logger="pyrepl_stream", text=text))
        self.scheduler.submit(new)
        return {"new": True, **self._state(new)}

    def _existing(self, found: ReadableExecution, request: Request) -> _Answer:
        if isinstance(found, StoredExecution) and found.unreadable:
            raise errors.ExecutionExistsError(
                f"the record of execution {request.id!r} cannot be read; give `fresh` to remove it and run "
                "this in its place, or use another id to keep it"
            )
        if found.status.digest != request.digest:
            stop = self._how_to_stop(found)
            first = f"stop it first ({stop}) and then " if stop else ""
            raise errors.ExecutionExistsError(
                f"execution {found.id!r} ({found.status.status}) has other code: use another name, or {first}"
                "give `--fresh` (fresh=True), which removes its record and runs this in its place"
            )
        return {"new": False, **self._state(found)}

    def _check_ended(self, found: ReadableExecution) -> None:
        """Raise :class:`ExecutionExistsError` unless the execution has ended."""
        stop = self._how_to_stop(found)
        if stop:
            raise errors.ExecutionExistsError(
                f"execution {found.id!r} is still {found.status.status}: stop it first ({stop}) before "
                "`--fresh` (fresh=True), or use another name"
            )

    def _forget(self, found: ReadableExecution) -> set[int]:
        """Remove an execution and its record, and return the pids of processes that it had left running."""
        left = self.scheduler.discard(found) if isinstance(found, HostedExecution) else set()
        self.store.forget(found.id)
        return left

    def _how_to_stop(self, found: ReadableExecution) -> str:
        """Return the commands that stop an execution, as part of an error message; empty if it has ended."""
        if not isinstance(found, HostedExecution) or found.completed:
            return ""
        name = f"{self.options.name}/{found.id}"
        return (
            f"`%remote_stream interrupt {name}`, `pyrepl-stream interrupt {name}` or "
            f"session.interrupt({found.id!r}); `kill` in place of `interrupt` stops code that does not "
            "react, and with Python code the worker and everything loaded in it"
        )

    def _on_wait(self, call: OperationCall) -> _Answer:
        found = self._found_in_epoch(call)
        known = call.optional("asked", int) or 0
        same = call.op.get("status") in (None, found.status.status) and (found.asked or 0) <= known
        if same and isinstance(found, HostedExecution) and not found.completed:
            calls = self._waiting.setdefault(found, [])
            calls[:] = [*(waiting for waiting in calls if waiting.connection.is_open), call]
            return None
        return {"asked": found.asked, **self._state(found)}

    def _answer_waiting(self, execution: HostedExecution) -> None:
        for call in self._waiting.pop(execution, ()):
            self.loop.call_later(0, self.handle, call)  # once the change has been written to the record

    def _on_attach(self, call: OperationCall) -> _Answer:
        found, number = self._found_in_epoch(call), call.get("attach", int)
        credit, follow = call.optional("credit", int), bool(call.op.get("follow"))
        try:
            reader = found.reader(call.op.get("after", 0), follow=follow)
        except OSError as exc:
            text = f"the record of execution {found.id} cannot be read: {exc}"
            raise errors.PyreplStreamError(text) from exc
        credit = UNLIMITED if credit is None else credit
        call.connection.attach(SpoolFeed(number, found, reader, follow, credit))
        return {"last": found.status.last, "asked": found.asked, **self._state(found)}

    def _on_credit(self, call: OperationCall) -> None:
        call.connection.give_credit(call.get("attach", int), call.get("bytes", int))

    def _on_detach(self, call: OperationCall) -> None:
        call.connection.detach(call.get("attach", int))

    def _on_interrupt(self, call: OperationCall) -> _Answer:
        return self._once(call, self.scheduler.interrupt)

    def _on_kill(self, call: OperationCall) -> _Answer:
        return self._once(call, self.scheduler.kill)

    def _once(self, call: OperationCall, do: Callable[[HostedExecution], object]) -> _Answer:
        execution = self._hosted(call)
        if call.key not in execution.replies:
            do(execution)
            execution.remember(call.key, Reply())
        return {}

    def _on_input(self, call: OperationCall) -> _Answer:
        text = call.optional("text", str)
        self.scheduler.answer(self._hosted(call), call.get("sequence", int), text)
        return {}

    def _on_control(self, call: OperationCall) -> None:
        execution = self._hosted(call)
        if not execution.is_command:
            raise errors.UsageError(
                f"execution {execution.id} runs Python code; only commands have a stdin, signals and a size"
            )
        reply = execution.replies.get(call.key)
        if reply is None:
            fields = {n: value for n, value in call.op.items() if n not in ("id", "key", "op", "request")}
            reply = self.scheduler.control(execution, fields)
            execution.remember(call.key, reply)
        reply.add_done_callback(call.answer)

    def _on_list(self, call: OperationCall) -> _Answer:
        found = self.store if call.op.get("ended", True) else self.store.hosted()
        return {"executions": [summary(one.status, asked=one.asked) for one in found]}

    def _on_close(self, call: OperationCall) -> None:
        self._closers.append(call)
        self.close(bool(call.op.get("forget")))

    def _found_in_epoch(self, call: OperationCall) -> ReadableExecution:
        found = self.store.get(call.get("id", str))
        if call.op.get("epoch") not in (None, found.epoch):
            raise errors.StaleEpochError(
                f"execution {found.id} has been replaced by a new one with the same id; read it with after=0"
            )
        return found

    def _hosted(self, call: OperationCall) -> HostedExecution:
        found = self.store.get(call.get("id", str))
        if not isinstance(found, HostedExecution):
            raise errors.ExecutionEndedError(f"execution {found.id} has ended: {found.status.status}")
        return found

    def _state(self, found: ReadableExecution) -> dict[str, Any]:
        """Return the fields that all answers about an execution have in common."""
        ahead = self.scheduler.ahead_of(found) if isinstance(found, HostedExecution) else None
        behind = None if ahead is None else ahead.id
        return {"epoch": found.epoch, "status": found.status.status, "behind": behind}
