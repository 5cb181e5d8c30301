"""Commands, and sequences of steps, as executions in this process."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal, cast

from ..execution import Execution, ProcessExecution
from ..pipeline import AnyProcessor
from ..runtime.engine.loop import engine_loop
from ..runtime.engine.run import Run
from ..runtime.errors import UsageError
from ..runtime.journal.memory import Journal, Overflow
from ..runtime.process.call import CallStep
from ..runtime.process.command import DEFAULT_SIZE, Arguments, Command, Standard
from ..runtime.process.idle import IdlePolicy, Path
from ..runtime.process.limits import Limits
from ..runtime.process.runner import ProcessRunner, Retry
from ..runtime.process.termination import DEFAULT_GRACE, Grace
from ..runtime.validation import short_repr
from ..session import ExecutionOptions

__all__ = ("Step", "run_process", "run_steps")


class Step:
    """A command or a callable whose messages are labelled with ``source``.

    Args:
        source: Label of the messages.
        command: The command: a list of words, text for the shell, or a :class:`Command`. A command given as
            words or text reads from the null device unless ``stdin`` is given.
        call: A callable to run instead. It is called in its own thread, with a text writer as its argument,
            and fails by raising an exception.
        **fields: Other fields of :class:`Command`, if ``command`` is words or text.

    Raises:
        UsageError: A value is invalid. Other errors that :class:`Command` raises are raised, too.
    """

    def __init__(
        self,
        source: str,
        command: Arguments | Command | None = None,
        call: Callable[[Any], object] | None = None,
        **fields: Any,
    ) -> None:
        if not isinstance(source, str) or not source:
            raise UsageError(
                f"the source of a step must be a label for its messages, not {short_repr(source)}"
            )
        if (command is None) == (call is None):
            raise UsageError(f"step {source!r} needs either a command or a call")
        self.source = source
        self.part: Command | CallStep
        """The command or the callable, with the label."""
        if isinstance(command, Command):
            if fields:
                raise UsageError(f"step {source!r}: {', '.join(fields)} cannot be given with a Command")
            self.part = replace(command, source=source)
        elif command is not None:
            self.part = Command(command, **{"stdin": "", **fields, "source": source})
        elif not callable(call):
            raise UsageError(f"the call of step {source!r} must be callable, not {short_repr(call)}")
        elif fields:
            raise UsageError(f"step {source!r}: {', '.join(fields)} can only be given with a command")
        else:
            self.part = CallStep(call, source)

    def __repr__(self) -> str:
        return f"Step({self.source!r}, {self.part.name!r})"


def execution_of(run: Run, **options: Any) -> Execution:
    """Return the execution of ``run``; ``options`` are the options of :class:`Execution`."""
    kind = ProcessExecution if isinstance(run.runner, ProcessRunner) else Execution
    return kind(run, **options)


def run_process(
    command: Arguments | Command,
    *,
    pty: bool = True,
    stderr: Literal["merge", "pty", "pipe"] = "merge",
    cwd: Path | None = None,
    env: Mapping[str, str | None] | None = None,
    size: tuple[int, int] = DEFAULT_SIZE,
    stdin: Standard = None,
    interactive: bool = False,
    source: str = "",
    limits: Limits | None = None,
    timeout: float | None = None,
    idle_timeout: float | None = None,
    activity: Collection[str] | None = None,
    watch: Iterable[Path] = (),
    watch_interval: float = 5.0,
    grace: Grace = DEFAULT_GRACE,
    processors: Iterable[AnyProcessor] = (),
    format: str = "text",
    overflow: Overflow = "block",
    buffer_bytes: int = 4 << 20,
    streaming: bool = True,
    retry: Retry | None = None,
    execution_id: str | None = None,
) -> ProcessExecution:
    """Start a command in this process, without a session, and return its execution at once.

    Args:
        command: Text for the shell, a list of words, or a :class:`Command`; the arguments from ``pty`` to
            ``interactive``, and ``source``, cannot be given together with a :class:`Command`.
        pty: Give the command a terminal for its output.
        stderr: Where standard error goes: ``merge``, ``pty`` or ``pipe``. See :class:`Command`.
        cwd: The working directory; None for the working directory of this process.
        env: Variables to add to the environment; a value of None removes the variable.
        size: Rows and columns of the terminal.
        stdin: The input: text, bytes, a file or a descriptor; None for a pipe that ``write()`` fills.
        interactive: Read input from the terminal, and make it the controlling terminal.
        limits: The limits as one value, instead of the six arguments that follow.
        timeout: Seconds after which the command is stopped; None for no limit.
        idle_timeout: Seconds without activity after which the command is stopped; None for no limit.
        activity: What counts as activity. See :class:`IdlePolicy`.
        watch: Paths whose changes count as activity.
        watch_interval: Seconds between two checks of files and processes.
        grace: Seconds from SIGINT to SIGTERM, and from SIGTERM to SIGKILL, when the command and all
            processes that it started are stopped.
        processors: The processors that messages pass through for each reader, in order.
        format: The format of the output, ``text``, ``json`` or ``yaml``. Documents in it become events
            before the processors are called.
        overflow: What happens when a reader lags. See :class:`Session`.
        buffer_bytes: Maximum memory in bytes for the output.
        streaming: If False, deliver all messages at the end.
        source: The label of the messages.
        retry: Called with a command that failed and the end of its output; returns the command to run in
            its place and a text for the log, or None.
        execution_id: The id of the execution; None generates one.

    Raises:
        CommandNotFoundError: The program does not exist.
        CommandPermissionError: The program may not be executed.
        WorkingDirectoryError: ``cwd`` is not a directory, or may not be entered.
        UsageError: A value is invalid. All errors are raised before anything starts.
    """
    fields: dict[str, Any] = {
        "pty": pty,
        "stderr": stderr,
        "cwd": cwd,
        "env": env,
        "size": size,
        "stdin": stdin,
        "interactive": interactive,
        "source": source,
    }
    if not isinstance(command, Command):
        command = Command(command, **fields)
    elif given := [name for name, value in fields.items() if value != getattr(Command, name)]:
        raise UsageError(
            f"{', '.join(given)} cannot be given with a Command; use dataclasses.replace() on it"
        )
    idle = IdlePolicy(idle_timeout, activity, watch, watch_interval)
    limits = _limits(limits, Limits(timeout, idle, grace))
    runner = ProcessRunner(command, limits=limits, retry=retry)
    return launch(runner, command.name, execution_id, processors, format, streaming, overflow, buffer_bytes)


def run_steps(
    steps: Iterable[Step],
    *,
    keep_going: bool = False,
    limits: Limits | None = None,
    timeout: float | None = None,
    idle_timeout: float | None = None,
    activity: Collection[str] | None = None,
    watch: Iterable[Path] = (),
    watch_interval: float = 5.0,
    grace: Grace = DEFAULT_GRACE,
    processors: Iterable[AnyProcessor] = (),
    format: str = "text",
    overflow: Overflow = "block",
    buffer_bytes: int = 4 << 20,
    streaming: bool = True,
    execution_id: str | None = None,
) -> ProcessExecution:
    """Run several steps as one execution, whose messages are labelled with their step's ``source``.

    The first step that fails ends the execution, unless ``keep_going`` is true. The `complete` message names
    the first step that failed, and its ``value`` lists ``source``, ``status`` and ``exit_code`` of each step
    that ran.

    Args:
        steps: The steps, in order.
        keep_going: Continue with the next step after a step that failed.
        limits: The limits as one value, instead of the six arguments that follow.
        timeout: Seconds for all steps together; None for no limit.
        idle_timeout: Seconds without activity, counted for each step; None for no limit.
        activity: What counts as activity. See :class:`IdlePolicy`.
        watch: Paths whose changes count as activity.
        watch_interval: Seconds between two checks of files and processes.
        grace: Seconds from SIGINT to SIGTERM, and from SIGTERM to SIGKILL, when a step is stopped.
        processors: The processors that messages pass through for each reader, in order.
        format: The format of the output, ``text``, ``json`` or ``yaml``. Documents in it become events
            before the processors are called.
        overflow: What happens when a reader lags. See :class:`Session`.
        buffer_bytes: Maximum memory in bytes for the output.
        streaming: If False, deliver all messages at the end.
        execution_id: The id of the execution; None generates one.

    Raises:
        UsageError: A value is invalid.
    """
    if not isinstance(steps, Iterable):
        raise UsageError(f"steps must be a list of Step(...), not {short_repr(steps)}")
    steps = list(steps)
    for step in steps:
        if not isinstance(step, Step):
            raise UsageError(f"a step must be a Step(source=..., command=...), not {short_repr(step)}")
    idle = IdlePolicy(idle_timeout, activity, watch, watch_interval)
    limits = _limits(limits, Limits(timeout, idle, grace))
    runner = ProcessRunner(*(step.part for step in steps), limits=limits, keep_going=keep_going)
    code = "\n".join(f"{step.source}: {step.part.name}" for step in steps)
    return launch(runner, code, execution_id, processors, format, streaming, overflow, buffer_bytes)


def _limits(limits: Limits | None, given: Limits) -> Limits:
    """Return ``limits``, or if it is None, the limits ``given`` as separate options."""
    if limits is not None and given != Limits():
        raise UsageError(
            "limits cannot be given together with timeout, idle_timeout, activity, watch or grace"
        )
    return limits or given


def launch(
    runner: ProcessRunner,
    code: str,
    execution_id: str | None = None,
    processors: Iterable[AnyProcessor] = (),
    format: str = "text",
    streaming: bool = True,
    overflow: Overflow = "block",
    buffer_bytes: int = 4 << 20,
) -> ProcessExecution:
    """Start a runner, and return its execution.

    Args:
        runner: Runs the commands. Its limits include the timeout.
        code: The text that is shown for the commands.
        execution_id: See :func:`run_process`.
        processors: See :func:`run_process`.
        format: See :func:`run_process`.
        streaming: See :func:`run_process`.
        overflow: See :func:`run_process`.
        buffer_bytes: See :func:`run_process`.

    Raises:
        UsageError: A value is invalid.
    """
    options = ExecutionOptions(execution_id, runner.limits.timeout, processors, format, streaming)
    Journal("", limit=buffer_bytes, overflow=overflow)  # checks the two options
    run = Run(
        options.execution_id or uuid.uuid4().hex[:16],
        code,
        runner,
        engine_loop(),
        limit=None if options.batch else buffer_bytes,
        overflow=overflow,
        timeout=options.timeout,
    )
    execution = execution_of(run, processors=options.processors, batch=options.batch, awaits_reader=True)
    run.engine.call(run.start)
    return cast("ProcessExecution", execution)
