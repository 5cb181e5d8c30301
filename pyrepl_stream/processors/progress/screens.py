"""Finds the progress bars on a screen, and takes them off the screen's page."""

from __future__ import annotations

from collections.abc import Callable

from ...runtime.messages import OutputMessage, ProgressMessage
from ...terminal import Screen
from .bar import LIBRARIES
from .finder import Finder
from .tracker import Names, Tracker
from .watch import BarWatch


class ScreenProgress:
    """Shows the output of one execution on a screen, and takes its progress bars off the screen's page.

    Args:
        screen: A screen that has not been fed anything yet.
        names: Makes the ids of the bars. All screens of an execution share it.
        every_seconds: The minimum time between two reports of a bar, by the timestamps of the output.
    """

    def __init__(self, screen: Screen, names: Names, *, every_seconds: float = 0.1) -> None:
        self._screen = screen
        self._watch = BarWatch(screen.terminal, Finder(LIBRARIES.values()), Tracker(every_seconds))
        self._watch.tracker.name = names
        screen.watch(self._watch)

    def feed(self, message: OutputMessage, text: str, *, error: bool) -> list[ProgressMessage]:
        """Show ``text``, the text of ``message``, and return messages about the bars that changed."""
        return self._run(message, lambda: self._screen.feed(text, error=error))

    def release(self, place: OutputMessage) -> list[ProgressMessage]:
        """Handle a message that is not output; ``place`` has its sequence number and time."""
        return self._run(place, self._watch.release)

    def finish(self, place: OutputMessage) -> list[ProgressMessage]:
        """Finish all bars, at the end of the execution."""
        return self._run(place, self._watch.finish)

    def _run(self, place: OutputMessage, step: Callable[[], object]) -> list[ProgressMessage]:
        self._watch.tracker.place = place
        step()
        found = [one for one in self._watch.out if isinstance(one, ProgressMessage)]
        self._watch.out.clear()
        return found
