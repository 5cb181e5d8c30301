"""Compiles and runs code in one namespace, as an interactive interpreter does."""

from __future__ import annotations
import __future__

import ast
import builtins
import hashlib
import inspect
import linecache
import threading
from collections import Counter
from collections.abc import MutableMapping
from types import CodeType
from typing import Any, Callable, NamedTuple, NoReturn, Optional, Union

from ..messages import ErrorMessage
from . import main_module
from .formats import Bundle, ending_message, mime_bundle

__all__ = ("Program", "Interpreter", "leave")


_FEATURES = [getattr(__future__, name).compiler_flag for name in __future__.all_feature_names]
_sources: Counter[str] = Counter()  # the number of interpreters that have compiled a cell, by its file name
_sources_lock = threading.Lock()  # guards _sources


class Program(NamedTuple):
    """Compiled code: steps to run in order. If ``has_value`` is true, the last step is an expression.

    ``number`` is that of the cell, for an interpreter that counts them.
    """

    steps: list[CodeType]
    has_value: bool
    number: int = 0

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
    """

    def __init__(self, namespace: Optional[MutableMapping[str, Any]] = None) -> None:
        self._own = namespace is None
        self._files: set[str] = set()  # names of cells in `linecache`
        self._features = 0  # flags of the compiler
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
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | self._features
        tree = self.transform(_compile(code, filename, "exec", flags | ast.PyCF_ONLY_AST))
        value: Optional[ast.expr] = None
        last = tree.body[-1] if tree.body else None
        if isinstance(last, ast.Expr) and not self.is_quiet(code):
            value = last.value
            tree.body.pop()
        steps = [_compile(tree, filename, "exec", flags)] if tree.body else []
        if value is not None:
            steps.append(_compile(ast.Expression(value), filename, "eval", flags))
        for feature in _FEATURES:  # `from __future__ import` counts for later cells too
            if any(step.co_flags & feature for step in steps):
                self._features |= feature
        return Program(steps, value is not None)

    def is_quiet(self, code: str) -> bool:
        """Return True when the value of the last expression is not to be shown."""
        return code.rstrip().endswith(";")

    def transform(self, tree: ast.Module) -> ast.Module:
        """Return the tree to compile in place of ``tree``, which may be changed."""
        return tree

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

    def run(self, program: Program) -> Any:
        """Run code that has no top-level ``await``; return the value of its last expression."""
        value = None
        for step in program.steps:
            value = eval(step, self.namespace)
        return value if program.has_value else None

    async def run_async(self, program: Program) -> Any:
        """Run code that has top-level ``await``; return the value of its last expression."""
        value = None
        for step in program.steps:
            value = eval(step, self.namespace)
            if step.co_flags & inspect.CO_COROUTINE:
                value = await value
        return value if program.has_value else None

    def show(self, program: Program, value: Any, emit: Callable[[Bundle], None]) -> None:
        """Pass the MIME bundle of the value of ``program`` to ``emit``, and remember the value."""
        emit(mime_bundle(value))
        if self._own:
            self.namespace["_"] = value

    def error(self, exc: BaseException) -> ErrorMessage:
        """Return the message for the exception that ended the code."""
        return ending_message(exc)


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
