"""Recordings of real programs' output: asciicast version 2."""

from __future__ import annotations

import json
from pathlib import Path

RECORDINGS = Path(__file__).parents[1] / "processors" / "progress" / "recordings"


def names() -> list[str]:
    return sorted(path.stem for path in RECORDINGS.glob("*.cast"))


def header(name: str) -> dict[str, object]:
    with (RECORDINGS / f"{name}.cast").open(encoding="utf-8") as file:
        return dict(json.loads(file.readline()))


def chunks(name: str) -> list[str]:
    """Return the output in the chunks in which it was read from the terminal."""
    with (RECORDINGS / f"{name}.cast").open(encoding="utf-8") as file:
        next(file)
        return [text for _, kind, text in map(json.loads, file) if kind == "o"]


def read(name: str) -> str:
    """Return all output of a recording."""
    return "".join(chunks(name))
