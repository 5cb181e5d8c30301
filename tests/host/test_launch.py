"""Finding and starting hosts."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from support.sessions import host_pid, isolated, wait_for_end

from pyrepl_stream.errors import SessionClosedError, TargetError, UsageError
from pyrepl_stream.host import launch
from pyrepl_stream.host.options import saved_options
from pyrepl_stream.host.places import SessionPlace, runtime_directory
from pyrepl_stream.host.removal import remove_session


@pytest.fixture
def root() -> Iterator[Path]:
    with isolated() as root:
        yield root


START = """
import sys
from pyrepl_stream.host import launch, places
place = places.SessionPlace("shared")
sys.stdin.readline()
with launch.connect_or_start(place, {}) as connection:
    lines = connection.makefile("rb")
    connection.sendall(b'{"op":"hello","request":1,"protocol":1,"version":"test"}\\n')
    import json
    print(json.loads(lines.readline())["pid"])
"""


def test_eight_that_start_the_same_session_at_once_get_one_host(
    root: Path, rounds: Callable[[int, int], int]
) -> None:
    for _ in range(rounds(3, 30)):
        clients = [
            subprocess.Popen(
                [sys.executable, "-c", START], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(8)
        ]
        for client in clients:
            assert client.stdin is not None
            client.stdin.write("\n")
            client.stdin.flush()
        answers = [client.communicate(timeout=60)[0].strip() for client in clients]
        assert [client.returncode for client in clients] == [0] * 8
        assert len(set(answers)) == 1
        assert list((root / "run").glob("*.socket")) == [Path(SessionPlace("shared").socket)]
        os.kill(int(answers[0]), signal.SIGKILL)
        assert wait_for_end(int(answers[0]))


def test_a_host_is_nobodys_child_and_in_a_session_of_its_own(root: Path) -> None:
    place = SessionPlace("detached")
    launch.connect_or_start(place, {}).close()
    pid = host_pid(place.socket)
    status = Path(f"/proc/{pid}/status").read_text()
    assert f"PPid:\t{os.getpid()}\n" not in status
    assert os.getsid(pid) != os.getsid(0)
    assert os.getpgid(pid) != os.getpgid(0)
    for descriptor in (0, 1, 2):
        assert not os.path.samestat(os.stat(f"/proc/{pid}/fd/{descriptor}"), os.fstat(2))


def test_a_host_that_was_killed_is_replaced(root: Path) -> None:
    place = SessionPlace("again")
    launch.connect_or_start(place, {}).close()
    first = host_pid(place.socket)
    os.kill(first, signal.SIGKILL)
    assert wait_for_end(first)
    assert not launch.host_lives(place)
    launch.connect_or_start(place, {}).close()
    assert launch.host_lives(place)
    assert host_pid(place.socket) != first


def test_sockets_locks_and_records_are_closed_to_others(root: Path) -> None:
    place = SessionPlace("modes")
    launch.connect_or_start(place, {}).close()
    host_pid(place.socket)
    for path in root.rglob("*"):
        mode = path.lstat().st_mode & 0o777
        assert mode == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")
def test_a_socket_of_another_user_is_refused(root: Path) -> None:
    place = SessionPlace("planted")
    runtime_directory()
    program = f"""
import os, socket
listener = socket.socket(socket.AF_UNIX)
listener.bind({place.socket!r})
listener.listen()
os.setuid(12345)
listener.listen()  # whose credentials a client sees
print("listening", flush=True)
input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(TargetError, match="another user"):
            launch.connect_or_start(place, {})
        other.communicate("\n")


def test_an_interpreter_that_is_not_there_is_refused_before_anything_starts(root: Path) -> None:
    place = SessionPlace("nowhere")
    with pytest.raises(UsageError, match="no interpreter '/no/such/python'"):
        launch.connect_or_start(place, {"python": "/no/such/python"})
    with pytest.raises(UsageError, match="cwd '/no/such' is no directory"):
        launch.connect_or_start(place, {"cwd": "/no/such"})
    with pytest.raises(UsageError, match="'/bin/ls' is no Python: sessions need Python 3.9 or newer"):
        launch.connect_or_start(place, {"python": "/bin/ls"})
    assert not launch.host_lives(place)


def test_a_host_that_cannot_start_says_why(root: Path) -> None:
    place = SessionPlace("broken")
    runtime_directory()
    with launch.host_lock(place) as held:
        assert held
        with socket.socket(socket.AF_UNIX) as listener:  # a host that lives, with its socket removed
            listener.bind(place.socket)
        with pytest.raises(TargetError, match="lives but cannot be reached"):
            launch.connect_or_start(place, {})


def test_a_lock_file_that_was_removed_is_no_lock(root: Path) -> None:
    place = SessionPlace("locks")
    with launch.host_lock(place) as held:
        assert held
        with launch.host_lock(place) as other:
            assert not other
        os.unlink(place.host_lock)
        with launch.host_lock(place) as other:
            assert other


def hello(connection: socket.socket) -> dict[str, Any]:
    with connection, connection.makefile("rb") as lines:
        connection.sendall(b'{"op":"hello","request":1,"protocol":1,"version":"test"}\n')
        return dict(json.loads(lines.readline()))


