"""What a cell of ``%%remote_stream --shell`` or ``--profile`` runs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from IPython.core.error import UsageError

import pyrepl_stream
from pyrepl_stream import AnyProcessor, Command, CommandRequest, Idle, ProcessBody, ProfileRun

from .arguments import Arguments

__all__ = ("CellCommand", "command_of")


@dataclass(frozen=True)
class CellCommand:
    """A command, ready to be launched: ``body`` here, :meth:`request` in a session elsewhere."""

    name: str
    command: Command
    idle: Idle
    body: ProcessBody
    timeout: float | None
    processors: Iterable[AnyProcessor] = ()

    def request(self) -> CommandRequest:
        """What a session is told. It does not have the profile's second attempt."""
        idle = self.idle
        return CommandRequest.of(
            self.command,
            idle_timeout=idle.timeout,
            activity=sorted(idle.kinds),
            watch=tuple(os.path.abspath(path) for path in idle.watch),
            watch_interval=idle.interval,
        )


def command_of(cell: str, arguments: Arguments) -> CellCommand:
    """Raises IPython's :class:`UsageError` for what could not be started."""
    try:
        if arguments.profile is not None:
            return _of_profile(cell, arguments)
        return _of_shell(cell, arguments)
    except pyrepl_stream.UsageError as exc:
        raise UsageError(f"%%remote_stream: {exc}") from None


def _of_shell(cell: str, arguments: Arguments) -> CellCommand:
    command = Command(
        cell,
        pty=not arguments.no_tty,
        stderr="pipe" if arguments.no_tty else "merge",
        cwd=arguments.cwd,
        env=dict(arguments.env),
        stdin=None if arguments.interactive else "",
        interactive=arguments.interactive,
    )
    idle = Idle(arguments.idle_timeout, watch=arguments.watch)
    body = ProcessBody(command, idle=idle)
    return CellCommand("the shell runs the cell", command, idle, body, arguments.timeout)


def _of_profile(cell: str, arguments: Arguments) -> CellCommand:
    for name in ("no_tty", "interactive"):
        if getattr(arguments, name):
            raise UsageError(f"%%remote_stream: --{name.replace('_', '-')} is said by the profile itself")
    assert arguments.profile is not None
    run = ProfileRun.of(
        arguments.profile,
        cell.strip("\n"),
        options=dict(arguments.options),
        cwd=arguments.cwd,
        env=dict(arguments.env),
        timeout=arguments.timeout,
        idle_timeout=arguments.idle_timeout,
        watch=arguments.watch,
    )
    return CellCommand(run.command.name, run.command, run.idle, run.body, run.timeout, run.processors)
