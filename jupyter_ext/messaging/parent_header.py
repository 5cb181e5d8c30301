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

    def before(self, original: Callable[[], None]) -> None:
        """Handle the call of the ``original`` hook before the kernel handles a request."""
        self._saved.parent = (self._kernel._parent_ident["shell"], self._kernel.get_parent("shell"))
        original()

    def after(self, original: Callable[[], None]) -> None:
        """Handle the call of the ``original`` hook after the kernel has handled a request."""
        ident, parent = self._saved.__dict__.pop("parent", (None, None))
        if ident is not None and self._kernel.get_parent("shell") is not parent:
            self._kernel.set_parent(ident, parent, channel="shell")
        original()
