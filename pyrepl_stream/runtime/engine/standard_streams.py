"""``sys.stdout`` and ``sys.stderr`` while output is routed, and the execution to which a thread writes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Optional

from ..messages import StreamType
from .context import current
from .run import Run
from .streams import StreamProxy

__all__ = (
    "STDOUT",
    "STDERR",
    "add_fallbacks",
    "remove_fallbacks",
    "reset_fallbacks",
    "keep_first_fallbacks",
    "fallback",
    "is_standard",
    "bound",
    "unbind",
    "resolve_each_write",
)

# The stdout and stderr that were in `sys` before, newest last. Code outside of executions writes to the last.
_fallbacks: list[tuple[Any, Any]] = [(sys.__stdout__, sys.__stderr__)]
STDOUT = StreamProxy(StreamType.STDOUT, _fallbacks)
STDERR = StreamProxy(StreamType.STDERR, _fallbacks)


def add_fallbacks(out: Any, err: Any) -> object:
    """Let code outside of executions write to these streams. Return the entry, to remove it again."""
    entry = (out, err)
    _fallbacks.append(entry)
    StreamProxy.mirror_attributes(out)
    StreamProxy.mirror_attributes(err)
    return entry


def remove_fallbacks(entry: object) -> None:
    """Undo one :func:`add_fallbacks`. Another call may have added streams since."""
    _fallbacks[:] = [known for known in _fallbacks if known is not entry]


def reset_fallbacks(out: Any, err: Any) -> None:
    """Let code outside of executions write to these streams, and forget the earlier ones."""
    add_fallbacks(out, err)
    del _fallbacks[:-1]


def keep_first_fallbacks() -> None:
    """Forget all but the first streams: a handler that kept a proxy still writes to those."""
    del _fallbacks[1:]


def fallback(stream: StreamType) -> Any:
    """Return the stream to which code writes if it belongs to no execution."""
    return _fallbacks[-1][stream is StreamType.STDERR]


def is_standard(stream: object, kind: StreamType) -> bool:
    """Return True if ``stream`` is a proxy, or a stream whose place it has taken."""
    index = kind is StreamType.STDERR
    return stream is (STDOUT, STDERR)[index] or any(stream is known[index] for known in _fallbacks)


def _bind(run: Run) -> None:
    run.writer.binding.bind(STDOUT.names())
    STDERR.names()["write"] = run.stderr.write


def unbind(run: Optional[Run]) -> None:
    """Detach the calling thread from ``run``, even if :func:`bound` was interrupted."""
    names = STDOUT.names()
    if run is not None:
        run.writer.binding.unbind(names)
    names.pop("write", None)
    names.pop("flush", None)
    STDERR.names().pop("write", None)


@contextmanager
def bound(run: Optional[Run]) -> Iterator[None]:
    """Attach the calling thread to ``run``, or to no execution, inside the block."""
    was_bound = "write" in STDOUT.names()
    before = current.get()
    unbind(before)
    token = current.set(run)
    if run is not None and asyncio._get_running_loop() is None:
        _bind(run)
    try:
        yield
    finally:
        unbind(current.get())
        current.reset(token)
        if was_bound and before is not None:
            _bind(before)


@contextmanager
def resolve_each_write() -> Iterator[None]:
    """Look up the execution anew for each write inside the block, where the thread runs an event loop."""
    run = current.get() if "write" in STDOUT.names() else None
    if run is not None:
        unbind(run)
    try:
        yield
    finally:
        if run is not None:
            _bind(run)
