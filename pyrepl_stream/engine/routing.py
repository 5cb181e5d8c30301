"""Leads output to the execution that caused it, process-wide, while any session is open.

A plain thread inherits no context variable (Python 3.11 and older), an executor's thread keeps the
context of whoever started it, and a thread with an event loop runs the tasks of many. So threads and
executor jobs carry their execution explicitly, and a running loop looks it up per task. Everything
replaced here is put back when the last session closes.
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
from types import TracebackType
from typing import Any, Callable, Optional

from ..messages import LogMessage, StreamType
from .context import current
from .formats import error_message
from .run import Run
from .streams import StreamProxy

__all__ = ("install", "uninstall", "bound", "unbind", "in_place", "put_back")

_fallback_out: list[Any] = []
_fallback_err: list[Any] = []
_stdout = StreamProxy(StreamType.STDOUT, _fallback_out)
_stderr = StreamProxy(StreamType.STDERR, _fallback_err)

_lock = threading.Lock()  # guards the two below
_users = 0
_replaced: list[tuple[Any, str, Any, Any]] = []
_MISSING = object()


def install() -> None:
    """Begin to route; every call needs one :func:`uninstall`."""
    global _users
    with _lock:
        _users += 1
        if _users > 1:
            return
        if sys.stdout is not _stdout and sys.stderr is not _stderr:
            _fallback_out.clear()
            _fallback_err.clear()
            _fall_back_to(sys.stdout, sys.stderr)
        for owner, name, make in _REPLACEMENTS:
            _replace(owner, name, make)
    _route_pools()


def _replace(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    original = getattr(owner, name, _MISSING)
    replacement = make(original)
    _replaced.append((owner, name, original, replacement))
    setattr(owner, name, replacement)


def put_back() -> list[str]:
    """Route again where code has left streams of its own in ``sys``; the names of those that lose by it."""
    cut_off = []
    for name, ours, below in (("stdout", _stdout, sys.__stdout__), ("stderr", _stderr, sys.__stderr__)):
        theirs = getattr(sys, name, None)
        if theirs is not ours:
            setattr(sys, name, ours)
            if theirs is not below:
                cut_off.append(name)
    return cut_off


def _fall_back_to(out: Any, err: Any) -> None:
    _fallback_out.append(out)
    _fallback_err.append(err)
    StreamProxy.stand_for(out)
    StreamProxy.stand_for(err)


def uninstall() -> None:
    """Undo one :func:`install`; the last one puts everything back as it was."""
    global _users
    with _lock:
        _users -= 1
        if _users == 0:
            _restore()


def _restore() -> None:
    for owner, name, original, replacement in reversed(_replaced):
        now = getattr(owner, name, _MISSING)
        if now is not replacement and now is not _MISSING:
            continue  # somebody replaced it after us: theirs stays
        if original is not _MISSING:
            setattr(owner, name, original)
        elif now is replacement:
            delattr(owner, name)
    _replaced.clear()
    # The fallbacks stay: a handler that kept our stream still writes to what was there before us.
    del _fallback_out[1:], _fallback_err[1:]


def _after_fork() -> None:
    """In the child: plain streams; its output is not an execution's of this process."""
    global _users, _lock
    _lock = threading.Lock()
    _users = 0
    if _replaced:
        run = current.get()
        if run is not None:
            run.writer.after_fork()
        _unbind()
        current.set(None)
        _restore()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def in_place() -> Iterator[None]:
    """Route even though somebody (``%%capture``, ``redirect_stdout``) has replaced ``sys.stdout``.

    Code that belongs to no execution still writes to that replacement.
    """
    install()
    out, err = sys.stdout, sys.stderr
    if out is _stdout or err is _stderr:
        out = err = None
    else:
        _fall_back_to(out, err)
        sys.stdout, sys.stderr = _stdout, _stderr
    try:
        yield
    finally:
        if out is not None:
            sys.stdout, sys.stderr = out, err
            _remove(_fallback_out, out)
            _remove(_fallback_err, err)
        uninstall()


