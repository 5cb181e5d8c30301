"""Sees a run to its end in a cell that blocks, and asks the person what the run asks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from IPython.core.error import UsageError

import pyrepl_stream
from pyrepl_stream import InputRequestMessage, wait_sync

from .interrupting import HeldInterrupt
from .viewing import View

__all__ = ("Reply", "answer", "watch")


Reply = Callable[[str | None, InputRequestMessage], object]
"""Answers a question: :meth:`Execution.input`."""


def watch(
    view: View, reply: Reply, *, on_interrupt: Callable[[], object], held: HeldInterrupt | None = None
) -> None:
    """Wait until ``view`` has shown all; ``on_interrupt`` is called when the cell is interrupted.

    ``held``: the interrupts since the start of the run.
    """
    while True:
        try:
            if held is not None:
                held.release()
            wait_sync(view.when_news, None)
            request = view.requests.get_nowait()
            if request is None:
                return
            answer(reply, request)
        except KeyboardInterrupt:
            on_interrupt()


def answer(reply: Reply, request: InputRequestMessage) -> None:
    """Ask the person at the front end, as the cell's own code would have."""
    import getpass

    prompt = "" if request.extra.get("printed") else request.prompt
    text = refused = None
    try:
        text = getpass.getpass(prompt) if request.password else input(prompt)
    except EOFError:
        pass
    except Exception as exc:  # a front end without input: the code that asked gets the reason
        refused = exc
    with contextlib.suppress(pyrepl_stream.UsageError):  # somebody else has answered, or it has ended
        reply(text, request)
    if refused is not None:
        raise UsageError(f"the code asked for input: {refused}")
