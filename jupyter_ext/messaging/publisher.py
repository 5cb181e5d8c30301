"""Sends text and MIME bundles to the cell that started a run, from any thread."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from IPython.core.interactiveshell import InteractiveShell

from pyrepl_stream import DisplayMessage, ErrorMessage, ResultMessage
from pyrepl_stream.processors import ColourPolicy

from ..text import encodable_json
from .deferred_updates import DeferredUpdates


class KernelPublisher:
    """Sends messages of an ipykernel with the parent header of the cell, even after the cell has ended.

    Attributes:
        is_page: True when the front end shows displays and can replace them.
        is_interactive: True when a person can answer; False when a program runs the notebook.
        is_notebook: True when the front end may show widgets; not in ``jupyter console`` or ``jupyter run``.
        is_waiting: True while the cell waits for the run, so that a program that runs the notebook reads all.
    """

    is_page = True
    is_waiting = False

    def __init__(self, shell: InteractiveShell, deferred_updates: DeferredUpdates) -> None:
        self._deferred_updates = deferred_updates
        self._kernel = shell.kernel  # type: ignore[attr-defined]  # ipykernel's shells have it
        self._parent = self._kernel.get_parent()
        self._count = shell.displayhook.prompt_count
        self.is_interactive = is_interactive(self._parent)
        # JupyterLab, Notebook and VS Code send the cell's id; for older ones, the server names the file.
        file = os.environ.get("JPY_SESSION_NAME", "")
        self.is_notebook = "cellId" in self._parent.get("metadata", {}) or file.endswith(".ipynb")

    def text(self, stream: str, text: str) -> None:
        """Show text of ``stdout`` or ``stderr``."""
        self._send("stream", {"name": stream, "text": text})

    def display(self, message: DisplayMessage) -> None:
        """Show a display, or replace an earlier one."""
        content = {"data": message.data, "metadata": message.metadata, "transient": _transient(message)}
        if not message.update:
            self._send("display_data", content)
            return
        is_read = self.is_interactive or self.is_waiting
        if message.display_id and not is_read:  # before sending: the next cell may begin at once
            self._deferred_updates.add(message.display_id, lambda: self._update(content))
        self._update(content)

    def result(self, message: ResultMessage) -> None:
        """Show the value of the last expression."""
        content = {"data": message.data, "metadata": message.metadata}
        self._send("execute_result", {**content, "execution_count": self._count})

    def error(self, message: ErrorMessage) -> None:
        """Show an error."""
        content = {"ename": message.name, "evalue": message.value, "traceback": message.traceback}
        self._send("error", content)

    def clear(self, wait: bool) -> None:
        """Clear the cell's output; with ``wait``, once there is new output."""
        self._send("clear_output", {"wait": wait})

    def colours(self, choice: str) -> ColourPolicy:
        """Return the colours to use for the user's choice of `auto`, `always` or `never`."""
        page = ColourPolicy.page()
        return replace(page, depth=0) if choice == "never" else page

    def _update(self, content: Mapping[str, Any]) -> None:
        # A program that runs a notebook (nbclient) handles only messages of the current cell.
        parent = self._parent if self.is_interactive else self._kernel.get_parent("shell")
        self._send("update_display_data", content, parent)

    def _send(self, kind: str, content: Mapping[str, Any], parent: Any = None) -> None:
        topic = f"kernel.{self._kernel.ident}.{kind}".encode()
        parent = self._parent if parent is None else parent
        content = encodable_json(content)
        self._kernel.session.send(self._kernel.iopub_socket, kind, content, parent=parent, ident=topic)


class StreamPublisher:
    """Writes to the streams that ``sys`` had in the cell: the streams of a terminal or of ``%%capture``."""

    is_page = False
    is_waiting = False
    is_interactive = True
    is_notebook = False

    def __init__(self, shell: InteractiveShell) -> None:
        self._streams = {"stdout": sys.stdout, "stderr": sys.stderr}
        self._displays = shell.display_pub

    def text(self, stream: str, text: str) -> None:
        """Show text of ``stdout`` or ``stderr``."""
        target = self._streams[stream]
        encoding = getattr(target, "encoding", None) or "utf-8"
        target.write(text.encode(encoding, "replace").decode(encoding))
        target.flush()

    def display(self, message: DisplayMessage) -> None:
        """Show a display, or replace an earlier one."""
        data, metadata = dict(message.data), dict(message.metadata)
        self._displays.publish(data, metadata, transient=_transient(message), update=message.update)

    def result(self, message: ResultMessage) -> None:
        """Show the value of the last expression."""
        self._displays.publish(dict(message.data), dict(message.metadata))

    def error(self, message: ErrorMessage) -> None:
        """Show an error."""
        self.text("stderr", "\n".join(message.traceback) + "\n")

    def clear(self, wait: bool) -> None:
        """Clear the cell's output."""
        self._displays.clear_output(wait)

    def colours(self, choice: str) -> ColourPolicy:
        """Return the colours to use for the user's choice."""
        stream = self._streams["stdout"]
        is_terminal = getattr(stream, "isatty", bool)()
        return ColourPolicy.of(is_terminal, os.environ, choice=choice)


Publisher: TypeAlias = KernelPublisher | StreamPublisher
"""The outputs of one cell. Methods may be called from any thread."""


def _transient(message: DisplayMessage) -> dict[str, str]:
    return {"display_id": message.display_id} if message.display_id else {}


def is_interactive(request: Mapping[str, Any]) -> bool:
    """Return False for a request of a program that runs notebooks: nbclient, papermill, nbconvert."""
    return bool(request.get("content", {}).get("allow_stdin", False))


def publisher_for(shell: InteractiveShell, deferred_updates: DeferredUpdates) -> Publisher:
    """Return the publisher of the calling cell. Must be called in the cell."""
    # The kernel's stream has a `pub_thread`, even when output is routed to executions.
    if hasattr(shell, "kernel") and hasattr(sys.stdout, "pub_thread"):
        sys.stdout.flush()
        sys.stderr.flush()
        return KernelPublisher(shell, deferred_updates)
    return StreamPublisher(shell)
