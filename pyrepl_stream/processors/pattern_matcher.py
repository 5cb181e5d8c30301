"""Events from what lines say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..errors import UsageError
from ..messages import EventMessage, LogMessage, Message, OutputMessage
from .documents import event_of
from .expressions import TIME_LIMIT, Expression
from .lines import LineProcessor
from .strip_ansi import stripped

__all__ = ("PatternMatcher",)


class PatternMatcher(LineProcessor):
    """Lets all output pass, and makes `event` messages of what its lines match.

    Expressions (of the `regex` package) given by position: each named group that took part in a match
    becomes an event of that name, with the text as its data. Given by keyword: the match becomes one
    event of that name, with the texts of the named groups as its data. The first match in a line counts;
    colours are not seen. With ``keep_text=False`` lines that match are taken out, and text is handed on
    by whole lines.

    An expression that takes more than ``time_limit`` seconds for one line is switched off, and a `log`
    says so. The other options are those of :class:`LineProcessor`. Raises :class:`UsageError`.
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
        super().__init__(max_line_bytes=max_line_bytes, max_lines=max_lines)
        if not patterns and not named:
            raise UsageError(r"PatternMatcher needs an expression, such as r'loss=(?P<loss>[\d.]+)'")
        self._patterns = [("", Expression(pattern, time_limit=time_limit)) for pattern in patterns]
        for _, expression in self._patterns:
            if not expression.groups:
                raise UsageError(
                    f"{expression.pattern!r} has no named group, and so no name for its events: write "
                    "(?P<name>...), or give it by keyword: PatternMatcher(name=...)"
                )
        self._patterns += [(name, Expression(text, time_limit=time_limit)) for name, text in named.items()]
        self._keep_text = keep_text
        self._time_limit = time_limit

    def for_reader(self) -> PatternMatcher:
        return PatternMatcher(
            *(expression.pattern for name, expression in self._patterns if not name),
            keep_text=self._keep_text,
            time_limit=self._time_limit,
            max_line_bytes=self._max_line_bytes,
            max_lines=self._max_lines,
            **{name: expression.pattern for name, expression in self._patterns if name},
        )

    def __call__(self, message: Message) -> Iterable[Message]:
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

    def _search(self, line: str, message: OutputMessage) -> tuple[list[EventMessage], list[LogMessage]]:
        plain = stripped(line).rstrip("\r\n")
        events: list[EventMessage] = []
        logs: list[LogMessage] = []
        for name, expression in self._patterns:
            try:
                match = expression.search(plain)
            except TimeoutError:
                logs.append(expression.told(message))
                continue
            if match is None:
                continue
            groups = {group: match[group] for group in expression.groups}
            if name:
                events.append(event_of(message, name, groups))
            else:
                events += [event_of(message, *group) for group in groups.items() if group[1] is not None]
        return events, logs
