"""Events from lines of output that match expressions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..runtime.errors import UsageError
from ..runtime.messages import EventMessage, Message, OutputMessage
from .expressions import TIME_LIMIT, TimedRegex
from .lines import LineProcessor
from .strip_ansi import stripped

__all__ = ("PatternMatcher",)


class PatternMatcher(LineProcessor):
    """Emits `event` messages for matches of expressions in lines of output.

    Expressions use the syntax of the `regex` package. Only the first match in a line counts; colours are
    ignored.

    Args:
        *patterns: Expressions. Each named group that takes part in the match becomes an event of that
            name, with the group's text as its data.
        keep_text: Pass all output immediately. If False, lines that match are left out, and text passes in
            whole lines.
        time_limit: Seconds that one expression may take for one line. An expression that takes longer is
            switched off, and a `log` message reports it.
        max_line_bytes: As in :class:`LineProcessor`.
        max_lines: As in :class:`LineProcessor`.
        **named: Expressions. The match becomes one event, which is named after the keyword and has the
            texts of the named groups as its data.

    Raises:
        UsageError: An expression or an option is not valid.
    """

    def __init__(
        self,
        *patterns: str,
        keep_text: bool = True,
        time_limit: float = TIME_LIMIT,
        max_line_bytes: int = 1 << 16,
        max_lines: int = 1000,
        **named: str,
    ) -> None:
        if not patterns and not named:
            raise UsageError(r"PatternMatcher needs an expression, such as r'loss=(?P<loss>[\d.]+)'")
        self._patterns = [("", TimedRegex(pattern, time_limit=time_limit)) for pattern in patterns]
        for _, expression in self._patterns:
            if not expression.groups:
                raise UsageError(
                    f"{expression.pattern!r} has no named group, which would name its events: write "
                    "(?P<name>...), or pass it by keyword, PatternMatcher(name=...)"
                )
        self._patterns += [(name, TimedRegex(text, time_limit=time_limit)) for name, text in named.items()]
        self._keep_text = keep_text
        super().__init__(max_line_bytes=max_line_bytes, max_lines=max_lines)

    def _reset(self) -> None:
        super()._reset()
        self._patterns = [(name, expression.fresh()) for name, expression in self._patterns]

    def __call__(self, message: Message) -> Iterable[Message]:
        """Process one message."""
        messages = super().__call__(message)
        if not self._keep_text:
            return messages
        events = [one for one in messages if not isinstance(one, OutputMessage)]
        return [message, *events] if isinstance(message, OutputMessage) else events

    def _lines(self, lines: list[str], message: OutputMessage) -> Iterable[Message]:
        text: list[str] = []
        for line in lines:
            events, logs = self._search(line, message)
            if not events:
                text.append(line)
            elif text:
                yield replace(message, data="".join(text))
                text = []
            yield from logs
            yield from events
        if text:
            yield replace(message, data="".join(text))

    def _search(self, line: str, message: OutputMessage) -> tuple[list[Message], list[Message]]:
        plain = stripped(line).rstrip("\r\n")
        events: list[Message] = []
        logs: list[Message] = []
        for name, expression in self._patterns:
            match = expression.search(plain, message, logs)
            if match is None:
                continue
            groups = {group: match[group] for group in expression.groups}
            found = [(name, groups)] if name else [pair for pair in groups.items() if pair[1] is not None]
            events += [EventMessage(*message.stamp, name=each, data=data) for each, data in found]
        return events, logs
