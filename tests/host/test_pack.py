"""The far end in one file, under every interpreter that is promised."""

from __future__ import annotations

import os
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest
from support.interpreters import interpreters

from pyrepl_stream.host import pack

ROOT = Path(__file__).parents[2]


def test_the_archive_is_written_once_and_closed_to_others(tmp_path: Path) -> None:
    path = pack.write_archive(str(tmp_path))
    before = os.stat(path)
    assert pack.write_archive(str(tmp_path)) == path
    assert os.stat(path).st_mtime_ns == before.st_mtime_ns
    assert before.st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == [Path(path).name]


def test_the_archive_has_the_far_end_and_nothing_else(tmp_path: Path) -> None:
    with zipfile.ZipFile(pack.write_archive(str(tmp_path))) as archive:
        names = {name.removeprefix("pyrepl_stream_far/") for name in archive.namelist()}
    tops = {name.split("/")[0] for name in names}
    assert tops == {*pack.FAR_END, "__init__.py", "__main__.py"}
    assert "host/server.py" in names
    assert "worker/main.py" in names


def test_the_linter_knows_what_the_far_end_is() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
    old = {
        name.removeprefix("pyrepl_stream/").removesuffix("/**")
        for name in settings["ruff"]["per-file-target-version"]
    }
    assert old == set(pack.FAR_END)
    contract = next(c for c in settings["importlinter"]["contracts"] if c["id"] == "far-end")
    sources = {name.removeprefix("pyrepl_stream.") for name in contract["source_modules"]}
    assert sources == {name.removesuffix(".py") for name in pack.FAR_END}


def test_an_archive_without_a_role_says_what_it_wants(tmp_path: Path, far_python: str) -> None:
    path = pack.write_archive(str(tmp_path))
    process = subprocess.run(
        [far_python, path], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    assert (process.returncode, process.stdout) == (1, "")
    assert "host LISTENER REPORT NAME" in process.stderr


@pytest.fixture(params=["3.9", "3.13"])
def far_python(request: pytest.FixtureRequest) -> str:
    if request.param not in interpreters():
        pytest.skip(f"there is no Python {request.param} here")
    return interpreters()[request.param]
