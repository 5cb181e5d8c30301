"""Idle detection: a command's output, changes to files, and use of the CPU count as activity."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Callable, Optional, Union

from ..errors import UsageError
from ..validation import check_path, check_seconds, short_repr, suggest
from .tree import Tree

__all__ = ("KINDS", "NEW", "FileActivity", "IdleMonitor", "IdlePolicy", "ProcessActivity")

KINDS = ("output", "files", "process")
"""The kinds of activity."""

NEW = "<new>"
"""Last part of a watched path that stands for files and folders created there after the command's start."""

_MAX_ENTRIES = 20_000  # maximum entries that one check reads; in a larger folder, only the first ones count
_CPU_SHARE = 0.02  # share of one CPU since the last check; the timers of a waiting program use less

Path = Union[str, "os.PathLike[str]"]


@dataclass(frozen=True)
class IdlePolicy:
    """When a command counts as idle.

    Args:
        timeout: Seconds without activity after which a command is idle; None for no limit.
        activity: What counts as activity: one or more of :data:`KINDS`. The default is output, and files
            if ``watch`` is given.
        watch: Paths of the files and folders whose changes count as activity.
        interval: Seconds between two checks of the files and processes. They are also checked just
            before a command is found to be idle.

    Raises:
        UsageError: A value is invalid.
    """

    timeout: Optional[float] = None
    activity: Optional[Collection[str]] = None
    watch: Iterable[Path] = ()
    interval: float = 5.0

    def __post_init__(self) -> None:
        check_seconds("idle_timeout", self.timeout, optional=True)
        check_seconds("watch_interval", self.interval)
        watch = _checked_paths(self.watch)
        activity = self.activity
        if activity is None:
            activity = ("output", "files") if watch else ("output",)
        if isinstance(activity, str) or not isinstance(activity, Collection) or not activity:
            raise UsageError(f"activity must be some of {', '.join(KINDS)}, not {short_repr(activity)}")
        for kind in activity:
            if kind not in KINDS:
                raise UsageError(f"{short_repr(kind)} is not a kind of activity; {suggest(str(kind), KINDS)}")
        if "files" in activity and not watch:
            raise UsageError('activity "files" needs watch=[paths]')
        object.__setattr__(self, "watch", watch)
        object.__setattr__(self, "activity", frozenset(activity))

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of activity that count."""
        assert isinstance(self.activity, frozenset)
        return self.activity


class FileActivity:
    """Detects changes to files and folders, each time it is called.

    Args:
        paths: The files and folders to watch.
        report: Called with a warning, once for each path that cannot be read. Later calls try the path
            again.
    """

    def __init__(self, paths: Iterable[Path], report: Callable[[str], object]) -> None:
        self._report = report
        self._reported: set[Path] = set()
        self._paths = {path: _names_before(path) for path in paths}
        self._seen = self._look()

    @property
    def blind(self) -> bool:
        """True while none of the paths can be read."""
        return all(signature is None for signature in self._seen)

    def __call__(self) -> bool:
        """Return True if something has changed since the last call."""
        before, self._seen = self._seen, self._look()
        return self._seen != before

    def _look(self) -> list[object]:
        return [self._look_at(path, before) for path, before in self._paths.items()]

    def _look_at(self, path: Path, before: Optional[frozenset[str]]) -> object:
        try:
            if before is None:
                return _signature([path])
            folder = os.path.dirname(path)
            return _signature(os.path.join(folder, name) for name in sorted(_names(folder) - before))
        except OSError as exc:
            if path not in self._reported:
                self._reported.add(path)
                self._report(f"cannot watch {path!r}: {exc.strerror or exc}; other activity still counts")
            return None


class ProcessActivity:
    """Detects use of the CPU by the processes of a run, each time it is called."""

    def __init__(self, tree: Tree, now: float) -> None:
        self._tree = tree
        self._used = tree.cpu_seconds()
        self._looked = now

    def __call__(self, now: float) -> bool:
        """Return True if the processes have used more than 2 % of a CPU since the last call."""
        used = self._tree.cpu_seconds()
        share = (used - self._used) / max(1e-6, now - self._looked)
        self._used, self._looked = used, now
        return share > _CPU_SHARE


class IdleMonitor:
    """Detects when one command becomes idle. Times are values of :func:`time.monotonic`.

    Args:
        policy: When the command counts as idle.
        tree: The command's processes; None for a callable, which has no processes.
        report: Called with the text of a warning.
        now: The current time.
    """

    def __init__(
        self, policy: IdlePolicy, tree: Optional[Tree], report: Callable[[str], object], now: float
    ) -> None:
        self._policy = policy
        self._last = now
        self._next_look = now + policy.interval
        watches = policy.timeout is not None
        self._files = FileActivity(policy.watch, report) if watches and "files" in policy.kinds else None
        by_process = watches and "process" in policy.kinds
        self._process = ProcessActivity(tree, now) if by_process and tree is not None else None

    def output(self, now: float) -> None:
        """Record that output arrived (or that a slow reader made the command wait)."""
        if "output" in self._policy.kinds or (self._files is not None and self._files.blind):
            self._last = now

    @property
    def deadline(self) -> Optional[float]:
        """The time at which to call :meth:`is_idle` again; None if there is no limit."""
        if self._policy.timeout is None:
            return None
        end = self._last + self._policy.timeout
        return min(end, self._next_look) if self._files or self._process else end

    def is_idle(self, now: float) -> bool:
        """Return True if the command has shown no activity for the policy's timeout."""
        timeout = self._policy.timeout
        if timeout is None:
            return False
        if now >= min(self._next_look, self._last + timeout):
            self._next_look = now + self._policy.interval
            changed = self._files is not None and self._files()
            used = self._process is not None and self._process(now)
            if changed or used:
                self._last = now
        return now >= self._last + timeout

    def describe(self) -> str:
        """Return the reason for ending an idle command."""
        kinds = [name for kind, name in _NAMES.items() if kind in self._policy.kinds]
        return f"idle_timeout: no {' and no '.join(kinds)} for {self._policy.timeout:g} s"


