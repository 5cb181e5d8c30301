"""The notebook side of pyrepl-stream: ``%load_ext jupyter_ext`` gives ``%%remote_stream``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ("load_ipython_extension", "unload_ipython_extension")


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Called by ``%load_ext``. Loading twice is loading once."""
    from .extension import load

    load(ipython)


def unload_ipython_extension(ipython: InteractiveShell) -> None:
    """Called by ``%unload_ext``: everything is as it was before."""
    from .extension import unload

    unload(ipython)
