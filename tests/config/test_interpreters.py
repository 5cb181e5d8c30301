"""Interpreters by path, program name and environment."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pyrepl_stream import UsageError
from pyrepl_stream.config import find_interpreter


def environment(prefix: Path, *, python: bool = True) -> Path:
    """Make a folder that looks like a conda environment; return its interpreter."""
    (prefix / "conda-meta").mkdir(parents=True)
    (prefix / "bin").mkdir()
    interpreter = prefix / "bin" / "python"
    if python:
        interpreter.symlink_to(sys.executable)
    return interpreter


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with a conda installation that has the environments `gpu` and `cpu`."""
    for name in ("CONDA_EXE", "CONDA_PREFIX", "CONDA_ENVS_PATH", "MAMBA_ROOT_PREFIX", "MAMBA_EXE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    root = tmp_path / "miniconda3"
    environment(root)
    environment(root / "envs" / "gpu")
    environment(root / "envs" / "cpu")
    return tmp_path


def test_a_path_is_an_interpreter_or_an_environment_that_has_one(home: Path) -> None:
    inside = home / "miniconda3" / "envs" / "gpu"
    assert find_interpreter(sys.executable) == sys.executable
    assert find_interpreter(str(inside)) == str(inside / "bin" / "python")
    assert find_interpreter("~/miniconda3/envs/gpu/bin/python") == str(inside / "bin" / "python")
    assert find_interpreter(os.path.relpath(inside)) == str(inside / "bin" / "python")


def test_a_program_is_found_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable))
    assert find_interpreter("python") == os.path.join(os.path.dirname(sys.executable), "python")
    with pytest.raises(UsageError, match="no program 'python9.9' on the PATH"):
        find_interpreter("python9.9")


def test_the_name_of_an_environment_may_be_that_of_a_program(home: Path) -> None:
    environments = home / "miniconda3" / "envs"
    assert find_interpreter("gpu") == str(environments / "gpu" / "bin" / "python")
    assert find_interpreter("base") == str(home / "miniconda3" / "bin" / "python")
    assert find_interpreter(environment(environments / "test").parents[1].name) == str(
        environments / "test" / "bin" / "python"
    )


def test_environments_are_found_in_all_places_that_are_configured(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = {
        "listed": environment(home / "project" / "listed"),
        "shared": environment(home / "shared" / "shared"),
        "other": environment(home / "other-root" / "envs" / "other"),
        "asked": environment(home / "asked"),
    }
    (home / ".conda").mkdir()
    (home / ".conda" / "environments.txt").write_text(f"{home / 'project' / 'listed'}\n")
    monkeypatch.setenv("CONDA_ENVS_PATH", str(home / "shared"))
    monkeypatch.setenv("CONDA_PREFIX", str(home / "other-root" / "envs" / "other"))
    program = home / "conda"
    program.write_text(f'#!/bin/sh\necho \'{{"envs": ["{home / "asked"}"]}}\'\n')
    program.chmod(0o755)
    monkeypatch.setenv("MAMBA_EXE", str(program))
    assert {name: find_interpreter(name) for name in expected} == {
        n: str(path) for n, path in expected.items()
    }


@pytest.mark.parametrize("script", ["exit 1", "echo rubbish", "echo '{}'", "echo '{\"envs\": 1}'"])
def test_a_failing_conda_lists_no_environments(
    home: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    program = home / "conda"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("MAMBA_EXE", str(program))
    with pytest.raises(UsageError, match=r"or a conda environment; did you mean 'gpu'\?"):
        find_interpreter("gpuu")


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("/no/such/python", "'/no/such/python' is not an interpreter that can be run"),
        ("/etc/passwd", "'/etc/passwd' is not an interpreter that can be run"),
        ("/etc", "the environment '/etc' has no bin/python: install python in it"),
        ("", "'' is not a path"),
    ],
)
def test_a_missing_interpreter_is_an_error_with_a_way_out(home: Path, word: str, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        find_interpreter(word)


def test_an_environment_without_python_is_an_error(home: Path) -> None:
    environment(home / "miniconda3" / "envs" / "empty", python=False)
    with pytest.raises(UsageError, match="has no bin/python"):
        find_interpreter("empty")
