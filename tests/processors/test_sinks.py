"""Tee, Recorder, ToLogging and Route: every message is written once, in formats that others read."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrepl_stream.local.processes import run_process
from pyrepl_stream.local.session import Session
from pyrepl_stream.pipeline import Pipeline
from pyrepl_stream.processors import Branch, Lines, Recorder, Route, Sink, Tee, ToLogging
from pyrepl_stream.runtime.errors import UsageError
from pyrepl_stream.runtime.messages import (
    CompleteMessage,
    DisplayMessage,
    ErrorMessage,
    EventMessage,
    GapMessage,
    InputReplyMessage,
    InputRequestMessage,
    LogMessage,
    Message,
    OutputMessage,
    StreamType,
)


def output(sequence: int, data: str | bytes, **fields: object) -> OutputMessage:
    return OutputMessage(
        execution_id="job", sequence=sequence, timestamp=100.0 + sequence, data=data, **fields
    )  # type: ignore[arg-type]  # a test's


# -- Tee ----------------------------------------------------------------------------------------


def test_a_tee_writes_every_byte_at_once_and_passes_all_messages(tmp_path: Path) -> None:
    file = tmp_path / "out"
    tee = Tee(file)
    for sequence, data in enumerate(["a\r\n\x1b[31mé", b"\xff\xfe", "\ud800"], 1):
        message = output(sequence, data)
        assert tee(message) is message
    assert file.read_bytes() == "a\r\n\x1b[31mé".encode() + b"\xff\xfe" + b"\xed\xa0\x80"


def test_a_tee_can_leave_out_colours_and_streams(tmp_path: Path) -> None:
    tee = Tee(tmp_path / "out", colour=False, streams="stderr")
    tee(output(1, "no"))
    tee(output(2, "\x1b[3", stream=StreamType.STDERR))
    tee(output(3, "1mred", stream=StreamType.STDERR))
    assert (tmp_path / "out").read_text() == "red"


def test_a_gap_leaves_a_note(tmp_path: Path) -> None:
    Tee(tmp_path / "out")(GapMessage(bytes=5, reason="gone"))
    assert (tmp_path / "out").read_text() == "\n[5 bytes of output are missing: gone]\n"


def test_a_tee_appends_only_with_append(tmp_path: Path) -> None:
    for _ in range(2):
        Tee(tmp_path / "new")(output(1, "x"))
        Tee(tmp_path / "old", append=True)(output(1, "x"))
    assert ((tmp_path / "new").read_text(), (tmp_path / "old").read_text()) == ("x", "xx")


def test_a_file_that_cannot_be_written_is_refused_before_the_execution_starts(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file or directory"):
        Tee(tmp_path / "missing" / "out")
    with pytest.raises(UsageError, match="Is a directory"):
        Recorder(tmp_path)
    with pytest.raises(UsageError, match="null"):
        Tee("a\0b")


def test_two_readers_of_an_execution_write_each_message_once(session: Session, tmp_path: Path) -> None:
    tee = Tee(tmp_path / "out")
    execution = session.execute("for i in range(5000): print(i)", processors=[tee])
    for message in execution:
        if message.sequence > 1:
            break  # the next reader continues after this one
    assert execution.wait(60).success
    assert len(list(execution)) > 1
    assert (tmp_path / "out").read_text() == "".join(f"{i}\n" for i in range(5000))


def test_an_abandoned_reader_leaves_no_hole(session: Session, tmp_path: Path) -> None:
    tee = Tee(tmp_path / "out")
    execution = session.execute("for i in range(5000): print(i)", processors=[tee])
    stream = iter(execution)
    next(stream)
    del stream
    execution.wait(60)
    assert (tmp_path / "out").read_text() == "".join(f"{i}\n" for i in range(5000))


def test_readers_that_overtake_each_other_leave_no_hole(tmp_path: Path) -> None:
    tee = Tee(tmp_path / "out")
    first, second = Pipeline([tee]), Pipeline([tee])
    messages = [output(number, str(number)) for number in range(1, 7)]
    for chain, some in (
        (first, messages[:1]),
        (second, messages[:4]),
        (first, messages[1:2]),
        (second, messages[4:]),
    ):
        chain.add(some)
        chain.run()
    first.close()
    assert (tmp_path / "out").read_text() == "123456"


def test_readers_that_stop_among_messages_with_one_number_leave_no_hole(tmp_path: Path) -> None:
    def words(message: Message) -> Message | list[Message]:
        if not isinstance(message, OutputMessage):
            return message
        return [replace(message, data=word) for word in message.text.split()]

    tee = Tee(tmp_path / "out")
    first, second = (processor.for_reader() for processor in (tee, tee))
    parts = list(words(output(1, "one two three")))  # type: ignore[arg-type]  # it is several
    first(parts[0])
    first.close()
    for part in parts:
        second(part)
    assert (tmp_path / "out").read_text() == "onetwothree"


def test_with_several_readers_a_sink_takes_messages_in_order() -> None:
    taken: list[int] = []

    class Slow(Sink):
        def take(self, message: Message) -> None:
            time.sleep(0.001)  # long enough for others to come in between, if they could
            taken.append(message.sequence)

    sink = Slow()

    def read() -> None:
        feed = sink.for_reader()
        for number in range(1, 101):
            feed(output(number, "x"))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert taken == list(range(1, 101))


def test_an_open_iterator_does_not_delay_the_exit_of_the_process(tmp_path: Path) -> None:
    program = (
        "import pyrepl_stream as p\nfrom pyrepl_stream.processors import Tee\n"
        "session = p.Session().__enter__()\n"
        f"messages = iter(session.execute('print(1); print(2)', processors=[Tee({str(tmp_path / 'out')!r})]))\n"
        "next(messages)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_sink_that_never_returns_delays_neither_its_reader_nor_the_exit(session: Session) -> None:
    forever = threading.Event()

    class Stuck(Sink):
        def take(self, message: Message) -> None:
            forever.wait()

    sink = Stuck()
    sink.stall_timeout = 0.05  # type: ignore[attr-defined]  # of what it gives to readers, too
    execution = session.execute("print('kept')", processors=[sink])
    assert execution.wait(60).stdout == "kept\n"
    forever.set()


def test_concurrent_readers_write_each_message_once_for_each_execution(
    tmp_path: Path,
) -> None:
    tee = Tee(tmp_path / "out")
    chains = [Pipeline([tee]), Pipeline([tee])]
    for sequence in range(1, 4):
        for chain in chains:
            chain.add(
                [
                    output(sequence, str(sequence)),
                    OutputMessage(execution_id="other", sequence=sequence, data="o"),
                ]
            )
            chain.run()
    chains[0].close()
    chains[1].add([output(4, "4")])
    chains[1].run()
    chains[1].close()
    assert (tmp_path / "out").read_text() == "1o2o3o4"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_a_log_and_the_output_passes(session: Session) -> None:
    result = session.execute("print('kept')", processors=[Tee("/dev/full")]).wait(60)
    assert result.stdout == "kept\n"
    assert "processor Tee failed" in result.logs[0].text
    assert "No space left" in result.logs[0].text


def test_a_tee_in_a_branch_has_written_everything_when_complete_passes(
    session: Session, tmp_path: Path
) -> None:
    tee = Tee(tmp_path / "out")
    result = session.execute("for i in range(5000): print(i)", processors=[Branch(tee)]).wait(60)
    assert (tmp_path / "out").read_text() == result.stdout


# -- Recorder -----------------------------------------------------------------------------------

SHOWN = (
    DisplayMessage(data={"text/plain": "table", "text/html": "<table>"}),
    DisplayMessage(data={"text/plain": "100 %"}, display_id="bar", update=True),
    InputRequestMessage(prompt="name? "),
    InputReplyMessage(request=3, text="Ann"),
    OutputMessage(data="start"),
    EventMessage(name="json", data={"n": 1}),
    LogMessage(level="WARNING", logger="root", text="careful"),
    ErrorMessage(name="ValueError", traceback=("\x1b[31mTraceback", "ValueError")),
    CompleteMessage(success=False, status="error"),
)


def recorded(file: Path) -> tuple[dict[str, object], list[list[object]]]:
    header, *events = map(json.loads, file.read_text().splitlines())
    return header, events


def test_a_recording_is_an_asciicast_with_times_that_never_fall(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "a.cast", size=(30, 100), title="make")
    for message in (
        output(1, "a\nb\r"),
        output(3, "\nc\r\n"),
        output(2, b"\xff"),
        CompleteMessage(sequence=4),
    ):
        recorder(message)
    header, events = recorded(tmp_path / "a.cast")
    assert {**header, "env": {}} == {
        "version": 2,
        "width": 100,
        "height": 30,
        "timestamp": 101,
        "title": "make",
        "env": {},
    }
    assert events == [[0.0, "o", "a\r\nb\r"], [2.0, "o", "\nc\r\n"], [2.0, "o", "\ufffd"]]


@given(st.text(alphabet="a\r\n", max_size=20), st.lists(st.integers(0, 20), max_size=4))
def test_each_line_feed_has_one_carriage_return_at_any_cut(
    tmp_path_factory: pytest.TempPathFactory, data: str, at: list[int]
) -> None:
    file = tmp_path_factory.getbasetemp() / "cut.cast"
    recorder = Recorder(file)
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in at)})
    for start, end in zip(places, places[1:], strict=False):
        recorder(output(1, data[start:end]))
    recorder.close()
    shown = "".join(str(event[2]) for event in (recorded(file)[1] if file.stat().st_size else []))
    assert shown == "".join(
        "\r\n" if c == "\n" and data[i - 1 : i] != "\r" else c for i, c in enumerate(data)
    )


def test_a_stock_player_plays_a_recording_of_a_real_command(tmp_path: Path) -> None:
    file = tmp_path / "a.cast"
    command = [sys.executable, "-c", "print('\\x1b[32mgreen\\x1b[0m'); print('é')"]
    result = run_process(command, processors=[Recorder(file)]).wait(60)
    played = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "asciinema", "cat", str(file)],
        capture_output=True, check=True, timeout=60, stdin=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert played.stdout.decode() == result.stdout.replace("\n", "\r\n") == "\x1b[32mgreen\x1b[0m\r\né\r\n"


def test_a_recording_has_all_that_a_terminal_shows(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "a.cast")
    for number, message in enumerate(SHOWN, 1):
        recorder(replace(message, sequence=number))
    text = "".join(str(event[2]) for event in recorded(tmp_path / "a.cast")[1])
    assert text.replace("\r\n", "\n") == (
        'table\nname? Ann\nstart\n{"n": 1}\nWARNING root: careful\n100 %\n\x1b[31mTraceback\nValueError\n'
    )


def test_a_recording_needs_a_size() -> None:
    with pytest.raises(UsageError, match="size"):
        Recorder(os.devnull, size=(0, 80))


# -- ToLogging ----------------------------------------------------------------------------------


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]  # the smallest handler there is
    logger = logging.getLogger("pyrepl_stream.remote")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    yield records
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)
    logger.propagate = True


def test_lines_become_records_independently_of_the_chunks(records: list[logging.LogRecord]) -> None:
    sink = ToLogging()
    messages: list[Message] = [
        output(1, "on"),
        output(2, "e\n\x1b[31mtwo\x1b[0m\r\n 1%\r 2%\r"),
        output(3, "wrong", stream=StreamType.STDERR, source="git"),
        LogMessage(execution_id="job", sequence=4, level="ERROR", logger="app", text="odd"),
        EventMessage(execution_id="job", sequence=4, name="e", data={"a": 1}),
        GapMessage(execution_id="job", first=5, sequence=6, bytes=9, reason="slow"),
        ErrorMessage(
            execution_id="job",
            sequence=7,
            name="E",
            value="v",
            traceback=("Traceback", "\x1b[31mE\x1b[0m: v"),
        ),
        CompleteMessage(execution_id="job", sequence=8, status="error", error="E: v", duration=1.0),
    ]
    for message in messages:
        assert sink(message) is message
    assert [(record.levelname, record.getMessage()) for record in records] == [
        ("INFO", "Remote | one"),
        ("INFO", "Remote | two"),
        ("ERROR", "Remote | app: odd"),
        ("INFO", "Remote | e: {'a': 1}"),
        ("WARNING", "Remote | [git] wrong"),
        ("WARNING", "Remote | 9 bytes of output are missing: slow"),
        ("ERROR", "Remote | Traceback\nE: v"),
        ("ERROR", "Remote | error after 1.00 s: E: v"),
    ]
    assert (records[0].execution_id, records[0].sequence, records[4].source) == ("job", 2, "git")  # type: ignore[attr-defined]  # ours


# -- Route --------------------------------------------------------------------------------------


def test_a_sink_receives_the_messages_that_match() -> None:
    messages: list[Message] = [
        output(1, "x", source="script:setup"),
        EventMessage(name="usage.cpu"),
        EventMessage(name="other"),
        CompleteMessage(),
    ]
    got: dict[str, list[Message]] = {name: [] for name in ("all", "output", "usage", "source", "taken")}
    chain = Pipeline(
        [
            Route(got["all"].append),
            Route(got["output"].append, types="output"),
            Route(got["usage"].append, names=["usage.*", "x"]),
            Route(got["source"].append, sources="script:*"),
            Route(got["taken"].append, types=["event", "complete"], take=True),
        ]
    )
    chain.add(messages)
    chain.run()
    assert list(chain.ready) == [messages[0], messages[3]]
    first, usage, other, complete = messages
    assert got == {
        "all": messages,
        "output": [first],
        "usage": [usage],
        "source": [first],
        "taken": [usage, other, complete],
    }


def test_a_sink_takes_each_message_once_through_a_route(session: Session) -> None:
    class Collect(Sink):
        def __init__(self) -> None:
            super().__init__()
            self.got: list[Message] = []

        def take(self, message: Message) -> None:
            self.got.append(message)

    collect = Collect()
    execution = session.execute("print('x')", processors=[Route(collect, types="output")])
    assert execution.wait(60).stdout == "x\n"
    assert list(execution)
    assert "".join(m.text for m in collect.got if isinstance(m, OutputMessage)) == "x\n"


@pytest.mark.anyio
async def test_a_sink_may_be_async() -> None:
    got: list[Message] = []

    async def sink(message: Message) -> None:
        got.append(message)

    chain = Pipeline([Route(sink, types="output")])
    assert chain.is_async
    chain.add([EventMessage(), output(1, "x")])
    while chain.busy:
        await chain.run_async()
        chain.ready.clear()
    assert got == [output(1, "x")]


def test_a_function_of_lines_may_be_a_sink(session: Session) -> None:
    lines: list[str] = []
    execution = session.execute(
        "print('a'); print('b')", processors=[Route(Lines(lines.append), types="output")]
    )
    assert execution.wait(60).stdout == "a\nb\n"
    assert lines == ["a\n", "b\n"]


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(UsageError, match="no message type 'outptu'"):
        Route(print, types="outptu")
    with pytest.raises(UsageError, match="sink must be a function"):
        Route("x")  # type: ignore[arg-type]  # the mistake
