"""The processors for the options of a cell."""

from __future__ import annotations

from pyrepl_stream import EventMessage, Message, UsageError
from pyrepl_stream.config import Settings
from pyrepl_stream.processors import AnyProcessor, ColourPolicy, Recorder, Route, Sink

from .arguments import Arguments


def processors_of(
    settings: Settings, arguments: Arguments, policy: ColourPolicy, events: list[EventMessage]
) -> tuple[AnyProcessor, ...]:
    """Return the processors of a cell.

    Args:
        settings: The settings of the cell.
        arguments: Its options.
        policy: The colours that its front end can show.
        events: The list for ``--events``, to which events are appended.

    Raises:
        pyrepl_stream.UsageError: The options cannot be combined, or a value is not valid.
    """
    processors: list[AnyProcessor] = [*settings.processors(policy)]
    if arguments.events is not None:
        if settings.format == "text" and arguments.profile is None:
            raise UsageError("--events requires a format that has events: add --format json or --format yaml")
        processors.append(Route(_Collect(events), types="event", take=True))
    if arguments.record is not None:
        processors.insert(0, Recorder(arguments.record, title="%%remote_stream"))
    return tuple(processors)


class _Collect(Sink):
    """Appends each event to a list once, regardless of the number of readers of the execution."""

    def __init__(self, events: list[EventMessage]) -> None:
        super().__init__()
        self._events = events

    def take(self, message: Message) -> None:
        """Append one event."""
        assert isinstance(message, EventMessage)
        self._events.append(message)
