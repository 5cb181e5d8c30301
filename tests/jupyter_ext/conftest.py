from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.kernels import Kernel, kernel, kernels_folder
from support.sessions import isolated


def _installed(version: str) -> str:
    if not (kernels_folder() / version).is_dir():
        text = f"ipykernel {version} is not in {kernels_folder().name}: `make test` installs it there"
        if os.environ.get("CI"):
            pytest.fail(text)
        pytest.skip(text)
    return version


@pytest.fixture(autouse=True)
def sessions() -> Iterator[Path]:
    """Give each test sessions of its own below a directory, and end them with the test."""
    with isolated() as root:
        yield root


@pytest.fixture(scope="session", params=["newest", "7.3.0", "6.30.1"])
def any_kernel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """Provide a kernel of each supported generation, with the extension loaded."""
    version = None if request.param == "newest" else _installed(request.param)
    with isolated(), kernel(version, cwd=tmp_path_factory.mktemp("kernel")) as running:
        assert running.run("%load_ext jupyter_ext").ok
        yield running


@pytest.fixture
def fresh_kernel(tmp_path: Path) -> Iterator[Kernel]:
    """Provide a kernel of the newest ipykernel, without the extension."""
    with kernel(cwd=tmp_path) as running:
        yield running
