"""Runs cells in a separate process: in ``__main__`` as a plain interpreter does, or in `Session()`.

``python plain.py DESCRIPTOR python|session`` reads one line of JSON for each case from a socket (a folder
and the cells), and answers with the fields of an outcome for each cell. Descriptors 1 and 2 are files.
"""

from __future__ import annotations

import ast
import asyncio
import builtins
import json
import linecache
import os
import socket
import sys
import traceback
import types
from collections.abc import Coroutine, Iterator
from typing import Any

_LIMIT = 20.0  # seconds; only a cell that hangs takes that long
_READ: dict[int, int] = {}  # how many bytes of the files at descriptors 1 and 2 have been read


def interpreter(loop: asyncio.AbstractEventLoop, cells: list[str]) -> Iterator[list[Any]]:
    """Run cells as a plain interpreter, with the ``await`` of ``python -m asyncio``."""
    module = sys.modules["__main__"] = types.ModuleType("__main__")
    module.__dict__["__builtins__"] = builtins
    shown: list[Any] = []

    def display(value: object) -> None:
        if value is not None:
            shown.append(("execute_result", {"text/plain": repr(value)}, {}))
            builtins.__dict__["_"] = value

    sys.displayhook = display
    for number, cell in enumerate(cells):
        shown.clear()
        error, lines = "", ""
        try:
            _run(loop, cell, f"<cell {number}>", module.__dict__)
        except SystemExit as end:  # the interpreter would print this, and end
            if end.code is not None and not isinstance(end.code, int):
                sys.stderr.write(f"{end.code}\n")
        except BaseException as exception:
            error, lines = _described(exception)
        sys.stdout.flush()
        sys.stderr.flush()
        yield [_read(1), _read(2), list(shown), error, lines]


def _run(loop: asyncio.AbstractEventLoop, cell: str, name: str, namespace: dict[str, Any]) -> None:
    linecache.cache[name] = (len(cell), None, cell.splitlines(keepends=True), name)
    tree = ast.parse(cell, name)
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = tree.body[-1].value
        shown = ast.parse("__import__('sys').displayhook(0)", mode="eval").body
        for node in ast.walk(shown):
            ast.copy_location(node, last)
        shown.args = [last]  # type: ignore[attr-defined]
        tree.body[-1].value = shown
    code = compile(tree, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    made = types.FunctionType(code, namespace)()
    if asyncio.iscoroutine(made):
        loop.run_until_complete(_awaited(made))


async def _awaited(coroutine: Coroutine[Any, Any, None]) -> None:
    # The code of a module may raise StopIteration from CPython 3.12 on, of which asyncio never sees the end
    # (3.12.1) or makes an error of its own. In the code of a function it is an error, as it was before.
    await coroutine


def _described(exception: BaseException) -> tuple[str, str]:
    frames = exception.__traceback__
    while frames is not None and not frames.tb_frame.f_code.co_filename.startswith("<cell"):
        frames = frames.tb_next
    described = traceback.TracebackException(type(exception), exception, frames)
    for one in filter(None, (described, described.__cause__)):
        one.stack = traceback.StackSummary.from_list(
            [frame for frame in one.stack if frame.filename != __file__]
        )
    try:
        text = str(exception)
    except Exception:
        text = f"<unprintable {type(exception).__name__} object>"
    return f"{type(exception).__name__}: {text}", "".join(described.format()).rstrip("\n")


def _read(descriptor: int) -> str:
    with open(f"/proc/self/fd/{descriptor}", "rb") as file:
        file.seek(_READ.get(descriptor, 0))
        data = file.read()
        _READ[descriptor] = file.tell()
    return data.decode(errors="replace")


def session(cells: list[str]) -> Iterator[list[Any]]:
    """Run cells in `Session()`."""
    from fidelity.places import of_session

    from pyrepl_stream import Session

    with Session() as ours:
        for cell in cells:
            try:
                yield of_session(ours, cell)
            except KeyboardInterrupt:
                yield ["", "", [], "KeyboardInterrupt in the main thread of the program", ""]


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    lines = control.makefile("rw", encoding="utf-8")
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    for line in lines:
        folder, cells = json.loads(line)
        os.chdir(folder)
        found = interpreter(loop, cells) if sys.argv[2] == "python" else session(cells)
        lines.write(json.dumps(list(found)) + "\n")
        lines.flush()


if __name__ == "__main__":
    main()
