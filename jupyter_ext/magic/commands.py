"""The command that a cell with ``--shell`` or ``--profile`` runs."""

from __future__ import annotations

from IPython.core.error import UsageError

import pyrepl_stream
from pyrepl_stream import Command, IdlePolicy, Limits
from pyrepl_stream.profiles import ProfileRun

from .arguments import Arguments


def command_of(cell: str, arguments: Arguments) -> ProfileRun:
    """Return the command of a cell, with what a profile adds to it.

    Raises:
        UsageError: The command cannot be started. This is IPython's error.
    """
    try:
        if arguments.profile is not None:
            return _of_profile(cell, arguments, arguments.profile)
        return _of_shell(cell, arguments)
    except pyrepl_stream.UsageError as exc:
        raise UsageError(f"%%remote_stream: {exc}") from None


def _of_shell(cell: str, arguments: Arguments) -> ProfileRun:
    command = Command(
        cell,
        pty=not arguments.no_tty,
        stderr="pipe" if arguments.no_tty else "merge",
        cwd=arguments.cwd,
        env=dict(arguments.env),
        stdin=None if arguments.interactive else "",
        interactive=arguments.interactive,
    )
    limits = Limits(arguments.timeout, IdlePolicy(arguments.idle_timeout, watch=arguments.watch))
    return ProfileRun(command, limits)


def _of_profile(cell: str, arguments: Arguments, profile: str) -> ProfileRun:
    for option, given in (("--no-tty", arguments.no_tty), ("--interactive", arguments.interactive)):
        if given:
            raise pyrepl_stream.UsageError(f"the profile chooses the terminal or pipes: leave out {option}")
    return ProfileRun.of(
        profile,
        cell.strip("\n"),
        options=dict(arguments.options),
        cwd=arguments.cwd,
        env=dict(arguments.env),
        timeout=arguments.timeout,
        idle_timeout=arguments.idle_timeout,
        watch=arguments.watch,
    )
