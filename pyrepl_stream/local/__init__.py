"""Sessions, commands and writers in this process. The names are loaded on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..runtime.lazy import lazy_names

if TYPE_CHECKING:
    from .processes import *
    from .session import *
    from .stream_writer import *

__all__, __getattr__ = lazy_names(
    __name__,
    {
        "processes": "Step run_process run_steps",
        "session": "Session",
        "stream_writer": "MessageSink StreamWriter",
    },
)
