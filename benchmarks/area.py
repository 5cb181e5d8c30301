"""The live area in JupyterLab: delay, throughput, and the cost for the page.

Measured with a real server, kernel and Chromium. A row counts as shown at the first frame after its
element exists, by the clock of the page, which is that of the machine. The memory is the growth of the
resident set of the page's process since before the run, after a garbage collection.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from playwright.sync_api import Browser

from tests.support.browser import Pages, chromium, long_tasks, watch_long_tasks
from tests.support.jupyter_page import JupyterServer, NotebookPage, jupyter_server
from tests.support.kernels import is_alive, kernels_folder
from tests.support.sessions import end_all_hosts, isolated
from tests.support.steps import Steps

from .report import Table

OLDER = "7.3.0"
TICKS = 100
TICKING = f"""%%remote_stream
import time
for _ in range({TICKS}):
    print(time.time())
    time.sleep(0.1)"""
ROUNDS = 5
FLOOD = 1_000_000
FLOODING = f"""%%remote_stream --shell
seq -f "line %07.0f $(printf 'x%.0s' $(seq 66))" 1 {FLOOD}
date "+last %s.%N"
"""
AREAS = 8
LINES_OF_AREA = 200_000

_SHOWN = """(pattern) => {
    window.shown = new Map();
    const wanted = new RegExp(pattern);
    const look = () => requestAnimationFrame((now) => {
        for (const row of document.querySelectorAll(".pls-row")) {
            const text = row.textContent;
            if (!wanted.test(text) || window.shown.has(text)) continue;
            window.shown.set(text, performance.timeOrigin + now);
        }
    });
    new MutationObserver(look).observe(document.body, {childList: true, subtree: true});
}"""


@dataclass
class _Place:
    """A place to open notebooks, each with a kernel and a session of its own."""

    browser: Browser
    server: JupyterServer
    root: Path
    numbers: count[int]

    @contextmanager
    def notebook(self, cells: list[str], kernel: str = "newest") -> Iterator[NotebookPage]:
        pages = Pages(self.browser)
        path = self.server.write(f"{next(self.numbers)}.ipynb", ["%load_ext jupyter_ext", *cells], kernel)
        try:
            opened = NotebookPage(pages.new(), self.server, path).open()
            opened.run(0)
            yield opened
        finally:
            pages.close()
            self.server.end_kernels()
            end_all_hosts(self.root)

    def steps(self) -> Steps:
        folder = self.root / f"steps-{next(self.numbers)}"
        folder.mkdir()
        return Steps(folder)


def run() -> Iterator[Table]:
    """Yield the tables of all measurements."""
    if shutil.which("chromium") is None:
        yield Table("The live area in JupyterLab", ("",), "Not measured: chromium is not installed here.")
        return
    kernels = ["newest", *([OLDER] if (kernels_folder() / OLDER).is_dir() else [])]
    with isolated() as root, tempfile.TemporaryDirectory() as folder:
        with jupyter_server(Path(folder), kernels) as server, chromium() as browser:
            place = _Place(browser, server, root, count())
            yield _delays(place, kernels)
            yield _flood(place)
            yield _many(place)


def _delays(place: _Place, kernels: list[str]) -> Table:
    table = Table(
        "Delays of the live area",
        ("", *kernels),
        f"{TICKS} lines, one each 100 ms; {ROUNDS} stops and reloads in mid-run of an awaited cell.",
    )
    lines = [_line_delays(place, kernel) for kernel in kernels]
    table.row("line to page, median", *(_ms(statistics.median(delays)) for delays in lines))
    cells = []
    for kernel, delays in zip(kernels, lines, strict=True):
        late = statistics.quantiles(delays, n=20)[18]
        cells.append(table.bounded(f"line to page, {kernel}", [late], most=0.25, show=_ms))
    table.row("line to page, 95th percentile", *cells)
    stops = {kernel: _stops(place, kernel) for kernel in kernels}
    cells = [table.bounded(f"Stop, {kernel}", stops[kernel], most=1.0, show=_ms) for kernel in kernels]
    table.row("click on Stop to the end of the process", *cells)
    reloads = table.bounded("reload", _reloads(place), most=6.0, show=_ms)
    table.row(
        "reload to live again, page load included", reloads, *("at the cell's end" for _ in kernels[1:])
    )
    return table


def _line_delays(place: _Place, kernel: str) -> list[float]:
    cell = (
        f"%%remote_stream\nimport time\nfor _ in range({TICKS}):\n    print(time.time())\n    time.sleep(0.1)"
    )
    with place.notebook([cell], kernel) as opened:
        opened.page.evaluate(_SHOWN, r"^\d+\.\d+$")
        opened.run(1)
        shown = _shown(opened)
    assert len(shown) >= TICKS - 1, f"{len(shown)} lines were seen"  # the last can go with the area
    return [seen - float(text) for text, seen in shown.items()]


def _stops(place: _Place, kernel: str) -> list[float]:
    cell = "%%remote_stream --shell --no-raise\nsleep 1000 & echo child $!; wait"
    times = []
    with place.notebook([cell] * ROUNDS, kernel) as opened:
        for index in range(1, ROUNDS + 1):
            opened.start(index)
            child = int(opened.area(index).wait_for_row(r"child \d+").split()[1])
            button = opened.area(index).button("Stop")
            button.hover()
            began = time.perf_counter()
            button.click()
            while is_alive(child):
                time.sleep(0.002)
            times.append(time.perf_counter() - began)
            opened.wait_for_end()
    return times


def _reloads(place: _Place) -> list[float]:
    times = []
    for _ in range(ROUNDS):
        steps = place.steps()
        with place.notebook([f"%%remote_stream\n{steps.counting('reloaded', 'end')}"]) as opened:
            opened.start(1)
            opened.area(1).wait_for_row("line 5")
            opened.save()
            began = time.perf_counter()
            opened.page.reload()
            steps.do("reloaded")
            opened.area(1).wait_for_row("seen reloaded")
            times.append(time.perf_counter() - began)
            steps.do("end")
            opened.area(1).wait_for_state("ok")
    return times


def _flood(place: _Place) -> Table:
    table = Table(
        f"{FLOOD:,} lines of 80 bytes from a command",
        ("", "figure"),
        "`seq` on a terminal of its own.",
    )
    steps = place.steps()
    with place.notebook([FLOODING + steps.shell_wait_for("end")]) as opened:
        idle = _memory(place.browser, opened)
        watch_long_tasks(opened.page)
        opened.page.evaluate(_SHOWN, "^last ")
        began = time.time()
        opened.start(1)
        text = opened.area(1).wait_for_row(r"last .*", seconds=300)
        printed = float(text.split()[1])
        table.row("run", f"{printed - began:.1f} s")
        table.row(
            "last line shown after its print",
            table.bounded("last line", [_shown(opened)[text] - printed], most=5.0, show=_ms),
        )
        tasks = [duration / 1000 for duration in long_tasks(opened.page)]
        longest = table.bounded("longest task", [max(tasks, default=0.0)], most=0.1, show=_ms)
        table.row("longest task of the page", f"{longest}; {len(tasks)} over 50 ms")
        above = [_memory(place.browser, opened) - idle]
        memory = table.bounded("memory", above, most=150, show="{:.0f} MiB".format)
        table.row("memory of the page above idle", memory)
        steps.do("end")
        opened.wait_for_end()
        opened.save()
        table.row("saved notebook", f"{opened.path.stat().st_size / 1000:.0f} kB")
    return table


def _many(place: _Place) -> Table:
    table = Table(
        f"{AREAS} areas at once",
        ("", "figure"),
        f"Each with {LINES_OF_AREA:,} lines of about 80 bytes, printed by Python as fast as it can.",
    )
    steps = place.steps()
    cells = [
        f"%%remote_stream local:area-{area} --detach\n{steps.wait_for('start')}"
        f"for n in range({LINES_OF_AREA}): print('area {area} line', n, 'x' * 60)"
        for area in range(AREAS)
    ]
    with place.notebook(cells) as opened:
        opened.run_all()
        opened.count_messages()
        began = time.perf_counter()
        steps.do("start")
        for index in range(AREAS):
            opened.wait_for_text(index + 1, f"area {index} line {LINES_OF_AREA - 1} ", seconds=300)
            opened.wait_for_text(index + 1, "[done")
        table.row("run", f"{time.perf_counter() - began:.1f} s")
        most = opened.most_messages()
        table.row(
            "most messages in a second", table.bounded("messages", [most], most=499, show="{:.0f}".format)
        )
        kept = range(LINES_OF_AREA - 1000, LINES_OF_AREA)  # of which a record has the text
        complete = all(
            [line.split()[3] for line in opened.lines(index + 1) if line.startswith("area")][-1000:]
            == [str(n) for n in kept]
            for index in range(AREAS)
        )
        table.row("complete", table.holds("complete", complete))
    return table


def _shown(opened: NotebookPage) -> dict[str, float]:
    """Return the times at which rows were shown, in seconds since the epoch."""
    shown: list[tuple[str, float]] = opened.page.evaluate("() => [...window.shown]")
    return {text: when / 1000 for text, when in shown}


def _memory(browser: Browser, opened: NotebookPage) -> float:
    """Return the MiB of the page's process, the largest of all renderer processes."""
    session = opened.page.context.new_cdp_session(opened.page)
    session.send("HeapProfiler.collectGarbage")
    session.detach()
    system = browser.new_browser_cdp_session()
    processes = system.send("SystemInfo.getProcessInfo")["processInfo"]
    system.detach()
    pages = [int(process["id"]) for process in processes if process["type"] == "renderer"]
    size = os.sysconf("SC_PAGE_SIZE")
    return max(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * size for pid in pages) / 2**20


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
