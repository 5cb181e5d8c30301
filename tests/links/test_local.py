"""The way to a session on this machine."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.sessions import host_pid, isolated

from pyrepl_stream import SessionClosedError, UsageError
from pyrepl_stream.host import protocol
from pyrepl_stream.host.places import SessionPlace
from pyrepl_stream.links.local import LocalLink


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    with isolated() as root:
        yield root


async def hello(link: LocalLink) -> dict[str, Any]:
    stream = await link.connect(start=True)
    try:
        await stream.send(protocol.line({"op": "hello", "request": 1, "protocol": protocol.PROTOCOL, "version": ""}))
        data = b""
        while not data.endswith(b"\n"):
            data += await stream.receive()
        return protocol.parse(data)
    finally:
        await stream.aclose()


def test_the_host_is_started_once_and_then_found(root: Path) -> None:
    first = asyncio.run(hello(LocalLink("here")))
    assert first["session"] == "here"
    assert asyncio.run(hello(LocalLink("here")))["pid"] == first["pid"] == host_pid(SessionPlace("here").socket)


def test_without_a_name_it_is_the_default_session(root: Path) -> None:
    assert asyncio.run(hello(LocalLink("")))["session"] == "default"


def test_what_was_given_is_what_the_host_is_started_with(root: Path) -> None:
    link = LocalLink("given", python=sys.executable, cwd=root, env={"A": "1", "B": None}, idle_timeout=50, retention=1 << 20)
    answer = asyncio.run(hello(link))
    options = answer["options"]
    assert (options["cwd"], options["env"]) == (str(root), {"A": "1", "B": None})
    assert (options["idle_timeout"], options["retention"]) == (50, 1 << 20)
    link.greeted(answer)


RUNNING = {"options": {"python": "", "cwd": "/tmp", "env": {"A": "1", "B": None}}}


@pytest.mark.parametrize(
    "options",
    [{}, {"cwd": "/tmp"}, {"cwd": "/tmp/"}, {"env": {"A": "1"}}, {"env": {"B": None}}, {"idle_timeout": 1, "retention": 1 << 20}],
)
def test_a_session_that_is_as_asked_for_is_used(options: dict[str, Any]) -> None:
    LocalLink("x", **options).greeted(RUNNING)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"cwd": "/"}, "cwd '/tmp' and not '/'"),
        ({"env": {"A": "secret"}}, "another A in env:"),
        ({"env": {"C": "secret"}}, "another C in env:"),
        ({"env": {"C": None}}, "another C in env:"),
        ({"python": "sh"}, "python '' and not '/"),
    ],
)
def test_a_session_with_other_options_is_an_error_with_the_ways_out(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match="use another name") as failed:
        LocalLink("x", **options).greeted(RUNNING)
    assert told in str(failed.value)
    assert "secret" not in str(failed.value)
    assert "pyrepl-stream close x" in str(failed.value)


def test_a_directory_that_is_not_there_is_an_error(root: Path) -> None:
    with pytest.raises(UsageError, match="no directory"):
        asyncio.run(hello(LocalLink("nowhere", cwd=root / "nowhere")))


def test_a_working_directory_that_was_removed_is_an_error_at_once(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(UsageError, match="was removed"):
        asyncio.run(hello(LocalLink("nowhere")))
    with pytest.raises(UsageError, match="was removed"):
        LocalLink("nowhere", cwd="here")


def test_what_only_reads_starts_no_session_that_is_gone(root: Path) -> None:
    with pytest.raises(SessionClosedError, match="'gone' was closed"):
        asyncio.run(LocalLink("gone").connect(start=False))
    assert not os.path.exists(SessionPlace("gone").records)


def test_whoever_waits_no_more_leaves_no_socket_behind(root: Path) -> None:
    async def leave() -> None:
        task = asyncio.create_task(LocalLink("left").connect(start=True))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(leave())
    asyncio.run(hello(LocalLink("left")))  # it has been started meanwhile, or is now
    gc.collect()
    assert os.path.exists(SessionPlace("left").socket)
