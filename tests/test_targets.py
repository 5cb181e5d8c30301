"""Addresses, their options, and schemes of other packages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pyrepl_stream import RemoteSession, UsageError, connect
from pyrepl_stream.targets import Address, target_schemes


def test_an_address_is_a_scheme_and_a_rest() -> None:
    assert Address.parse("local:") == Address("local", "")
    assert Address.parse("local:my-job") == Address("local", "my-job")
    assert Address.parse("command:docker exec -i x:y") == Address("command", "docker exec -i x:y")
    assert Address.parse("dask+tcp://host:8786") == Address("dask+tcp", "//host:8786")


@pytest.mark.parametrize("text", ["", "local", ":x", "Local:", "1x:", " local:", 7, None])
def test_an_invalid_address_is_an_error(text: Any) -> None:
    with pytest.raises(UsageError, match="address"):
        connect(text)


def test_connect_starts_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYREPL_STREAM_RUNTIME_DIR", str(tmp_path / "run"))
    session = connect("local:x")
    assert isinstance(session, RemoteSession)
    assert repr(session) == "<RemoteSession local:x>"
    assert session.hello is None
    assert not (tmp_path / "run").exists()


def test_an_unknown_scheme_names_the_nearest() -> None:
    assert "local" in target_schemes()
    with pytest.raises(
        UsageError, match=r"'lokal' is not a known scheme of addresses; did you mean 'local:'\?"
    ):
        connect("lokal:x")
    with pytest.raises(UsageError, match=r"'gopher' is not a known scheme of addresses; known: .*local:"):
        connect("gopher:x")


def test_an_unknown_option_names_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"local: has no option 'pyton'; did you mean 'python'\?"):
        connect("local:", pyton="x")
    with pytest.raises(
        UsageError, match=r"known: cwd, env, idle_timeout, patience, python, report, retention"
    ):
        connect("local:", zzz=1)


@pytest.mark.parametrize(
    "options",
    [
        {"python": "/no/such/python"},
        {"env": {"A=B": "1"}},
        {"env": ["A"]},
        {"idle_timeout": 0},
        {"retention": -1},
        {"patience": 0},
    ],
)
def test_invalid_options_are_errors_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        connect("local:", **options)


@pytest.mark.parametrize("name", ["a/b", "..", "x" * 65, "ä"])
def test_names_that_could_lead_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is not a valid session name"):
        connect(f"local:{name}")


@pytest.fixture
def echo_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = tmp_path / "echo-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: echo\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[pyrepl_stream.targets]\necho = echo_links:EchoLink\n")
    (tmp_path / "echo_links.py").write_text(
        "from pyrepl_stream.client import Link\n"
        "class EchoLink(Link):\n    def __init__(self, rest, *, loud=False):\n        self.rest, self.loud = rest, loud\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


def test_schemes_of_other_packages_are_found_by_their_entry_point(echo_installed: None) -> None:
    assert "echo" in target_schemes()
    assert isinstance(connect("echo:there", loud=True), RemoteSession)
    with pytest.raises(UsageError, match="echo: has no option 'lout'; did you mean 'loud'"):
        connect("echo:there", lout=True)
