from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from support.kernels import ROOT, kernel
from support.notebook import WIDGET, Notebook, save_notebook

from jupyter_ext.area.revival import model_ids, notebook_path
from pyrepl_stream import connect

SECRET = "api_key = 'hunter2-SECRET'"
TOOLS = {
    "papermill": ["papermill", "in.ipynb", "out.ipynb", "--no-progress-bar"],
    "nbconvert": ["nbconvert", "--to", "notebook", "--execute", "in.ipynb", "--output", "out.ipynb"],
    "nbconvert to HTML": ["nbconvert", "--to", "html", "--execute", "in.ipynb", "--output", "out.html"],
}


# -- the notebook of a kernel ----------------------------------------------------------------------


def test_the_models_of_a_notebook_are_those_in_its_outputs(tmp_path: Path) -> None:
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": "x"},
        {"output_type": "display_data", "data": {WIDGET: {"model_id": "one"}, "text/plain": "x"}},
        {"output_type": "display_data", "data": {"text/plain": "x"}},
    ]
    cells = [{"cell_type": "markdown", "source": ""}, {"cell_type": "code", "outputs": outputs}]
    path = tmp_path / "some.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    assert model_ids(str(path)) == {"one"}


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"cells": 3}', '{"cells": [{"outputs": [{"data": 1}]}]}'])
def test_a_file_of_another_format_shows_no_models(tmp_path: Path, text: str) -> None:
    path = tmp_path / "some.ipynb"
    path.write_text(text)
    assert model_ids(str(path)) == set()


def test_a_missing_notebook_shows_no_models() -> None:
    assert model_ids("") == model_ids("/nothing/there.ipynb") == set()


@pytest.mark.parametrize(
    ("environment", "namespace", "path"),
    [
        ({}, {}, ""),
        ({"JPY_SESSION_NAME": "console-1"}, {}, ""),
        ({"JPY_SESSION_NAME": "/a.ipynb"}, {}, "/a.ipynb"),
        ({}, {"__session__": "/a.ipynb"}, "/a.ipynb"),
        ({"JPY_SESSION_NAME": "/a-jvsc-1.ipynb"}, {"__vsc_ipynb_file__": "/a.ipynb"}, "/a.ipynb"),
        ({"JPY_SESSION_NAME": "/a.ipynb"}, {"__vsc_ipynb_file__": 3}, "/a.ipynb"),
    ],
)
def test_the_front_end_names_the_notebook(
    environment: dict[str, str], namespace: dict[str, object], path: str
) -> None:
    assert notebook_path(environment, namespace) == path


# -- nothing of other notebooks --------------------------------------------------------------------


@pytest.fixture
def recorded() -> None:
    """Record two executions of other notebooks, one ended and one running."""
    with connect("local:") as session:
        session.execute(SECRET).wait()
        assert session.execute(f"{SECRET}; import time; time.sleep(1000)").wait_started()


@pytest.mark.kernel
@pytest.mark.parametrize(("tool", "inherited"), [*((tool, False) for tool in TOOLS), ("papermill", True)])
def test_a_program_that_runs_a_notebook_saves_nothing_of_other_notebooks(
    recorded: None, tmp_path: Path, tool: str, inherited: bool
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if inherited:  # as for `!papermill` in a cell
        with kernel(cwd=tmp_path) as outer:
            notebook = Notebook(outer).loaded()
            cell = notebook.run(
                f"%%remote_stream local:other --detach\n{SECRET}; import time; time.sleep(1000)"
            )
            notebook.area(cell)
            save_notebook(tmp_path / "outer.ipynb", *notebook.displays(cell))
        assert WIDGET in (tmp_path / "outer.ipynb").read_text()
        environment["JPY_SESSION_NAME"] = str(tmp_path / "outer.ipynb")
    written = nbformat.v4.new_notebook()
    written.cells = [nbformat.v4.new_code_cell(code) for code in ("%load_ext jupyter_ext", "print('hi')")]
    written.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(written, tmp_path / "in.ipynb")
    command = [sys.executable, "-m", *TOOLS[tool]]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("out.*")
    text = path.read_text()
    assert "hi" in text
    assert "hunter2" not in text
    assert "LiveArea" not in text
    if path.suffix == ".ipynb":
        notebook = nbformat.read(path, as_version=4)
        assert "widgets" not in notebook.metadata
        assert [str(output.text) for cell in notebook.cells for output in cell.outputs] == ["hi\n"]


@pytest.mark.kernel
def test_a_kernel_of_an_unknown_notebook_makes_no_models(recorded: None, tmp_path: Path) -> None:
    with kernel(cwd=tmp_path) as running:
        assert Notebook(running).loaded().areas == {}


@pytest.mark.kernel
@pytest.mark.parametrize("named_by", ["JPY_SESSION_NAME", "__vsc_ipynb_file__"])
def test_a_restarted_kernel_makes_only_the_models_of_its_notebook(
    recorded: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named_by: str
) -> None:
    path = tmp_path / "own.ipynb"
    with kernel(cwd=tmp_path) as first:
        notebook = Notebook(first).loaded()
        other = notebook.area(notebook.run(f"%%remote_stream local:other\n{SECRET}"))
        own = notebook.area(notebook.run("%%remote_stream local:other --as mine\nprint('mine')"))
        assert own.id != other.id
        save_notebook(path, {WIDGET: {"model_id": own.id}})
    if named_by == "JPY_SESSION_NAME":
        monkeypatch.setenv(named_by, str(path))
    with kernel(cwd=tmp_path) as second:
        notebook = Notebook(second)
        notebook.run(f"__vsc_ipynb_file__ = {str(path)!r}" if named_by == "__vsc_ipynb_file__" else "")
        assert list(notebook.loaded().areas) == [own.id]
        assert "hunter2" not in str(notebook.areas)
