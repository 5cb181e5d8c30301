"""The renderer that shows an execution in a live area, and at the end its record in the notebook."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from pyrepl_stream import InputRequestMessage, Message, PyreplStreamError

from ..views.view_loop import Renderer
from .cell_display import CellDisplay
from .record import record
from .replacement import Bundle, Replacement
from .sender import Sender
from .sources import Source
from .state import AreaState
from .widget import LiveArea

_INTERVALS = {"status": 0.5, "bars": 0.1, "tail": 1.0}  # seconds between two updates of a trait
_LOADING = 2.0  # seconds that a page may take to load the widget's module
_HELLO = 1.0  # seconds to wait for a page when the program requests input
_LAST = 0.1  # maximum seconds by which sending the newest rows may delay the end
_DRAIN = 20.0  # seconds after the end during which skipped rows are sent


class AreaRenderer(Renderer):
    """The renderer of a model. See :class:`Renderer` for its methods.

    :class:`Service` also reads the state and the sender, while it holds :attr:`lock`.

    Args:
        widget: The model.
        state: A new state.
        replacement: Replaces the area with the record at the end.
        source: The execution.
        display: The display of the cell; None if no cell shows the execution.
        page_input: True if messages from a page arrive while the cell runs, so that the page can send input;
            False if they do not. None if no cell waits for the execution.
    """

    live = True

    def __init__(
        self,
        widget: LiveArea,
        state: AreaState,
        replacement: Replacement,
        source: Source,
        *,
        display: CellDisplay | None = None,
        page_input: bool | None = None,
    ) -> None:
        self.lock = threading.RLock()  # guards the state, the sender, and the order of the sent messages
        self.state = state
        self.sender = Sender(state)
        self.page_opened = threading.Event()
        self.done = threading.Event()
        self.failed = False  # the execution could not be read to its end
        self.last = 0  # sequence number of the last message
        self._widget = widget
        self._replacement = replacement
        self._source = source
        self._display = display
        self._page_input = page_input
        self._loads_until = time.monotonic() + _LOADING
        self._updated = dict.fromkeys(_INTERVALS, 0.0)  # when each trait was set
        self._dirty = {"status"}
        self._repeats = page_input is False  # a page cannot request messages that it has missed

    # -- methods of a renderer, called in the thread of the view --------------------------------

    def take(self, message: Message) -> None:
        """Update the state with a message."""
        with self.lock:
            self.last = max(self.last, message.sequence)
            question = self.state.question
            self.state.take(message)
            self._dirty |= {"status", "tail"}
            if self.state.question != question:
                self._widget.update(question=self.state.question)
            if self.state.bars.changed:
                self._dirty.add("bars")
        if self._display is not None:
            self._display.publish(message)

    def due(self, now: float) -> float | None:
        """Return when :meth:`show` is due; None if it is not due before the next message."""
        with self.lock:
            times = [self._updated[name] + _INTERVALS[name] for name in self._dirty]
            push = self.sender.due(now)
            repeat = self._loads_until if self._repeats else None
        return min([*times, *(time for time in (push, repeat) if time is not None)], default=None)

    def show(self, now: float) -> None:
        """Show all changes; ``now`` is the current time."""
        with self.lock:
            self._push(now)
            if self._repeats and now >= self._loads_until:
                self._repeats = False
                for message in self.sender.replay(""):
                    self._widget.send_message({**message, "to": None})
            due = {name for name in self._dirty if now >= self._updated[name] + _INTERVALS[name]}
            if due:
                self._update(due, now)

    def ask(self, request: InputRequestMessage) -> bool:
        """Show a request for input. Return False if the cell has to ask the user."""
        if self._page_input is False or (self._page_input and not self.page_opened.wait(_HELLO)):
            self.show(time.monotonic())
            return False
        self.take(request)
        return True

    def note(self, text: str) -> None:
        """Show a note, which is not output of the program."""
        with self.lock:
            self.state.note(text)

    def stop(self) -> bool:
        """Continue without the cell. Return False: the view continues to read."""
        with self.lock:
            self._page_input = None  # no cell is waiting now, and the kernel receives messages from pages
            self.state.stop = "yes"
            self._update({"status"}, time.monotonic())
        return False

    def finish(self, failure: PyreplStreamError | None) -> None:
        """Show the end of the execution, or why it could not be read."""
        with self.lock:
            if failure is not None:
                self.state.note(str(failure))
                self.failed = self.state.unknown = not self.state.ended
        if not self._drain(_LAST):
            threading.Thread(target=self._drain, args=(_DRAIN,), name="rest of an area", daemon=True).start()
        with self.lock:
            self._update({"status", "bars", "tail"}, time.monotonic())
            self._widget.update(question=None)
            self.done.set()
            self._replacement.end(lambda: record(self.state))

    # -- for cells that show the area ----------------------------------------------------------

    def when_done(self, replace: Callable[[Bundle], object]) -> None:
        """Call ``replace(bundle)`` with the record at the end, or now if the end has been shown."""
        with self.lock:
            if not self.done.is_set():
                self._replacement.add(replace)
                return
            bundle = record(self.state)
        replace(bundle)

    def shows_request(self, request: InputRequestMessage) -> bool:
        """Return True if a page shows the request, so that another cell need not ask the user."""
        if self.done.is_set() or not self.page_opened.wait(_HELLO):
            return False
        with self.lock:
            if self.last < request.sequence:  # the view has not read that far yet
                self.take(request)
            question = self.state.question
        return question is not None and question["request"] <= request.sequence

    # -- for pages -----------------------------------------------------------------------------

    def on_page_open(self) -> None:
        """Update the elapsed time for a page that has just opened."""
        self.page_opened.set()
        with self.lock:
            self._update({"status"}, time.monotonic())

    def _drain(self, seconds: float) -> bool:
        """Send the remaining rows. Return False if that takes longer than ``seconds``."""
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            with self.lock:
                due = self.sender.due(now)
                if due is None:
                    return True
                if due <= now:
                    self._push(now)
            time.sleep(max(0.0, due - now))
        return False

    def _push(self, now: float) -> None:
        message = self.sender.push(now)
        if message is not None:
            self._widget.send_message(message)
            if now < self._loads_until:
                self._update({"tail"}, now)

    def _status(self) -> dict[str, Any]:
        """Return the status. Code without output has sent no message yet, so check whether it is running."""
        status = self.state.status(time.time())
        if status["state"] in ("queued", "starting"):
            if self._source.running:
                status["state"] = "running"
            else:
                self._dirty.add("status")
        return status

    def _update(self, names: set[str], now: float) -> None:
        self._dirty -= names
        current = {"status": self._status, "bars": self.state.bars.json, "tail": self.sender.tail}
        traits = {name: current[name]() for name in names}
        self._updated.update(dict.fromkeys(names, now))
        self._widget.update(**traits)
