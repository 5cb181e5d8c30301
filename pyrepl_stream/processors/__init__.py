"""Processors by the names that profiles and options use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType

from ..errors import UsageError
from ..chain import Processor
from .branch import Branch
from .json_lines import JsonLines
from .line_filter import FILTERS, LineFilter
from .lines import LineProcessor, Lines
from .pattern_matcher import PatternMatcher
from .prefix import Prefix
from .route import Route

__all__ = ("PROCESSORS", "Branch", "JsonLines", "processors_by_name")

PROCESSORS: Mapping[str, type[Processor]] = MappingProxyType({"json_lines": JsonLines})
"""Classes of processors, by name. A processor has state, so each reader makes one of its own."""


def processors_by_name(names: Iterable[str]) -> tuple[type[Processor], ...]:
    """The classes of these names, in this order. Raises :class:`UsageError`."""
    return tuple(_find(name) for name in names)


def _find(name: str) -> type[Processor]:
    if name in PROCESSORS:
        return PROCESSORS[name]
    nearest = get_close_matches(name, PROCESSORS, 1)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    raise UsageError(f"there is no processor {name!r}: {hint}known are {', '.join(sorted(PROCESSORS))}")
