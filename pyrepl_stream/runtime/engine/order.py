"""Keeps the text of a writer in order with the data written to file descriptors 1 and 2."""

from __future__ import annotations

from typing import Protocol

__all__ = ("DescriptorOrder", "OrderedOutput")

_FLUSHES = 64  # flushes that may wait between two pauses; later flushes do not wait


class DescriptorOrder(Protocol):
    """Keeps text in order with data written to the file descriptors. May be used from any thread."""

    def unread(self) -> bool:
        """Return True when the descriptors hold data that has not been read."""

    def wait(self) -> bool:
        """Wait, for a limited time, until the data held by the descriptors is read.

        Returns:
            False if they hold no data.
        """

    def entered(self) -> None:
        """Record that text was written: data written to the descriptors from now on comes after it."""

    def flush(self) -> bool:
        """Wait, for a limited time, until the text has left this process. Return False if it has not."""


class OrderedOutput:
    """Keeps the output of one execution in order, and limits the flushes that wait between two pauses."""

    def __init__(self, descriptors: DescriptorOrder) -> None:
        self.strict = False  # other code writes to the descriptors: no write may bypass the checks
        self.unread = descriptors.unread
        self.wait = descriptors.wait
        self.entered = descriptors.entered
        self._send = descriptors.flush
        self._lines = 0
        self._flushes = 0

    def flush_line(self) -> None:
        """Flush before user code continues, so that a crash cannot lose the line; skip this in a burst."""
        if self._lines < _FLUSHES:
            self._lines += 1
            if not self._send():
                self._lines = _FLUSHES  # the host is slow: do not wait for it after each line

    def flush(self) -> None:
        """Flush because user code called ``flush()``; skip this in a burst of calls.

        This affects only text: code that starts or ends a process flushes the descriptors itself.
        """
        if self._flushes < _FLUSHES:
            self._flushes += 1
            if not self._send():
                self._flushes = _FLUSHES

    def pause(self) -> None:
        """Let flushes wait again after a time without writes."""
        self._lines = self._flushes = 0
