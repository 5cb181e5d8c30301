"""Shared by all tests: the two event loops, soak sizes, sessions, child interpreters."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from pyrepl_stream import GapMessage, Message, OutputMessage, Session, StreamType

ROOT = Path(__file__).parents[1]
settings.register_profile("ours", settings(), deadline=None)  # how fast it is says `make bench`
settings.load_profile("ours")

SOAK = os.environ.get("PYREPL_STREAM_SOAK", "") not in ("", "0")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def rounds() -> Callable[[int, int], int]:
    """Return the number of rounds: ``rounds(small, large)`` is small in the suite, and large in the soak."""
    return lambda small, large: large if SOAK else small


# Both start with their first execution: pytest puts streams of its own into `sys` between the setup of
# a fixture and the test, and what was routed in the setup would be routed no more.


@pytest.fixture
def session() -> Iterator[Session]:
    """A session for tests without an event loop of their own."""
    session = Session()
    yield session
    session.__exit__(None, None, None)


@pytest.fixture
async def async_session(anyio_backend: str) -> AsyncIterator[Session]:
    session = Session()
    yield session
    await session.close()


@pytest.fixture
def session_of() -> Iterator[Callable[..., Session]]:
    """Makes sessions with options; they are closed after the test."""
    sessions: list[Session] = []

    def make(*args: Any, **options: Any) -> Session:
        sessions.append(Session(*args, **options))
        return sessions[-1]

    yield make
    for session in sessions:
        session.__exit__(None, None, None)


@pytest.fixture(scope="session")
def run_python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a program in a fresh interpreter: ``run_python(code, *options, python=..., timeout=...)``."""

    def run(
        code: str,
        *options: str,
        python: str = sys.executable,
        timeout: float = 60,
        env: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
        return subprocess.run(
            [python, *options, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def joined() -> Callable[..., str]:
    """Joins the output of one stream in a list of messages."""

    def join(
        messages: list[Message], stream: StreamType = StreamType.STDOUT, source: str | None = None
    ) -> str:
        return "".join(
            message.text
            for message in messages
            if isinstance(message, OutputMessage)
            and message.stream == stream
            and (source is None or message.source == source)
        )

    return join


@pytest.fixture(scope="session")
def assert_whole() -> Callable[..., None]:
    """Check that sequence numbers rise from ``first`` by 1; a gap stands for its range."""

    def check(messages: list[Message], first: int = 1) -> None:
        expected = first
        for message in messages:
            assert message.span_start == expected, f"{message!r} where {expected} was expected"
            expected = message.sequence + 1

    return check


@pytest.fixture(scope="session")
def gap_bytes() -> Callable[[list[Message]], int]:
    """Return the number of bytes that the gaps in a list of messages stand for."""

    def count(messages: list[Message]) -> int:
        gaps = [message.bytes for message in messages if isinstance(message, GapMessage)]
        assert None not in gaps
        return sum(size or 0 for size in gaps)

    return count
