"""The user's IPython profile in a worker: settings, extensions, start-up files, stored variables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.worker import Execution, Worker

from pyrepl_stream import ResultMessage

pytest.importorskip("IPython")


@pytest.fixture
def worker_with(worker_of: Callable[..., Worker], tmp_path: Path) -> Callable[..., Worker]:
    """Start a worker of a user who has certain files in the profile."""

    def start(**files: str) -> Worker:
        for name, text in files.items():
            path = tmp_path / "profile_default" / name.replace("__", "/")
            path = path.with_suffix(".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return worker_of(env={"IPYTHONDIR": str(tmp_path)})

    return start


def value(seen: Execution) -> str:
    return str(seen.of(ResultMessage)[0].data["text/plain"])


@pytest.mark.parametrize("name", ["ipython_config", "ipython_kernel_config"])
@pytest.mark.parametrize("section", ["InteractiveShellApp", "IPKernelApp"])
def test_lines_and_extensions_of_the_settings_are_run(
    worker_with: Callable[..., Worker], name: str, section: str
) -> None:
    worker = worker_with(
        **{
            name: f"c.{section}.exec_lines = ['set_by_line = 3']\nc.{section}.extensions = ['autoreload']\n"
            "c.InteractiveShell.colors = 'nocolor'"
        }
    )
    assert value(worker.run("set_by_line")) == "3"
    assert value(worker.run("get_ipython().find_line_magic('autoreload') is not None")) == "True"
    assert value(worker.run("get_ipython().colors")).lower() == "'nocolor'"


def test_start_up_files_are_run_with_the_path_of_user_code(
    worker_with: Callable[..., Worker], tmp_path: Path
) -> None:
    worker = worker_with(
        startup__10="import sys; sys.path.append('/own/path'); started = 1", startup__20="1 / 0"
    )
    assert value(worker.run("started, '/own/path' in sys.path")) == "(1, True)"
    assert worker.run("%who").text() == "Interactive namespace is empty.\n"


def test_settings_that_cannot_be_read_leave_a_shell(worker_with: Callable[..., Worker]) -> None:
    worker = worker_with(ipython_config="1 / 0")
    assert value(worker.run("1 + 1")) == "2"


def test_a_history_is_written_where_the_settings_place_it(
    worker_with: Callable[..., Worker], tmp_path: Path
) -> None:
    worker = worker_with(ipython_config=f"c.HistoryManager.hist_file = {str(tmp_path / 'own.sqlite')!r}")
    worker.run("1 + 1")
    assert (tmp_path / "own.sqlite").exists()


def test_variables_are_stored_for_other_sessions(worker_with: Callable[..., Worker]) -> None:
    worker_with().run("kept = [1, 2]\n%store kept")
    assert value(worker_with().run("%store -r kept\nkept")) == "[1, 2]"
