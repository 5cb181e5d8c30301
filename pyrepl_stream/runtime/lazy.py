"""Names of a package that are loaded on first use (PEP 562)."""

from __future__ import annotations

import sys
from importlib import import_module

TYPE_CHECKING = False  # type checkers know this name; importing `typing` takes longer than all of this module
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Callable


def lazy_names(package: str, homes: Mapping[str, str]) -> tuple[tuple[str, ...], Callable[[str], Any]]:
    """Return ``__all__`` and ``__getattr__`` for ``package``.

    Args:
        package: The package's ``__name__``.
        homes: The names that each module provides, separated by blanks. Module names are relative to the
            package.
    """
    home = {name: module for module, names in homes.items() for name in names.split()}

    def load(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f".{home[name]}", package), name)
        setattr(sys.modules[package], name, value)
        return value

    return tuple(sorted(home)), load
