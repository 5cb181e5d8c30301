"""Run a command, or several, as an execution."""

from __future__ import annotations

import signal
import uuid
from collections.abc import Collection, Iterable, Mapping
from typing import Optional, Union

from ..chain import AnyProcessor, with_format
from ..engine.loop import engine_loop
from ..engine.run import Run
from ..errors import UsageError
from ..execution import Execution, check_timeout, streaming_default
from ..journal import Journal, Overflow
from .activity import Idle, Path
from .body import ProcessBody, Retry
from .command import DEFAULT_SIZE, Arguments, Command, Standard, check_size, encodable
from .ending import DEFAULT_GRACE, Grace
from .steps import Step

__all__ = ("ProcessExecution", "run_process", "run_steps")


class ProcessExecution(Execution):
    """An :class:`Execution` of commands, with what can be done to a process besides.

    Its methods may be called by any thread and never wait. Those that act on the command raise
    :class:`UsageError` after its end.
    """

    def __init__(
        self,
        run: Run,
        *,
        body: ProcessBody,
        processors: Iterable[AnyProcessor] = (),
        batch: bool = False,
        awaits_reader: bool = False,
    ) -> None:
        super().__init__(run, processors=processors, batch=batch, awaits_reader=awaits_reader)
        self._body = body

    @property
    def pid(self) -> Optional[int]:
        """The process id of the command (of the newest, in steps); None when it could not be started.

        Right after the start this waits the millisecond that the system takes for it.
        """
        return self._body.pid

    def write(self, data: Union[str, bytes]) -> int:
        """Queue input for the command; returns its length.

        Raises :class:`UsageError` when the command was given other input, reads no more, or has ended,
        and for a line that its terminal would cut.
        """
        if not isinstance(data, (str, bytes)):
            raise UsageError(f"what is written is text or bytes, not {type(data).__name__}")
        encoded = encodable("what is written", data) if isinstance(data, str) else data
        self._body.tell(lambda child: child.write(encoded))
        return len(data)

    def close_stdin(self) -> None:
        """Let the command find the end of its input, after all that was written."""
        self._body.tell(lambda child: child.close_stdin())

    def send_signal(self, number: int) -> None:
        """Send a signal to the command and all that it started. Raises :class:`UsageError`."""
        if number not in signal.valid_signals():
            raise UsageError(f"{number!r} is no signal of this system: see the names in `signal`")
        self._body.tell(lambda child: child.send_signal(number))

    def resize(self, rows: int, columns: int) -> None:
        """Give the command's terminal, if it has one, another size. Raises :class:`UsageError`."""
        check_size((rows, columns))
        self._body.tell(lambda child: child.resize((rows, columns)))


def run_process(
    command: Arguments,
    *,
    pty: bool = True,
    stderr: str = "merge",
    cwd: Optional[Path] = None,
    env: Optional[Mapping[str, Optional[str]]] = None,
    size: tuple[int, int] = DEFAULT_SIZE,
    stdin: Standard = None,
    interactive: bool = False,
    timeout: Optional[float] = None,
    idle_timeout: Optional[float] = None,
    activity: Optional[Collection[str]] = None,
    watch: Iterable[Path] = (),
    watch_interval: float = 5.0,
    grace: Grace = DEFAULT_GRACE,
    processors: Iterable[AnyProcessor] = (),
    format: str = "text",
    overflow: Overflow = "block",
    buffer_bytes: int = 4 << 20,
    streaming: bool = True,
    source: str = "",
    retry: Optional[Retry] = None,
    execution_id: Optional[str] = None,
) -> ProcessExecution:
    """Start a command and return its execution at once.

    What the command gets (``pty``, ``stderr``, ``cwd``, ``env``, ``size``, ``stdin``, ``interactive``,
    ``source``) is told at :class:`Command`, what counts as life (``idle_timeout``, ``activity``,
    ``watch``, ``watch_interval``) at :class:`Idle`, the rest (``processors``, ``format`` too) at
    :meth:`Session.execute`. ``timeout`` is
    in seconds, for the whole run. When it is to end, all that the command started gets SIGINT, after
    ``grace[0]`` seconds SIGTERM, after ``grace[1]`` more SIGKILL; `complete` says which limit it was.

    Raises :class:`CommandNotFoundError`, :class:`CommandPermissionError`,
    :class:`WorkingDirectoryError`, and :class:`UsageError` for what makes no sense, all before
    anything starts.
    """
    made = Command(
        command,
        pty=pty,
        stderr=stderr,
        cwd=cwd,
        env=env,
        size=size,
        stdin=stdin,
        interactive=interactive,
        source=source,
    )
    idle = Idle(idle_timeout, activity=activity, watch=watch, interval=watch_interval)
    body = ProcessBody(made, grace=grace, idle=idle, retry=retry)
    return launch(
        body,
        made.name,
        timeout=timeout,
        processors=processors,
        format=format,
        overflow=overflow,
        buffer_bytes=buffer_bytes,
        streaming=streaming,
        execution_id=execution_id,
    )


