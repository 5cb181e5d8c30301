"""From `print` to the reader: every byte arrives in order under every policy."""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Callable, Iterable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyrepl_stream import (
    CompleteMessage,
    GapMessage,
    Message,
    MessageType,
    OutputMessage,
    Session,
    StreamType,
)

Check = Callable[..., None]
Joined = Callable[..., str]


@pytest.fixture(autouse=True)
def switch_interval() -> Iterator[None]:
    """Set a random interval, so that threads are switched at different points in each run."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(10.0 ** -random.uniform(2, 5))
    yield
    sys.setswitchinterval(before)


@pytest.fixture(params=range(5))
def run(request: pytest.FixtureRequest, rounds: Callable[[int, int], int]) -> range:
    """Five tests, of one round each in the suite and of 40 in the soak."""
    return range(rounds(1, 40))


# -- bulk ---------------------------------------------------------------------------------------


def test_100_mb_in_one_print_arrive_whole(session: Session, assert_whole: Check, joined: Joined) -> None:
    messages = list(session.execute("text = 'x' * 50_000_000 + 'é' * 25_000_000\nprint(text, end='')"))
    assert joined(messages) == session.namespace["text"]
    assert_whole(messages)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("for i in range(1_000_000): write('x')", lambda: "x" * 1_000_000),
        ("for i in range(200_000): print(i)", lambda: "".join(f"{i}\n" for i in range(200_000))),
        ("for i in range(20_000): print(i, flush=True)", lambda: "".join(f"{i}\n" for i in range(20_000))),
        ("for i in range(10_000): print('é' * 120)", lambda: ("é" * 120 + "\n") * 10_000),
    ],
    ids=["1,000,000 characters", "200,000 prints", "20,000 flushed prints", "10,000 long lines"],
)
def test_bulk_output_is_exactly_what_was_written(
    session: Session, run: range, code: str, expected: Callable[[], str], assert_whole: Check, joined: Joined
) -> None:
    for _ in run:
        messages = list(session.execute(f"import sys; write = sys.stdout.write\n{code}"))
        assert joined(messages) == expected()
        assert_whole(messages)
        assert isinstance(messages[-1], CompleteMessage)
        assert messages[-1].success


def test_threads_that_write_at_once_lose_nothing(
    session: Session, run: range, assert_whole: Check, joined: Joined
) -> None:
    code = """
import sys, threading
def work(name):
    for i in range(3000):
        sys.stdout.write(f"{name}{i};")
        if i % 7 == 0: sys.stderr.write(f"{name}{i};")
        if i % 11 == 0: sys.stdout.flush()
threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
for thread in threads: thread.start()
work("d")
for thread in threads: thread.join()
"""
    for _ in run:
        messages = list(session.execute(code))
        assert_whole(messages)
        for stream, step in ((StreamType.STDOUT, 1), (StreamType.STDERR, 7)):
            words = joined(messages, stream).split(";")[:-1]
            for name in "abcd":
                assert [word for word in words if word[0] == name] == [
                    f"{name}{i}" for i in range(0, 3000, step)
                ]
            assert len(words) == 4 * len(range(0, 3000, step))


def test_interrupted_output_is_a_prefix_of_what_was_written(
    session: Session, run: range, assert_whole: Check, joined: Joined
) -> None:
    code = """
import itertools, threading
class Other(threading.Thread):
    def run(self):
        for i in range(2000): print(f"t{i};", end="")
last = -1
thread = Other(); thread.start()
try:
    for i in itertools.count(): print(f"m{i};", end=""); last = i
finally:
    thread.join()
"""
    for _ in run:
        for _ in range(5):
            execution = session.execute(code)
            messages: list[Message] = []
            stop_in = random.randrange(1, 20)
            for message in execution:
                messages.append(message)
                if isinstance(message, OutputMessage) and "m" in message.text:
                    stop_in -= 1
                    if stop_in == 0:
                        execution.interrupt()
            assert_whole(messages)
            assert isinstance(messages[-1], CompleteMessage)
            assert messages[-1].status == "interrupted"
            words = joined(messages).split(";")
            mains = [word for word in words if word.startswith("m")]
            assert mains == [f"m{i}" for i in range(len(mains))]
            assert len(mains) - session.namespace["last"] in (1, 2)
            threads = [word for word in words if word.startswith("t")]
            assert threads == [f"t{i}" for i in range(2000)]


def test_the_order_over_stdout_and_stderr_is_the_order_of_the_writes(session: Session, run: range) -> None:
    code = """
