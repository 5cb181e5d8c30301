"""A host whose worker dies, whose disk is full, or that runs out of file descriptors."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support.host import Attached, Client, Refused, RunningHost, wait_until

from pyrepl_stream import connect
from pyrepl_stream.runtime.messages import (
    ErrorMessage,
    GapMessage,
    InputRequestMessage,
    LogMessage,
    OutputMessage,
)
from pyrepl_stream.runtime.protocol.frames import FrameType


def limit_host(client: Client, kind: int, value: int) -> None:
    resource.prlimit(client.hello["pid"], kind, (value, resource.prlimit(client.hello["pid"], kind)[1]))


# -- the worker dies -----------------------------------------------------------------------------

DEATHS = {
    "segfault": ("import ctypes\nctypes.string_at(0)", 139, "SIGSEGV"),
    "_exit": ("os._exit(3)", 3, "code 3"),
    "_exit 0": ("os._exit(0)", None, "code 0"),
    "abort": ("os.abort()", 134, "SIGABRT"),
    "killed": ("os.kill(os.getpid(), 9)", 137, "SIGKILL"),
}


@pytest.mark.parametrize("name", DEATHS)
def test_the_record_shows_how_a_worker_died(client: Client, name: str) -> None:
    code, exit_code, text = DEATHS[name]
    attached = client.run(f"import os\nos.write(1, b'by C\\n' * 1000)\n{code}", "one")
    attached.assert_whole()
    assert attached.text() == "by C\n" * 1000
    complete = attached.complete
    assert (complete.status, complete.success, complete.exit_code) == ("error", False, exit_code)
    assert text in str(complete.error)
    after = client.run("print('again')", "two")
    assert after.text() == "again\n"
    assert [m.level for m in after.messages if isinstance(m, LogMessage)] == ["WARNING"]
    assert not any(isinstance(m, LogMessage) for m in client.run("1", "three").messages)


def test_executions_queued_for_a_worker_that_died_are_not_run(client: Client) -> None:
    client.execute("import os, time\nprint('go')\ninput()\nos._exit(3)", "one")
    client.execute("print('never')", "two")
    attached = client.attach("one")
    client.until(lambda: any(m.type == "input_request" for m in attached.messages))
    asked = client.attach("one").answer["asked"]
    client.ask(op="input", id="one", sequence=asked, text="")
    waited = client.read("two")
    assert (waited.complete.status, waited.text()) == ("killed", "")
    assert "run it again" in str(waited.complete.error)


def test_no_execution_begins_in_a_worker_that_is_being_killed(client: Client, tmp_path: Path) -> None:
    # The end of the first execution is on its way when it is killed.
    code = f"input()\nimport threading, pathlib\nthreading.Timer(0.2, pathlib.Path({str(tmp_path / 'done')!r}).touch).start()"
    client.execute(code, "one")
    attached = client.attach("one")
    client.until(lambda: any(m.type == "input_request" for m in attached.messages))
    client.execute("print('begun')\ninput()", "two")
    host, worker = client.hello["pid"], int(children(client.hello["pid"])[0])
    os.kill(worker, signal.SIGSTOP)
    client.ask(op="input", id="one", sequence=client.attach("one").answer["asked"], text="")
    os.kill(host, signal.SIGSTOP)
    client.send(op="kill", id="one", key="a")
    os.kill(worker, signal.SIGCONT)
    wait_until((tmp_path / "done").exists)
    os.kill(host, signal.SIGCONT)
    waited = client.read("two")
    assert (waited.complete.status, waited.text()) == ("killed", "")
    assert "run it again" in str(waited.complete.error)
    assert client.run("print('new')", "three").text() == "new\n"


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_a_child_outlives_its_worker_and_keeps_writing_to_its_execution(client: Client) -> None:
    code = "import os, subprocess\nchild = subprocess.Popen('read x; echo late', shell=True, stdin=subprocess.PIPE, start_new_session=True)\nos.set_inheritable(child.stdin.fileno(), True)\nkeep = subprocess.Popen(['sleep', '1000'], pass_fds=[child.stdin.fileno()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\nprint(keep.pid, flush=True)\nimport time; time.sleep(0.05)\nos.kill(os.getpid(), 9)"
    client.execute(code, "one")
    follower = client.attach("one", follow=True)
    client.until(lambda: any(m.type == "complete" for m in follower.messages))
    assert client.run("print('new')", "two").text() == "new\n"
    os.kill(int(follower.text()), signal.SIGKILL)
    client.until(lambda: follower.end)
    assert follower.text().endswith("\nlate\n")
    assert [m.type for m in follower.messages[-2:]] == ["complete", "output"]


def test_a_lack_of_memory_is_an_error_or_the_end_of_the_worker(client: Client) -> None:
    code = (
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\nx = bytearray(1 << 32)"
    )
    attached = client.run(code, "one")
    assert [m.name for m in attached.messages if isinstance(m, ErrorMessage)] == ["MemoryError"]
    assert attached.complete.status == "error"
    assert client.run("print(1)", "two").text() == "1\n"


def test_a_worker_that_closes_all_descriptors_is_ended(client: Client) -> None:
    attached = client.run("import os, time\nos.closerange(3, 65536)\ntime.sleep(1000)", "one")
    assert attached.complete.status == "error"
    assert client.run("print(1)", "two").text() == "1\n"


def test_a_worker_that_writes_into_the_channel_is_ended(client: Client) -> None:
    code = "import os, stat, time\nfor fd in range(3, 65536):\n    try:\n        if stat.S_ISSOCK(os.fstat(fd).st_mode): os.write(fd, b'x' * 100)\n    except OSError: pass\ntime.sleep(1000)"
    attached = client.run(code, "one")
    assert attached.complete.status == "error"
    assert client.run("print(1)", "two").text() == "1\n"


_FORGE = """
import os, socket, stat, struct, time
def send(kind, payload, length=None):
    head = struct.pack('!BIII', kind, 1, 0, len(payload) if length is None else length)
    for fd in range(3, 65536):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode): os.write(fd, head + payload)
        except OSError: pass
