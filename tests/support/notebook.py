"""A notebook without a browser: it uses a real kernel, keeps outputs, and is a page for live areas."""

from __future__ import annotations

import queue
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from support.kernels import LIMIT, Kernel

__all__ = ("Area", "Notebook", "WIDGET", "save_notebook")

WIDGET = "application/vnd.jupyter.widget-view+json"


@dataclass
class Area:
    """A model, and the rows received for it."""

    id: str
    state: dict[str, Any]
    rows: dict[int, Any] = field(default_factory=dict)
    first: int = 0
    end: int = 0
    seq: int = 0
    messages: list[tuple[dict[str, Any], list[bytes]]] = field(default_factory=list)
    closed: bool = False

    @property
    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.state["status"]
        return status

    @property
    def texts(self) -> list[str]:
        return [_text(self.rows.get(number, "<missing>")) for number in range(self.first, self.end)]

    def of(self, kind: str, view: str = "") -> list[dict[str, Any]]:
        return [
            message
            for message, _ in self.messages
            if message["type"] == kind and message.get("to", "") == view
        ]

    def take(self, data: dict[str, Any], buffers: list[bytes]) -> None:
        if data["method"] == "update":
            self.state.update(data["state"])
        elif data["method"] == "custom":
            content = data["content"]
            self.messages.append((content, buffers))
            if "seq" in content and "to" not in content:
                assert content["seq"] in (self.seq + 1, 1), "a message was lost"  # 1: the area is read again
                self.seq = content["seq"]
            if content["type"] == "rows":
                self._rows(content)

    def _rows(self, content: dict[str, Any]) -> None:
        for number, rows in content["runs"]:
            self.rows.update(enumerate(rows, number))
        self.first, self.end = content["first"], content["end"]


def save_notebook(path: Path, *displays: dict[str, Any]) -> None:
    """Save a notebook with one cell that shows these displays."""
    saved = nbformat.v4.new_notebook()
    outputs = [nbformat.v4.new_output("display_data", data) for data in displays]
    saved.cells = [nbformat.v4.new_code_cell("%%remote_stream", outputs=outputs)]
    nbformat.write(saved, path)


def _text(row: Any) -> str:
    row = row["t"] if isinstance(row, dict) else row
    return row if isinstance(row, str) else "".join(segment[0] for segment in row)


class Notebook:
    """A page with one notebook: the outputs of its cells, with displays replaced, and its models."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.client = kernel.client
        self.areas: dict[str, Area] = {}
        self.outputs: dict[str, list[dict[str, Any]]] = {}  # by cell
        self.idle: set[str] = set()
        self.replies: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []  # prompts of the kernel
        self.arrivals: list[float] = []  # times of messages that the server counts
        self._clearing: set[str] = set()  # cells to be cleared at their next output
        self._subshell = self._make_subshell()

    def execute(self, code: str, *, allow_stdin: bool = True) -> str:
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}}
        content |= {"allow_stdin": allow_stdin, "stop_on_error": True}
        request = self.client.session.msg("execute_request", content, metadata={"cellId": uuid.uuid4().hex})
        self.client.shell_channel.send(request)
        cell: str = request["header"]["msg_id"]
        self.outputs[cell] = []
        return cell

    def run(self, code: str) -> str:
        cell = self.execute(code)
        self.until(lambda: cell in self.idle and cell in self.replies)
        return cell

    def loaded(self) -> Notebook:
        assert self.replies[self.run("%load_ext jupyter_ext")]["status"] == "ok"
        return self

    def text(self, cell: str, name: str = "stdout") -> str:
        return "".join(o["text"] for o in self.outputs[cell] if o["type"] == "stream" and o["name"] == name)

    def displays(self, cell: str) -> list[dict[str, Any]]:
        return [output["data"] for output in self.outputs[cell] if output["type"] == "display_data"]

    def area(self, cell: str) -> Area:
        """Return the area that the cell shows, or has shown."""
        self.until(lambda: any("model" in output for output in self.outputs[cell]))
        (name,) = (output["model"] for output in self.outputs[cell] if "model" in output)
        return self.areas[name]

    def say(self, area: Area, **content: Any) -> None:
        data = {"method": "custom", "content": content}
        message = self.client.session.msg("comm_msg", {"comm_id": area.id, "data": data})
        if self._subshell is not None:
            message["header"]["subshell_id"] = self._subshell
        self.client.shell_channel.send(message)

    def _make_subshell(self) -> str | None:
        """Make a subshell for the messages of widgets, as JupyterLab does, if the kernel has subshells."""
        info = self.client.kernel_info(reply=True, timeout=LIMIT)["content"]
        if "kernel subshells" not in info.get("supported_features", ()):
            return None
        self.client.control_channel.send(self.client.session.msg("create_subshell_request"))
        made: str = self.client.get_control_msg(timeout=LIMIT)["content"]["subshell_id"]
        return made

    def until(self, true: Callable[[], object]) -> None:
        """Receive messages until ``true`` returns True."""
        deadline = time.monotonic() + LIMIT
        while not true():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not in {LIMIT:g} s; {self.areas} {self.outputs}"[-5000:])
            self.pump()

    def pump(self) -> None:
        if self.client.stdin_channel.msg_ready():
            self.asked.append(self.client.get_stdin_msg()["content"]["prompt"])
        while self.client.shell_channel.msg_ready():
            reply = self.client.get_shell_msg()
            self.replies[reply["parent_header"]["msg_id"]] = reply["content"]
        try:
            self._take(self.client.get_iopub_msg(timeout=0.05))
        except queue.Empty:
            pass

    def _take(self, message: dict[str, Any]) -> None:
        self.arrivals.append(time.monotonic())
        kind, content = message["msg_type"], message["content"]
        cell = message["parent_header"].get("msg_id", "")
        if kind == "comm_open" and content["data"].get("state", {}).get("_model_module") == "anywidget":
            area = self.areas[content["comm_id"]] = Area(content["comm_id"], content["data"]["state"])
            if area.state.get("tail"):
                area._rows({**area.state["tail"], "to": ""})
        elif kind == "comm_msg" and content["comm_id"] in self.areas:
            buffers = [bytes(buffer) for buffer in message["buffers"]]
            self.areas[content["comm_id"]].take(content["data"], buffers)
        elif kind == "comm_close" and content["comm_id"] in self.areas:
            self.areas[content["comm_id"]].closed = True
        elif kind == "status" and content["execution_state"] == "idle":
            self.idle.add(cell)
        elif kind == "update_display_data":
            self._replace(content)
        elif kind == "clear_output" and cell in self.outputs:
            self._clearing.add(cell)
            if not content["wait"]:
                self._clear(cell)
        elif cell in self.outputs and kind in ("stream", "display_data", "execute_result", "error"):
            self._clear(cell)
            output = {"type": kind, **content}
            if WIDGET in content.get("data", {}):
                output["model"] = content["data"][WIDGET]["model_id"]
            self.outputs[cell].append(output)

    def _clear(self, cell: str) -> None:
        if cell in self._clearing:
            self._clearing.remove(cell)
            self.outputs[cell].clear()

    def _replace(self, content: dict[str, Any]) -> None:
        name = content["transient"]["display_id"]
        for outputs in self.outputs.values():
            for output in outputs:
                if output.get("transient", {}).get("display_id") == name:
                    output["data"] = content["data"]
