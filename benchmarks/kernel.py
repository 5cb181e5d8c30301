"""A stock ipykernel that is read by jupyter_client, for comparison."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty
from typing import Any

from jupyter_client.manager import start_new_kernel

__all__ = ("Kernel", "kernel")

_QUIET = 15.0  # seconds without a message after which the rest counts as lost


class Kernel:
    """Runs code in the kernel, and reads its messages in the same thread without pauses."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def run(self, code: str, on_text: Callable[[str], object]) -> float:
        """Pass each text of stdout to ``on_text``; return the seconds from the request to `idle`.

        If `idle` never comes, the time ends at the last message.
        """
        started = last = time.perf_counter()
        request = self._client.execute(code, store_history=False)
        while True:
            try:
                message = self._client.get_iopub_msg(timeout=_QUIET)
            except Empty:
                return last - started
            if message["parent_header"].get("msg_id") != request:
                continue
            last = time.perf_counter()
            content = message["content"]
            if message["msg_type"] == "stream":
                on_text(content["text"])
            elif message["msg_type"] == "error":
                raise RuntimeError("\n".join(content["traceback"]))
            elif content.get("execution_state") == "idle":
                return last - started


@contextmanager
def kernel() -> Iterator[Kernel]:
    """Start a kernel, and shut it down at the end."""
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        yield Kernel(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
