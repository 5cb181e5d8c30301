"""The user's settings, and the interpreters that the user names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..runtime.lazy import lazy_names

if TYPE_CHECKING:
    from .argument_types import *
    from .interpreters import *
    from .settings import *

__all__, __getattr__ = lazy_names(
    __name__,
    {
        "argument_types": "parse_assignment parse_seconds",
        "interpreters": "find_interpreter",
        "settings": "Settings load_settings",
    },
)
