"""Processors and output formats by the names that options and profiles use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from ..pipeline import AnyProcessor, Processor
from ..runtime.validation import check_choice
from .json_lines import JsonLines
from .prefix import Prefix
from .progress import Progress
from .strip_ansi import StripAnsi
from .to_logging import ToLogging
from .yaml_stream import YamlStream

__all__ = ("FORMATS", "PROCESSORS", "processors_by_name", "processors_of_format")

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
"""Processor classes that need no options, by name. Each reader creates its own instance."""

FORMATS: Mapping[str, tuple[AnyProcessor, ...]] = MappingProxyType(
    {"text": (), "json": (JsonLines(),), "yaml": (YamlStream(implicit=True),)}
)
"""The processors for each value of the ``format`` option of an execution, such as ``format="json"``."""


def processors_by_name(names: Iterable[str]) -> tuple[type[Processor], ...]:
    """Return the processor classes with these names, in this order.

    Raises:
        UsageError: A name is unknown.
    """
    return tuple(PROCESSORS[check_choice("processor", name, PROCESSORS)] for name in names)


def processors_of_format(format: str) -> tuple[AnyProcessor, ...]:
    """Return the processors that read output of this format.

    Raises:
        UsageError: The format is unknown.
    """
    return FORMATS[check_choice("format", format, FORMATS)]
