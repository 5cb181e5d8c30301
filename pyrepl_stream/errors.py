"""Errors, split by who is to blame. Imports nothing of ours."""

from __future__ import annotations

__all__ = (
    "PyreplStreamError",
    "UsageError",
    "SessionClosedError",
    "UnknownExecutionError",
    "CursorError",
    "ProtocolError",
    "BufferOverflowError",
    "CommandNotFoundError",
    "CommandPermissionError",
    "WorkingDirectoryError",
    "LineTooLongError",
    "UnsafePathError",
    "TargetError",
    "ConnectionLostError",
    "ExecutionExistsError",
    "WrongEpochError",
    "EndedError",
)


class PyreplStreamError(Exception):
    """The root of every error that this package raises by itself."""


class UsageError(PyreplStreamError, ValueError):
    """The caller asked for something that makes no sense; the text says what does."""


class SessionClosedError(PyreplStreamError, RuntimeError):
    """The session was closed; start a new one."""


class UnknownExecutionError(PyreplStreamError, LookupError):
    """The session has no execution of that id (never had, or no longer keeps it)."""


class CursorError(UsageError):
    """A position that the journal cannot have: negative, or beyond its end."""


class ProtocolError(PyreplStreamError, ValueError):
    """The peer sent something that is no message of this protocol."""


class BufferOverflowError(PyreplStreamError, RuntimeError):
    """Raised in the code that writes when its reader lags and ``overflow`` is ``"fail"``."""


class CommandNotFoundError(UsageError, FileNotFoundError):
    """The program of a command is not there."""


class CommandPermissionError(UsageError, PermissionError):
    """The program of a command is there, but may not be executed."""


class WorkingDirectoryError(UsageError, NotADirectoryError):
    """The directory in which a command is to run is not there, or is none."""


class LineTooLongError(UsageError):
    """A line of input that the command's terminal would cut."""


class UnsafePathError(PyreplStreamError, PermissionError):
    """A directory or file that has to be the user's own is not, or cannot be made."""


class TargetError(PyreplStreamError, ConnectionError):
    """A target cannot be reached, or cannot be started there; the text says why."""


class ConnectionLostError(TargetError):
    """A target that was reached is reached no more, and the time to try again is over."""


class ExecutionExistsError(UsageError):
    """There is an execution of that id with other code."""


class WrongEpochError(CursorError):
    """The journal was made anew since: what the position meant is gone."""


class EndedError(UsageError):
    """The execution has ended, or the question was answered: there is nothing to act on."""
