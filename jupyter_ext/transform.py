"""Where a cell can await, ``%%remote_stream`` and ``%remote_stream attach`` become awaited calls.

Awaited, the kernel's main thread stays free while the run goes on: for the page's widgets, for Stop,
for a page that comes back. A call of the magic from anywhere else (``%%time``, ``%%capture``, a
function, a terminal) blocks.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from IPython.core.async_helpers import _asyncio_runner
from IPython.core.error import UsageError

from .magics import AWAITED

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ("AwaitTransform", "CommentHint")

_CALL = "get_ipython().run_cell_magic('remote_stream', "
_LINE = "get_ipython().run_line_magic('remote_stream', "
_ATTACH = _LINE + "'attach "


class AwaitTransform:
    """A transformer of cells that IPython has already turned into calls of their magic."""

    has_side_effects = True  # it looks at who asks: not for "is this cell complete?"

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell

    def __call__(self, lines: list[str]) -> list[str]:
        if lines and lines[0].startswith(_CALL) and self._can_await():
            lines[0] = f"await get_ipython().run_cell_magic({AWAITED!r}, " + lines[0][len(_CALL) :]
        elif any(line.startswith(_ATTACH) for line in lines) and self._can_await():
            begin = f"await get_ipython().run_line_magic({AWAITED!r}, "
            lines = [begin + line[len(_LINE) :] if line.startswith(_ATTACH) else line for line in lines]
        return lines

    def _can_await(self) -> bool:
        """Whether the kernel transforms a whole cell that it will await on its running asyncio loop.

        The caller of ``transform_cell`` tells the whole cell from the body of another magic; nothing
        that IPython hands to a transformer does.
        """
        if not self._shell.autoawait or asyncio._get_running_loop() is None:
            return False
        if self._shell.loop_runner is not _asyncio_runner:
            return False
        caller = sys._getframe(3).f_code
        return caller.co_name == "do_execute"


class CommentHint:
    """``%%remote_stream`` below a comment is no magic to IPython: say what to do."""

    has_side_effects = True

    def __call__(self, lines: list[str]) -> list[str]:
        if lines and lines[0].lstrip().startswith("#"):
            for line in lines:
                if line.startswith("%%remote_stream"):
                    raise UsageError(
                        "%%remote_stream must be the first line of its cell: "
                        "move the comment above it below it"
                    )
                if line.strip() and not line.lstrip().startswith("#"):
                    break
        return lines
