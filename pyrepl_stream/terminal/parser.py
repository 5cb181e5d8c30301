"""A tokenizer for text with control characters and escape sequences (ECMA-48 and xterm)."""

from __future__ import annotations

import re

# Limits, in characters. A longer sequence is considered unterminated, and is read as text.
_LONGEST_STRING = 1 << 16
_LONGEST = 1 << 10  # of other sequences, which have fewer than a hundred in practice

_INTERMEDIATE = r"[ -/]{0,16}"
_CSI_BODY = rf"(?:\x1b\[|\x9b)[0-?]{{0,{_LONGEST}}}{_INTERMEDIATE}"
_INTRODUCER = r"(?:\x1b[]PX^_]|[\x90\x98\x9d-\x9f])"
# ESC and the C1 controls cancel any sequence, as do CAN and SUB (https://vt100.net/emu/dec_ansi_parser). So
# no sequence begins within another, which keeps matching linear.
_STRING_BODY = rf"{_INTRODUCER}[^\x07\x18\x1a\x1b\x80-\x9f]{{0,{_LONGEST_STRING}}}"

_TEXT = r"[^\x00-\x08\x0a-\x1f\x7f-\x9f]+"
# If a text ends within a sequence, the next character cancels it: otherwise the sequence would be held.
_CANCELLED = r"(?=[\x18\x1a\x1b\x80-\x9f]|\Z)"
_CSI = rf"{_CSI_BODY}(?:[@-~]|{_CANCELLED})"
_STRING = rf"{_STRING_BODY}(?:\x07|\x1b\\|\x9c|{_CANCELLED})"
_ESCAPE = rf"\x1b(?:[ -/]{{1,16}}(?:[0-~]|{_CANCELLED})|[0-OQ-WYZ\\`-~])"

SEQUENCE = f"(?:{_CSI}|{_STRING}|{_ESCAPE})"
"""A regular expression for any complete or cancelled sequence in text from :meth:`Escapes.complete`."""

SGR = r"\x1b\[[0-9;:]{0,1024}m"
"""A regular expression for a sequence that only changes the style."""

_RUN = re.compile(rf"((?:[^\x00-\x1f\x7f-\x9f]+|{SGR})+)|({SEQUENCE}|\x08+|[\x00-\x1f\x7f-\x9f])")
_TOKEN = re.compile(rf"({_TEXT})|({SEQUENCE}|[\x00-\x1f\x7f-\x9f])")
# Text that the next chunk may complete to a sequence.
_OPEN = re.compile(rf"(?:{_CSI_BODY}|{_STRING_BODY}\x1b?|\x1b{_INTERMEDIATE})\Z")
_START = re.compile(rf"(?:\x1b\[|\x9b)[0-?]*[ -/]*\Z|{_INTRODUCER}|\x1b[ -/]*\Z")
_C1 = re.compile(r"[\x80-\x9f]")
_ENDS_STRING = re.compile(r"[\x07\x18\x1a\x1b\x80-\x9f]")
_STRING_STARTS = ("\x1b]", "\x1bP", "\x1bX", "\x1b^", "\x1b_", "\x90", "\x98", "\x9d", "\x9e", "\x9f")
_OPENERS = "\x1b\x90\x98\x9b\x9d\x9e\x9f"


def has_escapes(text: str) -> bool:
    """Return True when an escape sequence, or an 8-bit form of one, begins in ``text``."""
    return "\x1b" in text or (not text.isascii() and _C1.search(text) is not None)


def without_start(unfinished: str) -> str:
    """Return the content of an unfinished string, or an empty text for any other unfinished sequence."""
    return _START.sub("", unfinished, 1)


class Escapes:
    """Cuts a stream of text between sequences, wherever it was cut into chunks.

    An unfinished sequence is held until its end arrives. A string of more than 64 Ki characters, or any
    other sequence of more than 1 Ki, is considered unterminated: its first character becomes a control, and
    the rest is read as text.
    """

    def __init__(self) -> None:
        self._held: list[str] = []
        self._size = 0
        self._holds_string = False

    def __bool__(self) -> bool:
        """Return True while an unfinished sequence is held."""
        return self._size > 0

    def complete(self, text: str) -> str:
        """Return the held text and ``text``, without an unfinished sequence at the end, which is held."""
        if self._held:
            self._held.append(text)
            self._size += len(text)
            # Within a string only these characters matter, so many small chunks take linear time.
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
        """Return the held text, which did not become a sequence, and hold nothing."""
        held = "".join(self._held)
        self._held, self._size = [], 0
        return held


def tokens(text: str) -> list[tuple[str, str]]:
    """Split text from :meth:`Escapes.complete` into pairs ``(text, control)``, in which one is empty.

    ``text`` may contain tabs; ``control`` is one other control character or sequence.
    """
    return _TOKEN.findall(text)


def runs(text: str) -> list[tuple[str, str]]:
    """Split text like :func:`tokens`, but ``text`` may contain changes of its style, and no tabs.

    ``control`` is any other control character or sequence, or several backspaces.
    """
    return _RUN.findall(text)


def _unfinished(text: str) -> int:
    """Return the place where an unfinished sequence at the end begins, or the length of the text."""
    # It begins at the last opener or, if that is the ESC of its own terminator, at the one before.
    openers = "\x1b" if text.isascii() else _OPENERS
    before = max([text.rfind(opener, 0, -1) for opener in openers])
    for place in (before, len(text) - 1):
        if place >= 0 and _OPEN.match(text, place):
            return place
    return len(text)
