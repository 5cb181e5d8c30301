"""Text with control characters and escape sequences, taken apart (ECMA-48, and what xterm adds to it)."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = (
    "TEXT",
    "CONTROL",
    "CSI",
    "STRING",
    "ESCAPE",
    "SEQUENCE",
    "Token",
    "Escapes",
    "has_escapes",
    "tokens",
    "without_start",
)

TEXT = "text"
"""Characters that are shown, and tabs."""
CONTROL = "control"
"""One C0 or C1 control character that is not the start of anything, such as a line feed."""
CSI = "csi"
"""A control sequence: colours end in ``m``, the cursor's movements in ``A`` to ``H`` and others.

One that was cancelled has none of these at its end, nor any other letter.
"""
STRING = "string"
"""An operating system command and its like (OSC, DCS, SOS, PM, APC), with its end: titles, links, images."""
ESCAPE = "escape"
"""Any other sequence that begins with ESC."""

Token = tuple[str, str]
"""The kind, and the characters."""

# Limits, in characters. What is longer is no sequence, as whoever printed it never ended it.
_LONGEST_STRING = 1 << 16
_LONGEST = 1 << 10  # of the others, in which nobody has more than a hundred

_INTERMEDIATE = r"[ -/]{0,16}"
_CSI_BODY = rf"(?:\x1b\[|\x9b)[0-?]{{0,{_LONGEST}}}{_INTERMEDIATE}"
_INTRODUCER = r"(?:\x1b[]PX^_]|[\x90\x98\x9d-\x9f])"
# ESC and the C1 controls cancel any sequence, as do CAN and SUB (https://vt100.net/emu/dec_ansi_parser). So
# no sequence begins within another, which keeps all of this linear.
_STRING_BODY = rf"{_INTRODUCER}[^\x07\x18\x1a\x1b\x80-\x9f]{{0,{_LONGEST_STRING}}}"

_TEXT = r"[^\x00-\x08\x0a-\x1f\x7f-\x9f]+"
# A text that ends within a sequence goes on with what cancels it: else that sequence would be held.
_CANCELLED = r"(?=[\x18\x1a\x1b\x80-\x9f]|\Z)"
_CSI = rf"{_CSI_BODY}(?:[@-~]|{_CANCELLED})"
_STRING = rf"{_STRING_BODY}(?:\x07|\x1b\\|\x9c|{_CANCELLED})"
_ESCAPE = rf"\x1b(?:[ -/]{{1,16}}(?:[0-~]|{_CANCELLED})|[0-OQ-WYZ\\`-~])"

SEQUENCE = f"(?:{_CSI}|{_STRING}|{_ESCAPE})"
"""The regular expression of any complete or cancelled sequence, for text of :meth:`Escapes.complete`."""

_TOKEN = re.compile(
    f"(?P<{TEXT}>{_TEXT})|(?P<{CSI}>{_CSI})|(?P<{STRING}>{_STRING})|(?P<{ESCAPE}>{_ESCAPE})"
    rf"|(?P<{CONTROL}>[\x00-\x1f\x7f-\x9f])"
)
# What may still become one of these with the next chunk.
_OPEN = re.compile(rf"(?:{_CSI_BODY}|{_STRING_BODY}\x1b?|\x1b{_INTERMEDIATE})\Z")
_START = re.compile(rf"(?:\x1b\[|\x9b)[0-?]*[ -/]*\Z|{_INTRODUCER}|\x1b[ -/]*\Z")
_ANY = re.compile(r"[\x1b\x80-\x9f]")
_ENDS_STRING = re.compile(r"[\x07\x18\x1a\x1b\x80-\x9f]")
_STRING_STARTS = ("\x1b]", "\x1bP", "\x1bX", "\x1b^", "\x1b_", "\x90", "\x98", "\x9d", "\x9e", "\x9f")
_OPENERS = "\x1b\x90\x98\x9b\x9d\x9e\x9f"


def has_escapes(text: str) -> bool:
    """Whether an escape sequence, or an 8-bit form of one, begins in ``text``."""
    return _ANY.search(text) is not None


def without_start(unfinished: str) -> str:
    """The text in what :meth:`Escapes.flush` gives: of a string all but its introducer, else nothing."""
    return _START.sub("", unfinished, 1)


class Escapes:
    """Takes one stream of text apart, however it was cut into chunks.

    An unfinished sequence is held until its end comes. A string of more than 64 Ki characters was never
    ended, nor was any other sequence of more than 1 Ki: its first character becomes a control, and the
    rest is read as text.
    """

    def __init__(self) -> None:
        self._held: list[str] = []
        self._size = 0
        self._holds_string = False

    def __bool__(self) -> bool:
        """Whether an unfinished sequence is held."""
        return self._size > 0

    def feed(self, text: str) -> Iterator[Token]:
        """The tokens that are complete now; joined with what is held, they are all that was fed."""
        return tokens(self.complete(text))

    def complete(self, text: str) -> str:
        """What was held and ``text``, up to an unfinished sequence at the end, which is held from now on."""
        if self._held:
            self._held.append(text)
            self._size += len(text)
            # Within a string only these can change anything: a flood in small chunks stays linear.
            if self._size <= _LONGEST_STRING and self._holds_string and not _ENDS_STRING.search(text):
                return ""
            text = self.flush()
        place = _unfinished(text)
        if place < len(text):
            held = text[place:]
            self._held, self._size = [held], len(held)
            self._holds_string = held.startswith(_STRING_STARTS) and held[-1] != "\x1b"
        return text[:place]

    def flush(self) -> str:
        """Give up what is held: it is no sequence."""
        held = "".join(self._held)
        self._held, self._size = [], 0
        return held


def tokens(text: str) -> Iterator[Token]:
    """The tokens of text that ends in no unfinished sequence, such as that of :meth:`Escapes.complete`."""
    for match in _TOKEN.finditer(text):
        assert match.lastgroup is not None  # every character is in some class
        yield match.lastgroup, match[0]


def _unfinished(text: str) -> int:
    """Where the unfinished sequence at the end begins; the length where there is none."""
    # It begins at the last opener, or at the one before where the last is the ESC of its own end.
    openers = "\x1b" if text.isascii() else _OPENERS
    for place in (max(text.rfind(opener, 0, -1) for opener in openers), len(text) - 1):
        if place >= 0 and _OPEN.match(text, place):
            return place
    return len(text)
