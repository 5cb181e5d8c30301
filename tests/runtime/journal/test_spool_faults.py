"""Spools on a disk that is full or fails: gaps count what is missing, and the end is always written."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pyrepl_stream import (
    CompleteMessage,
    ErrorMessage,
    GapMessage,
    InputRequestMessage,
    Message,
    OutputMessage,
    ResultMessage,
)
from pyrepl_stream.runtime.journal.memory import NEVER_DROPPED, output_bytes
from pyrepl_stream.runtime.journal.spool.reader import SpoolReader, open_spool
from pyrepl_stream.runtime.journal.spool.repair import mark_lost
from pyrepl_stream.runtime.journal.spool.status import SpoolStatus
from pyrepl_stream.runtime.journal.spool.writer import Spool, sync_status
from pyrepl_stream.runtime.wire import Decoder, unnumbered
from pyrepl_stream.testing import FaultyDisk

STATUS = SpoolStatus("e", "epoch", "default", "digest", "print(1)", started=1e9)
OPERATIONS = ("open", "write", "truncate", "rename", "unlink")


def make(directory: Path, disk: FaultyDisk, *, limit: int = 1 << 40, segment: int = 1000) -> Spool:
    return Spool.create(
        str(directory),
        STATUS,
        request={},
        disk=disk,
        free_bytes=0,
        free_share=0.0,
        limit=limit,
        segment=segment,
    )


def put(spool: Spool, *messages: Message) -> None:
    for message in messages:
        spool.append(unnumbered(message), output_bytes(message), kept=isinstance(message, NEVER_DROPPED))
    spool.commit()


def output(size: int = 100) -> OutputMessage:
    return OutputMessage(data="x" * size)


def test_neither_a_start_nor_an_end_waits_for_the_disk(tmp_path: Path) -> None:
    disk = FaultyDisk()
    spool = make(tmp_path / "e", disk)
    put(spool, output())
    spool.complete(CompleteMessage(success=True))
    assert "sync" not in disk.calls
    spool.close(sync=False)
    assert "sync" not in disk.calls
    sync_status(spool.directory, disk)
    assert disk.calls.count("sync") == 1  # the status, which has replaced another one


def test_a_message_that_cannot_be_numbered_takes_no_number(tmp_path: Path) -> None:
    spool = make(tmp_path / "e", FaultyDisk())
    put(spool, output())
    with pytest.raises(UnicodeDecodeError):
        spool.append(b'{"data":"' + b"\xff" * (1 << 20) + b'"}', 5)
    put(spool, output())
    assert (spool.last, spool.output) == (2, 200)


def read_lines(reader: SpoolReader) -> bytes:
    return b"".join(iter(reader.read, b""))


def read_all(reader: SpoolReader) -> list[Message]:
    decoder = Decoder()
    messages = list(decoder.feed(read_lines(reader)))
    decoder.close()
    assert reader.ended
    reader.close()
    return messages


def check(messages: list[Message], last: int, written: int, kept: list[int]) -> None:
    """Check that every byte is there or counted, and that no message that is never dropped is missing."""
    spans = [(message.span_start, message.sequence) for message in messages]
    assert spans[0][0] == 1
    assert spans[-1][1] == last
    assert all(b[0] == a[1] + 1 for a, b in zip(spans, spans[1:], strict=False))
    assert sum(map(output_bytes, messages)) == written
    assert [message.sequence for message in messages if isinstance(message, NEVER_DROPPED)] == kept


# -- creation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE, errno.EIO])
@pytest.mark.parametrize("operation", ["open", "write", "reserve", "rename"])
def test_a_failed_creation_leaves_no_files(tmp_path: Path, operation: str, number: int) -> None:
    counting = FaultyDisk()
    make(tmp_path / "counted", counting)
    descriptors = os.listdir("/proc/self/fd")
    for nth in range(counting.calls.count(operation)):
        with pytest.raises(OSError, match=os.strerror(number)) as caught:
            make(tmp_path / "e", FaultyDisk(faults={operation: [*[0] * nth, number]}))
        assert caught.value.errno == number
    assert [path.name for path in tmp_path.iterdir()] == ["counted"]
    assert len(os.listdir("/proc/self/fd")) == len(descriptors)


# -- a full disk --------------------------------------------------------------------------------


def test_output_on_a_full_disk_becomes_a_gap_when_room_returns(tmp_path: Path) -> None:
    disk = FaultyDisk()
    spool = make(tmp_path / "e", disk)
    put(spool, output())
    reader = spool.reader()
    assert reader.read()
    disk.room = 0
    for _ in range(50):
        put(spool, output())
        assert not spool.commit()
    assert reader.read() == b""
    disk.room = None
    put(spool, output())
    gap, after = Decoder().feed(read_lines(reader))
    assert isinstance(gap, GapMessage)
    assert (gap.first, gap.sequence, gap.bytes) == (2, 51, 5000)
    assert "No space left" in gap.reason
    assert after.sequence == 52
    put(spool, output())
    end = spool.complete(CompleteMessage(success=True))
    spool.close()
    check(read_all(open_spool(str(tmp_path / "e")).reader()), end.sequence, 5300, [end.sequence])


def test_a_full_disk_loses_neither_an_end_nor_a_result(tmp_path: Path) -> None:
    disk = FaultyDisk()
    spool = make(tmp_path / "e", disk)
    put(spool, output())
    disk.room = 0
    put(spool, output(), ErrorMessage(name="E"), output())
    put(spool, ResultMessage(data={"text/plain": "1"}), *[output()] * 100)
    end = spool.complete(CompleteMessage(status="error", error="E"))
    put(spool, output())
    spool.close()
    stored = open_spool(str(tmp_path / "e"))
    assert stored.status.complete == end
    assert stored.status.status == "error"
    for record in (spool, stored):
        check(read_all(record.reader()), 106, 103 * 100, [3, 5, 106])


def test_a_long_end_is_shortened_on_a_full_disk(tmp_path: Path) -> None:
    disk = FaultyDisk()
    spool = make(tmp_path / "e", disk)
    disk.room = 0
    put(spool, output(), ResultMessage(data={"text/plain": "r" * 100_000}), ErrorMessage(name="E"))
    end = spool.complete(CompleteMessage(status="error", error="\U0001f600" * 100_000, value="v" * 100_000))
    assert end.value is None
    assert end.error == "\U0001f600" * 4000
    spool.close()
    check(read_all(open_spool(str(tmp_path / "e")).reader()), 4, 100, [3, 4])


def test_on_a_full_disk_the_oldest_segments_of_the_spool_are_removed_first(tmp_path: Path) -> None:
    disk = FaultyDisk()
    spool = make(tmp_path / "e", disk, segment=10_000)
    for _ in range(100):
        put(spool, output(1000))
    disk.room = 0
    for _ in range(100):
        put(spool, output(1000))
    end = spool.complete(CompleteMessage(success=True))
    messages = read_all(spool.reader())
    check(messages, end.sequence, 200_000, [end.sequence])
    assert len([message for message in messages if isinstance(message, GapMessage)]) == 1
    assert isinstance(messages[-2], OutputMessage)
    spool.close()


@pytest.mark.parametrize("options", [{"free_bytes": 101}, {"free_share": 0.02}])
def test_on_a_disk_with_too_little_free_the_oldest_segments_are_removed(
    tmp_path: Path, options: dict[str, float]
) -> None:
    disk = FaultyDisk(free=(100, 10_000))
    options = {"free_bytes": 0, "free_share": 0.0, **options}
    spool = Spool.create(str(tmp_path / "e"), STATUS, request={}, disk=disk, segment=1000, **options)  # type: ignore[arg-type]
    for _ in range(100):
        put(spool, output())
    end = spool.complete(CompleteMessage(success=True))
    spool.close()
    held = sum(path.stat().st_size for path in (tmp_path / "e").glob("0*.ndjson"))
    assert held < 5000
    check(read_all(open_spool(str(tmp_path / "e")).reader()), end.sequence, 10_000, [end.sequence])


def test_an_execution_lost_on_a_full_disk_has_an_end(tmp_path: Path) -> None:
    spool = make(tmp_path / "e", FaultyDisk())
    put(spool, output(), output())
    disk = FaultyDisk(room=0)
    with pytest.raises(OSError, match="No space"):
        disk.make_file(str(tmp_path / "other"), b"1")
    disk.adopt(str(tmp_path / "e" / "end.reserve"))
    disk.adopt(str(tmp_path / "e" / "status.json.reserve"))
    mark_lost(str(tmp_path / "e"), "gone", disk=disk)
    stored = open_spool(str(tmp_path / "e"))
    assert stored.status.status == "lost"
    check(read_all(stored.reader()), 3, 200, [3])


@pytest.mark.parametrize("failures", [0, 1, 2, 5, 1000])
def test_what_a_failed_write_left_is_cut_off_before_anything_else_is_written(
    tmp_path: Path, failures: int
) -> None:
    disk = FaultyDisk()
    spool = make(tmp_path / "e", disk)
    put(spool, output())
    disk.faults = {"truncate": [errno.EIO] * failures}
    disk.room = 300  # one message and a part of the next
    put(spool, output(), output())
    disk.room = None
    for _ in range(3):
        put(spool, output())
    end = spool.complete(CompleteMessage(success=True))
    put(spool, output())
    disk.faults = {}
    spool.close()
    check(read_all(spool.reader(follow=True)), 8, 700, [end.sequence])
    if failures < 1000:  # otherwise nothing of the end could be written
        check(read_all(open_spool(str(tmp_path / "e")).reader(follow=True)), 8, 700, [end.sequence])


def test_a_status_that_could_not_be_written_is_written_later(tmp_path: Path) -> None:
    disk = FaultyDisk()
    spool = make(tmp_path / "e", disk)
    disk.faults = {"rename": [errno.EIO] * 2}
    spool.complete(CompleteMessage(success=True))
    assert open_spool(str(tmp_path / "e")).status.status == "queued"
    spool.commit()
    assert open_spool(str(tmp_path / "e")).status.status == "ok"
    spool.close()


# -- every fault at every call -----------------------------------------------------------------


def run_with(disk: FaultyDisk, directory: Path) -> None:
    """Use a spool in every way while readers read it, then mend the disk and end it."""
    spool = make(directory, disk, limit=4000, segment=700)
    live = spool.reader(follow=True)
    seen, written = b"", 0
    spool.begin()
    for number in range(40):
        message = InputRequestMessage(prompt="?") if number % 9 == 4 else output(37 * number % 300)
        put(spool, message, output(10))
        written += output_bytes(message) + 10
        seen += live.read()
    kept = [2 * number + 1 for number in range(40) if number % 9 == 4]
    end = spool.complete(CompleteMessage(success=True))
    put(spool, output(5))
    disk.faults = {}
    disk.room = disk.short = None
    put(spool, output(5))
    spool.close()
    kept.append(end.sequence)
    check(list(Decoder().feed(seen + read_lines(live))), spool.last, written + 10, kept)
    assert live.ended
    stored = open_spool(str(directory))
    check(read_all(stored.reader(follow=True)), spool.last, written + 10, kept)
    assert read_all(stored.reader())[-1] == end


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EMFILE, errno.EFBIG])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_after_one_fault_at_any_call_every_byte_is_counted(
    tmp_path: Path, operation: str, number: int, rounds: Callable[[int, int], int]
) -> None:
    counting = FaultyDisk()
    run_with(counting, tmp_path / "counted")
    made = FaultyDisk()
    make(tmp_path / "made", made)
    first, calls = made.calls.count(operation), counting.calls.count(operation)
    for nth in range(first, calls, max(1, (calls - first) // rounds(12, 1000))):
        run_with(FaultyDisk(faults={operation: [*[0] * nth, number]}), tmp_path / f"{nth}")


@given(
    rooms=st.lists(st.one_of(st.none(), st.integers(0, 3000)), min_size=1, max_size=15),
    sizes=st.lists(st.integers(0, 500), min_size=1, max_size=15),
    segment=st.integers(1, 2000),
    limit=st.integers(0, 6000),
    short=st.one_of(st.none(), st.integers(1, 400)),
)
@example(rooms=[100], sizes=[100, 100], segment=1, limit=0, short=1)
@settings(max_examples=100, deadline=None)
def test_on_a_disk_that_fills_and_empties_every_byte_is_counted(
    tmp_path_factory: pytest.TempPathFactory,
    rooms: list[int | None],
    sizes: list[int],
    segment: int,
    limit: int,
    short: int | None,
) -> None:
    directory = tmp_path_factory.mktemp("s") / "e"
    disk = FaultyDisk(short=short)
    spool = make(directory, disk, limit=limit, segment=segment)
    live, stored = spool.reader(follow=True), open_spool(str(directory)).reader(follow=True)
    seen = {live: b"", stored: b""}
    written, kept = 0, []
    for room in rooms:
        disk.room = room
        for size in sizes:
            put(spool, output(size))
            written += size
            for reader in seen:
                seen[reader] += reader.read(size + 1)
        put(spool, InputRequestMessage(prompt="?"))
        kept.append(spool.last)
    kept.append(spool.complete(CompleteMessage(success=True)).sequence)
    spool.close()
    for reader, lines in seen.items():
        check(list(Decoder().feed(lines + read_lines(reader))), kept[-1], written, kept)
        assert reader.ended
    check(read_all(open_spool(str(directory)).reader()), kept[-1], written, kept)


@given(
    faults=st.dictionaries(
        st.sampled_from(OPERATIONS), st.lists(st.sampled_from([0, 0, 0, errno.EIO, errno.ENOSPC]))
    )
)
@settings(max_examples=100, deadline=None)
def test_readers_in_the_host_see_the_end_after_any_series_of_faults(
    tmp_path_factory: pytest.TempPathFactory, faults: dict[str, list[int]]
) -> None:
    disk = FaultyDisk()
    spool = make(tmp_path_factory.mktemp("s") / "e", disk, limit=3000, segment=500)
    disk.faults = faults
    reader = spool.reader()
    for _ in range(40):
        put(spool, output(100))
    spool.complete(CompleteMessage(success=True))
    check(read_all(reader), 41, 4000, [41])
    spool.close()


# -- real disks -----------------------------------------------------------------------------

PROGRAM = """
import resource, os
from pyrepl_stream.runtime.journal.spool.status import SpoolStatus
from pyrepl_stream.runtime.journal.spool.writer import Spool, sync_status
from pyrepl_stream.runtime.journal.spool.reader import open_spool
from pyrepl_stream.runtime.messages import CompleteMessage, OutputMessage
from pyrepl_stream.runtime.wire import Decoder, unnumbered
spool = Spool.create({directory!r}, SpoolStatus("e", "", "", "", "", 0.0), request={{}}, free_bytes=0, free_share=0.0, {options})
{before}
body = unnumbered(OutputMessage(data="x" * 10_000))
for number in range(100):
    spool.append(body, 10_000)
    spool.commit()
{after}
spool.complete(CompleteMessage(success=True))
spool.close()
"""


def run_program(
    run_python: Callable[..., subprocess.CompletedProcess[str]],
    directory: Path,
    before: str,
    after: str = "",
    options: str = "",
) -> list[Message]:
    program = PROGRAM.format(directory=str(directory), before=before, after=after, options=options)
    done = run_python(program)
    assert done.returncode == 0, done.stderr
    return read_all(open_spool(str(directory)).reader())


def test_a_file_that_must_not_grow_is_followed_by_another(
    tmp_path: Path, run_python: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    limited = "resource.setrlimit(resource.RLIMIT_FSIZE, (70_000, 70_000))"
    messages = run_program(run_python, tmp_path / "e", limited)
    check(messages, 101, 1_000_000, [101])
    assert sum(isinstance(message, OutputMessage) for message in messages) == 100


def test_without_free_descriptors_the_segment_grows(
    tmp_path: Path, run_python: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    exhausted = "spool.append(unnumbered(OutputMessage()))\nspool.commit()\nresource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\nheld = []\ntry:\n    while True: held.append(os.open(os.devnull, 0))\nexcept OSError: pass"
    messages = run_program(run_python, tmp_path / "e", exhausted, options="segment=50_000")
    assert [message.type for message in messages] == ["output"] * 101 + ["complete"]
    assert open_spool(str(tmp_path / "e")).status.status == "ok"


def test_a_message_without_memory_is_a_gap_and_numbers_have_no_hole(
    tmp_path: Path, run_python: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    short = """
import resource
body = unnumbered(OutputMessage(data="x" * (60 << 20)))
pages = int(open("/proc/self/statm").read().split()[0])
before = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (pages * 4096 + (16 << 20), before[1]))
assert spool.append(body, 60 << 20) == 1
resource.setrlimit(resource.RLIMIT_AS, before)
"""
    messages = run_program(run_python, tmp_path / "e", short)
    gap = messages[0]
    assert isinstance(gap, GapMessage)
    assert (gap.span_start, gap.sequence, gap.bytes) == (1, 1, 60 << 20)
    assert "too little memory" in gap.reason
    assert [message.sequence for message in messages[1:]] == list(range(2, len(messages) + 1))


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="only root can mount")
def test_a_real_disk_that_is_full_has_room_for_the_end(
    tmp_path: Path, run_python: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine does not let root mount")
    try:
        messages = run_program(run_python, disk / "e", "")
        status = open_spool(str(disk / "e")).status
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    check(messages, 101, 1_000_000, [101])
    assert any(isinstance(message, GapMessage) for message in messages)
    assert (status.status, status.last, status.output) == ("ok", 101, 1_000_000)
