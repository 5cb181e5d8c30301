"""Running the tool of a profile, with programs that behave as such tools do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pyrepl_stream import EventMessage, OutputMessage, UsageError, run_profile
from pyrepl_stream.profiles import Profile

AGENT = """
import json, sys
arguments = sys.argv[1:]
if "--verbose" in arguments and "--old" in arguments:
    sys.exit("error: unknown option '--verbose'")
prompt = sys.stdin.read()
print(json.dumps({"type": "start", "arguments": arguments}))
print("no JSON")
print(json.dumps({"type": "result", "prompt": prompt}))
"""


@pytest.fixture
def agent(tmp_path: Path) -> Profile:
    (tmp_path / "agent.py").write_text(AGENT)
    return Profile(
        "agent",
        (sys.executable, str(tmp_path / "agent.py")),
        flags=(("--output-format", "json"), ("--verbose",)),
        prompt="stdin",
        options={"model": ("--model", "{value}")},
        processors=("json_lines",),
    )


def test_the_tool_gets_the_prompt_and_its_events_are_emitted(agent: Profile) -> None:
    execution = run_profile(agent, "do it", options={"model": "small"}, arguments=["--more"])
    messages = list(execution)
    events = [(m.name, m.data) for m in messages if isinstance(m, EventMessage)]
    arguments = ["--output-format", "json", "--verbose", "--model", "small", "--more"]
    assert events == [
        ("start", {"type": "start", "arguments": arguments}),
        ("result", {"type": "result", "prompt": "do it"}),
    ]
    assert [m.text for m in messages if isinstance(m, OutputMessage)] == ["no JSON\n"]
    # Each reader has processors of its own and gets the same messages.
    assert [(m.name, m.data) for m in execution if isinstance(m, EventMessage)] == events


def test_a_rejected_flag_is_left_out_in_a_second_attempt_and_logged(agent: Profile) -> None:
    execution = run_profile(agent, "do it", arguments=["--old"])
    events = [m.data for m in execution if isinstance(m, EventMessage)]
    assert events[0]["arguments"] == ["--output-format", "json", "--old"]
    outcome = execution.wait(30)
    assert outcome.success
    assert "does not know --verbose" in outcome.logs[0].text
    assert "unknown option" in outcome.stderr


def test_another_failure_is_not_retried(agent: Profile) -> None:
    profile = Profile("sh", ("sh", "-c", "echo broken; exit 4"), flags=(("--verbose",),))
    outcome = run_profile(profile, "").wait(30)
    assert (outcome.exit_code, outcome.stdout, outcome.logs) == (4, "broken\n", [])


def test_limits_of_the_call_override_those_of_the_profile(tmp_path: Path) -> None:
    profile = Profile("sh", ("sh", "-c", "sleep 1000"), timeout=50, idle_timeout=60, env={"A": "1"})
    assert run_profile(profile, "", timeout=0.1).wait(30).reason == "timeout: the run took longer than 0.1 s"
    assert "for 0.1 s" in run_profile(profile, "", idle_timeout=0.1).wait(30).reason


def test_changes_of_watched_files_count_as_activity(tmp_path: Path) -> None:
    task = f"mkdir -p {tmp_path}/tasks/1; for i in $(seq 12); do echo $i > {tmp_path}/tasks/1/$i; sleep 0.1; done; echo done"
    profile = Profile(
        "files",
        ("bash", "-c", task),
        watch=(f"{tmp_path}/tasks/<new>",),
        activity=("output", "files"),
        idle_timeout=0.8,
        watch_interval=0.05,
    )
    assert run_profile(profile, "").wait(30).stdout == "done\n"


def test_invalid_arguments_are_refused_before_anything_starts(agent: Profile) -> None:
    with pytest.raises(UsageError, match="there is no profile 'claudee'"):
        run_profile("claudee", "x")
    with pytest.raises(UsageError, match="option"):
        run_profile(agent, "x", options={"modle": "x"})
    with pytest.raises(UsageError, match="prompt"):
        run_profile(agent, "")