_NAMES = {"output": "output", "files": "change of a watched file", "process": "use of the CPU"}


def _checked_paths(watch: Iterable[Path]) -> tuple[str, ...]:
    if isinstance(watch, (str, os.PathLike)) or not isinstance(watch, Iterable):
        raise UsageError(f"watch must be a list of paths, not {short_repr(watch)}")
    paths = tuple(check_path("each path of watch", path) for path in watch)
    if not all(paths):
        raise UsageError("watch contains an empty path")
    return tuple(map(os.path.expanduser, paths))


def _names(folder: Path) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))
    except FileNotFoundError:
        return frozenset()  # the command may create it


def _names_before(path: Path) -> Optional[frozenset[str]]:
    """Return the names that exist now where ``path`` ends with :data:`NEW`; None for other paths."""
    folder, last = os.path.split(path)
    if last != NEW:
        return None
    try:
        return _names(folder)
    except OSError:
        return frozenset()


def _signature(paths: Iterable[Path]) -> int:
    """Return a value that differs after any change below ``paths``.

    Raises:
        OSError: One of ``paths`` cannot be read. Unreadable folders below them are skipped.
    """
    signature = 0
    folders: list[Path] = []
    for path in paths:
        status = os.stat(path)
        signature = hash((signature, path, status.st_mtime_ns, status.st_size))
        if os.path.isdir(path):
            os.listdir(path)
            folders.append(path)
    for entry, status in islice(_entries(folders), _MAX_ENTRIES):
        signature ^= hash((entry, status.st_mtime_ns, status.st_size))
    return signature


def _entries(folders: list[Path]) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the path and status of all that is below ``folders``, to which folders found are added."""
    while folders:
        # A folder may have been removed, or may not be read.
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                yield entry.path, entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
