"""Makes text from the far end safe to show outside of output: in names, errors, prompts and notes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

_MOST = 500  # characters
_STYLE = re.compile(r"(\x1b\[[0-9;:]{0,100}m)")
_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)?")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str, most: int = _MOST) -> str:
    """Return ``text`` as one line of at most ``most`` characters, without characters that are not shown."""
    text = _SEQUENCE.sub("", text[: 4 * most])
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= most else f"{text[: most - 2]} …"


def styled(text: str) -> str:
    """Return ``text`` with its colours and line ends, without other control characters and sequences."""
    parts = _STYLE.split(encodable(text))
    parts[::2] = [_CONTROL.sub("", _SEQUENCE.sub("", part)) for part in parts[::2]]
    return "".join(parts)


def encodable(text: str) -> str:
    """Return ``text`` with lone surrogates replaced, because JSON in UTF-8 cannot represent them."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def encodable_json(value: Any) -> Any:
    """Return a JSON value with all texts made encodable, and with None for infinity and NaN.

    Raises:
        RecursionError: The value is nested too deeply.
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
    """Return any value from the far end as text."""
    try:
        return encodable(json.dumps(value, ensure_ascii=False, default=str))
    except (TypeError, ValueError, RecursionError):
        return f"[a {type(value).__name__} that cannot be shown]"
