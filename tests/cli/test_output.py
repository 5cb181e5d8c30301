"""Options of ``run`` that change the output. Without them every byte passes unchanged."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest
from support.bars import PROGRAMS

RUN = [sys.executable, "-m", "pyrepl_stream.cli", "run"]
COLOURED = r"printf '\033[38;2;255;100;0mred\033[0m\n\033]0;title\007plain\n'"
# Redraws a bar in its line to the end, and continues with text.
BAR = """
import sys, time
for n in range(0, 101):
    sys.stderr.write(f"\\r{n:3d}%|{'#' * (n // 10):<10}| {n}/100 [00:00<00:00, 99.0it/s]")
    sys.stderr.flush()
print("\\nend")
"""


def environment(**variables: str) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "COLORTERM"))
    }
    return {**kept, "TERM": "xterm-256color", **variables}


def run(*words: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*RUN, *words],
        capture_output=True,
        timeout=60,
        check=False,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
    )


def on_terminal(*words: str, **variables: str) -> bytes:
    """Return the bytes that reach a terminal of 80 columns."""
    child = pexpect.spawn(
        RUN[0], [*RUN[1:], *words], timeout=60, env=environment(**variables), dimensions=(24, 80)
    )  # type: ignore[arg-type]  # a dict of the environment
    out: bytes = child.read()
    child.close()
    return out


# -- exact --------------------------------------------------------------------------------------


def test_without_options_colours_pass_unchanged(tmp_path: Path) -> None:
    expected = b"\x1b[38;2;255;100;0mred\x1b[0m\n\x1b]0;title\x07plain\n"
    assert run("--shell", "--", COLOURED, NO_COLOR="1").stdout == expected
    assert (
        run("--shell", "--color", "auto", "--record", str(tmp_path / "a"), "--", COLOURED).stdout == expected
    )
    replayed = subprocess.run(
        [*RUN[:-1], "replay", str(tmp_path / "a")], capture_output=True, timeout=60, check=True
    )
    assert replayed.stdout == expected.replace(b"\n", b"\r\n")


# -- colour -------------------------------------------------------------------------------------


def test_a_pipe_gets_colours_only_on_request() -> None:
    options = ("--shell", "--exclude", "nothing")
    assert run(*options, "--", COLOURED).stdout == b"red\nplain\n"
    assert b"\x1b[38;" in run(*options, "--color", "always", "--", COLOURED, COLORTERM="truecolor").stdout
    assert b"\x1b[38;" in run(*options, "--", COLOURED, FORCE_COLOR="3").stdout


def test_a_terminal_gets_the_colours_that_it_supports() -> None:
    options = ("--shell", "--exclude", "nothing")
    assert b"\x1b[38;5;202mred" in on_terminal(*options, "--", COLOURED)
    assert b"\x1b[38;2;255;100;0mred" in on_terminal(*options, "--", COLOURED, COLORTERM="truecolor")
    for words, variables in ((("--no-color",), {}), ((), {"NO_COLOR": "1"}), ((), {"TERM": "dumb"})):
        assert b"red\r\n" in on_terminal(*options, *words, "--", COLOURED, **variables)


# -- lines --------------------------------------------------------------------------------------


def test_lines_are_filtered_and_prefixed() -> None:
    command = "echo ok; echo an error; echo debug error; printf 'no end, error'"
    done = run(
        "--shell",
        "--source",
        "step:build",
        "--filter",
        "errors",
        "--exclude",
        "^debug",
        "--prefix",
        "--",
        command,
    )
    assert done.stdout == b"[build] an error\n[build] no end, error"
    assert run("--shell", "--prefix={stream}> ", "--", "echo a").stdout == b"stdout> a\n"


def test_documents_are_shown_as_lines_of_json() -> None:
    command = r"""echo text; echo '{'; echo '"a": 1'; echo '}'; echo '{"b": 2}'"""
    assert run("--shell", "--format", "json", "--", command).stdout == b'text\n{"a": 1}\n{"b": 2}\n'
    assert (
        run("--shell", "--format", "yaml", "--", "echo 'kind: Pod'; echo 'n: 1'").stdout
        == b'{"kind": "Pod", "n": 1}\n'
    )


def test_json_output_has_events_and_the_colours_of_text() -> None:
    done = run("--shell", "--json", "--format", "json", "--", COLOURED + """; echo '{"type": "x"}'""")
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    assert [m["name"] for m in messages if m["type"] == "event"] == ["x"]
    assert "\x1b[38;2;255;100;0mred" in "".join(m["data"] for m in messages if m["type"] == "output")


# -- progress -----------------------------------------------------------------------------------


def test_progress_is_a_line_every_ten_per_cent_without_a_cursor() -> None:
    done = run("--progress", "--", sys.executable, "-c", BAR)
    lines = done.stderr.decode().splitlines()
    assert done.stdout == b"end\n"
    assert lines[-1].startswith("Remote progress: 100% | 99 it/s")
    assert 2 <= len(lines) <= 12
    assert all(line.startswith("Remote progress: ") for line in lines)


def test_progress_overwrites_its_line_on_a_terminal() -> None:
    out = on_terminal("--progress", "--", sys.executable, "-c", BAR)
    assert b"\r\x1b[JRemote progress: 100% | 99 it/s" in out
    assert b"|##" not in out
    assert out.endswith(b"end\r\n")


def test_progress_leaves_the_terminal_to_the_program_that_reads_the_output() -> None:
    words = shlex.join([*RUN, "--progress", "--", sys.executable, "-c", BAR])
    child = pexpect.spawn("/bin/sh", ["-c", f"{words} | cat"], timeout=60, env=environment())  # type: ignore[arg-type]  # a dict of the environment
    out: bytes = child.read()
    child.close()
    assert b"\x1b[J" not in out
    assert b"Remote progress: 100% | 99 it/s" in out


@pytest.mark.parametrize("name", list(PROGRAMS))
def test_text_beside_bars_passes_as_whole_lines(name: str, tmp_path: Path) -> None:
    program = PROGRAMS[name]()
    (tmp_path / "output").write_text(program.output, encoding="utf-8", newline="")
    done = run("--progress", "--no-tty", "--", "cat", str(tmp_path / "output"))
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", done.stdout.decode())
    assert [line.strip("\r").rstrip() for line in text.splitlines()] == program.rows
    ends = {bar for line in done.stderr.decode().splitlines() if (bar := line.rpartition(" | ")[2])}
    assert {description for description, _, _ in program.bars} <= ends


# -- errors before the start --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--filter", "("], "is not a regular expression"),
        (["--prefix={sorce}"], "did you mean 'source'?"),
        (["--format", "jsn"], "invalid choice: 'jsn'"),
        (["--record", "/nowhere/a.cast"], "/nowhere/a.cast cannot be written"),
        (["--filtr", "x"], "did you mean '--filter'?"),
    ],
)
def test_bad_options_are_refused_before_the_command_starts(
    words: list[str], said: str, tmp_path: Path
) -> None:
    done = run(*words, "--", "touch", str(tmp_path / "started"))
    assert done.returncode == 2
    assert said in done.stderr.decode()
    assert not (tmp_path / "started").exists()


def test_settings_are_those_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('exclude = ["no"]\nprefix = "> "\n')
    config = {"PYREPL_STREAM_CONFIG_DIR": str(tmp_path)}
    assert run("--shell", "--", "echo yes; echo no", **config).stdout == b"> yes\n"
    assert run("--shell", "--prefix=", "--", "echo yes; echo no", **config).stdout == b"yes\n"
    (tmp_path / "config.toml").write_text("prefx = 1\n")
    done = run("--", "true", **config)
    assert (done.returncode, b"did you mean 'prefix'" in done.stderr) == (2, True)