import sys
for i in range(5000):
    (sys.stdout if i % 3 else sys.stderr).write(f"{i};")
"""
    for _ in run:
        text = "".join(
            message.text for message in session.execute(code) if isinstance(message, OutputMessage)
        )
        assert text == "".join(f"{i};" for i in range(5000))


def test_the_first_output_of_an_idle_execution_comes_without_another_write(session: Session) -> None:
    go_on = threading.Event()
    session.namespace["go_on"] = go_on
    code = "import sys\nfor i in range(20): (sys.stdout, sys.stderr)[i % 2].write('x'); go_on.wait(); go_on.clear()"
    count = 0
    for message in session.execute(code):
        if message.type == MessageType.OUTPUT:
            count += 1
            go_on.set()
    assert count == 20


# -- any interleaving ---------------------------------------------------------------------------

PIECES = st.lists(
    st.tuples(
        st.sampled_from(["stdout", "stderr"]),
        st.sampled_from(["", "a", "bc\n", "é\r\n", "\N{PILE OF POO}", "LONG", "\ud800", "\x00\x1b[0m"]),
        st.sampled_from(["write", "print", "flush", "bytes", "yield"]),
    ),
    max_size=20,
)

Plan = list[list[tuple[str, str, str]]]


def mark_of(name: int, index: int, text: str) -> str:
    return f"<{name}.{index}>" + text.replace("LONG", "x" * 5000)


WRITES = """
import sys, threading, time
def work(name, pieces):
    for index, (stream, text, how) in enumerate(pieces):
        file = getattr(sys, stream)
        mark = mark_of(name, index, text)
        if how == "write": file.write(mark)
        elif how == "print": print(mark, end="", file=file)
        elif how == "flush": print(mark, end="", file=file, flush=True)
        elif how == "bytes": file.buffer.write(mark.encode("utf-8", "surrogatepass"))
        else: file.write(mark); time.sleep(0)
def main(plan):
    threads = [threading.Thread(target=work, args=job) for job in enumerate(plan)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(PIECES, min_size=1, max_size=3), min_size=1, max_size=3),
    st.sampled_from([2000, 4 << 20]),
)
def test_any_interleaving_of_writes_arrives_whole(
    assert_whole: Check, plans: list[Plan], buffer_bytes: int
) -> None:
    received: list[list[Message]] = [[] for _ in plans]
    with Session({"plans": plans, "mark_of": mark_of}, buffer_bytes=buffer_bytes) as session:
        session.execute(WRITES).wait()
        readers = [
            threading.Thread(target=into.extend, args=(session.execute(f"main(plans[{number}])"),))
            for number, into in enumerate(received)
        ]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
    for plan, messages in zip(plans, received, strict=True):
        assert_whole(messages)
        assert isinstance(messages[-1], CompleteMessage)
        assert messages[-1].success
        for stream in StreamType:
            raw = b"".join(
                m.data if isinstance(m.data, bytes) else m.data.encode("utf-8", "surrogatepass")
                for m in messages
                if isinstance(m, OutputMessage) and m.stream == stream
            )
            marks = [b"<" + piece for piece in raw.split(b"<")[1:]]
            by_thread = [
                [
                    mark_of(name, index, text).encode("utf-8", "surrogatepass")
                    for index, (to, text, _) in enumerate(pieces)
                    if to == stream
                ]
                for name, pieces in enumerate(plan)
            ]
            for name, expected in enumerate(by_thread):
                found = [mark for mark in marks if mark.startswith(f"<{name}.".encode())]
                assert len(found) == len(expected)
                assert found == expected
            assert len(marks) == sum(map(len, by_thread))


# -- bounds -------------------------------------------------------------------------------------

LIMIT = 100_000


def output_bytes(messages: Iterable[Message]) -> int:
    return sum(
        len(message.data if isinstance(message.data, bytes) else message.data.encode())
        for message in messages
        if isinstance(message, OutputMessage)
    )


