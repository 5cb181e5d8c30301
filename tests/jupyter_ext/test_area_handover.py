"""The record takes the place of an area at the end, and disturbs nobody who is busy there."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from support.kernels import LIMIT, Kernel, kernel
from support.notebook import WIDGET, Area, Notebook

from jupyter_ext.area import handover
from jupyter_ext.area.handover import Handover

_PATIENCE = 8.0  # seconds since a page was busy last


@pytest.fixture
def notebook(fresh_kernel: Kernel) -> Notebook:
    return Notebook(fresh_kernel).loaded()


def _shown(notebook: Notebook, cell: str) -> bool:
    """Whether the cell shows the area, and not its record."""
    (output,) = notebook.displays(cell)
    return WIDGET in output


def _started(notebook: Notebook, go: Path, code: str = "print('first')", options: str = "") -> tuple[str, Area]:
    wait = f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)"
    cell = notebook.execute(f"%%remote_stream {options}\n{code}\n{wait}")
    area = notebook.area(cell)
    notebook.until(lambda: any(area.texts))
    return cell, area


def _be_busy(notebook: Notebook, area: Area, view: str = "v") -> None:
    """The kernel knows it when this returns."""
    area.messages.clear()
    notebook.say(area, type="busy", view=view)
    notebook.say(area, type="hello", view=view)
    notebook.until(lambda: area.of("rows", view))


def _end(notebook: Notebook, go: Path, cell: str, area: Area) -> None:
    go.touch()
    notebook.until(lambda: cell in notebook.replies and area.status["state"] == "ok")


@pytest.mark.kernel
def test_a_reader_in_the_middle_of_something_keeps_the_area_and_the_cell_ends(notebook: Notebook, tmp_path: Path) -> None:
    cell, area = _started(notebook, tmp_path / "go", options="--height 3")
    _be_busy(notebook, area)
    _end(notebook, tmp_path / "go", cell, area)
    assert _shown(notebook, cell)
    _be_busy(notebook, area)
    busy = time.monotonic()
    notebook.until(lambda: not _shown(notebook, cell))
    assert time.monotonic() > busy + _PATIENCE - 1  # the kernel heard it a bit earlier
    (record,) = notebook.displays(cell)
    assert "\nfirst\n" in record["text/plain"]
    assert "max-height:4.70em" in record["text/html"]


@pytest.mark.kernel
def test_a_log_that_is_being_saved_is_fetched_to_its_end(notebook: Notebook, tmp_path: Path) -> None:
    cell, area = _started(notebook, tmp_path / "go", code="for _ in range(15): print('x' * 100_000)")
    notebook.say(area, type="log", view="v", log=1, part=0)
    notebook.until(lambda: area.of("log", "v"))
    _end(notebook, tmp_path / "go", cell, area)
    while not (news := area.of("log", "v")[-1])["done"]:
        assert _shown(notebook, cell)
        notebook.say(area, type="log", view="v", log=1, part=news["part"] + 1)
        notebook.until(lambda: area.of("log", "v")[-1]["part"] > news["part"])
    assert _shown(notebook, cell)
    assert sum(len(data) for message, parts in area.messages if message["type"] == "log" for data in parts) == 1_500_015
    saved = time.monotonic()
    notebook.until(lambda: not _shown(notebook, cell))
    assert time.monotonic() < saved + _PATIENCE


@pytest.mark.kernel
def test_before_the_extension_goes_the_record_comes(notebook: Notebook, tmp_path: Path) -> None:
    cell, area = _started(notebook, tmp_path / "go")
    _be_busy(notebook, area)
    _end(notebook, tmp_path / "go", cell, area)
    notebook.execute("%unload_ext jupyter_ext")
    notebook.until(lambda: area.closed)
    assert not _shown(notebook, cell)


@pytest.mark.kernel
@pytest.mark.parametrize("version", [None, "7.3.0"])
def test_before_the_kernel_ends_the_record_comes(version: str | None, tmp_path: Path) -> None:
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


def test_a_reader_who_is_busy_for_long_does_not_keep_an_area_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "_READING", 0.05)
    replaced = threading.Event()
    places = Handover()
    places.reads(10 * LIMIT)
    places.add(lambda record: replaced.set())
    places.end(lambda: {"text/plain": "x"})
    assert replaced.wait(LIMIT)


def test_where_nobody_is_busy_the_record_comes_at_once() -> None:
    places = Handover()
    shown: list[object] = []
    places.add(shown.append)
    places.replace()  # it runs yet
    assert not shown
    places.end(lambda: {"text/plain": "x"})
    assert shown == [{"text/plain": "x"}]
    places.replace()
    assert len(shown) == 1
