"""Processors: from what programs print to messages that say what it means, and to files and logs.

Each is a callable from message to messages (see :data:`Processor`). A reader leads every message through
its processors, in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType

from ..chain import AnyProcessor, Processor
from ..errors import UsageError
from .branch import Branch
from .colour import SCHEMES, Colour, Scheme
from .colour_policy import ColourPolicy
from .json_lines import JsonLines
from .line_filter import FILTERS, LineFilter
from .lines import Lines
from .pattern_matcher import PatternMatcher
from .prefix import Prefix
from .progress import Progress, progress_line
from .recorder import Recorder
from .route import Route
from .sink import Sink
from .strip_ansi import StripAnsi
from .tee import Tee
from .to_logging import ToLogging
from .yaml_stream import YamlStream

__all__ = (
    "FILTERS",
    "FORMATS",
    "PROCESSORS",
    "SCHEMES",
    "Branch",
    "Colour",
    "ColourPolicy",
    "JsonLines",
    "LineFilter",
    "Lines",
    "PatternMatcher",
    "Prefix",
    "Progress",
    "Recorder",
    "Route",
    "Scheme",
    "Sink",
    "StripAnsi",
    "Tee",
    "ToLogging",
    "YamlStream",
    "processors_by_name",
    "processors_of_format",
    "progress_line",
)

PROCESSORS: Mapping[str, type[Processor]] = MappingProxyType(
    {
        "json_lines": JsonLines,
        "yaml_stream": YamlStream,
        "progress": Progress,
        "prefix": Prefix,
        "strip_ansi": StripAnsi,
        "to_logging": ToLogging,
    }
)
"""Classes of processors that need no options, by name. Each reader makes one of its own."""

FORMATS: Mapping[str, tuple[AnyProcessor, ...]] = MappingProxyType(
    {"text": (), "json": (JsonLines(),), "yaml": (YamlStream(implicit=True),)}
)
"""What reads each format of output: ``format="json"`` of an execution."""


def processors_by_name(names: Iterable[str]) -> tuple[type[Processor], ...]:
    """The classes of these names, in this order. Raises :class:`UsageError`."""
    return tuple(PROCESSORS[_known("processor", name, PROCESSORS)] for name in names)


def processors_of_format(format: str) -> tuple[AnyProcessor, ...]:
    """What reads output of this format. Raises :class:`UsageError`."""
    return FORMATS[_known("format", format, FORMATS)]


def _known(kind: str, name: str, known: Iterable[str]) -> str:
    if name in known:
        return name
    nearest = get_close_matches(name, known, 1)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    raise UsageError(f"there is no {kind} {name!r}: {hint}known are {', '.join(sorted(known))}")
