"""The environment variables that a Jupyter kernel sets for the code of cells, but not for commands."""

from __future__ import annotations

import os
from typing import Optional

__all__ = ("environment_of_commands", "set_variables_of_kernel")

# As ipykernel and its launcher do: tools write colours, and no pager waits for a key.
_OF_KERNEL = {
    "TERM": "xterm-color",
    "CLICOLOR": "1",
    "FORCE_COLOR": "1",
    "CLICOLOR_FORCE": "1",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "JPY_PARENT_PID": str(os.getppid()),
}
_before: dict[str, Optional[str]] = {}  # the values that the variables had


def set_variables_of_kernel() -> None:
    """Set the variables in this process."""
    _before.update({name: os.environ.get(name) for name in _OF_KERNEL})
    os.environ.update(_OF_KERNEL)


def environment_of_commands() -> dict[str, str]:
    """Return the environment of a command: that of the cells, with the earlier values of these variables.

    Variables that user code has changed since keep their new values.
    """
    environment = dict(os.environ)
    for name, value in _before.items():
        if environment.get(name) == _OF_KERNEL[name]:
            del environment[name]
            if value is not None:
                environment[name] = value
    return environment
