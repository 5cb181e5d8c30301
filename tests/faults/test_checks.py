"""The checks of the soak find bugs: each test plants one into the messages of a correct execution."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from faults.checks import Job, violations
from faults.soak import FAULTS_OF_ROUND, soak

from pyrepl_stream import CompleteMessage, GapMessage, Message, OutputMessage, StreamType

WRITERS = {StreamType.STDOUT: ("a", "b"), StreamType.STDERR: ("c",)}
LINES = 20


def messages() -> Iterator[Message]:
    sequence = 0
    for number in range(LINES):
        for stream, names in WRITERS.items():
            sequence += 1
            text = "".join(f"{name} {number}\n" for name in names)
            yield OutputMessage("job", sequence, data=text, stream=stream)
    yield CompleteMessage("job", sequence + 1, success=True, status="ok")


def a_job() -> Job:
    record = list(messages())
    return Job("job", WRITERS, LINES, 1, ["begin", "end"], set(), record, [[*record[4:]]])


def renumbered(record: list[Message]) -> list[Message]:
    return [replace(message, sequence=number) for number, message in enumerate(record, 1)]


def lose_a_number(job: Job) -> None:
    del job.record[5]


def lose_a_message(job: Job) -> None:
    del job.record[5]
    job.record = renumbered(job.record)
    job.views = []


def lose_the_last_lines(job: Job) -> None:
    job.record = renumbered([*job.record[:-5], job.record[-1]])
    job.views = []


def double_a_message(job: Job) -> None:
    job.record = renumbered([*job.record[:5], *job.record[4:]])
    job.views = []


def swap_two_messages(job: Job) -> None:
    job.record[4], job.record[6] = job.record[6], job.record[4]
    job.record = renumbered(job.record)
    job.views = []


def cut_a_line(job: Job) -> None:
    message = job.record[-2]
    assert isinstance(message, OutputMessage)
    job.record[-2] = replace(message, data=message.text[:-1])
    job.views = []


def end_twice(job: Job) -> None:
    job.record = renumbered([*job.record, job.record[-1]])


def never_end(job: Job) -> None:
    del job.record[-1]


def report_success_of_a_job_that_was_cut_off(job: Job) -> None:
    del job.ledger[-1]


def end_without_a_fault(job: Job) -> None:
    job.record[-1] = replace(job.record[-1], success=False, status="killed")
    job.views = []


def be_lost_with_the_runtime_directory(job: Job) -> None:
    job.faults = {"remove runtime directory"}
    job.record[-1] = replace(job.record[-1], success=False, status="lost")
    job.views = []


def remove_a_record_because_the_clock_jumped(job: Job) -> None:
    job.record = []


def take_the_duration_from_the_clock(job: Job) -> None:
    job.record[-1] = replace(job.record[-1], duration=-7200.0)
    job.views = []


def run_twice(job: Job) -> None:
    job.ledger = ["begin", "begin", "end"]


def double_a_message_for_a_client(job: Job) -> None:
    job.views[0].insert(3, job.views[0][3])


def skip_a_message_for_a_client(job: Job) -> None:
    del job.views[0][3]


def change_a_message_for_a_client(job: Job) -> None:
    message = job.views[0][3]
    job.views[0][3] = replace(message, timestamp=message.timestamp + 1)


def lose_from_the_record_what_a_client_saw(job: Job) -> None:
    job.views[0].append(OutputMessage("job", job.record[-1].sequence + 1, data="late"))


PLANTED: list[tuple[Callable[[Job], None], str]] = [
    (lose_a_number, "number 7 where 6 was expected"),
    (lose_a_message, "missing, doubled or out of order"),
    (lose_the_last_lines, "of 20 lines of a, without a gap"),
    (double_a_message, "missing, doubled or out of order"),
    (swap_two_messages, "missing, doubled or out of order"),
    (cut_a_line, "ends within a line"),
    (end_twice, "2 `complete` messages"),
    (never_end, "0 `complete` messages"),
    (report_success_of_a_job_that_was_cut_off, "the code did not reach its end"),
    (end_without_a_fault, "ended as killed after no fault"),
    (be_lost_with_the_runtime_directory, "ended as lost after remove runtime directory"),
    (remove_a_record_because_the_clock_jumped, "0 `complete` messages"),
    (take_the_duration_from_the_clock, "took -7200 s"),
    (run_twice, "began 2 times"),
    (double_a_message_for_a_client, "a client received 8 after 8"),
    (skip_a_message_for_a_client, "a client received 9 after 7"),
    (change_a_message_for_a_client, "a message 8 that differs from the one in the record"),
    (lose_from_the_record_what_a_client_saw, "received message 42, which is not in the record"),
]


def test_an_execution_without_faults_has_no_violation() -> None:
    assert violations(a_job()) == []


def test_lines_that_a_gap_stands_for_may_be_missing() -> None:
    job = a_job()
    first = job.record[5]
    job.record[5] = GapMessage("job", first.sequence, first=first.sequence, bytes=5, reason="limit")
    assert violations(job) == []


def test_the_end_of_the_last_line_may_be_in_a_gap() -> None:
    job = a_job()
    cut_a_line(job)
    line, end = job.record[-2:]
    job.record[-1] = GapMessage("job", end.sequence, first=end.sequence, bytes=1, reason="the disk is full")
    job.record.append(replace(end, sequence=end.sequence + 1))
    assert line.stream is StreamType.STDERR
    assert violations(job) == []


def test_a_line_that_a_gap_cuts_is_not_compared() -> None:
    job = a_job()
    before, gap, after = job.record[28:31]  # lines of stdout, of stderr, and of stdout
    assert isinstance(before, OutputMessage)
    assert isinstance(after, OutputMessage)
    job.record[28] = replace(before, data=before.text[:-1])  # "b 14", which goes on "15"
    job.record[29] = GapMessage("job", gap.sequence, first=gap.sequence, bytes=9, reason="the disk is full")
    job.record[30] = replace(after, data=after.text[2:])
    job.views = []
    assert violations(job) == []


def test_an_interrupted_child_may_print_its_traceback() -> None:
    job = a_job()
    line = job.record[-2]
    assert isinstance(line, OutputMessage)
    job.record[-2] = replace(line, data=f"{line.text}KeyboardInterrupt\n")
    job.views = []
    assert violations(job) == ["job: stderr has the line 'KeyboardInterrupt'"]
    job.faults = {"interrupt"}
    assert violations(job) == []


@pytest.mark.parametrize(("plant", "text"), PLANTED, ids=[plant.__name__ for plant, _ in PLANTED])
def test_a_planted_bug_is_found(plant: Callable[[Job], None], text: str) -> None:
    job = a_job()
    plant(job)
    assert any(text in found for found in violations(job)), violations(job)


def test_rounds_of_random_faults_have_no_violation(rounds: Callable[[int, int], int]) -> None:
    done, found = soak(
        seconds=float("inf"), seed=random.SystemRandom().randrange(1 << 32), rounds=rounds(2, 20)
    )
    assert found == []
    assert done.total() == FAULTS_OF_ROUND * rounds(2, 20)
