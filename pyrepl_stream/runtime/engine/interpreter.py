"""Compiles and runs code in one namespace, as an interactive interpreter does."""

from __future__ import annotations
import __future__

import ast
import builtins
import functools
import hashlib
import inspect
import linecache
import sys
import threading
from collections import Counter
from collections.abc import MutableMapping
from dataclasses import dataclass
from types import CodeType
from typing import Any, Callable, NoReturn, Optional, Union

from ..messages import ErrorMessage
from . import main_module
from .formats import Bundle, describe, ending_message, mime_bundle

__all__ = ("Program", "Interpreter", "leave")


_FEATURES = [getattr(__future__, name).compiler_flag for name in __future__.all_feature_names]
_sources: Counter[str] = Counter()  # the number of interpreters that have compiled a cell, by its file name
_sources_lock = threading.Lock()  # guards _sources


@dataclass(frozen=True)
class Program:
    """Compiled code: steps to run in order. ``show`` calls ``show(value)`` with the value of the last step.

    It is at the place of the last expression, so that a traceback of a failing ``repr`` begins there. It is
    None if the code does not end with an expression to show.
    """

    steps: list[CodeType]
    show: Optional[CodeType] = None

    @property
    def is_async(self) -> bool:
        """True when it has ``await``, ``async for`` or ``async with`` at its top level."""
        return any(step.co_flags & inspect.CO_COROUTINE for step in self.steps)


class Interpreter:
    """A namespace in which code runs. ``namespace`` is used as it is, not copied.

    Attributes:
        namespace: The global names of the code.
        main: The namespace if it is to be the module ``__main__`` for its code; None if it is that of another
            module.
        allows_await: Code may await at its top level.
    """

    allows_await = True

    def __init__(self, namespace: Optional[MutableMapping[str, Any]] = None, *, own: bool = False) -> None:
        """``own`` adds ``exit`` and ``quit`` to ``namespace`` and binds ``_``, as without a namespace."""
        self._own = own or namespace is None
        self._files: set[str] = set()  # names of cells in `linecache`
        self._features = 0  # flags of the compiler
        self._display_hooks = (sys.__displayhook__, sys.displayhook)  # those that are not the code's own
        self.namespace: dict[str, Any] = namespace if namespace is not None else {}  # type: ignore[assignment]  # exec takes only a dict, and raises for others
        self.namespace.setdefault("__name__", "__main__")
        self.namespace.setdefault("__builtins__", builtins)
        self.main = None if main_module.is_module(self.namespace) else self.namespace
        if self._own:
            self.namespace.update(exit=leave, quit=leave)

    def number(self) -> int:
        """Return the number of the cell that is being started; 0 if cells have none."""
        return 0

    def compile_cell(self, code: str, number: int) -> Program:
        """Compile a cell, whose number was given when it was started. See :meth:`compile`."""
        return self.compile(code)

    def compile(self, code: str, filename: str = "") -> Program:
        """Compile ``code``. Tracebacks show its lines under ``filename``, by default one made from the code.

        Raises:
            SyntaxError, ValueError, OverflowError: As for the built-in ``compile``.
        """
        if not filename:
            digest = hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
            filename = f"<cell {digest[:16]}>"
        self._keep_source(code, filename)
        tree = self.compile_tree(code, filename, "exec", ast.PyCF_ONLY_AST)
        value: Optional[ast.expr] = None
        last = tree.body[-1] if tree.body else None
        if isinstance(last, ast.Expr) and not code.rstrip().endswith(";"):
            value = last.value
            tree.body.pop()
        steps = [self.compile_tree(tree, filename, "exec")] if tree.body else []
        if value is None:
            return Program(steps)
        steps.append(self.compile_tree(ast.Expression(value), filename, "eval"))
        return Program(steps, self.compile_tree(_call_of_show(value), filename, "eval"))

    def compile_tree(self, source: Union[str, ast.AST], filename: str, mode: str, flags: int = 0) -> Any:
        """Call ``compile``. A ``from __future__ import`` counts for later calls too."""
        if self.allows_await:
            flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        compiled = _compile(source, filename, mode, self._features | flags)
        if isinstance(compiled, CodeType):
            self._features |= sum(feature for feature in _FEATURES if compiled.co_flags & feature)
        return compiled

    def _keep_source(self, code: str, filename: str) -> None:
        with _sources_lock:
            if filename not in self._files:
                self._files.add(filename)
                _sources[filename] += 1
            # With None as the modification time, `linecache.checkcache` keeps the entry.
            linecache.cache[filename] = (len(code), None, code.splitlines(keepends=True), filename)

    def forget_sources(self) -> None:
        """Remove the source of all cells from `linecache`, once the session has ended."""
        with _sources_lock:
            _sources.subtract(self._files)
            for filename in self._files:
                if not _sources[filename]:
                    del _sources[filename]
                    linecache.cache.pop(filename, None)
            self._files.clear()

    def run(self, program: Program, emit: Callable[[Bundle], None]) -> None:
        """Run code that has no top-level ``await``, and pass the forms of its value to ``emit``."""
        value = None
        for step in program.steps:
            value = eval(step, self.namespace)
        self._show(program, value, emit)

    async def run_async(self, program: Program, emit: Callable[[Bundle], None]) -> None:
        """Run code that has top-level ``await``. See :meth:`run`."""
        value = None
        for step in program.steps:
            value = eval(step, self.namespace)
            if step.co_flags & inspect.CO_COROUTINE:
                value = await value
        self._show(program, value, emit)

    def _show(self, program: Program, value: Any, emit: Callable[[Bundle], None]) -> None:
        if program.show is None:
            return
        hook = sys.displayhook
        if any(hook is known for known in self._display_hooks) or _is_of_notebook(hook):
            hook = functools.partial(self._display, emit)
        eval(program.show, {"show": hook, "value": value})

    def _display(self, emit: Callable[[Bundle], None], value: Any) -> None:
        if value is None:
            return
        emit(mime_bundle(value))
        if self._own:
            self.namespace["_"] = value

    def error(self, exc: BaseException) -> Optional[ErrorMessage]:
        """Return the message for the exception that ended the code; None if it has been shown."""
        if isinstance(exc, SystemExit) and not isinstance(exc.code, int):
            sys.stderr.write(f"{describe(exc)[1]}\n")  # as the interpreter does
            return None
        return ending_message(exc)


def _call_of_show(value: ast.expr) -> ast.Expression:
    """Return a call ``show(value)`` at the place of an expression."""
    call = ast.parse("show(value)", mode="eval")
    for node in ast.walk(call.body):
        ast.copy_location(node, value)
    return call


def _is_of_notebook(hook: object) -> bool:
    """Return True for the hooks of IPython and its kernel, which they exchange for each cell."""
    return type(hook).__module__.partition(".")[0] in ("IPython", "ipykernel")


def _compile(source: Union[str, ast.AST], filename: str, mode: str, flags: int) -> Any:
    """Call ``compile``, and repeat while Python 3.11 confuses its recursion depth with another thread's."""
    while True:
        try:
            return compile(source, filename, mode, flags, dont_inherit=True)  # type: ignore[arg-type]  # typeshed has no common base of the trees
        except SystemError as exc:
            if "recursion depth mismatch" not in str(exc):
                raise


def leave(code: object = None) -> NoReturn:
    """End the execution. Unlike the ``exit`` of ``site``, do not close standard input."""
    raise SystemExit(code)
