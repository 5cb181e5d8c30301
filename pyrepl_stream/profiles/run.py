"""Run the tool of a profile with a prompt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

from ..chain import AnyProcessor
from ..process import Command, Idle, ProcessBody, ProcessExecution
from ..process.ending import DEFAULT_GRACE, Grace
from ..process.run import launch
from ..processors import processors_by_name
from .files import find_profile
from .profile import Profile
from .rejected import rejected_flag

__all__ = ("ProfileRun", "run_profile")


@dataclass(frozen=True)
class ProfileRun:
    """A profile and a prompt, as what can be launched. ``timeout`` is in seconds."""

    command: Command
    idle: Idle
    body: ProcessBody
    processors: tuple[AnyProcessor, ...]
    timeout: float | None

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
        """What is given here goes before what the profile says; ``watch`` is added to it.

        Raises :class:`UsageError` for what makes no sense, and as :class:`Command` does.
        """
        if isinstance(profile, str):
            profile = find_profile(profile)
        watched = [*profile.watch, *watch]
        activity = {*profile.activity, *(["files"] if watched else [])}
        command = Command(
            profile.command_line(prompt, options=options or {}, arguments=arguments),
            pty=profile.pty,
            stderr=profile.stderr,
            cwd=cwd,
            env={**profile.env, **(env or {})},
            stdin=profile.stdin(prompt),
            source=source,
        )

        def retry(failed: Command, output: bytes) -> tuple[Command, str] | None:
            """A tool of another version may not know a flag: run it once without."""
            flag = rejected_flag(output.decode("utf-8", "replace"), [group[0] for group in profile.flags])
            if flag is None:
                return None
            words = profile.command_line(prompt, options=options or {}, arguments=arguments, without=[flag])
            said = f"{words[0]} does not know {flag}: it is run again without"
            return replace(failed, arguments=words), said

        limit = idle_timeout if idle_timeout is not None else profile.idle_timeout
        idle = Idle(limit, activity=activity, watch=watched, interval=profile.watch_interval)
        return cls(
            command,
            idle,
            ProcessBody(command, grace=grace, idle=idle, retry=retry),
            processors_by_name(profile.processors),
            timeout if timeout is not None else profile.timeout,
        )


def run_profile(
    profile: str | Profile,
    prompt: str,
    *,
    streaming: bool = True,
    processors: Iterable[AnyProcessor] = (),
    **how: Any,
) -> ProcessExecution:
    """Start the tool of a profile; ``how`` is as for :meth:`ProfileRun.of`.

    The messages pass the profile's processors, and then ``processors``. A flag of the profile that
    the tool rejects is left out in one second attempt, and a ``log`` message says so.
    """
    run = ProfileRun.of(profile, prompt, **how)
    return launch(
        run.body,
        run.command.name,
        timeout=run.timeout,
        processors=(*run.processors, *processors),
        streaming=streaming,
    )
