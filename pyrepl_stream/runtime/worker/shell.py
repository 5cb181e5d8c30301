"""The shell that runs the code of cells: IPython if the interpreter has it, otherwise plain Python."""

from __future__ import annotations

import functools
import sys
import warnings
from types import ModuleType
from typing import Optional

from ..engine.interpreter import Interpreter
from ..engine.python import emit_bundle
from ..engine.run import Run
from .main_thread import Await, Shell
from .variables import set_variables_of_kernel

__all__ = ("PlainShell", "make_shell")


def make_shell(path: Optional[list[str]] = None) -> Shell:
    """Return a new shell. Must be called once, in the main thread.

    Args:
        path: The ``sys.path`` of user code. It is set when the modules of the shell have been imported.
    """
    shell = _make_shell()
    if path is not None:
        sys.path[:] = path
    shell.start()
    return shell


def _make_shell() -> Shell:
    try:
        from .ipython_shell import IPythonShell

        shell = IPythonShell()
    except ImportError:
        return PlainShell()
    except (Exception, SystemExit) as exc:  # IPython is broken, or newer than this code
        warnings.warn(
            f"IPython cannot be used, so cells run as plain Python: {type(exc).__name__}: {exc}",
            RuntimeWarning,
            stacklevel=1,
        )
        return PlainShell()
    set_variables_of_kernel()
    return shell


class PlainShell:
    """Runs code with ``compile`` and ``exec``, in a module that serves as ``__main__``."""

    def __init__(self) -> None:
        module = ModuleType("__main__")
        self._before = sys.modules.get("__main__")  # kept, because its content is in use
        sys.modules["__main__"] = module  # where `pickle` looks for what cells define
        self._interpreter = Interpreter(module.__dict__, own=True)

    def start(self) -> None:
        """Do nothing: plain Python reads no settings."""

    def run(self, run: Run, code: str, wait: Await) -> None:
        """See :meth:`Shell.run`."""
        program = self._interpreter.compile(code, f"<cell {run.id}>")
        emit = functools.partial(emit_bundle, run)
        if program.is_async:
            wait(self._interpreter.run_async(program, emit))
        else:
            self._interpreter.run(program, emit)
