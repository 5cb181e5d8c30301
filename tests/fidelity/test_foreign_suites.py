"""The test suites of libraries pass and fail in a session as they do in a kernel, or in plain Python.

Only in the soak: their source distributions are downloaded. Those of rich are without tests.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import pytest
from support.kernels import kernel
from support.sessions import isolated

from pyrepl_stream import InputRequestMessage, connect

_LIMIT = 900.0  # seconds


class _Suite(NamedTuple):
    """The test suite of a library.

    Attributes:
        arguments: The arguments of pytest: without the tests that measure time, and without those that their
            project runs apart.
        version: The version of the source distribution; by default the one that is installed.
        needs: What the tests import besides.
    """

    arguments: str
    version: str = ""
    needs: tuple[str, ...] = ()


SUITES = {
    # Its asynchronous tests are for asyncio.
    "tqdm": _Suite("tests --ignore=tests/tests_perf.py --override-ini=anyio_mode=auto -k 'not trio'"),
    "click": _Suite("tests -m 'not stress'"),
    "pytest": _Suite(
        "-p pytester testing/code testing/io testing/test_monkeypatch.py testing/test_warnings.py"
    ),
    # The last version that has its tests in it.
    "loguru": _Suite("tests", "0.7.2", ("freezegun", "colorama")),
}
_PROGRAM = """
import json, os, sys
os.chdir({folder!r})
sys.path[:0] = [{needed!r}]
sys.argv = ["pytest"]
import pytest
class FidelityCounts:
    def __init__(self):
        self.outcomes = {{}}
    def pytest_runtest_logreport(self, report):
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[report.nodeid] = report.outcome
counts = FidelityCounts()
pytest.main(["-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:xdist",
    "--override-ini=addopts=", "--import-mode=prepend", *{paths!r}], plugins=[counts])
with open({result!r}, "w") as file:
    json.dump(counts.outcomes, file)
"""
_IN_SESSION = """
from pyrepl_stream import InputRequestMessage, Session
with Session() as session:
    execution = session.execute({program!r})
    for message in execution:
        if isinstance(message, InputRequestMessage):
            execution.input(None, message)
"""


def _in_python(program: str, folder: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", program], cwd=folder, stdin=subprocess.DEVNULL, timeout=_LIMIT, check=False
    )


def _in_own_session(program: str, folder: Path) -> None:
    _in_python(_IN_SESSION.format(program=program), folder)


def _in_kernel(program: str, folder: Path) -> None:
    with kernel(cwd=folder) as stock:
        stock.run(program, limit=_LIMIT)


def _in_local(program: str, folder: Path) -> None:
    with isolated(), connect("local:foreign", cwd=str(folder)) as session:
        execution = session.execute(program, timeout=_LIMIT)
        for message in execution:
            if isinstance(message, InputRequestMessage):  # no test expects an answer from the user
                execution.input(None, message)


_PLACES: dict[str, Callable[[str, Path], None]] = {
    "a kernel": _in_kernel,
    "local:": _in_local,
    "plain Python": _in_python,
    "Session()": _in_own_session,
}


def source(library: str, folder: Path) -> Path:
    """Download and unpack a source distribution, and install what its tests need."""
    wanted = SUITES[library].version or version(library)
    arguments = ["download", "--quiet", "--no-deps", "--no-binary", library, f"{library}=={wanted}"]
    subprocess.run([sys.executable, "-m", "pip", *arguments], cwd=folder, check=True)
    if needs := SUITES[library].needs:
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--target", "needed", *needs]
        subprocess.run(install, cwd=folder, check=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def outcomes(library: str, folder: Path, where: str) -> dict[str, str]:
    """Run the suite of a library in a place; return the outcome of each test."""
    result = folder.parent / f"{library}-{where}.json"
    program = _PROGRAM.format(
        folder=str(folder),
        needed=str(folder.parent / "needed"),
        paths=shlex.split(SUITES[library].arguments),
        result=str(result),
    )
    _PLACES[where](program, folder)
    found = json.loads(result.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


@pytest.mark.kernel
@pytest.mark.parametrize("library", SUITES)
def test_a_suite_has_the_counts_of_the_reference(
    library: str, tmp_path: Path, rounds: Callable[[int, int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not rounds(0, 1):
        pytest.skip("only in the soak: it downloads the suites")
    for name in [name for name in os.environ if name.startswith("PYTEST_")]:
        monkeypatch.delenv(name)
    folder = source(library, tmp_path)
    found = {where: outcomes(library, folder, where) for where in _PLACES}
    for reference, where in (("a kernel", "local:"), ("plain Python", "Session()")):
        expected = found[reference]
        assert "passed" in expected.values(), f"{library} in {reference}: the tests were not found"
        worse = [test for test in expected if expected[test] == "passed" != found[where].get(test)]
        print(library, reference, Counter(expected.values()), where, Counter(found[where].values()))
        assert not worse, f"{where} of {library}"
