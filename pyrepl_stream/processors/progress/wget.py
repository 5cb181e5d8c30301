"""The bar and the dots of wget (``src/progress.c``).

The bar. ``+`` is the part that a continued download already had; sizes and rates use powers of 1024::

    data.bin              36%[======>             ] 249.02K   245KB/s    eta 2s      since 1.16
    data.bin             100%[===================>] 683.59K   242KB/s    in 2.8s
    data.bin                [   <=>               ] 151.37K   248KB/s                the length is not known
    36% [=======>             ] 12,345,678  1.2M/s  eta 36m 51s                      older; ETA 00:12 to 1.9

Lines of dots (``--progress=dot``, or without a terminal) begin with the amount received before the line, and
end with the rate and the remaining time; the last line has the elapsed time instead, after ``=``::

    50K .......... .......... .......... .......... .......... 14%  246K 2s
   650K .......... .......... .......... ...             100%  276K=2.8s
"""

from __future__ import annotations

import re

from .bar import Bar, BarFormat
from .units import NUMBER, duration, size

# Times as wget's `eta_to_human_short` writes them; a time cut off after the minutes does not match.
_SPAN = (
    r"(?:[0-9]{1,2}(?:[.,][0-9]{1,3})?s|[0-9]{1,3}[mhd] ?[0-9]{1,2}[smh]|[0-9]{3,6}d"
    r"|(?:[0-9]{1,3}:)?[0-9]{2}:[0-9]{2})"
)
_RATE = rf"(?P<rate>{NUMBER} ?[KMGT]?[Bb]?/s|-{{1,2}}\.-{{1,2}} ?[KMGT]?[Bb]?/s)"
_TAIL = re.compile(
    rf"(?P<bar>\+{{0,400}}=*>? *| *<=> *)\] +(?P<size>{NUMBER}[KMGTPE]?)(?: +{_RATE})"
    rf"(?: +(?:eta|ETA) +(?P<eta>{_SPAN})| +in +(?P<elapsed>{_SPAN}))?"
)
_DOTS = re.compile(
    r" {0,9}(?P<before>[0-9]{1,12})K(?P<dots>(?: [.,]{8,16}){0,6}(?: [.,]{1,16})?) {1,80}"
    rf"(?:(?P<percent>[0-9]{{1,3}})% +)?(?P<rate>{NUMBER}[BKMGT])(?: (?P<eta>{_SPAN})|=(?P<elapsed>{_SPAN}))?"
)
_DOT = 1024  # bytes per dot in the default style, the only one with groups of ten dots


_PERCENTAGE = re.compile(r"(?<![0-9])([0-9]{1,3})%$")


def _parse(line: str) -> Bar | None:
    head, bracket, tail = line.rpartition("[")
    found = _TAIL.fullmatch(tail) if bracket and len(line) <= 1000 else None
    if found is None:
        return None
    head = head.rstrip()
    percent = _PERCENTAGE.search(head)
    name = head[: percent.start()].rstrip() if percent else head
    current, rate = size(found["size"], binary=True), _rate(found["rate"])
    return _bar(name, current, percent[1] if percent else None, rate, found)


def _parse_dots(line: str) -> Bar | None:
    found = _DOTS.fullmatch(line)
    if found is None or not (found["dots"] or found["elapsed"]):
        return None
    dots = found["dots"]
    current = float(found["before"]) * 1024
    if max(map(len, dots.split()), default=0) == 10:
        current += sum(map(dots.count, ".,")) * _DOT
    # All lines get the same description, so that they are one bar.
    return _bar("wget", current, found["percent"], size(found["rate"], binary=True), found)


def _bar(name: str, current: float, percent: str | None, rate: float | None, found: re.Match[str]) -> Bar:
    percentage = float(percent) if percent else None
    elapsed, remaining = duration(found["elapsed"]), duration(found["eta"])
    return Bar(name, current, None, "B", percentage, rate, elapsed, remaining, elapsed is not None)


def _rate(text: str) -> float | None:
    if text.startswith("-"):
        return None
    if "b" in text:  # --report-speed=bits; only these rates use powers of 1000
        return size(text.partition("/")[0]) / 8
    return size(text.partition("/")[0], binary=True)


LIBRARY = BarFormat("wget", _parse, hint=r"\](?<=[>+= \[]\]) +[0-9]")
DOTS = BarFormat("wget-dots", _parse_dots, hint=r"K(?<=[0-9]K) [., ]{8}", redrawn=False)
