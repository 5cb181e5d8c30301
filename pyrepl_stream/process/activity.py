"""Whether a command is alive: by its output, by files that change, by the CPU time that it uses."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from typing import Callable, Optional, Union

from ..errors import UsageError
from .tree import Tree

__all__ = ("KINDS", "NEW", "Idle", "Watch", "FileActivity", "ProcessActivity")

KINDS = ("output", "files", "process")
NEW = "<new>"
"""As the last part of a watched path: the files and folders that appear in it after the start."""

_MOST_ENTRIES = 20_000  # that one look takes in; below a larger folder only the first ones are seen
_CPU_SHARE = 0.02  # of one CPU, since the last look: what timers of a waiting program use is less

Path = Union[str, "os.PathLike[str]"]


class Idle:
    """When a command counts as idle. ``timeout`` and ``interval`` are in seconds.

    ``activity`` is what counts as life, any of :data:`KINDS`; by default output, and files where
    ``watch`` names some. Files and processes are looked at every ``interval``, and once more before
    the command is called idle. Raises :class:`UsageError` for what makes no sense.
    """

    def __init__(
        self,
        timeout: Optional[float] = None,
        *,
        activity: Optional[Collection[str]] = None,
        watch: Iterable[Path] = (),
        interval: float = 5.0,
    ) -> None:
        self.timeout = _seconds("idle_timeout", timeout)
        self.watch = tuple(os.path.expanduser(os.fspath(path)) for path in _paths(watch))
        if activity is None:
            activity = ("output", "files") if self.watch else ("output",)
        if isinstance(activity, str) or not isinstance(activity, Collection) or not activity:
            raise UsageError(f"activity is {activity!r}, but must be some of {', '.join(KINDS)}")
        for kind in activity:
            if kind not in KINDS:
                raise UsageError(f"activity cannot be {kind!r}: known are {', '.join(KINDS)}")
        self.kinds = frozenset(activity)
        if "files" in self.kinds and not self.watch:
            raise UsageError("activity by files needs watch=[paths]")
        self.interval = _seconds("watch_interval", interval) or 5.0


class FileActivity:
    """Whether anything below some paths has changed since the last look.

    A path that cannot be read is reported once, and is looked at again: it may come. While none can be
    read this is ``blind``.
    """

    def __init__(self, paths: Iterable[str], report: Callable[[str], object]) -> None:
        self._report = report
        self._reported: set[str] = set()
        self._paths = [_Watched(path) for path in paths]
        self._seen = self._look()

    @property
    def blind(self) -> bool:
        return all(signature is None for signature in self._seen)

    def __call__(self) -> bool:
        seen = self._look()
        changed = seen != self._seen
        self._seen = seen
        return changed

    def _look(self) -> list[object]:
        return [self._look_at(path) for path in self._paths]

    def _look_at(self, watched: _Watched) -> object:
        try:
            return watched.signature()
        except OSError as exc:
            if watched.path not in self._reported:
                self._reported.add(watched.path)
                self._report(f"cannot watch {watched.path!r}: {exc.strerror or exc}; other activity counts")
            return None


class _Watched:
    def __init__(self, path: str) -> None:
        folder, last = os.path.split(path)
        self.path = path
        self._folder = folder if last == NEW else None
        self._old = _names(folder) if last == NEW else frozenset()

    def signature(self) -> object:
        """Changes with every change of a file's size or time, and with its coming and going."""
        if self._folder is None:
            return _signature([self.path])
        new = sorted(_names(self._folder, must_exist=True) - self._old)
        return _signature(os.path.join(self._folder, name) for name in new)


class ProcessActivity:
    """Whether the processes of a run have used CPU time since the last look."""

    def __init__(self, tree: Tree, now: float) -> None:
        self._tree = tree
        self._used = tree.cpu_seconds()
        self._looked = now

    def __call__(self, now: float) -> bool:
        used = self._tree.cpu_seconds()
        share = (used - self._used) / max(1e-6, now - self._looked)
        self._used, self._looked = used, now
        return share > _CPU_SHARE


class Watch:
    """One command's life, looked at as :class:`Idle` says. Times are of :func:`time.monotonic`."""

    def __init__(self, idle: Idle, tree: Optional[Tree], report: Callable[[str], object], now: float) -> None:
        self._idle = idle
        self._last = now
        self._next_look = now + idle.interval
        watches = idle.timeout is not None
        self._files = FileActivity(idle.watch, report) if watches and "files" in idle.kinds else None
        by_process = watches and "process" in idle.kinds
        self._process = ProcessActivity(tree, now) if by_process and tree is not None else None

    def output(self, now: float) -> None:
        """Output came (or a reader made the command wait)."""
        if "output" in self._idle.kinds or (self._files is not None and self._files.blind):
            self._last = now

    @property
    def deadline(self) -> Optional[float]:
        """When :meth:`is_idle` is to be asked again."""
        if self._idle.timeout is None:
            return None
        end = self._last + self._idle.timeout
        return min(end, self._next_look) if self._files or self._process else end

    def is_idle(self, now: float) -> bool:
        timeout = self._idle.timeout
        if timeout is None:
            return False
        if now >= min(self._next_look, self._last + timeout) and self._look(now):
            self._last = now
        return now >= self._last + timeout

    def describe(self) -> str:
        """What was missed, for people."""
        kinds = [name for kind, name in _NAMES.items() if kind in self._idle.kinds]
        return f"idle_timeout: no {' and no '.join(kinds)} for {self._idle.timeout:g} s"

    def _look(self, now: float) -> bool:
        self._next_look = now + self._idle.interval
        changed = self._files is not None and self._files()
        return (self._process is not None and self._process(now)) or changed


_NAMES = {"output": "output", "files": "change of a watched file", "process": "use of the CPU"}


def _seconds(name: str, value: Optional[float]) -> Optional[float]:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise UsageError(f"{name} is {value!r}, but must be more than 0 seconds")
    return float(value)


def _paths(watch: Iterable[Path]) -> Iterator[Path]:
    if isinstance(watch, (str, os.PathLike)) or not isinstance(watch, Iterable):
        raise UsageError(f"watch is {watch!r}, but must be a list of paths")
    for path in watch:
        if not isinstance(path, (str, os.PathLike)) or not os.fspath(path) or "\0" in os.fspath(path):
            raise UsageError(f"watch cannot be {path!r}: paths are text without NUL")
        yield path


def _names(folder: str, *, must_exist: bool = False) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))
    except FileNotFoundError:
        return frozenset()  # the tool makes it at its first start
    except OSError:
        if must_exist:
            raise
        return frozenset()


def _signature(paths: Iterable[str]) -> int:
    """Raises :class:`OSError` when the first level cannot be read; below it what can be read counts."""
    signature = 0
    left = _MOST_ENTRIES
    folders: list[str] = []
    for path in paths:
        status = os.stat(path)
        signature = hash((signature, path, status.st_mtime_ns, status.st_size))
        if os.path.isdir(path):
            os.listdir(path)
            folders.append(path)
    while folders and left:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    left -= 1
                    status = entry.stat(follow_symlinks=False)
                    signature ^= hash((entry.path, status.st_mtime_ns, status.st_size))
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    if not left:
                        break
        except OSError:
            continue  # it has gone meanwhile, or is not ours to read
    return signature
