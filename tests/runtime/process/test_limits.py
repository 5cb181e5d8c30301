"""Commands and limits as values: their JSON form, and where they are passed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pyrepl_stream import Command, IdlePolicy, Limits, Step, UsageError, run_process, run_steps
from pyrepl_stream.runtime.protocol.requests import CommandRequest, Request


@pytest.mark.parametrize(
    "command",
    [
        Command("echo a | cat"),
        Command(["echo", "a b"], pty=False, stderr="pipe", cwd="/", env={"A": "1", "B": None}),
        Command("cat", size=(7, 33), stdin=b"\xff\x00", source="label"),
        Command("read x", interactive=True),
    ],
)
def test_a_command_survives_json(command: Command) -> None:
    assert Command.from_json(json.loads(json.dumps(command.as_json()))) == command


def test_text_as_input_arrives_as_its_bytes() -> None:
    assert Command.from_json(Command("cat", stdin="é\udcff").as_json()).stdin == b"\xc3\xa9\xff"


def test_paths_are_absolute_in_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    assert Command(["cat", Path("x")], cwd="folder").as_json()["cwd"] == str(tmp_path / "folder")
    assert Limits(idle=IdlePolicy(3, watch=["x"])).as_json()["watch"] == [str(tmp_path / "x")]


def test_a_file_cannot_be_sent() -> None:
    with open(os.devnull) as file, pytest.raises(UsageError, match="pass its content"):
        Command("cat", stdin=file).as_json()


def test_limits_survive_json_without_their_timeout() -> None:
    limits = Limits(5, IdlePolicy(3, activity=["output", "process"], interval=0.5), (1, 2, 3))
    assert Limits.from_json(json.loads(json.dumps(limits.as_json()))) == Limits(None, limits.idle, (1, 2, 3))
    assert Limits.from_json({}) == Limits()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"timeout": 0}, "timeout must be"),
        ({"grace": (1, 2)}, "grace must be"),
        ({"grace": 3}, "grace must be"),
    ],
)
def test_invalid_limits_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Limits(**values)


def test_a_request_carries_the_fields_of_earlier_releases() -> None:
    request = Request("one", "true", CommandRequest.of(Command("true"), Limits(5)), 5)
    assert request.as_json()["command"] == {
        "arguments": "true",
        "pty": True,
        "stderr": "merge",
        "cwd": None,
        "env": None,
        "size": [40, 120],
        "stdin": None,
        "interactive": False,
        "source": "",
        "idle_timeout": None,
        "activity": ["output"],
        "watch": [],
        "watch_interval": 5.0,
        "grace": [2.0, 2.0, 1.0],
    }
    again = Request.from_json(json.loads(json.dumps(request.as_json())))
    assert again == request
    assert again.digest == request.digest
    assert again.command is not None
    assert again.command.load() == (Command("true"), Limits())


def test_the_earlier_keywords_of_a_command_request_still_work() -> None:
    with pytest.warns(DeprecationWarning, match="pass Limits"):
        request = CommandRequest.of(Command("true"), idle_timeout=3, grace=(1, 2, 3))
    assert request.load()[1] == Limits(None, IdlePolicy(3), (1, 2, 3))


def test_run_process_accepts_values() -> None:
    command = Command("echo $MINE; sleep 1000", env={"MINE": "yes"}, source="tool")
    execution = run_process(command, limits=Limits(idle=IdlePolicy(0.2)))
    outcome = execution.wait(30)
    assert (outcome.stdout, outcome.status) == ("yes\n", "timeout")


def test_a_value_and_its_fields_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="cwd, source cannot be given with a Command"):
        run_process(Command("true"), cwd="/", source="x")
    with pytest.raises(UsageError, match="limits cannot be given together with timeout"):
        run_process("true", limits=Limits(), timeout=3)
    with pytest.raises(UsageError, match="pty cannot be given with a Command"):
        Step("a", Command("true"), pty=False)
    with pytest.raises(UsageError, match="pty can only be given with a command"):
        Step("a", call=print, pty=False)


def test_a_step_labels_the_command_that_it_is_given() -> None:
    execution = run_steps([Step("label", Command("echo x", stdin=""))], limits=Limits(30))
    assert [message.source for message in execution if message.type == "output"] == ["label"]