def stopped_reader(session: Session, code: str, until: threading.Event) -> list[Message]:
    """Read one message, wait for ``until``, read the rest."""
    execution = session.execute(code)
    messages: list[Message] = []
    for message in execution:
        messages.append(message)
        if len(messages) == 1:
            until.wait()
    return messages


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest"])
@pytest.mark.parametrize(
    "line",
    ["print('x' * 99)", "print('é' * 99, file=sys.stderr)", "sys.stdout.buffer.write(b'\\xff' * 100)"],
    ids=["stdout", "stderr", "bytes"],
)
def test_a_stopped_reader_costs_bounded_memory_and_gaps_count_every_dropped_byte(
    session_of: Callable[..., Session],
    assert_whole: Check,
    gap_bytes: Callable[..., int],
    policy: str,
    line: str,
) -> None:
    session = session_of(buffer_bytes=LIMIT, overflow=policy)
    execution = session.execute(f"import sys\nfor i in range(20_000): {line}\nprint('the end')")
    stream = iter(execution)
    messages = [next(stream)]
    execution.wait(60)  # another reader, which does not delay this one
    assert output_bytes(execution.attach()) <= 2 * LIMIT  # in memory an é takes half of its UTF-8
    messages += stream
    assert_whole(messages)
    size = {"print('x": 100, "print('é": 199, "sys.stdo": 100}[line[:8]]
    assert gap_bytes(messages) > 0
    assert output_bytes(messages) + gap_bytes(messages) == 20_000 * size + len("the end\n")
    assert isinstance(messages[-1], CompleteMessage)
    assert messages[-1].success


def test_block_waits_for_a_stopped_reader_and_loses_nothing(
    session_of: Callable[..., Session], assert_whole: Check, joined: Joined
) -> None:
    ended = threading.Event()
    session = session_of({"ended": ended}, buffer_bytes=LIMIT, overflow="block")
    messages: list[Message] = []
    for message in session.execute("for i in range(4000): print('x' * 9999)\nended.set()"):
        messages.append(message)
        if len(messages) == 1:
            assert not ended.wait(0.2)  # it would be set at once if the code did not wait
    assert joined(messages) == ("x" * 9999 + "\n") * 4000
    assert_whole(messages)
    assert not any(isinstance(message, GapMessage) for message in messages)


def test_block_waits_in_each_thread_and_stream_and_loses_nothing(
    session_of: Callable[..., Session], assert_whole: Check, joined: Joined
) -> None:
    session = session_of(buffer_bytes=LIMIT, overflow="block")
    code = """
import sys, threading
def work(name):
    for i in range(3000):
        print(f"{name}{i}", "x" * 100, file=sys.stdout if i % 2 else sys.stderr)
threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
    messages = list(session.execute(code))
    assert_whole(messages)
    lines = [*joined(messages).splitlines(), *joined(messages, StreamType.STDERR).splitlines()]
    assert "".join(lines).count("x") == 9000 * 100
    assert not any(isinstance(message, GapMessage) for message in messages)


def test_fail_raises_in_the_code_that_writes_and_the_run_is_an_error(
    session_of: Callable[..., Session], assert_whole: Check, gap_bytes: Callable[..., int]
) -> None:
    ended = threading.Event()
    count: list[int] = []
    session = session_of({"ended": ended, "count": count}, buffer_bytes=LIMIT, overflow="fail")
    code = "try:\n    while True: print('x' * 99); count.append(1)\nfinally: ended.set()"
    messages = stopped_reader(session, code, ended)
    assert_whole(messages)
    complete = messages[-1]
    assert isinstance(complete, CompleteMessage)
    assert complete.status == "error"
    assert complete.error
    assert complete.error.startswith("BufferOverflowError")
    kept = sum(len(message.data) for message in messages if isinstance(message, OutputMessage))
    assert kept + gap_bytes(messages) - 100 * len(count) in range(101)


def test_fail_is_an_error_even_when_the_code_swallows_the_exception(
    session_of: Callable[..., Session],
) -> None:
    ended = threading.Event()
    session = session_of({"ended": ended}, buffer_bytes=LIMIT, overflow="fail")
    code = """
try:
    while True: print('x' * 99)
