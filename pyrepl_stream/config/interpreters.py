"""Finds interpreters by path, by program name, or by the name of a conda environment."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from ..runtime.errors import UsageError
from ..runtime.validation import suggest

__all__ = ("find_interpreter",)

_PROGRAM = re.compile(r"(python|pypy)[0-9.]*t?")
_ROOTS = ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba", "miniconda", "anaconda")
_CONDA_TIMEOUT = 20.0  # seconds; conda is slow to start


def find_interpreter(word: str) -> str:
    """Return the path of an interpreter.

    Args:
        word: The path of an interpreter or of an environment, the name of a program such as ``python3.12``,
            or the name of a conda environment. Conda is called only if no usual place has it.

    Raises:
        UsageError: There is no such interpreter. The message suggests the environment with the nearest name.
    """
    if "/" in word or word.startswith("~"):
        return _at(Path(word).expanduser())
    if _PROGRAM.fullmatch(word):
        found = shutil.which(word)
        if found is None:
            raise UsageError(f"there is no program {word!r} on the PATH")
        return found
    environments = _named(_usual_places())
    if word not in environments:
        environments = {**_named(_listed_by_conda()), **environments}
    if word not in environments:
        raise UsageError(
            f"{word!r} is not a path (use ./{word} for an interpreter in this folder), a program such as "
            f"python3.12, or a conda environment; {suggest(word, environments)}"
        )
    return _at(environments[word])


def _at(path: Path) -> str:
    """Return the absolute path of an interpreter, given its path or the path of its environment.

    Symbolic links are not resolved, because the interpreter of a virtual environment is often a link to
    another interpreter, which has other packages.
    """
    path = Path(os.path.abspath(path))
    if path.is_dir():
        inside = path / "bin" / "python"
        if not inside.exists():
            raise UsageError(f"the environment {str(path)!r} has no bin/python: install python in it")
        path = inside
    if not path.is_file() or not os.access(path, os.X_OK):
        raise UsageError(f"{str(path)!r} is not an interpreter that can be run")
    return str(path)


def _named(prefixes: Iterator[Path]) -> dict[str, Path]:
    """Return environments by name. If several have the same name, the first one is used."""
    found: dict[str, Path] = {}
    for prefix in prefixes:
        if (prefix / "conda-meta").is_dir():
            name = "base" if (prefix / "envs").is_dir() and prefix.parent.name != "envs" else prefix.name
            found.setdefault(name, prefix)
    return found


def _usual_places() -> Iterator[Path]:
    """Yield the places in which conda, mamba and micromamba keep environments."""
    home = Path.home()
    folders = [Path(path) for path in os.environ.get("CONDA_ENVS_PATH", "").split(os.pathsep) if path]
    roots = [*_active_roots(), *(home / name for name in _ROOTS), Path("/opt/conda")]
    yield from roots
    for folder in [*folders, *(root / "envs" for root in roots), home / ".conda" / "envs"]:
        if folder.is_dir():
            yield from sorted(folder.iterdir())
    try:
        listed = (home / ".conda" / "environments.txt").read_text("utf-8", "replace")
    except OSError:
        return
    yield from (Path(line) for line in listed.splitlines() if line)


def _active_roots() -> Iterator[Path]:
    """Yield the roots of the installation in use, from environment variables."""
    if program := os.environ.get("CONDA_EXE"):  # ROOT/bin/conda
        yield Path(program).parent.parent
    for prefix in map(os.environ.get, ("MAMBA_ROOT_PREFIX", "CONDA_PREFIX")):
        if prefix:
            path = Path(prefix)
            yield path.parent.parent if path.parent.name == "envs" else path


def _listed_by_conda() -> Iterator[Path]:
    """Yield the environments that conda, mamba or micromamba lists."""
    program = os.environ.get("CONDA_EXE") or shutil.which("conda") or shutil.which("mamba")
    program = program or os.environ.get("MAMBA_EXE") or shutil.which("micromamba")
    if program is None:
        return
    try:
        listed = subprocess.run(
            [program, "env", "list", "--json"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_CONDA_TIMEOUT,
            check=True,
        )
        yield from (Path(prefix) for prefix in json.loads(listed.stdout)["envs"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return  # then only the environments in the usual places are known
