"""A session with ``route_while_open=False`` routes output only while its code runs."""

from __future__ import annotations

import asyncio
import contextlib
import io
import sys
import threading
import types
from collections.abc import Callable, Iterator

import pytest

from pyrepl_stream import Execution, OutputMessage, Session, StreamType
from pyrepl_stream.embedding import replace_while_routing
from pyrepl_stream.runtime.engine.loop import engine_loop

LIMIT = 60.0  # seconds; only a hang takes that long


@pytest.fixture
def session() -> Iterator[Session]:
    with Session(route_while_open=False) as session:
        yield session


@pytest.fixture
def routed() -> Iterator[Callable[[], bool]]:
    """Return a function that returns whether output is routed, after what the engine has scheduled."""
    owner = types.SimpleNamespace(mark=False)
    undo = replace_while_routing(owner, "mark", lambda original: True)

    def is_routed() -> bool:
        passed = threading.Event()
        engine_loop().call(passed.set)  # after everything that was scheduled
        assert passed.wait(LIMIT)
        return bool(owner.mark)

    yield is_routed
    undo()


def ended(execution: Execution) -> Execution:
    execution.wait(LIMIT)
    return execution


def test_an_execution_routes_until_it_has_ended(session: Session, routed: Callable[[], bool]) -> None:
    before = sys.stdout, threading.Thread.start
    assert not routed()
    session.namespace["go"] = go = threading.Event()
    execution = session.execute("go.wait(); print('text')")
    assert routed()
    assert sys.stdout is not before[0]
    go.set()
    assert execution.wait(LIMIT).stdout == "text\n"
    until_unrouted(routed)
    assert (sys.stdout, threading.Thread.start) == before


def until_unrouted(routed: Callable[[], bool]) -> None:
    """Wait until output is routed no more: the thread of an execution ends after its `complete`."""
    waiting = threading.Event()
    for _ in range(6000):
        if not routed():
            return
        waiting.wait(0.01)
    pytest.fail("output is still routed")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    "code",
    [
        "import threading\nthreading.Thread(target=lambda: (go.wait(), print('late'))).start()",
        "import threading\ndef f():\n    go.wait()\n    print('late')\n    1/0\nthreading.Thread(target=f).start()",
        "from concurrent.futures import ThreadPoolExecutor as E\nE().submit(lambda: (go.wait(), print('late')))",
    ],
    ids=["a thread", "a thread that fails", "an executor"],
)
def test_what_an_execution_has_started_routes_until_its_end(
    session: Session, routed: Callable[[], bool], code: str
) -> None:
    session.namespace["go"] = go = threading.Event()
    execution = ended(session.execute(code))
    assert routed()
    go.set()
    until_unrouted(routed)
    text = ""
    for message in execution.attach(follow=True):
        if isinstance(message, OutputMessage) and message.stream is StreamType.STDOUT:
            text = message.text
            break
    assert text == "late\n"


def test_a_task_that_goes_on_keeps_output_routed(session: Session, routed: Callable[[], bool]) -> None:
    ended(
        session.execute(
            "import asyncio\ngo = asyncio.Event()\ntask = asyncio.create_task(go.wait())\nawait asyncio.sleep(0)"
        )
    )
    assert routed()
    ended(session.execute("go.set()\nawait task"))
    until_unrouted(routed)


def test_a_failed_start_routes_nothing(session: Session, routed: Callable[[], bool]) -> None:
    def refuse(execution: Execution) -> None:
        raise RuntimeError("refused")

    with pytest.raises(RuntimeError, match="refused"):
        session.execute("1", on_created=refuse)
    assert not routed()


def test_closing_the_session_ends_the_routing(routed: Callable[[], bool]) -> None:
    main = sys.modules["__main__"]
    with Session(route_while_open=False) as session:
        session.namespace["go"] = go = threading.Event()
        ended(session.execute("import threading\nthreading.Thread(target=go.wait).start()"))
        assert routed()
    assert not routed()
    assert sys.modules["__main__"] is main
    go.set()


def test_many_executions_at_once_leave_nothing(session: Session, routed: Callable[[], bool]) -> None:
    async def many() -> None:
        await asyncio.gather(*(session.execute("print(1)") for _ in range(100)))

    asyncio.run(many())
    until_unrouted(routed)


def test_a_redirection_that_ends_later_leaves_nothing(session: Session, routed: Callable[[], bool]) -> None:
    before = sys.stdout
    session.namespace["go"] = go = threading.Event()
    execution = session.execute("go.wait()")
    with contextlib.redirect_stdout(io.StringIO()):
        go.set()
        ended(execution)
        until_unrouted(routed)
    assert session.execute("print('seen')").wait(LIMIT).stdout == "seen\n"
    until_unrouted(routed)
    assert sys.stdout is before
