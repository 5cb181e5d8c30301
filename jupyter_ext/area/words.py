"""Text of the far side for places that are no output: names, errors, prompts, notes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

__all__ = ("as_json", "encodable", "encodable_json", "printable", "styled")

_MOST = 500
_STYLE = re.compile(r"(\x1b\[[0-9;:]{0,100}m)")
_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)?")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str, most: int = _MOST) -> str:
    """One line of at most ``most`` characters, without anything that is not shown."""
    text = _SEQUENCE.sub("", text[: 4 * most])
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= most else f"{text[: most - 2]} …"


def styled(text: str) -> str:
    """Lines with their colours, and with nothing else that a terminal would obey."""
    parts = _STYLE.split(encodable(text))
    parts[::2] = [_CONTROL.sub("", _SEQUENCE.sub("", part)) for part in parts[::2]]
    return "".join(parts)


def encodable(text: str) -> str:
    """Without lone surrogates, which JSON in UTF-8 does not have."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def encodable_json(value: Any) -> Any:
    """The same of all texts in a value of JSON, and null for numbers that JSON does not have.

    Raises :class:`RecursionError` for one nested too deep.
    """
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {encodable(str(key)): encodable_json(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [encodable_json(inner) for inner in value]
    return value


def as_json(value: object) -> str:
    """A value of the far side as text, whatever it is."""
    try:
        return encodable(json.dumps(value, ensure_ascii=False, default=str))
    except (TypeError, ValueError, RecursionError):
        return f"[a {type(value).__name__} that cannot be shown]"
