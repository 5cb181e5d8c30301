"""The link to a session on this machine."""

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
from pyrepl_stream.links.local import LocalLink
from pyrepl_stream.runtime.host.paths import SessionPaths
from pyrepl_stream.runtime.protocol import operations


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    with isolated() as root:
        yield root


async def hello(link: LocalLink) -> dict[str, Any]:
    stream = await link.connect(start=True)
    try:
        await stream.send(
            operations.line({"op": "hello", "request": 1, "protocol": operations.PROTOCOL, "version": ""})
        )
        data = b""
        while not data.endswith(b"\n"):
            data += await stream.receive()
        return operations.parse(data)
    finally:
        await stream.aclose()


def test_the_host_is_started_once_and_then_found(root: Path) -> None:
    first = asyncio.run(hello(LocalLink("here")))
    assert first["session"] == "here"
    assert (
        asyncio.run(hello(LocalLink("here")))["pid"] == first["pid"] == host_pid(SessionPaths("here").socket)
    )


def test_without_a_name_it_is_the_default_session(root: Path) -> None:
    assert asyncio.run(hello(LocalLink("")))["session"] == "default"


def test_the_host_is_started_with_the_given_options(root: Path) -> None:
    link = LocalLink(
        "given",
        python=sys.executable,
        cwd=root,
        env={"A": "1", "B": None},
        idle_timeout=50,
        retention=1 << 20,
    )
    answer = asyncio.run(hello(link))
    options = answer["options"]
    assert (options["cwd"], options["env"]) == (str(root), {"A": "1", "B": None})
    assert (options["idle_timeout"], options["retention"]) == (50, 1 << 20)
    link.greeted(answer)


RUNNING = {"options": {"python": "", "cwd": "/tmp", "env": {"A": "1", "B": None}}}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cwd": "/tmp"},
        {"cwd": "/tmp/"},
        {"env": {"A": "1"}},
        {"env": {"B": None}},
        {"idle_timeout": 1, "retention": 1 << 20},
    ],
)
def test_a_session_that_is_as_asked_for_is_used(options: dict[str, Any]) -> None:
    LocalLink("x", **options).greeted(RUNNING)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"cwd": "/"}, "cwd '/tmp' and not '/'"),
        ({"env": {"A": "secret"}}, "another value of A in env:"),
        ({"env": {"C": "secret"}}, "another value of C in env:"),
        ({"env": {"C": None}}, "another value of C in env:"),
        ({"python": "sh"}, "python '' and not '/"),
    ],
)
def test_a_session_with_other_options_is_an_error_with_the_ways_out(
    options: dict[str, Any], told: str
) -> None:
    with pytest.raises(UsageError, match="use another name") as failed:
        LocalLink("x", **options).greeted(RUNNING)
    assert told in str(failed.value)
    assert "secret" not in str(failed.value)
    assert "pyrepl-stream close x" in str(failed.value)


HERE = {"python": sys.executable, "cwd": os.getcwd(), "env": None}


@pytest.mark.parametrize(
    ("running", "given"),
    [
        ({}, {}),
        ({"python": ""}, {}),
        ({"cwd": "/"}, {"cwd": "/"}),
        ({"python": "/bin/sh"}, {"python": "/bin/sh"}),
    ],
)
def test_a_session_like_this_process_or_as_asked_for_is_not_reported(
    running: dict[str, Any], given: dict[str, Any]
) -> None:
    assert LocalLink("x", **given).greeted({"options": {**HERE, **running}}) is None


def test_another_name_of_the_same_interpreter_and_folder_is_not_reported(tmp_path: Path) -> None:
    (tmp_path / "here").symlink_to(os.getcwd())
    names = Path(sys.executable).parent.glob("python*")
    same = [str(name) for name in names if os.path.realpath(name) == os.path.realpath(sys.executable)]
    for name in same:
        running = {**HERE, "python": name, "cwd": str(tmp_path / "here")}
        assert LocalLink("x").greeted({"options": running}) is None


def test_another_interpreter_or_folder_is_reported_with_the_ways_out() -> None:
    told = LocalLink("x").greeted({"options": {**HERE, "python": "/other/bin/python", "cwd": "/other"}})
    assert told is not None
    for part in ("/other/bin/python", "'/other'", sys.executable, os.getcwd(), "local:NAME", "close x"):
        assert part in told
    told = LocalLink("x", python="/bin/sh").greeted(
        {"options": {**HERE, "python": "/bin/sh", "cwd": "/other"}}
    )
    assert told is not None
    assert "/bin/sh" not in told
    assert "'/other'" in told


def test_a_missing_interpreter_is_an_error_at_once() -> None:
    with pytest.raises(UsageError, match="'/no/such/python' is not an executable file, and not on the PATH"):
        LocalLink("nowhere", python="/no/such/python")


def test_a_missing_directory_is_an_error(root: Path) -> None:
    with pytest.raises(UsageError, match="existing directory"):
        asyncio.run(hello(LocalLink("nowhere", cwd=root / "nowhere")))


def test_a_working_directory_that_was_removed_is_an_error_at_once(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(UsageError, match="no longer exists"):
        asyncio.run(hello(LocalLink("nowhere")))
    with pytest.raises(UsageError, match="was removed"):
        LocalLink("nowhere", cwd="here")


def test_without_start_a_closed_session_is_not_started(root: Path) -> None:
    with pytest.raises(SessionClosedError, match="'gone' has been closed"):
        asyncio.run(LocalLink("gone").connect(start=False))
    assert not os.path.exists(SessionPaths("gone").records)


def test_a_cancelled_connect_leaves_no_socket_open(root: Path) -> None:
    async def leave() -> None:
        task = asyncio.create_task(LocalLink("left").connect(start=True))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(leave())
    asyncio.run(hello(LocalLink("left")))  # it has been started meanwhile, or is now
    gc.collect()
    assert os.path.exists(SessionPaths("left").socket)
