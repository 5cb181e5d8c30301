"""Both pumps with real pipes and processes, by the same tests."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pyrepl_stream import Command, OutputMessage, Session
from pyrepl_stream.runtime.process import ProcessRunner
from pyrepl_stream.runtime.process.child import make_pump
from pyrepl_stream.runtime.process.pump import Pump, SelectorPump, _exit_descriptor, _Source
from pyrepl_stream.runtime.process.windows import ThreadPump


@pytest.fixture(params=[SelectorPump, ThreadPump])
def make(request: pytest.FixtureRequest) -> Callable[[], Pump]:
    return request.param  # type: ignore[no-any-return]


def test_data_has_the_tag_of_its_descriptor_and_the_end_is_an_empty_event(make: Callable[[], Pump]) -> None:
    pump = make()
    read, write = os.pipe()
    pump.read_from(read, "tag")
    os.write(write, b"data")
    assert pump.wait(30) == [("tag", b"data")]
    assert pump.reading == 1
    os.close(write)
    assert pump.wait(30) == [("tag", b"")]
    assert pump.reading == 0
    pump.close()


def test_the_exit_of_a_process_is_an_event(make: Callable[[], Pump]) -> None:
    pump = make()
    process = subprocess.Popen(["true"])
    pump.watch_exit(process, "exit")
    assert pump.wait(30) == [("exit", b"")]
    assert process.wait() == 0
    pump.close()


def test_calls_of_other_threads_run_while_it_waits(make: Callable[[], Pump]) -> None:
    pump = make()
    called: list[int] = []
    threading.Timer(0.01, pump.call, [lambda: called.append(threading.get_ident())]).start()
    while not called:
        assert pump.wait(30) == []
    assert called == [threading.get_ident()]
    for _ in range(100_000):  # more than a pipe holds
        pump.call(lambda: called.append(0))
    pump.wait(30)
    while len(called) < 100_001:
        pump.wait(0)
    pump.close()
    pump.close()
    pump.call(lambda: called.append(1))  # ignored


def test_a_wait_ends_at_its_timeout(make: Callable[[], Pump]) -> None:
    pump = make()
    assert pump.wait(0.001) == []
    pump.close()


def test_a_feed_of_any_size_arrives_whole_and_ends(make: Callable[[], Pump]) -> None:
    pump = make()
    to_read, to_write = os.pipe()
    process = subprocess.Popen(["wc", "-c"], stdin=to_read, stdout=subprocess.PIPE)
    os.close(to_read)
    pump.feed_to(to_write)
    for _ in range(50):
        pump.feed(b"x" * 50_000)
    pump.end_feed()
    pump.end_feed()
    pump.feed(b"too late")
    pump.watch_exit(process, "exit")
    while not pump.wait(30):
        pass
    assert int(process.communicate()[0]) == 2_500_000
    pump.close()


def test_a_feed_without_a_reader_is_broken(make: Callable[[], Pump]) -> None:
    pump = make()
    read, write = os.pipe()
    os.close(read)
    pump.feed_to(write)
    while not pump.feed_broken:
        pump.feed(b"x")
        pump.wait(0.001)
    pump.end_feed()
    pump.close()


def test_input_without_a_feed_is_dropped(make: Callable[[], Pump]) -> None:
    pump = make()
    pump.feed(b"x")
    pump.end_feed()
    pump.close()


def test_a_closed_pump_leaves_no_descriptor() -> None:
    before = len(os.listdir("/proc/self/fd"))
    pump = SelectorPump()
    read, _write = os.pipe()
    pump.read_from(read, "x")
    feed_read, feed = os.pipe()
    pump.feed_to(feed)
    pump.feed(b"x" * 200_000)
    pump.close()
    os.close(_write)
    os.close(feed_read)
    assert len(os.listdir("/proc/self/fd")) == before


def test_an_error_other_than_the_end_of_a_descriptor_is_raised(tmp_path: Path) -> None:
    pump = SelectorPump()
    with pytest.raises(IsADirectoryError):
        pump._read_small(os.open(tmp_path, os.O_RDONLY), _Source("x"))
    pump.close()


def test_without_pidfds_the_exit_is_an_event_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for replaced in ("refused", "absent"):
        if replaced == "refused":

            def refuse(pid: int) -> int:
                raise OSError("not permitted")

            monkeypatch.setattr(os, "pidfd_open", refuse)
        else:
            monkeypatch.delattr(os, "pidfd_open")
        process = subprocess.Popen(["true"])
        pump = SelectorPump()
        pump.watch_exit(process, "exit")
        assert pump.wait(30) == [("exit", b"")]
        pump.close()
        process.wait()
    process = subprocess.Popen(["true"])
    os.close(_exit_descriptor(process))
    process.wait()


def test_a_command_runs_on_a_pump_with_threads() -> None:
    """As on Windows: with pipes only, and a thread for each."""
    with Session() as session:
        command = Command("cat; echo err >&2; head -c 3000000 /dev/zero", pty=False, stderr="pipe")
        execution = session.launch(ProcessRunner(command, make_pump=ThreadPump), "x", retain_output=True)
        execution.write("in\n")  # type: ignore[attr-defined]  # it is a ProcessExecution
        execution.close_stdin()  # type: ignore[attr-defined]
        outcome = execution.wait(30)
        assert outcome.stdout == "in\n" + "\0" * 3_000_000
        assert outcome.stderr == "err\n"
        runner = ProcessRunner(Command("yes", pty=False), make_pump=ThreadPump)
        execution = session.launch(runner, "y")
        for message in execution:
            if isinstance(message, OutputMessage):
                execution.interrupt()
                break
        assert execution.wait(30).status == "interrupted"


def test_the_platform_decides_the_pump(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(make_pump(), SelectorPump)
    monkeypatch.setattr(sys, "platform", "win32")
    assert isinstance(make_pump(), ThreadPump)
