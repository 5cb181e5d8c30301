"""Finds the progress bars that programs draw, and reports them as `progress` messages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ...runtime.errors import UsageError
from ...runtime.messages import (
    CompleteMessage,
    GapMessage,
    InputRequestMessage,
    Message,
    OutputMessage,
)
from ...runtime.validation import check_choice
from ..text import TextProcessor
from . import click, curl, docker, generic, git, npm, pip, progressbar2, rich, rsync, tqdm, wget
from .bar import LIBRARIES, Bar, BarFormat, register
from .finder import Finder
from .screens import ScreenProgress
from .shown import amount, clock, progress_line
from .stream import TextWatch
from .tracker import Names, Tracker

__all__ = (
    "LIBRARIES",
    "Bar",
    "BarFormat",
    "Names",
    "Progress",
    "ScreenProgress",
    "amount",
    "clock",
    "progress_line",
    "register",
)

# More specific formats come first: pip draws with rich, and `generic` matches any line with a percentage.
for _library in (tqdm, pip, rich, progressbar2, click, git, wget, curl, rsync, npm, docker, generic):
    register(_library.LIBRARY, first=False)
register(wget.DOTS)

_MOST_EXECUTIONS = 64


class Progress(TextProcessor[TextWatch]):
    """Finds the progress bars in output and emits a `progress` message for each state of each bar.

    A bar is a place that is redrawn; its text may change. It keeps its id (``tqdm-1``) until its end, and
    the last message about it has ``finished`` set. Its first and its last state are always reported.

    The text of bars is removed from the output, together with the line feeds and the cursor movements that
    belong to it. Other text passes unchanged, but text beside a bar is moved to the start of a line. After
    the first bar, cursor movements are written only for text that passes; they lead to the line of its row.

    An unfinished line is held while it may become a bar. The text that passes does not depend on how the
    output is cut into messages, with one exception: if the first drawing of a bar does not follow a carriage
    return, and is cut before anything in it looks like a bar, its beginning passes as a line.

    Args:
        enabled: False passes all messages unchanged.
        libraries: Names of :data:`LIBRARIES` to look for; all by default.
        every_percent: Report a bar again only when it has moved by at least this many percent.
        every_seconds: Report a bar again only when this many seconds have passed, according to the
            timestamps of the output.
        keep_raw: Pass all output messages unchanged, and add `progress` messages.

    Raises:
        UsageError: A library is not known, or a limit is negative.
    """

    _goes_on = (GapMessage, InputRequestMessage)  # output after such a message may redraw the same bars

    def __init__(
        self,
        *,
        enabled: bool = True,
        libraries: Iterable[str] | None = None,
        every_percent: float | None = None,
        every_seconds: float = 0.1,
        keep_raw: bool = False,
    ) -> None:
        super().__init__()
        if every_percent is not None and not every_percent >= 0:
            raise UsageError(f"every_percent is {every_percent}, but must be at least 0")
        if not every_seconds >= 0:
            raise UsageError(f"every_seconds is {every_seconds}, but must be at least 0")
        names = LIBRARIES if libraries is None else libraries
        self._enabled = enabled
        self._finder = Finder(LIBRARIES[check_choice("progress library", name, LIBRARIES)] for name in names)
        self._every = every_seconds, every_percent
        self._keep_raw = keep_raw

    def _reset(self) -> None:
        super()._reset()
        self._names: dict[str, Names] = {}  # by execution id

    def __call__(self, message: Message) -> Iterable[Message]:
        """Return the messages that replace ``message``."""
        if not self._enabled or (isinstance(message, OutputMessage) and self._is_plain(message)):
            return [message]
        return super().__call__(message)

    def _is_plain(self, message: OutputMessage) -> bool:
        """Return True for whole lines without a bar, if the stream has no state that they could change."""
        text = message.data
        return (
            isinstance(text, str)
            and text.endswith("\n")
            and (message.execution_id, message.stream, message.source) not in self._states
            and self._finder.has_only_lines(text)
        )

    def _new_state(self) -> TextWatch:
        return TextWatch(self._finder, Tracker(*self._every))

    def _read(self, state: TextWatch, message: OutputMessage, data: str) -> Iterable[Message]:
        state.tracker.name = self._names_for(message)
        state.tracker.place = message
        state.read(data)
        return self._take(state, message, message)

    def _read_bytes(self, state: TextWatch, message: OutputMessage) -> Iterable[Message]:
        state.tracker.name = self._names_for(message)
        state.tracker.place = message
        state.skip(message.text)
        return [*self._take(state, message, None), message]

    def _release(self, state: TextWatch, last: OutputMessage, because: Message) -> Iterable[Message]:
        state.tracker.place = last
        if isinstance(because, (CompleteMessage, OutputMessage)):
            state.finish()
            if isinstance(because, CompleteMessage):
                self._names.pop(because.execution_id, None)
        else:
            state.release()
        return self._take(state, last, None)

    def _take(self, state: TextWatch, place: OutputMessage, whole: OutputMessage | None) -> list[Message]:
        """Return the messages and text found; text gets the sequence number and source of ``place``.

        ``whole`` is the message that was just read: it is returned itself if its text is unchanged.
        """
        messages: list[Message] = [whole] if self._keep_raw and whole is not None else []
        text = ""
        for found in [*state.out, None]:
            if isinstance(found, str):
                text += found
                continue
            if text and not self._keep_raw:
                same = whole is not None and text == whole.data
                messages.append(whole if whole is not None and same else replace(place, data=text))
            text = ""
            if found is not None:
                messages.append(found)
        state.out.clear()
        return messages

    def _names_for(self, message: OutputMessage) -> Names:
        names = self._names.get(message.execution_id)
        if names is None or 0 < message.sequence < names.sequence:
            names = self._names[message.execution_id] = Names()
            if len(self._names) > _MOST_EXECUTIONS:
                del self._names[next(iter(self._names))]
        names.sequence = message.sequence
        return names
