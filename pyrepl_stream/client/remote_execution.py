"""Executions elsewhere, with what can be done to them."""

from __future__ import annotations

import base64
import contextlib
import signal
from collections.abc import Awaitable, Generator, Iterable, Mapping
from typing import Any

from ..chain import AnyProcessor
from ..errors import EndedError, UsageError
from ..execution import Execution
from ..messages import InputRequestMessage
from ..process.command import check_size, encodable
from ..waiting import wait_async, wait_sync
from .answer import Answer
from .remote_run import RemoteRun

__all__ = ("RemoteExecution", "RemoteProcessExecution", "Stopping")


class RemoteExecution(Execution):
    """An :class:`Execution` in a session elsewhere; it goes on when nobody reads, here or anywhere.

    What the session has against it is raised where it is awaited or read, and by :meth:`started`.
    :meth:`snapshot`, and what is made of it, reads the whole record so far, :meth:`input` waits for the
    session's word: they are better not called on a thread that runs an event loop. They raise
    :class:`TargetError` when the session cannot be reached.
    """

    _run: RemoteRun

    def __init__(
        self,
        run: RemoteRun,
        *,
        processors: Iterable[AnyProcessor] = (),
        batch: bool = False,
        summary: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(run, processors=processors, batch=batch)
        self.summary = summary
        """What the session said of it when it was asked for its executions."""

    @property
    def behind(self) -> str | None:
        """The id of what had to end before this could begin, as the session said when it accepted it."""
        return self._run.behind

    async def started(self) -> bool:
        began = await self._run.accepted
        if not self._run.starts:
            await self._run.peek()
        return began

    def wait_started(self, timeout: float | None = None) -> bool:
        began = self._run.accepted.wait(timeout)
        if not self._run.starts:
            self._run.peek().wait(timeout)
        return began

    def interrupt(self) -> Stopping:
        """Interrupt the code; await the returned object, or :meth:`Stopping.wait`, until it has ended.

        Python code gets KeyboardInterrupt, also in ``time.sleep`` and in blocking input and output, and
        what it started gets SIGINT; the namespace stays. Code that catches it goes on.
        """
        return Stopping(self._run, self._run.stop("interrupted"))

    def kill(self) -> Stopping:
        """End the code by force. For Python code this takes its namespace with it."""
        return Stopping(self._run, self._run.stop("killed"))

    def input(self, text: str | None, request: InputRequestMessage | None = None) -> None:
        """Answer an ``input_request``, by default the one that is open; None is the end of the input.

        Raises :class:`UsageError` when nothing was asked, or when it was answered already.
        """
        sequence = self._run.question() if request is None else request.sequence
        if sequence is None:
            raise UsageError(f"execution {self.id} waits for no input")
        self._run.give(sequence, text)


class RemoteProcessExecution(RemoteExecution):
    """An execution of a command elsewhere, with what can be done to a process besides.

    The methods wait for the session's word. Those that act on the command raise :class:`UsageError`
    after its end.
    """

    _pid: int | None = None

    @property
    def pid(self) -> int | None:
        """The process id there; None when it could not be started, or when it had ended before this."""
        if self._pid is None:
            with contextlib.suppress(EndedError):
                self._pid = self._run.control("signal", number=0)["pid"]
        return self._pid

    def write(self, data: str | bytes) -> int:
        """Queue input for the command; returns its length.

        Raises :class:`UsageError` when the command was given other input, reads no more, or has ended,
        and for a line that its terminal would cut.
        """
        if not isinstance(data, (str, bytes)):
            raise UsageError(f"what is written is text or bytes, not {type(data).__name__}")
        encoded = encodable("what is written", data) if isinstance(data, str) else data
        self._run.control("write", base64=base64.b64encode(encoded).decode("ascii"))
        return len(data)

    def close_stdin(self) -> None:
        """Let the command find the end of its input, after all that was written."""
        self._run.control("close_stdin")

    def send_signal(self, number: int) -> None:
        """Send a signal to the command and all that it started. Raises :class:`UsageError`."""
        if number not in signal.valid_signals():
            raise UsageError(f"{number!r} is no signal of this system: see the names in `signal`")
        self._run.control("signal", number=int(number))

    def resize(self, rows: int, columns: int) -> None:
        """Give the command's terminal, if it has one, another size. Raises :class:`UsageError`."""
        check_size((rows, columns))
        self._run.control("resize", rows=rows, columns=columns)


class Stopping(Awaitable[None]):
    """Awaited: the execution has ended. Raises what keeps the session from ending it."""

    def __init__(self, run: RemoteRun, answer: Answer[Mapping[str, Any]]) -> None:
        self._run = run
        self._answer = answer

    def __await__(self) -> Generator[Any, None, None]:
        return self._ended().__await__()

    async def _ended(self) -> None:
        await wait_async(self._answer.when_done)
        self._check_answer()
        await wait_async(self._run.when_done)
        self._check()

    def wait(self, timeout: float | None = None) -> None:
        """Without an event loop; each of the two steps takes at most ``timeout`` seconds.

        Raises :class:`TimeoutError`.
        """
        wait_sync(self._answer.when_done, timeout)
        self._check_answer()
        if not wait_sync(self._run.when_done, timeout):
            raise TimeoutError(f"execution {self._run.id} has not ended within {timeout:g} s")
        self._check()

    def _check_answer(self) -> None:
        with contextlib.suppress(EndedError):  # by itself
            self._answer.result()

    def _check(self) -> None:
        if not self._run.ended and self._run.failure is not None:
            raise self._run.failure
