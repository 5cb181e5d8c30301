"""tqdm: ``epoch 1:  50%|█████     | 2/4 [00:01<00:01,  1.85it/s, loss=0.3]``, and ``5it [00:01,  4.2it/s]``.

``tqdm.std.tqdm.format_meter`` writes these forms. No other text looks like them, so a line is taken for a bar
even if it is never redrawn. Bars with a custom ``bar_format`` are left to `generic`.
"""

from __future__ import annotations

import re

from .bar import Bar, BarFormat
from .units import DURATION, NUMBER, RATE, duration, number, rate, size

_COUNT = r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?(?:e[+-]?[0-9]{1,2})?[kMGTPEZY]?"
# A postfix may contain pairs of brackets. Text printed after the bar may also end in a bracket.
_POSTFIX = r"(?:, [^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*)?"
_STATS = re.compile(rf" \[(-?{DURATION})(?:<(-?{DURATION}|\?))?, +([^ ,\]][^,\]]*){_POSTFIX}\]$")
_CUT = re.compile(rf" \[(-?{DURATION})<(-?{DURATION}|\?)(?:,[^\]]*)?$")
_METER = re.compile(rf"(?:^|: ) *([0-9]{{1,3}})%(?:\|[^|]*\|)? ({_COUNT})/({_COUNT}|\?)$")
_UNKNOWN = re.compile(rf"(?:^|: )({_COUNT})$")
_SECONDS = re.compile(rf"({NUMBER})s/(.+)")
_PER_SECOND = re.compile(rf"({NUMBER}|\?)(.*)/s")


def _parse(line: str) -> Bar | None:
    if (cut := _CUT.search(line)) is not None:  # tqdm itself cuts a line that is too long
        return _meter(line[: cut.start()], cut, (None, ""), doubtful=True)
    stats = _STATS.search(line)
    speed = _rate(stats[3]) if stats else None
    if stats is None or speed is None:
        return None
    per_second, unit, as_shown = speed
    head = line[: stats.start()]
    if stats[2] is None:
        found = _UNKNOWN.search(head.removesuffix(as_shown)) if head.endswith(as_shown) else None
        if found is None:
            return None
        description = head[: found.start()]
        return Bar(description, _count(found[1]), None, unit, None, per_second, duration(stats[1]))
    return _meter(head, stats, (per_second, unit))


def _meter(
    head: str, times: re.Match[str], speed: tuple[float | None, str], *, doubtful: bool = False
) -> Bar | None:
    found = _METER.search(head)
    if found is None:
        return None
    name, percentage = head[: found.start()], min(float(found[1]), 100.0)
    current, total = _count(found[2]), None if found[3] == "?" else _count(found[3])
    elapsed, remaining = duration(times[1]), duration(times[2])
    per_second, unit = speed
    return Bar(name, current, total, unit, percentage, per_second, elapsed, remaining, doubtful=doubtful)


_RATE = re.compile(RATE)


def _count(text: str) -> float:
    return size(text) if text[-1].isalpha() and not text.startswith("-") else float(text.rstrip("kMGTPEZY"))


def _rate(text: str) -> tuple[float | None, str, str] | None:
    """Return the rate per second, the unit, and the unit exactly as it would follow a count."""
    if (found := _SECONDS.fullmatch(text)) is not None:
        seconds = number(found[1])
        return (1 / seconds if seconds else None), found[2].strip(), found[2]
    if (found := _PER_SECOND.fullmatch(text)) is None:
        return None
    if _RATE.fullmatch(text.replace(" ", "")):
        per_second, unit = rate(text.replace(" ", ""))
        return per_second, unit, found[2] if found[2].strip() == unit else unit
    value = None if found[1] == "?" else number(found[1])
    return value, found[2].strip(), found[2]


LIBRARY = BarFormat("tqdm", _parse, hint=r"\[-?(?:[0-9]+:)?[0-9]{2}:[0-9]{2}[<,]", redrawn=False, end=r"\]")
