"""Colours brought down to what a terminal can show: the parameters of SGR (Select Graphic Rendition).

The palette is xterm's: 16 colours that users choose, a cube of six levels a channel, 24 greys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from ..errors import UsageError

__all__ = ("DEPTHS", "after_sgr", "check_depth", "convert_sgr", "rgb_of", "sgr_off", "to_16", "to_256")

DEPTHS = (0, 16, 256, 1 << 24)
"""How many colours a terminal can show; 0: no styles at all."""

_LEVELS = (0, 95, 135, 175, 215, 255)
_GREYS = tuple(range(8, 239, 10))


def _nearest(places: tuple[int, ...]) -> tuple[int, ...]:
    """For each value of a channel the index of the nearest place, the upper one of two."""
    return tuple(min(range(len(places)), key=lambda at: (abs(places[at] - v), -at)) for v in range(256))


_LEVEL_OF, _GREY_OF = _nearest(_LEVELS), _nearest(_GREYS)


def to_256(red: int, green: int, blue: int) -> int:
    """The index (16 to 255) of what is nearest to a true colour; channels are 0 to 255.

    The rule is tmux's (`colour_find_rgb` in its colour.c): the cube's nearest, or where that is nearer,
    the grey nearest to the mean. The first 16 colours are left out, as users change them.
    """
    levels = (_LEVEL_OF[red], _LEVEL_OF[green], _LEVEL_OF[blue])
    grey = _GREY_OF[(red + green + blue) // 3]
    if _distance(_GREYS[grey], red, green, blue) < sum(
        (_LEVELS[level] - channel) ** 2 for level, channel in zip(levels, (red, green, blue), strict=True)
    ):
        return 232 + grey
    return 16 + 36 * levels[0] + 6 * levels[1] + levels[2]


def _distance(grey: int, red: int, green: int, blue: int) -> int:
    return (grey - red) ** 2 + (grey - green) ** 2 + (grey - blue) ** 2


def to_16(index: int) -> int:
    """Which of the 16 colours stands for one of the 256.

    The rule that makes tmux's table (`colour_256to16`): of the cube's colours the channels that are
    strongest are on, bright from the fifth level; greys go to black, bright black, white, bright white.
    """
    if index < 16:
        return index
    if index >= 232:
        return (0, 8, 7, 15)[(index - 232) // 6]
    levels = ((index - 16) // 36, (index - 16) // 6 % 6, (index - 16) % 6)
    strongest = max(levels)
    if min(levels) == strongest:
        return (0, 8, 8, 7, 7, 15)[strongest]
    on = sum(1 << channel for channel, level in enumerate(levels) if level == strongest)
    return on + 8 if strongest >= 4 else on


def rgb_of(index: int) -> tuple[int, int, int]:
    """Red, green and blue of the index 16 to 255 of the palette."""
    if index >= 232:
        return (_GREYS[index - 232],) * 3
    return _LEVELS[(index - 16) // 36], _LEVELS[(index - 16) // 6 % 6], _LEVELS[(index - 16) % 6]


def check_depth(depth: int) -> None:
    """Raises :class:`UsageError` for a number of colours that no terminal has."""
    if depth not in DEPTHS:
        raise UsageError(f"depth is {depth}, but must be one of {', '.join(map(str, DEPTHS))}")


# -- parameters of SGR -------------------------------------------------------------------------

_EXTENDED = ("38", "48", "58")  # of the text, its background, its underline


@lru_cache(maxsize=2048)
def convert_sgr(parameters: str, depth: int) -> str | None:
    """The parameters for a terminal of ``depth`` colours (16, 256, or all); None where none is left.

    Those that it can show stay as they are. A colour that is none, such as ``38;5;300``, goes: a
    terminal that does not know extended colours would take its numbers for other styles.
    """
    if depth > 256 or not any(code in parameters for code in _EXTENDED):
        return parameters
    converted = [one for kept in _split(parameters) if (one := _convert(kept, depth)) is not None]
    return ";".join(converted) if converted else None


def _split(parameters: str) -> Iterator[str]:
    """The parameters one by one, an extended colour with what belongs to it."""
    rest = parameters.split(";")
    place = 0
    while place < len(rest):
        length = 1
        if rest[place].lstrip("0") in _EXTENDED:
            length = {"2": 5, "5": 3}.get(rest[place + 1].lstrip("0") if place + 1 < len(rest) else "", 2)
        yield ";".join(rest[place : place + length])
        place += length


def _convert(one: str, depth: int) -> str | None:
    kind, *values = (part.lstrip("0") for part in re.split("[;:]", one))
    if kind not in _EXTENDED:
        return one
    if values[:1] == ["2"]:
        # With colons, a colour space stands before the channels, but many leave it out, as xterm allows.
        channels = values[2:5] if ":" in one and len(values) > 4 else values[1:4]
        numbers = _bytes(channels)
        index = to_256(*numbers) if numbers is not None and len(numbers) == 3 else None
    elif values[:1] == ["5"]:
        numbers = _bytes(values[1:2])
        index = numbers[0] if numbers else None
        if depth == 256 and index is not None:
            return one
    else:
        return None
    return None if index is None else _parameter(kind, index, depth)


def _bytes(values: list[str]) -> list[int] | None:
    numbers = [int(value or "0") for value in values if len(value) <= 3]
    return numbers if len(numbers) == len(values) and all(number < 256 for number in numbers) else None


def _parameter(kind: str, index: int, depth: int) -> str | None:
    if depth == 256:
        # Who does not know underline colours takes `58;5` for a blinking text, but skips `58:5`. The other
        # two are older than the colons.
        return f"58:5:{index}" if kind == "58" else f"{kind};5;{index}"
    if kind == "58":
        return None  # no form of it for 16 colours
    index = to_16(index)
    first = 30 if index < 8 else 90 - 8
    return str(first + index if kind == "38" else first + 10 + index)


# -- which styles are on -----------------------------------------------------------------------

_OFF = {  # what a style's parameters are ended by (ECMA-48, 8.3.117; 53 and 58 are xterm's and others')
    "22": ("1", "2"),
    "23": ("3", "20"),
    "24": ("4", "21"),
    "25": ("5", "6"),
    "27": ("7",),
    "28": ("8",),
    "29": ("9",),
    "39": ("38", *map(str, (*range(30, 38), *range(90, 98)))),
    "49": ("48", *map(str, (*range(40, 48), *range(100, 108)))),
    "54": ("51", "52"),
    "55": ("53",),
    "59": ("58",),
}
_ENDED_BY = {on: off for off, ons in _OFF.items() for on in ons}


@lru_cache(maxsize=2048)
def after_sgr(styles: frozenset[str], parameters: str) -> frozenset[str]:
    """What is on after SGR with these parameters; each style is named by the parameter that ends it."""
    for one in _split(parameters):
        kind, _, value = (re.split("[;]", one)[0]).partition(":")
        kind = kind.lstrip("0")
        if not kind:
            styles = frozenset()
        elif kind in _OFF or (kind == "4" and value == "0"):
            styles -= {"24" if kind == "4" else kind}
        elif kind in _ENDED_BY:
            styles |= {_ENDED_BY[kind]}
    return styles


def sgr_off(parameters: str) -> str:
    """The parameters that end what ``parameters`` begin, and nothing else."""
    return ";".join(sorted(after_sgr(frozenset(), parameters)))
