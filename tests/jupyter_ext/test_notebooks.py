"""Notebooks run by the tools that run notebooks without a person."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from support.kernels import ROOT

pytestmark = pytest.mark.kernel

QUICKSTART = ROOT / "notebooks" / "quickstart.ipynb"


@pytest.fixture
def failing(tmp_path: Path) -> Path:
    """A notebook whose second cell fails in the session."""
    notebook = nbformat.v4.new_notebook()
    sources = (
        "%load_ext jupyter_ext",
        "%%remote_stream\nprint('before')\n1/0",
        "open('reached', 'w').close()",
    )
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = tmp_path / "failing.ipynb"
    nbformat.write(notebook, path)
    return path


def _execute(path: Path) -> nbformat.NotebookNode:
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    ).execute()
    return notebook


def _run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=cwd, env=environment, capture_output=True, text=True
    )


def _texts(notebook: nbformat.NotebookNode) -> list[str]:
    """The stream text of each code cell."""
    return [
        "".join(output.get("text", "") for output in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def test_nbclient_runs_the_quickstart() -> None:
    texts = _texts(_execute(QUICKSTART))
    assert "step 5: total 15" in texts[1]
    assert "shell says 3" in texts[3]
    assert "ZeroDivisionError: division by zero" in texts[4]


def test_nbclient_runs_the_notebook_of_commands() -> None:
    notebook = _execute(ROOT / "notebooks" / "commands.ipynb")
    texts = _texts(notebook)
    assert "120 columns" in texts[1]
    assert "[ok, exit code 0 after" in texts[1]
    results = [
        output["data"]["text/plain"]
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type == "execute_result"
    ]
    assert results[0] == "('timeout', 'idle_timeout: no output for 1 s')"
    assert results[1] == "('hello you\\n', 3)"
    assert "step 'build': the command exited with 2" in texts[5]
    assert "end {'type': 'end', 'code': 0}" in texts[6]


def test_nbclient_stops_at_a_failing_cell(failing: Path) -> None:
    with pytest.raises(CellExecutionError, match="ZeroDivisionError: division by zero") as caught:
        _execute(failing)
    assert "pyrepl_stream" not in str(caught.value)
    assert not (failing.parent / "reached").exists()


def test_nbconvert_executes_the_quickstart(tmp_path: Path) -> None:
    done = _run(
        "nbconvert", "--to", "notebook", "--execute", str(QUICKSTART), "--output-dir", ".", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    notebook = nbformat.read(tmp_path / "quickstart.ipynb", as_version=4)
    assert "step 5: total 15" in _texts(notebook)[1]


def test_nbconvert_fails_at_a_failing_cell(failing: Path) -> None:
    done = _run("nbconvert", "--to", "notebook", "--execute", str(failing), cwd=failing.parent)
    assert done.returncode != 0
    assert "ZeroDivisionError: division by zero" in done.stderr
    assert not (failing.parent / "reached").exists()


def test_papermill_runs_the_quickstart(tmp_path: Path) -> None:
    done = _run("papermill", str(QUICKSTART), "out.ipynb", "--no-progress-bar", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "step 5: total 15" in _texts(nbformat.read(tmp_path / "out.ipynb", as_version=4))[1]


def test_papermill_stops_at_a_failing_cell_and_keeps_its_output(failing: Path) -> None:
    done = _run("papermill", str(failing), "out.ipynb", "--no-progress-bar", cwd=failing.parent)
    assert done.returncode != 0
    assert "ZeroDivisionError: division by zero" in done.stderr
    assert not (failing.parent / "reached").exists()
    assert "before" in (failing.parent / "out.ipynb").read_text()
