"""The screens of one execution: a terminal for the output of each source, and notes between them."""

from __future__ import annotations

from pyrepl_stream import Message, OutputMessage, ProgressMessage, StreamType
from pyrepl_stream.processors.progress import Names, ScreenProgress
from pyrepl_stream.terminal import Page, Screen

from ..text import printable, styled

_MOST_SOURCES = 64
_OTHERS = "others"  # the name that further sources share


class Screens:
    """Writes the output of one execution to a page.

    Args:
        page: The page that all rows go to.
        progress: True to take progress bars off the page; False to draw them as a terminal shows them.

    Attributes:
        sources: The sources that have rows, in order of first appearance; "" stands for output without a
            source.
    """

    def __init__(self, page: Page, *, progress: bool) -> None:
        self.sources: dict[str, None] = {}
        self._page = page
        self._names = Names() if progress else None
        self._screens: dict[str, Screen] = {}  # by source
        self._progress: dict[str, ScreenProgress] = {}  # by source
        self._notes: dict[str, Screen] = {}  # by source; screens for lines that are not output

    @property
    def title(self) -> str:
        """The title that the program last gave its terminal."""
        return self._screens[""].title if "" in self._screens else ""

    def output(self, message: OutputMessage) -> list[ProgressMessage]:
        """Show output, and return the changes of the bars in it."""
        screen = self._screen(message.source)
        error = message.stream is StreamType.STDERR
        progress = self._progress.get(self._known(message.source))
        if progress is None:
            screen.feed(message.text, error=error)
            return []
        return progress.feed(message, message.text, error=error)

    def pause(self, message: Message) -> list[ProgressMessage]:
        """Handle a message, such as a question, that unrelated rows may follow."""
        watched = self._progress.items()
        return [found for source, progress in watched for found in progress.release(_place(message, source))]

    def note(self, source: str, text: str, *, error: bool = False) -> None:
        """Write a note, independently of the position of the program's cursor."""
        source = self._known(source)
        if source:
            self.sources[source] = None
        if source not in self._notes:
            self._notes[source] = Screen(self._page, source=source)
        self._notes[source].feed(f"{styled(text)}\x1b[m", error=error)

    def place(self, source: str, display: str) -> int:
        """Reserve a row for a rich display and return its number."""
        return self._screen(source).place(display)

    def finish(self, message: Message) -> list[ProgressMessage]:
        """Handle the end of the execution."""
        watched = self._progress.items()
        updates = [
            found for source, progress in watched for found in progress.finish(_place(message, source))
        ]
        for screen in self._screens.values():
            screen.finish()
        return updates

    def _screen(self, source: str) -> Screen:
        source = self._known(source)
        self.sources[source] = None
        if source not in self._screens:
            screen = self._screens[source] = Screen(self._page, source=source)
            if self._names is not None:
                self._progress[source] = ScreenProgress(screen, self._names)
        return self._screens[source]

    def _known(self, source: str) -> str:
        """Return the name under which a source is shown."""
        if source in self.sources:
            return source
        source = printable(source)
        return source if source in self.sources or len(self.sources) < _MOST_SOURCES else _OTHERS


def _place(message: Message, source: str) -> OutputMessage:
    return OutputMessage(*message.stamp[:3], source)
