"""The interpreter that a word means: a path, a program, or the name of a conda environment."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .config import way_out
from .errors import UsageError

__all__ = ("find_interpreter",)

_PROGRAM = re.compile(r"(python|pypy)[0-9.]*t?")
_ROOTS = ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba", "miniconda", "anaconda")
_PATIENCE = 20.0  # seconds; conda is slow to start


def find_interpreter(word: str) -> str:
    """The path of the interpreter that ``word`` means.

    It is a path (of an interpreter, or of an environment that has one), the name of a program such as
    ``python3.12``, or the name of a conda environment. Conda is asked only for what its usual places do
    not have. Raises :class:`UsageError`, with the nearest environment.
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
        environments = {**_named(_told_by_conda()), **environments}
    if word not in environments:
        raise UsageError(
            f"{word!r} is no path of an interpreter (write ./{word} for one that lies here), no program "
            f"such as python3.12, and no conda environment{way_out(word, environments)}"
        )
    return _at(environments[word])


def _at(path: Path) -> str:
    """Absolute, but not resolved: the interpreter of a venv is a link to one that has other packages."""
    path = Path(os.path.abspath(path))
    if path.is_dir():
        inside = path / "bin" / "python"
        if not inside.exists():
            raise UsageError(f"the environment {str(path)!r} has no bin/python: install python in it")
        path = inside
    if not path.is_file() or not os.access(path, os.X_OK):
        raise UsageError(f"{str(path)!r} is no interpreter that could be run")
    return str(path)


def _named(prefixes: Iterator[Path]) -> dict[str, Path]:
    """Environments by name; the first of a name counts."""
    found: dict[str, Path] = {}
    for prefix in prefixes:
        if (prefix / "conda-meta").is_dir():
            name = "base" if (prefix / "envs").is_dir() and prefix.parent.name != "envs" else prefix.name
            found.setdefault(name, prefix)
    return found


def _usual_places() -> Iterator[Path]:
    """Prefixes of environments, where conda, mamba and micromamba keep them."""
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
    """What the environment says of the installation that is in use."""
    program = os.environ.get("CONDA_EXE")  # ROOT/bin/conda
    if program:
        yield Path(program).parent.parent
    for name in ("MAMBA_ROOT_PREFIX", "CONDA_PREFIX"):
        prefix = os.environ.get(name)
        if prefix:
            path = Path(prefix)
            yield path.parent.parent if path.parent.name == "envs" else path


def _told_by_conda() -> Iterator[Path]:
    program = os.environ.get("CONDA_EXE") or shutil.which("conda") or shutil.which("mamba")
    program = program or os.environ.get("MAMBA_EXE") or shutil.which("micromamba")
    if program is None:
        return
    try:
        told = subprocess.run(
            [program, "env", "list", "--json"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=True,
        )
        yield from (Path(prefix) for prefix in json.loads(told.stdout)["envs"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return  # what it does not tell is not there
