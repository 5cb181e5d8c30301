"""Input transformers: awaited calls of the magic, and a hint about comments above it.

At the top level of a cell that can await, ``%%remote_stream`` and ``%remote_stream attach`` become awaited
calls. The kernel's main thread then stays free during the run and handles messages from widgets, from
the Stop button and from pages that are opened again. A call from anywhere else (``%%time``, ``%%capture``, a
function, a terminal) blocks.
"""

from __future__ import annotations

import asyncio

from IPython.core.async_helpers import _asyncio_runner
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from .cell_origin import is_whole_cell

# Methods rather than magics: a magic would be listed with the others.
_MAGICS = "get_ipython().magics_manager.registry['RemoteStreamMagics']"
_CALL = "get_ipython().run_cell_magic('remote_stream', "
_AWAITED = f"await {_MAGICS}.run_awaited("
_LINE = "get_ipython().run_line_magic('remote_stream', "
_ATTACH = _LINE + "'attach "


class AwaitTransform:
    """A transformer of cells whose magics IPython has already turned into calls."""

    has_side_effects = True  # IPython then omits it when it checks if a cell is complete

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell

    def __call__(self, lines: list[str]) -> list[str]:
        """Return ``lines``, with the calls of the magic awaited where possible."""
        if lines and lines[0].startswith(_CALL) and self._can_await():
            lines[0] = _AWAITED + lines[0][len(_CALL) :]
        elif any(line.startswith(_ATTACH) for line in lines) and self._can_await():
            begin = f"await {_MAGICS}.attach_awaited("
            lines = [begin + line[len(_LINE) :] if line.startswith(_ATTACH) else line for line in lines]
        return lines

    def _can_await(self) -> bool:
        """Return True when the kernel will await the cell on a running asyncio loop."""
        if not self._shell.autoawait or asyncio._get_running_loop() is None:
            return False
        return self._shell.loop_runner is _asyncio_runner and is_whole_cell()


def call_of(line: str, cell: str) -> str:
    """Return the call of the magic that IPython makes of a cell."""
    return f"{_CALL}{line!r}, {cell!r})"


def replace_input(shell: InteractiveShell, cell: str, text: str) -> None:
    """Let ``In`` have ``text`` for the cell that runs, if all of it is a call of the magic with ``cell``."""
    inputs = shell.history_manager.input_hist_parsed if shell.history_manager else []
    if inputs and inputs[-1].startswith((_CALL, _AWAITED)) and inputs[-1].endswith(f", {cell!r})"):
        inputs[-1] = text.rstrip("\n")  # as IPython stores them


class CommentHint:
    """Reports a ``%%remote_stream`` below a comment, which IPython does not recognize as a magic."""

    has_side_effects = True

    def __call__(self, lines: list[str]) -> list[str]:
        """Return ``lines`` unchanged.

        Raises:
            UsageError: ``%%remote_stream`` follows comments; the message says how to fix that.
        """
        code = next((line for line in lines if line.strip() and not line.lstrip().startswith("#")), "")
        if code.startswith("%%remote_stream") and lines[0].lstrip().startswith("#"):
            raise UsageError("%%remote_stream must be the first line of its cell: move the comment below it")
        return lines
