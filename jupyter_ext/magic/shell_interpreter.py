"""Runs the cells of thread targets as an IPython shell does: magics, formats, tracebacks, numbers.

The cells of ``thread:`` belong to the notebook's shell. Each ``thread:NAME`` has a shell of its own, with its
own namespace, magics, ``In`` and ``Out``. ``IPython.get_ipython()`` is the notebook's shell everywhere; the
function ``get_ipython`` of the namespace returns the shell of the cell, on which its magics act.
"""

# mypy: allow-untyped-calls
# (large parts of IPython have no annotations)

from __future__ import annotations

import ast
import atexit
import sys
import threading
import traceback
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.error import UsageError
from IPython.core.history import HistoryManager
from IPython.core.interactiveshell import InteractiveShell

import pyrepl_stream
from pyrepl_stream import ErrorMessage
from pyrepl_stream.embedding import Bundle, Interpreter, Program, clean, error_message, in_execution

__all__ = ("ShellInterpreter", "own_shell", "replacements")

_PACKAGES = tuple(f"{Path(file).parent}/" for file in (pyrepl_stream.__file__, str(Path(__file__).parent)))
_format_errors: ContextVar[list[BaseException] | None] = ContextVar("jupyter_ext_format_errors", default=None)
_lock = threading.RLock()  # guards the numbers of cells, and the shell's formatter of tracebacks


class ShellInterpreter(Interpreter):
    """Runs cells in the namespace of ``shell``.

    Attributes:
        failure: The exception of the cell that failed last.
    """

    def __init__(self, shell: Any, notebook: Any) -> None:
        """``notebook`` is the shell of the notebook, which may be ``shell`` itself."""
        super().__init__(shell.user_ns)
        self._shell = shell
        self._notebook = notebook
        self._is_own = shell is not notebook
        self.failure: BaseException | None = None

    def number(self) -> int:
        """Return the number of the cell that is being started."""
        return int(self._notebook.displayhook.prompt_count)  # `execution_count` may be the next one already

    def compile_cell(self, code: str, number: int) -> Program:
        """Transform and compile a cell. See :meth:`Interpreter.compile`."""
        shell = self._shell
        transformed = code
        try:
            transformed = shell.transform_cell(code)
        finally:  # an invalid cell has a number too
            if self._is_own:
                with _lock:
                    number = shell.execution_count
                    shell.execution_count += 1
                    shell.history_manager.store_inputs(number, transformed, code)
        filename = shell.compile.cache(transformed, number, raw_code=code)
        return self.compile(transformed, filename)._replace(number=number)

    def is_quiet(self, code: str) -> bool:
        """Return True if the last expression ends in a semicolon, even if a comment follows."""
        return bool(DisplayHook.semicolon_at_end_of_expression(code))

    def transform(self, tree: ast.Module) -> ast.Module:
        """Apply the transformers of the shell."""
        transformed: ast.Module = self._shell.transform_ast(tree)
        return transformed

    def run(self, program: Program) -> Any:
        """Run a cell with the builtins that IPython adds, such as ``get_ipython``, by which rich finds it."""
        with self._notebook.builtin_trap:
            return super().run(program)

    async def run_async(self, program: Program) -> Any:
        """Run a cell that awaits. See :meth:`run`."""
        with self._notebook.builtin_trap:
            return await super().run_async(program)

    def show(self, program: Program, value: Any, emit: Callable[[Bundle], None]) -> None:
        """Emit the forms of a cell's value, and keep it as ``_`` and in ``Out``.

        Raises:
            BaseException: A form could not be made; the others have been emitted.
        """
        errors: list[BaseException] = []
        token = _format_errors.set(errors)
        try:
            data, metadata = self._shell.display_formatter.format(value)
        finally:
            _format_errors.reset(token)
        emit((clean(data), metadata))
        with _lock:
            self._remember_result(program.number, value)
        if errors:
            raise errors[0]

    def _remember_result(self, number: int, value: Any) -> None:
        shell = self._shell
        if self._is_own:
            shell.results.number = number
            shell.results.update_user_ns(value)
        elif number == shell.displayhook.prompt_count:
            shell.displayhook.update_user_ns(value)
        else:  # a later cell has begun: `_` is not the value of this one
            shell.user_ns["_oh"][number] = shell.user_ns[f"_{number}"] = value

    def error(self, exc: BaseException) -> ErrorMessage:
        """Return the message for the exception of a cell, with a traceback as the shell shows it."""
        exc = exc.with_traceback(_user_traceback(exc.__traceback__))
        self.failure = exc
        message = error_message(exc)
        try:
            with _lock:
                lines = self._traceback(exc)
        except Exception:  # an exception that breaks IPython's formatter
            return message
        return ErrorMessage(
            name=message.name, value=message.value, traceback=tuple("\n".join(lines).split("\n"))
        )

    def _traceback(self, exc: BaseException) -> list[str]:
        shell: Any = self._notebook
        if isinstance(exc, UsageError):
            return [f"UsageError: {exc}"]
        if isinstance(exc, SystemExit):
            return [
                "An exception has occurred, use %tb to see the full traceback.\n",
                *shell.InteractiveTB.get_exception_only(type(exc), exc),
            ]
        if isinstance(exc, SyntaxError):
            frames = traceback.extract_tb(exc.__traceback__)
            return list(shell.SyntaxTB.structured_traceback(type(exc), exc, frames))
        if _has_group(exc):  # IPython leaves these to Python
            return list(error_message(exc).traceback)
        return list(shell.InteractiveTB.structured_traceback(type(exc), exc, exc.__traceback__, tb_offset=0))

    def _keep_source(self, code: str, filename: str) -> None:
        """Do nothing: the shell's compiler keeps it."""


