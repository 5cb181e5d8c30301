"""Cells in local sessions, the default target, in real kernels."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.interpreters import VERSIONS, interpreters
from support.kernels import Cell, Kernel

from pyrepl_stream.processors.strip_ansi import stripped

pytestmark = pytest.mark.kernel

BOTH = pytest.mark.parametrize("before", ["", "%%time\n"], ids=["awaited", "blocking"])


def test_output_comes_while_the_cell_runs(any_kernel: Kernel, tmp_path: Path) -> None:
    go = tmp_path / "go"

    def on_message(message: dict, cell: Cell) -> None:
        if "first" in cell.text():
            go.touch()

    cell = any_kernel.run(
        f"%%remote_stream\nimport os, time\nprint('first')\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\nprint('second')",
        on_message=on_message,
    )
    assert (cell.ok, cell.text()) == (True, "first\nsecond\n")


def test_a_session_has_a_namespace_of_its_own_that_lasts(any_kernel: Kernel) -> None:
    assert any_kernel.run("here = 1").ok
    assert any_kernel.run("%%remote_stream\nimport os\nthere = os.getpid()").ok
    cell = any_kernel.run("%%remote_stream local:\nprint('here' in globals(), there == os.getpid())")
    assert cell.text() == "False True\n"
    assert any_kernel.run("import os; print('there' in globals())").text() == "False\n"
    assert any_kernel.run("%%remote_stream local:other\nprint('there' in globals())").text() == "False\n"


def test_the_value_of_the_last_expression_is_the_result_of_the_cell(any_kernel: Kernel) -> None:
    cell = any_kernel.run("%%remote_stream\n6 * 7")
    assert cell.of("execute_result")[0]["data"] == {"text/plain": "42"}
    assert cell.of("execute_result")[0]["execution_count"] == cell.reply["execution_count"]


def test_the_worker_has_an_ipython_of_its_own(any_kernel: Kernel) -> None:
    cell = any_kernel.run(
        "%%remote_stream\nfrom IPython.display import HTML, display\n%env ANSWER=42\n!echo $ANSWER\ndisplay(HTML('<b>x</b>'))"
    )
    assert "42" in cell.text().replace("\r", "").split("\n")
    assert cell.of("display_data")[0]["data"]["text/html"] == "<b>x</b>"


def test_a_failure_fails_the_cell_with_the_traceback_of_the_code_only(any_kernel: Kernel) -> None:
    cell = any_kernel.run("%%remote_stream\ndef f():\n    1/0\nf()")
    assert (cell.reply["ename"], cell.reply["evalue"]) == ("ZeroDivisionError", "division by zero")
    assert "1/0" in stripped(cell.traceback)
    for word in ("pyrepl_stream", "jupyter_ext", "get_ipython"):
        assert word not in cell.traceback


def test_the_error_of_a_magic_is_shown_once(any_kernel: Kernel) -> None:
    cell = any_kernel.run("%%remote_stream\n%no_such_magic")
    assert not cell.ok
    assert (cell.text() + cell.text("stderr") + cell.traceback).count("no_such_magic") == 1


@BOTH
@pytest.mark.parametrize(
    "code", ["time.sleep(1000)", "await asyncio.sleep(1000)", "subprocess.run(['sleep', '1000'])"]
)
def test_stop_interrupts_waiting_code_and_keeps_the_namespace(
    any_kernel: Kernel, before: str, code: str
) -> None:
    cell = any_kernel.run(
        f"{before}%%remote_stream\nimport asyncio, subprocess, time\nkept = 7\nprint('go')\n{code}",
        on_message=any_kernel.interrupt_on("go"),
    )
    assert cell.reply["ename"] == "KeyboardInterrupt"
    assert any_kernel.run("%%remote_stream\nprint(kept)").text() == "7\n"


@pytest.mark.parametrize(
    ("target", "moment"),
    [
        ("local:early", "pyrepl_stream.RemoteExecution.wait_started"),
        ("local:early", "jupyter_ext.views.view_loop.ViewLoop.start"),
        ("thread:", "jupyter_ext.views.view_loop.ViewLoop.start"),
    ],
)
def test_an_interrupt_reaches_the_run_from_the_moment_that_it_may_have_begun(
    fresh_kernel: Kernel, target: str, moment: str
) -> None:
    """The interrupt arrives when the run has started and the cell does not wait for it yet."""
    owner, _, name = moment.rpartition(".")
    module, _, kind = owner.rpartition(".")
    place = f"import {module}\nowner = {module}.{kind}\nbefore = owner.{name}\n"
    signals = "import signal\ndef then(*args):\n    result = before(*args)\n    signal.raise_signal(signal.SIGINT)\n"
    assert fresh_kernel.run(
        f"%load_ext jupyter_ext\n{place}{signals}    return result\nowner.{name} = then"
    ).ok
    cell = fresh_kernel.run(f"%%time\n%%remote_stream {target}\nwhile True: pass")
    assert cell.reply["ename"] == "KeyboardInterrupt"
    assert fresh_kernel.run(f"owner.{name} = before").ok
    assert fresh_kernel.run(f"%%remote_stream {target} --plain\nprint('free')").text() == "free\n"


@BOTH
def test_input_and_getpass_ask_the_front_end(any_kernel: Kernel, before: str) -> None:
    code = "import getpass\nprint(input('name? ') + getpass.getpass())"
    assert "bobbob\n" in any_kernel.run(f"{before}%%remote_stream --plain\n{code}", answer="bob").text()


def test_a_front_end_without_input_fails_the_code_and_not_the_session(any_kernel: Kernel) -> None:
    assert not any_kernel.run("%%remote_stream\ninput('name? ')").ok
    assert any_kernel.run("%%remote_stream\nprint('alive')").text() == "alive\n"


def test_a_queued_cell_names_the_execution_that_it_waits_for(any_kernel: Kernel, tmp_path: Path) -> None:
    go = tmp_path / "go"
    wait = f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)"
    assert any_kernel.run(f"%%remote_stream local:queue --as long --detach --fresh\n{wait}").ok

    def on_message(message: dict, cell: Cell) -> None:
        if "queued" in cell.text("stderr"):
            go.touch()

    cell = any_kernel.run("%%remote_stream local:queue\nprint('mine')", on_message=on_message)
    assert (cell.text("stderr"), cell.text()) == ("[queued after long]\n", "mine\n")


@BOTH
def test_stop_removes_a_queued_cell(any_kernel: Kernel, before: str) -> None:
    assert any_kernel.run(
        "%%remote_stream local:stuck --as stuck --fresh --detach\nimport time\ntime.sleep(1000)"
    ).ok

    def on_message(message: dict, cell: Cell) -> None:
        if "queued after stuck" in str(message["content"].get("text")):
            any_kernel.manager.interrupt_kernel()

    cell = any_kernel.run(f"{before}%%remote_stream local:stuck\nprint('never')", on_message=on_message)
    assert (cell.reply["ename"], cell.text().replace("never", "")) == ("KeyboardInterrupt", cell.text())
    assert any_kernel.run("%remote_stream interrupt stuck\n%remote_stream wait stuck").ok


def test_the_death_of_a_worker_fails_the_cell_and_is_reported(any_kernel: Kernel) -> None:
    cell = any_kernel.run("%%remote_stream local:dying\nimport os\nprint('last words')\nos._exit(3)")
    assert cell.text() == "last words\n"
    assert (cell.reply["ename"], "exited with code 3" in cell.reply["evalue"]) == ("ExecutionFailed", True)
    cell = any_kernel.run("%%remote_stream local:dying\nprint('again')")
    assert "namespace is empty" in cell.text("stderr")
    assert cell.text() == "again\n"


@pytest.mark.parametrize("end", ["!{sys.executable} -m pyrepl_stream.cli close ended", "os.kill(pid, 9)"])
def test_a_session_that_another_process_ended_is_started_again(any_kernel: Kernel, end: str) -> None:
    assert any_kernel.run("%%remote_stream local:ended --out run\nprint('one')").ok
    find = (
        "import os, sys; from pyrepl_stream.inventory import find_session\npid = find_session('ended').pid\n"
    )
    gone = "\nwhile find_session('ended').pid == pid: pass" if "kill" in end else ""
    assert any_kernel.run(f"{find}{end}{gone}").ok
    cell = any_kernel.run("%%remote_stream local:ended\nprint('two')")
    assert (cell.text(), cell.ok) == ("two\n", True), cell.text("stderr") + cell.traceback


def test_the_timeout_fails_the_cell(any_kernel: Kernel) -> None:
    cell = any_kernel.run("%%remote_stream --timeout 0.3\nimport time\ntime.sleep(1000)")
    assert (cell.reply["ename"], "0.3 s" in cell.reply["evalue"]) == ("TimeoutError", True)


def test_folder_and_environment_of_a_session_are_given_at_its_start(
    any_kernel: Kernel, tmp_path: Path
) -> None:
    line = f"%%remote_stream local:placed --cwd {tmp_path} --env A=1 --env B='x y'"
    code = "import os\nprint(os.getcwd(), os.environ['A'], os.environ['B'])"
    assert any_kernel.run(f"{line}\n{code}").text() == f"{tmp_path} 1 x y\n"
    assert any_kernel.run(f"%%remote_stream local:placed\n{code}").text() == f"{tmp_path} 1 x y\n"
    said = any_kernel.run(f"%%remote_stream local:placed --cwd /\n{code}").text("stderr")
    assert "is already running" in said
    assert "pyrepl-stream close placed" in said
    assert any_kernel.run(f"%%remote_stream local:placed\n{code}").ok  # the refused options have no effect


def test_another_interpreter_needs_no_package(any_kernel: Kernel) -> None:
    known = interpreters()
    other = next(
        (known[version] for version in VERSIONS if known.get(version, sys.executable) != sys.executable), None
    )
    if other is None:
        pytest.skip("there is no other interpreter here")
    cell = any_kernel.run(
        f"%%remote_stream local:other-python --python {other}\nimport sys\nprint(sys.executable)"
    )
    assert cell.text().strip() == other


def test_events_and_filters_work_as_in_threads(any_kernel: Kernel) -> None:
    code = "print('keep 1'); print('drop'); print('{\"type\": \"step\", \"n\": 1}')"
    cell = any_kernel.run(f"%%remote_stream --exclude drop --format json --events found --out run\n{code}")
    assert cell.text() == "keep 1\n"
    assert (
        any_kernel.run("print([e.data['n'] for e in found], run.status, repr(run.stdout))")
        .text()
        .startswith("[1] ok 'keep 1")
    )


def test_a_profile_runs_in_the_kernels_process_unless_a_session_is_named(
    any_kernel: Kernel, tmp_path: Path
) -> None:
    tool = 'command = ["sh", "-c", "cat; echo $PPID"]\nprompt = "stdin"\n'
    (tmp_path / "profiles.toml").write_text(f"[tool]\n{tool}")
    assert any_kernel.run(f"import os; os.environ['PYREPL_STREAM_CONFIG_DIR'] = {str(tmp_path)!r}").ok
    kernel = any_kernel.run("print(os.getpid())").text().strip()
    worker = any_kernel.run("%%remote_stream\nimport os; print(os.getpid())").text().strip()
    assert any_kernel.run("%%remote_stream --profile tool\nhi ").text().split() == ["hi", kernel]
    assert any_kernel.run("%%remote_stream local: --profile tool\nhi ").text().split() == ["hi", worker]


@BOTH
def test_usage_errors_are_reported_in_one_line(any_kernel: Kernel, before: str) -> None:
    for line, says in {
        "local:a/b": "'a/b' is not a valid session name",
        "--as a/b": "'a/b' is not a valid execution id",
        "--python no-such-environment": "'no-such-environment' is not a path",
        "--python /no/such/python": "is not an interpreter that can be run",
        "local:new --cwd /no/such/folder": "/no/such/folder",
    }.items():
        cell = any_kernel.run(f"{before}%%remote_stream {line}\nprint('never')")
        assert says in cell.text("stderr"), cell.text("stderr") + cell.traceback
        assert "Traceback" not in cell.text("stderr")
        assert "never" not in cell.text()


def test_targets_lists_sessions_and_threads(any_kernel: Kernel) -> None:
    assert any_kernel.run("%%remote_stream local:listed\n1").ok
    said = any_kernel.run("%remote_stream targets").text()
    assert "local:listed" in said
    assert "thread:" in said


def test_unloading_leaves_the_session_running(fresh_kernel: Kernel) -> None:
    assert fresh_kernel.run("%load_ext jupyter_ext").ok
    pid = int(fresh_kernel.run("%%remote_stream\nimport os\nprint(os.getpid())").text())
    assert fresh_kernel.run("%unload_ext jupyter_ext").ok
    assert fresh_kernel.run("%load_ext jupyter_ext").ok
    assert int(fresh_kernel.run("%%remote_stream\nprint(os.getpid())").text()) == pid
