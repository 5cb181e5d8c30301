"""One open live area: its model, and the execution that it shows."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..views.display_options import DisplayOptions
from ..views.view_loop import ViewLoop
from .replacement import Replacement
from .sources import Source
from .state import AreaState, Header
from .view import AreaRenderer
from .widget import LiveArea


@dataclass(eq=False)
class OpenArea:
    """The model of an area, and its content.

    The content is read when a page first requests it, unless :meth:`new_renderer` has made the renderer for
    the view of a cell. It is read again if it was discarded, or if reading it failed.

    Args:
        name: Id of the model; if it is empty, a new id is made.
        source: The execution.
        started: When the run started, or None if it cannot be read again.
        header: The description of the execution.
        options: The options of the area.
        stop: How the execution can be stopped; see :class:`AreaState`.
        stays: True if at least one cell keeps the area at the end instead of a record.
    """

    name: str
    source: Source
    started: float | None
    header: Header
    options: DisplayOptions
    stop: str
    stays: bool

    def __post_init__(self) -> None:
        self.replacement = Replacement()
        self._lock = threading.Lock()  # guards the attributes below
        self._renderer: AreaRenderer | None = None
        self._forgotten = False
        name = self.name or uuid.uuid4().hex
        traits = {"height": self.options.height, "wrap": self.options.wrap, "id": name}
        self.widget = LiveArea(name, status=self.state().status(), options=traits)

    def state(self, retire: Callable[[int, Sequence[str]], object] | None = None) -> AreaState:
        """Return a new state for the execution."""
        state = AreaState(self.header, self.options, retire=retire)
        state.stop, state.started = self.stop, self.started
        return state

    def new_renderer(self, **options: Any) -> AreaRenderer:
        """Make the renderer for a view; ``options`` are keyword arguments of :class:`AreaRenderer`."""
        self._renderer = AreaRenderer(self.widget, self.state(), self.replacement, self.source, **options)
        return self._renderer

    def renderer(self) -> AreaRenderer:
        """Return the renderer, and start reading the execution from its beginning if necessary."""
        with self._lock:
            if self._renderer is not None and not self._renderer.failed:
                return self._renderer
            renderer = self.new_renderer()
            ViewLoop(self.source, renderer).start()
            return renderer

    @property
    def done(self) -> bool:
        """True if the execution has been shown to its end."""
        renderer = self._renderer
        return self._forgotten if renderer is None else renderer.done.is_set()

    def forget(self) -> None:
        """Discard the content. It can be read again."""
        with self._lock:
            self._renderer = None
            self._forgotten = True

    def close(self) -> None:
        """Put the record in place of the area if its run has ended, and close the model."""
        self.replacement.replace()
        self.widget.layout.close()  # the layout has a model of its own
        self.widget.close()
