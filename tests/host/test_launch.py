"""Finding and starting hosts."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.sessions import host_pid, isolated, wait_for_end

from pyrepl_stream.errors import TargetError, UsageError
from pyrepl_stream.host import launch
from pyrepl_stream.host.options import HostOptions
from pyrepl_stream.host.places import SessionPlace


@pytest.fixture
def root() -> Iterator[Path]:
    with isolated() as root:
        yield root


START = """
import sys
from pyrepl_stream.host import launch, options, places
place = places.SessionPlace("shared")
sys.stdin.readline()
with launch.connect_or_start(place, options.HostOptions("shared")) as connection:
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
    launch.connect_or_start(place, HostOptions("detached")).close()
    pid = host_pid(place.socket)
    status = Path(f"/proc/{pid}/status").read_text()
    assert f"PPid:\t{os.getpid()}\n" not in status
    assert os.getsid(pid) != os.getsid(0)
    assert os.getpgid(pid) != os.getpgid(0)
    for descriptor in (0, 1, 2):
        assert not os.path.samestat(os.stat(f"/proc/{pid}/fd/{descriptor}"), os.fstat(2))


def test_a_host_that_was_killed_is_replaced(root: Path) -> None:
    place = SessionPlace("again")
    launch.connect_or_start(place, HostOptions("again")).close()
    first = host_pid(place.socket)
    os.kill(first, signal.SIGKILL)
    assert wait_for_end(first)
    assert not launch.is_alive(place)
    launch.connect_or_start(place, HostOptions("again")).close()
    assert launch.is_alive(place)
    assert host_pid(place.socket) != first


def test_sockets_locks_and_records_are_closed_to_others(root: Path) -> None:
    place = SessionPlace("modes")
    launch.connect_or_start(place, HostOptions("modes")).close()
    host_pid(place.socket)
    for path in root.rglob("*"):
        mode = path.lstat().st_mode & 0o777
        assert mode == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")
def test_a_socket_of_another_user_is_refused(root: Path) -> None:
    place = SessionPlace("planted")
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
            launch.connect_or_start(place, HostOptions("planted"))
        other.communicate("\n")


def test_an_interpreter_that_is_not_there_is_refused_before_anything_starts(root: Path) -> None:
    place = SessionPlace("nowhere")
    with pytest.raises(UsageError, match="no interpreter '/no/such/python'"):
        launch.connect_or_start(place, HostOptions("nowhere", python="/no/such/python"))
    with pytest.raises(UsageError, match="cwd '/no/such' is no directory"):
        launch.connect_or_start(place, HostOptions("nowhere", cwd="/no/such"))
    assert not launch.is_alive(place)


def test_a_host_that_cannot_start_says_why(root: Path) -> None:
    place = SessionPlace("broken")
    with launch.host_lock(place) as held:
        assert held
        with socket.socket(socket.AF_UNIX) as listener:  # a host that lives, with its socket removed
            listener.bind(place.socket)
        with pytest.raises(TargetError, match="lives but cannot be reached"):
            launch.connect_or_start(place, HostOptions("broken"))


def test_a_lock_file_that_was_removed_is_no_lock(root: Path) -> None:
    place = SessionPlace("locks")
    with launch.host_lock(place) as held:
        assert held
        with launch.host_lock(place) as other:
            assert not other
        os.unlink(place.host_lock)
        with launch.host_lock(place) as other:
            assert other
