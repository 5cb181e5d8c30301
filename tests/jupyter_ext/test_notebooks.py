"""Notebooks that programs run: nbclient, nbconvert and papermill."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from support.kernels import ROOT

from pyrepl_stream.inventory import list_sessions

pytestmark = pytest.mark.kernel

DIVISION = r"ZeroDivisionError(\x1b\[39m)?: division by zero"  # the name may be coloured, as in a plain cell
QUICKSTART = ROOT / "notebooks" / "quickstart.ipynb"


@pytest.fixture
def failing(tmp_path: Path) -> Path:
    """Make a notebook whose second cell fails in the session."""
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
    """Return the stream text of each code cell."""
    return [
        "".join(output.get("text", "") for output in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def test_nbclient_runs_the_quickstart() -> None:
    texts = _texts(_execute(QUICKSTART))
    assert "step 5: total 15" in texts[1]
    assert texts[2].partition("\n")[2] == texts[1], "the job ran twice, or was not shown whole"
    assert "shell says 3" in texts[3]
    assert re.search(DIVISION, texts[4])


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
    with pytest.raises(CellExecutionError, match=DIVISION) as caught:
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
    assert re.search(DIVISION, done.stderr)
    assert not (failing.parent / "reached").exists()


def test_papermill_runs_the_quickstart(tmp_path: Path) -> None:
    done = _run("papermill", str(QUICKSTART), "out.ipynb", "--no-progress-bar", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "step 5: total 15" in _texts(nbformat.read(tmp_path / "out.ipynb", as_version=4))[1]


def test_papermill_stops_at_a_failing_cell_and_keeps_its_output(failing: Path) -> None:
    done = _run("papermill", str(failing), "out.ipynb", "--no-progress-bar", cwd=failing.parent)
    assert done.returncode != 0
    assert re.search(DIVISION, done.stderr)
    assert not (failing.parent / "reached").exists()
    assert "before" in (failing.parent / "out.ipynb").read_text()


def test_nbclient_runs_the_notebook_of_processors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = tmp_path / "processors.ipynb"  # it writes beside itself
    notebook.write_bytes((ROOT / "notebooks" / "processors.ipynb").read_bytes())
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYREPL_STREAM_CONFIG_DIR", str(tmp_path))
    executed = _execute(notebook)
    texts = _texts(executed)
    assert "Remote progress: 100%" in texts[1]
    assert "Receiving objects:" not in texts[1].replace("| Receiving objects", "")
    assert "400" in texts[1].splitlines()
    assert texts[2].splitlines() == ["working on 0", "working on 1", "working on 2"]
    assert "warning: disk is slow" in texts[4]
    assert "retrying" not in texts[4]
    assert "starting" not in texts[4]
    assert texts[6] == "KeyError: not quite\n"
    assert texts[8].splitlines()[:2] == ["loss 0.1", "epoch {'number': '1', 'of': '3'}"]
    assert (
        texts[9]
        == texts[10].replace("\r", "") + "\n"
        == "".join(f"epoch {n}/3 loss=0.{n}\n" for n in (1, 2, 3)) + "\n"
    )
    (result,) = (
        output["data"]["text/plain"]
        for cell in executed.cells
        for output in cell.get("outputs", ())
        if output.output_type == "execute_result"
    )
    assert result == "[('step', 1.0), ('step', 0.5), ('step', 0.3333333333333333)]"


def test_nbclient_runs_the_notebook_of_sessions() -> None:
    texts = _texts(_execute(ROOT / "notebooks" / "sessions.ipynb"))
    assert texts[1].splitlines() == [f"epoch {number}" for number in range(1, 6)]
    assert texts[2].partition("\n")[2] == texts[1], "the job ran twice, or was not shown whole"
    assert "interrupted" in texts[7]
    assert "demo/train" in texts[8]
    assert "again, behind message 1:" in texts[9]
    assert "epoch 5" in texts[10]
    assert [session.name for session in list_sessions() if session.alive] == []


def test_nbclient_runs_the_notebook_of_the_live_area() -> None:
    notebook = _execute(ROOT / "notebooks" / "live_area.ipynb")
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    texts = _texts(notebook)
    assert "epoch 5  loss" in texts[1]
    assert "line 1000000 of a million" in texts[2]
    assert sum("text/html" in output.get("data", {}) for output in cells[3].outputs) == 3
    record = "".join(output.get("data", {}).get("text/plain", "") for output in cells[4].outputs)
    assert [line for line in record.splitlines() if line.startswith("tick")] == [
        f"tick {n}" for n in range(10)
    ]
    assert [
        session.name for session in list_sessions() if session.alive and session.name == "background"
    ] == []


def _executed(*sources: str, cwd: Path) -> nbformat.NotebookNode:
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in ("%load_ext jupyter_ext", *sources)]
    path = cwd / "written.ipynb"
    nbformat.write(notebook, path)
    return _execute(path)


def test_nbclient_has_the_record_of_a_detached_run_that_ends_while_another_cell_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = _executed(
        "%%remote_stream --detach --as later\nimport os, time\n"
        f"while not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)\nprint('late')",
        f"open({str(tmp_path / 'go')!r}, 'w').close()\nimport threading, time\n"
        "while any(thread.name == 'view of later' for thread in threading.enumerate()): time.sleep(0.01)",
        cwd=tmp_path,
    )
    (record,) = (output for output in notebook.cells[1].outputs if output.output_type == "display_data")
    assert "\nlate\n" in record.data["text/plain"]


def test_nbclient_has_the_records_of_detached_runs_that_end_between_two_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = _executed(
        *["%%remote_stream --detach\nprint('fast')"] * 20,
        "import threading, time\n"
        "while any(thread.name.startswith('view of') for thread in threading.enumerate()): time.sleep(0.01)",
        cwd=tmp_path,
    )
    outputs = [output for cell in notebook.cells[1:-1] for output in cell.outputs]
    records = [output.data["text/plain"] for output in outputs if output.output_type == "display_data"]
    assert [record for record in records if "\nfast\n" not in record] == []
    assert len(records) == 20


def test_nbclient_has_all_lines_of_a_moderate_flood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = _executed("%%remote_stream\nfor i in range(50000): print('line', i)", cwd=tmp_path)
    assert _texts(notebook)[1] == "".join(f"line {i}\n" for i in range(50000))
