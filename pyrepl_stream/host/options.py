"""With what a session is started, and started again: kept in a file beside its records.

Not on the command line of its host, which all users can read.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Optional

from ..errors import UnsafePathError, UsageError
from ..journal.disk import Disk, read_own
from .places import SessionPlace, check_session_name

__all__ = ("HostOptions", "load_options", "save_options", "saved_options")

_FILE = "session.json"
_LEAST = 1 << 20  # bytes of retention


@dataclass(frozen=True)
class HostOptions:
    """Raises :class:`UsageError` for what makes no sense. Times are in seconds.

    ``python`` is the interpreter of the worker; empty is the one that runs the host. The host ends after
    ``idle_timeout`` without a client and without an execution. ``retention`` is how many bytes of each
    execution are kept on disk, ``keep`` how long those of ended executions are.
    """

    name: str
    python: str = ""
    cwd: Optional[str] = None
    env: Optional[Mapping[str, Optional[str]]] = None
    idle_timeout: float = 86400.0
    retention: int = 4 << 30
    keep: float = 14 * 86400.0

    def __post_init__(self) -> None:
        check_session_name(self.name)
        for name, value in (("python", self.python), ("cwd", self.cwd or "")):
            if not isinstance(value, str) or "\0" in value:
                raise UsageError(f"{name} is {value!r}, but must be a path")
        for name in ("idle_timeout", "keep"):
            _check_positive(name, getattr(self, name), "seconds")
        if isinstance(self.retention, bool) or not isinstance(self.retention, int) or self.retention < _LEAST:
            raise UsageError(
                f"retention is {self.retention!r}, but must be whole bytes, at least {_LEAST} (1 MiB)"
            )
        if self.env is not None:
            _check_environment(self.env)


def saved_options(place: SessionPlace) -> Optional[HostOptions]:
    """With what the session was started last; None when that is not known."""
    return load_options(place.records)


def load_options(directory: str) -> Optional[HostOptions]:
    """The same, by the directory of its records."""
    try:
        record = json.loads(read_own(os.path.join(directory, _FILE)))
        known = {field.name for field in fields(HostOptions)}
        return HostOptions(**{name: value for name, value in record.items() if name in known})
    except (OSError, UnsafePathError, ValueError, TypeError, AttributeError, RecursionError):
        return None


def save_options(place: SessionPlace, options: HostOptions) -> None:
    """Raises OSError. The caller is the one that starts the host."""
    if saved_options(place) != options:  # else a full disk does not matter
        path = os.path.join(place.directory, _FILE)
        Disk().replace_file(path, path + ".new", json.dumps(asdict(options)).encode("ascii"))


def _check_positive(name: str, value: object, unit: str) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise UsageError(f"{name} is {value!r}, but must be a number of {unit}, more than 0")


def _check_environment(env: object) -> None:
    if not isinstance(env, Mapping):
        raise UsageError(f"env is {env!r}, but must be a mapping of names to values")
    for name, value in env.items():
        if not isinstance(name, str) or not name or "=" in name or "\0" in name:
            raise UsageError(f"env: {name!r} is no name of an environment variable")
        if value is not None and (not isinstance(value, str) or "\0" in value):
            raise UsageError(f"env: {name} cannot be {value!r}: a value is text without NUL, or None")
