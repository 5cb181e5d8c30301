"""What a piece of code is called."""

from __future__ import annotations

import re

__all__ = ("head_of",)

# Lines that are blank, comments, or imports and nothing else. An import goes on behind a backslash, and in
# parentheses, in which comments may stand.
_IMPORT = r"(?:from|import)[ \t](?:[^\n(;#\\]|\\\n|\((?:[^)#]|#[^\n]*\n)*\))*"
_PREAMBLE = re.compile(rf"\ufeff?(?:[ \t]*(?:{_IMPORT})?(?:#[^\n]*)?\n)*")


def head_of(code: str) -> str:
    """The line that tells one piece of code from another: the first that is no comment and no import."""
    preamble = _PREAMBLE.match(f"{code}\n")
    rest = code[preamble.end() :] if preamble else code
    return (rest.strip() or code.strip()).partition("\n")[0]
