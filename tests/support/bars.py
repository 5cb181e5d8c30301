"""Output of programs that draw bars and print text, with the rows and the bars that a reader should see."""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pexpect
import pytest
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from tqdm.std import tqdm

__all__ = ("PROGRAMS", "Program")


@dataclass(frozen=True)
class Program:
    """The output of a program, in one piece.

    ``rows`` are the rows that stay when the bars are taken out. ``bars`` has the description, the last
    value (a percentage where the bar has no count) and the total of each bar.
    """

    output: str
    rows: list[str]
    bars: list[tuple[str, float | None, float | None]]
    passed: list[str] | None = None
    """The rows of the text that a stream passes, where these are others: a blank line has passed already
    when a bar is drawn on it."""

    @property
    def writes(self) -> list[str]:
        """Split the output where a program flushes it: before carriage returns, line feeds and movements."""
        return [part for part in re.split(r"(?=[\r\n\x1b])", self.output) if part]


PROGRAMS: dict[str, Callable[[], Program]] = {}


def _program(function: Callable[[], Program]) -> Callable[[], Program]:
    PROGRAMS[function.__name__.strip("_")] = function
    return function


@_program
def _zstd() -> Program:
    """Return the bytes of ``zstd --progress -15`` 1.5.4, which blanks the line before each redraw."""
    blank = f"\r{' ' * 79}\r"
    reads = [f"{blank}Read: {n / 4:5.2f} MiB /  28.6 MiB ==> {p}%" for n, p in enumerate([0, *[100] * 35], 1)]
    end = f"{blank}big.bin              :100.00%   (  28.6 MiB =>   28.6 MiB, big.zst) \n"
    return Program("".join(reads) + end, [], [("big.bin", 100, None)])


@_program
def _yt_dlp() -> Program:
    lines = [f"\r[download] {p:5.1f}% of    3.00MiB at    1.00MiB/s ETA 00:03" for p in (0, 12.5, 42, 100)]
    end = "\r\x1b[K[download] 100% of    3.00MiB in 00:00:03 at 1.00MiB/s\n"
    start = "[download] Destination: film.mp4\n"
    rows = ["[download] Destination: film.mp4"]
    return Program(start + "".join(lines) + end, rows, [("download", 100, None)])


@_program
def _label_that_counts() -> Program:
    file = io.StringIO()
    with tqdm(total=30, file=file, mininterval=0, ncols=80, ascii=True) as bar:
        for number in range(1, 31):
            bar.set_description(f"file {number} of 30")
            bar.update()
    return Program(file.getvalue() + "end\n", ["end"], [("file 30 of 30", 30, 30)])


@_program
def _tqdm_with_logging() -> Program:
    """Let a handler of ``logging`` write to the same stream as the bar, without clearing it."""
    file = io.StringIO()
    for epoch in tqdm(range(3), desc="epochs", file=file, mininterval=0, ncols=60, ascii=True):
        file.write(f"INFO:train:epoch {epoch} done [loss 0.5]\n")
    rows = [f"INFO:train:epoch {epoch} done [loss 0.5]" for epoch in range(3)]
    return Program(file.getvalue() + "end\n", [*rows, "end"], [("epochs", 3, 3)])


@_program
def _nested_tqdm_with_logging() -> Program:
    """Log after an inner bar, when the cursor is in the row of the outer bar, far to the right."""
    file = io.StringIO()
    options: dict[str, Any] = {"file": file, "mininterval": 0, "ncols": 60, "ascii": True}
    for epoch in tqdm(range(3), desc="epochs", **options):
        for _ in tqdm(range(4), desc="batches", leave=False, **options):
            pass
        file.write(f"INFO:train:epoch {epoch} done\n")
    rows = [f"INFO:train:epoch {epoch} done" for epoch in range(3)]
    bars = [("epochs", 3.0, 3.0), *[("batches", 4.0, 4.0)] * 3]
    return Program(file.getvalue() + "end\n", [*rows, "end"], bars)