except Exception: pass
ended.set()
"""
    complete = stopped_reader(session, code, ended)[-1]
    assert isinstance(complete, CompleteMessage)
    assert (complete.success, complete.status) == (False, "error")


@pytest.mark.parametrize("policy", ["block", "drop_oldest", "drop_newest", "fail"])
def test_a_reader_that_keeps_up_loses_nothing_under_any_policy(
    session_of: Callable[..., Session], joined: Joined, policy: str
) -> None:
    session = session_of(buffer_bytes=8 << 20, overflow=policy)
    assert joined(list(session.execute("for i in range(20_000): print(i)"))) == "".join(
        f"{i}\n" for i in range(20_000)
    )


@pytest.mark.parametrize("policy", ["block", "drop_oldest", "drop_newest", "fail"])
def test_results_and_errors_arrive_even_when_output_was_dropped(
    session_of: Callable[..., Session], policy: str
) -> None:
    ended = threading.Event()
    session = session_of({"ended": ended}, buffer_bytes=LIMIT, overflow=policy)
    execution = session.execute(
        "try:\n    for i in range(50_000): print('x' * 99)\nfinally: ended.set()\n1 / 0"
    )
    if policy == "block":
        execution.detach()
    messages = stopped_reader(session, execution._run.code, ended) if policy != "block" else list(execution)
    types = [message.type for message in messages]
    assert types[-2:] == ["error", "complete"]


def test_an_execution_without_a_reader_is_not_blocked_for_ever(
    session_of: Callable[..., Session], assert_whole: Check
) -> None:
    ended = threading.Event()
    session = session_of({"ended": ended}, buffer_bytes=LIMIT)
    execution = session.execute("for i in range(20_000): print('x' * 99)\nended.set()")
    execution.detach()
    assert ended.wait(60)
    assert isinstance(list(execution)[-1], CompleteMessage)
    messages = list(execution.attach())
    assert isinstance(messages[0], GapMessage)
    assert_whole(messages)


@pytest.mark.parametrize("policy", ["block", "drop_oldest", "drop_newest"])
def test_code_on_a_thread_with_a_loop_never_deadlocks(
    session_of: Callable[..., Session], policy: str
) -> None:
    # The reader is a task on the loop of the printing code, so it cannot make room while that code waits.
    ended: list[bool] = []
    session = session_of({"ended": ended}, buffer_bytes=LIMIT, overflow=policy)
    session.namespace["session"] = session
    code = """
import asyncio
async def read():
    return [m async for m in session.execute("for i in range(3000): print('x' * 99)", execution_id="inner")]
reader = asyncio.create_task(read())
for i in range(3000):
    print("y" * 99)
messages = await reader
len(messages)
"""
    outer = session.execute(code)
    result = outer.wait(60)
    assert result.error is None
    assert result.status == "ok"


def test_code_that_awaits_does_not_wait_for_its_reader(
    session_of: Callable[..., Session], assert_whole: Check, joined: Joined
) -> None:
    ended = threading.Event()
    session = session_of({"ended": ended}, buffer_bytes=LIMIT)
    code = "import asyncio\nawait asyncio.sleep(0)\nfor i in range(20_000): print('x' * 99)\nended.set()"
    messages = stopped_reader(session, code, ended)
    assert_whole(messages)
    assert joined(messages) == ("x" * 99 + "\n") * 20_000


def test_an_interrupt_reaches_code_that_waits_for_its_reader(session_of: Callable[..., Session]) -> None:
    session = session_of(buffer_bytes=LIMIT)
    execution = session.execute("while True: print('x' * 99)")
    stream = iter(execution)
    next(stream)
    execution.interrupt()
    last = list(stream)[-1]
    assert isinstance(last, CompleteMessage)
    assert last.status == "interrupted"


# -- writers for the host program ---------------------------------------------------------------


def test_a_labelled_writer_emits_whole_lines_with_its_label(session: Session, joined: Joined) -> None:
    go_on = threading.Event()
    session.namespace["go_on"] = go_on
    execution = session.execute("go_on.wait(); print('own')")
    writer = execution.writer("git", StreamType.STDERR)
    assert writer.write("one\ntw") == 6
    assert writer.write("o\nthree") == 7
    assert writer.write("") == 0
    go_on.set()
    execution.wait(60)
    writer.close()
    messages = list(execution.attach())
    sent = [m.data for m in messages if isinstance(m, OutputMessage) and m.source == "git"]
    assert "".join(str(data) for data in sent) == "one\ntwo\n"
    assert all(str(data).endswith("\n") for data in sent)
    assert joined(messages, source="") == "own\n"


def test_flushing_a_labelled_writer_emits_an_unfinished_line(session: Session, joined: Joined) -> None:
    go_on = threading.Event()
    session.namespace["go_on"] = go_on
    execution = session.execute("go_on.wait()")
    with execution.writer("git") as writer:
        writer.write("half")
    go_on.set()
    assert joined(list(execution), source="git") == "half"
