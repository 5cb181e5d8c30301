"""Waits for the end of a run, and asks the user for the input that it requests.

A cell that blocks waits with :func:`wait`. While a cell awaits, the kernel handles messages.
"""

from __future__ import annotations

import contextlib
import getpass
import signal
from collections.abc import AsyncIterator, Callable

import anyio
from IPython.core.error import UsageError

import pyrepl_stream
from pyrepl_stream import InputRequestMessage
from pyrepl_stream.waiting import wait_async, wait_sync

from ..messaging.interrupts import HeldInterrupt, on_interrupt
from ..views.view_loop import Viewable, ViewLoop

_POLL = 0.1  # seconds between two turns of a waiting loop


def wait(view: ViewLoop, interrupted: Callable[[], object], held: HeldInterrupt | None = None) -> None:
    """Wait until ``view`` has shown everything.

    Args:
        view: The view, which has been started.
        interrupted: Called for each interrupt of the cell.
        held: Holds the interrupts since the start of the run; None if they were not held.
    """
    while True:
        try:
            if held is not None:
                held.release()
            wait_sync(view.on_request, None)
            request = view.requests.get_nowait()
            if request is None:
                return
            _answer(view.execution, request)
        except KeyboardInterrupt:
            interrupted()


async def wait_for_run(view: ViewLoop) -> None:
    """Wait until ``view`` has shown everything; an interrupt of the cell interrupts the run."""
    try:
        await _answer_all(view)
    except (anyio.get_cancelled_exc_class(), KeyboardInterrupt):
        view.execution.interrupt()
        # The kernel turns only the first interrupt of a cell into a cancellation. Others hasten the end.
        with on_interrupt(lambda number, frame: view.execution.interrupt()):
            async for _ in _requests(view):
                pass  # the run gets no more input


async def wait_attached(view: ViewLoop, detach: Callable[[], object]) -> None:
    """Wait like :func:`wait_for_run`, but an interrupt calls ``detach`` and ends the wait."""
    try:
        await _answer_all(view)
    except (anyio.get_cancelled_exc_class(), KeyboardInterrupt):
        detach()


async def _answer_all(view: ViewLoop) -> None:
    async for request in _requests(view):
        # Raise at once: the cancellation into which the kernel turns an interrupt would wait for the answer.
        with on_interrupt(signal.default_int_handler):
            _answer(view.execution, request)


async def _requests(view: ViewLoop) -> AsyncIterator[InputRequestMessage]:
    """Yield the questions that the cell has to ask, until the end."""
    while True:
        # ipykernel's interrupt does not wake a sleeping loop: the cancellation arrives at the next turn.
        with anyio.move_on_after(_POLL) as turn:
            await wait_async(view.on_request)
        if turn.cancelled_caught:
            continue
        request = view.requests.get_nowait()
        if request is None:
            return
        yield request


def _answer(execution: Viewable, request: InputRequestMessage) -> None:
    """Ask the user through the front end, as code of the cell would, and answer the request."""
    prompt = "" if request.extra.get("printed") else request.prompt
    text = refused = None
    try:
        text = getpass.getpass(prompt) if request.password else input(prompt)
    except EOFError:
        pass
    except Exception as exc:  # a front end without input: end the code's input, and raise below
        refused = exc
    with contextlib.suppress(pyrepl_stream.UsageError):  # another client has answered, or the run has ended
        execution.input(text, request)
    if refused is not None:
        raise UsageError(f"the code asked for input: {refused}")
