"""A spool: what was appended is read, by readers in the process and from the files alone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyrepl_stream import (
    CompleteMessage,
    DisplayMessage,
    ErrorMessage,
    GapMessage,
    InputRequestMessage,
    Message,
    OutputMessage,
    ResultMessage,
    UnknownExecutionError,
)
from pyrepl_stream.runtime.errors import CursorError, InsecurePathError, ProtocolError
from pyrepl_stream.runtime.journal.memory import NEVER_DROPPED, output_bytes
from pyrepl_stream.runtime.journal.reserves import ReservePool
from pyrepl_stream.runtime.journal.spool.reader import SpoolReader, open_spool
from pyrepl_stream.runtime.journal.spool.repair import mark_lost, remove_leftovers, remove_spool
from pyrepl_stream.runtime.journal.spool.status import SpoolStatus
from pyrepl_stream.runtime.journal.spool.writer import Spool
from pyrepl_stream.runtime.wire import Decoder, unnumbered

STATUS = SpoolStatus("e", "epoch", "default", "digest", "print(1)", started=1e9)
Make = Callable[..., Spool]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Make spools in ``tmp_path / "e"``, by default without regard to free space."""
    made: list[Spool] = []

    def spool(directory: Path = tmp_path / "e", **options: object) -> Spool:
        options = {"free_bytes": 0, "free_share": 0.0, **options}
        made.append(Spool.create(str(directory), STATUS, request={"code": "print(1)"}, **options))  # type: ignore[arg-type]
        return made[-1]

    yield spool
    for one in made:
        one.close()


def put(spool: Spool, *messages: Message) -> None:
    for message in messages:
        spool.append(unnumbered(message), output_bytes(message), kept=isinstance(message, NEVER_DROPPED))
    spool.commit()


def output(size: int = 100, mark: str = "x") -> OutputMessage:
    return OutputMessage(data=mark * size)


def read_lines(reader: SpoolReader, limit: int = 256 << 10) -> bytes:
    slices = []
    while data := reader.read(limit):
        assert data.endswith(b"\n")
        slices.append(data)
    return b"".join(slices)


def read_all(reader: SpoolReader, limit: int = 256 << 10) -> list[Message]:
    decoder = Decoder()
    messages = list(decoder.feed(read_lines(reader, limit)))
    decoder.close()
    reader.close()
    return messages


def spans(messages: list[Message]) -> list[tuple[int, int]]:
    return [(message.span_start, message.sequence) for message in messages]


def total(messages: list[Message]) -> int:
    """Return the bytes of output that the messages hold or stand for."""
    assert all(message.bytes is not None for message in messages if isinstance(message, GapMessage))
    return sum(map(output_bytes, messages))


# -- numbers and visibility ---------------------------------------------------------------------


def test_messages_are_read_with_numbers_from_one_on(
    make: Make, tmp_path: Path, assert_whole: Callable[..., None]
) -> None:
    spool = make()
    put(spool, output(), DisplayMessage(data={"text/plain": "a"}), ResultMessage(data={"text/plain": "1"}))
    assert spool.complete(CompleteMessage(success=True)).sequence == 4
    messages = read_all(spool.reader())
    assert_whole(messages)
    assert [type(message) for message in messages] == [
        OutputMessage,
        DisplayMessage,
        ResultMessage,
        CompleteMessage,
    ]
    assert {message.execution_id for message in messages} == {"e"}
    assert read_all(open_spool(str(tmp_path / "e")).reader()) == messages


def test_a_message_is_visible_only_after_its_commit(make: Make) -> None:
    spool = make()
    reader = spool.reader()
    spool.append(unnumbered(output()), 100)
    assert reader.read() == b""
    assert spool.commit()
    assert len(read_all(reader)) == 1
    assert not spool.commit()


def test_a_flood_is_written_without_a_commit(make: Make) -> None:
    spool = make()
    reader = spool.reader()
    for _ in range(100):
        spool.append(unnumbered(output(64 << 10)), 64 << 10)
    assert reader.read() != b""
    assert spool.commit()


