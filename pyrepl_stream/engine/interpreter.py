"""Compiles and runs code in a namespace that lasts, as an interactive interpreter does."""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
from collections.abc import MutableMapping
from types import CodeType
from typing import Any, NoReturn, Optional, Union

__all__ = ("Program", "Interpreter", "leave")


class Program:
    """Compiled code: steps to run in order; the last one's value counts when ``has_value``."""

    def __init__(self, steps: list[CodeType], has_value: bool) -> None:
        self.steps = steps
        self.has_value = has_value

    @property
    def is_async(self) -> bool:
        """Whether it has ``await``, ``async for`` or ``async with`` at its top level."""
        return any(step.co_flags & inspect.CO_COROUTINE for step in self.steps)


class Interpreter:
    """A namespace and how to run code in it. ``namespace`` is used as it is, not copied."""

    def __init__(self, namespace: Optional[MutableMapping[str, Any]] = None) -> None:
        self._own = namespace is None
        self._files: list[str] = []  # names under which the source of cells is known
        self.namespace: dict[str, Any] = namespace if namespace is not None else {"__name__": "__main__"}  # type: ignore[assignment]  # exec takes a real dict only, and says so itself
        self.namespace.setdefault("__builtins__", builtins)
        if self._own:
            self.namespace.update(exit=leave, quit=leave)

    def compile(self, code: str, filename: str) -> Program:
        """Raises :class:`SyntaxError`, :class:`ValueError` (a NUL character) and :class:`OverflowError`."""
        lines = code.splitlines(keepends=True)
        # A time of None: `linecache.checkcache` keeps such an entry, so tracebacks find the lines.
        self._files.append(filename)
        linecache.cache[filename] = (len(code), None, lines, filename)
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        tree = _compile(code, filename, "exec", flags | ast.PyCF_ONLY_AST)
        assert isinstance(tree, ast.Module)
        value: Optional[ast.Expression] = None
        if tree.body and isinstance(tree.body[-1], ast.Expr) and not code.rstrip().endswith(";"):
            last = tree.body.pop()
            assert isinstance(last, ast.Expr)
            value = ast.Expression(last.value)
        parts: list[Union[ast.Module, ast.Expression]] = []
        if tree.body:
            parts.append(tree)
        if value is not None:
            parts.append(value)
        steps = [
            _compile(part, filename, "eval" if part is value else "exec", flags)
            for part in parts
        ]
        return Program(steps, value is not None)

    def forget_sources(self) -> None:
        """The session has ended: tracebacks need the lines of its cells no longer."""
        for filename in self._files:
            linecache.cache.pop(filename, None)
        self._files.clear()

    def run(self, program: Program) -> Any:
        """Run code without ``await``; return the value of its last expression."""
        value = None
        for step in program.steps:
            value = eval(step, self.namespace)
        return self._remember(value) if program.has_value else None

    async def run_async(self, program: Program) -> Any:
        """Run code with ``await`` at its top level; return the value of its last expression."""
        value = None
        for step in program.steps:
            value = eval(step, self.namespace)
            if step.co_flags & inspect.CO_COROUTINE:
                value = await value
        return self._remember(value) if program.has_value else None

    def _remember(self, value: Any) -> Any:
        if self._own and value is not None:
            self.namespace["_"] = value
        return value


def _compile(source: Union[str, ast.AST], filename: str, mode: str, flags: int) -> Any:
    """``compile``, again where Python 3.11 takes what another thread parses meanwhile for its own depth."""
    while True:
        try:
            return compile(source, filename, mode, flags, dont_inherit=True)  # type: ignore[arg-type]  # typeshed knows no base of the three kinds of tree
        except SystemError as exc:
            if "recursion depth mismatch" not in str(exc):
                raise


def leave(code: object = None) -> NoReturn:
    """End this execution. (The ``exit`` of ``site`` would also close the host's standard input.)"""
    raise SystemExit(code)
