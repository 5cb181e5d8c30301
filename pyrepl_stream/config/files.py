"""The files in the user's config directory."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import platformdirs

from ..runtime.errors import UsageError

CONFIG_FILE = "config.toml"
"""Name of the file with the settings."""


def user_file(name: str) -> Path:
    """Return a path in the user's config directory, or in ``PYREPL_STREAM_CONFIG_DIR`` if that is set."""
    directory = os.environ.get("PYREPL_STREAM_CONFIG_DIR")
    if directory:
        return Path(directory).expanduser() / name
    return platformdirs.user_config_path("pyrepl-stream") / name


@contextmanager
def errors_at(place: str) -> Iterator[None]:
    """Begin the messages of the errors that are raised in the block with ``place``."""
    try:
        yield
    except UsageError as exc:
        raise UsageError(f"{place} {exc}") from None


def read_user_file(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file; an empty dictionary if the file does not exist.

    Raises:
        UsageError: The file cannot be read, or is not TOML in UTF-8.
    """
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as exc:
        raise UsageError(f"{path} cannot be read: {exc.strerror}") from exc
    return parse(decode(data, str(path)), str(path))


def decode(data: bytes, file: str) -> str:
    """Decode the contents of a file, which must be UTF-8.

    Raises:
        UsageError: The file is not UTF-8; the message names the file and the line.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        raise UsageError(f"{file}: line {line} is not UTF-8: save the file as UTF-8") from exc


def parse(text: str, file: str) -> dict[str, Any]:
    """Parse a TOML text and return its tables.

    Args:
        text: The text.
        file: The name of the file, for error messages.

    Raises:
        UsageError: The text is not TOML; the message names the file and the line.
    """
    try:
        return tomllib.loads(text)
    except ValueError as exc:  # also raised for numbers with thousands of digits
        last = text.rstrip().count("\n") + 1
        where = str(exc).replace("at end of document", f"at the end, line {last}")
        raise UsageError(f"{file} is not TOML: {where}") from exc
    except RecursionError as exc:
        raise UsageError(f"{file} is nested too deeply") from exc
