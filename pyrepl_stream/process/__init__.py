"""Commands as executions. Standard library only, Python 3.9.

The names are loaded on first use: a host needs some of the modules, and no event loop.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .activity import Idle
    from .body import ProcessBody
    from .command import Command
    from .run import ProcessExecution, run_process, run_steps
    from .steps import Step

__all__ = (
    "Command",
    "Idle",
    "ProcessBody",
    "ProcessExecution",
    "Step",
    "run_process",
    "run_steps",
)

_HOME = {
    "Command": "command",
    "Idle": "activity",
    "ProcessBody": "body",
    "ProcessExecution": "run",
    "Step": "steps",
    "run_process": "run",
    "run_steps": "run",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