def _remove(fallbacks: list[Any], stream: Any) -> None:
    """Take ``stream`` away, the newest one: another call may have come and gone meanwhile."""
    for index in range(len(fallbacks) - 1, 0, -1):
        if fallbacks[index] is stream:
            del fallbacks[index]
            return


def fallback(stream: StreamType) -> Any:
    """The stream of code that belongs to no execution."""
    return (_fallback_out if stream is StreamType.STDOUT else _fallback_err)[-1]


# -- binding a thread to an execution ------------------------------------------------------------


def _bind(run: Run) -> None:
    run.writer.bind(_stdout.names())
    _stderr.names()["write"] = run.stderr.write


def _unbind() -> None:
    run = current.get()
    if run is not None:
        run.writer.unbind(_stdout.names())
    _stdout.names().pop("write", None)
    _stdout.names().pop("flush", None)
    _stderr.names().pop("write", None)


def unbind(run: Run) -> None:
    """This thread works for ``run`` no longer, even if :func:`bound` was broken off."""
    run.writer.unbind(_stdout.names())
    _stderr.names().pop("write", None)


@contextmanager
def bound(run: Optional[Run]) -> Iterator[None]:
    """This thread works for ``run`` (or for no execution) inside."""
    was_bound = "write" in _stdout.names()
    before = current.get()
    _unbind()
    token = current.set(run)
    if run is not None and asyncio._get_running_loop() is None:
        _bind(run)
    try:
        yield
    finally:
        _unbind()
        current.reset(token)
        if was_bound and before is not None:
            _bind(before)


@contextmanager
def _looked_up() -> Iterator[None]:
    """This thread runs an event loop inside: each write looks up whose task it is."""
    run = current.get() if "write" in _stdout.names() else None
    if run is not None:
        _unbind()
    try:
        yield
    finally:
        if run is not None:
            _bind(run)


# -- what is replaced ----------------------------------------------------------------------------


