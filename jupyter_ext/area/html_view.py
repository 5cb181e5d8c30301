"""Shows an execution as HTML that is replaced, where no widget can live."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from pyrepl_stream import (
    DisplayMessage,
    InputRequestMessage,
    Message,
    PyreplStreamError,
    ResultMessage,
)

from .displays import needs_front_end
from .record import live_html, record
from .state import AreaState

__all__ = ("HtmlPainter",)

_INTERVAL = 0.1  # seconds


class HtmlPainter:
    """``replace`` shows a bundle in place of the one before, ``publish`` what only the front end can draw.

    ``height``: how many rows are shown. Where it is not ``live``, nobody watches: only the record is shown,
    at the end.
    """

    def __init__(
        self,
        state: AreaState,
        replace: Callable[[Mapping[str, Any]], object],
        publish: Callable[[DisplayMessage | ResultMessage], object],
        *,
        height: int,
        live: bool,
    ) -> None:
        self._state = state
        self._replace = replace
        self._publish = publish
        self.live = live
        self._height = height
        self._dirty = False
        self._shown = 0.0

    def take(self, message: Message) -> None:
        self._state.take(message)
        self._dirty = True
        if isinstance(message, (DisplayMessage, ResultMessage)) and needs_front_end(
            message.data, widgets=self._state.header.target.startswith("thread:")
        ):
            self._publish(message)

    def due(self, now: float) -> float | None:
        return self._shown + _INTERVAL if self.live and self._dirty else None

    def show(self, now: float) -> None:
        self._shown = now
        self._dirty = False
        self._replace({"text/html": live_html(self._state, time.time(), self._height)})

    def ask(self, request: InputRequestMessage) -> bool:
        if self._state.header.detached:  # no cell could ask: it waits for whoever attaches
            self.take(request)
            return True
        if self.live:
            self.show(time.monotonic())
        return False

    def note(self, text: str) -> None:
        self._state.note(text)

    def wait_for(self, behind: str) -> None:
        self._state.behind = behind

    def stop(self) -> bool:
        return True

    def finish(self, failure: PyreplStreamError | None) -> None:
        if failure is not None:
            self._state.note(str(failure))
        self._replace(record(self._state, height=self._height))
