"""Pictures of the live area for the documents: ``python -m benchmarks.screenshots FOLDER``.

Each shows a cell of a real notebook in JupyterLab.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import expect

from tests.support.browser import Pages, chromium
from tests.support.jupyter_page import NotebookPage, jupyter_server
from tests.support.live_area import Area
from tests.support.sessions import end_all_hosts, isolated

NESTED = """%%remote_stream --as train
import time
from tqdm import tqdm

print("\\x1b[1mresnet50\\x1b[0m on \\x1b[36m4 GPUs\\x1b[0m, see https://example.org/runs/17")
for epoch in tqdm(range(1, 40), "epochs"):
    for batch in tqdm(range(400), "batches", leave=False):
        time.sleep(0.002)
    loss, score = 2 / (epoch + 1), 1 - 0.6 / epoch
    tqdm.write(f"epoch {epoch}  loss \\x1b[33m{loss:.3f}\\x1b[0m  score \\x1b[32m{score:.3f}\\x1b[0m")
"""
TRAINING = """%%remote_stream --as train
import time
from tqdm import tqdm

print("\\x1b[1mresnet50\\x1b[0m on \\x1b[36m4 GPUs\\x1b[0m, see https://example.org/runs/17")
for epoch in tqdm(range(1, 6), "epochs"):
    time.sleep(0.5)
    loss, score = 2 / (epoch + 1), 1 - 0.6 / epoch
    tqdm.write(f"epoch {epoch}  loss \\x1b[33m{loss:.3f}\\x1b[0m  score \\x1b[32m{score:.3f}\\x1b[0m")
"""
TASKS = """%%remote_stream
import time
from tqdm import tqdm

names = "download", "extract", "index"
bars = [tqdm(desc=name, total=1000, position=row) for row, name in enumerate(names)]
for step in range(600):
    for speed, bar in enumerate(bars, 1):
        bar.update(speed / 2)
    time.sleep(0.02)
"""
PLOT = """%%remote_stream
import time
import matplotlib.pyplot as plt

losses = []
for epoch in range(1, 500):
    losses.append(2 / (epoch + 1))
    print(f"epoch {epoch:3}  loss {losses[-1]:.4f}")
    if epoch % 12 == 0:
        plt.figure(figsize=(5, 2))
        plt.plot(losses)
        plt.show()
    time.sleep(0.2)
"""
FAILURE = """%%remote_stream
import sys

print("loading the data")
print("\\x1b[33mwarning: 3 rows without a label\\x1b[0m", file=sys.stderr)
labels = {"cat": 0, "dog": 1}
labels["bird"]
"""
QUESTION = """%%remote_stream
from getpass import getpass

print("connecting to the registry")
token = getpass("Token for registry.example.org: ")
"""
FLOOD = """%%remote_stream
for request in range(10_000_000):
    print(f"\\x1b[32mINFO\\x1b[0m worker-{request % 8} request {request} handled in {request % 17} ms")
"""


@dataclass(frozen=True)
class Picture:
    """A picture. ``ready`` waits until it can be taken; by default it is taken at the end of the cell."""

    name: str
    cell: str
    ready: Callable[[Area], object] | None = None
    theme: str = "JupyterLab Light"
    width: int = 1000  # of the window


def _row(pattern: str) -> Callable[[Area], object]:
    return lambda area: area.wait_for_row(pattern)


def _half_done(name: str) -> Callable[[Area], object]:
    return lambda area: expect(area.progress(name)).to_have_attribute("aria-valuenow", re.compile("[4-6]."))


PICTURES = (
    Picture("light", NESTED, _row("epoch 3 .*")),
    Picture("dark", NESTED, _row("epoch 3 .*"), theme="JupyterLab Dark"),
    Picture("narrow", NESTED, _row("epoch 3 .*"), width=460),
    Picture("finished", TRAINING),
    Picture("nested-progress", TASKS, _half_done("index")),
    Picture("plot", PLOT, _row("epoch  14 .*")),
    Picture("error", FAILURE),
    Picture("input", QUESTION, lambda area: area.question.wait_for()),
    Picture("flood", FLOOD, _row(r"INFO .* request \d{6,} .*")),
)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with isolated() as root, tempfile.TemporaryDirectory() as work:
        with jupyter_server(Path(work)) as server, chromium() as browser:
            for picture in PICTURES:
                pages = Pages(browser)
                page = pages.new(viewport={"width": picture.width, "height": 900})
                path = server.write(f"{picture.name}.ipynb", ["%load_ext jupyter_ext", picture.cell.rstrip()])
                take(picture, NotebookPage(page, server, path).open(), folder / f"{picture.name}.png")
                pages.close()
                server.end_kernels()
                end_all_hosts(root)


def take(picture: Picture, opened: NotebookPage, path: Path) -> None:
    opened.hide_side_bar()
    opened.use_theme(picture.theme)
    opened.run(0)
    opened.start(1)
    if picture.ready is None:
        opened.wait_for_end()
    else:
        picture.ready(opened.area(1))
    opened.page.mouse.move(0, 0)
    opened.page.wait_for_timeout(500)  # for what fades
    opened.cells.nth(1).screenshot(path=path)
    print(path)


if __name__ == "__main__":
    main(Path(*sys.argv[1:]))
