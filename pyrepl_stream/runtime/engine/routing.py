"""Attributes output to the execution that produced it, process-wide, while a session is open.

A plain thread inherits no context variables, an executor's thread keeps the context in which it was started,
and a thread with an event loop runs tasks of many executions. So threads and executor jobs carry their
execution explicitly, and a running loop looks it up for each task. Everything that is replaced here is
restored when the last session closes.
"""

from __future__ import annotations

import asyncio
import builtins
import concurrent.futures
import functools
import getpass
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable

from ..messages import StreamType
from . import main_module, routed_calls, standard_streams
from .context import current
from .loop import hidden_loop
from .replacements import Replacements
from .standard_streams import STDERR, STDOUT

__all__ = ("install", "uninstall", "override_streams", "replace_while_routing", "reroute", "restore_streams")

_Replacement = tuple[Any, str, Callable[[Any], Any]]  # owner, name, function that makes the replacement

_lock = threading.Lock()  # guards _users and _replaced
_users = 0
_replaced = Replacements()
_added: list[_Replacement] = []  # by the program that hosts the sessions


def install() -> None:
    """Begin to route output. Each call needs one :func:`uninstall`."""
    global _users
    with _lock:
        _users += 1
        if _users > 1:
            return
        # A block such as `redirect_stdout` that began while output was routed has restored our streams.
        sys.stdout = standard_streams.fallback(StreamType.STDOUT) if sys.stdout is STDOUT else sys.stdout
        sys.stderr = standard_streams.fallback(StreamType.STDERR) if sys.stderr is STDERR else sys.stderr
        standard_streams.reset_fallbacks(sys.stdout, sys.stderr)
        for owner, name, make in (*_REPLACEMENTS, *_added):
            _replaced.replace(owner, name, make)
    _route_pools()


def replace_while_routing(owner: Any, name: str, make: Callable[[Any], Any]) -> Callable[[], None]:
    """Replace an attribute of ``owner`` whenever output is routed.

    Args:
        owner: An object of the program that hosts sessions.
        name: The name of the attribute.
        make: Returns the replacement; called with the attribute's value.

    Returns:
        A function that undoes this call, and restores the attribute if output is not routed.
    """
    added = (owner, name, make)
    with _lock:
        _added.append(added)
        if _users:
            _replaced.replace(*added)

    def undo() -> None:
        with _lock:
            _added.remove(added)
            _replaced.restore(owner, name)

    return undo


def reroute() -> bool:
    """Route the streams that are in ``sys`` now, if output is routed and code has replaced our streams.

    Returns:
        False if one of our streams is still in ``sys``: call this again later. True if nothing is left to do.
    """
    with _lock:
        if not _users:
            return True
        if sys.stdout is STDOUT or sys.stderr is STDERR:
            return False
        standard_streams.reset_fallbacks(sys.stdout, sys.stderr)
        for owner, name, make in _STREAMS:
            _replaced.forget(owner, name)
            _replaced.replace(owner, name, make)
        return True


def restore_streams() -> list[str]:
    """Put the proxies back into ``sys``. Return the names of the user code's streams that were replaced."""
    replaced = []
    for name, proxy, plain in (("stdout", STDOUT, sys.__stdout__), ("stderr", STDERR, sys.__stderr__)):
        current_stream = getattr(sys, name, None)
        if current_stream is not proxy:
            setattr(sys, name, proxy)
            if current_stream is not plain:
                replaced.append(name)
    return replaced


def uninstall() -> None:
    """Undo one :func:`install`. The last call restores everything."""
    global _users
    with _lock:
        _users -= 1
        if _users == 0:
            _restore()


def _restore() -> None:
    _replaced.restore_all()
    standard_streams.keep_first_fallbacks()


def _after_fork() -> None:
    """Restore everything in a forked child, whose output belongs to no execution."""
    global _users, _lock
    _lock = threading.Lock()
    routed, _users = _users > 0, 0
    run = current.get()
    main_module.after_fork(None if run is None else run.main)
    if routed:
        if run is not None:
            run.writer.after_fork()
        standard_streams.unbind(run)
        current.set(None)
        _restore()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def override_streams() -> Iterator[None]:
    """Route output even where ``%%capture`` or ``redirect_stdout`` has replaced ``sys.stdout``.

    Code that belongs to no execution still writes to the replacement.
    """
    install()
    out, err = sys.stdout, sys.stderr
    replaced = out is not STDOUT and err is not STDERR
    if replaced:
        entry = standard_streams.add_fallbacks(out, err)
        sys.stdout, sys.stderr = STDOUT, STDERR
    try:
        yield
    finally:
        if replaced:
            sys.stdout, sys.stderr = out, err
            standard_streams.remove_fallbacks(entry)
        uninstall()


_POOL_METHODS = ("apply_async", "_map_async", "imap", "imap_unordered")  # the other methods call these


def _route_pools() -> None:
    """Let jobs of a ``ThreadPool`` carry their execution, once user code has done the (slow) import."""
    pool = getattr(sys.modules.get("multiprocessing.pool"), "ThreadPool", None)
    if pool is None:
        return
    with _lock:
        if _users and not _replaced.has(pool):
            for name in _POOL_METHODS:
                _replaced.replace(pool, name, routed_calls.pool_call)


_STREAMS: tuple[_Replacement, ...] = (
    (sys, "stdout", lambda original: STDOUT),
    (sys, "stderr", lambda original: STDERR),
)
_RUNNER_METHODS = ("run", "close") if sys.version_info >= (3, 11) else ()
_REPLACEMENTS: tuple[_Replacement, ...] = (
    *_STREAMS,
    (threading.Thread, "start", functools.partial(routed_calls.thread_start, route_pools=_route_pools)),
    (concurrent.futures.ThreadPoolExecutor, "submit", routed_calls.submit),
    # A thread that runs a loop writes for several executions, whose tasks the loop runs.
    (asyncio.BaseEventLoop, "run_forever", routed_calls.inside(standard_streams.resolve_each_write)),
    # These run a loop of their own, even where code finds another loop running (`shown_loop`).
    (asyncio, "run", routed_calls.inside(hidden_loop)),
    *((asyncio.Runner, name, routed_calls.inside(hidden_loop)) for name in _RUNNER_METHODS),
    (logging.StreamHandler, "emit", routed_calls.log_emit),
    (builtins, "input", routed_calls.routed_builtin_input),
    (getpass, "getpass", routed_calls.routed_getpass),
    (builtins, "display", routed_calls.display_for_builtins),
    *((builtins, name, routed_calls.routed_exit) for name in ("exit", "quit") if hasattr(builtins, name)),
)
