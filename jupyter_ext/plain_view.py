"""Shows messages as plain output of a cell."""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Callable
from typing import TypeVar

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
    Progress,
    ProgressMessage,
    PyreplStreamError,
    ResultMessage,
    progress_line,
)

from .folding import Fold
from .pacing import INTERVAL, Budget, Pacer
from .progress_line import ProgressLine
from .publisher import Publisher

__all__ = ("PlainPainter", "QuietPainter")

_EVENT = 1000  # characters of an event that are shown
_SELDOM = 1.0  # seconds
_MUCH = 48 << 10  # characters
_PATIENT = 2 << 20  # characters that may wait where nobody does: they take some seconds at the end
_budget = Budget()
_Rich = TypeVar("_Rich", DisplayMessage, ResultMessage)


class PlainPainter:
    """Text as it comes, well paced. ``show_errors`` also shows the traceback of a failure, for a cell
    that will not raise it. ``pacer`` has the text that waits."""

    live = False

    def __init__(self, publisher: Publisher, *, show_errors: bool, pacer: Pacer | None = None) -> None:
        self._publisher = publisher
        self._show_errors = show_errors
        self._pacer = Pacer(_budget) if pacer is None else pacer
        self._progress = ProgressLine()
        self._questions: dict[int, InputRequestMessage] = {}  # that were asked elsewhere, by sequence
        self._traced = False
        self._shown = 0.0
        self._stopped = False

    def take(self, message: Message) -> None:
        if isinstance(message, OutputMessage):
            self._add(message.stream.value, message.text)
        elif isinstance(message, ProgressMessage):
            self._draw(message)
        elif isinstance(message, DisplayMessage):
            self._publish(self._publisher.display, message)
        elif isinstance(message, ResultMessage):
            self._publish(self._publisher.result, message)
        elif isinstance(message, ClearMessage):
            self._clear(message)
        elif isinstance(message, InputRequestMessage):
            self._questions[message.sequence] = message
        elif isinstance(message, InputReplyMessage):
            self._reply(message)
        else:
            self._tell(message)

    def due(self, now: float) -> float | None:
        return self._shown + INTERVAL if self._pacer else None

    def show(self, now: float) -> None:
        self._shown = now
        for stream, text in self._pacer.take(now):
            self._publisher.text(stream, text)

    def ask(self, request: InputRequestMessage) -> bool:
        self._show_all()  # the question stands after what was printed before it
        return False

    def note(self, text: str) -> None:
        self._publisher.text("stderr", f"[{text}]\n")

    def wait_for(self, behind: str) -> None:
        self.note(f"queued behind {behind}")

    def stop(self) -> bool:
        self._stopped = True
        return True

    def finish(self, failure: PyreplStreamError | None) -> None:
        self._show_all()
        if failure is not None and self._show_errors:
            self._publisher.text("stderr", f"{failure}\n")

    def _tell(self, message: Message) -> None:
        """What is said in words of ours."""
        if isinstance(message, LogMessage):
            self._add("stderr", f"{message.level} {message.logger}: {message.text}\n")
        elif isinstance(message, GapMessage):
            size = "some" if message.bytes is None else f"{message.bytes:,}"
            self._add("stderr", f"\n[{size} bytes of output are missing: {message.reason}]\n")
        elif isinstance(message, EventMessage):
            data = json.dumps(message.data, ensure_ascii=False)
            self._add("stdout", f"{message.name}: {textwrap.shorten(data, _EVENT)}\n")
        elif self._show_errors and isinstance(message, ErrorMessage):
            self._traced = self._traced or bool(message.traceback)
            self._add("stderr", "\n".join(message.traceback) + "\n")
        elif isinstance(message, CompleteMessage):
            if self._show_errors and not message.success and message.error and not self._traced:
                self._add("stderr", f"{message.error}\n")

    def _reply(self, reply: InputReplyMessage) -> None:
        """What a person saw and typed, when that was not in this cell."""
        request = self._questions.pop(reply.request, None)
        if request is not None:
            prompt = "" if request.extra.get("printed") else request.prompt
            self._add("stdout", f"{prompt}{'' if reply.text is None else reply.text}\n")

    def _draw(self, message: ProgressMessage) -> None:
        self._pacer.add("stdout", self._progress.draw(message))

    def _add(self, stream: str, text: str) -> None:
        self._pacer.add("stdout", self._progress.clear(text))
        self._pacer.add(stream, text)

    def _publish(self, publish: Callable[[_Rich], None], message: _Rich) -> None:
        """Show a MIME bundle; its text where the rest of it cannot be shown."""
        self._show_all()
        try:
            publish(message)
        except Exception as exc:
            text = str(message.data.get("text/plain", ""))
            self._add("stdout", text + "\n")
            self._add("stderr", f"[its other forms could not be sent: {exc}]\n")

    def _clear(self, message: ClearMessage) -> None:
        self._show_all()
        self._publisher.clear(message.wait)

    def _show_all(self) -> None:
        while self._pacer and not self._stopped:
            self.show(time.monotonic())
            if self._pacer:
                time.sleep(INTERVAL)  # the rate is what the server lets through


class QuietPainter(PlainPainter):
    """Text where it is kept and nobody watches, as in a notebook that a program runs.

    There are few messages, whole lines, and of what is drawn over only its last state. ``elsewhere`` says how
    to get at what is skipped of a flood.
    """

    def __init__(
        self, publisher: Publisher, *, show_errors: bool, progress: bool = True, elsewhere: str
    ) -> None:
        pacer = Pacer(_budget, backlog=_PATIENT, elsewhere=elsewhere)
        super().__init__(publisher, show_errors=show_errors, pacer=pacer)
        self._bars = Progress(enabled=progress)
        self._lines = {"stdout": Fold(), "stderr": Fold()}

    def take(self, message: Message) -> None:
        for found in self._bars(message):
            super().take(found)

    def due(self, now: float) -> float | None:
        if not self._pacer:
            return None
        return self._shown + (INTERVAL if self._pacer.size > _MUCH else _SELDOM)

    def ask(self, request: InputRequestMessage) -> bool:
        self._release()
        return super().ask(request)

    def finish(self, failure: PyreplStreamError | None) -> None:
        self._release()
        super().finish(failure)

    def _draw(self, message: ProgressMessage) -> None:
        if message.finished:
            self._add("stdout", f"{progress_line(message)}\n")

    def _add(self, stream: str, text: str) -> None:
        other = "stderr" if stream == "stdout" else "stdout"
        if text:
            self._pacer.add(other, self._lines[other].release())  # the order of the writes
        self._pacer.add(stream, self._lines[stream].feed(text))

    def _publish(self, publish: Callable[[_Rich], None], message: _Rich) -> None:
        self._release()
        super()._publish(publish, message)

    def _clear(self, message: ClearMessage) -> None:
        self._release()
        super()._clear(message)

    def _release(self) -> None:
        for stream, lines in self._lines.items():
            self._pacer.add(stream, lines.release())
