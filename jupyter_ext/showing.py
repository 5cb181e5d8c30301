"""Chooses how an execution is shown, by what the front end can show and what the user wants."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pyrepl_stream import DisplayMessage, RemoteSession, ResultMessage

from .area.displays import front_end_part
from .area.source import Source
from .area.state import AreaState, Header
from .look import Look
from .plain_view import PlainPainter, QuietPainter
from .publisher import Publisher
from .viewing import Painter

if TYPE_CHECKING:
    from .area.areas import Areas

__all__ = ("Showing", "stop_way")

_WIDGET = "application/vnd.jupyter.widget-view+json"


class Showing:
    """What shows the executions of one shell."""

    def __init__(self) -> None:
        self._areas: Areas | None = None

    def areas(self) -> Areas:
        """Raises ImportError where there are no widgets."""
        if self._areas is None:
            from .area.areas import Areas

            self._areas = Areas()
        return self._areas

    def painter(
        self,
        source: Source,
        header: Header,
        publisher: Publisher,
        look: Look,
        *,
        show_errors: bool,
        awaited: bool = False,
        output: object = None,
        stays: bool = False,
    ) -> Painter:
        """``awaited``: the kernel is free while it runs. ``output``: what is done to the output, to tell
        areas of one execution apart. ``stays``: the area is not replaced by its record at the end."""
        kind = self._kind(publisher, look, header.detached)
        if kind == "plain":
            return PlainPainter(publisher, show_errors=show_errors)
        if kind == "quiet":
            return QuietPainter(
                publisher, show_errors=show_errors, progress=look.bars, elsewhere=_elsewhere(header)
            )
        place = _Place(publisher, header)
        if kind != "widget":
            from .area.html_view import HtmlPainter

            state = AreaState(header, progress=look.bars, show_errors=show_errors, lines=look.lines)
            place.begin({})
            return HtmlPainter(state, place.replace, place.publish, height=look.height, live=kind == "html")
        from .area.areas import AreaOptions

        stop = stop_way(detached=header.detached, awaited=awaited)
        widget, painter = self.areas().show(
            source,
            header,
            AreaOptions(look, show_errors, output),
            publish=place.publish,
            stop=stop,
            asks=None if header.detached else stop == "yes",
            stays=stays,
        )
        view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
        place.begin({_WIDGET: view})
        shown = {_WIDGET: view} if stays else {}
        painter.when_done(lambda record: place.replace({**shown, **record}))
        return painter

    def revive(self, session_of: Callable[[str], RemoteSession], look: Look) -> None:
        """See :func:`revive`."""
        try:
            from .area.revival import revive
        except ImportError:
            return  # there are no widgets
        revive(self.areas, session_of, look)

    def close(self) -> None:
        if self._areas is not None:
            self._areas.close()

    def _kind(self, publisher: Publisher, look: Look, detached: bool) -> str:
        if not publisher.is_page:
            return "plain"
        if look.display == "plain":
            return "plain" if publisher.answers else "quiet"
        if look.display != "auto":
            return look.display
        if not publisher.answers:
            return "record" if detached else "quiet"
        if not publisher.is_notebook:
            return "plain"
        try:
            self.areas()
        except ImportError:
            return "html"
        return "widget"


class _Place:
    """The output of a cell that is replaced."""

    def __init__(self, publisher: Publisher, header: Header) -> None:
        self._publisher = publisher
        self._header = header
        self._id = uuid.uuid4().hex

    def begin(self, bundle: Mapping[str, Any]) -> None:
        from .area.record import first_record

        data = {**bundle, **first_record(self._header)}
        self._publisher.display(DisplayMessage(data=data, display_id=self._id))

    def replace(self, bundle: Mapping[str, Any]) -> None:
        self._publisher.display(DisplayMessage(data=bundle, display_id=self._id, update=True))

    def publish(self, message: DisplayMessage | ResultMessage) -> None:
        widgets = self._header.target.startswith("thread:")
        data = front_end_part(message.data, widgets=widgets)
        message = dataclasses.replace(message, data=data, metadata={})
        if isinstance(message, DisplayMessage):
            self._publisher.display(message)
        else:
            self._publisher.result(message)


def _elsewhere(header: Header) -> str:
    """Where output is that is not shown."""
    if header.how_to_read:
        return f"%remote_stream logs {header.name} shows all output"
    return "--out NAME keeps all output"


def stop_way(*, detached: bool, awaited: bool) -> str:
    """How a run is stopped from its area: ``yes``, by its button, or ``kernel``, by the kernel's interrupt.

    The messages of a page come while the kernel's main thread is free; on ipykernel 7.0 to 7.3 there is
    another thread for them.
    """
    from ipykernel._version import version_info

    version = version_info[:2]
    if detached or (awaited and version >= (7, 0)) or (7, 0) <= version < (7, 4):
        return "yes"
    return "kernel"
