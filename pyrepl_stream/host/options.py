"""With what a session is started: JSON on the command line of its host."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

from ..errors import UsageError
from .places import check_session_name

__all__ = ("HostOptions",)


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
        _check_positive("retention", self.retention, "bytes")
        if self.env is not None:
            _check_environment(self.env)


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
