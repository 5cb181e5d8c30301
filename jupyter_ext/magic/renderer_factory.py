"""Chooses the renderer of an execution according to the front end and the user's options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..area.cell_display import CellDisplay
from ..area.sources import Source
from ..area.state import Header
from ..messaging.publisher import Publisher
from ..views.display_options import DisplayOptions
from ..views.plain import PlainRenderer, QuietRenderer
from ..views.view_loop import Renderer

if TYPE_CHECKING:
    from ..area.areas import Areas

_Kind = Literal[
    "widget",  # a live area
    "html",  # HTML that is replaced at intervals, for a front end without widgets
    "record",  # HTML at the end only, for a program that runs the notebook
    "plain",  # text as it arrives
    "quiet",  # whole lines of text, for a program that runs the notebook
]


class RendererFactory:
    """Makes the renderers of one shell, and keeps its live areas."""

    def __init__(self) -> None:
        self._areas: Areas | None = None

    def areas(self) -> Areas:
        """Return the live areas of this kernel.

        Raises:
            ImportError: The environment has no anywidget.
        """
        if self._areas is None:
            from ..area.areas import Areas

            self._areas = Areas()
        return self._areas

    def renderer(
        self,
        source: Source,
        header: Header,
        publisher: Publisher,
        options: DisplayOptions,
        *,
        awaited: bool = False,
        keep_area: bool = False,
    ) -> Renderer:
        """Return a new renderer for one cell.

        Args:
            source: Reads and controls the execution, for the pages of a live area.
            header: The known facts about the execution.
            publisher: Shows the output in the cell.
            options: How the output is shown.
            awaited: True if the cell awaits the execution, so that the kernel handles messages meanwhile.
            keep_area: True to keep the live area at the end instead of replacing it by its record.
        """
        kind = self._kind(publisher, options, header.detached)
        if kind in ("plain", "quiet"):
            return _text_renderer(kind, header, publisher, options)
        display = CellDisplay(publisher, header)
        if kind != "widget":
            from ..area.html import HtmlRenderer

            display.begin({})
            return HtmlRenderer(header, options, display, live=kind == "html")
        stop = stop_method(detached=header.detached, awaited=awaited)
        return self.areas().show(source, header, options, display, stop=stop, stays=keep_area)

    def close(self) -> None:
        """Close all live areas."""
        if self._areas is not None:
            self._areas.close()

    def _kind(self, publisher: Publisher, options: DisplayOptions, detached: bool) -> _Kind:
        if not publisher.is_page:
            return "plain"
        if options.display == "plain":
            return "plain" if publisher.is_interactive else "quiet"
        if options.display != "auto":
            return options.display
        if not publisher.is_interactive:
            return "record" if detached else "quiet"
        if not publisher.is_notebook:
            return "plain"
        try:
            self.areas()
        except ImportError:
            return "html"
        return "widget"


def _text_renderer(kind: _Kind, header: Header, publisher: Publisher, options: DisplayOptions) -> Renderer:
    if kind == "plain":
        renderer = PlainRenderer(publisher, show_errors=options.show_errors)
    else:
        readable = bool(header.how_to_read)
        where = f"%remote_stream logs {header.name} shows" if readable else "--out NAME retains"
        renderer = QuietRenderer(
            publisher,
            show_errors=options.show_errors,
            progress=options.bars,
            elsewhere=f"{where} all output",
        )
    if header.queued_after:
        renderer.note(f"queued after {header.queued_after}")
    return renderer


def stop_method(*, detached: bool, awaited: bool) -> Literal["yes", "kernel"]:
    """Return how a run is stopped: ``yes`` by the button in its area, ``kernel`` by the kernel's interrupt.

    A page's messages reach the kernel only while its main thread is free, except in ipykernel 7.0 to 7.3,
    which handles them in a separate thread.
    """
    from ipykernel._version import version_info

    version = version_info[:2]
    if detached or (awaited and version >= (7, 0)) or (7, 0) <= version < (7, 4):
        return "yes"
    return "kernel"
