"""The state of the live area of one execution: rows, bars, displays, a question and the status. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyrepl_stream
from pyrepl_stream import DisplayMessage, InputRequestMessage, Message, OutputMessage, ProgressMessage
from pyrepl_stream.inventory import ExecutionInfo
from pyrepl_stream.terminal import Page

from ..text import as_json, printable
from ..views.display_options import DisplayOptions
from ..views.message_handler import MessageHandler, dialogue
from .bars import Bars
from .displays import WIDGET, Displays, text_of
from .screens import Screens

STATE_WORDS = {
    "queued": "queued",  # it waits for another execution of its session
    "starting": "starting",  # no message has come yet
    "running": "running",
    "ok": "done",
    "error": "failed",
    "interrupted": "interrupted",
    "timeout": "timed out",
    "killed": "killed",
    "lost": "lost",  # its host ended without reporting the end
    "unknown": "unknown",  # its messages could not be read to the end
}
"""The states of an execution, in words for readers. The page has the same words in ``status.js``."""
_EVENT = 1000  # characters of an event that are shown


@dataclass(frozen=True)
class Header:
    """Facts about an execution that are known from the start.

    ``name`` is SESSION/ID, or only the id if there is no session. ``command`` is one line of the code or
    command. ``how_to_read`` is the line to run in a notebook to see the output again; it is empty if the
    output is not kept. ``queued_after`` is the id of the execution that must end first.
    """

    target: str
    name: str
    job: str = ""
    command: str = ""
    detached: bool = False
    how_to_read: str = ""
    queued_after: str = ""

    @classmethod
    def of_record(cls, found: ExecutionInfo, *, detached: bool = False) -> Header:
        """Return the header of an execution on this machine."""
        target, how = f"local:{found.session}", f"%remote_stream attach {found.name}"
        return cls(target, found.name, command=found.head, detached=detached, how_to_read=how)

    @property
    def has_widgets(self) -> bool:
        """True if the models of the execution's widgets are in this process, so that pages can show them."""
        return self.target.startswith("thread:")