def test_a_reader_ends_at_complete_and_a_following_one_when_the_record_is_closed(
    make: Make, tmp_path: Path
) -> None:
    spool = make()
    put(spool, output())
    plain, following = spool.reader(), spool.reader(follow=True)
    spool.complete(CompleteMessage(success=True))
    put(spool, output(4, "l"))
    assert spans(read_all(spool.reader())) == [(1, 1), (2, 2)]
    read_lines(plain)
    assert plain.ended
    read_lines(following)
    assert not following.ended
    put(spool, output(3, "m"))
    spool.close()
    assert spans(read_all(following)) == [(4, 4)]
    assert following.ended
    stored = open_spool(str(tmp_path / "e"))
    assert stored.status.closed
    assert (stored.last, stored.status.last, stored.status.output) == (4, 2, 100)
    assert spans(read_all(stored.reader())) == [(1, 1), (2, 2)]
    assert spans(read_all(stored.reader(follow=True))) == [(1, 1), (2, 2), (3, 3), (4, 4)]
    assert stored.reader(2).ended
    assert stored.reader(4, follow=True).ended


def test_a_reader_in_another_process_follows_a_spool_that_is_being_written(
    make: Make, tmp_path: Path
) -> None:
    spool = make(segment=300)
    reader = open_spool(str(tmp_path / "e")).reader(follow=True)
    seen = []
    for number in range(20):
        put(spool, output(50, chr(97 + number)))
        seen += list(Decoder().feed(read_lines(reader)))
    spool.complete(CompleteMessage(success=True))
    spool.close()
    seen += list(Decoder().feed(read_lines(reader)))
    assert spans(seen) == [(number, number) for number in range(1, 22)]
    assert reader.ended


def test_a_reader_in_another_process_gets_an_error_when_the_spool_was_removed(
    make: Make, tmp_path: Path
) -> None:
    spool = make()
    reader = open_spool(str(tmp_path / "e")).reader()
    spool.close()
    remove_spool(str(tmp_path / "e"))
    with pytest.raises(UnknownExecutionError, match="removed"):
        reader.read()


# -- cursors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("segment", [1, 500, 8 << 20])
@pytest.mark.parametrize("follow", [False, True])
def test_a_reader_may_begin_after_any_message(make: Make, tmp_path: Path, segment: int, follow: bool) -> None:
    spool = make(segment=segment)
    for _ in range(10):
        put(spool, output())
    spool.complete(CompleteMessage())
    put(spool, output())
    for record in (spool, open_spool(str(tmp_path / "e"))):
        for after in range(record.last + 1):
            end = 12 if follow else 11
            expected = [(number, number) for number in range(after + 1, end + 1)]
            assert spans(read_all(record.reader(after, follow=follow))) == expected


@pytest.mark.parametrize("after", [-1, 3, 1 << 63, (1 << 63) - 1, True, 1.0, "1", None])
def test_a_position_outside_the_spool_is_refused(make: Make, tmp_path: Path, after: object) -> None:
    spool = make()
    put(spool, output(), output())
    for record in (spool, open_spool(str(tmp_path / "e"))):
        with pytest.raises(CursorError, match="^after "):
            record.reader(after)  # type: ignore[arg-type]


@given(
    sizes=st.lists(st.integers(0, 3000), max_size=30),
    segment=st.integers(1, 5000),
    limit=st.integers(1, 5000),
    commits=st.integers(1, 5),
)
@settings(max_examples=60, deadline=None)
def test_slices_of_any_size_join_to_the_same_lines(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], segment: int, limit: int, commits: int
) -> None:
    directory = tmp_path_factory.mktemp("s") / "e"
    spool = Spool.create(str(directory), STATUS, request={}, free_bytes=0, free_share=0.0, segment=segment)
    for index, size in enumerate(sizes):
        spool.append(unnumbered(output(size)), size)
        if index % commits == 0:
            spool.commit()
    spool.complete(CompleteMessage())
    lines = read_lines(spool.reader(), limit)
    assert [output_bytes(message) for message in Decoder().feed(lines)] == [*sizes, 0]
    assert read_lines(open_spool(str(directory)).reader(), limit) == lines
    spool.close()


def test_the_parts_of_a_long_display_stay_in_one_segment(make: Make, tmp_path: Path) -> None:
    spool = make(segment=1 << 20)
    plots = [DisplayMessage(data={"image/png": mark * (5 << 20)}) for mark in "abc"]
    put(spool, output(), plots[0], output())
    put(spool, plots[1])
    put(spool, plots[2])
    for record in (spool, open_spool(str(tmp_path / "e"))):
        messages = read_all(record.reader(), 1000)
        assert [message.data for message in messages if isinstance(message, DisplayMessage)] == [
            p.data for p in plots
        ]
        for after in range(5):
            assert [m.sequence for m in read_all(record.reader(after))] == list(range(after + 1, 6))


