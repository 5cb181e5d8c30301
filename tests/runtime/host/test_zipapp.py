"""The far end in one file, under every supported interpreter."""

from __future__ import annotations

import os
import subprocess
import zipfile
from pathlib import Path

import pytest
from support.interpreters import interpreters

from pyrepl_stream.runtime.host import zipapp

ROOT = Path(__file__).parents[3]


def test_the_archive_is_written_once_and_is_private(tmp_path: Path) -> None:
    path = zipapp.write_archive(str(tmp_path))
    before = os.stat(path)
    assert zipapp.write_archive(str(tmp_path)) == path
    assert os.stat(path).st_mtime_ns == before.st_mtime_ns
    assert before.st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == [Path(path).name]


def test_the_archive_contains_only_the_far_end(tmp_path: Path) -> None:
    with zipfile.ZipFile(zipapp.write_archive(str(tmp_path))) as archive:
        names = {name.removeprefix("pyrepl_stream_far/") for name in archive.namelist()}
    folder = ROOT / "pyrepl_stream" / "runtime"
    assert names == {"__main__.py", *(path.relative_to(folder).as_posix() for path in folder.rglob("*.py"))}


def test_an_archive_without_a_role_prints_its_usage(tmp_path: Path, far_python: str) -> None:
    path = zipapp.write_archive(str(tmp_path))
    process = subprocess.run(
        [far_python, path], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    assert (process.returncode, process.stdout) == (1, "")
    assert "host LISTENER REPORT NAME" in process.stderr


@pytest.fixture(params=["3.9", "3.13"])
def far_python(request: pytest.FixtureRequest) -> str:
    if request.param not in interpreters():
        pytest.skip(f"Python {request.param} is not installed")
    return interpreters()[request.param]
