"""Lines that are wanted, and lines that are not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from ..messages import Message, OutputMessage
from .expressions import TIME_LIMIT, Expression, compiled
from .lines import LineProcessor
from .strip_ansi import stripped

__all__ = ("FILTERS", "LineFilter")

_ERRORS = r"(?i)\b(?:error|err!|exception|traceback|fatal|critical|panic|fail(?:ed|ure)?)\b|Error:"
_WARNINGS = r"(?i)\bwarn(?:ing)?\b"

FILTERS: Mapping[str, tuple[bool, str]] = MappingProxyType(
    {
        "errors": (True, _ERRORS),
        "warnings": (True, f"{_ERRORS}|{_WARNINGS}"),
        "no-progress": (False, r"(?<!\r\n|\n)\r\Z|^[^\r\n]*\d%[^\r\n]*(?:[|\[(#=█━▉-▏]{2,}|\dit/s)|[█━]{3,}"),
        "no-debug": (False, r"\b(?:DEBUG|TRACE|debug|trace)\b"),
        "no-blank": (False, r"^\s*\Z"),
    }
)
"""Filters by name: whether lines that match are the wanted ones (or the unwanted), and the expression."""


class LineFilter(LineProcessor):
    """Lets lines of output pass that match one of ``include`` (all, without any) and none of ``exclude``.

    Each of them is a name in :data:`FILTERS` or an expression (of the `regex` package), which is
    searched for in the line without its colours. A line ends with a line feed, or with the carriage
    return behind which it is drawn anew. An expression that takes more than ``time_limit`` seconds for one
    line is switched off, and a `log` says so. The other options are those of :class:`LineProcessor`.

    Raises :class:`UsageError` for what is no expression.
    """

    def __init__(
        self,
        include: str | Iterable[str] = (),
        exclude: str | Iterable[str] = (),
        *,
        time_limit: float = TIME_LIMIT,
        max_line_bytes: int = 1 << 16,
        max_lines: int = 1000,
    ) -> None:
        super().__init__(max_line_bytes=max_line_bytes, max_lines=max_lines)
        wanted, unwanted = _sorted(include, exclude)
        self._include = compiled(wanted, time_limit)
        self._exclude = compiled(unwanted, time_limit)
        self._time_limit = time_limit

    def for_reader(self) -> LineFilter:
        return LineFilter(
            [expression.pattern for expression in self._include],
            [expression.pattern for expression in self._exclude],
            time_limit=self._time_limit,
            max_line_bytes=self._max_line_bytes,
            max_lines=self._max_lines,
        )

    def _lines(self, lines: list[str], message: OutputMessage) -> Iterable[Message]:
        logs: list[Message] = []
        kept = [line for line in lines if self._is_wanted(stripped(line), message, logs)]
        if kept and len(kept) == len(lines) and "".join(kept) == message.data:
            return [*logs, message]
        return [*logs, replace(message, data="".join(kept))] if kept else logs

    def _is_wanted(self, line: str, message: Message, logs: list[Message]) -> bool:
        if any(_matches(expression, line, message, logs) for expression in self._exclude):
            return False
        if any(_matches(expression, line, message, logs) for expression in self._include):
            return True
        return all(expression.off for expression in self._include)  # without any, all are


def _matches(expression: Expression, line: str, message: Message, logs: list[Message]) -> bool:
    try:
        return expression.search(line) is not None
    except TimeoutError:
        logs.append(expression.told(message))
        return False


def _sorted(include: str | Iterable[str], exclude: str | Iterable[str]) -> tuple[list[str], list[str]]:
    """Names replaced by their expressions, each on its side."""
    sides: tuple[list[str], list[str]] = ([], [])
    for given, side in ((include, 0), (exclude, 1)):
        for pattern in [given] if isinstance(given, str) else given:
            wanted, expression = FILTERS.get(pattern, (True, pattern))
            sides[side if wanted else 1 - side].append(expression)
    return sides