class AreaState(MessageHandler):
    """Takes the messages of one execution, in order. Not safe for use from several threads.

    ``page`` has the rows, ``bars`` the progress bars, and ``displays`` the rich displays, made safe.
    The owner may set ``stop`` (``yes`` if Stop reaches the run, ``kernel`` if only the kernel's interrupt
    does, ``no`` if neither does), ``started`` (seconds since the epoch), and ``unknown`` (True if the rest of
    the execution cannot be read).

    Args:
        header: Facts about the execution.
        options: How the execution is shown. Without ``bars``, bars are drawn as a terminal shows them.
        retire: Called with rows that are no longer kept; see :class:`Page`.
    """

    def __init__(
        self,
        header: Header,
        options: DisplayOptions | None = None,
        *,
        retire: Callable[[int, Sequence[str]], object] | None = None,
    ) -> None:
        self.header = header
        self.options = options = options or DisplayOptions()
        self.page = Page(options.lines, retire=retire)
        self.bars = Bars()
        self.displays = Displays(widgets=header.has_widgets)
        self.stop = "yes"
        self.started: float | None = None
        self.unknown = False
        self._screens = Screens(self.page, progress=options.bars)
        self._questions: dict[int, InputRequestMessage] = {}  # open requests, by sequence
        self._complete: pyrepl_stream.CompleteMessage | None = None
        self._running = False
        self._clears = False  # clear the rows before the next message that is shown
        self._widgets = -1  # number of the row that mentions widgets
        self._error = ""
        self._bytes = 0
        self._missing = 0

    # -- what is shown -------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        """True when the execution has ended."""
        return self._complete is not None

    @property
    def question(self) -> dict[str, Any] | None:
        """The oldest open question: ``request`` (its sequence number), ``prompt``, ``password``; or None."""
        for request in self._questions.values():
            prompt = printable(request.prompt)
            return {"request": request.sequence, "prompt": prompt, "password": request.password}
        return None

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources that have rows, in order of first appearance; "" stands for output without a source."""
        return tuple(self._screens.sources)

    def status(self, now: float | None = None) -> dict[str, Any]:
        """Return the status as JSON. Times are in seconds; ``started`` and ``now`` count from the epoch.

        ``elapsed`` is the time from the start to ``now``, for pages whose clock differs. ``state`` is
        `queued`, `starting`, `running`, `unknown`, or the status at the end. ``lines`` counts all rows,
        ``bytes`` the bytes of output, ``missing`` the bytes of output that were lost.
        """
        header, complete = self.header, self._complete
        state = "running" if self._running else "queued" if self.header.queued_after else "starting"
        state = "unknown" if self.unknown else state
        elapsed = None
        if now is not None and self.started is not None and not (complete or self.unknown):
            elapsed = max(0.0, now - self.started)
        return {
            **{name: printable(getattr(header, name)) for name in ("target", "job", "name", "command")},
            "title": printable(self._screens.title),
            "how_to_read": header.how_to_read,
            "state": complete.status if complete else state,
            "detached": header.detached,
            "started": self.started,
            "elapsed": elapsed,
            "duration": complete.duration if complete and complete.status != "lost" else None,
            "bytes": self._bytes,
            "lines": self.page.end,
            "exit_code": complete.exit_code if complete else None,
            "error": self._error,
            "waits_for": printable(self.header.queued_after),
            "stop": "no" if self.unknown else self.stop,
            "sources": list(self.sources),
            "missing": self._missing,
            "input": bool(self._questions),
        }

    # -- messages ----------------------------------------------------------------------------

    def take(self, message: Message) -> None:
        """Show a message. Never raises: if a message cannot be shown, a line says so."""
        try:
            if self.started is None and message.timestamp:
                self.started = message.timestamp
            self._running = True
            if isinstance(message, OutputMessage):
                self._bytes += len(written(message))
            self._show(message)
        except Exception as exc:
            self.note(f"a message could not be shown: {type(exc).__name__}: {exc}")

    def note(self, text: str) -> None:
        """Write a note, which is not output of the program."""
        self._say("", f"\x1b[3m{printable(text)}\x1b[23m\n")

    def _show(self, message: Message) -> None:
        if self._clears and _is_seen(message):
            self._clear()
        super().take(message)

    def _on_output(self, message: OutputMessage) -> None:
        self._update_bars(self._screens.output(message))

    def _on_progress(self, message: ProgressMessage) -> None:
        self.bars.update(message)

    def _on_log(self, message: pyrepl_stream.LogMessage) -> None:
        self._say(message.source, f"{message.line}\n", error=True)

    def _on_event(self, message: pyrepl_stream.EventMessage) -> None:
        self._say(message.source, f"{message.name}: {printable(as_json(message.data), _EVENT)}\n")

    def _on_gap(self, message: pyrepl_stream.GapMessage) -> None:
        self._update_bars(self._screens.pause(message))
        self._missing += message.bytes or 0
        self._say(message.source, f"[{printable(message.text)}]\n", error=True)

    def _on_error(self, message: pyrepl_stream.ErrorMessage) -> None:
        if not message.is_passing:
            self._error = printable(f"{message.name}: {message.value}" if message.value else message.name)
        if (self.options.show_errors or message.is_passing) and message.traceback:
            self._say(message.source, "\n".join(message.traceback) + "\n", error=True)

    def _on_input_request(self, message: InputRequestMessage) -> None:
        self._update_bars(self._screens.pause(message))
        self._questions[message.sequence] = message

    def _on_input_reply(self, message: pyrepl_stream.InputReplyMessage) -> None:
        """Show a question and its answer, as a terminal does."""
        if request := self._questions.pop(message.request, None):
            self._show(OutputMessage(*message.stamp[:3], request.source, data=dialogue(request, message)))

    def _on_result(self, message: pyrepl_stream.ResultMessage) -> None:
        self._on_display(DisplayMessage(data=message.data, metadata=message.metadata, source=message.source))

    def _on_display(self, message: DisplayMessage) -> None:
        if message.display_id is None and message.data.keys() == {"text/plain"}:
            self._say(message.source, f"{text_of(message.data['text/plain'])}\n")  # an ordinary line
            return
        if self.displays.widgets and WIDGET in message.data:
            if self._widgets < self.page.first:  # its text would show only its initial state
                self._say(message.source, "[a widget is shown below]\n")
                self._widgets = self.page.end - 1
            return
        number, places = self.displays.put(message)
        if not (message.update and places):
            row = self._screens.place(message.source, number)
            self.displays.placed(number, row, self.page.first)

    def _on_clear(self, message: pyrepl_stream.ClearMessage) -> None:
        self._clears = message.wait
        if not message.wait:
            self._clear()

    def _clear(self) -> None:
        """Remove all rows. The bars stay, because they show the current state."""
        self._clears = False
        self.page.clear()

    def _on_complete(self, message: pyrepl_stream.CompleteMessage) -> None:
        self.bars.end(message.success)
        self._complete = message
        self._questions.clear()
        if message.timestamp and message.duration:
            self.started = message.timestamp - message.duration
        if message.error and not self._error:
            self._error = printable(message.error)
            if self.options.show_errors and not message.success and not message.extra.get("printed"):
                self._say(message.source, f"{printable(message.error)}\n", error=True)
        self._update_bars(self._screens.finish(message))

    def _say(self, source: str, text: str, *, error: bool = False) -> None:
        self._screens.note(source, text, error=error)

    def _update_bars(self, messages: Iterable[ProgressMessage]) -> None:
        for message in messages:
            self.bars.update(message)


def written(message: OutputMessage) -> bytes:
    """Return the bytes that the program wrote."""
    data = message.data
    return data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data


def _is_seen(message: Message) -> bool:
    """Return True when a message replaces the earlier output, after `clear_output(wait=True)`."""
    is_new_display = isinstance(message, DisplayMessage) and not message.update
    return is_new_display or message.type in ("output", "result", "error", "log", "event")
