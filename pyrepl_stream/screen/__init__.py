"""A model of what a terminal shows: rows of text with styles, without an end to its scrolling back.

A :class:`Page` keeps the rows; each source of output writes to it through a :class:`Screen`, which is the
terminal.
"""

from __future__ import annotations

from .page import Page
from .row import Row
from .screen import Screen
from .style import Style

__all__ = ("Page", "Row", "Screen", "Style")
