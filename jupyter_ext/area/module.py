"""The page side of the live area as one text: a widget's module can import no neighbour."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ("STATIC", "module")

STATIC = Path(__file__).parent.parent / "static" / "area"

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default\b)", re.MULTILINE)


def module(name: str = "index.js") -> str:
    """A module behind all that it imports, each once. No two may have a name in common at their top level."""
    texts: dict[str, str] = {}
    _add(name, texts)
    return "\n".join(texts.values())


def _add(name: str, texts: dict[str, str]) -> None:
    if name in texts:
        return
    text = (STATIC / name).read_text(encoding="utf-8")
    for other in _IMPORT.findall(text):
        _add(other, texts)
    texts[name] = _EXPORT.sub("", _IMPORT.sub("", text))
