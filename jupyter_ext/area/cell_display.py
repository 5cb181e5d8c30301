"""The output of a cell that shows an execution as one display."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping
from typing import Any

from pyrepl_stream import DisplayMessage, Message, ResultMessage

from ..messaging.publisher import Publisher
from .displays import front_end_part, needs_front_end
from .record import first_record
from .state import Header


class CellDisplay:
    """A cell's display, whose content can be replaced, and the cell's further outputs."""

    def __init__(self, publisher: Publisher, header: Header) -> None:
        self._publisher = publisher
        self._header = header
        self._id = uuid.uuid4().hex

    def begin(self, bundle: Mapping[str, Any]) -> None:
        """Show ``bundle`` together with the first record of the execution."""
        data = {**bundle, **first_record(self._header)}
        self._publisher.display(DisplayMessage(data=data, display_id=self._id))

    def replace(self, bundle: Mapping[str, Any]) -> None:
        """Replace the content of the display by ``bundle``."""
        self._publisher.display(DisplayMessage(data=bundle, display_id=self._id, update=True))

    def note(self, text: str) -> None:
        """Show a note, which is not output of the program, as a separate output."""
        self._publisher.display(DisplayMessage(data={"text/plain": f"[{text}]"}))

    def publish(self, message: Message) -> None:
        """Show a display or result that only the front end can draw, as a separate output."""
        widgets = self._header.has_widgets
        if not isinstance(message, (DisplayMessage, ResultMessage)):
            return
        if not needs_front_end(message.data, widgets=widgets):
            return
        part = front_end_part(message.data, widgets=widgets)
        message = dataclasses.replace(message, data=part, metadata={})
        if isinstance(message, DisplayMessage):
            self._publisher.display(message)
        else:
            self._publisher.result(message)
