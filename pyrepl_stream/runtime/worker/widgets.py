"""Bars and outputs of ipywidgets in a session, from which the state of widgets cannot reach a page.

In a kernel, tqdm and rich choose widgets. Here the bars of tqdm are written as in a terminal, and what is
shown inside an ``Output`` widget, such as a bar of rich, replaces the display of the widget.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Optional

from ..messages import ClearMessage, DisplayMessage, Message

__all__ = ("Widgets",)

_VIEW = "application/vnd.jupyter.widget-view+json"
_EMPTY = {"text/plain": ""}


class Widgets:
    """Replaces displays of widgets."""

    def __init__(self) -> None:
        self._cleared: set[str] = set()  # ids of outputs whose content the next display replaces

    def replaced(self, message: DisplayMessage) -> Optional[DisplayMessage]:
        """Return the message to emit instead of a display; None if it has been written as text."""
        view = message.data.get(_VIEW)
        name = view.get("model_id") if isinstance(view, Mapping) else None
        widget = _all().get(name)
        if hasattr(widget, "pbar"):
            _Bar(widget).write()
            return None
        if type(widget).__name__ == "Output":
            return replace(message, data=_EMPTY, metadata={}, display_id=name)
        output = _active()
        if output is not None and output in self._cleared and not message.update:
            self._cleared.discard(output)
            return replace(message, display_id=output, update=True)
        return message

    def clear(self, wait: bool) -> Optional[Message]:
        """Clear the active output, or the cell's. Return the message for it; None if the next does it."""
        output = _active()
        if output is None:
            return ClearMessage(wait=wait)
        self._cleared.add(output)
        return None if wait else DisplayMessage(data=_EMPTY, display_id=output, update=True)


def _all() -> Any:
    """Return all widgets by their id."""
    return getattr(sys.modules.get("ipywidgets.widgets.widget"), "_instances", {})


def _active() -> Optional[str]:
    """Return the id of the ``Output`` in whose ``with`` block code runs."""
    for name, widget in list(_all().items()):
        if type(widget).__name__ == "Output" and widget.msg_id:
            return str(name)
    return None


class _Bar:
    """A bar of tqdm: its text is written to stderr when one of its parts changes."""

    def __init__(self, box: Any) -> None:
        self._bar = box.pbar
        self._text = ""
        left, middle, right = box.children
        for part in (left, right):
            part.observe(self.write, "value")
        middle.observe(self._end, "bar_style")
        box.layout.observe(self._remove, "visibility")

    def write(self, change: object = None) -> None:
        """Write the bar in its place."""
        options = dict(self._bar.format_dict, ascii=False)
        if not isinstance(options["ncols"], int):
            options["ncols"] = None  # a width in CSS
        text, before = self._bar.format_meter(**options), self._text
        if text != before:
            self._text = text
            self._write(text + " " * (len(before) - len(text)))

    def _end(self, change: Any) -> None:
        if change["new"] in ("success", "danger"):
            sys.stderr.write(f"\r{self._text}\n")

    def _remove(self, change: object) -> None:
        self._write(f"{' ' * len(self._text)}\r")

    def _write(self, text: str) -> None:
        place = abs(self._bar.pos)  # lines below the first bar
        sys.stderr.write("\n" * place + "\r" + text + "\x1b[A" * place)
