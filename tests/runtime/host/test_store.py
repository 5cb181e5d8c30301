"""The executions of a session, and the records of earlier hosts."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from support.records import make_records, records_read
from support.sessions import isolated

from pyrepl_stream.runtime.errors import UnknownExecutionError
from pyrepl_stream.runtime.host.paths import HostOptions, SessionPaths
from pyrepl_stream.runtime.host.store import Store
from pyrepl_stream.runtime.journal.spool.repair import remove_spool

OPEN_STORE = """
from pyrepl_stream.runtime.host.paths import HostOptions, SessionPaths
from pyrepl_stream.runtime.host.store import Store
store = Store(SessionPaths("a"), HostOptions("a"))
store.settle_all()
print(len(store))
"""
DAY = 86400.0


@pytest.fixture(autouse=True)
def paths() -> Iterator[SessionPaths]:
    with isolated():
        yield SessionPaths("a")


def test_a_store_reads_only_records_that_are_not_closed(paths: SessionPaths) -> None:
    ids = make_records("a", 5)
    os.rename(f"{paths.execution(ids[3])}/closed", f"{paths.execution(ids[3])}/open")
    read, printed = records_read(OPEN_STORE)
    assert printed == "5\n"
    assert read == [ids[3]]


def test_a_record_is_read_when_its_status_is_needed(paths: SessionPaths) -> None:
    ids = make_records("a", 3)
    read, printed = records_read(f"{OPEN_STORE}print(store.get({ids[1]!r}).status.status)")
    assert printed == "3\nok\n"
    assert read == [ids[1]]
    assert [found.id for found in Store(paths, HostOptions("a"))] == ids


def test_a_record_that_is_removed_before_it_is_read_is_unknown(paths: SessionPaths) -> None:
    ids = make_records("a", 2)
    store = Store(paths, HostOptions("a"))
    remove_spool(paths.execution(ids[0]))
    with pytest.raises(UnknownExecutionError, match="has no execution"):
        store.get(ids[0])
    remove_spool(paths.execution(ids[1]))
    assert list(store) == []
    assert len(store) == 0


def age(paths: SessionPaths, execution_id: str, seconds: float) -> None:
    changed = time.time() - seconds
    os.utime(paths.execution(execution_id), (changed, changed))


def test_records_that_stay_too_old_for_two_passes_are_removed(paths: SessionPaths) -> None:
    old, new = make_records("a", 2)
    age(paths, old, 20 * DAY)
    store = Store(paths, HostOptions("a"))
    store.forget_old()
    assert len(store) == 2
    store.forget_old()
    assert [found.id for found in store] == [new]
    assert not os.path.exists(paths.execution(old))


def test_a_clock_that_jumps_and_is_set_right_removes_nothing(paths: SessionPaths) -> None:
    (only,) = make_records("a", 1)
    store = Store(paths, HostOptions("a"))
    for seconds in (20 * DAY, 0.0) * 3:  # its age as the clock has it at each pass
        age(paths, only, seconds)
        store.forget_old()
    assert only in store
