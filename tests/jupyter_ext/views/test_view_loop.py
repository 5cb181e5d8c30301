"""The loop that feeds a renderer, and errors of the renderer."""

from __future__ import annotations

import logging

import pytest

from jupyter_ext.views.view_loop import Renderer, ViewLoop
from pyrepl_stream import InputRequestMessage, Message, OutputMessage, PyreplStreamError


class Run:
    """An execution with these texts as its output, a batch each."""

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
        """Hold nothing."""


class Recorder(Renderer):
    """Records the messages, and raises for the text ``bad`` and after the text ``bad picture``."""

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

    def note(self, text: str) -> None:
        self.taken.append(f"[{text}]")

    def finish(self, failure: PyreplStreamError | None) -> None:
        self.failures.append(failure)


def test_a_message_that_cannot_be_shown_becomes_a_note() -> None:
    renderer = Recorder()
    view = ViewLoop(Run("one", "bad", "two"), renderer)
    view.start()
    assert view.requests.get() is None
    assert renderer.taken == ["one", "[a message could not be shown: OverflowError: too large]", "two"]
    assert renderer.failures == [view.failure] == [None]


def test_a_renderer_that_cannot_show_ends_the_view_with_a_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    renderer = Recorder()
    view = ViewLoop(Run("one", "bad picture", "two"), renderer)
    with caplog.at_level(logging.CRITICAL):
        view.start()
        assert view.requests.get() is None
    assert str(view.failure) == "the output cannot be shown: ValueError: no such colour"
    assert renderer.failures == [view.failure]
