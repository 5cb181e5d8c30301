"""Styles of text, and the parameters of SGR (Select Graphic Rendition) that change them.

The codes are those of ECMA-48 (8.3.117) and of xterm (https://invisible-island.net/xterm/ctlseqs/ctlseqs.html).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from ..processors.palette import rgb_of

__all__ = ("PLAIN", "Style", "after", "safe_link")

_FLAGS = "bdiusvhe"


class Style(NamedTuple):
    """How text looks. Empty strings stand for what is usual.

    A colour is the number of one of the 16 that users choose (``"0"`` to ``"15"``), or ``"#rrggbb"``.
    ``flags`` are letters, in this order: **b**\\ old, **d**\\ im, **i**\\ talic, **u**\\ nderlined,
    **s**\\ truck out, in**v**\\ erse, **h**\\ idden, and **e** for what came from stderr.
    ``link`` is an address beginning with ``http:``, ``https:`` or ``mailto:``.
    """

    foreground: str = ""
    background: str = ""
    flags: str = ""
    link: str = ""

    def words(self) -> str:
        """All but the link as words with blanks between them, such as ``b f1 g#00ff00``."""
        return _words(self.foreground, self.background, self.flags)

    @property
    def is_usual(self) -> bool:
        """Whether blanks of this style are as good as none, wherever they came from."""
        return not (self.foreground or self.background or self.link) and self.flags in ("", "e")

    def erasing(self) -> Style:
        """What a terminal leaves where it erases: nothing but the background."""
        return Style(background=self.background) if self.background else PLAIN


PLAIN = Style()


@lru_cache(maxsize=2048)
def _words(foreground: str, background: str, flags: str) -> str:
    words = list(flags)
    words += [f"f{foreground}"] if foreground else []
    words += [f"g{background}"] if background else []
    return " ".join(words)


def safe_link(address: str) -> str:
    """The address of a link (OSC 8) where a page may have it, else nothing."""
    return address if _LINK.fullmatch(address) else ""


_LINK = re.compile(r"(?:https?://|mailto:)[^\s\x00-\x20\x7f-\x9f\"<>\\^`{|}]{1,4096}", re.IGNORECASE)


# -- SGR ---------------------------------------------------------------------------------------

_ON = {1: "b", 2: "d", 3: "i", 4: "u", 7: "v", 8: "h", 9: "s", 21: "u"}
_SHORT = 64  # characters of parameters that are likely to come again
_OFF = {22: "bd", 23: "i", 24: "u", 27: "v", 28: "h", 29: "s"}


def after(style: Style, parameters: str) -> Style:
    """The style after SGR with these parameters, which change neither a link nor what came from stderr.

    The style without anything is always the object :data:`PLAIN`.
    """
    if len(parameters) > _SHORT:
        return _after(style, parameters)
    if style.link:
        return _remembered(style._replace(link=""), parameters)._replace(link=style.link)
    return _remembered(style, parameters)


def _after(style: Style, parameters: str) -> Style:
    foreground, background, flags, link = style
    items = iter(parameters.split(";"))
    for item in items:
        code, *values = item.split(":")
        number = _number(code or "0")
        if number == 0:
            foreground, background, flags = "", "", "e" if "e" in flags else ""
        elif number in _ON:
            flags = _with(flags, _ON[number]) if values[:1] != ["0"] else _without(flags, _ON[number])
        elif number in _OFF:
            flags = _without(flags, _OFF[number])
        elif number in (38, 48, 58):
            colour = _colour(values) if values else _colour_of_next(items)
            if number == 38:
                foreground = colour or foreground
            elif number == 48:
                background = colour or background
        elif 30 <= number <= 37 or 90 <= number <= 97:
            foreground = str(number - 30 if number < 40 else number - 82)
        elif 40 <= number <= 47 or 100 <= number <= 107:
            background = str(number - 40 if number < 50 else number - 92)
        elif number == 39:
            foreground = ""
        elif number == 49:
            background = ""
    style = Style(foreground, background, flags, link)
    return PLAIN if style == PLAIN else style


_remembered = lru_cache(maxsize=2048)(_after)


def _number(text: str) -> int:
    """A parameter; -1 for what no style has."""
    return int(text) if text.isdecimal() and len(text) < 6 else -1


def _with(flags: str, flag: str) -> str:
    return flags if flag in flags else "".join(one for one in _FLAGS if one in flags or one == flag)


def _without(flags: str, unwanted: str) -> str:
    return "".join(flag for flag in flags if flag not in unwanted)


def _colour_of_next(items: Iterator[str]) -> str:
    """The colour of the parameters that follow 38 or 48, which are used up."""
    kind = next(items, "")
    count = {"5": 1, "2": 3}.get(kind.lstrip("0"), 0)
    return _colour([kind, *(next(items, "") for _ in range(count))])


def _colour(values: list[str]) -> str:
    """Of ``5:index``, ``2:red:green:blue`` or ``2:space:red:green:blue``; empty where it is none."""
    kind, *rest = values
    channels = rest[1:4] if len(rest) > 3 else rest
    numbers = [_number(value) for value in channels]
    if not all(0 <= number < 256 for number in numbers):
        return ""
    if kind.lstrip("0") == "5" and len(numbers) == 1:
        return str(numbers[0]) if numbers[0] < 16 else "#{:02x}{:02x}{:02x}".format(*rgb_of(numbers[0]))
    if kind.lstrip("0") == "2" and len(numbers) == 3:
        return "#{:02x}{:02x}{:02x}".format(*numbers)
    return ""
