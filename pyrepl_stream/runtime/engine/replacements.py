"""Attributes that are replaced for a time, and restored."""

from __future__ import annotations

from typing import Any, Callable

__all__ = ("MISSING", "Replacements")

MISSING = object()
_Entry = tuple[Any, str, Any, Any]  # owner, name, value before, value now


class Replacements:
    """Replaces attributes, and restores those that other code has not replaced since. Not thread-safe."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []

    def replace(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Set an attribute to ``make(value)``, where ``value`` is its value or :data:`MISSING`."""
        replacement = make(getattr(owner, name, MISSING))
        # An instance may have the attribute from its class, and must not keep one of its own.
        self._entries.append((owner, name, vars(owner).get(name, MISSING), replacement))
        setattr(owner, name, replacement)

    def has(self, owner: Any) -> bool:
        """Return True if an attribute of ``owner`` is replaced."""
        return any(entry[0] is owner for entry in self._entries)

    def restore(self, owner: Any, name: str) -> None:
        """Restore one attribute."""
        _restore(self.forget(owner, name))

    def restore_all(self) -> None:
        """Restore all attributes, the last one first."""
        entries, self._entries = self._entries, []
        _restore(entries)

    def forget(self, owner: Any, name: str) -> list[_Entry]:
        """Leave an attribute as it is when the others are restored. Return what is known of it."""
        taken: list[_Entry] = []
        kept: list[_Entry] = []
        for entry in self._entries:
            (taken if entry[0] is owner and entry[1] == name else kept).append(entry)
        self._entries = kept
        return taken


def _restore(entries: list[_Entry]) -> None:
    for owner, name, before, replacement in reversed(entries):
        now = getattr(owner, name, MISSING)
        if now is not replacement and now is not MISSING:
            continue  # other code has replaced it since: leave that replacement in place
        if before is not MISSING:
            setattr(owner, name, before)
        elif now is replacement:
            delattr(owner, name)