def _thread_start(original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def start(self: threading.Thread) -> None:
        run = current.get()
        if run is not None:
            self._pyrepl_stream_run = run  # type: ignore[attr-defined]  # for the excepthook
            self.run = functools.partial(_run_thread, run, self, self.run)  # type: ignore[method-assign]
            _route_pools()
        original(self)

    return start


def _run_thread(run: Run, thread: threading.Thread, target: Callable[[], None]) -> None:
    del thread.run  # the instance's attribute, which refers back to the thread
    with bound(run):
        target()


def _excepthook(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def excepthook(args: Any) -> Any:
        run = getattr(args.thread, "_pyrepl_stream_run", None)
        if run is None:
            return original(args)
        traceback = _without_ours(args.exc_traceback)
        with bound(run):
            if original is _DEFAULT_EXCEPTHOOK and isinstance(args.exc_value, Exception):
                # As it would, but with the source lines of cells, which C code does not find.
                lines = error_message(args.exc_value.with_traceback(traceback)).traceback
                run.stderr.write("\n".join((f"Exception in thread {args.thread.name}:", *lines, "")))
                return None
            return original(
                threading.ExceptHookArgs((args.exc_type, args.exc_value, traceback, args.thread))
            )

    return excepthook


_DEFAULT_EXCEPTHOOK = getattr(threading, "__excepthook__", threading.excepthook)  # 3.9 has no such name


def _without_ours(traceback: Optional[TracebackType]) -> Optional[TracebackType]:
    """``traceback`` without the frames of this file at its head, as far as there are others."""
    entry, found = traceback, traceback
    while entry is not None:
        if entry.tb_frame.f_code.co_filename == __file__:
            found = entry.tb_next
        entry = entry.tb_next
    return found or traceback


def _submit(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def submit(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        return original(self, functools.partial(_run_job, current.get(), fn), *args, **kwargs)

    return submit


def _route_pools() -> None:
    """Have jobs of a ``ThreadPool`` carry their execution. Its module is slow to import: code does that."""
    pool = getattr(sys.modules.get("multiprocessing.pool"), "ThreadPool", None)
    if pool is None:
        return
    with _lock:
        if _users and not any(owner is pool for owner, *_ in _replaced):
            for name in ("apply_async", "_map_async", "imap", "imap_unordered"):  # what the others call
                _replace(pool, name, _pool_call)


def _pool_call(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def call(self: Any, func: Any, *args: Any, **kwargs: Any) -> Any:
        return original(self, functools.partial(_run_job, current.get(), func), *args, **kwargs)

    return call


def _run_job(run: Optional[Run], fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    with bound(run):
        return fn(*args, **kwargs)


def _run_forever(original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def run_forever(self: Any) -> None:
        with _looked_up():
            original(self)

    return run_forever


def _emit(original: Callable[..., None]) -> Callable[..., None]:
    """A record for a plain handler on stderr becomes a ``log`` message.

    A handler with a format of its own, or on stdout, asked for text: it gets text, in the execution
    that logs, also when the handler was made before there were sessions.
    """

    @functools.wraps(original)
    def emit(self: Any, record: logging.LogRecord) -> None:
        run = current.get()
        ours = (_stdout, _stderr, *_fallback_out, *_fallback_err)
        if run is None or not any(self.stream is stream for stream in ours):
            original(self, record)
            return
        try:
            on_stdout = any(self.stream is stream for stream in (_stdout, *_fallback_out))
            if on_stdout or not _is_plain(self.formatter):
                stream = run.stdout if on_stdout else run.stderr
                stream.write(self.format(record) + self.terminator)
            else:
                text = _TEXT.format(record)
                run.say(LogMessage(level=record.levelname, logger=record.name, text=text))
        except RecursionError:
            raise
        except Exception:
            self.handleError(record)  # as logging has it: a bad record never fails the program

    return emit


_TEXT = logging.Formatter("%(message)s")


def _is_plain(formatter: Optional[logging.Formatter]) -> bool:
    if formatter is None:
        return True
    return type(formatter) is logging.Formatter and formatter._fmt in ("%(message)s", logging.BASIC_FORMAT)


def routed_input(original: Callable[..., str]) -> Callable[..., str]:
    """``input`` that asks the execution's reader when it is called inside an execution."""

    @functools.wraps(original)
    def routed(prompt: object = "", *args: Any, **kwargs: Any) -> str:
        run = current.get()
        if run is None:
            return original(prompt, *args, **kwargs)
        return run.read_input(str(prompt), password=False)

    return routed


def routed_getpass(original: Callable[..., str]) -> Callable[..., str]:
    """``getpass`` that asks the execution's reader when it is called inside an execution."""

    @functools.wraps(original)
    def routed(prompt: str = "Password: ", *args: Any, **kwargs: Any) -> str:
        run = current.get()
        if run is None:
            return original(prompt, *args, **kwargs)
        return run.read_input(str(prompt), password=True)

    return routed


def _routed_exit(original: Callable[..., Any]) -> Callable[..., Any]:
    """``exit`` that ends the execution: the one of ``site`` would also close the host's standard input."""

    @functools.wraps(original, assigned=())
    def routed(code: object = None) -> Any:
        if current.get() is None:
            return original(code)
        raise SystemExit(code)

    return routed


def _display(original: Any) -> Any:
    """``display`` as a builtin, where IPython has not put its own."""
    if original is not _MISSING:
        return original

    def display(*values: object, display_id: Optional[str] = None, update: bool = False) -> None:
        """Show values by their rich forms (``_repr_html_`` and its like)."""
        run = current.get()
        for value in values:
            if run is None:
                sys.stdout.write(f"{value!r}\n")
            else:
                run.display(value, display_id=display_id, update=update)

    return display


_REPLACEMENTS: tuple[tuple[Any, str, Callable[[Any], Any]], ...] = (
    (sys, "stdout", lambda original: _stdout),
    (sys, "stderr", lambda original: _stderr),
    (threading.Thread, "start", _thread_start),
    (threading, "excepthook", _excepthook),
    (concurrent.futures.ThreadPoolExecutor, "submit", _submit),
    (asyncio.BaseEventLoop, "run_forever", _run_forever),
    (logging.StreamHandler, "emit", _emit),
    (builtins, "input", routed_input),
    (getpass, "getpass", routed_getpass),
    (builtins, "display", _display),
    *((builtins, name, _routed_exit) for name in ("exit", "quit") if hasattr(builtins, name)),
)
