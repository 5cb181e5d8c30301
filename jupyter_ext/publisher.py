"""Ways to show text and MIME bundles in the cell that started a run, from any thread."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from pyrepl_stream import ColourPolicy, DisplayMessage, ResultMessage

from .area.words import encodable_json

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .late import LateUpdates

__all__ = ("Publisher", "publisher_for")


class Publisher(Protocol):
    """Where a cell's output goes. Methods may be called by any thread.

    ``is_page`` says that it shows displays and can replace them, ``answers`` that somebody is there, and
    ``is_notebook`` that it may have widgets: what only prints (`jupyter console`, `jupyter run`) has none.
    """

    @property
    def is_page(self) -> bool: ...

    @property
    def answers(self) -> bool: ...

    @property
    def is_notebook(self) -> bool: ...

    def text(self, stream: str, text: str) -> None:
        """Show text of ``stdout`` or ``stderr``."""

    def display(self, message: DisplayMessage) -> None:
        """Show a rich display, or replace an earlier one."""

    def result(self, message: ResultMessage) -> None:
        """Show the value of the last expression."""

    def clear(self, wait: bool) -> None:
        """Show what was shown before no more; ``wait``: not before there is something else."""

    def colours(self, choice: str) -> ColourPolicy:
        """What colours it can show, when this is the user's choice: `auto`, `always` or `never`."""


class KernelPublisher:
    """Sends messages of an ipykernel, tagged with the request of the cell, however late they come."""

    is_page = True

    def __init__(self, shell: InteractiveShell, late: LateUpdates) -> None:
        self._late = late
        self._kernel = kernel = shell.kernel  # type: ignore[attr-defined]  # ipykernel's shells have it
        self._session = kernel.session
        self._socket = kernel.iopub_socket
        self._ident = kernel.ident
        self._parent = kernel.get_parent()
        self._count = shell.displayhook.prompt_count
        # What runs notebooks without a person says so: nbclient, papermill, nbconvert.
        self.answers = bool(self._parent.get("content", {}).get("allow_stdin", False))
        # JupyterLab, Notebook and VS Code name the cell; the server names the file for older ones.
        file = os.environ.get("JPY_SESSION_NAME", "")
        self.is_notebook = "cellId" in self._parent.get("metadata", {}) or file.endswith(".ipynb")

    def text(self, stream: str, text: str) -> None:
        self._send("stream", {"name": stream, "text": text})

    def display(self, message: DisplayMessage) -> None:
        transient = {"display_id": message.display_id} if message.display_id else {}
        content = {"data": message.data, "metadata": message.metadata, "transient": transient}
        if not message.update:
            self._send("display_data", content)
            return
        if message.display_id and not self.answers:  # first: the next cell may begin right behind it
            self._late.add(message.display_id, lambda: self._update(content))
        self._update(content)

    def result(self, message: ResultMessage) -> None:
        content = {"data": message.data, "metadata": message.metadata}
        self._send("execute_result", {**content, "execution_count": self._count})

    def clear(self, wait: bool) -> None:
        self._send("clear_output", {"wait": wait})

    def colours(self, choice: str) -> ColourPolicy:
        page = ColourPolicy.page()
        return replace(page, depth=0) if choice == "never" else page

    def _update(self, content: Mapping[str, Any]) -> None:
        # What runs a notebook only takes what belongs to the cell that runs by now (nbclient does).
        parent = self._parent if self.answers else self._kernel.get_parent("shell")
        self._send("update_display_data", content, parent)

    def _send(self, kind: str, content: Mapping[str, Any], parent: Any = None) -> None:
        topic = f"kernel.{self._ident}.{kind}".encode()
        parent = self._parent if parent is None else parent
        self._session.send(self._socket, kind, encodable_json(content), parent=parent, ident=topic)


class StreamPublisher:
    """Writes to the streams that ``sys`` had in the cell: a terminal, or what ``%%capture`` put there."""

    is_page = False
    answers = True
    is_notebook = False

    def __init__(self, shell: InteractiveShell) -> None:
        self._streams = {"stdout": sys.stdout, "stderr": sys.stderr}
        self._displays = shell.display_pub

    def text(self, stream: str, text: str) -> None:
        target = self._streams[stream]
        encoding = getattr(target, "encoding", None) or "utf-8"
        target.write(text.encode(encoding, "replace").decode(encoding))
        target.flush()

    def display(self, message: DisplayMessage) -> None:
        transient = {"display_id": message.display_id} if message.display_id else {}
        self._displays.publish(
            data=dict(message.data),
            metadata=dict(message.metadata),
            transient=transient,
            update=message.update,
        )

    def result(self, message: ResultMessage) -> None:
        self._displays.publish(data=dict(message.data), metadata=dict(message.metadata))

    def clear(self, wait: bool) -> None:
        self._displays.clear_output(wait)

    def colours(self, choice: str) -> ColourPolicy:
        stream = self._streams["stdout"]
        is_terminal = getattr(stream, "isatty", bool)()
        return ColourPolicy.of(is_terminal, os.environ, choice=choice)


def publisher_for(shell: InteractiveShell, late: LateUpdates) -> Publisher:
    """The way that fits the calling cell. To be called in it."""
    if hasattr(shell, "kernel") and _is_kernel_stream(sys.stdout):
        sys.stdout.flush()
        sys.stderr.flush()
        return KernelPublisher(shell, late)
    return StreamPublisher(shell)


def _is_kernel_stream(stream: object) -> bool:
    """Whether ``sys.stdout`` leads to the kernel (through our routing, too) and not to a capture."""
    return hasattr(stream, "pub_thread")
