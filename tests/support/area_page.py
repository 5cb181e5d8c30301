"""A plain page with the live area and without Jupyter. The test plays the kernel."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from playwright.sync_api import Locator, Page, Route

from jupyter_ext.area.module import STATIC
from jupyter_ext.area.sender import Sender
from jupyter_ext.area.state import AreaState, Header
from jupyter_ext.views.display_options import DisplayOptions
from pyrepl_stream import DisplayMessage, OutputMessage

__all__ = ("AreaKernel", "AreaPage", "numbered")

_ADDRESS = "http://localhost/"  # a trusted origin, with clipboard and notifications
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>A page with a live area</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="area.css">
<style>body { margin: 12px; background: light-dark(white, #111); color-scheme: light dark } main { max-width: 980px }</style>
<main><h1 hidden>Area</h1></main>
</html>
"""
# The parts of a Backbone model, its manager and anywidget that a module uses.
_MODEL = """async (state) => {
    const definition = (await import("./index.js")).default();
    const models = {};
    window.sent = [];
    window.emit = (name, ...details) => [...(registered.listeners[name] || [])].forEach((call) => call(...details));
    window.register = (state) => {
        const listeners = {};
        window.registered = models.area = {
            comm_live: true,
            listeners,
            get: (name) => state[name],
            on: (name, call) => (listeners[name] ??= new Set()).add(call),
            off: (name, call) => listeners[name].delete(call),
            send: (content) => {
                if (window.offline) throw new Error("the kernel is dead");
                window.sent.push(content);
            },
        };
        window.update = (changes) => {
            Object.assign(state, changes);
            Object.keys(changes).forEach((name) => window.emit(`change:${name}`));
        };
    };
    window.register(state);
    const { get, on, off, send } = registered;
    window.model = { get, on, off, send, widget_manager: { get_model: async (name) => models[name] } };
    window.show = async () => {
        const host = document.querySelector("main").appendChild(document.createElement("div"));
        host.close = await definition.render({model: window.model, el: host});
    };
    definition.initialize({model: window.model});
}"""


class AreaPage:
    """A model in a page. ``traits`` are those of :class:`LiveArea` that differ from an empty one."""

    def __init__(self, page: Page, **traits: object) -> None:
        self.page = page
        self._traits = traits
        self._taken: dict[str, int] = {}  # number of messages of the page that the test has read, by type

    def open(self, *, views: int = 1) -> AreaPage:
        """Load or reload the page with the current traits."""
        self.page.unroute_all()
        self.page.route(f"{_ADDRESS}**", _serve)
        self.page.goto(_ADDRESS)
        self.page.evaluate(_MODEL, self._state())
        self._taken = {}
        for _ in range(views):
            self.show()
        return self

    def _state(self) -> dict[str, object]:
        state = {"status": {}, "bars": [], "tail": {}, "question": None, "options": {"id": "area"}}
        return {**state, **self._traits}

    def end_comm(self) -> None:
        """Close the comm, as the widget manager does when the kernel is restarted."""
        self.page.evaluate("() => { registered.comm_live = false; emit('comm_live_update'); }")

    def revive(self, **traits: object) -> None:
        """Open the model again, as a new kernel does. Later messages come from the new kernel."""
        self._traits |= traits
        self.page.evaluate("(state) => { window.old = registered; register(state); }", self._state())

    def show(self) -> None:
        """Add a view."""
        self.page.evaluate("() => window.show()")

    def set(self, **traits: object) -> None:
        self._traits |= traits
        self.page.evaluate("(traits) => window.update(traits)", traits)

    def send(self, *messages: Mapping[str, Any], buffers: Sequence[bytes] = ()) -> None:
        """Send messages of the kernel, each in a task of its own."""
        encoded = [base64.b64encode(data).decode() for data in buffers]
        self.page.evaluate(
            """async ([messages, buffers]) => {
                const bytes = (text) => new DataView(Uint8Array.from(atob(text), (one) => one.charCodeAt(0)).buffer);
                for (const message of messages) {
                    window.emit("msg:custom", message, buffers.map(bytes));
                    await new Promise((next) => setTimeout(next));
                }
            }""",
            [list(messages), encoded],
        )

    def rows(self, seq: int, rows: Sequence[object], at: int = 0, *, first: int = 0, **more: object) -> None:
        """Send a ``rows`` message with consecutive rows from the number ``at`` on."""
        end = more.pop("end", at + len(rows))
        self.send(
            {"type": "rows", "seq": seq, "first": first, "end": end, "runs": [[at, list(rows)]], **more}
        )

    def next_sent(self, kind: str) -> Any:
        """Wait for the next message of a type that the page sends, and return it."""
        count = self._taken.get(kind, 0)
        self._taken[kind] = count + 1
        return self.page.wait_for_function(
            "([kind, count]) => window.sent.filter((message) => message.type === kind)[count]",
            arg=[kind, count],
        ).json_value()

    def count(self, kind: str) -> int:
        """Return the number of messages of a type that the test has read."""
        return self._taken.get(kind, 0)

    def sent(self, kind: str) -> list[Any]:
        """Return all messages of a type that the page has sent."""
        found: list[Any] = self.page.evaluate(
            "(kind) => window.sent.filter((message) => message.type === kind)", kind
        )
        return found

    def settle(self) -> None:
        """Wait until all messages are painted."""
        self.page.evaluate(
            "async () => { for (let frame = 0; frame < 4; frame++) await new Promise(requestAnimationFrame); }"
        )

    @property
    def area(self) -> Locator:
        return self.page.locator(".pls").first

    @property
    def log(self) -> Locator:
        return self.area.get_by_role("log")

    def lines(self) -> list[str]:
        """Return the rows that have elements in the first view."""
        self.settle()
        return [text or "" for text in self.area.locator(".pls-block > .pls-row").all_text_contents()]

    def seen(self) -> list[str]:
        """Return the rows of the first view that are visible without scrolling."""
        self.settle()
        texts: list[str] = self.log.evaluate(
            """(log) => {
                const box = log.getBoundingClientRect();
                const seen = (row) => row.bottom > box.top + 1 && row.top < box.bottom - 1;
                const rows = [...log.querySelectorAll(".pls-block > .pls-row")];
                return rows.filter((row) => seen(row.getBoundingClientRect())).map((row) => row.textContent);
            }"""
        )
        return texts

    def last(self) -> Locator:
        return self.area.locator(".pls-block > .pls-row").last


