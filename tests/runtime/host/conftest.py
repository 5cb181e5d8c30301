"""Fixtures: a host for each test, and clients of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from support.host import Client, RunningHost, running_hosts


@pytest.fixture
def make() -> Iterator[Callable[..., RunningHost]]:
    with running_hosts() as make:
        yield make


@pytest.fixture
def host(make: Callable[..., RunningHost]) -> RunningHost:
    return make()


@pytest.fixture
def client(host: RunningHost) -> Client:
    return host.client()
