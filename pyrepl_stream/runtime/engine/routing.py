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
from types import TracebackType
from typing import Any, Callable, Optional

from ..messages import LogMessage, StreamType
from . import main_module
from .context import current
from .formats import error_message
from .loop import hidden_loop
from .run import Run
from .streams import StreamProxy

__all__ = (
    "install",
    "uninstall",
    "bound",
    "unbind",
    "override_streams",
    "replace_while_routing",
    "reroute",
    "restore_streams",
)

# The streams that were in `sys` before, newest last. Code outside of executions writes to the last one.
_fallback_out: list[Any] = [sys.__stdout__]
_fallback_err: list[Any] = [sys.__stderr__]
_stdout = StreamProxy(StreamType.STDOUT, _fallback_out)
_stderr = StreamProxy(StreamType.STDERR, _fallback_err)

_lock = threading.Lock()  # guards _users and _replaced
_users = 0
_replaced: list[tuple[Any, str, Any, Any]] = []
_added: list[tuple[Any, str, Callable[[Any], Any]]] = []  # by the program that hosts the sessions
_MISSING = object()


def install() -> None:
    """Begin to route output. Each call needs one :func:`uninstall`."""
    global _users
    with _lock:
        _users += 1
        if _users > 1:
            return
        # A block such as `redirect_stdout` that began while output was routed has put our streams back.
        out = _fallback_out[-1] if sys.stdout is _stdout else sys.stdout
        err = _fallback_err[-1] if sys.stderr is _stderr else sys.stderr
        sys.stdout, sys.stderr = out, err
        _fall_back_to(out, err)
        del _fallback_out[:-1], _fallback_err[:-1]
        for owner, name, make in (*_REPLACEMENTS, *_added):
            _replace(owner, name, make)
    _route_pools()