# -- retention ----------------------------------------------------------------------------------


def test_beyond_the_limit_the_first_and_newest_segments_stay_and_the_gap_counts_bytes(
    make: Make, tmp_path: Path
) -> None:
    spool = make(limit=10_000, segment=1000)
    for _ in range(100):
        put(spool, output(333))
    spool.complete(CompleteMessage(success=True))
    messages = read_all(spool.reader())
    gaps = [message for message in messages if isinstance(message, GapMessage)]
    assert len(gaps) == 1
    assert total(messages) == 100 * 333
    assert messages[0].sequence == 1
    assert isinstance(messages[-1], CompleteMessage)
    assert sum(path.stat().st_blocks * 512 for path in (tmp_path / "e").iterdir()) < 300_000
    held = sum(path.stat().st_size for path in (tmp_path / "e").glob("*.ndjson"))
    assert held < 13_000
    stored = open_spool(str(tmp_path / "e"))
    assert read_all(stored.reader()) == messages
    gap = gaps[0]
    for record in (spool, stored):
        for after in (gap.first - 1, gap.first, gap.sequence - 1, gap.sequence, gap.sequence + 1):
            read = read_all(record.reader(after))
            assert read[0].span_start == after + 1
            assert read[-1].sequence == 101


def test_messages_that_are_never_dropped_keep_their_place_between_gaps(make: Make, tmp_path: Path) -> None:
    spool = make(limit=5000, segment=1000)
    asked = []
    for number in range(200):
        put(spool, output(100))
        if number in (20, 21, 70):
            put(spool, InputRequestMessage(prompt=f"{number}?"))
            asked.append(spool.last)
    put(spool, ErrorMessage(name="E", value="v" * 2000))
    put(spool, ResultMessage(data={"text/plain": "r" * (1 << 20)}))
    asked += [spool.last - 1, spool.last]
    asked.append(spool.complete(CompleteMessage()).sequence)
    for _ in range(100):
        put(spool, output(100))
    stored = open_spool(str(tmp_path / "e"))
    for record in (spool, stored):
        messages = read_all(record.reader(follow=True))
        assert [m.sequence for m in messages if isinstance(m, NEVER_DROPPED)] == asked
        assert total(messages) == 300 * 100
        assert read_all(record.reader())[-1].sequence == asked[-1]
        for after in [*range(0, record.last + 1, 5), *asked]:
            read = read_all(record.reader(after, follow=True))
            spanned = spans(read)
            assert all(b[0] == a[1] + 1 for a, b in zip(spanned, spanned[1:], strict=False))
            assert not read or (read[0].span_start, read[-1].sequence) == (after + 1, record.last)
    spool.close()


def test_a_reader_that_is_overtaken_by_retention_gets_the_exact_gap(make: Make, tmp_path: Path) -> None:
    for name in ("live", "stored"):
        spool = make(tmp_path / name, limit=3000, segment=1000)
        for _ in range(20):
            put(spool, output(200))
        record = spool if name == "live" else open_spool(str(tmp_path / name))
        reader = record.reader()
        lines = b""
        while not lines.count(b"\n") > 12:
            lines += reader.read(1)
        for _ in range(100):
            put(spool, output(200))
        spool.complete(CompleteMessage())
        messages = list(Decoder().feed(lines + read_lines(reader, 1000)))
        assert total(messages) == 120 * 200, name
        assert messages[-1].sequence == 121


@given(
    steps=st.lists(st.tuples(st.sampled_from("oookr"), st.integers(0, 700)), max_size=120),
    limit=st.integers(0, 5000),
    after=st.integers(0, 60),
)
@settings(max_examples=60, deadline=None)
def test_under_any_retention_every_reader_can_count_every_byte(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]], limit: int, after: int
) -> None:
    directory = tmp_path_factory.mktemp("s") / "e"
    spool = Spool.create(
        str(directory), STATUS, request={}, limit=limit, free_bytes=0, free_share=0.0, segment=1000
    )
    stored = open_spool(str(directory))
    readers = {"live": spool.reader(follow=True), "stored": stored.reader(follow=True)}
    seen = dict.fromkeys(readers, b"")
    written, kept = 0, []
    for step, size in steps:
        if step == "o":
            put(spool, output(size))
            written += size
        elif step == "k":
            put(spool, InputRequestMessage(prompt="?" * size))
            kept.append(spool.last)
        else:
            for name, reader in readers.items():
                seen[name] += reader.read(size + 1)
    kept.append(spool.complete(CompleteMessage()).sequence)
    spool.close()
    readers["new"], seen["new"] = open_spool(str(directory)).reader(follow=True), b""
    for name, reader in readers.items():
        messages = list(Decoder().feed(seen[name] + read_lines(reader)))
        assert reader.ended
        spanned = spans(messages)
        assert spanned[0][0] == 1
        assert all(b[0] == a[1] + 1 for a, b in zip(spanned, spanned[1:], strict=False))
        assert total(messages) == written, name
        assert [message.sequence for message in messages if isinstance(message, NEVER_DROPPED)] == kept
    if after <= spool.last:
        assert spans(read_all(spool.reader(after))) == spans(
            read_all(open_spool(str(directory)).reader(after))
        )