def _has_group(exc: BaseException | None) -> bool:
    return exc is not None and (hasattr(exc, "exceptions") or _has_group(exc.__context__))


def _user_traceback(entry: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the frames of this project."""
    if entry is None:
        return None
    rest = _user_traceback(entry.tb_next)
    if entry.tb_frame.f_code.co_filename.startswith(_PACKAGES):
        return rest
    entry.tb_next = rest
    return entry


# -- the shells of thread:NAME -------------------------------------------------------------------


def own_shell(notebook: Any) -> Any:
    """Return a shell with a namespace of its own, which shares with ``notebook`` how it shows things."""
    # Nothing else looks like the shell of a kernel to libraries; that of a terminal would open it.
    base = type(notebook) if hasattr(notebook, "kernel") else InteractiveShell
    kind = type(base.__name__, (_OwnShell, base), {"__module__": base.__module__, "notebook": notebook})
    module = ModuleType("__main__")
    options: dict[str, Any] = {"parent": notebook.parent, "profile_dir": notebook.profile_dir}
    if hasattr(notebook, "kernel"):
        options["kernel"] = notebook.kernel
    shell: Any = kind(user_module=module, user_ns=module.__dict__, **options)
    atexit.unregister(shell.atexit_operations)
    for name in ("compile", "builtin_trap", "display_formatter", "display_pub", "InteractiveTB", "SyntaxTB"):
        setattr(shell, name, getattr(notebook, name))
    return shell


class _Results(DisplayHook):
    """Keeps the values of cells, each under the number of its cell."""

    number = 0

    @property
    def prompt_count(self) -> int:
        return self.number


class _OwnShell(InteractiveShell):
    """A shell that changes nothing of its process."""

    notebook: Any

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.results = _Results(parent=self, shell=self)

    def _nothing(self, *args: object) -> None:
        """Do nothing: the notebook's shell has done it."""

    init_environment = init_virtualenv = init_sys_modules = init_prompts = init_io = _nothing

    def init_history(self) -> None:
        """Keep inputs in memory only."""
        self.history_manager = HistoryManager(shell=self, parent=self, enabled=False)

    def find_line_magic(self, name: str) -> Any:
        """Return a magic of this shell, or one that was added to the notebook's."""
        return super().find_line_magic(name) or self.notebook.find_line_magic(name)

    def find_cell_magic(self, name: str) -> Any:
        """See :meth:`find_line_magic`."""
        return super().find_cell_magic(name) or self.notebook.find_cell_magic(name)

    def ask_exit(self) -> None:
        """End the execution."""
        raise SystemExit

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        sys.stderr.write(self.InteractiveTB.stb2text(stb) + "\n")


# -- the shell of the notebook -------------------------------------------------------------------


def replacements(shell: Any) -> list[tuple[object, str, Callable[[Any], Any]]]:
    """Return the methods of the notebook's shell that act on the execution while output is routed."""
    return [
        (shell, "ask_exit", _routed_exit),
        (shell, "showtraceback", _routed_show),
        (shell, "_showtraceback", lambda original: _routed_traceback(shell, original)),
    ]


def _routed_exit(original: Callable[[], None]) -> Callable[[], None]:
    """Make ``exit()`` end the execution that calls it instead of the kernel."""

    def ask_exit() -> None:
        if in_execution():
            raise SystemExit
        original()

    return ask_exit


def _routed_show(original: Callable[..., None]) -> Callable[..., None]:
    """Let a value that cannot be formatted fail its cell. IPython would show the error as another cell's."""

    def showtraceback(exc_tuple: Any = None, *args: Any, **kwargs: Any) -> None:
        errors = _format_errors.get()
        if errors is not None and exc_tuple is not None:
            errors.append(exc_tuple[1])
        else:
            original(exc_tuple, *args, **kwargs)

    return showtraceback


def _routed_traceback(shell: Any, original: Callable[..., None]) -> Callable[..., None]:
    """Write a traceback that a magic such as ``%tb`` shows to the execution's output."""

    def _showtraceback(etype: Any, evalue: Any, stb: Any) -> None:
        if in_execution():
            sys.stderr.write(shell.InteractiveTB.stb2text(stb) + "\n")
        else:
            original(etype, evalue, stb)

    return _showtraceback
