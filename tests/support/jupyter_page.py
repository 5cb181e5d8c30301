"""A real Jupyter server, and notebooks that are open in JupyterLab or Notebook 7."""

from __future__ import annotations

import bisect
import itertools
import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbconvert import HTMLExporter
from playwright.sync_api import Locator, Page, expect

from .browser import LIMIT
from .kernels import ROOT, kernels_folder
from .live_area import Area

__all__ = ("JupyterServer", "NotebookPage", "as_html", "jupyter_server")

_TOKEN = "token-of-the-tests"
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # ignores proxies of the machine
_SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},  # every cell has elements
    "apputils-extension/notification": {"fetchNews": "false"},
    "docmanager-extension/plugin": {"autosave": False},  # tests save explicitly
}
_PANEL = """
    const panel = [...(window.jupyterapp?.shell?.widgets("main") || [])].find((widget) => widget.content?.widgets);
    const session = panel?.sessionContext;"""
# The condition for a notebook to run cells; the indicator in the toolbar is too early (measured).
_OPEN = f"""(idle) => {{ {_PANEL}
    const kernel = session?.session?.kernel;
    return panel?.context?.isReady && session?.isReady && panel.content?.widgets.length > 0
        && kernel?.connectionStatus === "connected" && (kernel.status === "idle" || !idle);
}}"""
_RUN = f"""(index) => {{ {_PANEL}
    panel.content.activeCellIndex = index;
    window.cellRun = window.jupyterapp.commands.execute("notebook:run-cell");
}}"""
_RUN_ALL = "() => { window.cellRun = window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
_RUN_ENDED = """async (limit) => {
    const late = new Promise((_, fail) => setTimeout(() => fail(new Error("the cell has not ended")), limit));
    await Promise.race([window.cellRun, late]);
}"""
_APPEND = f"""(source) => {{ {_PANEL}
    const cells = panel.content.model.sharedModel;
    cells.insertCell(cells.cells.length, {{cell_type: "code", source}});
}}"""
_ELSEWHERE = f"""(index) => {{ {_PANEL}
    panel.content.activeCellIndex = index;
    return window.jupyterapp.commands.execute("notebook:create-output-view");
}}"""
_CLICK_ALL = """(output) => {
    output.addEventListener("click", (event) => {
        if (/^(https?|mailto):/.test(event.target.closest("a")?.href || "")) event.preventDefault();
    });
    const ours = ".pls-head, .pls-question, .pls-search";
    for (const element of output.querySelectorAll("*")) {
        if (!element.closest(ours)) element.dispatchEvent(new MouseEvent("click", {bubbles: true, cancelable: true}));
    }
}"""
_COUNT = f"""() => {{ {_PANEL}
    window.messageTimes = [];
    session.session.kernel.anyMessage.connect((_, {{direction, msg}}) => {{
        if (direction === "recv" && msg.channel === "iopub") window.messageTimes.push(performance.now());
    }});
}}"""
_SAVE = f"async () => {{ {_PANEL} await panel.context.save(); }}"
_SAVED = f"() => {{ {_PANEL} return !panel.context.model.dirty; }}"
_ACTIVE = f"() => {{ {_PANEL} return panel.content.activeCellIndex; }}"
_RESTART = f"async () => {{ {_PANEL} await session.restartKernel(); }}"
_INTERRUPT = "() => window.jupyterapp.commands.execute('notebook:interrupt-kernel')"
_THEME = "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"
# A workspace for each page, or it would open the files of others.
_PATHS = {"lab": "lab/workspaces/{}/tree", "notebook": "notebooks"}
_numbers = itertools.count(1)


@dataclass(frozen=True)
class JupyterServer:
    """A server of both front ends; ``folder`` is its root."""

    url: str
    folder: Path

    def write(self, name: str, cells: Sequence[str], kernel: str = "newest") -> Path:
        """Create a notebook of code cells. ``kernel`` is `newest` or a version that `make test` installs."""
        notebook = nbformat.v4.new_notebook()
        notebook.cells = [nbformat.v4.new_code_cell(source) for source in cells]
        notebook.metadata["kernelspec"] = {"name": kernel, "display_name": kernel, "language": "python"}
        path = self.folder / name
        nbformat.write(notebook, path)
        return path

    def request(self, path: str, method: str = "GET") -> Any:
        request = urllib.request.Request(
            f"{self.url}/{path}", method=method, headers={"Authorization": f"token {_TOKEN}"}
        )
        with _DIRECT.open(request, timeout=LIMIT) as answer:
            return json.loads(answer.read() or "null")

    def end_kernels(self) -> None:
        for session in self.request("api/sessions"):
            self.request(f"api/sessions/{session['id']}", "DELETE")


@contextmanager
def jupyter_server(folder: Path, kernels: Sequence[str] = ("newest",)) -> Iterator[JupyterServer]:
    """Start a server in ``folder``, with settings of its own and a kernelspec for each of ``kernels``."""
    work, home = folder / "work", folder / "jupyter"
    work.mkdir()
    for version in kernels:
        _write_kernelspec(home / "data" / "kernels" / version, version)
    for name, settings in _SETTINGS.items():
        path = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = (
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={_TOKEN}",
        "--LabApp.expose_app_in_browser=True",
        "--JupyterNotebookApp.expose_app_in_browser=True",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--KernelSpecManager.ensure_native_kernel=False",
    )
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
    }
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            cwd=work,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    server = JupyterServer(f"http://127.0.0.1:{port}", work)
    try:
        _wait_until_up(server, process, folder / "server.log")
        yield server
        server.end_kernels()
    finally:
        process.terminate()
        process.wait(LIMIT)


