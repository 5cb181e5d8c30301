"""What a cell of ``%%remote_stream --shell`` or ``--profile`` runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from IPython.core.error import UsageError

import pyrepl_stream
from pyrepl_stream import AnyProcessor, Command, Idle, ProcessBody, ProfileRun

from .arguments import Arguments

__all__ = ("CellCommand", "command_of")


@dataclass(frozen=True)
class CellCommand:
    """A command, ready to be launched."""

    name: str
    body: ProcessBody
    timeout: float | None
    processors: Iterable[AnyProcessor] = ()


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
    return CellCommand("the shell runs the cell", ProcessBody(command, idle=idle), arguments.timeout)


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
    return CellCommand(run.command.name, run.body, run.timeout, run.processors)
