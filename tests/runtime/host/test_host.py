"""The answers of a host to each operation, with a real host and a real worker."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.host import Attached, Client, Refused, RunningHost, wait_until
from support.interpreters import VERSIONS, interpreters
from support.kernels import is_alive

import pyrepl_stream
from pyrepl_stream.runtime.host.zipapp import write_archive
from pyrepl_stream.runtime.messages import (
    InputReplyMessage,
    InputRequestMessage,
    LogMessage,
    OutputMessage,
    ResultMessage,
)

WAIT = "import time\nprint('go', flush=True)\ntime.sleep(1000)"


def running(client: Client, execution_id: str, code: str = WAIT) -> Attached:
    """Execute ``code`` and wait for its first output."""
    client.execute(code, execution_id)
    attached = client.attach(execution_id)
    client.until_text(attached, "go")
    return attached


# -- hello ---------------------------------------------------------------------------------------


def test_hello_describes_the_session(host: RunningHost, client: Client) -> None:
    assert client.hello["session"] == host.place.name
    assert client.hello["protocol"] == 1
    assert client.hello["version"] == pyrepl_stream.__version__
    assert len(client.hello["epoch"]) == 32
    assert client.hello["options"]["retention"] == 4 << 30
    assert os.path.exists(f"/proc/{client.hello['pid']}")


def test_another_protocol_is_refused_with_both_versions(host: RunningHost) -> None:
    client = host.client(greet=False)
    client.send(op="hello", protocol=99, request=0)
    client.until(lambda: client.answers)
    assert client.answers[0]["error"] == "protocol"
    message = client.answers[0]["message"]
    assert "speaks protocol 1, not 99" in message
    assert f"use pyrepl-stream {pyrepl_stream.__version__}" in message
    with pytest.raises(EOFError):
        client.pump()


@pytest.mark.parametrize(
    "said",
    [
        b"\x00\xff\n",
        b"[]\n",
        b'{"op":"list"}\n',
        b'{"op":"hello","protocol":1}\n{"op":7}\n',
        b"{" * 5000 + b"\n",
    ],
)
def test_an_invalid_line_closes_only_its_connection(host: RunningHost, client: Client, said: bytes) -> None:
    other = host.client(greet=False)
    other.peer.sendall(said)
    with pytest.raises(EOFError):
        other.until(lambda: False)
    assert client.ask(op="ping") == {"request": 2}


def test_an_unknown_operation_is_refused_and_the_connection_stays_open(client: Client) -> None:
    with pytest.raises(Refused, match="newer version"):
        client.ask(op="sing")
    client.ask(op="ping")


def test_a_line_may_arrive_in_pieces(client: Client) -> None:
    for byte in b'{"op":"ping","request":77}\n':
        client.peer.sendall(bytes([byte]))
    client.answer(77)


# -- execute and attach --------------------------------------------------------------------------


def test_the_messages_of_code_arrive_in_order(client: Client) -> None:
    attached = client.run("print('a')\nimport sys\nprint('b', file=sys.stderr)\n1 + 1", "one")
    attached.assert_whole()
    assert (attached.text(), attached.text("stderr")) == ("a\n", "b\n")
    assert [m.data["text/plain"] for m in attached.messages if isinstance(m, ResultMessage)] == ["2"]
    assert (attached.complete.status, attached.complete.success) == ("ok", True)
    assert attached.end == "complete"
    assert attached.answer["epoch"].startswith(f"{client.epoch}.")


def test_executions_share_a_namespace(client: Client) -> None:
    client.run("x = 42", "one")
    assert client.run("print(x)", "two").text() == "42\n"


def test_output_of_children_keeps_its_place(client: Client) -> None:
    code = "import os\nfor i in range(20):\n    print(i, 'before')\n    os.system(f'echo {i} child')\n    print(i, 'after')"
    attached = client.run(code, "one")
    assert attached.text() == "".join(f"{i} before\n{i} child\n{i} after\n" for i in range(20))


def test_replay_equals_the_live_messages(client: Client) -> None:
    live = client.run("for i in range(2000): print(i)", "one")
    again = client.read("one")
    assert again.messages == live.messages
    for after in (0, 1, live.messages[-1].sequence - 1, live.messages[-1].sequence):
        assert client.read("one", after).messages == [m for m in live.messages if m.sequence > after]


@pytest.mark.parametrize("after", [-1, 10_000, 1 << 63, "1", None, True, 1.5])
def test_a_sequence_number_that_does_not_exist_is_refused(client: Client, after: object) -> None:
    client.run("1", "one")
    with pytest.raises(Refused) as refused:
        client.attach("one", after)  # type: ignore[arg-type]
    assert refused.value.name == "beyond_the_end"


def test_an_unknown_execution_is_refused(client: Client) -> None:
    with pytest.raises(Refused) as refused:
        client.attach("nothing")
    assert refused.value.name == "unknown_execution"


def test_an_attach_under_another_epoch_is_refused(client: Client) -> None:
    attached = client.run("1", "one")
    with pytest.raises(Refused) as refused:
        client.attach("one", epoch="0" * 32)
    assert refused.value.name == "wrong_epoch"
    client.attach("one", epoch=attached.answer["epoch"])


@pytest.mark.parametrize("execution_id", ["../up", "", ".hidden", "a/b", "a" * 65, "a\n", "ä"])
def test_an_id_that_is_not_a_file_name_is_refused(client: Client, execution_id: str) -> None:
    with pytest.raises(Refused) as refused:
        client.execute("1", execution_id)
    assert refused.value.name == "usage"


@pytest.mark.parametrize("timeout", [0, -1, "1", True])
def test_an_invalid_timeout_is_refused(client: Client, timeout: object) -> None:
    with pytest.raises(Refused, match="timeout"):
        client.execute("1", "one", timeout=timeout)  # type: ignore[arg-type]


def test_the_same_request_again_attaches(client: Client) -> None:
    assert client.execute("print(1)", "one")["new"] is True
    assert client.execute("print(1)", "one")["new"] is False
    assert client.read("one").text() == "1\n"


def test_other_code_under_the_id_of_an_ended_execution_is_refused_with_both_ways_out(client: Client) -> None:
    client.run("print(1)", "one")
    with pytest.raises(
        Refused, match=r"'one' \(ok\) has other code: use another name, or give `--fresh` \(fresh=True\)"
    ) as refused:
        client.execute("print(2)", "one")
    assert refused.value.name == "execution_exists"


def test_other_code_under_the_id_of_a_running_execution_is_refused_with_both_ways_out(client: Client) -> None:
    running(client, "one")
    with pytest.raises(
        Refused,
        match=r"'one' \(running\) has other code: use another name, or stop it .*interrupt.*`--fresh`",
    ) as refused:
        client.execute("print(2)", "one")
    assert refused.value.name == "execution_exists"


def test_a_request_sent_to_an_earlier_host_is_not_run(host: RunningHost, client: Client) -> None:
    with pytest.raises(Refused) as refused:
        client.execute("print(1)", "one", epoch="0" * 32)
    assert refused.value.name == "wrong_epoch"
    assert client.ask(op="list")["executions"] == []
    client.execute("print(1)", "one", epoch=client.epoch)


def test_fresh_removes_an_ended_execution(client: Client) -> None:
    client.run("print(1)", "one")
    assert client.execute("print(2)", "one", fresh=True)["new"] is True
    assert client.read("one").text() == "2\n"


def test_a_cursor_is_not_valid_in_the_record_of_the_fresh_execution(client: Client) -> None:
    before = client.run("print(1)", "one").answer["epoch"]
    client.execute("print(2)", "one", fresh=True)
    with pytest.raises(Refused) as refused:
        client.attach("one", epoch=before, after=1)
    assert refused.value.name == "wrong_epoch"


def test_fresh_reports_the_processes_that_it_ends(client: Client) -> None:
    code = "import subprocess\nprint(subprocess.Popen(['sleep', '1000']).pid)"
    pid = int(client.run(code, "one").text())
    client.execute(code, "one", fresh=True)
    first = client.read("one").messages[0]
    assert isinstance(first, LogMessage)
    assert first.text == f"processes that the earlier run of one had left running were ended: {pid}"
    assert not is_alive(pid)


def test_fresh_keeps_the_namespace(client: Client) -> None:
    client.run("import os\nloaded = os.getpid()", "one")
    client.execute("print(loaded == os.getpid())", "one", fresh=True)
    assert client.read("one").text() == "True\n"


@pytest.mark.parametrize("code", [WAIT, "print(2)"], ids=["same code", "other code"])
def test_fresh_is_refused_while_the_execution_runs_and_names_how_to_stop_it(
    host: RunningHost, client: Client, code: str
) -> None:
    first = running(client, "one")
    with pytest.raises(Refused, match="still running") as refused:
        client.execute(code, "one", fresh=True)
    assert refused.value.name == "execution_exists"
    name = f"{host.place.name}/one"
    for way in (
        f"%remote_stream interrupt {name}",
        f"pyrepl-stream interrupt {name}",
        "session.interrupt('one')",
    ):
        assert way in str(refused.value)
    assert "`kill`" in str(refused.value)
    assert first.end is None
    assert client.attach("one").answer["status"] == "running"
    client.ask(op="interrupt", id="one", key="a")
    client.until(lambda: first.end)
    assert client.execute("print(2)", "one", fresh=True)["new"] is True
    assert client.read("one").text() == "2\n"


def test_fresh_is_refused_while_the_execution_waits_for_its_turn(client: Client) -> None:
    running(client, "one")
    client.execute("print(1)", "two")
    with pytest.raises(Refused, match="'two' is still queued: .*interrupt"):
        client.execute("print(2)", "two", fresh=True)
    assert client.attach("two").answer["status"] == "queued"


def test_only_one_of_two_simultaneous_fresh_runs_is_accepted(host: RunningHost, client: Client) -> None:
    client.run("print(1)", "one")
    clients = [client, host.client()]
    request = {"id": "one", "code": WAIT}
    asked = {each: each.send(op="execute", execution=request, fresh=True) for each in clients}
    answers = []
    for each, number in asked.items():
        try:
            answers.append(each.answer(number)["new"])
        except Refused as refused:
            answers.append(refused.name)
    assert sorted(map(str, answers)) == ["True", "execution_exists"]


def test_a_fresh_run_that_is_sent_again_happens_once(host: RunningHost, client: Client) -> None:
    client.run("print(1)", "one")
    code = "import uuid; print(uuid.uuid4())"
    assert client.execute(code, "one", fresh=True, key="k")["new"] is True
    text = client.read("one").text()
    assert client.execute(code, "one", fresh=True, key="k")["new"] is False
    assert client.read("one").text() == text
    host.kill()
    again = host.client()
    assert again.execute(code, "one", fresh=True, key="k", epoch=client.epoch)["new"] is False
    with pytest.raises(Refused, match="may have begun"):
        again.execute(code, "one", fresh=True, key="another", epoch=client.epoch)


def test_executions_run_one_after_the_other(client: Client) -> None:
    one = running(client, "one", "print('go')\nx = input()")
    client.until(lambda: any(isinstance(m, InputRequestMessage) for m in one.messages))
    assert client.execute("print(x)", "two")["behind"] == "one"
    assert client.execute("print(x)", "three")["behind"] == "two"
    two = client.attach("two")
    assert two.answer["status"] == "queued"
    assert two.answer["behind"] == "one"
    asked = client.attach("one").answer["asked"]
    client.ask(op="input", id="one", sequence=asked, text="in turn")
    assert client.read("three").text() == "in turn\n"
    client.until(lambda: two.end)
    assert two.text() == "in turn\n"


def test_late_output_belongs_to_its_execution_and_reaches_a_reader_that_follows(client: Client) -> None:
    client.execute(
        "import subprocess\nchild = subprocess.Popen('read x; echo late; read y', shell=True, stdin=subprocess.PIPE)",
        "one",
    )
    follower = client.attach("one", follow=True)
    client.until(lambda: any(m.type == "complete" for m in follower.messages))
    client.run("child.stdin.write(b'x\\n'); child.stdin.flush()", "two")
    client.until_text(follower, "late")
    assert follower.end is None
    client.run("child.stdin.close(); child.wait()", "three")
    client.until(lambda: follower.end)
    assert follower.end == "closed"
    follower.assert_whole()
    assert [m.text for m in follower.messages if isinstance(m, OutputMessage)] == ["late\n"]
    assert client.read("two").text() == ""


def test_list_describes_every_execution(client: Client) -> None:
    client.run("import os\nprint(1)", "one")
    client.run("1 / 0", "two")
    client.command("# all\ntrue", "command")
    running(client, "three")
    listed = {one["id"]: one for one in client.ask(op="list")["executions"]}
    assert [listed[i]["status"] for i in ("one", "two", "three")] == ["ok", "error", "running"]
    assert listed["one"]["code"] == "print(1)"  # more telling than the import before it
    assert listed["command"]["code"] == "true"
    assert "ZeroDivisionError" in listed["two"]["error"]
    assert listed["three"]["last"] >= 1


def test_a_command_runs_on_a_terminal_and_takes_input(client: Client) -> None:
    client.command("test -t 1 && echo terminal; read x; echo got $x", "one")
    attached = client.attach("one")
    client.until_text(attached, "terminal")
    answer = client.ask(op="control", id="one", key="a", do="write", base64="aW4K")
    assert answer["pid"] > 0
    client.until(lambda: attached.end)
    assert attached.text() == "terminal\ngot in\n"
    assert attached.complete.exit_code == 0
    with pytest.raises(Refused) as refused:
        client.ask(op="control", id="one", key="b", do="write", base64="aW4K")
    assert refused.value.name == "ended"


def test_a_control_that_is_sent_again_has_one_effect(client: Client) -> None:
    client.command("read x; read y; echo $x$y", "one")
    attached = client.attach("one")
    for _ in range(3):
        client.ask(op="control", id="one", key="a", do="write", base64="YQo=")
    client.ask(op="control", id="one", key="b", do="write", base64="Ygo=")
    client.until(lambda: attached.end)
    assert attached.text() == "ab\n"


def test_a_control_waits_for_its_command_to_start(client: Client) -> None:
    running(client, "one")
    client.command("cat", "two")
    write = client.send(op="control", id="two", key="a", do="write", base64="YQo=")
    end = client.send(op="control", id="two", key="b", do="close_stdin")
    client.ask(op="interrupt", id="one", key="a")
    client.answer(write)
    client.answer(end)
    assert client.read("two").text() == "a\n"


def test_a_control_of_python_code_is_refused(client: Client) -> None:
    running(client, "one")
    with pytest.raises(Refused, match="runs Python code; only commands"):
        client.ask(op="control", id="one", key="a", do="close_stdin")


# -- input ---------------------------------------------------------------------------------------


def test_the_first_answer_to_a_question_counts(host: RunningHost, client: Client) -> None:
    client.execute("print(input('name? '))", "one")
    attached = client.attach("one")
    client.until(lambda: any(isinstance(m, InputRequestMessage) for m in attached.messages))
    asked = attached.messages[-1]
    other = host.client()
    assert other.attach("one").answer["asked"] == asked.sequence
    other.ask(op="input", id="one", sequence=asked.sequence, text="you")
    with pytest.raises(Refused) as refused:
        client.ask(op="input", id="one", sequence=asked.sequence, text="me")
    assert refused.value.name == "ended"
    client.until(lambda: attached.end)
    assert attached.text() == "you\n"
    replies = [m for m in attached.messages if isinstance(m, InputReplyMessage)]
    assert [(m.request, m.text) for m in replies] == [(asked.sequence, "you")]
    assert client.attach("one").answer["asked"] is None


def test_a_password_is_not_written_to_a_file(host: RunningHost, client: Client) -> None:
    client.execute("import getpass\nx = getpass.getpass()\nprint(len(x))", "one")
    attached = client.attach("one")
    client.until(lambda: any(isinstance(m, InputRequestMessage) for m in attached.messages))
    client.ask(op="input", id="one", sequence=attached.messages[-1].sequence, text="hunter2")
    client.until(lambda: attached.end)
    assert attached.text() == "7\n"
    assert [m.text for m in attached.messages if isinstance(m, InputReplyMessage)] == [None]
    files = [path for path in host.directory("one").rglob("*") if path.is_file()]
    assert files
    assert not any(b"hunter2" in path.read_bytes() for path in files)


def test_the_end_of_input_is_an_answer(client: Client) -> None:
    client.execute("try:\n    input()\nexcept EOFError:\n    print('end')", "one")
    attached = client.attach("one")
    client.until(lambda: attached.messages)
    client.ask(op="input", id="one", sequence=1, text=None)
    client.until(lambda: attached.end)
    assert attached.text() == "end\n"


# -- interrupt, kill, timeout --------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        WAIT,
        "import socket\na, b = socket.socketpair()\nprint('go')\na.recv(1)",
        "import asyncio\nprint('go')\nawait asyncio.sleep(1000)",
        "import subprocess\nprint('go')\nsubprocess.run(['sleep', '1000'])",
        "import os\nprint('go')\nos.system('sleep 1000')\nimport time; time.sleep(1000)",
    ],
)
def test_an_interrupt_ends_the_code_and_keeps_the_namespace(client: Client, code: str) -> None:
    client.run("kept = 1", "zero")
    attached = running(client, "one", code)
    interrupts = 0
    while attached.end is None:
        # `os.system` ignores SIGINT while its child runs, so a second interrupt is needed, as in a terminal.
        interrupts += 1
        assert interrupts < 200
        client.peer.settimeout(0.3)
        with contextlib.suppress(Refused, TimeoutError):  # it has ended in the meantime
            client.ask(op="interrupt", id="one", key=str(interrupts))
            client.until(lambda: attached.end)
        client.peer.settimeout(30)
        client.until(lambda: client.ask(op="ping"))
    assert attached.complete.status == "interrupted"
    assert client.run("print(kept)", "two").text() == "1\n"


def test_an_interrupt_with_the_same_key_has_one_effect(client: Client) -> None:
    code = "import time\nfor i in range(2):\n    try:\n        print('go')\n        time.sleep(1000)\n    except KeyboardInterrupt:\n        print('heard')"
    attached = running(client, "one", code)
    client.ask(op="interrupt", id="one", key="a")
    client.until(lambda: attached.text() == "go\nheard\ngo\n")
    client.ask(op="interrupt", id="one", key="a")
    client.ask(op="interrupt", id="one", key="b")
    client.until(lambda: attached.end)
    assert attached.text() == "go\nheard\ngo\nheard\n"
    assert attached.complete.success


def test_an_interrupt_before_the_worker_is_ready_is_not_lost(host: RunningHost) -> None:
    client = host.client()
    client.execute("import time\ntime.sleep(1000)", "one")
    client.ask(op="interrupt", id="one", key="a")
    assert client.read("one").complete.status == "interrupted"


def test_a_queued_execution_can_be_interrupted_and_killed(client: Client) -> None:
    running(client, "one")
    client.execute("2", "two")
    client.execute("3", "three")
    client.ask(op="interrupt", id="two", key="a")
    client.ask(op="kill", id="three", key="a")
    assert client.read("two").complete.status == "interrupted"
    assert client.read("three").complete.status == "killed"


def test_an_ended_execution_cannot_be_interrupted(client: Client) -> None:
    client.run("1", "one")
    for op in ("interrupt", "kill"):
        with pytest.raises(Refused) as refused:
            client.ask(op=op, id="one", key="a")
        assert refused.value.name == "ended"


def test_a_kill_ends_python_code_that_cannot_be_interrupted_and_its_children(client: Client) -> None:
    code = "import os, signal, subprocess\nchild = subprocess.Popen(['sleep', '1000'], start_new_session=True)\nprint(child.pid, 'go', flush=True)\nwhile True:\n    try:\n        signal.pause()\n    except BaseException: pass"
    attached = running(client, "one", code)
    client.ask(op="kill", id="one", key="a")
    client.until(lambda: attached.end)
    assert attached.complete.status == "killed"
    pid = int(attached.text().split()[0])
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"))
    after = client.run("print('new')", "two")
    assert after.text() == "new\n"
    assert any(isinstance(m, LogMessage) and "killed on request" in m.text for m in after.messages)


def test_a_kill_of_a_command_keeps_the_worker(client: Client) -> None:
    client.run("kept = 1", "zero")
    client.command("trap '' INT TERM; echo go; sleep 1000", "one")
    attached = client.attach("one")
    client.until_text(attached, "go")
    client.ask(op="kill", id="one", key="a")
    client.until(lambda: attached.end)
    assert attached.complete.status == "killed"
    assert client.run("print(kept)", "two").text() == "1\n"


def test_a_timeout_interrupts(client: Client) -> None:
    client.execute("import time\ntime.sleep(1000)", "one", timeout=0.2)
    complete = client.read("one").complete
    assert (complete.status, complete.success) == ("timeout", False)
    assert "0.2 s" in str(complete.error)
    assert client.run("print(1)", "two").text() == "1\n"


def test_a_timeout_kills_code_that_ignores_the_interrupt(client: Client) -> None:
    code = "import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])\ntime.sleep(1000)"
    client.execute(code, "one", timeout=0.1)
    assert client.read("one").complete.status == "timeout"


def test_a_timeout_does_not_include_the_time_in_the_queue(client: Client) -> None:
    running(client, "one", "import time\nprint('go')\ntime.sleep(0.5)")
    client.execute("print(1)", "two", timeout=0.3)
    assert client.read("two").complete.success


# -- options -------------------------------------------------------------------------------------


def test_the_worker_gets_directory_and_environment(
    make: Callable[..., RunningHost], tmp_path: object
) -> None:
    client = make(cwd=str(tmp_path), env={"GIVEN": "yes", "HOME": None}).client()
    text = client.run(
        "import os\nprint(os.getcwd(), os.environ.get('GIVEN'), os.environ.get('HOME'))", "one"
    ).text()
    assert text == f"{tmp_path} yes None\n"


def test_an_interpreter_or_directory_that_no_longer_exists_is_named(
    make: Callable[..., RunningHost], tmp_path: Path
) -> None:
    directory = tmp_path / "work"
    directory.mkdir()
    client = make(cwd=str(directory)).client()
    client.run(f"import os\nos.rmdir({str(directory)!r})\nos._exit(0)", "zero")
    complete = client.run("1", "one").complete
    assert complete.error == (
        f"the execution could not be started: {directory}, with which this session was started, no longer "
        "exists; restore it, or close the session and start it again"
    )
    directory.mkdir()
    assert client.run("1", "two").complete.success


def test_the_worker_runs_under_another_interpreter(make: Callable[..., RunningHost]) -> None:
    version = next(version for version in VERSIONS if version in interpreters())
    python = interpreters()[version]
    client = make(python=python).client()
    assert client.run("import sys\nprint('%d.%d' % sys.version_info[:2])", "one").text() == f"{version}\n"


def test_the_error_shows_why_an_environment_keeps_the_worker_from_starting(
    make: Callable[..., RunningHost], tmp_path: object
) -> None:
    with open(f"{tmp_path}/sitecustomize.py", "w") as file:
        file.write(
            "import os, sys\nif 'worker' in sys.orig_argv:\n    os.write(2, b'broken on purpose'); os._exit(7)\n"
        )
    client = make(env={"PYTHONPATH": str(tmp_path)}).client()
    for execution_id in ("one", "two"):
        complete = client.run("1", execution_id).complete
        assert complete.exit_code == 7
        assert "broken on purpose" in str(complete.error)


def test_a_list_without_ended_executions_reads_no_closed_record(host: RunningHost) -> None:
    client = host.client()
    client.run("1", "one")
    host.kill()
    client = host.client()
    client.execute("input()", "two")
    client.ask(op="wait", id="two", status="queued")
    assert [one["id"] for one in client.ask(op="list", ended=False)["executions"]] == ["two"]
    assert [one["id"] for one in client.ask(op="list")["executions"]] == ["one", "two"]


START = """
import sys
sys.path.insert(0, sys.argv[1])
from pyrepl_stream_far.host import launch, paths
launch.connect_or_start(paths.SessionPaths(sys.argv[2]), {}).close()
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_a_host_runs_under_another_interpreter_without_installation(
    make: Callable[..., RunningHost], tmp_path: Path, version: str
) -> None:
    python = interpreters().get(version)
    if python is None:
        pytest.skip(f"no Python {version} on the path or under pyenv")
    host = make()
    archive = write_archive(str(tmp_path))
    subprocess.run(
        [python, "-I", "-S", "-W", "error", "-c", START, archive, host.place.name], check=True, timeout=60
    )
    client = host.client()
    text = client.run("import sys\nprint('%d.%d' % sys.version_info[:2])", "one").text()
    assert text == f"{version}\n"
    client.command("echo $((1 + 1))", "two")
    assert client.read("two").text() == "2\n"
    client.execute("import time\ntime.sleep(1000)", "three")
    client.ask(op="interrupt", id="three", key="a")
    assert client.read("three").complete.status == "interrupted"
    died = client.run("import os; os._exit(3)", "four")
    assert died.complete.exit_code == 3
    assert Path(host.place.directory, "host.log").read_text() == ""


