"""Jobs that outlive their kernel, and ``%remote_stream``, with real kernels and hosts."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.kernels import Cell, Kernel, kernel

from pyrepl_stream import connect
from pyrepl_stream.inventory import find_execution, list_sessions

pytestmark = pytest.mark.kernel

LINES = 300
JOB = (
    "%%remote_stream --as train\nimport os, time\n"
    f"for i in range({LINES}):\n"
    "    print('line', i, 'x' * 100)\n"
    "    while i == {stop} and not os.path.exists({go!r}): time.sleep(0.01)"
)
OUTPUT = "".join(f"line {i} {'x' * 100}\n" for i in range(LINES))


def loaded(running: Kernel) -> Kernel:
    assert running.run("%load_ext jupyter_ext").ok
    return running


def job(go: Path, stop: int = LINES // 2) -> str:
    return JOB.replace("{stop}", str(stop)).replace("{go!r}", repr(str(go)))


def kill_on(running: Kernel, text: str) -> Callable[[dict, Cell], None]:
    """Return a callback that kills the kernel when ``text`` has arrived, and ends the wait for the cell."""

    def on_message(message: dict, cell: Cell) -> None:
        if text in cell.text():
            running.manager.provisioner.process.kill()
            raise KernelKilled

    return on_message


class KernelKilled(Exception):
    pass


def test_kill_the_kernel_run_the_cell_again_and_nothing_is_lost(tmp_path: Path) -> None:
    go = tmp_path / "go"
    with kernel(cwd=tmp_path) as first, pytest.raises(KernelKilled):
        loaded(first).run(job(go), on_message=kill_on(first, f"line {LINES // 2} "))
    assert find_execution("train").status == "running"

    def on_message(message: dict, cell: Cell) -> None:
        if f"line {LINES // 2} " in cell.text():
            go.touch()

    with kernel(cwd=tmp_path) as second:
        cell = loaded(second).run(job(go), on_message=on_message)
        assert (cell.ok, cell.text()) == (True, OUTPUT)
        assert cell.text("stderr") == "[job 'train' already exists (running): this is its output]\n"
        assert second.run(job(go)).text() == OUTPUT  # again, after its end
    with kernel(cwd=tmp_path) as third:
        assert loaded(third).run("%remote_stream logs train").text() == OUTPUT


def test_other_code_under_a_known_name_is_an_error_that_names_fresh(any_kernel: Kernel) -> None:
    assert any_kernel.run("%%remote_stream --as job1\nprint('one')").text() == "one\n"
    cell = any_kernel.run("%%remote_stream --as job1\nprint('two')")
    assert not cell.ok
    assert "'job1' (ok) has other code: use another name, or give `--fresh` (fresh=True)" in cell.text(
        "stderr"
    )
    assert "two" not in cell.text()
    assert any_kernel.run("%%remote_stream --as job1 --fresh\nprint('two')").text() == "two\n"
    assert any_kernel.run("%remote_stream logs job1").text() == "two\n"


def test_fresh_is_refused_while_the_job_runs_and_keeps_the_namespace(any_kernel: Kernel) -> None:
    assert any_kernel.run("%%remote_stream\nloaded = [1]").ok
    assert any_kernel.run("%%remote_stream --as old --detach\nimport time\ntime.sleep(1000)").ok
    cell = any_kernel.run("%%remote_stream --as old --fresh\nprint(loaded)")
    assert not cell.ok
    assert "`%remote_stream interrupt default/old`" in cell.text("stderr")
    assert any_kernel.run("%remote_stream interrupt default/old\n%remote_stream wait old").ok
    assert any_kernel.run("%%remote_stream --as old --fresh\nprint(loaded)").text() == "[1]\n"


def test_a_failed_job_fails_its_cell_again(any_kernel: Kernel) -> None:
    for _ in range(2):
        cell = any_kernel.run("%%remote_stream --as failing\nprint('so far')\n1/0")
        assert (cell.text(), cell.reply["ename"]) == ("so far\n", "ZeroDivisionError")


def test_a_command_can_be_a_job(any_kernel: Kernel) -> None:
    for _ in range(2):
        cell = any_kernel.run("%%remote_stream --shell --as command\necho $$; exit 3")
        assert "exited with 3" in cell.reply["evalue"]
    assert any_kernel.run("%remote_stream logs command").text() == cell.text()


def test_a_question_waits_for_the_first_client_that_attaches(tmp_path: Path) -> None:
    with kernel(cwd=tmp_path) as first:
        code = (
            "import getpass\nname = input('name? ')\nprint('hello', name, len(getpass.getpass('secret? ')))"
        )
        cell = loaded(first).run(f"%%remote_stream --as asking --detach\n{code}")
        assert cell.ok
    with kernel(cwd=tmp_path) as second:
        attached = loaded(second).run("%remote_stream attach asking --plain", answer="bob")
        assert attached.text() == "hello bob 3\n"
        # After the end no question is asked; answers are shown in their place, but not the password.
        replay = second.run("%remote_stream logs ask")
        assert replay.text() == "name? bob\nsecret? \nhello bob 3\n"
        assert second.run(f"%%remote_stream --as asking\n{code}").text() == replay.text()


def test_stop_detaches_from_an_attached_execution(any_kernel: Kernel, tmp_path: Path) -> None:
    go = tmp_path / "go"
    code = f"import os, time\nprint('begun')\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\nprint('end')"
    assert any_kernel.run(f"%%remote_stream local:looked --as looked --detach\n{code}").ok
    cell = any_kernel.run("%remote_stream attach looked", on_message=any_kernel.interrupt_on("begun"))
    assert "looked/looked continues; `%remote_stream interrupt looked` interrupts it" in cell.text("stderr")
    go.touch()
    assert re.fullmatch(r"ok after \d+\.\d\d s\n", any_kernel.run("%remote_stream wait looked/look").text())
    assert any_kernel.run("%remote_stream attach looked --after 1").text() == "end\n"


@pytest.mark.parametrize(("verb", "status"), [("interrupt", "interrupted"), ("kill", "killed")])
def test_an_execution_is_ended_from_another_cell(any_kernel: Kernel, verb: str, status: str) -> None:
    name = f"to-{verb}"
    assert any_kernel.run(
        f"%%remote_stream local:ending --as {name} --detach\nimport time\ntime.sleep(1000)"
    ).ok
    assert any_kernel.run(f"%remote_stream {verb} {name}").ok
    assert any_kernel.run(f"%remote_stream wait {name}").text().startswith(f"{status} after")
    again = any_kernel.run(f"%remote_stream {verb} {name}").text("stderr")
    assert f"ending/{name} has ended ({status})" in again


def test_ls_lists_sessions_and_close_removes_them(any_kernel: Kernel) -> None:
    assert any_kernel.run("%%remote_stream local:shown --as quick\nprint(1)").ok
    shown = any_kernel.run("%remote_stream ls").text()
    assert re.search(r"^shown/quick +ok +\S+ +\d\.\d s +print\(1\)$", shown, re.M), shown
    assert any_kernel.run("%remote_stream").text() == shown
    assert any_kernel.run("%remote_stream close shown").ok
    assert "shown/" not in any_kernel.run("%remote_stream ls").text()
    assert "there is no session 'shown'" in any_kernel.run("%remote_stream close shown").text("stderr")
    assert any_kernel.run("%%remote_stream local:shown\nprint('again')").text() == "again\n"


def test_records_can_be_kept_when_a_session_is_closed(any_kernel: Kernel) -> None:
    assert any_kernel.run("%%remote_stream local:kept --as whole\nprint('here')\n6 * 7").ok
    assert any_kernel.run("%remote_stream close kept --keep-records").ok
    cell = any_kernel.run("%remote_stream attach whole")
    assert cell.text() == "here\n"
    assert cell.of("execute_result")[0]["data"] == {"text/plain": "42"}
    assert "no host, only records: kept" in any_kernel.run("%remote_stream ls").text()
    assert any_kernel.run("%remote_stream close kept").ok
    assert "there is no execution" in any_kernel.run("%remote_stream logs whole").text("stderr")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("lss", "unknown verb 'lss'; did you mean 'ls'?"),
        ("attach", "arguments are required: ID"),
        ("attach nothing-of-that-name", "there is no execution 'nothing-of-that-name'"),
        ("attach x --aftr 1", "unknown option --aftr; did you mean '--after'"),
        ("close", "give the NAME of a session, or --all"),
        ("logs 'x", "No closing quotation"),
    ],
)
def test_wrong_arguments_are_reported_in_one_line(any_kernel: Kernel, line: str, says: str) -> None:
    said = any_kernel.run(f"%remote_stream {line}").text("stderr")
    assert says in said
    assert "Traceback" not in said


def test_help_and_completion_know_the_verbs(any_kernel: Kernel) -> None:
    page = any_kernel.run("%remote_stream?").reply["payload"][0]["data"]["text/plain"]
    assert "interrupt" in page
    for text, match in {"%remote_stream att": "attach", "%remote_stream logs compl": "completed-id"}.items():
        assert any_kernel.run("%%remote_stream --as completed-id\n1").ok
        reply = any_kernel.client.complete(text, len(text), reply=True, timeout=30)
        assert match in reply["content"]["matches"]


def test_out_binds_an_execution_of_another_kernel(tmp_path: Path) -> None:
    with kernel(cwd=tmp_path) as first:
        assert loaded(first).run("%%remote_stream --as bound\nprint('x')\n6 * 7").ok
    with kernel(cwd=tmp_path) as second:
        assert loaded(second).run("%remote_stream attach bound --out mine").ok
        assert second.run("print(mine.status, mine.stdout, mine.result)").text() == "ok x\n 42\n"


def test_a_detached_job_continues_without_its_kernel(tmp_path: Path) -> None:
    go = tmp_path / "go"
    with kernel(cwd=tmp_path) as first:
        cell = loaded(first).run(job(go).replace("--as", "--detach --as"))
        assert "[execution default/train runs detached]\n" in cell.text()
    go.touch()
    with kernel(cwd=tmp_path) as second:
        assert loaded(second).run("%remote_stream wait train").text().startswith("ok after")
        assert second.run("%remote_stream logs train").text() == OUTPUT
    (session,) = list_sessions()
    assert [execution.id for execution in session.executions] == ["train"]


def test_a_cell_with_options_does_not_disconnect_the_session(any_kernel: Kernel, tmp_path: Path) -> None:
    go = tmp_path / "go"
    first = f"import os, time\nprint('first')\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\nprint('late')"
    assert any_kernel.run(f"%%remote_stream local:options --cwd {tmp_path} --detach --out job\n{first}").ok

    def on_message(message: dict, cell: Cell) -> None:
        if "queued after" in cell.text("stderr"):
            go.touch()

    second = any_kernel.run(
        f"%%remote_stream local:options --cwd {tmp_path}\nprint('second')", on_message=on_message
    )
    assert (second.ok, second.text()) == (True, "second\n")
    assert any_kernel.run("print(job.wait().stdout)").text() == "first\nlate\n\n"


def test_an_execution_of_a_closed_session_is_reported_as_killed(any_kernel: Kernel) -> None:
    assert any_kernel.run("%%remote_stream local:die --detach --out job\nimport time; time.sleep(1000)").ok
    assert any_kernel.run("%remote_stream close die").ok
    seen = any_kernel.run("import time\nwhile job.status == 'running': time.sleep(0.01)\nprint(job.status)")
    assert seen.text() == "killed\n"
    assert any_kernel.run("%%remote_stream local:die\nprint('new')").text() == "new\n"


def test_a_session_of_another_interpreter_and_folder_is_reported_at_its_first_use(tmp_path: Path) -> None:
    venv, folder = tmp_path / "venv", tmp_path / "folder"
    folder.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    python = str(venv / "bin" / "python")
    with connect("local:", python=python, cwd=folder) as session:
        session.execute("1").wait()
    show = "%%remote_stream --plain\nimport os, sys\nprint(sys.executable, os.getcwd())"
    with kernel(cwd=tmp_path) as running:
        cell = loaded(running).run(show)
        assert cell.text() == f"{python} {folder}\n"
        for part in (
            "[session 'default' runs",
            python,
            str(folder),
            sys.executable,
            str(tmp_path),
            "close default",
        ):
            assert part in cell.text("stderr")
        assert cell.text("stderr").count("\n") == 1
        again = running.run(show)
        assert (again.text(), again.text("stderr")) == (cell.text(), "")
        assert running.run("%%remote_stream local:mine --plain\n1").text("stderr") == ""
    with kernel(cwd=tmp_path) as other:
        asked = show.replace("--plain", f"--plain --python {venv} --cwd {folder}")
        assert loaded(other).run(asked).text("stderr") == ""
