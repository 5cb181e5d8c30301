"""Raises exceptions in other threads."""

from __future__ import annotations

import ctypes
import sys
import threading

__all__ = ("raise_in", "take_pending")


def raise_in(thread: int, exception: type[BaseException]) -> None:
    """Raise ``exception`` in another thread, at its next Python instruction.

    Before Python 3.13, all threads share one flag for pending exceptions. It is cleared when any thread takes
    an exception, and set again when a thread that has one gets the GIL. A blocked thread would leave it set,
    and CPython 3.11 then never gets past a traced instruction, in any thread. So the calling thread gets and
    takes an exception too, which clears the flag.
    """
    threads = [ctypes.c_ulong(thread)]
    exceptions = [ctypes.py_object(exception)]
    if sys.version_info < (3, 13):
        threads.append(ctypes.c_ulong(threading.get_ident()))
        exceptions.append(ctypes.py_object(_Taken))
    set_exception = ctypes.pythonapi.PyThreadState_SetAsyncExc
    try:
        # A single call into C code sets both, since this thread may be traced too.
        list(map(set_exception, threads, exceptions))
        take_pending()
    except _Taken:
        pass


def take_pending() -> None:
    """Let the interpreter raise a pending exception of this thread, as it does at each backward jump."""
    for _ in range(2):
        pass


class _Taken(BaseException):
    """Raised and caught by :func:`raise_in`."""