# -- many readers, and security --------------------------------------------------------------------------


def test_answers_are_sent_before_slices(client: Client) -> None:
    client.run("print('x' * 20_000_000)", "big")
    attached = client.attach("big")
    for _ in range(3):
        client.until(lambda: attached.slices)
        del client.order[:]
        client.ask(op="ping")
        # Slices that were sent before, and the rest of the present turn, arrive first.
        assert client.order.count("slice") <= 16
    client.until(lambda: attached.end)
    assert attached.output_bytes == 20_000_001


def test_the_readers_of_one_connection_take_turns(client: Client) -> None:
    client.run("print('x' * 5_000_000)", "big")
    numbers = []
    for _ in range(3):
        number = client.send(op="attach", attach=100 + len(numbers), id="big", after=0)
        client.attached[100 + len(numbers)] = Attached()
        numbers.append(number)
    client.until(lambda: all(client.attached[n].end for n in (100, 101, 102)))
    for n in (100, 101, 102):
        assert max(client.attached[n].slices) <= 256 << 10
        assert client.attached[n].output_bytes == 5_000_001


def test_credit_bounds_what_is_sent(client: Client) -> None:
    client.run("print('x' * 5_000_000)", "big")
    attached = client.attach("big", credit=300_000)
    client.until(lambda: sum(attached.slices) >= 300_000)
    client.ask(op="ping")
    client.ask(op="ping")
    sent = sum(attached.slices)
    assert sent <= 300_000 + (1 << 20)
    while attached.end is None:
        before = len(attached.slices)
        client.send(op="credit", attach=attached.number, bytes=1_000_000)
        client.until(lambda: attached.end or len(attached.slices) > before)  # noqa: B023
    assert attached.output_bytes == 5_000_001
    attached.assert_whole()


