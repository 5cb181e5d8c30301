"""The line that represents a piece of code where there is room for only one."""

from __future__ import annotations

import re

__all__ = ("summary_line",)

# Blank lines, comments and imports. An import may continue after a backslash, and within parentheses, which
# may contain comments.
_IMPORT = r"(?:from|import)[ \t](?:[^\n(;#\\]|\\\n|\((?:[^)#]|#[^\n]*\n)*\))*"
_PREAMBLE = re.compile(rf"\ufeff?(?:[ \t]*(?:{_IMPORT})?(?:#[^\n]*)?\n)*")


def summary_line(code: str) -> str:
    """Return the first line of ``code`` that is not blank, a comment or an import."""
    preamble = _PREAMBLE.match(f"{code}\n")
    rest = code[preamble.end() :] if preamble else code
    return (rest.strip() or code.strip()).partition("\n")[0]
