"""Renderers that show messages as plain output of a cell."""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Callable
from typing import TypeVar

import pyrepl_stream
from pyrepl_stream import DisplayMessage, ErrorMessage, InputRequestMessage, PyreplStreamError, ResultMessage
from pyrepl_stream.processors import Progress, progress_line

from ..messaging.publisher import Publisher
from .folding import Fold
from .message_handler import dialogue
from .progress_line import ProgressLine
from .rate_limiter import INTERVAL, Budget, RateLimiter
from .view_loop import Renderer

_EVENT = 1000  # characters of an event that are shown
_SELDOM = 1.0  # seconds between two messages while little text waits
_MUCH = 48 << 10  # waiting characters above which text is shown every INTERVAL
_PATIENT = 2 << 20  # characters that may wait if no reader watches; they take seconds at the end
_budget = Budget()
_Rich = TypeVar("_Rich", DisplayMessage, ResultMessage)


class PlainRenderer(Renderer):
    """Shows text at a limited rate.

    Args:
        publisher: Publishes the output.
        show_errors: Show the traceback of a failure, because the cell will not raise it.
        pacer: Limits the rate, and holds the text that waits.
    """

    def __init__(self, publisher: Publisher, *, show_errors: bool, pacer: RateLimiter | None = None) -> None:
        self._publisher = publisher
        self._show_errors = show_errors
        self._pacer = RateLimiter(_budget) if pacer is None else pacer
        self._progress = ProgressLine()
        self._questions: dict[int, InputRequestMessage] = {}  # requests asked elsewhere, by sequence
        self._traced = False
        self._shown = 0.0
        self._stopped = False

    def due(self, now: float) -> float | None:
        """Return the time at which to show more, or None if no text waits."""
        return self._shown + INTERVAL if self._pacer else None

    def show(self, now: float) -> None:
        """Publish as much text as the rate allows."""
        self._shown = now
        for stream, text in self._pacer.take(now):
            self._publisher.text(stream, text)

    def ask(self, request: InputRequestMessage) -> bool:
        """Return False: this renderer cannot ask questions, so the cell has to."""
        self._show_all()  # the question comes after the output that was printed before it
        return False

    def note(self, text: str) -> None:
        """Show a note, which is not output of the program."""
        self._publisher.text("stderr", f"[{text}]\n")

    def stop(self) -> bool:
        """Stop showing text, and return True."""
        self._stopped = True
        return True

    def finish(self, failure: PyreplStreamError | None) -> None:
        """Show the rest, and the failure of the view if there is one."""
        self._show_all()
        if failure is not None and self._show_errors:
            self._publisher.text("stderr", f"{failure}\n")

    def _on_output(self, message: pyrepl_stream.OutputMessage) -> None:
        self._add(message.stream.value, message.text)

    def _on_progress(self, message: pyrepl_stream.ProgressMessage) -> None:
        self._pacer.add("stdout", self._progress.draw(message))

    def _on_display(self, message: DisplayMessage) -> None:
        self._publish(self._publisher.display, message)

    def _on_result(self, message: ResultMessage) -> None:
        self._publish(self._publisher.result, message)

    def _on_clear(self, message: pyrepl_stream.ClearMessage) -> None:
        self._show_all()
        self._publisher.clear(message.wait)

    def _on_input_request(self, message: InputRequestMessage) -> None:
        self._questions[message.sequence] = message

    def _on_input_reply(self, message: pyrepl_stream.InputReplyMessage) -> None:
        """Show a question and its answer if they have not appeared in this cell."""
        if request := self._questions.pop(message.request, None):
            self._add("stdout", dialogue(request, message))

    def _on_log(self, message: pyrepl_stream.LogMessage) -> None:
        self._add("stderr", f"{message.line}\n")

    def _on_gap(self, message: pyrepl_stream.GapMessage) -> None:
        self._add("stderr", f"\n[{message.text}]\n")

    def _on_event(self, message: pyrepl_stream.EventMessage) -> None:
        data = json.dumps(message.data, ensure_ascii=False)
        self._add("stdout", f"{message.name}: {textwrap.shorten(data, _EVENT)}\n")

    def _on_error(self, message: ErrorMessage) -> None:
        if message.is_passing:
            self._show_all()
            self._publisher.error(message)
        elif self._show_errors:
            self._traced = self._traced or bool(message.traceback)
            self._add("stderr", "\n".join(message.traceback) + "\n")

    def _on_complete(self, message: pyrepl_stream.CompleteMessage) -> None:
        shown = (self._traced or message.extra.get("printed")) and message.status != "timeout"
        if self._show_errors and not message.success and message.error and not shown:
            self._add("stderr", f"{message.error}\n")

    def _add(self, stream: str, text: str) -> None:
        self._pacer.add("stdout", self._progress.clear(text))
        self._pacer.add(stream, text)

    def _publish(self, publish: Callable[[_Rich], None], message: _Rich) -> None:
        """Publish a MIME bundle, or only its text if the bundle cannot be sent."""
        self._show_all()
        try:
            publish(message)
        except Exception as exc:
            text = str(message.data.get("text/plain", ""))
            self._add("stdout", text + "\n")
            self._add("stderr", f"[its other forms could not be sent: {exc}]\n")

    def _show_all(self) -> None:
        while self._pacer and not self._stopped:
            self.show(time.monotonic())
            if self._pacer:
                time.sleep(INTERVAL)  # the server limits the rate


class QuietRenderer(PlainRenderer):
    """Shows text that is stored rather than watched, as in a notebook that a program runs.

    It publishes few messages, each with whole lines, and only the last state of a redrawn line.
    ``elsewhere`` names the way to read the parts of a flood that are skipped.
    """

    def __init__(
        self, publisher: Publisher, *, show_errors: bool, progress: bool = True, elsewhere: str
    ) -> None:
        pacer = RateLimiter(_budget, backlog=_PATIENT, elsewhere=elsewhere)
        super().__init__(publisher, show_errors=show_errors, pacer=pacer)
        self._bars = Progress(enabled=progress)
        self._lines = {"stdout": Fold(), "stderr": Fold()}

    def take(self, message: pyrepl_stream.Message) -> None:
        """Show a message."""
        for found in self._bars(message):
            super().take(found)

    def due(self, now: float) -> float | None:
        """Return the time at which to show more, or None if no text waits."""
        if not self._pacer:
            return None
        return self._shown + (INTERVAL if self._pacer.size > _MUCH else _SELDOM)

    def _on_progress(self, message: pyrepl_stream.ProgressMessage) -> None:
        if message.finished:
            self._add("stdout", f"{progress_line(message)}\n")

    def _add(self, stream: str, text: str) -> None:
        other = "stderr" if stream == "stdout" else "stdout"
        if text:
            self._pacer.add(other, self._lines[other].release())  # keeps the order of the writes
        self._pacer.add(stream, self._lines[stream].feed(text))

    def _show_all(self) -> None:
        for stream, lines in self._lines.items():
            self._pacer.add(stream, lines.release())
        super()._show_all()