"""
FORGED = {
    "not JSON": (FrameType.MESSAGE, b"{", None),
    "not an object": (FrameType.KEPT, b"[]", None),
    "a number of its own": (FrameType.MESSAGE, b'{"type":"output","data":"x","sequence":7}', None),
    "two lines": (FrameType.MESSAGE, b'{"type":"output",\n"data":"x"}', None),
    "a wrong field": (FrameType.MESSAGE, b'{"type":"output","data":7}', None),
    "4 GiB": (FrameType.MESSAGE, b"x", (1 << 32) - 1),
    "a question that is a list": (FrameType.ASK, b"[]", None),
    "a question without a type": (FrameType.ASK, b"{}", None),
    "a reply that is a list": (FrameType.REPLY, b"[]", None),
    "a reply without fields": (FrameType.REPLY, b"{}", None),
    "an end that is a list": (FrameType.COMPLETE, b"[]", None),
    "an end with a wrong field": (FrameType.COMPLETE, b'{"type":"complete","status":7}', None),
    "deep nesting": (FrameType.COMPLETE, b"[" * 100_000, None),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_frame_that_the_worker_cannot_have_sent_ends_the_worker(client: Client, name: str) -> None:
    kind, payload, length = FORGED[name]
    code = (
        f"{_FORGE}\nprint('before', flush=True)\nsend({int(kind)}, {payload!r}, {length})\ntime.sleep(1000)"
    )
    attached = client.run(code, "one")
    attached.assert_whole()
    assert attached.text() == "before\n"
    assert attached.complete.status == "error"
    assert "could not read what it sent" in str(attached.complete.error)
    assert "memory)" not in str(attached.complete.error)
    assert client.run("print(1)", "two").text() == "1\n"


HOLD = "import ctypes, os\nprint('go', flush=True)\nos.write(1, b'C\\n')\nctypes.PyDLL(None).sleep({seconds})"


def test_a_client_that_attaches_while_c_code_holds_the_gil_is_served(
    host: RunningHost, client: Client, rounds: Callable[[int, int], int]
) -> None:
    client.execute(HOLD.format(seconds=rounds(2, 20)), "one")
    first = client.attach("one")
    client.until_text(first, "C\n")
    other = host.client()
    second = other.attach("one")
    other.until_text(second, "C\n")
    assert second.answer["status"] == "running"
    assert other.ask(op="list")["executions"][0]["status"] == "running"
    assert (first.end, second.end) == (None, None)
    client.until(lambda: first.end)
    other.until(lambda: second.end)
    assert first.messages == second.messages
    assert first.complete.success


def test_c_code_that_holds_the_gil_can_be_killed(client: Client) -> None:
    # A signal must not arrive between the line and the call.
    client.execute(
        "import itertools, signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "print('go', flush=True)\nsum(itertools.repeat(1))",
        "one",
    )
    attached = client.attach("one")
    client.until_text(attached, "go")
    client.ask(op="interrupt", id="one", key="a")
    client.ask(op="kill", id="one", key="b")
    client.until(lambda: attached.end)
    assert attached.complete.status == "killed"


# -- bounds --------------------------------------------------------------------------------------


def memory_of(client: Client) -> int:
    """Return the peak memory of a process in bytes."""
    with open(f"/proc/{client.hello['pid']}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) * 1024


def test_output_without_a_reader_is_bounded_and_does_not_stop_the_execution(
    make: Callable[..., RunningHost], rounds: Callable[[int, int], int]
) -> None:
    size = rounds(100, 5000)  # MB
    host = make(retention=20 << 20)
    with host.client() as client:
        client.execute(f"for i in range({size}): print('x' * 999_999)", "one")
    client = host.client()
    wait_until(lambda: client.ask(op="list")["executions"][0]["status"] != "running", patience=30 + size / 10)
    attached = client.read("one")
    attached.assert_whole()
    assert attached.complete.success
    assert attached.output_bytes == size * 1_000_000
    assert any(isinstance(m, GapMessage) for m in attached.messages)
    assert sum(path.stat().st_size for path in host.directory("one").iterdir()) < 40 << 20
    assert memory_of(client) < 60 << 20


def test_a_reader_overtaken_by_retention_gets_a_gap(make: Callable[..., RunningHost]) -> None:
    client = make(retention=20 << 20).client()
    client.execute("input()\nfor i in range(100): print('x' * 999_999)", "one")
    slow = client.attach("one", credit=1)
    client.until(lambda: slow.messages)
    client.ask(op="input", id="one", sequence=1, text="")
    wait_until(lambda: client.ask(op="list")["executions"][0]["status"] != "running")
    client.send(op="credit", attach=slow.number, bytes=1 << 40)
    client.until(lambda: slow.end)
    slow.assert_whole()
    assert slow.output_bytes == 100_000_000
    assert any(isinstance(m, GapMessage) for m in slow.messages)


def test_a_full_disk_loses_output_but_neither_the_end_nor_other_executions(
    make: Callable[..., RunningHost],
) -> None:
    host, other = make(), make()
    client = host.client()
    client.execute("input()\nfor i in range(20): print('x' * 999_999)\nprint('end')", "one")
    limit_host(client, resource.RLIMIT_FSIZE, 30_000)  # less than one message of the flood
    attached = client.attach("one")
    client.until(lambda: attached.messages)
    client.ask(op="input", id="one", sequence=1, text="")
    client.until(lambda: attached.end)
    attached.assert_whole()
    assert attached.complete.success
    assert attached.output_bytes == 20_000_004
    assert any(isinstance(m, GapMessage) and "written" in m.reason for m in attached.messages)
    assert other.client().run("print(1)", "one").text() == "1\n"
    limit_host(client, resource.RLIMIT_FSIZE, resource.RLIM_INFINITY)
    assert client.run("print(2)", "two").text() == "2\n"


def test_a_question_that_waits_for_room_on_the_disk_reaches_the_clients_when_there_is_room(
    client: Client,
) -> None:
    client.execute("input('go?')\nprint('going')\nprint(input('on?'))", "one")
    attached = client.attach("one")
    client.until(lambda: attached.messages)
    limit_host(client, resource.RLIMIT_FSIZE, 0)
    client.ask(op="input", id="one", sequence=1, text="")
    asked = client.ask(op="wait", id="one", status="running", asked=1)["asked"]  # it asks again
    limit_host(client, resource.RLIMIT_FSIZE, resource.RLIM_INFINITY)
    client.until(lambda: attached.messages[-1].sequence == asked)
    assert isinstance(attached.messages[-1], InputRequestMessage)
    client.ask(op="input", id="one", sequence=asked, text="yes")
    client.until(lambda: attached.end)
    attached.assert_whole()
    assert attached.text().endswith("yes\n")


def test_a_fresh_execution_without_space_for_its_record_keeps_the_earlier_one(client: Client) -> None:
    client.run("print(1)", "one")
    limit_host(client, resource.RLIMIT_FSIZE, 0)
    with pytest.raises(Refused, match="record of execution one cannot be created"):
        client.execute("print(2)", "one", fresh=True)
    limit_host(client, resource.RLIMIT_FSIZE, resource.RLIM_INFINITY)
    assert client.read("one").text() == "1\n"
    client.execute("print(2)", "one", fresh=True)
    assert client.read("one").text() == "2\n"


@pytest.mark.parametrize("name", ["host.lock", "host.log", "session.json"])
def test_the_name_of_a_file_of_the_session_is_not_an_execution_id(
    host: RunningHost, client: Client, name: str
) -> None:
    with pytest.raises(Refused, match="use another execution id"):
        client.execute("1", name)
    host.kill()
    assert host.client().run("print(1)", "one").text() == "1\n"


def test_text_that_threads_print_while_the_session_closes_is_complete_or_followed_by_a_gap(
    host: RunningHost, client: Client
) -> None:
    code = "import threading\ndef flood():\n    while True: print('x' * 100)\nfor _ in range(4): threading.Thread(target=flood).start()"
    client.execute(code, "one")
    follower = client.attach("one", follow=True)
    client.until(lambda: any(m.type == "complete" for m in follower.messages))
    client.ask(op="close", forget=False)
    client.until(lambda: follower.end)
    follower.assert_whole()
    gaps = [m for m in follower.messages if isinstance(m, GapMessage)]
    assert gaps and "before it could send" in gaps[-1].reason


def test_an_execution_without_space_for_its_record_is_refused(client: Client) -> None:
    client.run("1", "one")
    limit_host(client, resource.RLIMIT_FSIZE, 0)
    with pytest.raises(Refused, match="record of execution two cannot be created"):
        client.execute("1", "two")
    limit_host(client, resource.RLIMIT_FSIZE, resource.RLIM_INFINITY)
    assert client.run("print(2)", "two").text() == "2\n"


def test_a_host_without_file_descriptors_recovers(host: RunningHost, client: Client) -> None:
    client.run("kept = 1", "one")
    used = len(os.listdir(f"/proc/{client.hello['pid']}/fd"))
    refused = []
    for spare in range(12):
        limit_host(client, resource.RLIMIT_NOFILE, used + spare)
        try:
            client.execute("print(kept)", f"few-{spare}")
        except Refused as exc:
            refused.append(exc.text)
    assert all("cannot be created" in text for text in refused)
    waiting = [host.client(greet=False) for _ in range(20)]
    limit_host(client, resource.RLIMIT_NOFILE, 4096)
    for one in waiting:
        one.ask(op="hello", protocol=1)
    for one in client.ask(op="list")["executions"]:
        complete = client.read(one["id"]).complete
        assert complete.success or "Too many open files; processes that earlier" in str(complete.error)
    assert client.run("print(kept)", "two").text() == "1\n"


def test_the_records_of_a_killed_host_end_as_lost(host: RunningHost, client: Client) -> None:
    client.run("print('whole')", "one")
    client.execute("import time\nfor i in range(1000): print(i)\ntime.sleep(1000)", "two")
    client.execute("print('never')", "three")
    attached = client.attach("two")
    client.until_text(attached, "999\n")
    epoch = client.epoch
    host.kill()
    client = host.client()
    assert client.epoch != epoch
    assert client.read("one", epoch=f"{epoch}.1").complete.success
    again = client.read("two", epoch=f"{epoch}.2")
    assert again.messages[:-1] == attached.messages
    assert (again.complete.status, again.complete.success) == ("lost", False)
    assert client.read("three").complete.status == "lost"
    with pytest.raises(Refused) as refused:
        client.ask(op="interrupt", id="two", key="a")
    assert refused.value.name == "ended"
    # A request that is sent again is answered from the record and not run twice.
    assert client.execute("print('never')", "three", epoch=epoch) == {
        "request": client_number(client),
        "epoch": f"{epoch}.3",
        "new": False,
        "status": "lost",
        "behind": None,
    }


def client_number(client: Client) -> int:
    return next(client._numbers) - 1


def test_a_reader_that_follows_the_record_of_an_earlier_host_ends(host: RunningHost, client: Client) -> None:
    client.run("1", "one")
    host.kill()
    attached = host.client().read("one", follow=True)
    assert attached.end in ("closed", "lost")


def test_of_foreign_files_among_the_records_only_possible_records_are_listed(
    host: RunningHost, client: Client
) -> None:
    client.run("1", "one")
    directory = host.directory("one").parent
    host.kill()
    (directory / "rubbish").mkdir(mode=0o700)
    (directory / "rubbish" / "status.json").write_text("{")
    (directory / "file").touch()
    (directory / "link").symlink_to("/etc")
    shown = host.client().ask(op="list")["executions"]
    assert [(one["id"], one["status"]) for one in shown] == [("one", "ok"), ("rubbish", "lost")]


# -- the end of a session ------------------------------------------------------------------------


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


CHILDREN = """
import os, subprocess, sys
subprocess.Popen(['sleep', '1001.MINE'], start_new_session=True)
subprocess.Popen('(setsid sleep 1002.MINE &) ; env -i sleep 1003.MINE', shell=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp('sleep', ['sleep', '1004.MINE'])
    os._exit(0)
print('go', flush=True)
import time
time.sleep(1000)
""".replace("MINE", str(os.getpid()))  # other tests start sleeping processes too


def sleepers() -> set[str]:
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return {line for line in listing.splitlines() if re.fullmatch(rf"sleep 100\d\.{os.getpid()}", line)}


@pytest.mark.parametrize("how", ["close", "SIGTERM"])
def test_the_end_of_a_session_leaves_no_process(host: RunningHost, client: Client, how: str) -> None:
    client.execute("import os; print(os.getpid())", "zero")
    worker = int(client.read("zero").text())
    client.execute(CHILDREN, "one")
    client.execute("1", "two")
    attached = client.attach("one")
    client.until_text(attached, "go")
    wait_until(lambda: len(sleepers()) == 4)
    pid = client.hello["pid"]
    if how == "close":
        client.ask(op="close", forget=False)
    else:
        os.kill(pid, signal.SIGTERM)
        client.until(lambda: attached.end)
    wait_until(lambda: not alive(pid) and not alive(worker))
    assert sleepers() == set()
    assert not os.path.exists(host.place.socket)
    attached.assert_whole()
    assert attached.complete.status == "killed"
    assert "closed" in str(attached.complete.error)
    # The records remain and show how the executions ended.
    again = host.client()
    assert {one["id"]: one["status"] for one in again.ask(op="list")["executions"]} == {
        "zero": "ok",
        "one": "killed",
        "two": "killed",
    }


@pytest.mark.parametrize("how", ["kill", "close"])
def test_a_session_started_in_a_cell_outlives_it(client: Client, how: str) -> None:
    code = """
from pyrepl_stream import connect
inner = connect("local:inner")
inner.execute("x = 5").wait()
import os
print("started", flush=True)
input()
"""
    client.execute(code, "one")
    attached = client.attach("one")
    client.until(lambda: any(m.type == "input_request" for m in attached.messages))
    client.ask(**({"op": "kill", "id": "one"} if how == "kill" else {"op": "close", "forget": True}))
    client.until(lambda: attached.end)
    inner = connect("local:inner")
    try:
        assert inner.execute("assert x == 5").wait().success
    finally:
        inner.close().wait()


def test_a_forgotten_session_leaves_no_file(host: RunningHost, client: Client) -> None:
    client.run("print('x' * 1000)", "one")
    directory = host.directory("one").parent
    pid = client.hello["pid"]
    client.ask(op="close", forget=True)
    assert not directory.exists()
    wait_until(lambda: not alive(pid))
    assert list(Path(host.place.socket).parent.iterdir()) == []


def test_a_closing_session_refuses_new_executions(host: RunningHost, client: Client) -> None:
    client.execute(
        "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('go')\ntime.sleep(1000)",
        "one",
    )
    attached = client.attach("one")
    client.until_text(attached, "go")
    other = host.client()
    close = other.send(op="close")
    wait_until(lambda: not os.path.exists(host.place.socket))
    with pytest.raises(Refused) as refused:
        client.execute("1", "two")
    assert refused.value.name == "session_closed"
    other.answer(close)
    client.until(lambda: attached.end)
    assert attached.complete.status == "killed"


def test_an_idle_session_ends_and_one_that_is_used_does_not(make: Callable[..., RunningHost]) -> None:
    host = make(idle_timeout=0.3)
    with host.client() as client:
        pid = client.hello["pid"]
        client.run("import time\ntime.sleep(0.6)\nprint('done')", "one")
        client.execute("import time\ntime.sleep(0.6)\nprint('done')", "two")
    wait_until(lambda: not alive(pid))
    again = host.client()
    assert again.hello["pid"] != pid
    assert again.read("two").text() == "done\n"
    assert again.read("two").complete.success


def test_a_hang_up_and_an_interrupt_of_the_terminal_do_not_end_the_host(client: Client) -> None:
    for number in (signal.SIGHUP, signal.SIGINT):
        os.kill(client.hello["pid"], number)
    assert client.run("print(1)", "one").text() == "1\n"


def test_children_get_signals_as_usual(client: Client) -> None:
    code = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import signal; print(signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGHUP))'])"
    assert "default_int_handler" in client.run(code, "one").text()
    assert client.read("one").text().endswith("0\n")


def test_user_code_has_the_users_limit_of_file_descriptors(make: Callable[..., RunningHost]) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
    try:
        client = make().client()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    text = client.run("import resource\nprint(resource.getrlimit(resource.RLIMIT_NOFILE)[0])", "one").text()
    assert text == "512\n"
    assert resource.prlimit(client.hello["pid"], resource.RLIMIT_NOFILE)[0] == before[1]


def test_the_output_of_many_children_is_complete(client: Client, rounds: Callable[[int, int], int]) -> None:
    count = rounds(200, 2000)
    code = f"import subprocess, sys\nchildren = [subprocess.Popen(['seq', '1', '{count}']) for _ in range(5)]\nfor i in range({count}): print('line', i)\nfor child in children: child.wait()"
    attached: Attached = client.run(code, "one")
    attached.assert_whole()
    expected = 5 * sum(len(f"{i}\n") for i in range(1, count + 1)) + sum(
        len(f"line {i}\n") for i in range(count)
    )
    assert attached.output_bytes == expected


@pytest.mark.parametrize("size", [1, 3, 65535, 65537, 300_000])
def test_characters_that_are_split_between_reads_arrive_whole(client: Client, size: int) -> None:
    text = ("äöü€𝄞" * size)[:size]
    code = f"import os\ndata = {text[:5]!r}\ntext = (data * {size})[:{size}].encode()\nview = memoryview(text)\nwhile view:\n    view = view[os.write(1, view[:997]):]"
    attached = client.run(code, "one")
    assert attached.text() == text
    assert all(isinstance(m.data, str) for m in attached.messages if isinstance(m, OutputMessage))


def test_bytes_that_are_not_text_arrive_unchanged(client: Client) -> None:
    attached = client.run(r"import os; os.write(1, b'a\xff\xfeb\n'); os.write(2, b'\xe2\x82')", "one")
    data = [m.data for m in attached.messages if isinstance(m, OutputMessage)]
    assert (
        b"".join(d if isinstance(d, bytes) else d.encode() for d in data if d != b"\xe2\x82")
        == b"a\xff\xfeb\n"
    )
    assert b"\xe2\x82" in data
