"""rich.progress: ``download ━━━━━━━━╺━━━━━ 40% 0:00:03``, with its columns in any order after the bar.

The columns recognized are the ones that ``rich.progress`` defines: percentage, m of n, bytes, speed, times.
A line with any other column after the bar does not match. A bar without columns (they are blank for a task
without a total) may also be a printed rule, and a bar with only counts and a speed may be the beginning of
one of pip's lines. Such lines are taken for bars only where they are drawn over.
"""

from __future__ import annotations

import re

from .bar import Bar, BarFormat
from .units import NUMBER, duration, rate, size

_BAR = re.compile("[━╸╺]{4,}")
_SPINNER = re.compile("^[⠀-⣿] ")
_CLOCK = r"(?:[0-9]{1,6} days?, )?[0-9]{1,6}:[0-9]{2}:[0-9]{2}"
_COLUMN = re.compile(
    rf" *(?:(?P<percentage>[0-9]{{1,3}})%"
    rf"|(?P<size>{NUMBER})/(?P<of>{NUMBER}|\?)(?: (?P<bytes>bytes|[kMGTPEZY]i?B))?"
    rf"|(?P<rate>{NUMBER} ?(?:bytes|[kMGTPEZY]i?B|it|×10[³⁶⁹¹²⁵⁸]+ it)/s)"
    rf"|(?P<time>{_CLOCK}|-:--:--)"
    r"|[?•|])(?= |$)"
)


def _parse(line: str) -> Bar | None:
    bar = _BAR.search(line)
    if bar is None or (bar.start() and line[bar.start() - 1] != " "):
        return None
    before, rest = line[: bar.start()].strip(), line[bar.end() :]
    if rest and rest[0] != " ":
        return None
    columns: dict[str, str] = {}
    times: list[float | None] = []
    while rest:
        found = _COLUMN.match(rest)
        if found is None:
            return None
        if found["time"]:
            times.append(duration(found["time"]))
        columns |= {name: text for name, text in found.groupdict().items() if text and name != "time"}
        rest = rest[found.end() :]
    percentage = min(float(columns["percentage"]), 100.0) if "percentage" in columns else None
    speed, unit = _speed(columns.get("rate"))
    current, total, counted = _counts(columns)
    name, unit = _SPINNER.sub("", before), counted or unit
    elapsed, remaining = times[0] if len(times) > 1 else None, times[-1] if times else None
    doubtful = percentage is None and not times and not (columns and before)
    return Bar(name, current, total, unit, percentage, speed, elapsed, remaining, doubtful=doubtful)


def _counts(columns: dict[str, str]) -> tuple[float | None, float | None, str]:
    """Return the current value, the total and the unit. Both numbers of a size have the same unit."""
    if "size" not in columns:
        return None, None, ""
    unit = columns.get("bytes", "")
    current = size(f"{columns['size']} {unit}")
    total = None if columns["of"] == "?" else size(f"{columns['of']} {unit}")
    return current, total, "B" if unit else ""


def _speed(text: str | None) -> tuple[float | None, str]:
    if text is None or "×" in text:
        return None, ""
    return rate(text.replace("bytes", "B"))


LIBRARY = BarFormat("rich", _parse, hint="[━╸╺][━╸╺]{3}", redrawn=False)
