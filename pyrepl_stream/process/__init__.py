"""Commands as executions. Standard library only, Python 3.9."""

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
