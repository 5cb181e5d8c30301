"""The shell of ``thread:NAME``, whose cells have a namespace, magics, ``In`` and ``Out`` of their own."""

# mypy: allow-untyped-calls
# (large parts of IPython have no annotations)

from __future__ import annotations

import atexit
from types import ModuleType
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.history import HistoryManager
from IPython.core.interactiveshell import InteractiveShell

__all__ = ("Results", "own_shell")


def own_shell(notebook: Any) -> Any:
    """Return a shell with a namespace of its own, which displays values and errors as ``notebook`` does."""
    # Libraries recognize the shell of a kernel only by its class. A terminal's shell would open the terminal.
    base = type(notebook) if hasattr(notebook, "kernel") else InteractiveShell
    kind = type(base.__name__, (_OwnShell, base), {"__module__": base.__module__, "notebook": notebook})
    module = ModuleType("__main__")
    options: dict[str, Any] = {"parent": notebook.parent, "profile_dir": notebook.profile_dir}
    if hasattr(notebook, "kernel"):
        options["kernel"] = notebook.kernel
    shell: Any = kind(user_module=module, user_ns=module.__dict__, **options)
    atexit.unregister(shell.atexit_operations)
    shared = "compile builtin_trap display_trap display_formatter display_pub InteractiveTB SyntaxTB"
    for name in shared.split():
        setattr(shell, name, getattr(notebook, name))
    return shell


class Results(DisplayHook):
    """Keeps the values of cells, each under the number of its cell."""

    number = 0

    @property
    def prompt_count(self) -> int:
        """The number of the cell, under which a value is kept."""
        return self.number


class _OwnShell(InteractiveShell):
    """A shell that changes nothing outside itself."""

    notebook: Any

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.results = Results(parent=self, shell=self)

    def _nothing(self, *args: object) -> None:
        """Do nothing: the notebook's shell has already done it."""

    init_environment = init_virtualenv = init_sys_modules = init_prompts = init_io = _nothing

    def init_history(self) -> None:
        """Keep inputs in memory only."""
        self.history_manager = HistoryManager(shell=self, parent=self, enabled=False)

    def find_line_magic(self, name: str) -> Any:
        """Return a magic of this shell, or one that was added to the shell of the notebook."""
        return super().find_line_magic(name) or self.notebook.find_line_magic(name)

    def find_cell_magic(self, name: str) -> Any:
        """See :meth:`find_line_magic`."""
        return super().find_cell_magic(name) or self.notebook.find_cell_magic(name)

    def ask_exit(self) -> None:
        """End the execution."""
        raise SystemExit

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        self.notebook._showtraceback(etype, evalue, stb)
