"""For programs that host sessions, such as kernels: lead their own ways of output to executions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .engine.context import current
from .engine.formats import display_message
from .engine.heading import head_of
from .engine.routing import in_place, install, routed_getpass, routed_input, uninstall
from .messages import ClearMessage

__all__ = (
    "head_of",
    "in_execution",
    "in_place",
    "install",
    "publish_clear",
    "publish_display",
    "routed_getpass",
    "routed_input",
    "uninstall",
)


def in_execution() -> bool:
    """Whether the calling code belongs to an execution."""
    return current.get() is not None


def publish_display(
    data: Mapping[str, Any],
    metadata: Mapping[str, Any] | None = None,
    *,
    display_id: str | None = None,
    update: bool = False,
) -> bool:
    """Say a MIME bundle in the calling code's execution; False when it belongs to none."""
    run = current.get()
    if run is None:
        return False
    run.say(display_message(data, metadata, display_id=display_id, update=update))
    return True


def publish_clear(wait: bool = False) -> bool:
    """Say in the calling code's execution that what was said before is to be seen no more.

    False when the code belongs to none. ``wait``: not before there is something else to see.
    """
    run = current.get()
    if run is None:
        return False
    run.say(ClearMessage(wait=wait))
    return True
