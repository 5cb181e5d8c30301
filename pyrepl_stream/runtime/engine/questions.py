"""The questions of an execution, and its threads that wait."""

from __future__ import annotations

import contextlib
import threading
from itertools import count
from typing import Callable, Optional

from ..messages import InputRequestMessage, Message

__all__ = ("Questions",)

_number = count(1).__next__  # of a question


class Questions:
    """Asks the reader for input, and lets threads of the code wait for answers.

    Args:
        emit: Emits a message in order with the output. May be called from any thread.
        on_resumed: Called in a thread of the code when it no longer waits.
    """

    def __init__(self, emit: Callable[[Message], None], on_resumed: Callable[[], object]) -> None:
        self._emit = emit
        self._on_resumed = on_resumed
        self._answered: dict[str, Callable[[Optional[str]], object]] = {}  # by the number of the question
        # One for each thread that waits. An interrupt cannot leave a plain lock in an invalid state.
        self.waiting: list[threading.Lock] = []
        self.closed = False
        """True once the session is closed: no thread waits any more."""

    def ask(
        self,
        prompt: str,
        *,
        password: bool,
        answered: Callable[[Optional[str]], object],
        printed: bool = False,
    ) -> None:
        """Ask the reader for a line of input.

        Args:
            prompt: The prompt to show.
            password: Do not echo the line.
            answered: Called with the line, or with None at the end of the input, in the thread that answers.
            printed: The prompt is in the output already.
        """
        key = str(_number())
        self._answered[key] = answered
        extra = {"request": key, "printed": printed}
        self._emit(InputRequestMessage(prompt=prompt, password=password, extra=extra))

    def answer(self, request: InputRequestMessage, text: Optional[str]) -> bool:
        """Answer a question.

        Args:
            request: The question.
            text: The line, or None for the end of the input.

        Returns:
            False if the question has already been answered.
        """
        key = str(request.extra["request"])
        answered = self._answered.get(key)
        if answered is None:
            return False
        answered(text)  # if it raises, the question stays open
        self._answered.pop(key, None)
        return True

    def is_open(self, request: InputRequestMessage) -> bool:
        """Return True if the question has not been answered."""
        return str(request.extra.get("request")) in self._answered

    def read(self, prompt: str, *, password: bool) -> str:
        """Ask the reader for a line of input, and wait for it.

        Args:
            prompt: The prompt to show.
            password: Do not echo the line.

        Raises:
            EOFError: The input has ended, or the session was closed.
        """
        answers: list[Optional[str]] = []
        news = threading.Lock()  # released when there may be an answer

        def answered(text: Optional[str]) -> None:
            answers.append(text)
            _release(news)

        news.acquire()
        self.ask(prompt, password=password, answered=answered)
        self.wait(lambda: bool(answers), news)
        if answers[-1] is None:
            raise EOFError("end of input")
        return answers[-1]

    def wait(self, is_over: Callable[[], bool], news: threading.Lock) -> None:
        """Wait in a thread of the code until ``is_over``. ``news`` is released whenever that may be.

        Raises:
            EOFError: The session was closed.
        """
        self.waiting.append(news)
        try:
            while not is_over():
                if self.closed:
                    raise EOFError("the session was closed while the code waited")
                news.acquire()
        finally:
            self.waiting.remove(news)
            self._on_resumed()

    def wake(self) -> None:
        """Wake the threads that wait, after an interrupt."""
        for news in list(self.waiting):
            _release(news)

    def close(self) -> None:
        """End all waits, because the session is being closed."""
        self.closed = True
        self.wake()


def _release(lock: threading.Lock) -> None:
    with contextlib.suppress(RuntimeError):  # it has already been released
        lock.release()