# -- lost hosts ------------------------------------------------------------------------


def test_a_line_cut_at_any_byte_is_ignored_and_then_cut_off(make: Make, tmp_path: Path) -> None:
    spool = make()
    put(spool, output(3), output(4))
    segment = next((tmp_path / "e").glob("0*.ndjson"))
    whole = segment.read_bytes()
    begin = whole.index(b"\n") + 1
    for cut in range(begin, len(whole)):
        copy = tmp_path / f"copy-{cut}"
        copy.mkdir(0o700)
        for path in (tmp_path / "e").iterdir():
            (copy / path.name).write_bytes(path.read_bytes())
        os.truncate(copy / segment.name, cut)
        assert spans(read_all(open_spool(str(copy)).reader())) == [(1, 1)]
        mark_lost(str(copy), "the host is gone")
        assert [m.type for m in read_all(open_spool(str(copy)).reader())] == ["output", "complete"]


def test_a_message_of_which_parts_are_missing_is_cut_off(make: Make, tmp_path: Path) -> None:
    spool = make()
    put(spool, output(3), DisplayMessage(data={"text/plain": "p" * 1_200_000}))
    segment = next((tmp_path / "e").glob("0*.ndjson"))
    whole = segment.read_bytes()
    ends = [index + 1 for index in range(len(whole)) if whole[index] == 10]
    assert len(ends) == 4
    os.truncate(segment, ends[2])
    assert spans(read_all(open_spool(str(tmp_path / "e")).reader())) == [(1, 1)]
    mark_lost(str(tmp_path / "e"), "gone")
    assert spans(read_all(open_spool(str(tmp_path / "e")).reader())) == [(1, 1), (2, 2)]


@pytest.mark.parametrize("count", [0, 1, 30])
def test_a_lost_execution_has_one_complete(make: Make, tmp_path: Path, count: int) -> None:
    spool = make(segment=1000, limit=3000)
    spool.begin()
    for _ in range(count):
        put(spool, output())
    for _ in range(2):
        mark_lost(str(tmp_path / "e"), "the host is gone")
    stored = open_spool(str(tmp_path / "e"))
    messages = read_all(stored.reader(follow=True))
    assert total(messages) == count * 100
    end = messages[-1]
    assert isinstance(end, CompleteMessage)
    assert (end.sequence, end.status, end.success, end.error) == (
        count + 1,
        "lost",
        False,
        "the host is gone",
    )
    assert stored.status.closed
    assert stored.status.complete == end
    assert not list((tmp_path / "e").glob("*.reserve"))


def test_an_empty_segment_does_not_prevent_the_end(make: Make, tmp_path: Path) -> None:
    spool = make(segment=1)
    put(spool, output())
    (tmp_path / "e" / f"{2:020}-{100:020}.ndjson").touch(0o600)
    assert open_spool(str(tmp_path / "e")).last == 1
    mark_lost(str(tmp_path / "e"), "gone")
    assert spans(read_all(open_spool(str(tmp_path / "e")).reader())) == [(1, 1), (2, 2)]


def test_an_execution_that_had_ended_is_not_lost(make: Make, tmp_path: Path) -> None:
    spool = make()
    put(spool, output())
    before = (tmp_path / "e" / "status.json").read_bytes()
    spool.complete(CompleteMessage(success=True, value=5))
    put(spool, output())
    for status in (None, before):  # also when the host ended before it could write the status
        if status is not None:
            (tmp_path / "e" / "status.json").write_bytes(status)
            (tmp_path / "e" / "closed").rename(tmp_path / "e" / "open")
        mark_lost(str(tmp_path / "e"), "the host is gone")
        stored = open_spool(str(tmp_path / "e"))
        assert stored.status.status == "ok"
        assert stored.status.complete is not None
        assert stored.status.complete.value == 5
        assert spans(read_all(stored.reader(follow=True))) == [(1, 1), (2, 2), (3, 3)]


