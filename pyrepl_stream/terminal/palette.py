"""Conversion of colours to the ones that a terminal can show.

The palette is xterm's: 16 colours that users can change, a cube of six levels per channel, and 24 greys.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import dist

from ..runtime.errors import UsageError
from .sgr import BACKGROUND, FOREGROUND, UNDERLINE, Parameter, parameters

DEPTHS = (0, 16, 256, 1 << 24)
"""The numbers of colours that a terminal may support; 0 stands for no styles at all."""

_LEVELS = (0, 95, 135, 175, 215, 255)
_GREYS = tuple(range(8, 239, 10))


def _nearest(places: tuple[int, ...]) -> tuple[int, ...]:
    """Return the index of the nearest level for each value of a channel; of two, the upper one."""
    return tuple(min(range(len(places)), key=lambda at: (abs(places[at] - v), -at)) for v in range(256))


_LEVEL_OF, _GREY_OF = _nearest(_LEVELS), _nearest(_GREYS)


def to_256(red: int, green: int, blue: int) -> int:
    """Return the index (16 to 255) of the nearest colour; channels are 0 to 255.

    The rule is tmux's (`colour_find_rgb` in its colour.c): the nearest colour of the cube, or the grey
    nearest to the mean of the channels, if that is nearer. The first 16 colours are not used, since users can
    change them.
    """
    cube = 16 + 36 * _LEVEL_OF[red] + 6 * _LEVEL_OF[green] + _LEVEL_OF[blue]
    grey = 232 + _GREY_OF[(red + green + blue) // 3]
    colour = (red, green, blue)
    return grey if dist(rgb_of(grey), colour) < dist(rgb_of(cube), colour) else cube


def to_16(index: int) -> int:
    """Return the one of the 16 colours that replaces a colour of the 256.

    The rule gives tmux's table (`colour_256to16`): a colour of the cube becomes the colour of its
    strongest channels, which is bright from the fifth level on; greys become black, bright black, white or
    bright white.
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
    """Return red, green and blue of the colour with an index from 16 to 255."""
    if index >= 232:
        return (_GREYS[index - 232],) * 3
    return _LEVELS[(index - 16) // 36], _LEVELS[(index - 16) // 6 % 6], _LEVELS[(index - 16) % 6]


def check_depth(depth: int) -> None:
    """Raise :class:`UsageError` for a number of colours that is not in :data:`DEPTHS`."""
    if depth not in DEPTHS:
        raise UsageError(f"depth is {depth}, but must be one of {', '.join(map(str, DEPTHS))}")


# -- parameters of SGR -------------------------------------------------------------------------


@lru_cache(maxsize=2048)
def convert_sgr(text: str, depth: int) -> str | None:
    """Convert parameters of SGR for a terminal of ``depth`` colours; return None if no parameter is left.

    Parameters that the terminal supports are not changed. An invalid colour, such as ``38;5;300``, is
    removed: a terminal without extended colours would take its numbers for other styles.

    Args:
        text: The parameters.
        depth: 16, 256, or more for a terminal that can show all colours.
    """
    if depth > 256 or "8" not in text:
        return text
    converted = [one for parameter in parameters(text) if (one := _convert(parameter, depth)) is not None]
    return ";".join(converted) if converted else None


def _convert(parameter: Parameter, depth: int) -> str | None:
    code, colour = parameter.code, parameter.colour
    if code not in (FOREGROUND, BACKGROUND, UNDERLINE):
        return parameter.text
    if colour is None:
        return None
    if depth == 256:
        if isinstance(colour, int):
            return parameter.text
        # A terminal that does not know underline colours takes `58;5` for blinking text, but skips `58:5`.
        # The other two codes are older than the form with colons.
        return f"58:5:{to_256(*colour)}" if code == UNDERLINE else f"{code};5;{to_256(*colour)}"
    if code == UNDERLINE:
        return None  # an underline cannot have one of the 16 colours
    index = to_16(colour if isinstance(colour, int) else to_256(*colour))
    first = 30 if index < 8 else 90 - 8
    return str(first + index if code == FOREGROUND else first + 10 + index)


# -- styles that are on ------------------------------------------------------------------------

_OFF: Mapping[int, tuple[int, ...]] = {  # the styles that each parameter ends; 58 and 59 are not in ECMA-48
    22: (1, 2),
    23: (3, 20),
    24: (4, 21),
    25: (5, 6),
    27: (7,),
    28: (8,),
    29: (9,),
    39: (38, *range(30, 38), *range(90, 98)),
    49: (48, *range(40, 48), *range(100, 108)),
    54: (51, 52),
    55: (53,),
    59: (58,),
}
_ENDED_BY = {on: off for off, ons in _OFF.items() for on in ons}


@lru_cache(maxsize=2048)
def after_sgr(styles: frozenset[int], text: str) -> frozenset[int]:
    """Return the styles that are on after SGR with these parameters.

    Each style is named by the parameter that ends it, such as 39 for any colour of the text.
    """
    for parameter in parameters(text):
        code = 24 if parameter.code == 4 and parameter.value == "0" else parameter.code
        if code == 0:
            styles = frozenset()
        elif code in _OFF:
            styles -= {code}
        elif code in _ENDED_BY:
            styles |= {_ENDED_BY[code]}
    return styles


def sgr_off(text: str) -> str:
    """Return the parameters that end exactly the styles that ``text`` begins."""
    return ";".join(map(str, sorted(after_sgr(frozenset(), text))))
