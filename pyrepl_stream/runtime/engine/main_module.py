"""``sys.modules["__main__"]`` for code that has a namespace of its own.

Modules such as ``pickle``, ``dataclasses``, ``typing``, ``doctest`` and ``unittest`` look names up in the
module ``__main__``. The process has one table of modules, but code of several namespaces runs at the same
time. So the module is replaced by one whose attributes are those of the namespace in which the calling code
runs: in an execution its session's, elsewhere those of the original module.
"""

from __future__ import annotations

import sys
import threading
from types import ModuleType
from typing import Any, Optional

from .context import current

__all__ = ("install", "uninstall", "is_module", "after_fork")

_NAME = "__main__"
_lock = threading.Lock()  # guards _users
_users = 0
_original: Any = None  # the module that was replaced
_forked: Optional[dict[str, Any]] = None  # in a forked child: the namespace of the code that forked


def is_module(namespace: dict[str, Any]) -> bool:
    """Return True if ``namespace`` belongs to a module, or its ``__name__`` is not ``__main__``."""
    if namespace.get("__name__") != _NAME:
        return True
    module = sys.modules.get(_NAME)
    if type(module) is _Main:
        module = _original
    return getattr(module, "__dict__", None) is namespace


class _Main(ModuleType):
    def __getattribute__(self, name: str) -> Any:
        if name == "__class__":
            return ModuleType
        namespace = _namespace()
        if namespace is None:
            return getattr(_original, name)
        if name == "__dict__":
            return namespace
        if name in namespace:
            return namespace[name]
        if name in ("__spec__", "__loader__", "__package__", "__doc__"):
            return None
        if name.startswith("__") and hasattr(ModuleType, name):
            return object.__getattribute__(self, name)
        raise AttributeError(f"module '{_NAME}' has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        namespace = _namespace()
        if namespace is None:
            setattr(_original, name, value)
        else:
            namespace[name] = value

    def __delattr__(self, name: str) -> None:
        namespace = _namespace()
        if namespace is None:
            delattr(_original, name)
        elif name in namespace:
            del namespace[name]
        else:
            raise AttributeError(name)

    def __dir__(self) -> list[str]:
        namespace = _namespace()
        return sorted(namespace) if namespace is not None else dir(_original)

    def __repr__(self) -> str:
        if _namespace() is None:
            return repr(_original)
        return f"<module '{_NAME}'>"


def _namespace() -> Optional[dict[str, Any]]:
    run = current.get()
    return _forked if run is None else run.main


def install() -> None:
    """Begin to answer for the namespaces of executions. Each call needs one :func:`uninstall`."""
    global _users, _original
    with _lock:
        _users += 1
        if _users == 1 and type(sys.modules[_NAME]) is not _Main:
            _original = sys.modules[_NAME]
            sys.modules[_NAME] = _Main(_NAME)


def uninstall() -> None:
    """Undo one :func:`install`. The last call restores the module, unless other code has replaced it."""
    global _users
    with _lock:
        _users -= 1
        if _users == 0:
            _restore()


def after_fork(namespace: Optional[dict[str, Any]]) -> None:
    """Keep ``namespace`` as that of ``__main__`` in a forked child; None restores the module."""
    global _forked, _lock, _users
    _lock = threading.Lock()
    _users = 0
    _forked = namespace
    if namespace is None:
        _restore()


def _restore() -> None:
    module = sys.modules.get(_NAME)
    if type(module) is _Main and _forked is None:
        sys.modules[_NAME] = _original