def test_complete_is_read_from_the_status_when_its_segment_is_missing(make: Make, tmp_path: Path) -> None:
    spool = make()
    put(spool, output(), output())
    spool.complete(CompleteMessage(success=True))
    next((tmp_path / "e").glob("0*.ndjson")).unlink()
    for record in (spool, open_spool(str(tmp_path / "e"))):
        reader = record.reader()
        assert spans(read_all(reader)) == [(1, 2), (3, 3)]
        assert reader.ended


def test_a_removed_segment_is_a_gap(make: Make, tmp_path: Path) -> None:
    spool = make(segment=1)
    for _ in range(5):
        put(spool, output())
    spool.complete(CompleteMessage())
    sorted((tmp_path / "e").glob("0*.ndjson"))[2].unlink()
    for record in (spool, open_spool(str(tmp_path / "e"))):
        messages = read_all(record.reader())
        assert spans(messages) == [(number, number) for number in range(1, 7)]
        assert isinstance(messages[2], GapMessage)
        assert total(messages) == 500


def test_a_writer_that_is_killed_leaves_whole_messages(
    tmp_path: Path, run_python: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    program = f"""
import os, signal, threading
from pyrepl_stream.runtime.journal.spool.status import SpoolStatus
from pyrepl_stream.runtime.journal.spool.writer import Spool
from pyrepl_stream.runtime.messages import OutputMessage
from pyrepl_stream.runtime.wire import unnumbered
spool = Spool.create({str(tmp_path / "e")!r}, SpoolStatus("e", "", "", "", "", 0.0), request={{}}, segment=1 << 20)
body = unnumbered(OutputMessage(data="x" * 50_000))
def kill():
    while spool.last < 500:
        pass
    os.kill(os.getpid(), signal.SIGKILL)
threading.Thread(target=kill).start()
while True:
    spool.append(body, 50_000)
    spool.commit()
"""
    assert run_python(program).returncode == -9
    mark_lost(str(tmp_path / "e"), "killed")
    stored = open_spool(str(tmp_path / "e"))
    messages = read_all(stored.reader())
    assert total(messages) == (stored.last - 1) * 50_000
    assert stored.last > 400


# -- status -------------------------------------------------------------------------------------


def test_the_status_goes_from_queued_to_running_to_the_end(make: Make, tmp_path: Path) -> None:
    spool = make()
    assert open_spool(str(tmp_path / "e")).status == STATUS
    spool.begin()
    assert open_spool(str(tmp_path / "e")).status.status == "running"
    put(spool, output())
    end = spool.complete(
        CompleteMessage(status="error", error="E: " + "x" * 10_000, value=["v" * 1000] * 1000)
    )
    status = open_spool(str(tmp_path / "e")).status
    assert (status.status, status.last, status.output, status.closed) == ("error", 2, 100, False)
    assert status.complete is not None
    assert status.complete.value is None
    assert (tmp_path / "e" / "status.json").stat().st_size < 16 << 10
    assert read_all(spool.reader())[-1] == end
    assert (tmp_path / "e" / "request.json").read_text() == '{"code": "print(1)"}'


def test_a_value_without_a_json_form_is_refused_and_takes_no_number(make: Make) -> None:
    spool = make()
    with pytest.raises(TypeError):
        spool.complete(CompleteMessage(value=object()))
    assert spool.complete(CompleteMessage()).sequence == 1


@pytest.mark.parametrize(
    "rubbish",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"complete": 1}',
        b"\xff" * 50,
        b'{"complete": null, "execution_id": 5}',
        b"[" * 100_000,
    ],
)
def test_an_invalid_status_is_a_protocol_error(make: Make, tmp_path: Path, rubbish: bytes) -> None:
    make().close()
    (tmp_path / "e" / "status.json").write_bytes(rubbish)
    with pytest.raises(ProtocolError):
        open_spool(str(tmp_path / "e"))


