"""Links that are cut or go silent, between a real client and a real host."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path

import pytest
from support.network import NetworkLink
from support.sessions import isolated

from pyrepl_stream import CompleteMessage, Message, OutputMessage, RemoteSession, connect
from pyrepl_stream.runtime.host.paths import SessionPaths
from pyrepl_stream.testing import BadNetwork

LINES = 60_000
CODE = f"for number in range({LINES}): print(number)"


@pytest.fixture
def root() -> Iterator[Path]:
    with isolated() as root:
        yield root


@pytest.fixture
def record(root: Path) -> list[Message]:
    """Return the messages of the execution `job` of the session `links`, over a link without faults."""
    with connect("local:links") as session:
        return list(session.execute(CODE, execution_id="job"))


def test_a_link_that_is_cut_at_any_byte_loses_no_byte(
    root: Path, record: list[Message], rounds: Callable[[int, int], int]
) -> None:
    assert "".join(m.text for m in record if isinstance(m, OutputMessage)).split() == list(
        map(str, range(LINES))
    )
    seed = random.randrange(1 << 32)
    print("seed", seed)
    places = random.Random(seed)
    path = str(root / "network")
    for _ in range(rounds(20, 1000)):
        cut = places.randrange(1, 600_000)
        with BadNetwork(path, SessionPaths("links").socket, [cut]) as network:
            with RemoteSession(NetworkLink(path)) as session:
                assert list(session.attach("job")) == record, cut
            assert network.connections >= 1
        Path(path).unlink()


def test_a_link_that_is_cut_every_100_kb_loses_no_byte(root: Path, record: list[Message]) -> None:
    path = str(root / "network")
    with BadNetwork(path, SessionPaths("links").socket, repeat(100_000)) as network:
        with RemoteSession(NetworkLink(path)) as session:
            execution = session.execute(CODE, execution_id="again")
            messages = list(execution)
        assert network.connections >= 4
    text = "".join(message.text for message in messages if isinstance(message, OutputMessage))
    assert text.split() == list(map(str, range(LINES)))
    assert isinstance(messages[-1], CompleteMessage)
    assert messages[-1].success


def test_a_link_that_goes_silent_and_recovers_loses_no_byte(root: Path, record: list[Message]) -> None:
    path = str(root / "network")
    with (
        BadNetwork(path, SessionPaths("links").socket) as network,
        RemoteSession(NetworkLink(path)) as session,
    ):
        stream = iter(session.attach("job"))
        messages = [next(stream)]
        network.silent.set()
        # The host does not wait for a client that it cannot reach.
        with connect("local:links") as other:
            assert list(other.attach("job")) == record
        network.silent.clear()
        assert messages + list(stream) == record


def test_an_execution_started_over_a_cut_link_runs_once(
    root: Path, rounds: Callable[[int, int], int]
) -> None:
    path = str(root / "network")
    with connect("local:links") as session:
        session.execute("count = 0").wait(30)
        for cut in range(1, rounds(400, 1500), 40):
            with BadNetwork(path, SessionPaths("links").socket, [cut, cut + 200, None]):
                with RemoteSession(NetworkLink(path)) as other:
                    assert other.execute("count += 1").wait(60).success
            Path(path).unlink()
        times = len(range(1, rounds(400, 1500), 40))
        assert session.execute("count").wait(30).result == str(times)
