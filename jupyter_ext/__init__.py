"""The IPython extension of pyrepl-stream: ``%load_ext jupyter_ext`` adds the magic ``%%remote_stream``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ("load_ipython_extension", "unload_ipython_extension")


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Load the extension, for ``%load_ext``. Idempotent."""
    from .extension import load

    load(ipython)


def unload_ipython_extension(ipython: InteractiveShell) -> None:
    """Undo everything that loading changed, for ``%unload_ext``."""
    from .extension import unload

    unload(ipython)
