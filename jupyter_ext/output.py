"""What the options of a cell do to its output."""

from __future__ import annotations

from pyrepl_stream import (
    AnyProcessor,
    ColourPolicy,
    EventMessage,
    Message,
    Recorder,
    Route,
    Settings,
    Sink,
    UsageError,
)

from .arguments import Arguments

__all__ = ("processors_of",)


def processors_of(
    settings: Settings, arguments: Arguments, policy: ColourPolicy, events: list[EventMessage]
) -> tuple[AnyProcessor, ...]:
    """The processors of a cell; ``events`` gets events, if the cell has a name for them.

    Raises :class:`pyrepl_stream.UsageError`.
    """
    processors: list[AnyProcessor] = [*settings.processors(policy)]
    if arguments.events is not None:
        if settings.format == "text" and arguments.profile is None:
            raise UsageError("--events needs output that has events: add --format json or --format yaml")
        processors.append(Route(_Collect(events), types="event", take=True))
    if arguments.record is not None:
        processors.insert(0, Recorder(arguments.record, title="%%remote_stream"))
    return tuple(processors)


class _Collect(Sink):
    """Puts messages into a list, once, however many readers the execution has."""

    def __init__(self, events: list[EventMessage]) -> None:
        super().__init__()
        self._events = events

    def take(self, message: Message) -> None:
        assert isinstance(message, EventMessage)
        self._events.append(message)