def test_status_fields_of_a_newer_version_are_ignored(make: Make, tmp_path: Path) -> None:
    make().close()
    path = tmp_path / "e" / "status.json"
    path.write_text(path.read_text().replace("{", '{"newer": [1],', 1))
    assert open_spool(str(tmp_path / "e")).status.execution_id == "e"


@pytest.mark.parametrize("rubbish", [b"rubbish\n", b"{}\n", b'{"type":"output"}\n'])
def test_an_invalid_segment_is_a_protocol_error(make: Make, tmp_path: Path, rubbish: bytes) -> None:
    put(make(), output())
    next((tmp_path / "e").glob("0*.ndjson")).write_bytes(rubbish)
    with pytest.raises(ProtocolError, match="not a line of a spool"):
        open_spool(str(tmp_path / "e"))


def test_a_clock_that_is_set_back_has_no_effect(make: Make, tmp_path: Path) -> None:
    spool = make(segment=500)
    for timestamp in (2e9, 1.0, -5.0, 1e9):
        put(spool, OutputMessage(data="x" * 300, timestamp=timestamp))
    os.utime(next((tmp_path / "e").glob("0*.ndjson")), (0, 0))
    mark_lost(str(tmp_path / "e"), "gone")
    messages = read_all(open_spool(str(tmp_path / "e")).reader())
    assert [message.sequence for message in messages] == [1, 2, 3, 4, 5]
    assert isinstance(messages[-1], CompleteMessage)
    assert messages[-1].duration >= 0


# -- ownership ------------------------------------------------------------------------------


def test_files_and_directory_are_closed_to_other_users(make: Make, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        spool = make(limit=500, segment=200)
        for _ in range(10):
            put(spool, output(), InputRequestMessage())
        spool.complete(CompleteMessage())
        spool.close()
    finally:
        os.umask(before)
    assert (tmp_path / "e").stat().st_mode & 0o777 == 0o700
    names = {path.name for path in (tmp_path / "e").iterdir()}
    assert {"status.json", "request.json", "closed", "trimmed.json", "kept.ndjson"} <= names
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "e").iterdir()} == {0o600}


