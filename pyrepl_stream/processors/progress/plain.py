"""What has nothing of a bar: as most output is, so it has to be found fast."""

from __future__ import annotations

import re

from .finder import Finder

__all__ = ("has_marks", "has_only_lines")

_GLYPHS = "\u2500-\u257b\u2580-\u259f\u25a0-\u25ff\u2800-\u28ff"  # lines, blocks, shapes, braille
_MARKS = re.compile(f"[\b\r\x1b\x80-\x9f%{_GLYPHS}]")
_NOT_PLAIN = re.compile(f"[\x80-\x9f{_GLYPHS}]")
_C1 = re.compile("[\x80-\x9f]")
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_COLOURED = re.compile(r"[^\x1b\x80-\x9f]*(?:\x1b\[[0-9;:]*m[^\x1b\x80-\x9f]*)*")


def has_marks(text: str, start: int = 0) -> bool:
    """Whether ``text`` has, from ``start`` on, a control or a character that bars are made of."""
    return _MARKS.search(text, start) is not None


def has_only_lines(text: str, finder: Finder) -> bool:
    """Whether this is text, in colours at most, and none of ``finder``'s bars at first sight."""
    if "\b" in text or ("\r" in text and text.count("\r") != text.count("\r\n")):
        return False
    has_colours = "\x1b" in text
    if has_colours and not _COLOURED.fullmatch(text):
        return False
    if "%" not in text and (text.isascii() or not _NOT_PLAIN.search(text)):
        return True
    if _C1.search(text):
        return False
    return not finder.may_believe(_COLOUR.sub("", text) if has_colours else text)
