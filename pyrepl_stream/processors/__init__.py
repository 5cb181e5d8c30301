"""Processors: callables from message to messages.

They find progress, documents and patterns in output, or write it to files and logs. A reader passes every
message through its processors, in order (see :data:`Processor`).

The names are loaded on first use: some of the modules need large libraries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..runtime.lazy import lazy_names

if TYPE_CHECKING:
    from ..pipeline import *
    from .branch import *
    from .catalogue import *
    from .colour import *
    from .colour_policy import *
    from .json_lines import *
    from .line_filter import *
    from .lines import *
    from .output_options import *
    from .pattern_matcher import *
    from .prefix import *
    from .progress import *
    from .recorder import *
    from .route import *
    from .sink import *
    from .strip_ansi import *
    from .tee import *
    from .to_logging import *
    from .yaml_stream import *

__all__, __getattr__ = lazy_names(
    __name__,
    {
        "branch": "Branch",
        "catalogue": "FORMATS PROCESSORS processors_by_name processors_of_format",
        "colour": "SCHEMES Colour Scheme",
        "colour_policy": "ColourPolicy",
        "json_lines": "JsonLines",
        "line_filter": "FILTERS LineFilter",
        "lines": "Lines",
        "output_options": "add_output_options",
        "pattern_matcher": "PatternMatcher",
        "prefix": "Prefix",
        "progress": "Progress progress_line",
        "recorder": "Recorder",
        "route": "Route",
        "sink": "Sink",
        "strip_ansi": "StripAnsi",
        "tee": "Tee",
        "to_logging": "ToLogging",
        "yaml_stream": "YamlStream",
        ".pipeline": "AnyProcessor Processor",
    },
)