def _replace(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    original = getattr(owner, name, _MISSING)
    replacement = make(original)
    # An instance may have the attribute from its class, and must not keep one of its own.
    before = vars(owner).get(name, _MISSING)
    _replaced.append((owner, name, before, replacement))
    setattr(owner, name, replacement)


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
            _replace(*added)

    def undo() -> None:
        with _lock:
            _added.remove(added)
            mine = [entry for entry in _replaced if entry[:2] == (owner, name)]
            for entry in mine:
                _replaced.remove(entry)
            _restore_each(mine)

    return undo


def reroute() -> bool:
    """Route the streams that are in ``sys`` now, if output is routed and code has put others there.

    Returns:
        False if output is routed, but nothing has changed that; True if there is nothing more to do.
    """
    with _lock:
        if not _users:
            return True
        if sys.stdout is _stdout or sys.stderr is _stderr:
            return False
        out, err = sys.stdout, sys.stderr
        _fall_back_to(out, err)
        del _fallback_out[:-1], _fallback_err[:-1]
        _replaced[:] = [entry for entry in _replaced if entry[:2] not in ((sys, "stdout"), (sys, "stderr"))]
        _replace(sys, "stdout", lambda original: _stdout)
        _replace(sys, "stderr", lambda original: _stderr)
        return True


def restore_streams() -> list[str]:
    """Put the proxies back into ``sys``. Return the names of the user code's streams that were replaced."""
    replaced = []
    for name, proxy, plain in (("stdout", _stdout, sys.__stdout__), ("stderr", _stderr, sys.__stderr__)):
        current_stream = getattr(sys, name, None)
        if current_stream is not proxy:
            setattr(sys, name, proxy)
            if current_stream is not plain:
                replaced.append(name)
    return replaced


def _fall_back_to(out: Any, err: Any) -> None:
    _fallback_out.append(out)
    _fallback_err.append(err)
    StreamProxy.mirror_attributes(out)
    StreamProxy.mirror_attributes(err)


def uninstall() -> None:
    """Undo one :func:`install`. The last call restores everything."""
    global _users
    with _lock:
        _users -= 1
        if _users == 0:
            _restore()


def _restore() -> None:
    _restore_each(_replaced)
    _replaced.clear()
    # Keep the first fallbacks: a handler that kept our stream still writes to the one that was there before.
    del _fallback_out[1:], _fallback_err[1:]


def _restore_each(replaced: list[tuple[Any, str, Any, Any]]) -> None:
    for owner, name, original, replacement in reversed(replaced):
        now = getattr(owner, name, _MISSING)
        if now is not replacement and now is not _MISSING:
            continue  # other code has replaced it since: leave that replacement in place
        if original is not _MISSING:
            setattr(owner, name, original)
        elif now is replacement:
            delattr(owner, name)


def _after_fork() -> None:
    """Restore everything in a forked child, whose output belongs to no execution."""
    global _users, _lock
    _lock = threading.Lock()
    _users = 0
    run = current.get()
    main_module.after_fork(None if run is None else run.main)
    if _replaced:
        if run is not None:
            run.writer.after_fork()
        unbind(run)
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
    """Remove the newest entry of ``stream``. Another call may have appended entries since."""
    for index in range(len(fallbacks) - 1, 0, -1):
        if fallbacks[index] is stream:
            del fallbacks[index]
            return


def fallback(stream: StreamType) -> Any:
    """Return the stream to which code writes if it belongs to no execution."""
    return (_fallback_out if stream is StreamType.STDOUT else _fallback_err)[-1]


# -- binding a thread to an execution ------------------------------------------------------------


def _bind(run: Run) -> None:
    run.writer.bind(_stdout.names())
    _stderr.names()["write"] = run.stderr.write


def unbind(run: Optional[Run]) -> None:
    """Detach the calling thread from ``run``, even if :func:`bound` was interrupted."""
    names = _stdout.names()
    if run is not None:
        run.writer.unbind(names)
    names.pop("write", None)
    names.pop("flush", None)
    _stderr.names().pop("write", None)


@contextmanager
def bound(run: Optional[Run]) -> Iterator[None]:
    """Attach the calling thread to ``run``, or to no execution, inside the block."""
    was_bound = "write" in _stdout.names()
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
def _resolve_each_write() -> Iterator[None]:
    """Look up the execution anew for each write inside the block, where the thread runs an event loop."""
    run = current.get() if "write" in _stdout.names() else None
    if run is not None:
        unbind(run)
    try:
        yield
    finally:
        if run is not None:
            _bind(run)


# -- replacements --------------------------------------------------------------------------------


def _thread_start(original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def start(self: threading.Thread) -> None:
        run = current.get()
        if run is not None:
            self._pyrepl_stream_run = run  # type: ignore[attr-defined]  # for the excepthook
            self.run = functools.partial(_run_thread, run, self, self.run)  # type: ignore[method-assign]
            _route_pools()
            run.begin_use(self)
            try:
                original(self)
            except BaseException:
                if self.ident is None:
                    run.end_use(self)
                raise
        else:
            original(self)

    return start


def _run_thread(run: Run, thread: threading.Thread, target: Callable[[], None]) -> None:
    del thread.run  # the instance's attribute, which refers back to the thread
    with bound(run):
        target()
    run.end_use(thread)  # after an exception, the excepthook does it


def _excepthook(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def excepthook(args: Any) -> Any:
        run = getattr(args.thread, "_pyrepl_stream_run", None)
        if run is None:
            return original(args)
        traceback = _strip_own_frames(args.exc_traceback)
        with _ending_use(run, args.thread), bound(run):
            if original is _DEFAULT_EXCEPTHOOK and isinstance(args.exc_value, Exception):
                # Like the original, but with the source lines of cells, which its C code does not find.
                lines = error_message(args.exc_value.with_traceback(traceback)).traceback
                run.stderr.write("\n".join((f"Exception in thread {args.thread.name}:", *lines, "")))
                return None
            return original(threading.ExceptHookArgs((args.exc_type, args.exc_value, traceback, args.thread)))

    return excepthook


@contextmanager
def _ending_use(run: Run, user: object) -> Iterator[None]:
    try:
        yield
    finally:
        run.end_use(user)


_DEFAULT_EXCEPTHOOK = getattr(threading, "__excepthook__", threading.excepthook)  # not in Python 3.9


def _strip_own_frames(traceback: Optional[TracebackType]) -> Optional[TracebackType]:
    """Return ``traceback`` without the frames of this module at its start, unless it has no others."""
    entry, found = traceback, traceback
    while entry is not None:
        if entry.tb_frame.f_code.co_filename == __file__:
            found = entry.tb_next
        entry = entry.tb_next
    return found or traceback


def _submit(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def submit(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        run = current.get()
        future = original(self, functools.partial(_run_job, run, fn), *args, **kwargs)
        if run is not None:
            run.begin_use(future)
            future.add_done_callback(run.end_use)
        return future

    return submit


_POOL_METHODS = ("apply_async", "_map_async", "imap", "imap_unordered")  # the other methods call these


def _route_pools() -> None:
    """Let jobs of a ``ThreadPool`` carry their execution, once user code has done the (slow) import."""
    pool = getattr(sys.modules.get("multiprocessing.pool"), "ThreadPool", None)
    if pool is None:
        return
    with _lock:
        if _users and not any(owner is pool for owner, *_ in _replaced):
            for name in _POOL_METHODS:
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
        with _resolve_each_write():
            original(self)

    return run_forever


def _without_loop(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``original``, which runs a loop of its own, so that it works where a loop is shown."""

    @functools.wraps(original)
    def run(*args: Any, **kwargs: Any) -> Any:
        with hidden_loop():
            return original(*args, **kwargs)

    return run


def _log_emit(original: Callable[..., None]) -> Callable[..., None]:
    """Turn records for a plain handler on stderr into ``log`` messages.

    A handler with its own format, or on stdout, is meant to write text. It writes to the execution that logs,
    even if the handler was made before the session.
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
                run.emit(LogMessage(level=record.levelname, logger=record.name, text=text))
        except RecursionError:
            raise
        except Exception:
            self.handleError(record)  # as in logging, a bad record never makes the program fail

    return emit


_TEXT = logging.Formatter("%(message)s")


def _is_plain(formatter: Optional[logging.Formatter]) -> bool:
    if formatter is None:
        return True
    return type(formatter) is logging.Formatter and formatter._fmt in ("%(message)s", logging.BASIC_FORMAT)


def routed_input(original: Callable[..., str]) -> Callable[..., str]:
    """Return an ``input`` that asks the execution's reader when it is called in an execution."""
    return _asking(original, "", password=False)


def _routed_builtin_input(original: Callable[..., str]) -> Callable[..., str]:
    """Like :func:`routed_input`, but read a stream that code has since put in the place of ``sys.stdin``."""
    stdin, routed = sys.stdin, routed_input(original)

    @functools.wraps(original)
    def read(*args: Any, **kwargs: Any) -> str:
        return (routed if sys.stdin is stdin else original)(*args, **kwargs)

    return read


def routed_getpass(original: Callable[..., str]) -> Callable[..., str]:
    """Return a ``getpass`` that asks the execution's reader when it is called in an execution."""
    return _asking(original, "Password: ", password=True)


def _asking(original: Callable[..., str], default: str, *, password: bool) -> Callable[..., str]:
    @functools.wraps(original)
    def routed(prompt: object = default, *args: Any, **kwargs: Any) -> str:
        run = current.get()
        if run is None:
            return original(prompt, *args, **kwargs)
        return run.read_input(str(prompt), password=password)

    return routed


def _routed_exit(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return an ``exit`` that ends the execution. The one from ``site`` would also close standard input."""

    @functools.wraps(original, assigned=())
    def routed(code: object = None) -> Any:
        if current.get() is None:
            return original(code)
        raise SystemExit(code)

    return routed


def _display(original: Any) -> Any:
    """Return the ``display`` for builtins: IPython's if it has set one, otherwise ours."""
    if original is not _MISSING:
        return original

    def display(*values: object, display_id: Optional[str] = None, update: bool = False) -> None:
        """Show values in their rich forms (``_repr_html_`` and similar methods)."""
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
    (asyncio, "run", _without_loop),
    *((asyncio.Runner, name, _without_loop) for name in ("run", "close") if sys.version_info >= (3, 11)),
    (logging.StreamHandler, "emit", _log_emit),
    (builtins, "input", _routed_builtin_input),
    (getpass, "getpass", routed_getpass),
    (builtins, "display", _display),
    *((builtins, name, _routed_exit) for name in ("exit", "quit") if hasattr(builtins, name)),
)
