"""A real ipykernel, which jupyter_client drives as a notebook would."""

from __future__ import annotations

import os
import queue
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client import KernelManager
from jupyter_client.kernelspec import KernelSpec

ROOT = Path(__file__).parents[2]
LIMIT = 60.0  # seconds; only a hang takes that long
# Seconds. ipykernel 7.0 to 7.3 may not handle a request before the next one (ipython/ipykernel#1554).
_NUDGE = 5.0


@dataclass
class Cell:
    """The messages for one cell, each with the time since its start, and the reply."""

    reply: dict[str, Any] = field(default_factory=dict)
    messages: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    def text(self, name: str = "stdout") -> str:
        """Return the text of one stream."""
        return "".join(
            message["content"]["text"]
            for _, message in self.messages
            if message["msg_type"] == "stream" and message["content"]["name"] == name
        )

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the contents of the messages of one type."""
        return [message["content"] for _, message in self.messages if message["msg_type"] == kind]

    @property
    def ok(self) -> bool:
        return bool(self.reply["status"] == "ok")

    @property
    def traceback(self) -> str:
        return "\n".join("\n".join(error["traceback"]) for error in self.of("error"))


class Kernel:
    """A running kernel."""

    def __init__(self, manager: KernelManager) -> None:
        self.manager = manager
        self.client = manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=LIMIT)

    def run(
        self,
        code: str,
        *,
        on_message: Callable[[dict[str, Any], Cell], None] = lambda message, cell: None,
        answer: str | Iterator[str] | None = None,
        until: Callable[[Cell], bool] | None = None,
        limit: float = LIMIT,
    ) -> Cell:
        """Execute a cell and wait until the kernel is idle, and until ``until`` returns True, if it is given.

        ``limit`` is in seconds.
        """
        cell = Cell()
        began = nudged = time.monotonic()
        request = self.client.execute(code, allow_stdin=answer is not None)
        idle = False
        while not idle or (until is not None and not until(cell)):
            if answer is not None and self.client.stdin_channel.msg_ready():
                self.client.get_stdin_msg()
                self.client.input(answer if isinstance(answer, str) else next(answer, ""))
            try:
                message = self.client.get_iopub_msg(timeout=0.05)
            except queue.Empty:
                if not cell.messages and time.monotonic() > nudged + _NUDGE:
                    nudged = time.monotonic()
                    self.client.kernel_info()
                if time.monotonic() > began + limit:
                    raise TimeoutError(f"no end of {code!r}; so far {cell}") from None
                continue
            if message["parent_header"].get("msg_id") != request:
                continue
            cell.messages.append((time.monotonic() - began, message))
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                idle = True
            on_message(message, cell)
        while True:
            reply = self.client.get_shell_msg(timeout=LIMIT)
            if reply["parent_header"]["msg_id"] == request:
                cell.reply = reply["content"]
                return cell

    def interrupt_on(self, text: str) -> Callable[[dict[str, Any], Cell], None]:
        """Return a callback that interrupts the kernel once, when ``text`` has arrived."""
        sent = False

        def on_message(message: dict[str, Any], cell: Cell) -> None:
            nonlocal sent
            if not sent and text in cell.text():
                sent = True
                self.manager.interrupt_kernel()

        return on_message

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()


@contextmanager
def kernel(ipykernel: str | None = None, cwd: Path | None = None) -> Iterator[Kernel]:
    """Start the ipykernel of this environment, or a version that ``make test`` has installed."""
    paths = [str(ROOT)]
    if ipykernel is not None:
        paths.insert(0, str(kernels_folder() / ipykernel))
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONWARNINGS": "default",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    environment.pop("PYTHONUNBUFFERED", None)
    # With it, ipykernel does not read what bypasses `sys.stdout`.
    environment.pop("PYTEST_CURRENT_TEST", None)
    started = _started(environment, cwd or ROOT)
    try:
        yield started
    finally:
        started.close()


def _started(environment: dict[str, str], cwd: Path, attempts: int = 3) -> Kernel:
    """Start a kernel. Its ports are chosen before it binds them: if another process takes one, start anew."""
    manager = KernelManager()
    manager._kernel_spec = KernelSpec(  # a kernel of this interpreter, without the specs of this machine
        argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        display_name="test",
        language="python",
    )
    manager.start_kernel(env=environment, cwd=str(cwd))
    try:
        return Kernel(manager)
    except BaseException as exc:
        manager.shutdown_kernel(now=True)
        if attempts > 1 and str(exc).startswith("Kernel died"):
            return _started(environment, cwd, attempts - 1)
        raise


def kernels_folder() -> Path:
    return Path(os.environ.get("PYREPL_STREAM_KERNELS", ROOT / ".kernels"))


def is_alive(pid: int) -> bool:
    """Return True while a process runs. A zombie does not."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"
