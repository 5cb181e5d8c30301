"""Ending a run, with a clock that is a parameter; and runs that cannot be ended."""

from __future__ import annotations

import os
import signal

import pytest

from pyrepl_stream import run_process
from pyrepl_stream.runtime.process.termination import Termination
from pyrepl_stream.runtime.process.tree import Tree


@pytest.fixture
def termination() -> Termination:
    return Termination((2, 3, 4))


def test_no_signal_is_due_before_the_request(termination: Termination) -> None:
    assert not termination.begun
    assert termination.due(100) is None
    assert not termination.abandoned(100)
    assert termination.seconds == 9


def test_each_signal_has_its_own_grace(termination: Termination) -> None:
    termination.escalate(10)
    sent = []
    for now in range(10, 25):
        number = termination.due(now)
        if number is not None:
            sent.append((now, number))
            termination.sent(now)
        assert termination.abandoned(now) == (now >= 19)
    assert sent == [(10, signal.SIGINT), (12, signal.SIGTERM), (15, signal.SIGKILL)]


def test_a_second_request_makes_the_next_signal_due(termination: Termination) -> None:
    termination.escalate(10)
    assert termination.due(10) == signal.SIGINT
    termination.sent(10)
    assert termination.due(10.1) is None
    termination.escalate(10.2)
    assert termination.due(10.2) == signal.SIGTERM


def test_force_makes_sigkill_the_next_signal(termination: Termination) -> None:
    termination.escalate(10, force=True)
    assert termination.due(10) == signal.SIGKILL
    termination.sent(10)
    termination.escalate(10.1, force=True)
    assert termination.due(10.1) is None
    assert termination.exhausted


def test_the_next_signal_is_due_sooner_once_the_command_has_ended(termination: Termination) -> None:
    termination.escalate(10)
    termination.sent(10)
    termination.hurry(10.1)
    assert termination.due(10.3) is None
    assert termination.due(10.4) == signal.SIGTERM


def test_sigkill_always_gets_a_second() -> None:
    assert Termination((0, 0, 0)).seconds == 1


@pytest.fixture
def undying(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signals have no effect, as on a process that is stuck in the kernel."""
    monkeypatch.setattr(Tree, "signal", lambda tree, number: None)
    return


def test_a_command_that_cannot_be_ended_is_logged_and_not_a_success(undying: None) -> None:
    execution = run_process("sleep 1000", grace=(0, 0, 0))
    pid = execution.pid
    execution.interrupt()
    outcome = execution.wait(30)
    assert (outcome.status, outcome.success, outcome.exit_code) == ("interrupted", False, None)
    assert str(pid) in outcome.logs[0].text
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def test_an_exit_code_that_other_code_has_taken_is_not_a_success(monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(*arguments: object) -> None:
        raise ChildProcessError(10, "No child processes")

    monkeypatch.setattr(os, "waitid", taken)
    execution = run_process("exit 3")
    pid = execution.pid
    outcome = execution.wait(30)
    assert pid is not None
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
    assert (outcome.status, outcome.success, outcome.exit_code) == ("lost", False, None)
    assert "os.wait()" in outcome.reason
    monkeypatch.delattr(os, "waitid")  # as on macOS
    assert run_process("exit 3").wait(30).exit_code == 3


@pytest.mark.parametrize("forced", [False, True])
@pytest.mark.parametrize("sent", range(4))
def test_a_request_after_each_signal_makes_the_next_one_due_or_sigkill(sent: int, forced: bool) -> None:
    termination = Termination((0, 0, 1))
    termination.escalate(0)
    for _ in range(sent):
        termination.sent(0)
    termination.escalate(1, force=forced)
    following = [signal.SIGINT, signal.SIGTERM, signal.SIGKILL][sent:]
    for number in following[-1:] if forced else following:
        assert termination.due(1) == number
        termination.sent(1)
        termination.escalate(1)
    assert termination.due(1) is None
    assert termination.exhausted
