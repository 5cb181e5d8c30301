"""Makes ipykernel 7.4.0 report the end of each cell under the right cell.

That version handles a widget's message concurrently with a cell that awaits, and afterwards restores the
parent header that it found (``Kernel.shell_main``). If the next cell has begun in the meantime, its end is
reported as the end of the earlier cell: its prompt stays `[*]`, and "run all" never ends (measured in
JupyterLab 4.6, with the second of several cells that show live areas).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class ParentHeaderGuard:
    """Restores the parent header after each request that the kernel handles in its shell thread."""

    def __init__(self, kernel: Any) -> None:
        self._kernel = kernel
        self._saved = threading.local()

    def before(self, original: Callable[[], None]) -> Callable[[], None]:
        """Return the hook that the kernel calls before it handles a request."""

        def pre_handler_hook() -> None:
            self._saved.parent = (self._kernel._parent_ident["shell"], self._kernel.get_parent("shell"))
            original()

        return pre_handler_hook

    def after(self, original: Callable[[], None]) -> Callable[[], None]:
        """Return the hook that the kernel calls after it has handled a request."""

        def post_handler_hook() -> None:
            ident, parent = self._saved.__dict__.pop("parent", (None, None))
            if ident is not None and self._kernel.get_parent("shell") is not parent:
                self._kernel.set_parent(ident, parent, channel="shell")
            original()

        return post_handler_hook
