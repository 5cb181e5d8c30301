"""The resuming client: one state machine for every link, and sessions elsewhere as objects."""

from .link import Link, Stream
from .remote_execution import RemoteExecution, RemoteProcessExecution
from .remote_session import RemoteSession

__all__ = ("Link", "Stream", "RemoteExecution", "RemoteProcessExecution", "RemoteSession")
