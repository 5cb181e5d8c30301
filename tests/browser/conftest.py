from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from support.browser import Console, Pages, chromium
from support.jupyter_page import JupyterServer, NotebookPage, jupyter_server
from support.kernels import kernels_folder
from support.sessions import end_all_hosts, isolated
from support.steps import Steps

LOAD = "%load_ext jupyter_ext"
OLDER = ("7.3.0", "6.30.1")
_numbers = itertools.count(1)
_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A browser for all tests of this directory. See `support.browser.chromium`."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def pages(browser: Browser, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pages]:
    """A factory of pages, as in ``pages.new(color_scheme="dark")``. They are closed after the test."""
    pages = Pages(browser)
    yield pages
    if request.node.stash[_FAILED]:
        print("pages:", *pages.pictures(tmp_path), "console:", *pages.console.errors)
    pages.close()


@pytest.fixture
def page(pages: Pages) -> Page:
    """An empty page of 1200 by 900 pixels."""
    return pages.new()


@pytest.fixture
def console(pages: Pages) -> Console:
    """The errors that the pages of the test have logged, as in ``assert not console.errors``."""
    return pages.console


@pytest.fixture(scope="package")
def sessions() -> Iterator[Path]:
    """The runtime directory of all sessions that are started here."""
    with isolated() as root:
        yield root


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory, sessions: Path) -> Iterator[JupyterServer]:
    """A Jupyter server with a kernelspec for each supported version of ipykernel."""
    older = [version for version in OLDER if (kernels_folder() / version).is_dir()]
    with jupyter_server(tmp_path_factory.mktemp("server"), ["newest", *older]) as server:
        yield server


@pytest.fixture
def notebook(
    pages: Pages, server: JupyterServer, sessions: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., NotebookPage]]:
    """A factory of open notebooks: ``notebook(cells, front_end="notebook", kernel="7.3.0")``.

    The first cell is always the one that loads the extension, and has been run. Kernels and sessions end with the test.
    """

    def open_notebook(cells: Sequence[str], front_end: str = "lab", kernel: str = "newest") -> NotebookPage:
        if kernel != "newest" and not (kernels_folder() / kernel).is_dir():
            needs = f"ipykernel {kernel} is not in {kernels_folder().name}: `make test` puts it there"
            (pytest.fail if os.environ.get("CI") else pytest.skip)(needs)
        path = server.write(f"{request.node.originalname}-{next(_numbers)}.ipynb", [LOAD, *cells], kernel)
        opened = NotebookPage(pages.new(), server, path, front_end).open()
        opened.run(0)
        assert opened.output(0).inner_text() == ""
        return opened

    yield open_notebook
    server.end_kernels()
    end_all_hosts(sessions)


@pytest.fixture
def steps(tmp_path: Path) -> Steps:
    return Steps(tmp_path)
