"""Commands in cells: ``--shell`` and ``--profile``, in real kernels."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from support.kernels import Cell, Kernel, is_alive

pytestmark = pytest.mark.kernel


def test_a_shell_cell_runs_on_a_terminal(any_kernel: Kernel) -> None:
    cell = any_kernel.run("%%remote_stream --shell\n[ -t 1 ] && echo terminal; echo err >&2; tput cols")
    assert cell.text() == "terminal\nerr\n120\n"
    assert cell.ok


def test_a_shell_cell_on_pipes_keeps_stderr_apart(any_kernel: Kernel) -> None:
    cell = any_kernel.run("%%remote_stream --shell --no-tty\n[ -t 1 ] || echo pipe; echo err >&2")
    assert (cell.text(), cell.text("stderr")) == ("pipe\n", "err\n")


def test_a_shell_cell_has_no_input(any_kernel: Kernel) -> None:
    assert any_kernel.run("%%remote_stream --shell\ncat; echo end").text() == "end\n"


@pytest.mark.parametrize("before", ["", "%%time\n"], ids=["awaited", "blocking"])
def test_an_interactive_command_asks_the_user(any_kernel: Kernel, before: str) -> None:
    code = "read -p 'name? ' name; echo hello $name"
    cell = any_kernel.run(f"{before}%%remote_stream --shell --interactive --plain\n{code}", answer="bob")
    assert "name? hello bob\n" in cell.text()


def test_a_shell_cell_runs_in_its_folder_and_environment(any_kernel: Kernel, tmp_path: Path) -> None:
    cell = any_kernel.run(
        f"%%remote_stream --shell --cwd {tmp_path} --env A=1 --env B='x y'\npwd; echo $A $B"
    )
    assert cell.text() == f"{tmp_path}\n1 x y\n"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--shell --cwd /no/such/folder", "does not exist"),
        ("--shell --idle-timeout 5 --watch ''", "watch contains an empty path"),
        ("--shell --env A", "is not NAME=VALUE"),
        ("thread: --cwd /tmp", "add --shell"),
        ("--profile claudee", "did you mean 'claude'"),
        ("--profile claude --interactive", "the profile chooses the terminal or pipes"),
        ("--profile claude --option modle=x", "did you mean 'model'"),
    ],
)
def test_wrong_options_are_reported_in_one_line(any_kernel: Kernel, line: str, says: str) -> None:
    cell = any_kernel.run(f"%%remote_stream {line}\necho never")
    assert says in cell.text("stderr") + cell.traceback
    assert "Traceback" not in cell.text("stderr")
    assert "never" not in cell.text()


def test_a_limit_fails_the_cell_and_is_named(any_kernel: Kernel, tmp_path: Path) -> None:
    cell = any_kernel.run("%%remote_stream --shell --idle-timeout 0.3\necho $$; sleep 1000")
    assert cell.reply["ename"] == "TimeoutError"
    assert "no output for 0.3 s" in cell.reply["evalue"]
    assert not is_alive(int(cell.text()))
    cell = any_kernel.run("%%remote_stream --shell --timeout 0.3\nwhile :; do echo x; sleep 0.05; done")
    assert "longer than 0.3 s" in cell.reply["evalue"]
    watched = f"--idle-timeout 1 --watch {tmp_path}"
    cell = any_kernel.run(f"%%remote_stream --shell {watched}\necho x > {tmp_path}/file; sleep 1000")
    assert "no change of a watched file" in cell.reply["evalue"]


def test_verbose_shows_what_runs_and_how_it_ended(any_kernel: Kernel) -> None:
    said = any_kernel.run("%%remote_stream --shell --verbose --no-raise\nexit 3").text("stderr")
    assert "the shell runs the cell" in said
    assert "error, exit code 3 after" in said


def test_without_streaming_the_output_is_shown_at_the_end(any_kernel: Kernel, tmp_path: Path) -> None:
    printed = tmp_path / "printed"
    early: list[str] = []

    def look(message: dict[str, Any], cell: Cell) -> None:
        if message["msg_type"] == "stream" and not printed.exists():
            early.append(message["content"]["text"])

    code = f"%%remote_stream --shell --no-streaming\necho a; sleep 0.5; echo b; touch {printed}"
    assert any_kernel.run(code, on_message=look).text() == "a\nb\n"
    assert early == []


def test_a_command_can_be_written_to_from_another_cell(any_kernel: Kernel) -> None:
    any_kernel.run("%%remote_stream --shell --interactive --detach --out job\nread x; echo got $x")
    assert any_kernel.run("job.write('it\\n'); job.wait(30); print(job.stdout)").text() == "got it\n\n"


def test_a_profile_runs_its_tool_with_the_cell_as_the_prompt(any_kernel: Kernel, tmp_path: Path) -> None:
    agent = (
        "import json, sys; print(json.dumps({'type': 'said', 'prompt': sys.stdin.read()})); print('plain')"
    )
    (tmp_path / "profiles.toml").write_text(
        f'[agent]\ncommand = ["{sys.executable}", "-c", "{agent}"]\nprompt = "stdin"\nprocessors = ["json_lines"]\n'
    )
    assert any_kernel.run(f"import os; os.environ['PYREPL_STREAM_CONFIG_DIR'] = {str(tmp_path)!r}").ok
    cell = any_kernel.run("%%remote_stream --profile agent\nwrite a test\nand run it")
    assert cell.text() == 'said: {"type": "said", "prompt": "write a test\\nand run it"}\nplain\n'


def test_an_interrupt_gives_a_command_time_to_clean_up(any_kernel: Kernel) -> None:
    code = "trap 'echo cleaned up; exit 9' INT; echo ready; while :; do sleep 0.05; done"
    cell = any_kernel.run(
        f"%%remote_stream --shell --verbose\n{code}", on_message=any_kernel.interrupt_on("ready")
    )
    assert "cleaned up" in cell.text()
    assert "interrupted, exit code 9" in cell.text("stderr")
    assert cell.reply["ename"] == "KeyboardInterrupt"


@pytest.mark.parametrize("before", ["", "%%time\n"], ids=["awaited", "blocking"])
def test_each_further_interrupt_sends_the_next_signal(any_kernel: Kernel, before: str) -> None:
    code = "trap 'echo INT' INT; trap 'echo TERM' TERM; echo $$ ready; while :; do sleep 0.05; done"
    sent: list[str] = []

    def stop(message: object, cell: Cell) -> None:
        for word in ("ready", "INT", "TERM"):
            if word in cell.text() and word not in sent:
                sent.append(word)
                any_kernel.manager.interrupt_kernel()

    cell = any_kernel.run(f"{before}%%remote_stream --shell\n{code}", on_message=stop)
    assert cell.reply["ename"] == "KeyboardInterrupt"
    assert sent == ["ready", "INT", "TERM"]
    assert not is_alive(int(cell.text().split()[0]))
