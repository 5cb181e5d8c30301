"""Styles of text, and how the parameters of SGR change them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from .palette import rgb_of
from .sgr import BACKGROUND, FOREGROUND, Colour, parameters

__all__ = ("PLAIN", "Style", "after", "safe_link")

_FLAGS = "bdiusvhe"


class Style(NamedTuple):
    r"""The look of text. Empty strings stand for the default.

    A colour is the number of one of the 16 that users can change (``"0"`` to ``"15"``), or ``"#rrggbb"``.
    ``flags`` are letters, in this order: **b**\ old, **d**\ im, **i**\ talic, **u**\ nderlined,
    **s**\ truck out, in\ **v**\ erse, **h**\ idden, and **e** for text from stderr.
    ``link`` is an address that begins with ``http:``, ``https:`` or ``mailto:``.
    """

    foreground: str = ""
    background: str = ""
    flags: str = ""
    link: str = ""

    def words(self) -> str:
        """Return everything except the link as words separated by blanks, such as ``b f1 g#00ff00``."""
        return _words(self.foreground, self.background, self.flags)

    @property
    def is_usual(self) -> bool:
        """True if blanks in this style are invisible."""
        return not (self.foreground or self.background or self.link) and self.flags in ("", "e")

    def erasing(self) -> Style:
        """Return the style of erased cells, which keep the background."""
        return Style(background=self.background) if self.background else PLAIN


PLAIN = Style()


@lru_cache(maxsize=2048)
def _words(foreground: str, background: str, flags: str) -> str:
    words = list(flags)
    words += [f"f{foreground}"] if foreground else []
    words += [f"g{background}"] if background else []
    return " ".join(words)


def safe_link(address: str) -> str:
    """Return the address of a link (OSC 8) if a page may contain it, else an empty string."""
    return address if _LINK.fullmatch(address) else ""


_LINK = re.compile(r"(?:https?://|mailto:)[^\s\x00-\x20\x7f-\x9f\"<>\\^`{|}]{1,4096}", re.IGNORECASE)


# -- SGR ---------------------------------------------------------------------------------------

_ON = {1: "b", 2: "d", 3: "i", 4: "u", 7: "v", 8: "h", 9: "s", 21: "u"}
_OFF = {22: "bd", 23: "i", 24: "u", 27: "v", 28: "h", 29: "s"}


@lru_cache(maxsize=2048)
def after(style: Style, text: str) -> Style:
    """Return the style after SGR with these parameters. They do not change the link or the flag ``e``.

    The default style is always the object :data:`PLAIN`.
    """
    foreground, background, flags, link = style
    for parameter in parameters(text):
        code = parameter.code
        if code == 0:
            foreground, background, flags = "", "", "e" if "e" in flags else ""
        elif code in _ON:
            flags = _without(flags, _ON[code]) if parameter.value == "0" else _with(flags, _ON[code])
        elif code in _OFF:
            flags = _without(flags, _OFF[code])
        elif code == FOREGROUND:
            foreground = _name(parameter.colour) or foreground
        elif code == BACKGROUND:
            background = _name(parameter.colour) or background
        elif 30 <= code <= 37 or 90 <= code <= 97:
            foreground = str(code - 30 if code < 40 else code - 82)
        elif 40 <= code <= 47 or 100 <= code <= 107:
            background = str(code - 40 if code < 50 else code - 92)
        elif code == 39:
            foreground = ""
        elif code == 49:
            background = ""
    style = Style(foreground, background, flags, link)
    return PLAIN if style == PLAIN else style


def _name(colour: Colour | None) -> str:
    """Return a colour in the form that :class:`Style` uses; an empty string for None."""
    if colour is None:
        return ""
    if isinstance(colour, int):
        if colour < 16:
            return str(colour)
        colour = rgb_of(colour)
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _with(flags: str, flag: str) -> str:
    return flags if flag in flags else "".join(one for one in _FLAGS if one in flags or one == flag)


def _without(flags: str, unwanted: str) -> str:
    return "".join(flag for flag in flags if flag not in unwanted)
