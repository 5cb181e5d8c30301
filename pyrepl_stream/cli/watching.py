"""Shows an execution of a remote session until it ends, or until a signal ends this process."""

from __future__ import annotations

import os
import queue
import select
import signal
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, NoReturn

from ..runtime.errors import UsageError
from ..runtime.messages import CompleteMessage, InputRequestMessage
from .console import BROKEN_PIPE, FAILED, INPUT, OUTPUT, TIMED_OUT, Console
from .show import Show

if TYPE_CHECKING:
    from ..execution import Execution
    from ..message_stream import MessageStream

_POLL = 1.0  # seconds between two checks whether a question is still open
_READ = 1 << 16  # bytes
_CODES = {"ok": 0, "timeout": TIMED_OUT, "interrupted": 130, "killed": 137, "lost": FAILED}


def exit_code(complete: CompleteMessage | None) -> int:
    """Return the exit code for the end of an execution: the exit code that the execution reports, if any."""
    if complete is None or complete.status in ("timeout", "lost"):
        return FAILED if complete is None else _CODES[complete.status]
    if complete.exit_code is not None:
        return complete.exit_code & 0xFF
    return _CODES.get(complete.status, 1)


def report_end(view: Show) -> None:
    """Report how the execution ended, unless its output shows it."""
    complete = view.complete
    if complete is None:
        view.report("the record ends before the execution did")
    elif complete.success or view.as_json:
        return
    elif complete.status == "timeout" or not view.failure_shown:
        view.report(complete.error or complete.status)


def watch(
    execution: Execution, stream: MessageStream, name: str, console: Console, view: Show, *, interrupts: bool
) -> int:
    """Show the messages of an execution.

    SIGTERM and SIGHUP end this process, and the execution continues.

    Args:
        execution: The execution.
        stream: Its messages.
        name: Its name, for reports.
        console: The user's terminal.
        view: Shows the messages.
        interrupts: True if SIGINT interrupts the execution; otherwise it ends this process.

    Returns:
        The exit code.

    Raises:
        SystemExit: A signal ends this process.
    """
    try:
        _install_handlers(execution, interrupts)
        while (messages := stream.receive()) is not None:
            view.show(messages)
            for message in messages:
                if isinstance(message, InputRequestMessage):
                    _answer(execution, message, name, console, view)
        report_end(view)
        return exit_code(view.complete)
    except BrokenPipeError:
        return BROKEN_PIPE
    except SystemExit:  # a signal ends this process, but not the execution
        if not view.complete:
            view.report(f"{name} continues: `pyrepl-stream attach {name}` shows it")
        raise
    finally:
        view.close()
        stream.close()


def _install_handlers(execution: Execution, interrupts: bool) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # under `nohup` it stays ignored
            signal.signal(number, _terminate)
    if interrupts:
        # The handler only puts into a queue, because it may interrupt a thread that holds a lock.
        wanted: queue.SimpleQueue[int] = queue.SimpleQueue()
        signal.signal(signal.SIGINT, lambda number, frame: wanted.put(number))
        threading.Thread(target=_interrupt, args=(execution, wanted), daemon=True).start()


def _terminate(number: int, frame: object) -> NoReturn:
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)  # another signal must not interrupt the shutdown
    sys.exit(128 + number)


def _interrupt(execution: Execution, wanted: queue.SimpleQueue[int]) -> None:
    while wanted.get():
        execution.interrupt()


def _answer(
    execution: Execution, request: InputRequestMessage, name: str, console: Console, view: Show
) -> None:
    if not execution.asks(request):
        return  # it was answered earlier
    if not (os.isatty(INPUT) and os.isatty(OUTPUT)):  # no person can see it and answer
        view.report(f"{name} waits for input: answer it with `pyrepl-stream attach {name}` in a terminal")
        return
    try:
        text = _ask(request, console, lambda: execution.asks(request))
        view.answered(request)
        execution.input(text, request)
    except _GoneError:
        pass  # another client has answered, and its answer arrives as a message
    except UsageError as exc:
        view.report(str(exc))


# -- questions --------------------------------------------------------------------------------------


class _GoneError(Exception):
    """Another client has answered the request, or the execution has ended."""


def _ask(request: InputRequestMessage, console: Console, is_open: Callable[[], bool]) -> str | None:
    """Read the answer to ``request``. The prompt has been shown.

    Args:
        request: The request.
        console: The user's terminal.
        is_open: Returns True while the request waits for an answer.

    Returns:
        The typed line without its line feed, or None at the end of the input.

    Raises:
        _GoneError: The request is no longer open.
    """
    typed = b""
    with _without_echo() if request.password else nullcontext():
        while not typed.endswith(b"\n"):
            while not select.select([INPUT], [], [], _POLL)[0]:
                if not is_open():
                    raise _GoneError
            try:
                data = os.read(INPUT, _READ)
            except OSError:  # EIO: the terminal has hung up
                data = b""
            if not data:
                break
            typed += data
    if request.password or not typed.endswith(b"\n"):
        console.write(OUTPUT, b"\n")
    return typed.decode("utf-8", "surrogateescape").removesuffix("\n") if typed else None


@contextmanager
def _without_echo() -> Iterator[None]:
    """Turn off the echo of the user's terminal during the block."""
    before = termios.tcgetattr(INPUT)
    silent = termios.tcgetattr(INPUT)
    silent[3] &= ~termios.ECHO
    termios.tcsetattr(INPUT, termios.TCSADRAIN, silent)
    try:
        yield
    finally:
        termios.tcsetattr(INPUT, termios.TCSANOW, before)
