"""Links that are cut and links that go silent, between a real client and a real host."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable, Iterator, Mapping
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
from support.proxy import BadNetwork
from support.sessions import isolated

from pyrepl_stream import CompleteMessage, Message, OutputMessage, RemoteSession, TargetError, connect
from pyrepl_stream.host.places import SessionPlace
from pyrepl_stream.links.local import SocketStream

LINES = 60_000
CODE = f"for number in range({LINES}): print(number)"


@pytest.fixture
def root() -> Iterator[Path]:
    with isolated() as root:
        yield root


@pytest.fixture
def record(root: Path) -> list[Message]:
    """What the session `links` has of the execution `job`, over a link that holds."""
    with connect("local:links") as session:
        return list(session.execute(CODE, execution_id="job"))


class NetworkLink:
    """A link to whatever listens on a path."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def connect(self, *, start: bool) -> SocketStream:
        connection = socket.socket(socket.AF_UNIX)
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connection, self._path)
        except OSError as exc:
            connection.close()
            raise TargetError(str(exc)) from exc
        return SocketStream(connection)

    def greeted(self, hello: Mapping[str, Any]) -> None:
        """Whatever it is, it will do."""


def test_a_link_that_is_cut_at_any_byte_costs_none(
    root: Path, record: list[Message], rounds: Callable[[int, int], int]
) -> None:
    assert "".join(m.text for m in record if isinstance(m, OutputMessage)).split() == list(map(str, range(LINES)))
    seed = random.randrange(1 << 32)
    print("seed", seed)
    places = random.Random(seed)
    path = str(root / "network")
    for _ in range(rounds(20, 1000)):
        cut = places.randrange(1, 600_000)
        with BadNetwork(path, SessionPlace("links").socket, [cut]) as network:
            with RemoteSession(NetworkLink(path)) as session:
                assert list(session.attach("job")) == record, cut
            assert network.connections >= 1
        Path(path).unlink()


def test_a_link_that_is_cut_every_100_kb_costs_no_byte(root: Path, record: list[Message]) -> None:
    path = str(root / "network")
    with BadNetwork(path, SessionPlace("links").socket, repeat(100_000)) as network:
        with RemoteSession(NetworkLink(path)) as session:
            execution = session.execute(CODE, execution_id="again")
            messages = list(execution)
        assert network.connections >= 4
    text = "".join(message.text for message in messages if isinstance(message, OutputMessage))
    assert text.split() == list(map(str, range(LINES)))
    assert isinstance(messages[-1], CompleteMessage)
    assert messages[-1].success


def test_a_link_that_goes_silent_and_comes_back_costs_no_byte(root: Path, record: list[Message]) -> None:
    path = str(root / "network")
    with BadNetwork(path, SessionPlace("links").socket) as network, RemoteSession(NetworkLink(path)) as session:
        stream = iter(session.attach("job"))
        messages = [next(stream)]
        network.silent.set()
        # The host does not wait for whom it cannot reach.
        with connect("local:links") as other:
            assert list(other.attach("job")) == record
        network.silent.clear()
        assert messages + list(stream) == record


def test_a_start_over_a_link_that_is_cut_runs_once(root: Path, rounds: Callable[[int, int], int]) -> None:
    path = str(root / "network")
    with connect("local:links") as session:
        session.execute("count = 0").wait(30)
        for cut in range(1, rounds(400, 1500), 40):
            with BadNetwork(path, SessionPlace("links").socket, [cut, cut + 200, None]):
                with RemoteSession(NetworkLink(path)) as other:
                    assert other.execute("count += 1").wait(60).success
            Path(path).unlink()
        times = len(range(1, rounds(400, 1500), 40))
        assert session.execute("count").wait(30).result == str(times)
