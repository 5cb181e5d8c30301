"""The JavaScript of the live area as one module: a widget's module cannot import the files next to it."""

from __future__ import annotations

import re
from pathlib import Path

STATIC = Path(__file__).parent.parent / "static" / "area"
"""The folder of the JavaScript modules and the stylesheet."""

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default\b)", re.MULTILINE)


def module(name: str = "index.js") -> str:
    """Return the text of a module, preceded by every module that it imports, without repetition.

    The import lines and the word ``export`` are removed. So the modules must not define the same name twice
    at their top level, must not rename what they import, and must write each import as
    ``import { name, ... } from "./file.js";``. Tests check the first rule; the TypeScript check finds names
    that are not imported.

    Args:
        name: File name of the module in :data:`STATIC`.
    """
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
