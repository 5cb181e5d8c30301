"""No change to valid traffic causes an exception that a decoder does not document."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest
from faults import fuzz


def test_random_changes_have_no_violation(rounds: Callable[[int, int], int]) -> None:
    count = rounds(400, 50_000)
    done, found = fuzz.fuzz(float("inf"), random.SystemRandom().randrange(1 << 32), inputs=count)
    assert found == []
    assert done.total() == count
    assert set(done) == set(fuzz.TARGETS)


@pytest.mark.parametrize("name", fuzz.TARGETS)
@pytest.mark.parametrize("messages", [fuzz.MESSAGES, fuzz.LONG], ids=["short", "long"])
def test_the_traffic_itself_is_valid(name: str, messages: tuple[fuzz.Message, ...]) -> None:
    record, decode = fuzz.TARGETS[name]
    decode(iter([record(messages)]))


def test_a_decoder_with_a_bug_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(pieces: Iterator[bytes]) -> None:
        b"".join(pieces).decode("ascii")  # raises UnicodeDecodeError

    monkeypatch.setattr(fuzz, "TARGETS", {"ascii": (lambda messages: b"text", decode)})
    assert fuzz.fuzz(float("inf"), seed=1, inputs=200)[1]