@_program
def _two_bars_of_tqdm() -> Program:
    """Draw two bars in turn, as two threads do."""
    file = io.StringIO()
    first, second = (
        tqdm(total=4, desc=name, position=place, file=file, mininterval=0, ncols=60, ascii=True)
        for place, name in enumerate(("one", "two"))
    )
    for bar in (first, second) * 4:
        bar.update()
    first.close()
    second.close()
    return Program(file.getvalue() + "end\n", ["end"], [("one", 4, 4), ("two", 4, 4)])


def _rich(work: Callable[[Progress], None]) -> str:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, color_system="standard", _environ={})
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, auto_refresh=False) as progress:
        work(progress)
    return file.getvalue()


@_program
def _beyond_its_total() -> Program:
    def work(progress: Progress) -> None:
        task = progress.add_task("get", total=10_000_000)
        for _ in range(12):
            progress.advance(task, 1_000_000)
            progress.refresh()

    return Program(_rich(work) + "end\n", ["end"], [("get", 12e6, 10e6)])


@_program
def _rich_with_log() -> Program:
    def work(progress: Progress) -> None:
        task = progress.add_task("get", total=10_000_000)
        for number in range(10):
            progress.advance(task, 1_000_000)
            progress.refresh()
            if number % 4 == 3:
                progress.console.print(f"at {number}")
                progress.refresh()

    return Program(_rich(work) + "end\n", ["at 3", "at 7", "end"], [("get", 10e6, 10e6)])


def _on_terminal(*words: str) -> str:
    """Return what a program writes to a terminal of 80 columns."""
    environ = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80"}
    child = pexpect.spawn(words[0], list(words[1:]), timeout=60, env=environ, dimensions=(24, 80))  # type: ignore[arg-type]
    output: bytes = child.read()
    child.close()
    assert child.exitstatus == 0, output
    return output.decode()


@_program
def _real_zstd() -> Program:
    if shutil.which("zstd") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("zstd is not installed, but CI requires it")
        pytest.skip("zstd is not installed")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "big.bin")
        with open(path, "wb") as file:
            file.write(os.urandom(2 << 20))
        output = _on_terminal("zstd", "-19", "--progress", path, "-o", path + ".zst")
    return Program(output, [], [(path, 100, None)])


@_program
def _real_threads() -> Program:
    """Let two threads draw one bar each, without any coordination."""
    code = """
import threading
from tqdm import tqdm

def work(bar):
    for _ in range(50):
        wait.wait(0.002 * (1 - bar.pos))
        bar.update()
    bar.close()

wait = threading.Event()
bars = [tqdm(total=50, desc=f"thread {n}", position=n, mininterval=0, ascii=True, ncols=70) for n in range(2)]
threads = [threading.Thread(target=work, args=(bar,)) for bar in bars]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print("\\n\\nend")
"""
    rows = ["", "end"]
    return Program(
        _on_terminal(sys.executable, "-c", code), rows, [(f"thread {n}", 50, 50) for n in range(2)]
    )


@_program
def _real_tqdm_with_print() -> Program:
    """Print into the row of a bar, with `print`."""
    code = """
from tqdm import tqdm

for number in tqdm(range(4), desc="steps", mininterval=0, ascii=True, ncols=70):
    print("step", number, "done")
print("end")
"""
    rows = [f"step {number} done" for number in range(4)]
    return Program(_on_terminal(sys.executable, "-c", code), [*rows, "end"], [("steps", 4, 4)])


@_program
def _real_rich_with_console_log() -> Program:
    code = """
from rich.console import Console
from rich.progress import Progress

console = Console(force_terminal=True, width=80, log_time=False, log_path=False)
with Progress(console=console, auto_refresh=False) as progress:
    task = progress.add_task("work", total=8)
    for number in range(8):
        progress.advance(task)
        progress.refresh()
        if number % 3 == 2:
            console.log(f"step {number} [bold green]done[/]")
print("end")
"""
    rows = [f"step {number} done" for number in (2, 5)]
    return Program(_on_terminal(sys.executable, "-c", code), [*rows, "end"], [("work", 100, None)])
