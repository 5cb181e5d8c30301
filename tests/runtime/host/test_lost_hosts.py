"""A host that is killed, and the next host of the session."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from support.host import Refused, RunningHost, wait_until
from support.kernels import is_alive
from support.sessions import wait_for_end

from pyrepl_stream.runtime.host.cleanup import remove_session
from pyrepl_stream.runtime.messages import LogMessage

HOLD = """
import ctypes, os, subprocess
free = subprocess.Popen(["sleep", "999"], start_new_session=True)
print(os.getpid(), free.pid, flush=True)
ctypes.PyDLL(None).sleep(1000)  # with the GIL
"""


def running(host: RunningHost, execution_id: str = "job") -> list[int]:
    """Return the pids that :data:`HOLD` has printed."""
    client = host.client()
    client.execute(HOLD, execution_id)
    attached = client.attach(execution_id)
    client.until_text(attached, "\n")
    return [int(word) for word in attached.text().split()]


def test_no_process_outlives_a_killed_host_even_one_that_holds_the_gil(host: RunningHost) -> None:
    pids = running(host)
    host.kill()
    assert all(wait_for_end(pid) for pid in pids)


def kill_with_guard(host: RunningHost) -> None:
    """Kill the host and its watchdog, but not the worker."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[-2:] == [host.place.name.encode(), b""] and b"host" in words and int(path.name) != host.pid:
            os.kill(int(path.name), signal.SIGKILL)
            assert wait_for_end(int(path.name))
    host.kill()


def test_a_new_host_kills_running_processes_before_it_marks_executions_as_lost(host: RunningHost) -> None:
    pids = running(host)
    kill_with_guard(host)
    assert all(is_alive(pid) for pid in pids)
    client = host.client()
    assert not [pid for pid in pids if is_alive(pid)]
    assert client.read("job").complete.status == "lost"


def test_removing_the_records_kills_running_processes(host: RunningHost) -> None:
    pids = running(host)
    kill_with_guard(host)
    assert all(is_alive(pid) for pid in pids)
    remove_session(host.place)
    assert all(wait_for_end(pid) for pid in pids)


def warnings(host: RunningHost, execution_id: str) -> list[str]:
    messages = host.client().run("1", execution_id).messages
    return [m.text for m in messages if isinstance(m, LogMessage) and m.level == "WARNING"]


def test_the_first_execution_after_a_killed_host_gets_a_warning(host: RunningHost) -> None:
    assert warnings(host, "one") == []
    host.kill()
    assert warnings(host, "two") == [
        "the session's last host ended unexpectedly; this execution runs in a new worker, whose namespace is empty"
    ]
    assert warnings(host, "three") == []


def test_there_is_no_warning_after_a_host_that_was_closed(host: RunningHost) -> None:
    warnings(host, "one")
    pid = host.pid
    os.kill(pid, signal.SIGTERM)
    assert wait_for_end(pid)
    assert warnings(host, "two") == []


def test_partly_removed_records_are_removed(host: RunningHost) -> None:
    host.client().run("1", "one")
    host.kill()
    for name in (".old-one", ".new-two"):
        directory = Path(host.place.directory, name)
        directory.mkdir(mode=0o700)
        (directory / "big").write_bytes(bytes(1000))
    host.client()
    assert not list(Path(host.place.directory).glob(".*"))


def test_a_session_that_ends_without_records_leaves_no_file(make: Callable[..., RunningHost]) -> None:
    host = make(idle_timeout=0.01)
    with host.client() as client:
        pid = client.hello["pid"]
    assert wait_for_end(pid)
    assert not os.path.exists(host.place.records)
    assert not os.path.exists(host.place.socket)
    assert not os.path.exists(host.place.start_lock)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty status": lambda path: (path / "status.json").write_bytes(b""),
    "no status": lambda path: (path / "status.json").unlink(),
    "rubbish": lambda path: (path / "status.json").write_text('{"complete": 1}'),
    "of another": lambda path: (path / "status.json").write_text(
        (path / "status.json").read_text().replace('"one"', '"two"')
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_unreadable_record_is_listed_and_can_be_removed(host: RunningHost, damage: str) -> None:
    host.client().run("1", "one")
    host.kill()
    DAMAGES[damage](host.directory("one"))
    client = host.client()
    shown = client.ask(op="list")["executions"]
    assert [(one["id"], one["status"]) for one in shown] == [("one", "lost")]
    with pytest.raises(Refused, match="broken.*fresh"):
        client.attach("one")
    with pytest.raises(Refused, match="ended"):
        client.ask(op="interrupt", id="one", key="a")
    with pytest.raises(Refused, match="cannot be read; give `fresh` to remove it"):
        client.execute("print('new')", "one")
    client.execute("print('new')", "one", fresh=True)
    assert client.read("one").text() == "new\n"


def test_files_that_are_not_records_are_not_touched(host: RunningHost) -> None:
    client = host.client()
    client.run("1", "one")
    host.kill()
    Path(host.place.directory, "not an id").mkdir()
    Path(host.place.directory, "file").touch()
    assert [one["id"] for one in host.client().ask(op="list")["executions"]] == ["one"]


def test_a_label_that_is_not_text_is_refused(host: RunningHost) -> None:
    client = host.client()
    client.send(op="execute", execution={"id": "one", "code": "1", "label": 5}, request=77)
    with pytest.raises(Refused, match="protocol: the request is not valid: `label` is 5"):
        client.answer(0)


def test_a_reader_without_credit_gets_the_rest_when_the_session_is_closed(host: RunningHost) -> None:
    client, other = host.client(), host.client()
    client.run("print('x' * 3_000_000)", "big")
    attached = other.attach("big", credit=100_000)
    other.until(lambda: sum(attached.slices) >= 100_000)
    client.send(op="close", forget=True, request=500)
    wait_until(lambda: not os.path.exists(host.place.socket))
    other.send(op="credit", attach=attached.number, bytes=1 << 30)
    other.until(lambda: attached.end)
    attached.assert_whole()
    assert attached.output_bytes == 3_000_001
    client.answer(500)
    assert not os.path.exists(host.place.records)
    assert attached.end == "complete"