def run_steps(
    steps: Iterable[Step],
    *,
    keep_going: bool = False,
    timeout: Optional[float] = None,
    idle_timeout: Optional[float] = None,
    activity: Optional[Collection[str]] = None,
    watch: Iterable[Path] = (),
    watch_interval: float = 5.0,
    grace: Grace = DEFAULT_GRACE,
    processors: Iterable[AnyProcessor] = (),
    format: str = "text",
    overflow: Overflow = "block",
    buffer_bytes: int = 4 << 20,
    streaming: bool = True,
    execution_id: Optional[str] = None,
) -> ProcessExecution:
    """Run several steps as one execution, each message labelled with its step's ``source``.

    The first step that fails ends it, unless ``keep_going``. `complete` names the (first) step that
    failed, and its ``value`` lists ``source``, ``status`` and ``exit_code`` of each step that ran.
    ``idle_timeout`` counts for each step anew, ``timeout`` for all together. The rest is as for
    :func:`run_process`.
    """
    if not isinstance(steps, Iterable):
        raise UsageError(f"steps is {steps!r}, but must be a list of Step(...)")
    steps = list(steps)
    for step in steps:
        if not isinstance(step, Step):
            raise UsageError(f"a step is a Step(source=..., command=...), not {step!r}")
    idle = Idle(idle_timeout, activity=activity, watch=watch, interval=watch_interval)
    parts = [step.part() for step in steps]
    body = ProcessBody(*parts, grace=grace, idle=idle, keep_going=keep_going)
    return launch(
        body,
        "\n".join(f"{part.source}: {part.name}" for part in parts),
        timeout=timeout,
        processors=processors,
        format=format,
        overflow=overflow,
        buffer_bytes=buffer_bytes,
        streaming=streaming,
        execution_id=execution_id,
    )


def launch(
    body: ProcessBody,
    code: str,
    *,
    timeout: Optional[float] = None,
    processors: Iterable[AnyProcessor] = (),
    format: str = "text",
    overflow: Overflow = "block",
    buffer_bytes: int = 4 << 20,
    streaming: bool = True,
    execution_id: Optional[str] = None,
) -> ProcessExecution:
    """Start a body of commands, and return its execution. Raises :class:`UsageError`."""
    check_timeout(timeout)
    processors = with_format(format, processors)
    Journal("", limit=buffer_bytes, overflow=overflow)  # has the checks of these two
    batch = not streaming_default(streaming)
    engine = engine_loop()
    run = Run(
        execution_id or uuid.uuid4().hex[:16],
        code,
        body,
        engine,
        limit=None if batch else buffer_bytes,
        overflow=overflow,
        timeout=timeout,
    )
    execution = ProcessExecution(run, body=body, processors=processors, batch=batch, awaits_reader=True)
    engine.call(run.start)
    return execution
