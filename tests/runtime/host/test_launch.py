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

from pyrepl_stream.runtime.errors import SessionClosedError, TargetError, UsageError
from pyrepl_stream.runtime.host import launch
from pyrepl_stream.runtime.host.cleanup import remove_session
from pyrepl_stream.runtime.host.paths import SessionPaths, load_options, runtime_directory


@pytest.fixture
def root() -> Iterator[Path]:
    with isolated() as root:
        yield root


START = """
import sys
from pyrepl_stream.runtime.host import launch, paths
place = paths.SessionPaths("shared")
sys.stdin.readline()
with launch.connect_or_start(place, {}) as connection:
    lines = connection.makefile("rb")
    connection.sendall(b'{"op":"hello","request":1,"protocol":1,"version":"test"}\\n')
    import json
    print(json.loads(lines.readline())["pid"])
"""


def test_eight_processes_that_start_a_session_at_once_get_one_host(
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
        assert list((root / "run").glob("*.socket")) == [Path(SessionPaths("shared").socket)]
        os.kill(int(answers[0]), signal.SIGKILL)
        assert wait_for_end(int(answers[0]))


def test_a_host_is_an_orphan_in_a_session_of_its_own(root: Path) -> None:
    place = SessionPaths("detached")
    launch.connect_or_start(place, {}).close()
    pid = host_pid(place.socket)
    status = Path(f"/proc/{pid}/status").read_text()
    assert f"PPid:\t{os.getpid()}\n" not in status
    assert os.getsid(pid) != os.getsid(0)
    assert os.getpgid(pid) != os.getpgid(0)
    for descriptor in (0, 1, 2):
        assert not os.path.samestat(os.stat(f"/proc/{pid}/fd/{descriptor}"), os.fstat(2))


def test_a_host_that_was_killed_is_replaced(root: Path) -> None:
    place = SessionPaths("again")
    launch.connect_or_start(place, {}).close()
    first = host_pid(place.socket)
    os.kill(first, signal.SIGKILL)
    assert wait_for_end(first)
    assert not launch.host_is_alive(place)
    launch.connect_or_start(place, {}).close()
    assert launch.host_is_alive(place)
    assert host_pid(place.socket) != first


def test_sockets_locks_and_records_are_private(root: Path) -> None:
    place = SessionPaths("modes")
    launch.connect_or_start(place, {}).close()
    host_pid(place.socket)
    for path in root.rglob("*"):
        mode = path.lstat().st_mode & 0o777
        assert mode == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")
def test_a_socket_of_another_user_is_refused(root: Path) -> None:
    place = SessionPaths("planted")
    runtime_directory()
    program = f"""
import os, socket
listener = socket.socket(socket.AF_UNIX)
listener.bind({place.socket!r})
listener.listen()
os.setuid(12345)
listener.listen()  # with the credentials that a client sees
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


def test_what_cannot_run_a_worker_is_refused_before_a_host_starts(root: Path) -> None:
    place = SessionPaths("nowhere")
    with pytest.raises(UsageError, match="'/no/such/python' cannot be run: .*No such file"):
        launch.connect_or_start(place, {"python": "/no/such/python"})
    with pytest.raises(UsageError, match="cwd must be an existing directory, not '/no/such'"):
        launch.connect_or_start(place, {"cwd": "/no/such"})
    with pytest.raises(
        UsageError, match="'/bin/ls' is not a Python interpreter: sessions need Python 3.9 or newer"
    ):
        launch.connect_or_start(place, {"python": "/bin/ls"})
    assert not launch.host_is_alive(place)


def test_the_error_shows_why_a_host_cannot_start(root: Path) -> None:
    place = SessionPaths("broken")
    runtime_directory()
    with launch.locked(place.host_lock) as held:
        assert held
        with socket.socket(socket.AF_UNIX) as listener:  # a running host whose socket was removed
            listener.bind(place.socket)
        with pytest.raises(TargetError, match="is running but cannot be reached"):
            launch.connect_or_start(place, {})


def test_a_lock_on_a_removed_file_does_not_count(root: Path) -> None:
    place = SessionPaths("locks")
    with launch.locked(place.host_lock) as held:
        assert held
        with launch.locked(place.host_lock) as other:
            assert not other
        os.unlink(place.host_lock)
        with launch.locked(place.host_lock) as other:
            assert other


def hello(connection: socket.socket) -> dict[str, Any]:
    with connection, connection.makefile("rb") as lines:
        connection.sendall(b'{"op":"hello","request":1,"protocol":1,"version":"test"}\n')
        return dict(json.loads(lines.readline()))


def kill_host(place: SessionPaths) -> None:
    pid = host_pid(place.socket)
    os.kill(pid, signal.SIGKILL)
    assert wait_for_end(pid)


def test_an_execution_may_be_called_like_a_file_that_is_being_written(root: Path) -> None:
    place = SessionPaths("named")
    hello(launch.connect_or_start(place, {}))
    os.mkdir(place.execution("session.json.new"), 0o700)
    kill_host(place)
    assert hello(launch.connect_or_start(place, {"env": {"A": "1"}}))["options"]["env"] == {"A": "1"}


# -- options -------------------------------------------------------------------------------------


def test_options_are_not_on_a_command_line_and_may_be_long(root: Path) -> None:
    place = SessionPaths("secret")
    env = {"TOKEN": "hunter2", **{f"LONG_{number}": "x" * 100_000 for number in range(5)}}
    pid = hello(launch.connect_or_start(place, {"env": env}))["pid"]
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for process in [pid, *children]:
        assert b"hunter2" not in Path(f"/proc/{process}/cmdline").read_bytes()
    kept = Path(place.directory, "session.json")
    assert b"hunter2" in kept.read_bytes()
    assert kept.stat().st_mode & 0o777 == 0o600


def test_options_that_are_not_given_at_a_restart_keep_their_values(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = SessionPaths("kept")
    assert load_options(place.records) is None
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
    saved = load_options(place.records)
    assert saved is not None
    assert asdict(saved) == again


def test_saved_options_that_cannot_be_read_are_ignored(root: Path) -> None:
    place = SessionPaths("bad")
    for text in ("", "[]", '{"name": "../x"}', '{"name": 5}', "[" * 100_000, '{"cwd": "/"}'):
        Path(place.directory, "session.json").write_text(text)
        assert load_options(place.records) is None
    launch.connect_or_start(place, {}).close()


@pytest.mark.parametrize("retention", [1, 1.5, 2e9, True, (1 << 20) - 1, "1 GB"])
def test_retention_is_a_whole_number_of_bytes_of_at_least_1_mib(root: Path, retention: object) -> None:
    with pytest.raises(UsageError, match="at least 1048576"):
        launch.connect_or_start(SessionPaths("small"), {"retention": retention})


def test_a_removed_working_directory_is_an_error_before_the_start(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    place = SessionPaths("gone")
    with pytest.raises(UsageError, match="no longer exists.*give `cwd`"):
        launch.connect_or_start(place, {})
    assert not list(root.glob("run/*"))
    assert not os.path.exists(place.records)
    monkeypatch.chdir("/")


# -- closed sessions, and hosts that do not answer -----------------------------------


def test_a_closed_session_is_not_started_by_a_reader(root: Path) -> None:
    place = SessionPaths("closed")
    with pytest.raises(SessionClosedError, match="session 'closed' has been closed"):
        launch.connect_or_start(place, {}, start=False)
    assert not os.path.exists(place.records)
    assert not list(root.glob("run/*"))
    launch.connect_or_start(place, {}).close()
    kill_host(place)
    launch.connect_or_start(place, {}, start=False).close()  # to serve the records


def test_a_stopped_host_is_alive(root: Path) -> None:
    place = SessionPaths("stopped")
    assert not launch.host_is_alive(place)
    assert not os.path.exists(place.records)
    launch.connect_or_start(place, {}).close()
    pid = host_pid(place.socket)
    os.kill(pid, signal.SIGSTOP)
    assert launch.host_is_alive(place)
    os.kill(pid, signal.SIGKILL)
    assert wait_for_end(pid)
    assert not launch.host_is_alive(place)


def test_the_records_of_a_running_host_are_not_touched_when_its_socket_is_elsewhere(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = SessionPaths("hidden")
    launch.connect_or_start(place, {}).close()
    pid = host_pid(place.socket)
    monkeypatch.setenv("PYREPL_STREAM_RUNTIME_DIR", str(root / "run2"))
    try:
        with pytest.raises(TargetError, match="is running but cannot be reached"):
            launch.connect_or_start(place, {})
        with pytest.raises(UsageError, match="has been started in the meantime"):
            remove_session(place)
        assert os.path.exists(place.records)
    finally:
        os.kill(pid, signal.SIGKILL)
        assert wait_for_end(pid)
    launch.connect_or_start(place, {}).close()
    kill_host(place)


# -- a runtime directory that is removed ---------------------------------------------


def test_a_host_whose_socket_was_removed_is_found_again(root: Path) -> None:
    place = SessionPaths("removed")
    first = launch.connect_or_start(place, {})
    pid = host_pid(place.socket)
    for _ in range(3):
        shutil.rmtree(root / "run")
        assert launch.connect(place) is None
        assert hello(launch.connect_or_start(place, {}))["pid"] == pid
    assert hello(first)["pid"] == pid  # earlier connections are kept


def test_the_start_lock_outlives_the_runtime_directory(root: Path) -> None:
    place = SessionPaths("locked")
    with launch.locked(place.start_lock) as held:
        assert held
        shutil.rmtree(root / "run")
        with launch.locked(place.start_lock) as other:
            assert not other


REMOVE = """
import os, shutil, sys
def remove(event, details):
    if event == sys.argv[1] and not removed:
        removed.append(event)
        shutil.rmtree(os.environ["PYREPL_STREAM_RUNTIME_DIR"])
removed = []
sys.addaudithook(remove)
"""


@pytest.mark.parametrize("event", ["socket.bind", "subprocess.Popen"])
def test_a_start_survives_that_the_runtime_directory_is_removed(root: Path, event: str) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", REMOVE + START, event],
        check=True,
        input="\n",
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    place = SessionPaths("shared")
    assert hello(launch.connect_or_start(place, {}))["pid"] == int(answer)
    kill_host(place)


def test_a_failed_start_leaves_no_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = SessionPaths("failing")
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(TargetError, match="cannot be started"):
        launch.connect_or_start(place, {})
    assert not list(root.glob("run/*"))
    assert not os.path.exists(place.records)


def test_a_killed_session_can_be_removed_with_all_its_files(root: Path) -> None:
    place = SessionPaths("idle")
    launch.connect_or_start(place, {}).close()
    kill_host(place)
    remove_session(place)
    assert not list(root.glob("run/*"))
    assert not list(Path(place.records).parent.iterdir())
