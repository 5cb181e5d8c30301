"""Private directories, and valid names of sessions and executions."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from pyrepl_stream import UsageError
from pyrepl_stream.runtime.errors import InsecurePathError
from pyrepl_stream.runtime.host.paths import (
    SessionPaths,
    check_execution_id,
    private_directory,
    runtime_directory,
    sessions_directory,
)

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to another user")


def mode(path: str | os.PathLike[str]) -> int:
    return os.lstat(path).st_mode & 0o777


def test_a_new_private_directory_has_mode_0700(tmp_path: Path) -> None:
    path = private_directory(str(tmp_path / "new" / "dir"))
    assert mode(path) == 0o700
    assert private_directory(path) == path


def test_a_directory_that_is_open_to_other_users_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "open"
    path.mkdir(mode=0o755)
    with pytest.raises(InsecurePathError, match="mode 0755.*chmod 0700"):
        private_directory(str(path))


@AS_ROOT
def test_a_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "planted"
    path.mkdir(mode=0o700)
    os.chown(path, 12345, 12345)
    with pytest.raises(InsecurePathError, match="another user \\(uid 12345\\).*PYREPL_STREAM_RUNTIME_DIR"):
        private_directory(str(path))


def test_a_symlink_to_a_private_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "own")
    with pytest.raises(InsecurePathError, match="is not a directory"):
        private_directory(str(tmp_path / "link"))


def test_a_file_in_place_of_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InsecurePathError, match="is not a directory"):
        private_directory(str(tmp_path / "file"))
    with pytest.raises(InsecurePathError, match="cannot be created"):
        private_directory(str(tmp_path / "file" / "below"))


def test_environment_variables_choose_the_directories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYREPL_STREAM_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("PYREPL_STREAM_STATE_DIR", str(tmp_path / "state"))
    assert runtime_directory() == str(tmp_path / "run")
    assert Path(sessions_directory()).parent == tmp_path / "state"
    place = SessionPaths("training")
    assert Path(place.socket).parent == tmp_path / "run"
    assert place.execution("job.1") == os.path.join(place.directory, "job.1")
    assert [mode(path) for path in (runtime_directory(), sessions_directory(), place.directory)] == [
        0o700
    ] * 3


@AS_ROOT
def test_a_place_that_another_user_has_taken_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = 1_700_000_000 + os.getpid()  # a user without a runtime directory
    taken = Path(f"/tmp/pyrepl-stream-{uid}")
    monkeypatch.delenv("PYREPL_STREAM_RUNTIME_DIR", raising=False)
    with tempfile.TemporaryDirectory(prefix="ps-", dir="/tmp") as state:
        os.chown(state, uid, -1)
        monkeypatch.setenv("PYREPL_STREAM_STATE_DIR", state)
        taken.mkdir(mode=0o700)
        os.seteuid(uid)
        try:
            chosen = runtime_directory()
            assert chosen == os.path.join(sessions_directory(), "run")
            assert mode(chosen) == 0o700
            assert os.path.dirname(SessionPaths("a").socket) == chosen
        finally:
            os.seteuid(0)
            taken.rmdir()
        os.seteuid(uid)
        try:
            assert runtime_directory() == str(taken)
        finally:
            os.seteuid(0)
            taken.rmdir()


def test_records_are_in_the_xdg_state_directory_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYREPL_STREAM_STATE_DIR", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert Path(sessions_directory()).parent == tmp_path / "pyrepl-stream"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert Path(sessions_directory()).parent == tmp_path / "home/.local/state/pyrepl-stream"


def test_a_directory_too_long_for_sockets_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYREPL_STREAM_RUNTIME_DIR", str(tmp_path / ("d" * 100)))
    with pytest.raises(InsecurePathError, match="too long"):
        runtime_directory()


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../up",
        "a/b",
        "/etc",
        ".hidden",
        "-option",
        "a\0b",
        "a b",
        "a\n",
        "é",
        "x" * 65,
        None,
        7,
    ],
)
def test_names_that_could_leave_the_directory_are_refused(name: object) -> None:
    with pytest.raises(UsageError, match="1 to 64 letters"):
        check_execution_id(name)
    with pytest.raises(UsageError, match="session name"):
        SessionPaths(name)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["a", "train-1", "0", "_", "v1.2_x", "x" * 64])
def test_plain_names_are_accepted(name: str) -> None:
    assert check_execution_id(name) == name
    assert len(SessionPaths(name).key) == 16
