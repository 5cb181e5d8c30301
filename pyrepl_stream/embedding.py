"""For programs that host sessions, such as kernels: route their own output to executions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .runtime.engine.context import current
from .runtime.engine.formats import Bundle, clean, display_message, error_message
from .runtime.engine.interpreter import Interpreter, Program
from .runtime.engine.routed_calls import routed_getpass, routed_input
from .runtime.engine.routing import override_streams, replace_while_routing, reroute
from .runtime.engine.summary_line import summary_line
from .runtime.messages import ClearMessage, ErrorMessage, Message

__all__ = (
    "Bundle",
    "Interpreter",
    "Program",
    "clean",
    "error_message",
    "in_execution",
    "override_streams",
    "publish_clear",
    "publish_display",
    "publish_error",
    "replace_while_routing",
    "reroute",
    "routed_getpass",
    "routed_input",
    "summary_line",
)


def in_execution() -> bool:
    """Return True when the calling code belongs to an execution."""
    return current.get() is not None


def publish_display(
    data: Mapping[str, Any],
    metadata: Mapping[str, Any] | None = None,
    *,
    display_id: str | None = None,
    update: bool = False,
) -> bool:
    """Emit a display in the calling code's execution.

    Args:
        data: The MIME bundle.
        metadata: Metadata by MIME type.
        display_id: The id by which later calls can update the display.
        update: Replace the display that has this id, rather than add a new one.

    Returns:
        False when the calling code does not belong to an execution.

    Raises:
        TypeError: ``data`` or ``metadata`` is not a mapping.
    """
    return in_execution() and _emit(display_message(data, metadata, display_id=display_id, update=update))


def _emit(message: Message) -> bool:
    run = current.get()
    if run is not None:
        run.emit(message)
    return run is not None


def publish_clear(wait: bool = False) -> bool:
    """Clear the output of the calling code's execution in all views. The journal keeps it.

    Args:
        wait: Clear only when the next output arrives.

    Returns:
        False when the calling code does not belong to an execution.
    """
    return _emit(ClearMessage(wait=wait))


def publish_error(error: ErrorMessage) -> bool:
    """Show an error that does not end the calling code's execution.

    Args:
        error: The error.

    Returns:
        False when the calling code does not belong to an execution.
    """
    return _emit(replace(error, extra={**error.extra, "is_passing": True}))
