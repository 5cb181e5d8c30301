"""Sees a run to its end in a cell that awaits: the kernel is free meanwhile."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Callable

import anyio

from pyrepl_stream import Execution, InputRequestMessage, wait_async

from .interrupting import interrupts_call
from .viewing import View
from .watching import Reply, answer

__all__ = ("leave_awaited", "watch_awaited")

_TURN = 0.1  # seconds


async def watch_awaited(view: View, execution: Execution) -> None:
    """Wait until ``view`` has shown all; an interrupt of the cell is one of the run."""
    try:
        await _answer_all(view, execution.input)
    except (anyio.get_cancelled_exc_class(), KeyboardInterrupt):
        execution.interrupt()  # the kernel was interrupted: see the run to its end
        # The kernel turns only the first interrupt of a cell into a cancellation.
        with interrupts_call(lambda number, frame: execution.interrupt()):  # it hurries its end
            async for _ in _requests(view):
                pass  # it gets no more input


async def leave_awaited(view: View, reply: Reply, on_interrupt: Callable[[], object]) -> None:
    """As :meth:`watch_awaited`, for a run that is only looked at: after an interrupt it is not waited for."""
    try:
        await _answer_all(view, reply)
    except (anyio.get_cancelled_exc_class(), KeyboardInterrupt):
        on_interrupt()


async def _answer_all(view: View, reply: Reply) -> None:
    async for request in _requests(view):
        # A cancellation, which the kernel makes of an interrupt, does not come before there is an answer.
        with interrupts_call(signal.default_int_handler):
            answer(reply, request)


async def _requests(view: View) -> AsyncIterator[InputRequestMessage]:
    """What the cell is to ask, until the end."""
    while True:
        # ipykernel's interrupt does not wake a loop that sleeps: it is seen at the next turn.
        with anyio.move_on_after(_TURN) as turn:
            await wait_async(view.when_news)
        if turn.cancelled_caught:
            continue
        request = view.requests.get_nowait()
        if request is None:
            return
        yield request