def _write_kernelspec(folder: Path, version: str) -> None:
    paths = [str(ROOT)] if version == "newest" else [str(kernels_folder() / version), str(ROOT)]
    folder.mkdir(parents=True)
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": version,
        "language": "python",
        "env": {"PYTHONPATH": os.pathsep.join(paths), "PYDEVD_DISABLE_FILE_VALIDATION": "1"},
    }
    (folder / "kernel.json").write_text(json.dumps(spec))


def _wait_until_up(server: JupyterServer, process: subprocess.Popen[bytes], log: Path) -> None:
    while True:
        try:
            server.request("api/status")
            return
        except urllib.error.URLError:
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            raise RuntimeError(f"the server has ended:\n{log.read_text()}") from None


class NotebookPage:
    """A notebook that is open in ``page``, in `lab` or `notebook`."""

    def __init__(self, page: Page, server: JupyterServer, path: Path, front_end: str = "lab") -> None:
        self.page = page
        self.path = path
        self.origin = server.url
        folder = _PATHS[front_end].format(next(_numbers))
        self._url = f"{server.url}/{folder}/{path.name}?token={_TOKEN}"
        page.on("dialog", lambda dialog: dialog.accept())  # leave the page despite unsaved changes

    def open(self, *, idle: bool = True) -> NotebookPage:
        """Load the page. ``idle=False`` allows the kernel to be busy."""
        self.page.goto(self._url)
        self.wait_until_open(idle=idle)
        return self

    def reload(self, *, idle: bool = False) -> None:
        self.page.reload()
        self.wait_until_open(idle=idle)

    def wait_until_open(self, *, idle: bool = True) -> None:
        self.page.wait_for_function(_OPEN, arg=idle)

    def start(self, index: int) -> None:
        """Run a cell without waiting for its end."""
        self.page.evaluate(_RUN, index)

    def start_all(self) -> None:
        self.page.evaluate(_RUN_ALL)

    def wait_for_end(self, seconds: float = LIMIT) -> None:
        """Wait until the last run has ended, with or without an error."""
        self.page.evaluate(_RUN_ENDED, seconds * 1000)

    def run(self, index: int) -> None:
        self.start(index)
        self.wait_for_end()

    def run_all(self) -> None:
        self.start_all()
        self.wait_for_end()

    def append(self, source: str) -> int:
        """Add a cell at the end, and return its index."""
        self.page.evaluate(_APPEND, source)
        return self.cells.count() - 1

    @property
    def cells(self) -> Locator:
        return self.page.locator(".jp-Notebook .jp-CodeCell")

    def output(self, index: int) -> Locator:
        return self.cells.nth(index).locator(".jp-Cell-outputArea")

    def area(self, index: int) -> Area:
        return Area(self.output(index).locator("section.pls"))

    def wait_for_text(self, index: int, text: str, seconds: float = LIMIT) -> None:
        """Wait until the output of a cell contains the text, in any form."""
        expect(self.output(index)).to_contain_text(text, timeout=seconds * 1000)

    def lines(self, index: int) -> list[str]:
        """Return the lines of the output of a cell that the page shows, in any form."""
        return self.output(index).inner_text().splitlines()

    def show_elsewhere(self, index: int) -> Locator:
        """Show the output of a cell in an additional tab next to the notebook."""
        self.page.evaluate(_ELSEWHERE, index)
        return self.page.locator(".jp-LinkedOutputView")

    def click_all(self, index: int) -> None:
        """Click every element of the output of a cell; links do not leave the page."""
        self.output(index).evaluate(_CLICK_ALL)

    def count_messages(self) -> None:
        """Begin to record the times of the kernel messages that the server counts."""
        self.page.evaluate(_COUNT)

    def most_messages(self) -> int:
        """Return the largest number of messages in any second since then."""
        times: list[float] = self.page.evaluate("() => window.messageTimes")
        return max((bisect.bisect_left(times, time + 1000) - at for at, time in enumerate(times)), default=0)

    def save(self) -> nbformat.NotebookNode:
        """Save the notebook, and return the content of its file."""
        self.page.evaluate(_SAVE)
        return nbformat.read(self.path, as_version=4)

    def wait_until_saved(self) -> None:
        self.page.wait_for_function(_SAVED)

    @property
    def active(self) -> int:
        """Return the index of the active cell."""
        return int(self.page.evaluate(_ACTIVE))

    def restart_kernel(self) -> None:
        self.page.evaluate(_RESTART)
        self.wait_until_open()

    def interrupt_kernel(self) -> None:
        """Interrupt the kernel, as the button of the page does."""
        self.page.evaluate(_INTERRUPT)

    def hide_side_bar(self) -> None:
        self.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")

    def use_theme(self, name: str) -> None:
        """Select a theme, `JupyterLab Light` or `JupyterLab Dark`."""
        self.page.evaluate(_THEME, name)
        light = "true" if name.endswith("Light") else "false"
        self.page.wait_for_selector(f"body[data-jp-theme-light={light}]", state="attached")


def as_html(notebook: nbformat.NotebookNode) -> str:
    """Return the HTML that `nbconvert --to html` makes of a notebook."""
    return str(HTMLExporter().from_notebook_node(notebook)[0])
