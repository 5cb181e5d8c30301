"""Selection of lines of output."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from ..runtime.messages import Message, OutputMessage
from .expressions import TIME_LIMIT, TimedRegex
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
"""Filters by name: True to include or False to exclude the lines that match, and the expression."""


class LineFilter(LineProcessor):
    """Passes only lines of output that match ``include`` and do not match ``exclude``.

    Expressions use the syntax of the `regex` package, and are searched for in the line without its colours.
    A line ends with a line feed, or with the carriage return after which it is redrawn.

    Args:
        include: One or several expressions or names in :data:`FILTERS`. A line must match at least one of
            them; by default, every line is included.
        exclude: One or several expressions or names, as for ``include``. A line must not match any of them.
        time_limit: Seconds that one expression may take for one line. An expression that takes longer is
            switched off, and a `log` message reports it.
        max_line_bytes: As in :class:`LineProcessor`.
        max_lines: As in :class:`LineProcessor`.

    Raises:
        UsageError: An expression or an option is not valid.
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
        wanted, unwanted = _sorted(include, exclude)
        self._include = [TimedRegex(pattern, time_limit=time_limit) for pattern in wanted]
        self._exclude = [TimedRegex(pattern, time_limit=time_limit) for pattern in unwanted]
        super().__init__(max_line_bytes=max_line_bytes, max_lines=max_lines)

    def _reset(self) -> None:
        super()._reset()
        self._include = [expression.fresh() for expression in self._include]
        self._exclude = [expression.fresh() for expression in self._exclude]

    def _lines(self, lines: list[str], message: OutputMessage) -> Iterable[Message]:
        logs: list[Message] = []
        kept = [line for line in lines if self._is_wanted(stripped(line), message, logs)]
        if kept and len(kept) == len(lines) and "".join(kept) == message.data:
            return [*logs, message]
        return [*logs, replace(message, data="".join(kept))] if kept else logs

    def _is_wanted(self, line: str, message: Message, logs: list[Message]) -> bool:
        if any(expression.search(line, message, logs) for expression in self._exclude):
            return False
        if any(expression.search(line, message, logs) for expression in self._include):
            return True
        return all(expression.off for expression in self._include)  # also True if there are no expressions


def _sorted(include: str | Iterable[str], exclude: str | Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the expressions to include and to exclude, with names of filters replaced by expressions."""
    sides: tuple[list[str], list[str]] = ([], [])
    for given, side in ((include, 0), (exclude, 1)):
        for pattern in [given] if isinstance(given, str) else given:
            wanted, expression = FILTERS.get(pattern, (True, pattern))
            sides[side if wanted else 1 - side].append(expression)
    return sides
