"""Shows an execution of a session, to its end or until we leave: it needs nobody who watches it."""

from __future__ import annotations

import queue
import signal
import threading
from typing import NoReturn

from ..client import RemoteExecution
from ..errors import UsageError
from ..message_stream import MessageStream
from ..messages import CompleteMessage, InputRequestMessage
from .console import Console
from .questions import GoneError, ask, can_ask
from .show import Show

__all__ = ("FAILED", "NOBODY_READS", "TIMED_OUT", "exit_code", "tell_end", "watch")

TIMED_OUT = 124  # as of timeout(1)
FAILED = 125  # we, or a host whose end nobody saw
NOBODY_READS = 128 + 13  # what the shell reports of a program that SIGPIPE ended
_CODES = {"ok": 0, "timeout": TIMED_OUT, "interrupted": 130, "killed": 137, "lost": FAILED}


def exit_code(complete: CompleteMessage | None) -> int:
    """How an execution ended, as an exit code: its own one where it has one."""
    if complete is None or complete.status in ("timeout", "lost"):
        return FAILED if complete is None else _CODES[complete.status]
    if complete.exit_code is not None:
        return complete.exit_code & 0xFF
    return _CODES.get(complete.status, 1)


def tell_end(view: Show) -> None:
    """Say how it ended, where its output does not."""
    complete = view.complete
    if complete is None:
        view.say("the record ends without a word of how it ended")
    elif complete.success or view.as_json:
        return
    elif complete.status == "timeout" or not view.failure_shown:
        view.say(complete.error or complete.status)


class _Left(BaseException):
    """A signal ends us, and not the execution."""

    def __init__(self, number: int) -> None:
        self.number = number


def watch(
    execution: RemoteExecution,
    stream: MessageStream,
    name: str,
    console: Console,
    view: Show,
    *,
    interrupts: bool,
) -> int:
    """Show it all; returns the exit code.

    With ``interrupts`` an interrupt (SIGINT) is the execution's; otherwise it ends us, as SIGTERM and
    SIGHUP do, and the execution goes on. ``name`` is what to call it then.
    """
    try:
        _take_signals(execution, interrupts)
        while (messages := stream.receive()) is not None:
            view.show(messages)
            for message in messages:
                if isinstance(message, InputRequestMessage):
                    _answer(execution, message, name, console, view)
        tell_end(view)
        return exit_code(view.complete)
    except BrokenPipeError:
        return NOBODY_READS
    except _Left as left:
        if not view.complete:
            view.say(f"{name} goes on without us: `pyrepl-stream attach {name}` shows it")
        return 128 + left.number
    finally:
        view.close()
        stream.close()


def _take_signals(execution: RemoteExecution, interrupts: bool) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as of `nohup`
            signal.signal(number, _leave)
    if interrupts:
        # Handlers only leave word: they may interrupt a thread that holds a lock.
        wanted: queue.SimpleQueue[int] = queue.SimpleQueue()
        signal.signal(signal.SIGINT, lambda number, frame: wanted.put(number))
        threading.Thread(target=_interrupt, args=(execution, wanted), daemon=True).start()


def _leave(number: int, frame: object) -> NoReturn:
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)  # leaving has begun: another one must not break it off
    raise _Left(number)


def _interrupt(execution: RemoteExecution, wanted: queue.SimpleQueue[int]) -> None:
    while wanted.get():
        execution.interrupt()


def _answer(
    execution: RemoteExecution, request: InputRequestMessage, name: str, console: Console, view: Show
) -> None:
    if not execution.asks(request):
        return  # of a record: it was answered then
    if not can_ask():
        view.say(f"it waits for input: `pyrepl-stream attach {name}` in a terminal gives it some")
        return
    try:
        text = ask(request, console, lambda: execution.asks(request))
        view.answered(request)
        execution.input(text, request)
    except GoneError:
        pass  # somebody else was faster: the answer comes as a message
    except UsageError as exc:
        view.say(str(exc))
