"""Runs a notebook in a real kernel and prints what arrives, when it arrives.

``python -m jupyter_ext.demo notebooks/quickstart.ipynb``: each line has the number of the cell that
it belongs to and the seconds since that cell's start. ``|`` marks standard output, ``!`` standard
error and tracebacks, ``>`` results and displays. Exits with 1 when a cell fails or the kernel dies.
"""

from __future__ import annotations

import argparse
import json
import queue
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

__all__ = ("main", "run_notebook")

_START_TIMEOUT = 60.0  # seconds that a kernel may take to start, on a cold and busy machine
_QUIET = 0.5  # seconds between two looks at whether the kernel still lives


class OwnKernelManager(KernelManager):
    """Starts the kernel of this interpreter, whatever kernelspecs the machine has."""

    @property
    def kernel_spec(self) -> KernelSpec:
        # Errors only: newer kernels warn that local TCP is not encrypted.
        argv = [sys.executable, "-m", "ipykernel_launcher", "--log-level=ERROR", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python", language="python")


class KernelDiedError(Exception):
    """The kernel's process ended while a cell ran."""


@dataclass
class Printer:
    """Prints text that arrives in pieces as lines, each with its mark."""

    out: TextIO
    started: dict[int, float] = field(default_factory=dict)  # by cell number, in monotonic seconds
    _open: tuple[int, str] | None = None  # whose line is not finished: cell and mark

    def start(self, cell: int, source: str) -> None:
        self.end_line()
        self.started[cell] = time.monotonic()
        for number, line in enumerate(source.splitlines()):
            lead = f"In [{cell}]:" if number == 0 else "...:".rjust(len(f"In [{cell}]:"))
            self.out.write(f"{lead} {line}\n")
        self.out.flush()

    def write(self, cell: int, mark: str, text: str) -> None:
        """Print what arrived now for ``cell``, which may go on with a line begun before."""
        if self._open is not None and self._open != (cell, mark):
            self.end_line()
        # A lone carriage return begins the line anew: so must the prefix.
        for piece in re.findall(r"\r*\n|\r|[^\r\n]+", text):
            if piece.endswith("\n"):
                if self._open is None:
                    self._prefix(cell, mark)
                self.end_line()
            elif piece == "\r":
                self.out.write("\r")
                self._prefix(cell, mark)
            else:
                if self._open is None:
                    self._prefix(cell, mark)
                self.out.write(piece)
        self.out.flush()

    def end_line(self) -> None:
        if self._open is not None:
            self.out.write("\n")
            self._open = None

    def _prefix(self, cell: int, mark: str) -> None:
        seconds = time.monotonic() - self.started[cell]
        self.out.write(f"[{cell}] {seconds:7.3f} s {mark} ")
        self._open = (cell, mark)


def run_notebook(path: Path, out: TextIO) -> bool:
    """Run all code cells in order, up to the first that fails; return whether none did.

    Raises :class:`KernelDiedError`.
    """
    sources = list(_code_cells(path))
    manager = OwnKernelManager()
    # The notebook's own directory, as in Jupyter.
    manager.start_kernel(cwd=str(path.resolve().parent))
    client = manager.client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=_START_TIMEOUT)
        printer = Printer(out)
        cells: dict[str, int] = {}  # by the id of the request
        return all(
            _run_cell(manager, client, printer, cells, number, source)
            for number, source in enumerate(sources, 1)
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _code_cells(path: Path) -> Iterator[str]:
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])  # text, or a list of lines
        if cell["cell_type"] == "code" and source.strip():
            yield source


def _run_cell(
    manager: KernelManager,
    client: BlockingKernelClient,
    printer: Printer,
    cells: dict[str, int],
    number: int,
    source: str,
) -> bool:
    printer.start(number, source)
    request = client.execute(source, allow_stdin=False)
    cells[request] = number
    while True:
        try:
            message = client.get_iopub_msg(timeout=_QUIET)
        except queue.Empty:
            if not manager.is_alive():
                printer.end_line()
                raise KernelDiedError(f"the kernel died in cell {number}") from None
            continue
        parent = message["parent_header"].get("msg_id")
        if parent not in cells:
            continue  # what the kernel says by itself, or about another request
        # A thread of an earlier cell may write now: it is shown under that cell's number and time.
        _show(printer, cells[parent], message["msg_type"], message["content"])
        if parent == request and message["content"].get("execution_state") == "idle":
            break
    printer.end_line()
    return _succeeded(client, request)


def _show(printer: Printer, cell: int, kind: str, content: dict[str, Any]) -> None:
    if kind == "stream":
        printer.write(cell, "|" if content["name"] == "stdout" else "!", content["text"])
    elif kind in ("display_data", "execute_result", "update_display_data"):
        printer.write(cell, ">", content["data"].get("text/plain", "") + "\n")
    elif kind == "error":
        printer.write(cell, "!", "\n".join(content["traceback"]) + "\n")


def _succeeded(client: BlockingKernelClient, request: str) -> bool:
    while True:
        reply = client.get_shell_msg(timeout=_START_TIMEOUT)
        if reply["parent_header"].get("msg_id") == request:
            return bool(reply["content"]["status"] == "ok")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m jupyter_ext.demo",
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
    print("every cell succeeded" if succeeded else "a cell failed: stopped there")
    return 0 if succeeded else 1


if __name__ == "__main__":
    sys.exit(main())
