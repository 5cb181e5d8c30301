"""The user's IPython profile in a worker: settings, extensions and start-up files, as a kernel uses them."""

# mypy: allow-untyped-calls

from __future__ import annotations

import pdb
from typing import Any

from IPython.core import debugger
from IPython.core.application import BaseIPythonApplication
from IPython.core.shellapp import InteractiveShellApp

__all__ = ("Profile", "use_pdb")


class Profile(BaseIPythonApplication, InteractiveShellApp):
    """The profile ``default`` of the user. Its two inherited ``init`` methods need :attr:`shell`."""

    name = "ipython-kernel"  # also read `ipython_kernel_config.py`

    def load(self) -> None:
        """Read the settings. The history is kept in memory only, unless they name a file for it."""
        self.init_profile_dir()
        self.init_config_files()
        self.load_config_file(suppress_errors=True)
        if "hist_file" not in self.config.HistoryManager:
            self.config.HistoryManager.hist_file = ":memory:"


# The section of the settings is named after the class, and users write the name of a kernel's class.
Profile.__name__ = "IPKernelApp"


def use_pdb() -> None:
    """Replace pdb by IPython's, which an interrupt can end, as ipykernel does."""
    interruptible: Any = debugger.InterruptiblePdb
    debugger.Pdb = interruptible  # type: ignore[misc]
    pdb.Pdb = interruptible  # type: ignore[misc]
    pdb.set_trace = debugger.set_trace
