"""Windows: reading pipes with threads, the command line of the shell, and ending a tree of processes.

This module can be imported on every system; the tests run :class:`ThreadPump` on POSIX.
"""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from contextlib import suppress
from typing import Optional

from .pump import Event, Pump

CREATION_FLAGS = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
"""Flags for :class:`subprocess.Popen`: Ctrl-C in this process's console does not reach the command."""

_READ_BYTES = 64 * 1024
_MAX_QUEUED = 16  # maximum events that wait in the queue; further ones block the reading threads


def shell_command_line(text: str) -> str:
    """Return the command line that makes the shell run ``text``."""
    return f'{os.environ.get("COMSPEC", "cmd.exe")} /c "{text}"'


def kill_tree(root: int) -> None:
    """Kill a process and its descendants: Windows has no signals, and no gentler method for every program."""
    subprocess.run(["taskkill", "/T", "/F", "/PID", str(root)], capture_output=True, check=False)


class ThreadPump(Pump):
    """A pump with a thread for each descriptor, because ``select`` does not support pipes on Windows."""

    def __init__(self) -> None:
        super().__init__()
        # Events, each with True if it is the end of a descriptor; None only ends a wait.
        self._events: queue.Queue[Optional[tuple[Event, bool]]] = queue.Queue(_MAX_QUEUED)
        self._input = threading.Semaphore(0)  # released for each chunk of the feed, and at its end

    def read_from(self, descriptor: int, tag: object) -> None:
        """Implement :meth:`Pump.read_from`."""
        self.reading += 1

        def read() -> None:
            data = b"x"
            while data:
                try:
                    data = os.read(descriptor, _READ_BYTES)
                except OSError:
                    data = b""
                self._events.put((Event(tag, data), not data))
            os.close(descriptor)

        threading.Thread(target=read, name=f"read {tag}", daemon=True).start()

    def watch_exit(self, process: subprocess.Popen[bytes], tag: object) -> None:
        """Implement :meth:`Pump.watch_exit`."""

        def wait() -> None:
            process.wait()
            self._events.put((Event(tag, b""), False))

        threading.Thread(target=wait, name=f"wait for {process.pid}", daemon=True).start()

    def feed_to(self, descriptor: int) -> None:
        """Implement :meth:`Pump.feed_to`."""
        super().feed_to(descriptor)

        def write() -> None:
            while self._input.acquire() and self._feed:
                data = self._feed.popleft()
                while data and not self.feed_broken:
                    try:
                        data = data[os.write(descriptor, data) :]
                    except OSError:
                        self.feed_broken = True
            os.close(descriptor)

        threading.Thread(target=write, name="feed", daemon=True).start()

    def _continue_feed(self) -> None:
        self._input.release()

    def wait(self, timeout: Optional[float]) -> list[Event]:
        """Implement :meth:`Pump.wait`."""
        events: list[Event] = []
        with suppress(queue.Empty):
            item = self._events.get(timeout=timeout)
            while True:
                if item is not None:
                    event, is_end = item
                    events.append(event)
                    self.reading -= is_end
                item = self._events.get_nowait()
        self._run_calls()
        return events

    def _wake(self) -> None:
        with suppress(queue.Full):  # a full queue ends a wait anyway
            self._events.put_nowait(None)

    def close(self) -> None:
        """Close the feed. Each reading thread closes its descriptor at the descriptor's end."""
        self.end_feed()
