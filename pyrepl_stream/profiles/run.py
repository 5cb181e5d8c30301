"""Runs the tool of a profile with a prompt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

from ..execution import ProcessExecution
from ..local.processes import launch
from ..pipeline import AnyProcessor
from ..processors import processors_by_name
from ..runtime.process import Command, IdlePolicy, Limits, ProcessRunner, Retry
from ..runtime.process.termination import DEFAULT_GRACE, Grace
from .files import find_profile
from .profile import Profile
from .rejected import rejected_flag

__all__ = ("ProfileRun", "run_profile")


@dataclass(frozen=True)
class ProfileRun:
    """A command that is ready to be started, such as that of a profile with a prompt.

    Args:
        command: The command.
        limits: When and how the command is ended.
        processors: The profile's processors of its output.
        retry: Returns the command for one more attempt, without a flag that the tool rejected.
    """

    command: Command
    limits: Limits
    processors: tuple[AnyProcessor, ...] = ()
    retry: Retry | None = None

    @classmethod
    def of(
        cls,
        profile: str | Profile,
        prompt: str,
        *,
        options: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
        cwd: str | PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        idle_timeout: float | None = None,
        watch: Iterable[str | PathLike[str]] = (),
        grace: Grace = DEFAULT_GRACE,
        source: str = "",
    ) -> ProfileRun:
        """Prepare a run.

        Args:
            profile: A profile, or the name of one.
            prompt: The text for the tool.
            options: Values of the profile's options, by name.
            arguments: Additional words for the command line.
            cwd: Working directory.
            env: Variables, in addition to the profile's.
            timeout: Maximum duration of the run in seconds. The default is the profile's.
            idle_timeout: Maximum time without activity in seconds. The default is the profile's.
            watch: Paths whose changes count as activity, in addition to the profile's.
            grace: Seconds to wait after SIGINT, SIGTERM and SIGKILL.
            source: Label of the messages.

        Raises:
            UsageError: A value is invalid. :class:`Command` may raise other errors.
        """
        found = find_profile(profile) if isinstance(profile, str) else profile
        watched = [*found.watch, *watch]
        activity = {*found.activity, *(["files"] if watched else [])}

        def words(without: Sequence[str] = ()) -> list[str]:
            return found.command_line(prompt, options=options, arguments=arguments, without=without)

        def retry(failed: Command, output: bytes) -> tuple[Command, str] | None:
            """Leave out a flag that this version of the tool does not know."""
            flag = rejected_flag(output.decode("utf-8", "replace"), [group[0] for group in found.flags])
            if flag is None:
                return None
            warning = f"{failed.arguments[0]} does not know {flag}: running it again without the flag"
            return replace(failed, arguments=words([flag])), warning

        command = Command(
            words(),
            pty=found.pty,
            stderr=found.stderr,
            cwd=cwd,
            env={**found.env, **(env or {})},
            stdin=found.stdin(prompt),
            source=source,
        )
        limits = Limits(
            timeout if timeout is not None else found.timeout,
            IdlePolicy(
                idle_timeout if idle_timeout is not None else found.idle_timeout,
                activity=activity,
                watch=watched,
                interval=found.watch_interval,
            ),
            grace,
        )
        return cls(command, limits, processors_by_name(found.processors), retry)


def run_profile(
    profile: str | Profile,
    prompt: str,
    *,
    streaming: bool = True,
    processors: Iterable[AnyProcessor] = (),
    **options: Any,
) -> ProcessExecution:
    """Start the tool of a profile.

    A flag of the profile that the tool rejects is left out in a second attempt, and a ``log`` message
    says so.

    Args:
        profile: A profile, or the name of one.
        prompt: The text for the tool.
        streaming: See :func:`run_process`.
        processors: Processors that receive the messages after the profile's processors.
        **options: See :meth:`ProfileRun.of`.

    Raises:
        UsageError: A value is invalid. :class:`Command` may raise other errors.
    """
    run = ProfileRun.of(profile, prompt, **options)
    runner = ProcessRunner(run.command, limits=run.limits, retry=run.retry)
    return launch(runner, run.command.name, processors=(*run.processors, *processors), streaming=streaming)
