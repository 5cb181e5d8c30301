"""Input, notes and records of executions that several cells show, or whose cell was interrupted."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.kernels import Kernel
from support.notebook import Notebook

pytestmark = pytest.mark.kernel


@pytest.fixture
def any_notebook(any_kernel: Kernel) -> Notebook:
    return Notebook(any_kernel)


def asks_after(go: Path) -> str:
    return f"import os, time\nprint('go')\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\nprint('hi', input('who? '))"


def test_an_attaching_cell_requests_input_if_its_page_cannot(any_notebook: Notebook, tmp_path: Path) -> None:
    notebook, go = any_notebook, tmp_path / "go"
    first = notebook.run(f"%%remote_stream --detach --fresh --as asks\n{asks_after(go)}")
    area = notebook.area(first)
    notebook.until(lambda: area.texts == ["go"])
    cell = notebook.execute("%remote_stream attach asks")
    notebook.until(lambda: any("model" in output for output in notebook.outputs[cell]))
    go.touch()
    notebook.until(lambda: notebook.asked)
    notebook.client.input("bob")
    notebook.until(lambda: cell in notebook.replies)
    assert notebook.replies[cell]["status"] == "ok"
    notebook.until(lambda: area.status["state"] == "ok")
    assert area.texts[-1] == "hi bob"
    assert area.state["question"] is None


def test_input_requested_after_the_cell_was_interrupted_is_in_the_area(
    any_notebook: Notebook, tmp_path: Path
) -> None:
    notebook, go = any_notebook, tmp_path / "go"
    notebook.run(f"%%remote_stream --detach --fresh --as left --plain\n{asks_after(go)}")
    cell = notebook.execute("%remote_stream attach left")
    area = notebook.area(cell)
    notebook.until(lambda: area.texts == ["go"])
    notebook.kernel.manager.interrupt_kernel()
    notebook.until(lambda: cell in notebook.replies and cell in notebook.idle)
    notebook.until(lambda: area.status["stop"] == "yes")
    go.touch()
    notebook.until(lambda: area.state["question"])
    question = area.state["question"]
    notebook.say(area, type="input", view="page", request=question["request"], text="bob")
    notebook.until(lambda: area.status["state"] == "ok")
    assert (area.texts[-1], area.state["question"]) == ("hi bob", None)


def test_an_open_request_of_an_interrupted_cell_moves_to_the_area(
    any_notebook: Notebook, tmp_path: Path
) -> None:
    notebook, go = any_notebook, tmp_path / "go"
    notebook.run(f"%%remote_stream --detach --fresh --as passed --plain\n{asks_after(go)}")
    asked = len(notebook.asked)
    cell = notebook.execute("%remote_stream attach passed")
    area = notebook.area(cell)
    go.touch()
    notebook.until(lambda: len(notebook.asked) > asked)
    notebook.kernel.manager.interrupt_kernel()
    notebook.until(lambda: cell in notebook.replies and cell in notebook.idle)
    notebook.until(lambda: area.state["question"])
    notebook.say(area, type="input", view="page", request=area.state["question"]["request"], text="eve")
    notebook.until(lambda: area.status["state"] == "ok")
    assert area.texts[-1] == "hi eve"


def test_a_cell_notes_that_its_job_exists_already(fresh_kernel: Kernel) -> None:
    notebook = Notebook(fresh_kernel).loaded()
    notebook.run("%%remote_stream --as once\nprint('x')")
    cell = notebook.run("%%remote_stream --as once\nprint('x')")
    said = [data["text/plain"] for data in notebook.displays(cell)]
    assert "[job 'once' already exists (ok): this is its output; --fresh runs it again]" in said


def test_pictures_as_bytes_are_shown(fresh_kernel: Kernel) -> None:
    notebook = Notebook(fresh_kernel).loaded()
    code = "class Picture:\n    def _repr_png_(self): return b'\\x89PNG\\r\\n'\nfrom IPython.display import display\ndisplay(Picture())\nPicture()"
    for target in ("thread:", "local:"):
        area = notebook.area(notebook.run(f"%%remote_stream {target}\n{code}"))
        notebook.until(lambda: len(area.of("display")) == 2)  # noqa: B023
        shown = [message["bundle"]["src"] for message in area.of("display")]
        assert shown == ["data:image/png;base64,iVBORw0K"] * 2


def test_height_applies_to_html_too(fresh_kernel: Kernel, tmp_path: Path) -> None:
    notebook, go = Notebook(fresh_kernel).loaded(), tmp_path / "go"
    notebook.run("%config RemoteStream.display = 'html'")
    code = f"import os, time\nfor n in range(9): print('row', n)\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)"
    cell = notebook.execute(f"%%remote_stream --height 3\n{code}")
    notebook.until(
        lambda: any("row 8" in data["text/html"] for data in notebook.displays(cell) if "text/html" in data)
    )
    (shown,) = notebook.displays(cell)
    assert [n for n in range(9) if f"row {n}" in shown["text/html"]] == [6, 7, 8]
    go.touch()
    notebook.until(lambda: cell in notebook.replies)
