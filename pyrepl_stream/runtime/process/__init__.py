"""Running commands: the values that describe them, and the runner of an execution's commands.

The names are imported on first use, because a host needs only some of the modules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .command import *
    from .idle import *
    from .limits import *
    from .runner import *

__all__, __getattr__ = lazy_names(
    __name__,
    {"command": "Command", "idle": "IdlePolicy", "limits": "Limits", "runner": "ProcessRunner Retry"},
)
