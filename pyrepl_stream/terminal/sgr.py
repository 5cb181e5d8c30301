"""The parameters of SGR (Select Graphic Rendition), the sequence that sets colours and styles.

The codes follow ECMA-48 (8.3.117) and xterm (https://invisible-island.net/xterm/ctlseqs/ctlseqs.html).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

__all__ = ("BACKGROUND", "FOREGROUND", "UNDERLINE", "Colour", "Parameter", "parameters")

FOREGROUND, BACKGROUND, UNDERLINE = 38, 48, 58
"""The codes before an extended colour: of the text, of its background, of its underline."""

Colour = int | tuple[int, int, int]
"""An index of the palette of 256 colours, or red, green and blue from 0 to 255."""


class Parameter(NamedTuple):
    """One parameter; an extended colour includes the numbers that belong to it."""

    text: str
    """The parameter as it was written."""
    code: int
    """The number of the style or colour to set, or -1 if it is not a number."""
    value: str = ""
    """The text that follows the code and a colon, such as the ``3`` of ``4:3`` (a curly underline)."""
    colour: Colour | None = None
    """The colour, for the codes 38, 48 and 58; None if it is not valid."""


def parameters(text: str) -> Iterator[Parameter]:
    """Yield the parameters of ``text``, which stands between ``CSI`` and ``m``."""
    items = text.split(";")
    position = 0
    while position < len(items):
        item = items[position]
        head, _, value = item.partition(":")
        code = _number(head)
        length = 1
        colour = None
        if code in (FOREGROUND, BACKGROUND, UNDERLINE):
            if ":" in item:
                colour = _colour(value.split(":"), with_space=True)
            else:
                kind = _number(items[position + 1]) if position + 1 < len(items) else -1
                length = {2: 5, 5: 3}.get(kind, 2)
                colour = _colour(items[position + 1 : position + length], with_space=False)
        yield Parameter(";".join(items[position : position + length]), code, value, colour)
        position += length


def _number(text: str) -> int:
    """Return a number: 0 if the text is empty, -1 if it is not a number of at most five digits."""
    digits = text.lstrip("0")
    if not digits:
        return 0
    return int(digits) if digits.isdecimal() and len(digits) < 6 else -1


def _colour(values: list[str], *, with_space: bool) -> Colour | None:
    """Return the colour of ``5:index`` or ``2:red:green:blue``; None if a number is missing, as tmux does.

    In the form with colons (``with_space``) a colour space should precede the channels, but many programs
    leave it out, which xterm allows.
    """
    kind, *rest = (_number(value) if value else -1 for value in values or [""])
    channels = tuple(rest[1:4] if with_space and len(rest) > 3 else rest[:3])
    if kind == 5 and rest and 0 <= rest[0] < 256:
        return rest[0]
    if kind == 2 and len(channels) == 3 and all(0 <= channel < 256 for channel in channels):
        return channels
    return None
