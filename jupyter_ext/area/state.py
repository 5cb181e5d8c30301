"""What the live area of one execution shows: rows, bars, displays, a question, and how it stands. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pyrepl_stream import (
    ClearMessage,
    CompleteMessage,
    DisplayMessage,
    ErrorMessage,
    EventMessage,
    GapMessage,
    InputReplyMessage,
    InputRequestMessage,
    LogMessage,
    Message,
    OutputMessage,
    Page,
    Progress,
    ProgressMessage,
    ResultMessage,
    Screen,
    StreamType,
)

from .bars import Bars
from .displays import WIDGET, Displays, text_of
from .words import as_json, encodable, printable, styled

__all__ = ("AreaState", "Header")

_EVENT = 1000  # characters of an event that are shown
_MOST_SOURCES = 64
_OTHERS = "others"  # what sources beyond that share


@dataclass(frozen=True)
class Header:
    """What is known of an execution from the start.

    ``name`` is SESSION/ID, or the id where it has no session; ``command`` a line of what runs;
    ``how_to_read`` what to run in a notebook to see it again, empty where nothing keeps it.
    """

    target: str
    name: str
    job: str = ""
    command: str = ""
    detached: bool = False
    how_to_read: str = ""


class AreaState:
    """Takes the messages of one execution, in order. Not for several threads at once.

    ``page`` has the rows, ``bars`` the progress bars unless ``progress`` is false (then they are drawn
    as a terminal shows them), ``displays`` what is not text, made safe. ``show_errors`` also shows the
    traceback of a failure, for a cell that will not raise it. ``lines``: rows that are kept; ``retire`` is
    told of those that are not, as by :class:`Page`. ``height`` and ``width`` are those of the terminal.

    The owner may set ``stop`` (whether Stop reaches the run: ``yes``, ``kernel`` by the kernel's own
    interrupt only, ``no``), ``started`` (seconds since the epoch), ``behind`` (what it waits for), and
    ``unknown``, when nobody can read how it goes on.
    """

    def __init__(
        self,
        header: Header,
        *,
        progress: bool = True,
        show_errors: bool = False,
        lines: int = 10_000,
        height: int = 40,
        width: int = 120,
        retire: Callable[[int, Sequence[str]], object] | None = None,
    ) -> None:
        self.header = header
        self.page = Page(lines, retire=retire)
        self.bars = Bars()
        self.displays = Displays(widgets=header.target.startswith("thread:"))
        self.height = height
        self.stop = "yes"
        self.started: float | None = None
        self.behind = ""
        self.unknown = False
        self._width = width
        self._progress = Progress() if progress else None
        self._show_errors = show_errors
        self._screens: dict[str, Screen] = {}  # by source
        self._notes: dict[str, Screen] = {}  # what is no output goes on its own lines, wherever the cursor is
        self._sources: dict[str, None] = {}  # in order of first sight
        self._questions: dict[int, InputRequestMessage] = {}  # that are open, by sequence
        self._complete: CompleteMessage | None = None
        self._running = False
        self._clears = False  # once there is something else to see
        self._widgets = -1  # the row that says that there are some
        self._error = ""
        self._bytes = 0
        self._missing = 0

    # -- what is shown -------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        return self._complete is not None

    @property
    def question(self) -> dict[str, Any] | None:
        """The oldest that is open: ``request`` (its sequence number), ``prompt``, ``password``; or None."""
        for request in self._questions.values():
            prompt = printable(request.prompt)
            return {"request": request.sequence, "prompt": prompt, "password": request.password}
        return None

    @property
    def sources(self) -> tuple[str, ...]:
        """Of what has rows, in order of first sight; output of no source has the empty one."""
        return tuple(self._sources)

    def status(self, now: float | None = None) -> dict[str, Any]:
        """How it stands, as JSON; times in seconds, ``started`` and ``now`` since the epoch.

        ``elapsed`` is how long it had run at ``now``: the page's clock may be another.
        ``state`` is `queued`, `starting`, `running`, `unknown`, or how it ended. ``lines`` counts the rows
        that there were, ``bytes`` the output that came, ``missing`` that which did not.
        """
        header, complete = self.header, self._complete
        state = "running" if self._running else "queued" if self.behind else "starting"
        state = "unknown" if self.unknown else state
        return {
            "target": printable(header.target),
            "job": printable(header.job),
            "name": printable(header.name),
            "command": printable(header.command),
            "title": printable(self._screens[""].title) if "" in self._screens else "",
            "how_to_read": header.how_to_read,
            "state": complete.status if complete else state,
            "detached": header.detached,
            "started": self.started,
            "elapsed": self._elapsed(now),
            "duration": complete.duration if complete and complete.status != "lost" else None,
            "bytes": self._bytes,
            "lines": self.page.end,
            "exit_code": complete.exit_code if complete else None,
            "error": self._error,
            "behind": printable(self.behind),
            "stop": "no" if self.unknown else self.stop,
            "sources": list(self._sources),
            "missing": self._missing,
            "input": bool(self._questions),
        }

    def _elapsed(self, now: float | None) -> float | None:
        if now is None or self.started is None or self.ended or self.unknown:
            return None
        return max(0.0, now - self.started)

    # -- what comes ----------------------------------------------------------------------------

    def take(self, message: Message) -> None:
        """Never raises: what cannot be shown is a line that says so."""
        try:
            self._accept(message)
        except Exception as exc:
            self.note(f"a message could not be shown: {type(exc).__name__}: {exc}")

    def _accept(self, message: Message) -> None:
        if self.started is None and message.timestamp:
            self.started = message.timestamp
        self._running = True
        if isinstance(message, OutputMessage):
            self._count(message)
        elif isinstance(message, CompleteMessage):
            self.bars.end(message.success)
        self._derive(message)

    def note(self, text: str) -> None:
        """A line of our own."""
        self._say("", f"\x1b[3m{printable(text)}\x1b[23m\n")

    def _derive(self, message: Message) -> None:
        """Take what is left of it when the bars are taken out, and the bars."""
        for derived in [message] if self._progress is None else self._progress(message):
            self._take(derived)

    def _take(self, message: Message) -> None:
        if self._clears and _is_seen(message):
            self._clear()
        source = message.source
        if isinstance(message, OutputMessage):
            error = message.stream is StreamType.STDERR
            self._screen(source).feed(encodable(message.text), error=error)
        elif isinstance(message, ProgressMessage):
            self.bars.update(message)
        elif isinstance(message, LogMessage):
            self._say(source, f"{message.level} {message.logger}: {message.text}\n", error=True)
        elif isinstance(message, GapMessage):
            self._gap(message)
        elif isinstance(message, ErrorMessage):
            self._failure(message)
        elif isinstance(message, EventMessage):
            self._say(source, f"{message.name}: {printable(as_json(message.data), _EVENT)}\n")
        elif isinstance(message, InputRequestMessage):
            self._questions[message.sequence] = message
        elif isinstance(message, InputReplyMessage):
            self._reply(message)
        elif isinstance(message, DisplayMessage):
            self._display(message)
        elif isinstance(message, ResultMessage):
            self._display(DisplayMessage(data=message.data, metadata=message.metadata, source=source))
        elif isinstance(message, ClearMessage):
            self._clears = message.wait
            if not message.wait:
                self._clear()
        elif isinstance(message, CompleteMessage):
            self._end(message)

    def _count(self, message: OutputMessage) -> None:
        data = message.data
        if isinstance(data, str) and not data.isascii():
            data = data.encode("utf-8", "surrogatepass")
        self._bytes += len(data)

    def _gap(self, gap: GapMessage) -> None:
        size = "some" if gap.bytes is None else f"{gap.bytes:,}"
        self._missing += gap.bytes or 0
        reason = printable(gap.reason)
        self._say(gap.source, f"[{size} bytes of output are missing: {reason}]\n", error=True)

    def _failure(self, message: ErrorMessage) -> None:
        self._error = printable(f"{message.name}: {message.value}" if message.value else message.name)
        if self._show_errors and message.traceback:
            self._say(message.source, "\n".join(message.traceback) + "\n", error=True)

    def _reply(self, reply: InputReplyMessage) -> None:
        """What a person saw and typed, as a terminal shows it."""
        request = self._questions.pop(reply.request, None)
        if request is not None:
            prompt = "" if request.extra.get("printed") else request.prompt
            text = f"{prompt}{'' if reply.text is None else reply.text}\n"
            place = (reply.execution_id, reply.sequence, reply.timestamp, request.source)
            self._derive(OutputMessage(*place, data=text))

    def _display(self, message: DisplayMessage) -> None:
        if message.display_id is None and message.data.keys() == {"text/plain"}:
            self._say(message.source, f"{text_of(message.data['text/plain'])}\n")  # a line like others
            return
        if self.displays.widgets and WIDGET in message.data:
            if self._widgets < self.page.first:  # its text would tell for ever how it stood at first
                self._say(message.source, "[a widget is shown below]\n")
                self._widgets = self.page.end - 1
            return
        number, places = self.displays.put(message)
        if not (message.update and places):
            row = self._screen(message.source).place(number)
            self.displays.placed(number, row, self.page.first)

    def _clear(self) -> None:
        """All rows go; the bars tell how things stand, and stay."""
        self._clears = False
        self.page.clear()

    def _end(self, message: CompleteMessage) -> None:
        self._complete = message
        self._questions.clear()
        if message.timestamp and message.duration:
            self.started = message.timestamp - message.duration
        if message.error and not self._error:
            self._error = printable(message.error)
            if self._show_errors and not message.success:
                self._say(message.source, f"{printable(message.error)}\n", error=True)
        for screen in self._screens.values():
            screen.finish()

    # -- screens -------------------------------------------------------------------------------

    def _say(self, source: str, text: str, *, error: bool = False) -> None:
        self._of(self._notes, source).feed(f"{styled(text)}\x1b[m", error=error)

    def _screen(self, source: str) -> Screen:
        return self._of(self._screens, source)

    def _of(self, screens: dict[str, Screen], source: str) -> Screen:
        if source not in self._sources:
            source = self._name_of(source)
            if source or screens is self._screens:
                self._sources[source] = None
        if source not in screens:
            screens[source] = Screen(self.page, source=source, height=self.height, width=self._width)
        return screens[source]

    def _name_of(self, source: str) -> str:
        source = printable(source)
        return source if source in self._sources or len(self._sources) < _MOST_SOURCES else _OTHERS


def _is_seen(message: Message) -> bool:
    """Whether it takes the place of what was there, after a `clear_output` that waits."""
    if isinstance(message, DisplayMessage):
        return not message.update
    return isinstance(message, (OutputMessage, ResultMessage, ErrorMessage, LogMessage, EventMessage))
