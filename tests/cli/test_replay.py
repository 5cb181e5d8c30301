"""``pyrepl-stream replay``: recordings are played unchanged, and bad files are reported."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pexpect
import pytest

REPLAY = [sys.executable, "-m", "pyrepl_stream.cli", "replay"]
RUN = [sys.executable, "-m", "pyrepl_stream.cli", "run"]


def replayed(*words: str, file: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*REPLAY, *words], input=file, capture_output=True, timeout=60, check=False)


def cast(*events: object, **header: object) -> bytes:
    lines = [{"version": 2, "width": 80, "height": 24, **header}, *events]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def test_a_run_is_recorded_and_played_again(tmp_path: Path) -> None:
    file = str(tmp_path / "a.cast")
    command = "printf '\\033[31mred\\033[0m\\n'; printf 'no end é'"
    ran = subprocess.run(
        [*RUN, "--shell", "--record", file, "--", command], capture_output=True, timeout=60, check=True
    )
    assert ran.stdout == "\x1b[31mred\x1b[0m\nno end é".encode()
    played = replayed(file)
    assert (played.returncode, played.stdout, played.stderr) == (0, ran.stdout.replace(b"\n", b"\r\n"), b"")


def test_messages_are_played_on_their_streams() -> None:
    ran = subprocess.run(
        [*RUN, "--json", "--no-tty", "--shell", "--", r"printf 'a\377'; echo b >&2"],
        capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    played = replayed("-", file=ran.stdout)
    assert (played.returncode, played.stdout, played.stderr) == (0, b"a\xff", b"b\n")


def test_pauses_are_divided_by_the_speed_and_shortened_to_the_limit() -> None:
    began = time.monotonic()
    assert replayed("-", "--speed", "1000", file=cast([100.0, "o", "a"])).stdout == b"a"
    assert (
        replayed("-", "--idle-limit", "0.01", file=cast([1000, "o", "a"], [2000, "o", "b"])).stdout == b"ab"
    )
    assert replayed("-", file=cast([1000, "o", "a"], idle_time_limit=0.01)).stdout == b"a"
    assert time.monotonic() - began > 0.1  # never earlier
    began = time.monotonic()
    replayed("-", file=cast([0.2, "o", "a"], [0.1, "o", "b"]))
    assert time.monotonic() - began > 0.2


def test_version_3_has_comments_and_times_between_events() -> None:
    file = b'{"version": 3, "term": {"cols": 80}}\n# a comment\n[0.01, "o", "a"]\n[0.01, "i", "typed"]\n[0, "o", "b"]\n'
    assert replayed("-", file=file).stdout == b"ab"


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (b"", "is not a recording"),
        (b"text\n", "is not a recording"),
        (b"[1]\n", "is not a recording"),
        (b"[" * 100_000, "is not a recording"),
        (b'{"version": 2, "wid', "ends within line 1"),
        (b"{}\n", "is neither an asciicast nor the output of"),
        (cast(version=1), "version 1, but only versions 2 and 3"),
        (cast([0, "o", "a"], [1, "o"]), "line 3 is not an event"),
        (cast([float("nan"), "o", "a"]), "line 2 is not an event"),
        (cast([0, "o", "a"])[:-5], "ends within line 2"),
        (b'{"type": "output", "sequence": 1}\n', "line 1 is not a message"),
    ],
)
def test_a_bad_file_is_reported_with_the_line(file: bytes, said: str) -> None:
    played = replayed("-", file=file)
    assert played.returncode == 1
    assert said in played.stderr.decode()
    assert b"Traceback" not in played.stderr


def test_the_lines_before_a_bad_one_are_played() -> None:
    assert replayed("-", file=cast([0, "o", "first"], "bad")).stdout == b"first"


def test_wrong_arguments_are_refused() -> None:
    assert b"cannot be read: No such file" in replayed("missing.cast").stderr
    for words in (["-", "--speed", "0"], ["-", "--idle-limit", "-1"], [], ["a", "--sped", "2"]):
        assert replayed(*words, file=b"").returncode == 2
    assert b"did you mean '--speed'?" in replayed("a", "--sped=2").stderr


def test_a_closed_pipe_ends_the_replay() -> None:
    line = " ".join([*REPLAY, "-", "|", "head", "-c1"])
    file = cast(*([0, "o", "x" * 60_000] for _ in range(40)))
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"], input=file, capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (141, b"x", b"")


def test_an_interrupt_ends_the_replay_and_resets_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "a.cast").write_bytes(cast([0, "o", "\x1b[31mred"], [1000, "o", "late"]))
    player = pexpect.spawn(
        REPLAY[0], [*REPLAY[1:], str(tmp_path / "a.cast")], timeout=60, env={**os.environ, "TERM": "xterm"}
    )
    player.expect("red")
    player.kill(signal.SIGINT)
    player.expect_exact("\x1b[0m\x1b[?25h")
    player.expect(pexpect.EOF)
    player.close()
    assert player.exitstatus == 130
