"""Rules for the source text that no linter has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parent.parent

_ESCAPE = re.compile(r"\\.", re.DOTALL)
_CLASS = re.compile(r"\[\^?\]?[^\]]*\]")
_POSSESSIVE_OR_ATOMIC = re.compile(r"(?:[*+?]|\{[0-9,]+\})\+|\(\?>")


def _is_unsafe(pattern: str) -> bool:
    return _POSSESSIVE_OR_ATOMIC.search(_CLASS.sub("c", _ESCAPE.sub("e", pattern))) is not None


def _imports_re(tree: ast.Module) -> bool:
    return any(
        (isinstance(node, ast.Import) and any(alias.name == "re" for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module == "re")
        for node in ast.walk(tree)
    )


def _calls_of_re(tree: ast.Module) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re."):
            yield node


def _unsafe_patterns(source: str, *, calls_only: bool = False) -> list[tuple[int, str]]:
    """Return the line and the text of each string that is an unsafe pattern of ``re``, or a part of one.

    Args:
        source: The text of a module. Without an import of ``re`` it has no such pattern.
        calls_only: Look only at strings within calls such as ``re.compile(...)``, not at all strings.
            A pattern may be put together from strings anywhere, but tests also hold other languages.
    """
    tree = ast.parse(source)
    if not _imports_re(tree):
        return []
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = []
    for root in _calls_of_re(tree) if calls_only else [tree]:
        for node in ast.walk(root):
            if isinstance(node, ast.Constant) and id(node) not in docstrings:
                text = node.value.decode("latin-1") if isinstance(node.value, bytes) else node.value
                if isinstance(text, str) and _is_unsafe(text):
                    found.append((node.lineno, text))
    return found


@pytest.mark.parametrize("folder", ["pyrepl_stream", "jupyter_ext", "benchmarks", "tests"])
def test_re_has_no_possessive_quantifiers_and_no_atomic_groups(folder: str) -> None:
    # They match wrongly before CPython 3.11.5, and Debian 12 has 3.11.2. The package `regex` has them right.
    files = sorted((_ROOT / folder).rglob("*.py"))
    assert files
    found = [
        f"{path.relative_to(_ROOT)}:{line}: {text!r}"
        for path in files
        for line, text in _unsafe_patterns(path.read_text("utf-8"), calls_only=folder == "tests")
    ]
    assert not found, "use another pattern, or the package regex:\n" + "\n".join(found)


@pytest.mark.parametrize(
    "pattern", ["a*+", "a++", "a?+", "[ab]{2,3}+", "a{2}+", "(a|b)*+c", "(?>a|b)", r"\\*+"]
)
def test_an_unsafe_pattern_is_found(pattern: str) -> None:
    braces = pattern.replace("{", "{{").replace("}", "}}")
    for call in (
        f"re.compile({pattern!r})",
        f"re.match(x + {pattern.encode()!r}, y)",
        f're.search(rf"{{part}}{braces}", text)',
    ):
        for calls_only in (False, True):
            assert len(_unsafe_patterns(f"import re\n{call}", calls_only=calls_only)) == 1
    assert _unsafe_patterns(f"import re\nPART = {pattern!r}") == [(2, pattern)]
    assert not _unsafe_patterns(f"import regex\nregex.compile({pattern!r})")


@pytest.mark.parametrize("pattern", ["a+", r"\++", r"a\*+", "[*+]", "[+-]+", r"[\]*+]", "(?:a)+b?", "{1,2}?"])
def test_a_safe_pattern_is_not_found(pattern: str) -> None:
    assert not _unsafe_patterns(f"import re\nre.compile({pattern!r})")
