"""Keeps the end of a cell with its cell.

In ipykernel 7.4.0 a message of a widget that comes while a cell awaits is handled beside it, and puts back
the parent that it found (``Kernel.shell_main``). When the next cell has begun by then, the end of that one
is told as the end of the former: its prompt stays `[*]`, and "run all" never ends (measured in JupyterLab
4.6, with the second of several cells that show live areas).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

__all__ = ("OwnParent",)


class OwnParent:
    """The hooks that a kernel calls before and behind the handler of a request, in its shell's thread."""

    def __init__(self, kernel: Any) -> None:
        self._kernel = kernel
        self._of_thread = threading.local()

    def before(self, original: Callable[[], None]) -> Callable[[], None]:
        def pre_handler_hook() -> None:
            self._of_thread.parent = (self._kernel._parent_ident["shell"], self._kernel.get_parent("shell"))
            original()

        return pre_handler_hook

    def behind(self, original: Callable[[], None]) -> Callable[[], None]:
        def post_handler_hook() -> None:
            ident, parent = self._of_thread.__dict__.pop("parent", (None, None))
            if ident is not None and self._kernel.get_parent("shell") is not parent:
                self._kernel.set_parent(ident, parent, channel="shell")
            original()

        return post_handler_hook
