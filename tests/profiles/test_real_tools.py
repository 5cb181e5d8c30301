"""The built-in profiles and the tools that they describe.

Only in the soak: the newest versions of the tools are installed, about 1 GB. They run with a server that
takes the place of the models.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.model_server import WRONG_KEY, model_server

from pyrepl_stream import EventMessage, ExecutionResult, run_profile
from pyrepl_stream.profiles import find_profile, load_profiles

PACKAGES = {
    "claude": "@anthropic-ai/claude-code",
    "cline": "cline",
    "codex": "@openai/codex",
    "gemini": "@google/gemini-cli",
}
_LIMIT = 120.0  # seconds


@dataclass(frozen=True)
class _Tool:
    """A tool that is installed in a folder of its own, and the profile that calls it."""

    name: str
    program: str
    home: Path

    @property
    def env(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": f"{Path(self.program).parent}{os.pathsep}{os.environ['PATH']}",
        }

    def call(self, *arguments: str) -> str:
        """Return what the tool prints."""
        ended = subprocess.run(
            [self.program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **self.env},
            cwd=self.home,
            text=True,
            timeout=_LIMIT,
            check=True,
        )
        return ended.stdout

    def run(self, address: str = "", key: str = "") -> ExecutionResult:
        """Run the profile, with a key for the server at ``address``."""
        env, arguments, options = dict(self.env), [], {"model": "gemini-2.5-pro"}
        if self.name == "claude":
            env |= {"ANTHROPIC_BASE_URL": address, "ANTHROPIC_API_KEY": key} if key else {}
            options = {}
        elif self.name == "codex":
            server = f'{{name="server",base_url="{address}/v1",env_key="KEY",wire_api="responses"}}'
            env |= {"KEY": key} if key else {}
            arguments = ["--skip-git-repo-check", "-c", "model_provider=server"]
            arguments += ["-c", f"model_providers.server={server}"]
        elif self.name == "gemini":
            env |= {"GEMINI_API_KEY": key, "GOOGLE_GEMINI_BASE_URL": address} if key else {}
            arguments = ["--skip-trust"]
        elif key:
            self.call("auth", "-p", "openai", "-k", key, "-m", "some-model", "-b", f"{address}/v1")
        run = run_profile(
            self.name,
            "say it",
            env=env,
            arguments=arguments,
            options=options,
            cwd=self.home,
            timeout=_LIMIT,
        )
        return run.wait()


@pytest.fixture(scope="module")
def installed(
    tmp_path_factory: pytest.TempPathFactory, rounds: Callable[[int, int], int]
) -> Callable[[str], str]:
    """Installs the tool of a profile, once, and returns its program."""
    if not rounds(0, 1):
        pytest.skip("only in the soak: it installs the newest versions of the tools")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed here")
    programs: dict[str, str] = {}

    def install(name: str) -> str:
        if name not in programs:
            folder = tmp_path_factory.mktemp(name)
            # A machine may forbid the scripts that packages run when they are installed. That of claude puts
            # the program in its place, that of cline makes its start faster.
            options = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
            (folder / "package.json").write_text("{}")  # or npm may install into a folder above
            command = [npm, "install", *options, f"{PACKAGES[name]}@latest"]
            subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, timeout=900, check=True)
            package = folder / "node_modules" / PACKAGES[name]
            if (script := package / "install.cjs").exists():
                subprocess.run(["node", str(script)], cwd=package, timeout=_LIMIT, check=True)
            programs[name] = str(folder / "node_modules" / ".bin" / name)
        return programs[name]

    return install


@pytest.fixture(params=PACKAGES)
def tool(
    request: pytest.FixtureRequest,
    installed: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[_Tool]:
    monkeypatch.setenv("PYREPL_STREAM_CONFIG_DIR", str(tmp_path))
    for name in list(os.environ):  # what would lead to an account
        if re.search("KEY|TOKEN|ANTHROPIC|CLAUDE|CLINE|CODEX|OPENAI|GEMINI|GOOGLE", name):
            monkeypatch.delenv(name)
    found = _Tool(request.param, installed(request.param), tmp_path)
    if found.name == "gemini":
        (tmp_path / ".gemini").mkdir()
        settings = '{"security": {"auth": {"selectedType": "gemini-api-key"}}}'
        (tmp_path / ".gemini" / "settings.json").write_text(settings)
    yield found
    if found.name == "cline":
        found.call("hub", "stop")  # a process that its runs leave behind


def test_each_built_in_profile_has_a_package() -> None:
    assert set(load_profiles()) == set(PACKAGES)


def test_the_tool_knows_each_flag_of_its_profile(tool: _Tool) -> None:
    profile = find_profile(tool.name)
    words = [word for group in (*profile.flags, *profile.options.values()) for word in group]
    commands = [word for word in profile.command[1:] if not word.startswith("-")]
    known = set(re.findall(r"(?<![\w-])[\w-]+", tool.call(*commands, "--help")))
    wanted = {*profile.command[1:], *words} - {*commands, "{value}"}
    assert wanted <= known


def test_a_run_is_a_sequence_of_events(tool: _Tool) -> None:
    with model_server() as address:
        result = tool.run(address, "right-key")
    assert result.success, result
    assert "pong" in str(result.events)
    assert result.stdout == "", "everything that it prints is an event"
    assert all(isinstance(event, EventMessage) and event.name != "json" for event in result.events)


def test_a_wrong_key_is_an_error_that_says_so(tool: _Tool) -> None:
    if tool.name == "claude":
        pytest.skip("it tries again for some minutes")
    with model_server() as address:
        result = tool.run(address, WRONG_KEY)
    assert not result.success
    assert result.reason.startswith("the command exited with ")
    assert "the key is wrong" in f"{result.events}{result.stderr}"


def test_without_an_account_the_tool_says_what_is_missing(tool: _Tool) -> None:
    missing = {
        "claude": "Not logged in",
        "codex": "Missing environment variable: `KEY`",
        "gemini": "you must specify the GEMINI_API_KEY environment variable",
    }
    if tool.name not in missing:
        pytest.skip("it asks its own service first, and tries again for a minute where there is no network")
    result = tool.run()
    assert not result.success
    assert missing[tool.name] in f"{result.events}{result.stderr}"
