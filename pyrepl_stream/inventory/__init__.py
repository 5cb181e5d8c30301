"""Finds the sessions and executions of this machine, without starting anything, and controls them."""

from .actions import close_session, close_sessions, read_record, stop_execution, wait_for_end
from .lookup import ExecutionInfo, SessionInfo, find_execution, find_session, list_sessions
from .table import sessions_table

__all__ = (
    "ExecutionInfo",
    "SessionInfo",
    "close_session",
    "close_sessions",
    "find_execution",
    "find_session",
    "list_sessions",
    "read_record",
    "sessions_table",
    "stop_execution",
    "wait_for_end",
)