def test_nothing_arrives_after_detach(client: Client) -> None:
    client.run("print('x' * 5_000_000)", "big")
    attached = client.attach("big", credit=0)
    client.send(op="detach", attach=attached.number)
    client.send(op="credit", attach=attached.number, bytes=1 << 30)
    client.ask(op="ping")
    assert attached.messages == []


def test_a_client_that_does_not_read_delays_no_other(host: RunningHost, client: Client) -> None:
    stalled = host.client()
    stalled.execute("for i in range(300): print('x' * 100_000)", "one")
    stalled.send(op="attach", attach=1, id="one", after=0)
    attached = client.read("one")
    assert attached.output_bytes == 300 * 100_001
    stalled.attached[1] = Attached()
    stalled.until(lambda: stalled.attached[1].end)
    assert stalled.attached[1].messages == attached.messages


def test_operations_of_a_client_that_never_reads_are_not_read_any_more(
    host: RunningHost, client: Client
) -> None:
    for number in range(20):
        client.run("1", f"execution-{number}")
    greedy = host.client()
    greedy.peer.setblocking(False)
    line = json.dumps({"op": "list", "request": 1}).encode() + b"\n"
    sent = 0
    try:
        while sent < 1 << 30:
            sent += greedy.peer.send(line * 1000)
    except BlockingIOError:
        pass
    assert client.ask(op="ping")
    with open(f"/proc/{client.hello['pid']}/status") as file:
        peak = next(int(text.split()[1]) for text in file if text.startswith("VmHWM"))
    assert peak < 40_000