def kill_host(place: SessionPlace) -> None:
    pid = host_pid(place.socket)
    os.kill(pid, signal.SIGKILL)
    assert wait_for_end(pid)


# -- options -------------------------------------------------------------------------------------


def test_options_are_on_no_command_line_and_may_be_long(root: Path) -> None:
    place = SessionPlace("secret")
    env = {"TOKEN": "hunter2", **{f"LONG_{number}": "x" * 100_000 for number in range(5)}}
    pid = hello(launch.connect_or_start(place, {"env": env}))["pid"]
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for process in [pid, *children]:
        assert b"hunter2" not in Path(f"/proc/{process}/cmdline").read_bytes()
    kept = Path(place.directory, "session.json")
    assert b"hunter2" in kept.read_bytes()
    assert kept.stat().st_mode & 0o777 == 0o600


def test_what_is_not_given_at_a_restart_is_as_it_was(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = SessionPlace("kept")
    assert saved_options(place) is None
    here = {"cwd": str(tmp_path), "env": {"A": "1"}, "retention": 1 << 22}
    first = hello(launch.connect_or_start(place, here))["options"]
    assert (first["python"], first["cwd"]) == (sys.executable, str(tmp_path))
    kill_host(place)
    monkeypatch.chdir("/")
    monkeypatch.setattr(sys, "executable", os.path.realpath(sys.executable))
    assert hello(launch.connect_or_start(place, {}))["options"] == first
    kill_host(place)
    again = hello(launch.connect_or_start(place, {"env": {"B": "2"}}))["options"]
    assert again == {**first, "env": {"B": "2"}}
    saved = saved_options(place)
    assert saved is not None
    assert asdict(saved) == again


def test_options_that_were_saved_badly_are_none(root: Path) -> None:
    place = SessionPlace("bad")
    for text in ("", "[]", '{"name": "../x"}', '{"name": 5}', "[" * 100_000, '{"cwd": "/"}'):
        Path(place.directory, "session.json").write_text(text)
        assert saved_options(place) is None
    launch.connect_or_start(place, {}).close()


@pytest.mark.parametrize("retention", [1, 1.5, 2e9, True, (1 << 20) - 1, "1 GB"])
def test_retention_is_a_whole_number_of_bytes_and_not_nearly_nothing(root: Path, retention: object) -> None:
    with pytest.raises(UsageError, match="at least 1048576"):
        launch.connect_or_start(SessionPlace("small"), {"retention": retention})


def test_a_working_directory_that_was_removed_is_told_at_once(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    place = SessionPlace("gone")
    with pytest.raises(UsageError, match="was removed.*give `cwd`"):
        launch.connect_or_start(place, {})
    assert not list(root.glob("run/*"))
    assert not os.path.exists(place.records)
    monkeypatch.chdir("/")


# -- sessions that are not there, and hosts that do not answer -----------------------------------


def test_a_session_that_is_gone_is_not_started_by_who_only_reads(root: Path) -> None:
    place = SessionPlace("closed")
    with pytest.raises(SessionClosedError, match="session 'closed' was closed"):
        launch.connect_or_start(place, {}, start=False)
    assert not os.path.exists(place.records)
    assert not list(root.glob("run/*"))
    launch.connect_or_start(place, {}).close()
    kill_host(place)
    launch.connect_or_start(place, {}, start=False).close()  # it has records


def test_a_host_that_is_stopped_lives(root: Path) -> None:
    place = SessionPlace("stopped")
    assert not launch.host_lives(place)
    assert not os.path.exists(place.records)
    launch.connect_or_start(place, {}).close()
    pid = host_pid(place.socket)
    os.kill(pid, signal.SIGSTOP)
    assert launch.host_lives(place)
    os.kill(pid, signal.SIGKILL)
    assert wait_for_end(pid)
    assert not launch.host_lives(place)


@pytest.mark.parametrize("how", ["files removed", "another directory"])
def test_the_records_of_a_living_host_stay_its_own_when_its_socket_is_out_of_sight(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    place = SessionPlace("hidden")
    launch.connect_or_start(place, {}).close()
    pid = host_pid(place.socket)
    if how == "files removed":
        shutil.rmtree(root / "run")
    else:
        monkeypatch.setenv("PYREPL_STREAM_RUNTIME_DIR", str(root / "run2"))
    try:
        with pytest.raises(TargetError, match="lives but cannot be reached"):
            launch.connect_or_start(place, {})
        with pytest.raises(UsageError, match="has got a host"):
            remove_session(place)
        assert os.path.exists(place.records)
    finally:
        os.kill(pid, signal.SIGKILL)
        assert wait_for_end(pid)
    launch.connect_or_start(place, {}).close()
    kill_host(place)


def test_a_start_that_fails_leaves_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = SessionPlace("failing")
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(TargetError, match="cannot be started"):
        launch.connect_or_start(place, {})
    assert not list(root.glob("run/*"))
    assert not os.path.exists(place.records)


def test_a_killed_session_can_be_removed_with_all_its_files(root: Path) -> None:
    place = SessionPlace("idle")
    launch.connect_or_start(place, {}).close()
    kill_host(place)
    remove_session(place)
    assert not list(root.glob("run/*"))
    assert not list(Path(place.records).parent.iterdir())
