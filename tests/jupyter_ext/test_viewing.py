"""A view that goes on whatever its painter makes of a message."""

from __future__ import annotations

import logging

import pytest

from jupyter_ext.viewing import View
from pyrepl_stream import InputRequestMessage, Message, OutputMessage, PyreplStreamError


class Run:
    """An execution that said these texts, a batch each."""

    id = "job"

    def __init__(self, *texts: str) -> None:
        self._texts = list(texts)

    def attach(self) -> Run:
        return self

    def asks(self, request: InputRequestMessage) -> bool:
        return False

    def receive(self, timeout: float | None = None) -> list[Message] | None:
        return [OutputMessage(data=self._texts.pop(0))] if self._texts else None

    def close(self) -> None:
        """Nothing is held."""


class Painter:
    """Raises where it is told to."""

    live = True

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.failures: list[PyreplStreamError | None] = []

    def take(self, message: Message) -> None:
        assert isinstance(message, OutputMessage)
        if message.text == "bad":
            raise OverflowError("too large")
        self.taken.append(message.text)

    def due(self, now: float) -> float | None:
        return now if "bad picture" in self.taken else None

    def show(self, now: float) -> None:
        raise ValueError("no such colour")

    def ask(self, request: InputRequestMessage) -> bool:
        return True

    def note(self, text: str) -> None:
        self.taken.append(f"[{text}]")

    def wait_for(self, behind: str) -> None:
        """Nobody waits."""

    def stop(self) -> bool:
        return True

    def finish(self, failure: PyreplStreamError | None) -> None:
        self.failures.append(failure)


def test_a_message_that_cannot_be_shown_is_a_note_among_those_that_can() -> None:
    painter = Painter()
    view = View(Run("one", "bad", "two"), painter)
    view.start()
    assert view.requests.get() is None
    assert painter.taken == ["one", "[a message could not be shown: OverflowError: too large]", "two"]
    assert painter.failures == [view.failure] == [None]


def test_a_picture_that_cannot_be_drawn_is_a_failure_and_the_painter_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    painter = Painter()
    view = View(Run("one", "bad picture", "two"), painter)
    with caplog.at_level(logging.CRITICAL):
        view.start()
        assert view.requests.get() is None
    assert str(view.failure) == "the output cannot be shown: ValueError: no such colour"
    assert painter.failures == [view.failure]
