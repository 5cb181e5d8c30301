"""Replacements for library functions (threads, executors, logging, input) that act for the calling execution.

Each function takes the original and returns its replacement, which acts like the original outside executions.
"""

from __future__ import annotations

import functools
import logging
import sys
import threading
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Callable, Optional

from ..messages import LogMessage, StreamType
from .context import current
from .formats import display_message, mime_bundle
from .replacements import MISSING
from .run import Run
from .standard_streams import bound, is_standard

__all__ = (
    "thread_start",
    "submit",
    "pool_call",
    "inside",
    "log_emit",
    "routed_input",
    "routed_builtin_input",
    "routed_getpass",
    "routed_exit",
    "display_for_builtins",
    "unraisable_hook",
)


def thread_start(original: Callable[..., None], route_pools: Callable[[], None]) -> Callable[..., None]:
    """Let a new thread belong to the execution that starts it.

    Args:
        original: ``Thread.start``.
        route_pools: Called before the thread starts: its code can have imported pools since the last call.
    """

    @functools.wraps(original)
    def start(self: threading.Thread) -> None:
        run = current.get()
        if run is not None:
            self.run = functools.partial(_run_thread, run, self, self.run)  # type: ignore[method-assign]
            route_pools()
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
    try:
        with bound(run):
            try:
                target()
            except BaseException as exc:  # here, since the output of a hook is the execution's, too
                own, caller = exc.__traceback__, sys._getframe(1)  # the caller is a method of Thread
                following = own and own.tb_next
                exc.__traceback__ = TracebackType(following, caller, caller.f_lasti, caller.f_lineno)
                thread._invoke_excepthook(thread)  # type: ignore[attr-defined]  # private; exists since 3.8
    finally:
        run.end_use(thread)


def submit(original: Callable[..., Any]) -> Callable[..., Any]:
    """Let an executor's job belong to the execution that submits it."""

    @functools.wraps(original)
    def submit_job(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        run = current.get()
        future = original(self, functools.partial(_run_job, run, fn), *args, **kwargs)
        if run is not None:
            run.begin_use(future)
            future.add_done_callback(run.end_use)
        return future

    return submit_job


def pool_call(original: Callable[..., Any]) -> Callable[..., Any]:
    """Let the jobs of a ``ThreadPool`` belong to the execution that calls a method of it."""

    @functools.wraps(original)
    def call(self: Any, func: Any, *args: Any, **kwargs: Any) -> Any:
        return original(self, functools.partial(_run_job, current.get(), func), *args, **kwargs)

    return call


def _run_job(run: Optional[Run], fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    with bound(run):
        return fn(*args, **kwargs)


def inside(block: Callable[[], AbstractContextManager[Any]]) -> Callable[[Callable[..., Any]], Any]:
    """Return a function whose replacements run the original inside ``with block():``."""

    def replace(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def run(*args: Any, **kwargs: Any) -> Any:
            with block():
                return original(*args, **kwargs)

        return run

    return replace


def log_emit(original: Callable[..., None]) -> Callable[..., None]:
    """Turn records for a plain handler on stderr into ``log`` messages.

    A handler with its own format, or on stdout, is meant to write text. It writes to the execution that logs,
    even if the handler was made before the session.
    """

    @functools.wraps(original)
    def emit(self: Any, record: logging.LogRecord) -> None:
        run = current.get()
        on_stdout = is_standard(self.stream, StreamType.STDOUT)
        if run is None or not (on_stdout or is_standard(self.stream, StreamType.STDERR)):
            original(self, record)
            return
        try:
            if on_stdout or not _is_plain(self.formatter):
                stream = run.stdout if on_stdout else run.stderr
                stream.write(self.format(record) + self.terminator)
            else:
                text, written = _TEXT.format(record), self.format(record)
                extra = {"prefix": written[: len(written) - len(text)]}
                run.emit(LogMessage(level=record.levelname, logger=record.name, text=text, extra=extra))
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


def routed_builtin_input(original: Callable[..., str]) -> Callable[..., str]:
    """Like :func:`routed_input`, but if code has since replaced ``sys.stdin``, read the new stream."""
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
        return run.questions.read(str(prompt), password=password)

    return routed


def routed_exit(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return an ``exit`` that ends the execution. The one from ``site`` would also close standard input."""

    @functools.wraps(original, assigned=())
    def routed(code: object = None) -> Any:
        if current.get() is None:
            return original(code)
        raise SystemExit(code)

    return routed


def display_for_builtins(original: Any) -> Any:
    """Return the ``display`` for builtins: IPython's if it has set one, otherwise ours."""
    if original is not MISSING:
        return original

    def display(*values: object, display_id: Optional[str] = None, update: bool = False) -> None:
        """Show values in their rich forms (``_repr_html_`` and similar methods)."""
        run = current.get()
        for value in values:
            if run is None:
                sys.stdout.write(f"{value!r}\n")
                continue
            data, metadata = mime_bundle(value)
            if data:
                run.emit(display_message(data, metadata, display_id=display_id, update=update))

    return display


def unraisable_hook(original: Callable[[Any], None]) -> Callable[[Any], None]:
    """Repeat an interrupt that was raised in a finalizer, from which exceptions do not propagate."""

    @functools.wraps(original)
    def routed(unraisable: Any) -> None:
        run = current.get()
        is_interrupt = unraisable.exc_type is KeyboardInterrupt
        while True:
            try:
                repeated = run is not None and is_interrupt and run.repeat_interrupt()
                break
            except KeyboardInterrupt:  # it came before this thread was back in the code, and is lost too
                continue
        if not repeated:
            original(unraisable)

    return routed