def test_clients_that_connect_and_disconnect_leave_no_descriptor(host: RunningHost, client: Client) -> None:
    client.run("print('x' * 1_000_000)", "one")
    descriptors = f"/proc/{client.hello['pid']}/fd"
    before = len(os.listdir(descriptors))
    for number in range(50):
        other = host.client()
        other.send(op="attach", attach=1, id="one", after=0, follow=bool(number % 2))
        other.peer.close()
    wait_until(lambda: len(os.listdir(descriptors)) <= before)


def test_the_socket_and_the_records_are_private(host: RunningHost, client: Client) -> None:
    client.run("print(1)", "one")
    assert os.stat(host.place.socket).st_mode & 0o777 == 0o600
    for path in (host.directory("one"), *host.directory("one").rglob("*")):
        assert os.stat(path).st_mode & 0o077 == 0, path


STRANGER = """
import os, socket, sys
os.setuid(65534)
peer = socket.socket(socket.AF_UNIX)
peer.connect(sys.argv[1])
try:
    peer.sendall(b'{"op":"hello","protocol":1,"request":1}\\n')
    print(peer.recv(1000))
except (BrokenPipeError, ConnectionResetError):
    print(b"")
"""


def test_another_user_is_refused(host: RunningHost, client: Client) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be another user")
    path = host.place.socket
    above = os.path.dirname(path), os.path.dirname(os.path.dirname(path))
    # The socket is made reachable on purpose, to test the check of the peer's user.
    os.chmod(path, 0o777)
    for directory in above:
        os.chmod(directory, 0o711)
    try:
        found = subprocess.run(
            [sys.executable, "-c", STRANGER, path], capture_output=True, text=True, check=False
        )
    finally:
        for directory in above:
            os.chmod(directory, 0o700)
    assert (found.stdout, found.stderr) == ("b''\n", "")
    client.ask(op="ping")


def test_an_idle_host_uses_no_time(host: RunningHost, client: Client) -> None:
    client.run("1", "one")

    def used() -> int:
        with open(f"/proc/{client.hello['pid']}/schedstat") as file:
            return int(file.read().split()[2])  # number of times that it was scheduled

    client.ask(op="ping")
    before = used()
    time.sleep(1)
    assert used() - before <= 3
