from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.kernels import Kernel, kernel, kernels_folder
from support.sessions import isolated


def _put_aside(version: str) -> str:
    if not (kernels_folder() / version).is_dir():
        text = f"ipykernel {version} is not in {kernels_folder().name}: `make test` puts it there"
        if os.environ.get("CI"):
            pytest.fail(text)
        pytest.skip(text)
    return version


@pytest.fixture(autouse=True)
def sessions() -> Iterator[Path]:
    """What a test starts finds sessions of its own below this directory, which end with the test."""
    with isolated() as root:
        yield root


@pytest.fixture(scope="session", params=["newest", "7.3.0", "6.30.1"])
def any_kernel(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kernel]:
    """One kernel of each supported generation, with the extension loaded."""
    version = None if request.param == "newest" else _put_aside(request.param)
    with isolated(), kernel(version, cwd=tmp_path_factory.mktemp("kernel")) as running:
        assert running.run("%load_ext jupyter_ext").ok
        yield running


@pytest.fixture
def fresh_kernel(tmp_path: Path) -> Iterator[Kernel]:
    """A kernel of the newest ipykernel, with nothing loaded."""
    with kernel(cwd=tmp_path) as running:
        yield running
