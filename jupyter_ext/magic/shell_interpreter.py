"""Runs the cells of thread targets as an IPython shell does: magics, formats, tracebacks, numbers.

The cells of ``thread:`` belong to the notebook's shell, those of ``thread:NAME`` to a shell of their own
(:mod:`.own_shell`). ``IPython.get_ipython()`` is the notebook's shell everywhere; the function
``get_ipython`` of the namespace returns the shell of the cell, on which its magics act.
"""

# mypy: allow-untyped-calls
# (large parts of IPython have no annotations)

from __future__ import annotations

import ast
import bdb
import functools
import inspect
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.error import UsageError

import pyrepl_stream
from pyrepl_stream import ErrorMessage
from pyrepl_stream.embedding import (
    Bundle,
    Interpreter,
    Program,
    clean,
    error_message,
    in_execution,
    publish_error,
)

from .own_shell import Results
from .transform import replace_input

__all__ = ("ShellInterpreter", "replacements")

_PACKAGES = tuple(f"{Path(file).parent}/" for file in (pyrepl_stream.__file__, str(Path(__file__).parent)))
_display: ContextVar[_Display | None] = ContextVar("jupyter_ext_display", default=None)
"""Shows the values of the cell that runs."""
_format_errors: ContextVar[list[BaseException] | None] = ContextVar("jupyter_ext_format_errors", default=None)
_lock = threading.RLock()  # guards the numbers of cells, and the shell's formatter of tracebacks


def _finish(coroutine: Any) -> None:
    """Run a coroutine without a loop. A cell with invalid statements may await, but not wait."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
    raise RuntimeError("code without a loop waited for an awaitable")


@dataclass(frozen=True)
class _Cell(Program):
    """A cell whose statements are compiled when they run, one by one, as IPython does."""

    statements: list[tuple[ast.stmt, bool]] = field(default_factory=list)  # each with: its value is shown
    text: str = ""
    filename: str = ""
    number: int = 0
    is_async: bool = False


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
        except SyntaxError as error:  # of the tokenizer, from CPython 3.12 on
            raise error.with_traceback(None) from None
        finally:  # an invalid cell has a number too
            if self._is_own:
                with _lock:
                    number = shell.execution_count
                    shell.execution_count += 1
                    shell.history_manager.store_inputs(number, transformed, code)
        if not self._is_own:
            replace_input(shell, code, transformed)
        self.allows_await = shell.autoawait
        filename = shell.compile.cache(transformed, number, raw_code=code)
        tree = shell.transform_ast(self.compile_tree(transformed, filename, "exec", ast.PyCF_ONLY_AST))
        statements = _statements(tree.body, shell.ast_node_interactivity)
        return _Cell([], None, statements, transformed, filename, number, self._awaits(tree, filename))

    def _awaits(self, tree: ast.Module, filename: str) -> bool:
        try:
            code = self.compile_tree(tree, filename, "exec")
        except (SyntaxError, ValueError):  # raised again by the statement, when those before it have run
            return False
        return bool(code.co_flags & inspect.CO_COROUTINE)

    def run(self, program: Program, emit: Callable[[Bundle], None]) -> None:
        """Run a cell, and show its values."""
        _finish(self.run_async(program, emit))

    async def run_async(self, program: Program, emit: Callable[[Bundle], None]) -> None:
        """Run a cell that awaits. See :meth:`run`."""
        assert isinstance(program, _Cell)
        with self._traps(), _Display(self._shell, self._notebook, program, emit):
            for statement in program.statements:
                running = self._run_statement(program, *statement)
                if running is not None:
                    await running

    def _run_statement(self, cell: _Cell, statement: ast.stmt, is_shown: bool) -> Any:
        """Run a statement; return the coroutine of one that awaits."""
        tree = ast.Interactive([statement]) if is_shown else ast.Module([statement], [])
        code = self.compile_tree(tree, cell.filename, "single" if is_shown else "exec")
        value = eval(code, self.namespace)
        return value if code.co_flags & inspect.CO_COROUTINE else None

    @contextmanager
    def _traps(self) -> Iterator[None]:
        """Set what IPython sets while a cell runs: its builtins, and a display hook that code may replace."""
        notebook = self._notebook
        with notebook.builtin_trap, notebook.display_trap:
            sys.displayhook = notebook.displayhook  # `%%capture` of a plain cell has one of its own
            try:
                yield
            finally:
                sys.displayhook = notebook.displayhook

    def error(self, exc: BaseException) -> ErrorMessage | None:
        """Return the message for the exception of a cell, with a traceback as the shell shows it.

        Return None if the shell shows it in another way, or not at all.
        """
        exc = exc.with_traceback(_user_traceback(exc.__traceback__))
        if exc.__traceback__ is None and isinstance(exc.__cause__, StopIteration):
            return self.error(exc.__cause__)  # `run_async` has made another error of it
        self.failure = exc
        if isinstance(exc, bdb.BdbQuit):
            return None
        if isinstance(exc, self._notebook.custom_exceptions):
            self._notebook.CustomTB(type(exc), exc, exc.__traceback__)
            return None
        if _has_group(exc):  # IPython leaves these to Python
            sys.stderr.write("\n".join(error_message(exc).traceback) + "\n")
            return None
        try:
            with _lock:
                lines = self._traceback(exc)
        except Exception:  # an exception that breaks IPython's formatter
            return error_message(exc)
        return _message(exc, lines)

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
        if hasattr(exc, "_render_traceback_"):
            return list(exc._render_traceback_())
        return list(shell.InteractiveTB.structured_traceback(type(exc), exc, exc.__traceback__, tb_offset=0))


class _Display:
    """The steps of IPython's display hook, for the values of one cell."""

    def __init__(self, shell: Any, notebook: Any, cell: _Cell, emit: Callable[[Bundle], None]) -> None:
        self._shell = shell
        self._hook = notebook.displayhook if shell is notebook else shell.results
        self._cell = cell
        self._emit = emit
        self.errors: list[BaseException] = []
        """Why values could not be formatted. The rest of the cell runs, and then it fails."""

    def __enter__(self) -> None:
        self._token = _display.set(self)

    def __exit__(self, kind: object, exc: object, trace: object) -> None:
        _display.reset(self._token)
        if exc is None and self.errors:
            raise self.errors[0]

    def check_for_underscore(self) -> None:
        type(self._hook).check_for_underscore(self._hook)

    def quiet(self) -> bool:
        return bool(DisplayHook.semicolon_at_end_of_expression(self._cell.text))

    def start_displayhook(self) -> None:
        """Do nothing: the result is a message."""

    write_output_prompt = finish_displayhook = start_displayhook

    def compute_format_data(self, result: object) -> Bundle:
        token = _format_errors.set(self.errors)
        try:
            formatted: Bundle = self._shell.display_formatter.format(result)
            return formatted
        finally:
            _format_errors.reset(token)

    def update_user_ns(self, result: object) -> None:
        number = self._cell.number
        with _lock:
            if self._hook is self._shell.displayhook and number != self._hook.prompt_count:
                # A later cell has begun: `_` is not the value of this one.
                self._shell.user_ns["_oh"][number] = self._shell.user_ns[f"_{number}"] = result
                return
            if isinstance(self._hook, Results):
                self._hook.number = number
            type(self._hook).update_user_ns(self._hook, result)

    def write_format_data(self, format_dict: dict[str, Any], md_dict: dict[str, Any] | None = None) -> None:
        self._emit((clean(format_dict), md_dict or {}))

    def log_output(self, format_dict: object) -> None:
        """Do nothing: ``Out`` holds the value."""


