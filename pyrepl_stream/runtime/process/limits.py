"""Limits on a run of commands, as one value."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from ..validation import check_seconds
from .idle import IdlePolicy
from .termination import DEFAULT_GRACE, Grace, check_grace

__all__ = ("Limits",)


@dataclass(frozen=True)
class Limits:
    """The conditions for ending a run of commands, and the way it is ended.

    Args:
        timeout: Seconds that the whole run may take; None for no limit.
        idle: When a command counts as idle and is ended.
        grace: Seconds to wait after SIGINT, after SIGTERM and after SIGKILL, each 0 or more. When the
            run is to end, all processes that it started get these signals, one after the other.

    Raises:
        UsageError: A value is out of range.
    """

    timeout: Optional[float] = None
    idle: IdlePolicy = field(default_factory=IdlePolicy)
    grace: Grace = DEFAULT_GRACE

    def __post_init__(self) -> None:
        check_seconds("timeout", self.timeout, optional=True)
        check_grace(self.grace)

    def as_json(self) -> dict[str, Any]:
        """Return all limits as JSON values, except the timeout, which is a field of every request."""
        return {
            "idle_timeout": self.idle.timeout,
            "activity": sorted(self.idle.kinds),
            "watch": [os.path.abspath(path) for path in self.idle.watch],
            "watch_interval": self.idle.interval,
            "grace": list(self.grace),
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Limits:
        """Return the limits that :meth:`as_json` described; missing fields get their defaults.

        Raises:
            UsageError: A value is out of range.
        """
        idle = IdlePolicy(
            fields.get("idle_timeout"),
            activity=fields.get("activity"),
            watch=fields.get("watch", ()),
            interval=fields.get("watch_interval", 5.0),
        )
        return cls(idle=idle, grace=tuple(fields.get("grace", DEFAULT_GRACE)))
