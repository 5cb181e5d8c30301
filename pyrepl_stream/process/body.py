"""Runs a command for an execution, its output read from pipes.

Output is raw bytes to the journal's writer, in the order in which it was read. When the reader of the
execution lags and its policy is ``block``, the pipe is not read, so the command waits.
"""

from __future__ import annotations

import atexit
import contextvars
import os
import selectors
import signal
import subprocess
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from typing import Optional, Union

from ..engine.formats import describe, error_message
from ..engine.run import Run
from ..messages import CompleteMessage, ErrorMessage, LogMessage, StreamType

__all__ = ("ProcessBody",)

_READ = 64 * 1024
_TERMINATE_AFTER = 0.3  # seconds from an interrupt to SIGTERM, and again to SIGKILL
_LINGER = 0.2  # seconds of quiet after the command's end that mean that nothing more comes
_LINGER_AT_MOST = 2.0  # seconds after the command's end that its background children are waited for


class ProcessBody:
    """A command: a list is executed, a string goes through the shell. POSIX.

    It gets a process group of its own; an interrupt goes to the whole group, and what ignores it gets
    SIGTERM and then SIGKILL.
    """

    def __init__(
        self,
        command: Union[str, Sequence[str]],
        *,
        cwd: Optional[str] = None,
        env: Optional[Mapping[str, str]] = None,
    ) -> None:
        self._command = command
        self._cwd = cwd
        self._env = {**os.environ, **env} if env is not None else None
        self._run: Optional[Run] = None
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._stopped: Optional[float] = None  # when the end was asked for
        self._forced = False
        self._ended = False

    # -- the engine's thread -----------------------------------------------------------------

    def start(self, run: Run) -> None:
        self._run = run
        thread = threading.Thread(target=self._main, name=f"command {run.id}", daemon=True)
        contextvars.Context().run(thread.start)

    def stop(self, *, force: bool) -> None:
        self._stopped = self._stopped or time.monotonic()
        if self._ended:
            return
        if force:
            self._forced = True
            self._signal(signal.SIGKILL)
            return
        self._signal(signal.SIGINT)
        assert self._run is not None
        loop = self._run.engine.loop
        loop.call_later(_TERMINATE_AFTER, self._signal, signal.SIGTERM)
        loop.call_later(2 * _TERMINATE_AFTER, self._signal, signal.SIGKILL)

    def ended(self) -> None:
        self._ended = True

    def given_up(self) -> None:
        """Nothing more can be done than was done."""

    def _signal(self, number: int) -> bool:
        """Signal the whole group, also when its leader has gone; False when nobody is left."""
        if self._process is None:
            return False
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    # -- the thread that reads ---------------------------------------------------------------

    def _main(self) -> None:
        run = self._run
        assert run is not None
        try:
            self._execute(run)
        except OSError as exc:
            name, value = describe(exc)
            run.say(ErrorMessage(name=name, value=value, traceback=(f"{name}: {value}",)))
            run.finished(CompleteMessage(status="error", exit_code=127, error=f"{name}: {value}"))
        except Exception as exc:  # a bug of ours must not leave the execution without an end
            run.say(error_message(exc))
            run.finished(CompleteMessage(status="error", error=": ".join(describe(exc))))

    def _execute(self, run: Run) -> None:
        shell = isinstance(self._command, str)
        self._process = process = subprocess.Popen(
            self._command,
            shell=shell,
            executable=_shell() if shell else None,
            cwd=self._cwd,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        _alive.add(self)
        if self._stopped is not None:  # before there was a process to signal
            self._signal(signal.SIGKILL)
        assert process.stdout is not None and process.stderr is not None
        pipes = {process.stdout: StreamType.STDOUT, process.stderr: StreamType.STDERR}
        with process.stdout, process.stderr, selectors.DefaultSelector() as selector:
            for pipe, stream in pipes.items():
                selector.register(pipe, selectors.EVENT_READ, stream)
            if self._read(run, selector, _exit_of(process)):
                text = "background processes of the command go on, and what they print comes later"
                run.say(LogMessage(level="INFO", logger="pyrepl_stream", text=text))
            run.finished(self._end(process))
            _alive.discard(self)  # what the command left in the background was left on purpose
            while selector.get_map():  # what background processes print keeps its execution
                self._read_ready(run, selector, None)

    def _read(self, run: Run, selector: selectors.BaseSelector, exited: int) -> bool:
        """Read until both pipes end, or after the command's end until they are quiet.

        True when somebody still holds them. The time after the end is bounded too: a child in the
        background that prints all the time does not make the command look alive.
        """
        selector.register(exited, selectors.EVENT_READ)
        try:
            while len(selector.get_map()) > 1:
                if self._read_ready(run, selector, None, exited):
                    break
        finally:
            selector.unregister(exited)
            os.close(exited)
        deadline = time.monotonic() + _LINGER_AT_MOST
        while selector.get_map() and time.monotonic() < deadline:
            waited = time.monotonic()
            if not selector.select(_LINGER):
                break
            self._read_ready(run, selector, None)
            deadline += max(0.0, time.monotonic() - waited - _LINGER)  # a reader that made us wait
        return bool(selector.get_map())

    def _read_ready(
        self, run: Run, selector: selectors.BaseSelector, timeout: Optional[float], exited: int = -1
    ) -> bool:
        """Read once from each pipe that has something; whether the command has ended."""
        end = False
        for key, _ in selector.select(timeout):
            if key.fd == exited:
                end = True
                continue
            data = os.read(key.fd, _READ)
            if data:
                run.writer.post(key.data, data)
            else:
                selector.unregister(key.fileobj)
        return end

    def _end(self, process: subprocess.Popen[bytes]) -> CompleteMessage:
        code = process.wait()
        if self._stopped is not None:
            # The rest of the group was told to end too. (It may stay as zombies that nobody reaps.)
            deadline = self._stopped + (0.0 if self._forced else 2 * _TERMINATE_AFTER) + 0.05
            while self._signal(0) and time.monotonic() < deadline:
                time.sleep(0.005)
            return CompleteMessage(
                status="interrupted", exit_code=code if code >= 0 else 128 - code, error="interrupted"
            )
        if code == 0:
            return CompleteMessage(success=True, exit_code=0)
        if code < 0:
            error = f"the command was ended by {signal.Signals(-code).name}"
            return CompleteMessage(status="error", exit_code=128 - code, error=error)
        return CompleteMessage(status="error", exit_code=code, error=f"the command exited with {code}")


_alive: weakref.WeakSet[ProcessBody] = weakref.WeakSet()


def _end_all() -> None:
    """The process ends, and nobody is left to stop or read what it started."""
    for body in list(_alive):
        body._signal(signal.SIGKILL)


atexit.register(_end_all)


def _exit_of(process: subprocess.Popen[bytes]) -> int:
    """A descriptor that becomes readable when the process has ended."""
    read, write = os.pipe()

    def wait() -> None:
        process.wait()
        os.close(write)

    threading.Thread(target=wait, name=f"wait for {process.pid}", daemon=True).start()
    return read


def _shell() -> str:
    """The user's shell is for typing; cells are written for bash, or else for sh."""
    return "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh"
