"""A session elsewhere, which outlives this process."""

from __future__ import annotations

import subprocess
import uuid
import weakref
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, TypeVar

from ..chain import AnyProcessor, with_format
from ..errors import PyreplStreamError, SessionClosedError, UsageError
from ..execution import check_timeout, streaming_default
from ..host.places import check_execution_id
from ..message_stream import MessageStream
from ..messages import ExecuteMessage
from ..worker.requests import CommandRequest, Request
from .answer import Answer
from .connection import PATIENCE, Connection
from .link import Link
from .remote_execution import RemoteExecution, RemoteProcessExecution, Stopping
from .remote_run import RemoteRun

__all__ = ("RemoteSession",)

_E = TypeVar("_E", bound=RemoteExecution)


class RemoteSession:
    """Runs Python code, one execution after the other, and commands in a session elsewhere.

    Leaving ``async with`` or ``with`` disconnects; the session and what runs in it go on, and
    :meth:`close` ends them. It connects at the start of the block, or when it is first used, and again
    whenever the connection is cut: ``patience`` is for how many seconds it tries. One that nobody holds
    any more disconnects by itself. Its methods may be called by any thread and never wait; what they
    return can be awaited. In a copy of the process (``fork``) they fail: connect there again.
    """

    def __init__(self, link: Link, *, address: str = "", patience: float = PATIENCE) -> None:
        check_timeout(patience)
        self.address = address
        self._connection = Connection(link, patience=patience)
        weakref.finalize(self, self._connection.release).atexit = False

    def __repr__(self) -> str:
        return f"<RemoteSession {self.address}>"

    @property
    def hello(self) -> Mapping[str, Any] | None:
        """What the host said of itself: ``epoch``, ``session``, ``pid``, ``options``; None before that."""
        return self._connection.hello

    # -- connecting --------------------------------------------------------------------------

    def connect(self) -> Answer[Mapping[str, Any]]:
        """Await it, or ``.wait()`` for it, to be connected; done by whatever is called first, too.

        Fails with :class:`TargetError` when the session cannot be reached or started, and with
        :class:`UsageError` when it is not what was asked for.
        """
        return self._connection.request({"op": "ping"})

    def disconnect(self) -> Answer[None]:
        """Let go of the session, which goes on. Await it, or ``.wait()`` for it."""
        return self._connection.close()

    async def __aenter__(self) -> RemoteSession:
        try:
            await self.connect()
        except BaseException as exc:
            await self.__aexit__(type(exc), exc, exc.__traceback__)
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        import anyio

        with anyio.CancelScope(shield=True):
            await self.disconnect()

    def __enter__(self) -> RemoteSession:
        try:
            self.connect().wait()
        except BaseException:
            self.disconnect().wait()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.disconnect().wait()

    def close(self, *, forget: bool = True) -> Answer[None]:
        """End the session, with all that runs in it; ``forget``: its records go too.

        Await it, or ``.wait()`` for it.
        """
        closed: Answer[None] = Answer()
        answer = self._connection.request({"op": "close", "forget": forget})

        def heard() -> None:
            try:
                answer.result()
            except SessionClosedError:
                pass  # by somebody else
            except PyreplStreamError as exc:
                closed.fail(exc)
                return
            ended = self._connection.close(SessionClosedError("the session was closed; connect to a new one"))
            ended.when_done(lambda: closed.set(None))

        answer.when_done(heard)
        return closed

    # -- running -----------------------------------------------------------------------------

    def execute(
        self,
        code: str | ExecuteMessage,
        *,
        execution_id: str | None = None,
        timeout: float | None = None,
        processors: Iterable[AnyProcessor] = (),
        format: str = "text",
        streaming: bool = True,
        fresh: bool = False,
        label: str = "",
        before: Callable[[RemoteExecution], object] | None = None,
    ) -> RemoteExecution:
        """Start ``code`` and return its :class:`RemoteExecution` at once.

        The options are those of :meth:`Session.execute`. An ``execution_id`` that the session knows
        attaches when the code is the same, and is an :class:`ExecutionExistsError` where the execution
        is awaited when it is other code; ``fresh`` ends and forgets what has the id now. ``label`` says
        who asked for it. Raises :class:`UsageError` for options without sense.
        """
        if isinstance(code, ExecuteMessage):
            execution_id, code = execution_id or code.id, code.code
        if not isinstance(code, str):
            raise UsageError(f"code must be text or an ExecuteMessage, not {type(code).__name__}")
        check_timeout(timeout)
        request = Request(_id_of(execution_id), code, timeout=timeout, label=label)
        return self._start(RemoteExecution, request, processors, format, streaming, fresh, before)

    def launch_command(
        self,
        command: CommandRequest,
        code: str = "",
        *,
        execution_id: str | None = None,
        timeout: float | None = None,
        processors: Iterable[AnyProcessor] = (),
        format: str = "text",
        streaming: bool = True,
        fresh: bool = False,
        label: str = "",
        before: Callable[[RemoteProcessExecution], object] | None = None,
    ) -> RemoteProcessExecution:
        """As :meth:`execute`, for a command; ``code`` is how people know it, by default its words."""
        if not isinstance(command, CommandRequest):
            raise UsageError(f"a command is a CommandRequest.of(...), not {type(command).__name__}")
        check_timeout(timeout)
        words = command.arguments
        code = code or (words if isinstance(words, str) else subprocess.list2cmdline(words))
        request = Request(_id_of(execution_id), code, command, timeout, label)
        return self._start(RemoteProcessExecution, request, processors, format, streaming, fresh, before)

    def _start(
        self,
        kind: type[_E],
        request: Request,
        processors: Iterable[AnyProcessor],
        format: str,
        streaming: bool,
        fresh: bool,
        before: Callable[[_E], object] | None,
    ) -> _E:
        processors = with_format(format, processors)
        key = uuid.uuid4().hex
        start = {"op": "execute", "execution": request.as_json(), "fresh": fresh, "key": key}
        run = RemoteRun(self._connection, request.id, start)
        execution = kind(run, processors=processors, batch=not streaming_default(streaming))
        if before is not None:
            before(execution)
        run.begin()
        return execution

    # -- what is there -----------------------------------------------------------------------

    def execution(self, execution_id: str) -> RemoteExecution:
        """The execution of that id, which was started by anybody. Raises :class:`UsageError`.

        Where it is awaited or read it raises :class:`UnknownExecutionError` if there is none.
        """
        return self._known(RemoteExecution, check_execution_id(execution_id))

    def interrupt(self, execution_id: str) -> Stopping:
        """See :meth:`RemoteExecution.interrupt`."""
        return self.execution(execution_id).interrupt()

    def kill(self, execution_id: str) -> Stopping:
        """See :meth:`RemoteExecution.kill`."""
        return self.execution(execution_id).kill()

    def attach(self, execution_id: str, after: int = 0, *, follow: bool = False) -> MessageStream:
        """See :meth:`Execution.attach`. What cannot be attached to raises where it is read."""
        return self.execution(execution_id).attach(after, follow=follow)

    async def executions(self) -> list[RemoteExecution]:
        """All that the session has a record of, the oldest first."""
        return self._listed(await self._connection.request({"op": "list"}))

    def executions_sync(self) -> list[RemoteExecution]:
        """:meth:`executions` without an event loop."""
        return self._listed(self._connection.request({"op": "list"}).wait())

    def _listed(self, record: Mapping[str, Any]) -> list[RemoteExecution]:
        return [
            self._known(
                RemoteProcessExecution if summary.get("command") else RemoteExecution, summary["id"], summary
            )
            for summary in record["executions"]
        ]

    def _known(
        self, kind: type[_E], execution_id: str, summary: Mapping[str, Any] | None = None
    ) -> _E:
        run = RemoteRun(self._connection, execution_id)
        run.begin()
        if summary is not None:
            run.heard(summary["status"])
        return kind(run, summary=summary)


def _id_of(execution_id: str | None) -> str:
    return uuid.uuid4().hex[:16] if execution_id is None else check_execution_id(execution_id)
