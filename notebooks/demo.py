"""Runs a notebook in a real kernel and prints each message when it arrives.

``python notebooks/demo.py notebooks/quickstart.ipynb``: each line begins with the number of its cell and
the seconds since that cell's start. ``|`` marks standard output, ``!`` standard error and tracebacks, ``>``
results and displays. The exit code is 1 when a cell fails or the kernel dies.
"""

from __future__ import annotations

import argparse
import json
import queue
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

__all__ = ("main", "run_notebook")

_START_TIMEOUT = 60.0  # seconds that a kernel may take to start, on a cold and busy machine
_POLL = 0.5  # seconds between two checks that the kernel is alive


class OwnKernelManager(KernelManager):
    """Starts a kernel with this interpreter, without a kernelspec."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """The specification of the kernel."""
        # Errors only: newer kernels warn that local TCP is not encrypted.
        argv = [sys.executable, "-m", "ipykernel_launcher", "--log-level=ERROR", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python", language="python")


class KernelDiedError(Exception):
    """The process of the kernel ended while a cell ran."""


@dataclass
class Printer:
    """Prints text that arrives in pieces as lines with a prefix."""

    out: TextIO
    started: dict[int, float] = field(default_factory=dict)  # by cell number, in monotonic seconds
    _open: tuple[int, str] | None = None  # cell and mark of the unfinished line

    def start(self, cell: int, source: str) -> None:
        """Print the source of a cell, and start measuring its time."""
        self.end_line()
        self.started[cell] = time.monotonic()
        for number, line in enumerate(source.splitlines()):
            lead = f"In [{cell}]:" if number == 0 else "...:".rjust(len(f"In [{cell}]:"))
            self.out.write(f"{lead} {line}\n")
        self.out.flush()

    def write(self, cell: int, mark: str, text: str) -> None:
        """Print text of ``cell``, which may continue an unfinished line."""
        if self._open is not None and self._open != (cell, mark):
            self.end_line()
        # A lone carriage return restarts the line, so the prefix is printed again.
        for piece in re.findall(r"\r*\n|\r|[^\r\n]+", text):
            if piece == "\r":
                self.out.write("\r")
            if piece == "\r" or self._open is None:
                seconds = time.monotonic() - self.started[cell]
                self.out.write(f"[{cell}] {seconds:7.3f} s {mark} ")
                self._open = (cell, mark)
            if piece.endswith("\n"):
                self.end_line()
            elif piece != "\r":
                self.out.write(piece)
        self.out.flush()

    def end_line(self) -> None:
        """End the unfinished line, if there is one."""
        if self._open is not None:
            self.out.write("\n")
            self._open = None


class Demo:
    """Runs the cells of one notebook in a running kernel."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient, out: TextIO) -> None:
        self._manager = manager
        self._client = client
        self._printer = Printer(out)
        self._cells: dict[str, int] = {}  # cell numbers, by the ids of their requests

    def run(self, number: int, source: str) -> bool:
        """Run a cell, print its messages, and return True if it succeeded."""
        self._printer.start(number, source)
        request = self._client.execute(source, allow_stdin=False)
        self._cells[request] = number
        while not self._is_idle(request):
            pass
        self._printer.end_line()
        while True:
            reply = self._client.get_shell_msg(timeout=_START_TIMEOUT)
            if reply["parent_header"].get("msg_id") == request:
                return bool(reply["content"]["status"] == "ok")

    def _is_idle(self, request: str) -> bool:
        """Print the next message, and return True if it is the last one of the request."""
        try:
            message = self._client.get_iopub_msg(timeout=_POLL)
        except queue.Empty:
            if self._manager.is_alive():
                return False
            self._printer.end_line()
            raise KernelDiedError(f"the kernel died in cell {self._cells[request]}") from None
        parent = message["parent_header"].get("msg_id")
        if parent in self._cells:  # otherwise, it is a message of the kernel itself, or for another request
            # A thread of an earlier cell may write now: print its text with that cell's number and time.
            self._show(self._cells[parent], message["msg_type"], message["content"])
        return bool(parent == request and message["content"].get("execution_state") == "idle")

    def _show(self, cell: int, kind: str, content: dict[str, Any]) -> None:
        if kind == "stream":
            self._printer.write(cell, "|" if content["name"] == "stdout" else "!", content["text"])
        elif kind in ("display_data", "execute_result", "update_display_data"):
            self._printer.write(cell, ">", content["data"].get("text/plain", "") + "\n")
        elif kind == "error":
            self._printer.write(cell, "!", "\n".join(content["traceback"]) + "\n")


def run_notebook(path: Path, out: TextIO) -> bool:
    """Run the code cells in order, up to the first that fails.

    Returns:
        True when all cells succeeded.

    Raises:
        KernelDiedError: The kernel ended while a cell ran.
    """
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    manager = OwnKernelManager()
    # The kernel runs in the notebook's own directory, as in Jupyter.
    manager.start_kernel(cwd=str(path.resolve().parent))
    client = manager.client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=_START_TIMEOUT)
        demo = Demo(manager, client, out)
        return all(demo.run(number, source) for number, source in enumerate(filter(str.strip, sources), 1))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python notebooks/demo.py",
        description="Run a notebook in a real kernel, live in the terminal.",
    )
    parser.add_argument("notebook", type=Path)
    notebook: Path = parser.parse_args(arguments).notebook
    try:
        succeeded = run_notebook(notebook, sys.stdout)
    except FileNotFoundError as exc:
        print(f"no such notebook: {exc.filename}", file=sys.stderr)
        return 2
    except KernelDiedError as exc:
        print(exc, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print("every cell succeeded" if succeeded else "stopped: a cell failed")
    return 0 if succeeded else 1


if __name__ == "__main__":
    sys.exit(main())
