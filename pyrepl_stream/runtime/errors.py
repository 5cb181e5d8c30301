"""The errors of this package, grouped by their cause. Imports no other module of this package."""

from __future__ import annotations

__all__ = (
    "PyreplStreamError",
    # the caller
    "UsageError",
    "CursorError",
    "StaleEpochError",
    "UnknownExecutionError",
    "ExecutionExistsError",
    "ExecutionEndedError",
    "SessionClosedError",
    "CommandNotFoundError",
    "CommandPermissionError",
    "WorkingDirectoryError",
    "LineTooLongError",
    # the machine
    "InsecurePathError",
    # the peer
    "ProtocolError",
    # the connection
    "TargetError",
    "ConnectionLostError",
    # the user's code
    "BufferOverflowError",
)


class PyreplStreamError(Exception):
    """The base class of every error that this package defines."""


# -- the caller ------------------------------------------------------------------------------------


class UsageError(PyreplStreamError, ValueError):
    """An argument is not valid, or the call is not possible now. The message explains how to correct it."""


class CursorError(UsageError):
    """A sequence number that is not in the journal: negative, or beyond its last message."""


class StaleEpochError(CursorError):
    """A sequence number that belongs to an earlier journal: the execution has been run again since."""


class UnknownExecutionError(PyreplStreamError, LookupError):
    """The session has no execution with that id: it never had one, or has removed the execution's record."""


class ExecutionExistsError(UsageError):
    """The execution id is in use: by other code, or by an execution that cannot be replaced yet."""


class ExecutionEndedError(UsageError):
    """The execution has ended, or the question was answered, before the call could act on it."""


class SessionClosedError(PyreplStreamError, RuntimeError):
    """The session is closed. Start a new one."""


class CommandNotFoundError(UsageError, FileNotFoundError):
    """The program of a command does not exist."""


class CommandPermissionError(UsageError, PermissionError):
    """The program of a command exists, but may not be executed."""


class WorkingDirectoryError(UsageError, NotADirectoryError):
    """The working directory of a command does not exist, or is not a directory."""


class LineTooLongError(UsageError):
    """A line of input is so long that the command's terminal would cut it off."""


# -- the machine -----------------------------------------------------------------------------------


class InsecurePathError(PyreplStreamError, PermissionError):
    """A directory or file that must be the user's own belongs to another user, or is open to others."""


# -- the peer --------------------------------------------------------------------------------------


class ProtocolError(PyreplStreamError, ValueError):
    """The peer sent something that is not a message of this protocol."""


# -- the connection --------------------------------------------------------------------------------


class TargetError(PyreplStreamError, ConnectionError):
    """A target cannot be reached, or its host cannot be started. The message gives the reason."""


class ConnectionLostError(TargetError):
    """The connection to a target was lost, and could not be restored within the time for retries."""


# -- the user's code -------------------------------------------------------------------------------


class BufferOverflowError(PyreplStreamError, RuntimeError):
    """Raised in the code that writes, when the reader lags and ``overflow`` is ``"fail"``."""
