"""Fixtures: a worker for all tests of a file, and workers that a test may break."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.worker import Worker


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """A worker without IPython, for all tests of a file."""
    with Worker(*_plain()) as worker:
        yield worker


@pytest.fixture
def own_worker() -> Iterator[Worker]:
    """A worker without IPython, for one test."""
    with Worker(*_plain()) as worker:
        yield worker


@pytest.fixture
def worker_of() -> Iterator[Callable[..., Worker]]:
    """Start workers under an interpreter, with options; they are ended after the test."""
    workers: list[Worker] = []

    def start(*args: Any, **options: Any) -> Worker:
        workers.append(Worker(*args, **options))
        return workers[-1].__enter__()

    yield start
    for worker in workers:
        worker.end()


def _plain() -> tuple[str, ...]:
    import sys

    return sys.executable, "-S"
