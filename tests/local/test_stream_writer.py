from __future__ import annotations

import asyncio
import threading

import pytest

from pyrepl_stream import GapMessage, Message, OutputMessage, StreamType, StreamWriter, UsageError
from pyrepl_stream.testing import RecordingView


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # its waking is run_coroutine_threadsafe


pytestmark = pytest.mark.anyio


async def test_write_returns_the_length_and_sends_a_tagged_message() -> None:
    sink = RecordingView()
    writer = StreamWriter(sink, "execution-1", StreamType.STDERR, source="label")
    assert writer.write("héllo") == 5
    await writer.drain()
    (message,) = sink.messages
    assert isinstance(message, OutputMessage)
    assert (message.execution_id, message.sequence, message.stream, message.source, message.data) == (
        "execution-1",
        1,
        StreamType.STDERR,
        "label",
        "héllo",
    )
    assert message.timestamp > 0


async def test_an_empty_text_sends_nothing() -> None:
    sink = RecordingView()
    writer = StreamWriter(sink, "e")
    assert writer.write("") == 0
    await writer.drain()
    assert not sink.messages


async def test_writes_of_many_threads_stay_whole_and_in_order() -> None:
    sink = RecordingView()
    writer = StreamWriter(sink, "e")

    def work(name: str) -> None:
        for i in range(5000):
            writer.write(f"{name}{i}\n")  # `print` would be two writes

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        await asyncio.sleep(0)
    await writer.drain()
    words = sink.text.replace("\n", " ").split()
    assert sorted(words) == sorted(f"{name}{i}" for name in "abc" for i in range(5000))
    assert [m.sequence for m in sink.messages] == list(range(1, len(sink.messages) + 1))


async def test_writes_made_while_one_is_sent_are_joined() -> None:
    sink = RecordingView()
    sink.may_take.clear()
    writer = StreamWriter(sink, "e")
    for _ in range(1000):
        writer.write("x")
    sink.may_take.set()
    await writer.drain()
    assert sink.text == "x" * 1000
    assert len(sink.messages) <= 2


async def test_a_thread_waits_for_a_sink_that_lags_and_loses_nothing() -> None:
    sink = RecordingView()
    sink.may_take.clear()
    writer = StreamWriter(sink, "e", buffer_bytes=10_000)
    written = []

    def work() -> None:
        for _ in range(100):
            written.append(writer.write("y" * 1000))

    thread = threading.Thread(target=work)
    thread.start()
    while len(written) < 10:
        await asyncio.sleep(0)
    sink.may_take.set()
    while thread.is_alive():
        await asyncio.sleep(0)
    await writer.drain()
    assert sink.text == "y" * 100_000


async def test_a_write_on_the_loop_never_waits_and_overflow_is_a_gap() -> None:
    sink = RecordingView()
    sink.may_take.clear()
    writer = StreamWriter(sink, "e", buffer_bytes=10_000)
    for _ in range(100):
        assert writer.write("z" * 1000) == 1000
    sink.may_take.set()
    await writer.drain()
    lost = sum(m.bytes or 0 for m in sink.messages if isinstance(m, GapMessage))
    assert lost + len(sink.text) == 100_000
    assert lost > 0


async def test_an_error_of_the_sink_is_raised_to_the_writer() -> None:
    class Broken:
        async def send_message(self, message: Message) -> None:
            raise ConnectionError("gone")

    writer = StreamWriter(Broken(), "e")
    writer.write("x")
    with pytest.raises(ConnectionError, match="gone"):
        await writer.drain()
    with pytest.raises(ConnectionError, match="gone"):
        writer.write("y")


async def test_write_after_close_is_an_error() -> None:
    writer = StreamWriter(RecordingView(), "e")
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.write("x")


async def test_bytes_are_a_type_error() -> None:
    with pytest.raises(TypeError, match="not bytes"):
        StreamWriter(RecordingView(), "e").write(b"x")  # type: ignore[arg-type]  # the point


def test_a_writer_without_a_loop_is_an_error_that_names_the_argument() -> None:
    class Sink:
        async def send_message(self, message: Message) -> None: ...

    with pytest.raises(UsageError, match="loop="):
        StreamWriter(Sink(), "e")
