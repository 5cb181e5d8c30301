"""The live areas of one kernel."""

from __future__ import annotations

import atexit
import itertools
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pyrepl_stream import (
    DisplayMessage,
    InputRequestMessage,
    Message,
    PyreplStreamError,
    ResultMessage,
)

from ..look import Look
from ..viewing import View
from .handover import Handover
from .service import Service
from .source import Again, Source, model_id
from .state import AreaState, Header
from .view import AreaPainter
from .widget import LiveArea

__all__ = ("Areas", "AreaOptions")

_LOADED = 40  # areas of executions that have ended, whose rows are kept
_OPEN = 50  # of those, whose models are kept though their cells have records in their place: 70 kB each


@dataclass(frozen=True)
class AreaOptions:
    """What makes two areas of one execution alike. ``output``: what is done to its output."""

    look: Look
    show_errors: bool = False
    output: object = None


class _Content:
    """What an area shows: not read before a page asks, and read again after it was forgotten, or when what
    reads it has failed."""

    def __init__(self, painter: AreaPainter | None, again: Callable[[], AreaPainter]) -> None:
        self._painter = painter
        self._again = again
        self._forgotten = False
        self._lock = threading.Lock()  # guards _painter

    def painter(self) -> AreaPainter:
        with self._lock:
            if self._painter is None or self._painter.failed:
                self._painter = self._again()
            return self._painter

    @property
    def done(self) -> bool:
        """Whether it has been shown to its end."""
        painter = self._painter
        return self._forgotten if painter is None else painter.done.is_set()

    def forget(self) -> None:
        with self._lock:
            self._painter = None
            self._forgotten = True


@dataclass
class _Open:
    widget: LiveArea
    options: AreaOptions
    content: _Content
    handover: Handover
    keeps: bool  # nothing else does
    stays: bool  # some cell shows it for ever; else records take its place at the end


class Areas:
    """Makes them, and keeps them: their pages may come back at any time."""

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}  # by model id
        atexit.register(self.replace)  # the kernel can still say something then

    def show(
        self,
        source: Source,
        header: Header,
        options: AreaOptions,
        *,
        publish: Callable[[DisplayMessage | ResultMessage], object] | None,
        stop: str,
        asks: bool | None,
        stays: bool = False,
    ) -> tuple[LiveArea, AreaPainter | Follower]:
        """An area, and what paints it: nothing of its own where the kernel has such an area already.

        ``stays``: the cell shows it for ever, and not a record in its place at the end.
        """
        started = source.started()
        name = None if started is None else self._name(source.name, started, options)
        if name is not None and name in self._open:
            known = self._open[name]
            known.stays = known.stays or stays
            return known.widget, Follower(known.content.painter(), publish=publish, asks=asks)
        made = _Maker(source, header, options, stop, started)
        painter = made.painter(made.widget(name), publish=publish, asks=asks)
        self._serve(made, painter, stays)
        return painter.widget, painter

    def revive(self, name: str, source: Source, header: Header, options: AreaOptions) -> None:
        """The area, with the model ``name``, of an execution that another kernel has shown; read when a page
        asks."""
        if name not in self._open:
            made = _Maker(source, header, options, "yes", source.started())
            made.widget(name)
            self._serve(made, None, stays=True)

    def _name(self, execution: str, started: float, options: AreaOptions) -> str:
        """The model that shows it with these options, or is to."""
        names = (model_id(execution, started, number) for number in itertools.count())
        return next(name for name in names if name not in self._open or self._open[name].options == options)

    def _serve(self, made: _Maker, painter: AreaPainter | None, stays: bool) -> None:
        widget = made.made
        content = _Content(painter, made.again)
        keeps = made.started is None
        self._open[widget.model_id] = _Open(widget, made.options, content, made.handover, keeps, stays)
        service = Service(widget, made.source, content.painter, made.state, made.handover)
        widget.on_page_message(service.heard)
        self._tidy()

    def _tidy(self) -> None:
        """What has ended is forgotten; then the models go where the cells show records in their place."""
        done = [name for name, area in self._open.items() if area.content.done]
        for name in done[:-_LOADED]:
            if self._open[name].keeps:
                self._close(name)
            else:
                self._open[name].content.forget()
        replaced = [name for name in done if name in self._open and not self._open[name].stays]
        for name in replaced[:-_OPEN]:
            self._close(name)

    def _close(self, name: str) -> None:
        area = self._open.pop(name)
        area.handover.replace()
        area.widget.layout.close()  # a model of its own
        area.widget.close()

    def replace(self) -> None:
        """Those whose runs have ended have their records in their place now."""
        for area in list(self._open.values()):
            area.handover.replace()

    def close(self) -> None:
        """The areas vanish from their pages."""
        atexit.unregister(self.replace)
        for name in list(self._open):
            self._close(name)


class _Maker:
    """Makes the parts of one area."""

    made: LiveArea

    def __init__(
        self, source: Source, header: Header, options: AreaOptions, stop: str, started: float | None
    ) -> None:
        self.source = source
        self.options = options
        self.started = started
        self.handover = Handover()
        self._header = header
        self._stop = stop

    def widget(self, name: str | None) -> LiveArea:
        look = self.options.look
        name = name or uuid.uuid4().hex
        options = {"height": look.height, "wrap": look.wrap, "id": name}
        self.made = LiveArea(name, status=self.state(None).status(), options=options)
        return self.made

    def state(self, retire: Callable[[int, Sequence[str]], object] | None) -> AreaState:
        look = self.options.look
        state = AreaState(
            self._header,
            progress=look.bars,
            show_errors=self.options.show_errors,
            lines=look.lines,
            retire=retire,
        )
        state.stop = self._stop
        state.started = self.started
        return state

    def painter(self, widget: LiveArea, **options: Any) -> AreaPainter:
        return AreaPainter(
            widget,
            self.state(None),
            running=self.source.running,
            handover=self.handover,
            height=self.options.look.height,
            **options,
        )

    def again(self) -> AreaPainter:
        painter = self.painter(self.made)
        View(Again(self.source), painter).start()
        return painter


class Follower:
    """For a cell that shows what another cell of the kernel paints already. See :class:`AreaPainter`."""

    live = True

    def __init__(
        self,
        painter: AreaPainter,
        *,
        publish: Callable[[DisplayMessage | ResultMessage], object] | None,
        asks: bool | None,
    ) -> None:
        self._painter = painter
        self._publish = publish
        self._asks = asks

    def take(self, message: Message) -> None:
        """The other one has it too."""

    def due(self, now: float) -> float | None:
        return None

    def show(self, now: float) -> None:
        """Nothing of its own."""

    def ask(self, request: InputRequestMessage) -> bool:
        return self._asks is None or (self._asks and self._painter.asks(request))

    def note(self, text: str) -> None:
        if self._publish is not None:
            self._publish(DisplayMessage(data={"text/plain": f"[{text}]"}))

    def wait_for(self, behind: str) -> None:
        """It was said in the other cell."""

    def stop(self) -> bool:
        return True

    def finish(self, failure: PyreplStreamError | None) -> None:
        """Nothing of its own."""

    def when_done(self, replace: Callable[[Any], object]) -> None:
        self._painter.when_done(replace)