def test_the_spools_of_a_session_use_the_same_reserves(make: Make, tmp_path: Path) -> None:
    def reserves(spool: Spool) -> dict[str, tuple[int, int]]:
        found = {path.name: path.stat() for path in Path(spool.directory).glob("*.reserve")}
        return {name: (status.st_ino, status.st_size) for name, status in found.items()}

    pool = ReservePool(str(tmp_path))
    before = None
    for name in "abc":
        spool = make(tmp_path / name, disk=pool)
        assert len(reserves(spool)) == 2
        assert before in (None, reserves(spool))
        before = reserves(spool)
        spool.complete(CompleteMessage())
        spool.close()
        assert reserves(spool) == {}
    remove_leftovers(str(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]
    assert len(reserves(make(tmp_path / "d", disk=pool))) == 2  # although what was kept is gone
    pool.clear()


def test_a_reserve_that_was_used_is_not_kept(tmp_path: Path) -> None:
    pool = ReservePool(str(tmp_path))
    pool.reserve_file(str(tmp_path / "used"), 100)
    pool.reserve_file(str(tmp_path / "cut"), 100)
    os.truncate(tmp_path / "cut", 10)
    pool.replace_file(str(tmp_path / "status"), str(tmp_path / "used"), b"1")
    pool.release_file(str(tmp_path / "used"), 100)
    pool.release_file(str(tmp_path / "cut"), 100)
    assert [path.name for path in tmp_path.iterdir()] == ["status"]


def test_an_id_has_one_spool_until_it_is_removed(make: Make, tmp_path: Path) -> None:
    put(make(), output())
    with pytest.raises(FileExistsError):
        make()
    assert [path.name for path in tmp_path.iterdir()] == ["e"]
    remove_spool(str(tmp_path / "e"))
    remove_spool(str(tmp_path / "e"))
    assert list(tmp_path.iterdir()) == []
    assert not (tmp_path / "e").exists()
    assert make().last == 0


def test_leftovers_of_a_killed_host_do_not_prevent_a_new_spool(make: Make, tmp_path: Path) -> None:
    for name in (".new-e", ".old-e"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "status.json").write_text("{")
    make()
    remove_spool(str(tmp_path / "e"))
    assert list(tmp_path.iterdir()) == []
    for name in (".new-f", ".old-g", "h"):
        (tmp_path / name).mkdir()
    remove_leftovers(str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["h"]


def test_a_missing_spool_is_an_unknown_execution(tmp_path: Path) -> None:
    with pytest.raises(UnknownExecutionError):
        open_spool(str(tmp_path / "e"))
    with pytest.raises(UnknownExecutionError):
        mark_lost(str(tmp_path / "e"), "gone")
    (tmp_path / "e").mkdir(0o700)
    with pytest.raises(UnknownExecutionError):
        open_spool(str(tmp_path / "e"))


def test_a_directory_that_is_a_link_or_open_to_others_is_refused(make: Make, tmp_path: Path) -> None:
    make().close()
    (tmp_path / "link").symlink_to(tmp_path / "e")
    (tmp_path / "file").write_text("")
    for name, text in (("link", "not a directory"), ("file", "not a directory")):
        with pytest.raises(InsecurePathError, match=text):
            open_spool(str(tmp_path / name))
        with pytest.raises(InsecurePathError, match=text):
            remove_spool(str(tmp_path / name))
    with pytest.raises(FileExistsError):
        make(tmp_path / "link")
    (tmp_path / "e").chmod(0o750)
    with pytest.raises(InsecurePathError, match="chmod 0700"):
        open_spool(str(tmp_path / "e"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_directory_of_another_user_is_refused(make: Make, tmp_path: Path) -> None:
    spool = make()
    put(spool, output())
    segment = next((tmp_path / "e").glob("0*.ndjson"))
    os.chown(segment, 12345, -1)
    with pytest.raises(InsecurePathError, match="not a regular file of this user"):
        spool.reader().read()
    os.chown(segment, 0, -1)
    os.chown(tmp_path / "e", 12345, -1)
    with pytest.raises(InsecurePathError, match="another user"):
        open_spool(str(tmp_path / "e"))


@pytest.mark.parametrize("name", ["status.json", "segment"])
def test_a_planted_link_or_pipe_is_not_read(make: Make, tmp_path: Path, name: str) -> None:
    spool = make()
    put(spool, output())
    path = next((tmp_path / "e").glob("0*.ndjson")) if name == "segment" else tmp_path / "e" / name
    path.rename(tmp_path / "secret")
    path.symlink_to(tmp_path / "secret")
    with pytest.raises(InsecurePathError, match="is a link"):
        open_spool(str(tmp_path / "e"))
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InsecurePathError, match="not a regular file"):
        open_spool(str(tmp_path / "e"))


def test_a_planted_link_is_not_written_through(make: Make, tmp_path: Path) -> None:
    spool = make()
    (tmp_path / "e" / "00000000000000000001-00000000000000000000.ndjson").symlink_to(tmp_path / "target")
    put(spool, output())
    spool.complete(CompleteMessage(success=True))
    assert not (tmp_path / "target").exists()
    assert [message.type for message in read_all(spool.reader())] == ["gap", "complete"]


def test_a_queued_execution_and_a_closed_one_hold_no_descriptor(make: Make) -> None:
    before = len(os.listdir("/proc/self/fd"))
    spool = make()
    assert len(os.listdir("/proc/self/fd")) == before
    put(spool, output())
    reader = spool.reader()
    reader.read()
    assert len(os.listdir("/proc/self/fd")) == before + 2
    reader.close()
    reader.close()
    spool.complete(CompleteMessage())
    spool.close()
    spool.close()
    assert len(os.listdir("/proc/self/fd")) == before


# -- positions in large files ----------------------------------------------------------------------


@given(
    sizes=st.lists(st.sampled_from([0, 10, 50, 20_000, 600_000]), min_size=1, max_size=12),
    repeat=st.integers(1, 300),
)
@settings(max_examples=15, deadline=None)
def test_any_position_in_a_large_segment_is_found(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], repeat: int
) -> None:
    directory = tmp_path_factory.mktemp("s") / "e"
    spool = Spool.create(str(directory), STATUS, request={}, free_bytes=0, free_share=0.0, segment=1 << 30)
    for size in sizes:
        for _ in range(repeat if size < 1000 else 1):
            spool.append(unnumbered(DisplayMessage(data={"": "x" * size})))
    spool.commit()
    for after in {0, 1, spool.last // 3, spool.last // 2, spool.last - 1, spool.last} - {-1}:
        if after <= spool.last:
            first = next(Decoder().feed(spool.reader(after).read(4 << 20)), None)
            assert (
                (first is None)
                if after == spool.last
                else (first is not None and first.sequence == after + 1)
            )
    spool.close()
