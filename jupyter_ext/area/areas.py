"""The live areas of one kernel."""

from __future__ import annotations

import atexit
import itertools

from pyrepl_stream import InputRequestMessage

from ..views.display_options import DisplayOptions
from ..views.view_loop import Renderer
from .cell_display import CellDisplay
from .displays import WIDGET
from .open_area import OpenArea
from .service import Service
from .sources import Source, model_id
from .state import Header
from .view import AreaRenderer

_LOADED = 40  # areas of ended executions that keep their rows
_OPEN = 50  # areas of ended executions whose models stay open after records replace them; 70 kB each


class Areas:
    """The live areas of one kernel. They stay open after their executions end, because pages may be reloaded.

    ``Areas`` also replaces the areas of ended executions by their records when the kernel exits.
    """

    def __init__(self) -> None:
        self._open: dict[str, OpenArea] = {}  # by model id
        atexit.register(self.replace)  # the kernel can still send messages then

    def show(
        self,
        source: Source,
        header: Header,
        options: DisplayOptions,
        display: CellDisplay,
        *,
        stop: str,
        stays: bool,
    ) -> Renderer:
        """Show an area in a cell: a new one, or the open one for this execution with equal options.

        Args:
            source: The execution.
            header: The description of the execution.
            options: The options of the area.
            display: The display of the cell.
            stop: How the execution can be stopped; see :class:`AreaState`.
            stays: True to keep the area in the cell at the end instead of replacing it by the record.

        Returns:
            The renderer for the view of the cell.
        """
        page_input = None if header.detached else stop == "yes"
        started = source.started()
        name = "" if started is None else self._name(source.id, started, options)
        area = self._open.get(name)
        if area is None:
            area = OpenArea(name, source, started, header, options, stop=stop, stays=stays)
            shown = area.new_renderer(display=display, page_input=page_input)
            renderer: Renderer = shown
            self._serve(area)
        else:
            area.stays = area.stays or stays
            shown = area.renderer()
            renderer = SharedRenderer(shown, display, page_input)
        view = {WIDGET: {"version_major": 2, "version_minor": 0, "model_id": area.widget.model_id}}
        display.begin(view)
        kept = view if stays else {}
        shown.when_done(lambda record: display.replace({**kept, **record}))
        return renderer

    def revive(self, name: str, source: Source, header: Header, options: DisplayOptions) -> None:
        """Open the area of an execution that another kernel has shown.

        The execution is not read until a page requests it.

        Args:
            name: Id of the model in the saved notebook.
            source: The execution.
            header: The description of the execution.
            options: The options of the area.
        """
        if name not in self._open:
            self._serve(OpenArea(name, source, source.started(), header, options, stop="yes", stays=True))

    def _name(self, execution: str, started: float, options: DisplayOptions) -> str:
        """Return the id of the model, open or not, that shows the execution with these options."""
        names = (model_id(execution, started, number) for number in itertools.count())
        return next(name for name in names if name not in self._open or self._open[name].options == options)

    def _serve(self, area: OpenArea) -> None:
        self._open[area.widget.model_id] = area
        area.widget.on_msg(Service(area).on_message)
        self._tidy()

    def _tidy(self) -> None:
        """Discard the content of old areas, then close old models that records have replaced."""
        done = [name for name, area in self._open.items() if area.done]
        for name in done[:-_LOADED]:
            if self._open[name].started is None:  # it cannot be read again
                self._open.pop(name).close()
            else:
                self._open[name].forget()
        replaced = [name for name in done if name in self._open and not self._open[name].stays]
        for name in replaced[:-_OPEN]:
            self._open.pop(name).close()

    def replace(self) -> None:
        """Replace the areas of ended runs by their records now."""
        for area in list(self._open.values()):
            area.replacement.replace()

    def close(self) -> None:
        """Close all areas. They disappear from their pages."""
        atexit.unregister(self.replace)
        while self._open:
            self._open.popitem()[1].close()


class SharedRenderer(Renderer):
    """The renderer of a cell that shares another cell's area. The other cell's view updates the area."""

    live = True

    def __init__(self, renderer: AreaRenderer, display: CellDisplay, page_input: bool | None) -> None:
        self._renderer = renderer
        self._display = display
        self._page_input = page_input

    def ask(self, request: InputRequestMessage) -> bool:
        """Show a request for input. Return False if the cell has to ask the user."""
        return self._page_input is None or (self._page_input and self._renderer.shows_request(request))

    def note(self, text: str) -> None:
        """Show a note, which is not output of the program."""
        self._display.note(text)
