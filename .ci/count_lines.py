"""Counts lines of code, which have at least one token that is not a comment or part of a docstring.

``python .ci/count_lines.py [FOLDER ...]`` prints a line for each folder and the sum.
"""

from __future__ import annotations

import ast
import sys
import tokenize
from pathlib import Path

_LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
    tokenize.ENCODING,
}
_WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def count(path: Path) -> int:
    """Return the number of lines of code in a Python file."""
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, _WITH_DOCSTRING) and ast.get_docstring(node, clean=False) is not None:
            first = node.body[0]
            docstrings.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    lines: set[int] = set()
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type not in _LAYOUT:
                lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - docstrings)


def main(folders: list[str]) -> None:
    """Print the number of lines of code below each folder, and their sum."""
    total = 0
    for folder in folders:
        found = sum(count(path) for path in sorted(Path(folder).rglob("*.py")))
        print(f"{found:7,} {folder}")
        total += found
    print(f"{total:7,} lines of code")


if __name__ == "__main__":
    main(sys.argv[1:] or ["pyrepl_stream", "jupyter_ext"])
