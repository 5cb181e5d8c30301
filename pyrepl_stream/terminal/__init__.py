"""A terminal emulator that keeps what it shows: rows of styled text, even after they have scrolled away.

A :class:`Page` keeps the rows. Each source of output has a :class:`Screen`, the terminal that writes its rows
to the page.
"""

from __future__ import annotations

from .page import Page
from .row import Row
from .screen import Screen
from .style import Style

__all__ = ("Page", "Row", "Screen", "Style")
