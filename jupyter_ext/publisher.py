"""Ways to show text and MIME bundles in the cell that started a run, from any thread."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from pyrepl_stream import ColourPolicy, DisplayMessage, ResultMessage

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ("Publisher", "publisher_for")


class Publisher(Protocol):
    """Where a cell's output goes. Methods may be called by any thread."""

    def text(self, stream: str, text: str) -> None:
        """Show text of ``stdout`` or ``stderr``."""

    def display(self, message: DisplayMessage) -> None:
        """Show a rich display, or replace an earlier one."""

    def result(self, message: ResultMessage) -> None:
        """Show the value of the last expression."""

    def colours(self, choice: str) -> ColourPolicy:
        """What colours it can show, when this is the user's choice: `auto`, `always` or `never`."""


class KernelPublisher:
    """Sends messages of an ipykernel, tagged with the request of the cell, however late they come."""

    def __init__(self, shell: InteractiveShell) -> None:
        kernel = shell.kernel  # type: ignore[attr-defined]  # ipykernel's shells have it
        self._session = kernel.session
        self._socket = kernel.iopub_socket
        self._ident = kernel.ident
        self._parent = kernel.get_parent()
        self._count = shell.displayhook.prompt_count

    def text(self, stream: str, text: str) -> None:
        # JSON in UTF-8 has no lone surrogates.
        text = text.encode("utf-8", "replace").decode()
        self._send("stream", {"name": stream, "text": text})

    def display(self, message: DisplayMessage) -> None:
        transient = {"display_id": message.display_id} if message.display_id else {}
        content = {"data": message.data, "metadata": message.metadata, "transient": transient}
        self._send("update_display_data" if message.update else "display_data", content)

    def result(self, message: ResultMessage) -> None:
        content = {"data": message.data, "metadata": message.metadata}
        self._send("execute_result", {**content, "execution_count": self._count})

    def colours(self, choice: str) -> ColourPolicy:
        page = ColourPolicy.page()
        return replace(page, depth=0) if choice == "never" else page

    def _send(self, kind: str, content: Mapping[str, Any]) -> None:
        topic = f"kernel.{self._ident}.{kind}".encode()
        self._session.send(self._socket, kind, dict(content), parent=self._parent, ident=topic)


class StreamPublisher:
    """Writes to the streams that ``sys`` had in the cell: a terminal, or what ``%%capture`` put there."""

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

    def colours(self, choice: str) -> ColourPolicy:
        stream = self._streams["stdout"]
        is_terminal = getattr(stream, "isatty", bool)()
        return ColourPolicy.of(is_terminal, os.environ, choice=choice)


def publisher_for(shell: InteractiveShell) -> Publisher:
    """The way that fits the calling cell. To be called in it."""
    if hasattr(shell, "kernel") and _is_kernel_stream(sys.stdout):
        sys.stdout.flush()
        sys.stderr.flush()
        return KernelPublisher(shell)
    return StreamPublisher(shell)


def _is_kernel_stream(stream: object) -> bool:
    """Whether ``sys.stdout`` leads to the kernel (through our routing, too) and not to a capture."""
    return hasattr(stream, "pub_thread")
