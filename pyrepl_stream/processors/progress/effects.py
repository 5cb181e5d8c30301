"""The effects of text and controls on what is drawn on a row."""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache


class Effect(Enum):
    """The effect of written text or of a control on a row."""

    TEXT = "writes text"
    STYLE = "changes the style"
    MOVE = "moves the cursor to the right, or edits the row"
    BACK = "moves the cursor back in its row"
    START = "moves the cursor to a column, such as the first"
    ERASE = "erases a part of the row, and perhaps others"
    LINE = "is a line feed"
    ROW = "moves the cursor to another row, or moves rows"
    OTHER = "has nothing to do with places, such as a title or a bell"


TEXT, STYLE, MOVE, BACK, START, ERASE, LINE, ROW, OTHER = Effect

_SEQUENCE = re.compile(r"\x1b\[([0-?]*)[ -/]*([@-~])")
_MOVES_ROWS = re.compile(r"[?;](?:47|1047|1049|6)\b")  # alternate screens, and counting rows from the margin
_CONTROLS = {
    "\n": LINE,
    "\r": START,
    "\t": TEXT,
    **dict.fromkeys(("\v", "\f", "\x1b8", "\x1bD", "\x1bE", "\x1bM", "\x1bc"), ROW),
}
_FINALS = {
    "m": STYLE,
    "b": TEXT,
    **dict.fromkeys("CIP@Xa", MOVE),
    **dict.fromkeys("DZj", BACK),
    **dict.fromkeys("G`", START),
    **dict.fromkeys("JK", ERASE),
    **dict.fromkeys("ABEFHLMSTdefkru", ROW),
}


@lru_cache(maxsize=512)
def effect_of(control: str) -> Effect:
    """Return the effect of a control character or sequence, or of several backspaces."""
    if control[0] == "\b":
        return BACK
    if "\x80" <= control[0] <= "\x9f":
        control = f"\x1b{chr(ord(control[0]) - 0x40)}{control[1:]}"
    if (found := _SEQUENCE.fullmatch(control)) is None:
        return _CONTROLS.get(control, OTHER)
    parameters, final = found.groups()
    if parameters[:1] in ("?", "<", "=", ">") and final not in "JK":
        return ROW if final in "hl" and _MOVES_ROWS.search(parameters) else OTHER
    return _FINALS.get(final, OTHER)