_STEPS = tuple(name for name in vars(_Display) if not name.startswith("_"))


def _statements(body: list[ast.stmt], interactivity: str) -> list[tuple[ast.stmt, bool]]:
    """Return the statements of a cell, each with whether its value is shown: what the shell's option says."""
    if interactivity == "last_expr_or_assign" and body:
        last = body[-1]
        if isinstance(last, ast.Assign):
            target = last.targets[0] if len(last.targets) == 1 else None
        else:
            target = last.target if isinstance(last, (ast.AugAssign, ast.AnnAssign)) else None
        if isinstance(target, ast.Name):
            name = ast.copy_location(ast.Name(target.id, ast.Load()), target)
            body = [*body, ast.copy_location(ast.Expr(name), target)]
    if interactivity.startswith("last_expr"):
        interactivity = "last" if body and isinstance(body[-1], ast.Expr) else "none"
    first = {"all": 0, "last": len(body) - 1, "none": len(body)}[interactivity]
    return [(statement, number >= first) for number, statement in enumerate(body)]


def _message(exc: BaseException, lines: list[str]) -> ErrorMessage:
    """Return the message for an exception, with IPython's traceback, whose items may have several lines."""
    return replace(error_message(exc), traceback=tuple("\n".join(lines).split("\n")))


def _has_group(exc: BaseException | None) -> bool:
    seen = set()  # code can link exceptions in a circle, and in chains of any length
    while exc is not None and id(exc) not in seen:
        if isinstance(exc, BaseExceptionGroup):
            return True
        seen.add(id(exc))
        exc = exc.__context__
    return False


def _user_traceback(entry: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the frames of this project."""
    if entry is None:
        return None
    rest = _user_traceback(entry.tb_next)
    if entry.tb_frame.f_code.co_filename.startswith(_PACKAGES):
        return rest
    entry.tb_next = rest
    return entry


# -- the shell of the notebook -------------------------------------------------------------------


def replacements(shell: Any) -> list[tuple[object, str, Callable[..., Any]]]:
    """Return what replaces methods of the notebook's shell while output is routed, to act on the execution.

    Each item has the owner and the name of a method, and a function to call with it and its arguments.
    """
    return [
        *((shell.displayhook, step, functools.partial(_run_step, step)) for step in _STEPS),
        (shell, "ask_exit", _ask_exit),
        (shell, "showtraceback", _show_error),
        (shell, "_showtraceback", _show_traceback),
    ]


def _run_step(step: str, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Show the value of the cell that runs in place of the notebook's."""
    display = _display.get()
    return (original if display is None else getattr(display, step))(*args, **kwargs)


def _ask_exit(original: Callable[[], None]) -> None:
    """Make ``exit()`` end the execution that calls it instead of the kernel."""
    if in_execution():
        raise SystemExit
    original()


def _show_error(original: Callable[..., None], exc_tuple: Any = None, *args: Any, **kwargs: Any) -> None:
    """Report a value that cannot be formatted to its own cell. IPython would show the error elsewhere."""
    errors = _format_errors.get()
    if errors is not None and exc_tuple is not None:
        errors.append(exc_tuple[1])
    else:
        original(exc_tuple, *args, **kwargs)


def _show_traceback(original: Callable[..., None], etype: Any, evalue: Any, stb: Any) -> None:
    """Show a traceback that a magic such as ``%tb`` shows in the output of its execution."""
    if not publish_error(_message(evalue, stb)):
        original(etype, evalue, stb)
