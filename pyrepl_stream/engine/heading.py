"""What a piece of code is called."""

from __future__ import annotations

import re

__all__ = ("head_of",)

# Lines that are blank, comments, or imports, of which the names may stand on several in parentheses.
_PREAMBLE = re.compile(r"(?:[ \t]*(?:#[^\n]*|(?:from|import)[ \t][^\n(]*(?:\([^)]*\)[^\n]*)?)?\n)*", re.ASCII)


def head_of(code: str) -> str:
    """The line that tells one piece of code from another: the first that is no comment and no import."""
    preamble = _PREAMBLE.match(f"{code}\n")
    rest = code[preamble.end() :] if preamble else code
    return (rest.strip() or code.strip()).partition("\n")[0]
