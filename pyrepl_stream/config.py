"""Where users keep their files, and how these are read."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import platformdirs

from .errors import UsageError

__all__: tuple[str, ...] = ()

CONFIG_FILE = "config.toml"
"""Where the settings are, in the user's config directory."""


def user_file(name: str) -> Path:
    """A file in the user's config directory, which ``PYREPL_STREAM_CONFIG_DIR`` may name."""
    directory = os.environ.get("PYREPL_STREAM_CONFIG_DIR")
    if directory:
        return Path(directory).expanduser() / name
    return platformdirs.user_config_path("pyrepl-stream") / name


def read_user_file(path: Path) -> dict[str, Any]:
    """The tables of a TOML file; none where there is no file. Raises :class:`UsageError`."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as exc:
        raise UsageError(f"{path} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        line = exc.object.count(b"\n", 0, exc.start) + 1
        raise UsageError(f"{path}: line {line} is no UTF-8: save the file as UTF-8") from exc
    return parse(text, str(path))


def parse(text: str, file: str) -> dict[str, Any]:
    """The tables of a TOML text. Raises :class:`UsageError`, which names the file and the line."""
    try:
        return tomllib.loads(text)
    except ValueError as exc:  # also of numbers with thousands of digits
        last = text.rstrip().count("\n") + 1
        where = str(exc).replace("at end of document", f"at the end, line {last}")
        raise UsageError(f"{file} is no TOML: {where}") from exc
    except RecursionError as exc:
        raise UsageError(f"{file} is nested too deeply") from exc


def way_out(wrong: str, known: Iterable[str]) -> str:
    """The end of an error about a name: the nearest one, and all that are known."""
    names = sorted(known)
    nearest = get_close_matches(wrong, names, 1)
    hint = f": did you mean {nearest[0]!r}? Known" if nearest else ": known"
    return f"{hint} are {', '.join(names)}" if names else ": there are none"


def shown(value: Any) -> str:
    """A value, short enough for an error."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
