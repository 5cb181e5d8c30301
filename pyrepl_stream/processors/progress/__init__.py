"""What programs draw of their progress becomes `progress` messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches

from ...errors import UsageError
from ...messages import (
    CompleteMessage,
    GapMessage,
    InputRequestMessage,
    Message,
    OutputMessage,
    ProgressMessage,
)
from ..text import TextProcessor
from . import click, curl, docker, generic, git, npm, pip, progressbar2, rich, rsync, tqdm, wget
from .bar import LIBRARIES, Bar, Library, register
from .finder import Finder
from .reader import Reader
from .shown import progress_line
from .tracker import Throttle, Tracker, Update
from .units import percentage

__all__ = ("LIBRARIES", "Bar", "Library", "Progress", "progress_line", "register")

# What is more special is asked first: pip draws with rich, and `generic` takes whatever is left.
for _library in (tqdm, pip, rich, progressbar2, click, git, wget, curl, rsync, npm, docker, generic):
    register(_library.LIBRARY, first=False)
register(wget.DOTS)

_MOST_EXECUTIONS = 64


class Progress(TextProcessor[Reader]):
    """Finds the progress bars in output: a `progress` message for each state of each bar.

    ``libraries``: names of :data:`LIBRARIES` to look for, all by default. A bar keeps its name (``tqdm-1``)
    from first sight to its end; the last message of each is ``finished``. A bar is told again when
    ``every_seconds`` have passed by the timestamps of the output, and when it moved by ``every_percent``;
    its first and its last state are always told.

    The text of bars is taken out of the output, with the line feeds and the cursor movements that belong
    to it; all else passes as it came. Text that passes on a line with no bar is not changed. With
    ``keep_raw`` all output passes, the same messages, and progress comes beside it.

    A line that has begun is held while it may become a bar. The text that passes is the same however the
    output is cut into messages, but for one case: the first drawing of a bar, without a carriage return
    before it, is cut before anything in it looks like a bar. That beginning has passed then, as a line.

    Raises :class:`UsageError` for names of libraries that are not known and for negative limits.
    """

    _goes_on = (GapMessage, InputRequestMessage)  # what comes next draws on the same bars

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
        self._enabled = enabled
        self._libraries = None if libraries is None else tuple(libraries)
        chosen = LIBRARIES.values() if self._libraries is None else map(_find, self._libraries)
        self._finder = Finder(chosen)
        self._throttle = Throttle(every_seconds, every_percent)
        self._keep_raw = keep_raw
        self._names: dict[str, _Names] = {}  # by execution

    def for_reader(self) -> Progress:
        return Progress(
            enabled=self._enabled,
            libraries=self._libraries,
            every_percent=self._throttle.percent,
            every_seconds=self._throttle.seconds,
            keep_raw=self._keep_raw,
        )

    def __call__(self, message: Message) -> Iterable[Message]:
        if not self._enabled:
            return [message]
        return super().__call__(message)

    def _new_state(self) -> Reader:
        return Reader(self._finder, Tracker(self._throttle))

    def _read(self, state: Reader, message: OutputMessage, data: str) -> Iterable[Message]:
        state.tracker.now = message.timestamp
        state.tracker.name = self._names_for(message)
        state.read(data)
        return self._messages(state, message, message)

    def _read_bytes(self, state: Reader, message: OutputMessage) -> Iterable[Message]:
        state.tracker.now = message.timestamp
        state.skip(message.text)
        return [*self._messages(state, message, None), message]

    def _release(self, state: Reader, last: OutputMessage, because: Message) -> Iterable[Message]:
        if isinstance(because, (CompleteMessage, OutputMessage)):
            state.finish()
            if isinstance(because, CompleteMessage):
                self._names.pop(because.execution_id, None)
        else:
            state.release()
        return self._messages(state, last, None)

    def _messages(self, state: Reader, place: OutputMessage, whole: OutputMessage | None) -> list[Message]:
        """What the reader has found, at the place of ``place``. ``whole`` is what it has read just now."""
        out = state.out
        if self._keep_raw:
            told: list[Message] = [_message(item, place) for item in out if isinstance(item, Update)]
            out.clear()
            return [whole, *told] if whole is not None else told
        messages: list[Message] = []
        text: list[str] = []

        def pass_text() -> None:
            if joined := "".join(text):
                same = whole is not None and joined == whole.data
                messages.append(whole if whole is not None and same else replace(place, data=joined))
            text.clear()

        for item in out:
            if isinstance(item, str):
                text.append(item)
            else:
                pass_text()
                messages.append(_message(item, place))
        pass_text()
        out.clear()
        return messages

    def _names_for(self, message: OutputMessage) -> _Names:
        names = self._names.get(message.execution_id)
        if names is None or 0 < message.sequence < names.sequence:
            names = self._names[message.execution_id] = _Names()
            if len(self._names) > _MOST_EXECUTIONS:
                del self._names[next(iter(self._names))]
        names.sequence = message.sequence
        return names


class _Names:
    """Makes names of bars, each once in an execution."""

    def __init__(self) -> None:
        self.sequence = 0
        self._counts: Counter[str] = Counter()

    def __call__(self, library: str) -> str:
        self._counts[library] += 1
        return f"{library}-{self._counts[library]}"


def _message(update: Update, place: OutputMessage) -> ProgressMessage:
    bar = update.bar
    return ProgressMessage(
        place.execution_id,
        place.sequence,
        place.timestamp,
        place.source,
        bar=update.name,
        description=bar.description,
        current=bar.current,
        total=bar.total,
        unit=bar.unit,
        percentage=bar.percentage if bar.percentage is not None else percentage(bar.current, bar.total),
        rate=bar.rate,
        elapsed=bar.elapsed,
        remaining=bar.remaining,
        finished=update.finished,
        library=update.library,
        raw=update.line,
        wiped=update.wiped,
    )


def _find(name: str) -> Library:
    if name in LIBRARIES:
        return LIBRARIES[name]
    nearest = get_close_matches(name, LIBRARIES, 1)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    raise UsageError(f"there is no progress library {name!r}: {hint}known are {', '.join(LIBRARIES)}")
