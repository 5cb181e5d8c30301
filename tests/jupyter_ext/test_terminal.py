"""Terminal IPython in a real terminal."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest
from support.kernels import ROOT, is_alive

PROMPT = r"In \[\d+\]: "


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[pexpect.spawn]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "IPYTHONDIR": str(tmp_path),
        "TERM": "dumb",
    }
    options = ["--simple-prompt", "--colors=NoColor", "--no-banner", "--no-confirm-exit"]
    child = pexpect.spawn(
        sys.executable,
        ["-m", "IPython", *options],
        cwd=str(tmp_path),
        env=environment,
        encoding="utf-8",
        timeout=60,
        echo=False,
    )
    child.expect(PROMPT)
    child.sendline("%load_ext jupyter_ext")
    child.expect(PROMPT)
    yield child
    child.close(force=True)


def _magic(line: str, cell: str) -> str:
    return f"get_ipython().run_cell_magic('remote_stream', {line!r}, {cell!r})"


def test_output_comes_while_the_code_runs(terminal: pexpect.spawn, tmp_path: Path) -> None:
    code = (
        "import os, time\nprint('first')\nwhile not os.path.exists('go'): time.sleep(0.01)\nprint('second')"
    )
    terminal.sendline(_magic("", code))
    terminal.expect("first\r\n")
    (tmp_path / "go").write_text("")
    terminal.expect("second\r\n")
    terminal.expect(PROMPT)


def test_the_magic_can_be_typed(terminal: pexpect.spawn) -> None:
    terminal.sendline("%%remote_stream")
    terminal.sendline("print('ty' + 'ped')")
    terminal.sendline("")
    terminal.sendline("")
    terminal.expect("typed\r\n")
    terminal.expect(PROMPT)


def test_control_c_stops_a_shell_run_and_leaves_no_child(terminal: pexpect.spawn) -> None:
    terminal.sendline(_magic("--shell", "(sleep 1000 & echo pid $!; echo pid $$; wait)"))
    pids = []
    for _ in range(2):
        terminal.expect(r"pid (\d+)\r\n")
        pids.append(int(re.sub(r"\D", "", terminal.match.group(1))))
    assert all(is_alive(pid) for pid in pids)
    terminal.sendintr()
    terminal.expect("KeyboardInterrupt")
    terminal.expect(PROMPT)
    assert not [pid for pid in pids if is_alive(pid)]


def test_control_c_stops_python_code_and_not_the_shell(terminal: pexpect.spawn) -> None:
    terminal.sendline(_magic("", "print('go')\nwhile True: pass"))
    terminal.expect("go\r\n")
    terminal.sendintr()
    terminal.expect("KeyboardInterrupt")
    terminal.expect(PROMPT)
    terminal.sendline("print('ali' + 've')")
    terminal.expect("alive\r\n")


def test_exit_with_a_detached_run_neither_hangs_nor_fails(terminal: pexpect.spawn) -> None:
    terminal.sendline(_magic("--detach", "while True: pass"))
    terminal.expect("runs detached")
    terminal.expect(PROMPT)
    terminal.sendline("exit")
    terminal.expect(pexpect.EOF)
    assert "Traceback" not in terminal.before
    terminal.close()
    assert terminal.exitstatus == 0
