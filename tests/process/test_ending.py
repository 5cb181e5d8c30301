"""How a run is ended: the steps, by a clock that is a parameter; and what cannot be ended."""

from __future__ import annotations

import os
import signal

import pytest

from pyrepl_stream import run_process
from pyrepl_stream.process.ending import Ending
from pyrepl_stream.process.tree import Tree


@pytest.fixture
def ending() -> Ending:
    return Ending((2, 3, 4))


def test_nothing_is_due_before_it_begins(ending: Ending) -> None:
    assert not ending.begun
    assert ending.due(100) is None
    assert not ending.given_up(100)
    assert ending.seconds == 9


def test_each_signal_has_its_own_time(ending: Ending) -> None:
    ending.hasten(10)
    sent = []
    for now in range(10, 25):
        number = ending.due(now)
        if number is not None:
            sent.append((now, number))
            ending.sent(now)
        assert ending.given_up(now) == (now >= 19)
    assert sent == [(10, signal.SIGINT), (12, signal.SIGTERM), (15, signal.SIGKILL)]


def test_a_second_request_does_not_wait(ending: Ending) -> None:
    ending.hasten(10)
    assert ending.due(10) == signal.SIGINT
    ending.sent(10)
    assert ending.due(10.1) is None
    ending.hasten(10.2)
    assert ending.due(10.2) == signal.SIGTERM


def test_force_goes_to_the_last_step_at_once(ending: Ending) -> None:
    ending.hasten(10, force=True)
    assert ending.due(10) == signal.SIGKILL
    ending.sent(10)
    ending.hasten(10.1, force=True)
    assert ending.due(10.1) is None
    assert ending.exhausted


def test_what_an_ended_command_left_gets_its_next_signal_soon(ending: Ending) -> None:
    ending.hasten(10)
    ending.sent(10)
    ending.orphaned(10.1)
    assert ending.due(10.3) is None
    assert ending.due(10.4) == signal.SIGTERM


def test_sigkill_always_has_a_second() -> None:
    assert Ending((0, 0, 0)).seconds == 1


@pytest.fixture
def undying(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signals do nothing, as to a process that is stuck in the kernel."""
    monkeypatch.setattr(Tree, "signal", lambda tree, number: 0)
    return


def test_what_cannot_be_ended_is_said_and_never_a_success(undying: None) -> None:
    execution = run_process("sleep 1000", grace=(0, 0, 0))
    pid = execution.pid
    execution.interrupt()
    outcome = execution.wait(30)
    assert (outcome.status, outcome.success, outcome.exit_code) == ("interrupted", False, None)
    assert str(pid) in outcome.logs[0].text
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def test_an_end_that_went_to_somebody_else_is_never_a_success(monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(*arguments: object) -> None:
        raise ChildProcessError(10, "No child processes")

    monkeypatch.setattr(os, "waitid", taken)
    execution = run_process("exit 3")
    pid = execution.pid
    outcome = execution.wait(30)
    assert pid is not None
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
    assert (outcome.status, outcome.success, outcome.exit_code) == ("lost", False, None)
    assert "somebody else" in outcome.reason
    monkeypatch.delattr(os, "waitid")  # as on macOS
    assert run_process("exit 3").wait(30).exit_code == 3
