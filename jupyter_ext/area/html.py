"""The renderer for front ends without widgets: HTML that is replaced at intervals."""

from __future__ import annotations

import time

from pyrepl_stream import InputRequestMessage, Message, PyreplStreamError

from ..views.display_options import DisplayOptions
from ..views.view_loop import Renderer
from .cell_display import CellDisplay
from .record import live_html, record
from .state import AreaState, Header

_INTERVAL = 0.1  # seconds


class HtmlRenderer(Renderer):
    """A renderer that shows the execution as one bundle and replaces it at intervals.

    Args:
        header: Facts about the execution.
        options: How the execution is shown.
        display: The display of the cell.
        live: False to show nothing but the record at the end, because no reader is watching.
    """

    def __init__(self, header: Header, options: DisplayOptions, display: CellDisplay, *, live: bool) -> None:
        self._state = AreaState(header, options)
        self._display = display
        self.live = live
        self._dirty = False
        self._shown = 0.0

    def take(self, message: Message) -> None:
        """Update the state with a message."""
        self._state.take(message)
        self._dirty = True
        self._display.publish(message)

    def due(self, now: float) -> float | None:
        """Return when :meth:`show` is due; None if it is not due before the next message."""
        return self._shown + _INTERVAL if self.live and self._dirty else None

    def show(self, now: float) -> None:
        """Show all changes; ``now`` is the current time."""
        self._shown = now
        self._dirty = False
        self._display.replace({"text/html": live_html(self._state, time.time())})

    def ask(self, request: InputRequestMessage) -> bool:
        """Show a request for input. Return False if the cell has to ask the user."""
        if self._state.header.detached:  # no cell can ask; the request stays open for cells that attach
            self.take(request)
            return True
        if self.live:
            self.show(time.monotonic())
        return False

    def note(self, text: str) -> None:
        """Show a note, which is not output of the program."""
        self._state.note(text)

    def finish(self, failure: PyreplStreamError | None) -> None:
        """Show the end of the execution, or why it could not be read."""
        if failure is not None:
            self._state.note(str(failure))
        self._display.replace(record(self._state))