class AreaKernel:
    """The real kernel side of an area, without a comm. Its time is a number that rises."""

    def __init__(self, area: AreaPage, *, lines: int = 10_000) -> None:
        self.area = area
        self.state = AreaState(Header("local:lab", "lab/7f3a"), DisplayOptions(lines=lines))
        self._sender = Sender(self.state)
        self._sequence = 0
        self._html = ""
        self._now = 0.0

    def take(self, text: str) -> None:
        self._sequence += 1
        self.state.take(OutputMessage(sequence=self._sequence, data=text))

    def show(self, html: str) -> None:
        """Emit a display, or its new version."""
        self._sequence += 1
        update = self._html != ""
        self._html = html
        data = {"text/html": html}
        self.state.take(DisplayMessage(sequence=self._sequence, data=data, display_id="plot", update=update))

    def push(self, *, seconds: float = 0.0, lost: bool = False) -> None:
        """Advance the time, and send the message that is due."""
        self._now += seconds
        message = self._sender.push(self._now)
        if message is not None and not lost:
            self.area.send(message)

    def push_all(self) -> None:
        while (due := self._sender.due(self._now)) is not None:
            self.push(seconds=due - self._now)

    def answer(self) -> None:
        """Answer all requests of the page."""
        while self.area.count("hello") < len(self.area.sent("hello")):
            request = self.area.next_sent("hello")
            self.area.send(*self._sender.replay(request["view"]))
        while self.area.count("rows") < len(self.area.sent("rows")):
            request = self.area.next_sent("rows")
            self.area.send(*self._sender.rows(request["view"], request["first"], request["end"]))
        while self.area.count("displays") < len(self.area.sent("displays")):
            request = self.area.next_sent("displays")
            self.area.send(*self._sender.display_messages(request["view"], request["ids"]))

    def texts(self) -> list[str]:
        """Return the rows that a complete page shows."""
        rows = [self.state.page.row(number) for number in range(self.state.page.first, self.state.page.end)]
        display = re.sub("<[^>]*>", "", self._html)
        texts = [row.text + (display if row.display else "") for row in rows]
        while texts and not texts[-1]:
            texts.pop()
        return texts


def numbered(numbers: Iterable[int]) -> list[str]:
    return [f"line {number}" for number in numbers]


def _serve(route: Route) -> None:
    name = route.request.url.removeprefix(_ADDRESS)
    kinds = {"js": "text/javascript", "css": "text/css"}
    path = STATIC / name
    if name and path.is_file():
        kind = kinds[path.suffix[1:]]
        route.fulfill(body=path.read_text(encoding="utf-8"), content_type=f"{kind}; charset=utf-8")
    else:
        route.fulfill(body=_PAGE if not name else json.dumps(name), content_type="text/html; charset=utf-8")
