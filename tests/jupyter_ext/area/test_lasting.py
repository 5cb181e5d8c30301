"""Areas of old runs, of runs that another kernel started, and of runs whose id a later run has taken."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.kernels import Kernel, kernel
from support.notebook import WIDGET, Area, Notebook, save_notebook

from pyrepl_stream.inventory import list_sessions

pytestmark = pytest.mark.kernel

WAITS = "import time\nprint('new', flush=True)\ntime.sleep(1000)"


@pytest.fixture
def notebook(fresh_kernel: Kernel) -> Notebook:
    return Notebook(fresh_kernel).loaded()


def part_of(notebook: Notebook, area: Area, view: str, part: int) -> tuple[dict[str, Any], list[bytes]]:
    def parts() -> list[tuple[dict[str, Any], list[bytes]]]:
        key = ("log", view, part)
        return [(m, b) for m, b in area.messages if (m["type"], m.get("to"), m.get("part")) == key]

    notebook.say(area, type="log", view=view, log=1, part=part)
    notebook.until(parts)
    return parts()[0]


def log_of(notebook: Notebook, area: Area, view: str = "log") -> bytes:
    data = b""
    for part in itertools.count():
        message, buffers = part_of(notebook, area, view, part)
        data += b"".join(buffers)
        if message["done"]:
            break
    return data


def found_in(notebook: Notebook, area: Area, text: str, view: str = "search") -> dict[str, Any]:
    notebook.say(area, type="search", view=view, search=1, text=text)
    notebook.until(lambda: any(found["done"] for found in area.of("found", view)))
    last: dict[str, Any] = area.of("found", view)[-1]
    return last


def note_of(notebook: Notebook, area: Area, view: str) -> str:
    notebook.until(lambda: area.of("note", view))
    text: str = area.of("note", view)[-1]["text"]
    return text


@contextmanager
def frozen(name: str) -> Iterator[None]:
    (host,) = (session.pid for session in list_sessions() if session.name == name)
    assert host is not None
    os.kill(host, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(host, signal.SIGCONT)


def test_log_and_search_are_complete_at_once_in_a_new_kernel(
    notebook: Notebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = notebook.run("%%remote_stream\nfor i in range(100000): print('line', i)")
    name = notebook.area(cell).id
    expected = b"".join(b"line %d\n" % i for i in range(100000))
    save_notebook(tmp_path / "saved.ipynb", {WIDGET: {"model_id": name}})
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "saved.ipynb"))
    with kernel(cwd=tmp_path) as second:
        other = Notebook(second).loaded()
        other.until(lambda: name in other.areas)
        area = other.areas[name]
        other.say(area, type="hello", view="page", have=0)
        other.say(area, type="search", view="page", search=1, text="line 99999")
        assert log_of(other, area) == expected
        other.until(lambda: any(found["done"] for found in area.of("found", "page")))
        last = area.of("found", "page")[-1]
        assert (last["count"], last["searched"]) == (1, 100000)


def test_log_and_search_are_complete_for_a_forgotten_area(notebook: Notebook) -> None:
    first = notebook.area(notebook.run("%%remote_stream\nfor i in range(30000): print('line', i)"))
    notebook.run(
        "ip = get_ipython()\nfor n in range(45): ip.run_cell_magic('remote_stream', '', f'print({n})')"
    )
    assert log_of(notebook, first) == b"".join(b"line %d\n" % i for i in range(30000))
    assert found_in(notebook, first, "line 29999")["count"] == 1


def test_a_search_in_a_partial_record_notes_it_and_numbers_rows_from_the_end(
    notebook: Notebook,
) -> None:
    area = notebook.area(
        notebook.run("%%remote_stream thread:\nfor i in range(300000): print('row', i, 'x' * 50)")
    )
    notebook.until(lambda: area.end == 300000)
    found = found_in(notebook, area, "row 299999")
    assert [number for number, _ in found["lines"]] == [299999]
    assert "Earlier lines are no longer kept" in note_of(notebook, area, "search")
    assert found_in(notebook, area, "row 5 ", "other")["lines"] == []


def test_the_log_of_a_running_execution_ends_with_its_newest_output(
    notebook: Notebook, tmp_path: Path
) -> None:
    for target, view in (("local:", "session"), ("thread:", "thread")):
        go = tmp_path / view
        code = f"import os, time\nprint('before')\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)"
        area = notebook.area(notebook.run(f"%%remote_stream {target} --detach\n{code}"))
        notebook.until(lambda: area.texts == ["before"])  # noqa: B023
        assert log_of(notebook, area, view) == b"before\n"
        assert found_in(notebook, area, "bef", view)["count"] == 1
        go.touch()
        notebook.until(lambda: area.status["state"] == "ok")  # noqa: B023


def test_a_run_is_not_confused_with_an_earlier_one_of_its_id(notebook: Notebook) -> None:
    first = notebook.area(notebook.run("%%remote_stream --as J\nfor i in range(200): print('old', i)"))
    second = notebook.area(notebook.run(f"%%remote_stream --as J --fresh --detach\n{WAITS}"))
    notebook.until(lambda: second.texts == ["new"])
    assert first.id != second.id
    notebook.say(first, type="log", view="log", log=1, part=0)
    assert note_of(notebook, first, "log") == "default/J was run again: the record of this run is gone"
    assert found_in(notebook, first, "new")["count"] == 0
    for act in ("interrupt", "kill"):
        notebook.say(first, type=act, view=act)
        assert "was run again" in note_of(notebook, first, act)
    assert second.status["state"] == "running"
    notebook.say(second, type="interrupt")
    notebook.until(lambda: second.status["state"] == "interrupted")


def test_an_unresponsive_session_does_not_block_other_areas(notebook: Notebook) -> None:
    slow = notebook.area(notebook.run("%%remote_stream local:slow\nfor i in range(3000): print('line', i)"))
    other = notebook.area(notebook.run("%%remote_stream local:other\nprint('other')"))
    with frozen("slow"):
        notebook.say(slow, type="log", view="log", log=1, part=0)
        notebook.say(slow, type="input", view="page", request=1, text="x")
        notebook.say(other, type="hello", view="page", have=0)
        notebook.until(lambda: other.of("rows", "page"))
        assert log_of(notebook, other) == b"other\n"
        notebook.say(slow, type="hello", view="page", have=0)
        notebook.until(lambda: slow.of("rows", "page"))
        assert not slow.of("log", "log")
        assert "did not answer" in note_of(notebook, slow, "log")


def test_the_area_of_a_deleted_record_has_an_unknown_state(
    notebook: Notebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = notebook.area(notebook.run("%%remote_stream local:gone\nprint('x')")).id
    save_notebook(tmp_path / "saved.ipynb", {WIDGET: {"model_id": name}})
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "saved.ipynb"))
    with kernel(cwd=tmp_path) as second:
        other = Notebook(second).loaded()
        other.until(lambda: name in other.areas)
        notebook.run("%remote_stream close gone")
        area = other.areas[name]
        other.say(area, type="hello", view="page", have=0)
        other.until(lambda: area.status["state"] == "unknown")
        assert (area.status["stop"], area.status["elapsed"]) == ("no", None)
        assert any("removed" in text for text in area.texts)


def test_a_display_is_sent_once_for_one_request(notebook: Notebook) -> None:
    area = notebook.area(notebook.run("%%remote_stream\nfrom IPython.display import HTML\nHTML('<b>x</b>')"))
    notebook.say(area, type="displays", view="page", ids=["d1"] * 2000)
    notebook.say(area, type="rows", view="behind", first=0, end=1)
    notebook.until(lambda: area.of("rows", "behind"))
    assert len(area.of("display", "page")) == 1


def test_an_incomplete_area_is_read_again_when_a_page_opens(notebook: Notebook, tmp_path: Path) -> None:
    area = notebook.area(
        notebook.run("%%remote_stream local:cut --as job\nfor i in range(3): print('line', i)")
    )
    notebook.run(
        "ip = get_ipython()\nfor n in range(45): ip.run_cell_magic('remote_stream', '', f'print({n})')"
    )
    area.rows.clear()
    with frozen("cut"):
        notebook.say(area, type="hello", view="page", have=1)
        notebook.until(lambda: "did not answer" in str(area.rows))
    notebook.say(area, type="hello", view="page", have=1)
    notebook.until(lambda: area.texts == ["line 0", "line 1", "line 2"])


def test_old_thread_runs_leave_records_and_no_models(notebook: Notebook) -> None:
    cells = [notebook.run(f"%%remote_stream thread:\nprint({n})") for n in range(45)]
    areas = [notebook.area(cell) for cell in cells]
    notebook.until(lambda: areas[0].closed)
    assert not areas[-1].closed
    (record,) = notebook.displays(cells[0])
    assert WIDGET not in record
    assert "0" in record["text/plain"]
