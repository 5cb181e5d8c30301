"""The client, which resumes after each cut: one state machine for all links, and remote sessions."""

from .link import Link, Stream
from .remote_execution import RemoteExecution, RemoteProcessExecution
from .remote_session import RemoteSession

__all__ = ("Link", "Stream", "RemoteExecution", "RemoteProcessExecution", "RemoteSession")
