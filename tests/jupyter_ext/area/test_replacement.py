"""The record replaces an area at the end, but not while a reader is busy there."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from support.kernels import LIMIT, Kernel, kernel
from support.notebook import WIDGET, Area, Notebook

from jupyter_ext.area.replacement import Replacement

_PATIENCE = 8.0  # seconds since the last `busy` message


@pytest.fixture
def notebook(fresh_kernel: Kernel) -> Notebook:
    return Notebook(fresh_kernel).loaded()


def _shown(notebook: Notebook, cell: str) -> bool:
    """Return True if the cell shows the area and not its record."""
    (output,) = notebook.displays(cell)
    return WIDGET in output


def _started(
    notebook: Notebook, go: Path, code: str = "print('first')", options: str = ""
) -> tuple[str, Area]:
    wait = f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)"
    cell = notebook.execute(f"%%remote_stream {options}\n{code}\n{wait}")
    area = notebook.area(cell)
    notebook.until(lambda: any(area.texts))
    return cell, area


def _be_busy(notebook: Notebook, area: Area, view: str = "v") -> None:
    """Report a busy reader, and wait until the kernel has received that."""
    area.messages.clear()
    notebook.say(area, type="busy", view=view)
    notebook.say(area, type="hello", view=view)
    notebook.until(lambda: area.of("rows", view))


def _end(notebook: Notebook, go: Path, cell: str, area: Area) -> None:
    go.touch()
    notebook.until(lambda: cell in notebook.replies and area.status["state"] == "ok")


@pytest.mark.kernel
def test_a_busy_reader_keeps_the_area_and_the_cell_ends(notebook: Notebook, tmp_path: Path) -> None:
    cell, area = _started(notebook, tmp_path / "go", options="--height 3")
    _be_busy(notebook, area)
    _end(notebook, tmp_path / "go", cell, area)
    assert _shown(notebook, cell)
    _be_busy(notebook, area)
    busy = time.monotonic()
    notebook.until(lambda: not _shown(notebook, cell))
    assert time.monotonic() > busy + _PATIENCE - 1  # the kernel received it a bit earlier
    (record,) = notebook.displays(cell)
    assert "\nfirst\n" in record["text/plain"]
    assert "max-height:4.70em" in record["text/html"]


@pytest.mark.kernel
def test_a_download_of_the_log_completes_before_the_replacement(notebook: Notebook, tmp_path: Path) -> None:
    code = "for _ in range(15): print('x' * 100_000)\nprint('ready')"
    cell, area = _started(notebook, tmp_path / "go", code=code)
    notebook.until(lambda: "ready" in area.texts)  # what is printed later is not in the log
    notebook.say(area, type="log", view="v", log=1, part=0)
    notebook.until(lambda: area.of("log", "v"))
    _end(notebook, tmp_path / "go", cell, area)
    while not (news := area.of("log", "v")[-1])["done"]:
        assert _shown(notebook, cell)
        notebook.say(area, type="log", view="v", log=1, part=news["part"] + 1)
        notebook.until(lambda: area.of("log", "v")[-1]["part"] > news["part"])
    assert _shown(notebook, cell)
    assert (
        sum(len(data) for message, parts in area.messages if message["type"] == "log" for data in parts)
        == 1_500_021
    )
    saved = time.monotonic()
    notebook.until(lambda: not _shown(notebook, cell))
    assert time.monotonic() < saved + _PATIENCE


@pytest.mark.kernel
def test_the_record_is_shown_before_the_extension_unloads(notebook: Notebook, tmp_path: Path) -> None:
    cell, area = _started(notebook, tmp_path / "go")
    _be_busy(notebook, area)
    _end(notebook, tmp_path / "go", cell, area)
    notebook.execute("%unload_ext jupyter_ext")
    notebook.until(lambda: area.closed)
    assert not _shown(notebook, cell)


@pytest.mark.kernel
@pytest.mark.parametrize("version", [None, "7.3.0"])
def test_the_record_is_shown_before_the_kernel_exits(version: str | None, tmp_path: Path) -> None:
    with kernel(version) as started:
        notebook = Notebook(started).loaded()
        cell, area = _started(notebook, tmp_path / "go")
        _be_busy(notebook, area)
        _end(notebook, tmp_path / "go", cell, area)
        assert _shown(notebook, cell)
        busy = time.monotonic()
        notebook.client.shutdown()
        notebook.until(lambda: not _shown(notebook, cell))
        assert time.monotonic() < busy + _PATIENCE - 1


def test_a_reader_cannot_keep_an_area_forever() -> None:
    replaced = threading.Event()
    places = Replacement()
    places.hold(10 * LIMIT, limit=0.05)
    places.add(lambda record: replaced.set())
    places.end(lambda: {"text/plain": "x"})
    assert replaced.wait(LIMIT)


def test_without_a_busy_reader_the_record_is_shown_at_once() -> None:
    places = Replacement()
    shown: list[object] = []
    places.add(shown.append)
    places.replace()  # the run has not ended
    assert not shown
    places.end(lambda: {"text/plain": "x"})
    assert shown == [{"text/plain": "x"}]
    places.replace()
    assert len(shown) == 1
