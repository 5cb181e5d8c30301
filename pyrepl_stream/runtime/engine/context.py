"""The execution to which the running code belongs."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from .run import Run

__all__ = ("current",)

current: ContextVar[Optional[Run]] = ContextVar("pyrepl_stream_execution", default=None)
"""Set in an execution's thread and inherited by its tasks. ``routing`` sets it in threads that they start."""
