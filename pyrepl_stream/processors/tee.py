"""Output written to a file as it arrives."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike

from ..runtime.messages import GapMessage, Message, OutputMessage, StreamType
from .sink import FileSink
from .strip_ansi import StripAnsi
from .terminal_text import note_of

__all__ = ("Tee",)


class Tee(FileSink):
    """Writes output to a file, byte for byte, and passes all messages. A `gap` is written as a note.

    Args:
        path: The file.
        append: Append to the file, rather than replace its contents.
        colour: If False, write no escape sequences.
        streams: `stdout`, `stderr` or both.

    Raises:
        UsageError: The file cannot be written.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        append: bool = False,
        colour: bool = True,
        streams: Iterable[StreamType | str] = (StreamType.STDOUT, StreamType.STDERR),
    ) -> None:
        self._streams = frozenset(map(StreamType, [streams] if isinstance(streams, str) else streams))
        self._strip = None if colour else StripAnsi()
        super().__init__(path, append=append)

    def take(self, message: Message) -> None:
        """Write one message."""
        for one in [message] if self._strip is None else self._strip(message):
            if isinstance(one, GapMessage):
                self._write(note_of(one).encode("utf-8", "surrogatepass"))
            elif isinstance(one, OutputMessage) and one.stream in self._streams:
                data = one.data
                self._write(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
