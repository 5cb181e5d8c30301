"""Escape sequences on a Windows console (GetConsoleMode, SetConsoleMode)."""

from __future__ import annotations

import ctypes
import sys

_VIRTUAL_TERMINAL = 0x0004  # ENABLE_VIRTUAL_TERMINAL_PROCESSING, in Windows 10 and newer


class Console:
    """The console of the standard output. Not covered by tests: the suite does not run on Windows."""

    def __init__(self) -> None:
        self._kernel32 = ctypes.windll.kernel32  # type: ignore[attr-defined, unused-ignore]
        self._handle = self._kernel32.GetStdHandle(-11)

    def get_mode(self) -> int | None:
        """Return the mode's flags; None if there is no console."""
        mode = ctypes.c_uint32()
        return mode.value if self._kernel32.GetConsoleMode(self._handle, ctypes.byref(mode)) else None

    def set_mode(self, mode: int) -> bool:
        """Set the mode's flags; return True if the console accepts them."""
        return bool(self._kernel32.SetConsoleMode(self._handle, mode))


def enable_virtual_terminal(console: Console | None = None) -> bool:
    """Let a Windows console interpret escape sequences.

    Args:
        console: The console (default: the console of the standard output).

    Returns:
        True if the console now interprets them; always True on other systems.
    """
    if console is None:
        if sys.platform != "win32":
            return True
        console = Console()
    mode = console.get_mode()
    if mode is None:
        return False
    return bool(mode & _VIRTUAL_TERMINAL) or console.set_mode(mode | _VIRTUAL_TERMINAL)
