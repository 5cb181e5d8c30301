"""Finds phrases that the project does not use: in docstrings, comments, messages, test names and documents.

``python .ci/check_language.py [PATH ...]`` prints each occurrence and exits with 1 if there is one. The rules
are in CONTRIBUTING.md: plain technical English, as in the Python documentation.
"""

from __future__ import annotations

import ast
import io
import os
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

PHRASES = {
    r"\b(?:is|are|was|were|be|been) no (?!longer\b|more than\b|less than\b|one\b)\w+": "write 'is not a ...'",
    r"\b(?:is|are|was|were) (?-i:none)\b": "write 'there is no ...', or name what is missing",
    r"\bto be had\b": "write 'available'",
    r"\b(?:some|no|any|every)body\b|\b(?:who|what|which)ever\b": "name the client, reader or process",
    r"\bbehind\b": "write 'after'",
    r"\b(?:is|are|was|were|be|been|being) told\b|\btold (?:of|by|to)\b": "emit, report, notify",
    r"\btells? (?:it|them|its|of)\b": "emit, report, notify",
    r"\bhears?\b|\bheard\b|\bhearing\b": "receive, handle",
    r"\bheed(?:s|ed|ing)?\b": "handle, respect",
    r"\blets? go of\b|\blet go\b": "release",
    r"\bhave (?:it|them|its) (?:done|made|seen|sent|taken)\b": "use the active voice",
    r"\bis to be (?:seen|done|read|had|found)\b": "use an active verb",
    r"\blast words?\b|\ba word (?:about|to)\b": "name the message",
    r"\bwhat there is to say\b|\bwhat it says as it says it\b": "name the message",
    r"\bby every means\b|\bseen to (?:its|their) end\b|\bas good as\b": "say what happens",
}
"""Phrases that must not occur, with advice on what to write instead."""
FIRST_WORDS = re.compile(r"(?:what|who|whom|whose|whether|whoever|whatever)\b", re.IGNORECASE)
"""Words that a docstring's summary must not begin with."""
ALLOWED = (
    r"\b(?:fall|falls|fell|left|lag|lags|lagged|lagging|leave|leaves|leaving) behind\b",
    r"\bbehind (?:a|an|the|its) (?:proxy|proxies|firewall|reverse proxy|queue|bounded queue|flag)\b",
    r"^behind$|``behind``",  # a field of the wire format
    r"\bwhatever\.|\bthere is no\b|\bthere are no\b|\bthere was no\b|\bwith no\b",
)
"""Contexts in which a phrase is ordinary English."""
DOCUMENTS = (".md",)
_PHRASES = [(re.compile(pattern, re.IGNORECASE), advice) for pattern, advice in PHRASES.items()]
_ALLOWED = re.compile("|".join(ALLOWED), re.IGNORECASE)
_OWN = Path(__file__).resolve()
_SUFFIXES = (".py", ".md", ".js", ".css", ".toml")


def texts(path: Path) -> Iterator[tuple[int, str, bool]]:
    """Yield ``(line, text, is_summary)`` for all prose in a file."""
    source = path.read_text("utf-8")
    if path.suffix in DOCUMENTS:
        yield from ((number, line, False) for number, line in enumerate(source.split("\n"), 1))
        return
    if path.suffix != ".py":
        for number, line in enumerate(source.split("\n"), 1):
            for comment in re.findall(r"(?://|/\*|^\s*\*|#) ?(.*)", line):
                yield number, comment, False
        return
    tree = ast.parse(source)
    programs = path.parts[0] == "tests"  # the strings of tests are programs and their output
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            found = ast.get_docstring(node, clean=False)
            if found is not None:
                yield node.body[0].lineno, found.strip(), True
            if programs and isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield node.lineno, node.name.removeprefix("test_").replace("_", " "), False
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and not programs:
            yield node.lineno, node.value, False
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("# "), False


def findings(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield ``(line, phrase, advice)`` for each phrase to change."""
    seen = set()
    for line, text, is_summary in texts(path):
        if is_summary and FIRST_WORDS.match(text):
            yield line, text.split("\n")[0][:60], "begin with an imperative or a noun phrase"
        kept = _ALLOWED.sub(lambda match: " " * len(match[0]), re.sub(r"\s", " ", text))
        for pattern, advice in _PHRASES:
            for match in pattern.finditer(kept):
                place = line + text.count("\n", 0, match.start())
                if (place, match[0]) not in seen:
                    seen.add((place, match[0]))
                    yield place, match[0], advice


def files(paths: list[str]) -> Iterator[Path]:
    """Yield the files to check, without hidden folders and those of npm. This does not need git."""
    for top in paths:
        if Path(top).is_file():
            yield Path(top)
        for folder, folders, names in os.walk(top):
            folders[:] = sorted(name for name in folders if name == ".ci" or not name.startswith("."))
            folders[:] = [name for name in folders if name not in ("node_modules", "build", "dist")]
            yield from (Path(folder, name) for name in sorted(names) if Path(name).suffix in _SUFFIXES)


def main(paths: list[str]) -> int:
    """Print each phrase to change in the files below ``paths``; return 1 if there is one."""
    count = 0
    for path in files(paths):
        if path.resolve() == _OWN or path.name == "CHANGELOG.md":
            continue
        for line, phrase, advice in sorted(findings(path)):
            print(f"{path}:{line}: {phrase!r}: {advice}")
            count += 1
    print(f"{count} phrases to change" if count else "language: nothing to change")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["."]))
