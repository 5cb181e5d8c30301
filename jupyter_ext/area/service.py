"""The kernel's answers to messages of the pages that show a live area. See ``widget.py`` for the messages."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pyrepl_stream import GapMessage, InputRequestMessage, Message, OutputMessage, PyreplStreamError
from pyrepl_stream.executor import Executor

from .open_area import OpenArea
from .search import matches
from .sources import so_far
from .state import written
from .view import AreaRenderer

_log = logging.getLogger(__name__)

_PART = 512 << 10  # bytes of a log in one message
_PACE = 0.01  # seconds between two messages of a replay: the server limits their rate
_MAX_MATCHES = 500  # rows that are sent for one search
_PROGRESS = 0.25  # seconds between two messages of a search
_MAX_LOGS = 8  # maximum number of logs that are being sent
_READING = 60.0  # maximum seconds after the end for which a busy reader keeps an area
_DOWNLOADING = 600.0  # maximum seconds after the end for which a download of the log keeps it
_BUSY = 8.0  # seconds for which a `busy` message counts; a busy page repeats it sooner
_NEXT_PART = 15.0  # seconds within which a page that saves a log must request and receive the next part
_SAVING = 1.0  # seconds within which the page must write the file after the last part
_MAX_DISPLAYS = 1000  # displays that are sent for one request

Handler = Callable[[str, Mapping[str, Any]], object]


class Service:
    """Handles the messages of the pages of one area.

    Slow requests are answered in threads: one for rows and displays, one for the log, one for input, one for
    each search. ``ping``, ``interrupt`` and ``kill`` have threads of their own, so that they never wait.
    """

    def __init__(self, area: OpenArea) -> None:
        self._area = area
        self._widget = area.widget
        self._source = source = area.source
        self._replacement = area.replacement
        self._searches: dict[str, object] = {}  # a token for the newest search, by view
        # The number of the next part and the remaining parts, by view and log.
        self._logs: dict[tuple[str, Any], tuple[int, Iterator[bytes]]] = {}

        def executor(name: str) -> Executor:
            return Executor(f"{name} of {source.id}")

        rows = executor("rows")
        self._handlers: dict[str, tuple[Executor, Handler]] = {
            "hello": (rows, self._hello),
            "rows": (rows, self._rows),
            "displays": (rows, self._displays),
            "search": (rows, self._search),
            "log": (executor("log"), self._log),
            "input": (executor("answers"), self._input),
            "ping": (executor("ping"), self._ping),
            "interrupt": (executor("interrupt"), lambda view, content: source.interrupt()),
            "kill": (executor("kill"), lambda view, content: source.kill()),
        }

    def on_message(self, widget: object, content: object, buffers: object) -> None:
        """Handle a message of a page. Never waits. Messages of an unknown type are ignored."""
        if not isinstance(content, dict):
            return
        kind = content.get("type")
        view = content.get("view")
        view = view if isinstance(view, str) else ""
        if kind == "busy":
            self._replacement.hold(_BUSY, limit=_READING)
        elif kind == "log":
            self._replacement.hold(_NEXT_PART, limit=_DOWNLOADING)
        if isinstance(kind, str) and kind in self._handlers:
            jobs, handler = self._handlers[kind]
            jobs.submit(lambda: self._handle(handler, view, content))

    def _handle(self, handler: Handler, view: str, content: Mapping[str, Any]) -> None:
        try:
            handler(view, content)
        except PyreplStreamError as exc:
            self._note(view, str(exc))
        except Exception:  # one bad message must not stop the others
            _log.exception("a message of a live area could not be handled")

    def _note(self, view: str, text: str) -> None:
        self._widget.send_message({"type": "note", "to": view, "text": text})

    def _ping(self, view: str, content: Mapping[str, Any]) -> None:
        self._widget.send_message({"type": "pong", "to": view})

    # -- rows and displays ---------------------------------------------------------------------

    def _hello(self, view: str, content: Mapping[str, Any]) -> None:
        renderer = self._area.renderer()
        renderer.on_page_open()
        self._send(renderer, renderer.sender.replay(view))

    def _rows(self, view: str, content: Mapping[str, Any]) -> None:
        renderer = self._area.renderer()
        self._send(renderer, renderer.sender.rows(view, _number(content, "first"), _number(content, "end")))

    def _displays(self, view: str, content: Mapping[str, Any]) -> None:
        renderer = self._area.renderer()
        ids = content.get("ids")
        known = [name for name in ids if isinstance(name, str)] if isinstance(ids, list) else []
        known = list(dict.fromkeys(known))[:_MAX_DISPLAYS]
        self._send(renderer, renderer.sender.display_messages(view, known))

    def _send(self, renderer: AreaRenderer, messages: Iterable[Mapping[str, Any]]) -> None:
        iterator = iter(messages)
        while True:
            with renderer.lock:  # older rows must not be sent after newer ones
                message = next(iterator, None)
                if message is None:
                    return
                self._widget.send_message(message)
            time.sleep(_PACE)

    # -- the whole record ----------------------------------------------------------------------

    def _search(self, view: str, content: Mapping[str, Any]) -> None:
        token = self._searches[view] = object()
        text = content.get("text")
        if not isinstance(text, str) or not text:
            return
        renderer = self._area.renderer()
        with renderer.lock:
            shown, end = renderer.last, renderer.state.page.end
        threading.Thread(
            target=self._find,
            args=(view, token, content.get("search"), text, shown, end),
            name=f"search in {self._source.id}",
            daemon=True,
        ).start()

    def _find(self, view: str, token: object, search: object, text: str, shown: int, end: int) -> None:
        results: dict[str, Any] = {"type": "found", "to": view, "search": search, "done": False}
        results |= {"count": 0, "searched": 0, "lines": []}
        room = _MAX_MATCHES
        sent_at = time.monotonic()
        try:
            last = self._source.last(shown)  # before `attach`: if this raises, there is nothing to close
            messages = so_far(self._source.attach(), last)
            for found, searched in matches(text, messages, self._area, end):
                if self._searches.get(view) is not token:
                    return  # a newer search has replaced this one
                results |= {"count": results["count"] + len(found), "searched": searched}
                results["lines"] += found[:room]
                room -= len(found[:room])
                if time.monotonic() > sent_at + _PROGRESS:
                    sent_at = time.monotonic()
                    self._widget.send_message(results)
                    results["lines"] = []
            if results["searched"] < end:
                text = f"Earlier lines are no longer kept: the last {results['searched']:,} were searched."
                self._note(view, text)
        except PyreplStreamError as exc:
            self._note(view, str(exc))
        self._widget.send_message({**results, "done": True})

    def _log(self, view: str, content: Mapping[str, Any]) -> None:
        log, part = content.get("log"), _number(content, "part")
        key = (view, str(log))
        if part == 0:
            last = self._source.last(self._area.renderer().last)
            self._logs[key] = (0, _parts(so_far(self._source.attach_raw(), last)))
            while len(self._logs) > _MAX_LOGS:
                self._logs.pop(next(iter(self._logs)))
        due, parts = self._logs.get(key, (-1, iter(())))
        if part != due:
            self._replacement.hold(0, limit=_DOWNLOADING)
            self._note(view, "The download of the log was interrupted. Save it again.")
            return
        data = next(parts, None)
        if data is None:
            self._logs.pop(key, None)
        else:
            self._logs[key] = (part + 1, parts)
        name = self._source.id.replace("/", "-") + ".log"
        message = {"type": "log", "to": view, "log": log, "part": part, "done": data is None, "name": name}
        self._widget.send_message(message, [data or b""])
        self._replacement.hold(_SAVING if data is None else _NEXT_PART, limit=_DOWNLOADING)

    # -- the run -------------------------------------------------------------------------------

    def _input(self, view: str, content: Mapping[str, Any]) -> None:
        """Pass input to the run and report any failure, because the page's form is disabled until then."""
        text = content.get("text")
        request = InputRequestMessage(sequence=_number(content, "request"))
        failure = ""
        try:
            self._source.input(text if isinstance(text, str) else None, request)
        except Exception as exc:
            failure = str(exc) or type(exc).__name__
        answered = {"type": "answered", "to": view, "request": request.sequence}
        self._widget.send_message({**answered, "ok": not failure, "text": failure})


def _number(content: Mapping[str, Any], name: str) -> int:
    value = content.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _parts(messages: Iterable[Message]) -> Iterator[bytes]:
    """Yield the output as it was written, in parts of at most ``_PART`` bytes."""
    waiting = bytearray()
    for message in messages:
        if isinstance(message, OutputMessage):
            waiting += written(message)
        elif isinstance(message, GapMessage):
            waiting += f"\n[{message.text}]\n".encode()
        while len(waiting) >= _PART:
            yield bytes(waiting[:_PART])
            del waiting[:_PART]
    if waiting:
        yield bytes(waiting)
