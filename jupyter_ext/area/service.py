"""Answers what the pages that show a live area ask. See ``widget.py`` for the messages."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pyrepl_stream import (
    GapMessage,
    InputRequestMessage,
    Message,
    OutputMessage,
    PyreplStreamError,
)

from .handover import Handover
from .jobs import Jobs
from .search import matches
from .source import Source, so_far
from .state import AreaState
from .view import AreaPainter
from .widget import LiveArea

__all__ = ("Service",)

_PART = 512 << 10  # bytes of a log that are sent at once
_PACE = 0.01  # seconds between two messages of a replay: the server counts them
_MOST_FOUND = 500  # rows that are sent
_NEWS = 0.25  # seconds between two messages of a search
_MOST_LOGS = 8  # that are being fetched
_BUSY = 8.0  # seconds for which a reader is in the middle of something, who says so more often
_NEXT_PART = 15.0  # seconds after which a page that saves a log has asked for the next part, and got it
_SAVED = 1.0  # seconds in which it makes a file of them
_MOST_DISPLAYS = 1000  # that are sent for one question

Answer = Callable[[str, Mapping[str, Any]], object]
States = Callable[[Callable[[int, Sequence[str]], object]], AreaState]


class Service:
    """Answers the pages of one model, which call :meth:`heard` in whatever thread the kernel has for it.

    What takes time is done in threads: what is shown, the log, answers, and each search; what acts on the
    run waits for nothing else. ``painter`` gives what is shown, and begins to read it where nobody has asked
    before. ``states`` makes another state like the painter's. ``handover`` is told who needs the area.
    """

    def __init__(
        self,
        widget: LiveArea,
        source: Source,
        painter: Callable[[], AreaPainter],
        states: States,
        handover: Handover,
    ) -> None:
        self._widget = widget
        self._source = source
        self._painter = painter
        self._states = states
        self._handover = handover
        self._searches: dict[str, object] = {}  # the newest of each view
        self._logs: dict[tuple[str, Any], tuple[int, Iterator[bytes]]] = {}  # the next part, of each
        shown, log, answers = (Jobs(f"{what} of {source.name}") for what in ("rows", "log", "answers"))
        self._questions: dict[str, tuple[Jobs, Answer]] = {
            "hello": (shown, self._hello),
            "rows": (shown, self._rows),
            "displays": (shown, self._displays),
            "search": (shown, self._search),
            "log": (log, self._log),
            "input": (answers, self._input),
            "ping": (Jobs(f"ping of {source.name}"), self._ping),
            "interrupt": (Jobs(f"interrupt of {source.name}"), lambda view, content: source.interrupt()),
            "kill": (Jobs(f"kill of {source.name}"), lambda view, content: source.kill()),
        }

    def heard(self, content: Mapping[str, Any], buffers: Sequence[memoryview] = ()) -> None:
        """A message of a page has come. Never waits; what makes no sense is not answered."""
        kind = content.get("type")
        view = content.get("view")
        view = view if isinstance(view, str) else ""
        if kind == "busy":
            self._handover.reads(_BUSY)
        elif kind == "log":
            self._handover.saves(_NEXT_PART)
        if isinstance(kind, str) and kind in self._questions:
            jobs, answer = self._questions[kind]
            jobs.add(lambda: self._answer(answer, view, content))

    def _answer(self, answer: Answer, view: str, content: Mapping[str, Any]) -> None:
        try:
            answer(view, content)
        except PyreplStreamError as exc:
            self._note(view, str(exc))

    def _note(self, view: str, text: str) -> None:
        self._widget.tell({"type": "note", "to": view, "text": text})

    # -- what is shown -------------------------------------------------------------------------

    def _hello(self, view: str, content: Mapping[str, Any]) -> None:
        painter = self._painter()
        painter.greet()
        self._send(painter, painter.sender.replay(view))

    def _rows(self, view: str, content: Mapping[str, Any]) -> None:
        painter = self._painter()
        first, end = _number(content, "first", 0), _number(content, "end", 0)
        self._send(painter, painter.sender.rows(view, first, end))

    def _displays(self, view: str, content: Mapping[str, Any]) -> None:
        painter = self._painter()
        ids = content.get("ids")
        known = [name for name in ids if isinstance(name, str)] if isinstance(ids, list) else []
        known = list(dict.fromkeys(known))[:_MOST_DISPLAYS]
        self._send(painter, painter.sender.display_messages(view, known))

    def _send(self, painter: AreaPainter, messages: Iterable[Mapping[str, Any]]) -> None:
        iterator = iter(messages)
        while True:
            with painter.lock:  # what is sent later is newer
                message = next(iterator, None)
                if message is None:
                    return
                self._widget.tell(message)
            time.sleep(_PACE)

    # -- the whole record ----------------------------------------------------------------------

    def _search(self, view: str, content: Mapping[str, Any]) -> None:
        token = self._searches[view] = object()
        text = content.get("text")
        if not isinstance(text, str) or not text:
            return
        painter = self._painter()
        with painter.lock:
            shown, end = painter.last, painter.state.page.end
        threading.Thread(
            target=self._find,
            args=(view, token, content.get("search"), text, shown, end),
            name=f"search in {self._source.name}",
            daemon=True,
        ).start()

    def _find(self, view: str, token: object, search: object, text: str, shown: int, end: int) -> None:
        news: dict[str, Any] = {"type": "found", "to": view, "search": search, "done": False}
        news |= {"count": 0, "searched": 0, "lines": []}
        room = _MOST_FOUND
        told = time.monotonic()
        try:
            last = self._source.last(shown)  # may raise, and then there is nothing to close
            messages = so_far(self._source.read(), last)
            for found, searched in matches(text, messages, self._states, end):
                if self._searches.get(view) is not token:
                    return  # it is sought no more
                news |= {"count": news["count"] + len(found), "searched": searched}
                news["lines"] += found[:room]
                room -= len(found[:room])
                if time.monotonic() > told + _NEWS:
                    told = time.monotonic()
                    self._widget.tell(news)
                    news["lines"] = []
            if news["searched"] < end:
                text = f"Earlier lines are not kept any more: the last {news['searched']:,} were searched."
                self._note(view, text)
        except PyreplStreamError as exc:
            self._note(view, str(exc))
        self._widget.tell({**news, "done": True})

    def _log(self, view: str, content: Mapping[str, Any]) -> None:
        log, part = content.get("log"), _number(content, "part", 0)
        key = (view, str(log))
        if part == 0:
            last = self._source.last(self._painter().last)
            self._logs[key] = (0, _parts(so_far(self._source.raw(), last)))
            while len(self._logs) > _MOST_LOGS:
                self._logs.pop(next(iter(self._logs)))
        due, parts = self._logs.get(key, (-1, iter(())))
        if part != due:
            self._handover.saves(0)
            self._note(view, "the log is not read any more from where it was: save it anew")
            return
        data = next(parts, None)
        if data is None:
            self._logs.pop(key, None)
        else:
            self._logs[key] = (part + 1, parts)
        name = self._source.name.replace("/", "-") + ".log"
        message = {"type": "log", "to": view, "log": log, "part": part, "done": data is None, "name": name}
        self._widget.tell(message, [data or b""])
        self._handover.saves(_SAVED if data is None else _NEXT_PART)

    # -- answers -------------------------------------------------------------------------------

    def _ping(self, view: str, content: Mapping[str, Any]) -> None:
        self._widget.tell({"type": "pong", "to": view})

    def _input(self, view: str, content: Mapping[str, Any]) -> None:
        """Without an answer to that, the page could not ask again."""
        text = content.get("text")
        request = InputRequestMessage(sequence=_number(content, "request", 0))
        answered: dict[str, Any] = {"type": "answered", "to": view, "request": request.sequence}
        try:
            self._source.reply(text if isinstance(text, str) else None, request)
        except Exception as exc:
            self._widget.tell({**answered, "ok": False, "text": str(exc) or type(exc).__name__})
        else:
            self._widget.tell({**answered, "ok": True, "text": ""})


def _number(content: Mapping[str, Any], name: str, default: int) -> int:
    value = content.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _parts(messages: Iterable[Message]) -> Iterator[bytes]:
    """The output as it was written, in parts of a size that can be sent."""
    waiting = bytearray()
    for message in messages:
        if isinstance(message, OutputMessage):
            data = message.data
            waiting += data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
        elif isinstance(message, GapMessage):
            size = "some" if message.bytes is None else f"{message.bytes:,}"
            waiting += f"\n[{size} bytes of output are missing: {message.reason}]\n".encode()
        while len(waiting) >= _PART:
            yield bytes(waiting[:_PART])
            del waiting[:_PART]
    if waiting:
        yield bytes(waiting)
