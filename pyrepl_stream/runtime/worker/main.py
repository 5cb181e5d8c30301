"""The worker: receives frames from its host and runs executions."""

from __future__ import annotations

import asyncio
import atexit
import base64
import contextlib
import faulthandler
import json
import linecache
import os
import platform
import signal
import socket
import sys
import warnings
from collections import deque
from typing import Any, Optional

from ..engine import routing
from ..engine.formats import brief_error
from ..engine.loop import engine_loop
from ..engine.python import end_of
from ..engine.run import Run, Runner
from ..engine.standard_streams import fallback
from ..errors import PyreplStreamError
from ..messages import InputRequestMessage, StreamType
from ..process import ProcessRunner
from ..protocol.frames import Frame, FrameType
from ..protocol.requests import Request
from ..protocol.shared_state import SharedState
from .channel import Channel, ChannelSink
from .children import end_children, mark_children, watch_starts
from .descriptors import Pipes, high_numbers, out_of_reach, without_input
from .interrupts import Interrupts
from .main_thread import CellRunner, MainThread, Shell
from .variables import environment_of_commands

__all__ = ("main",)

_SWITCH = 0.001  # seconds that busy code keeps the GIL: text is sent after 0.3 ms, not 3.5 ms as by default
_CHECK = 0.1  # seconds after which an execution that seems to be over is closed
_SOON = 0.002  # seconds between two checks for the pid of a command
_BROKEN = 70  # exit code: EX_SOFTWARE of sysexits.h


def main(channel: int, shared: int, path: Optional[list[str]] = None) -> None:
    """Run the worker until its host ends it. Called by the main thread of a fresh interpreter.

    Args:
        channel: The file descriptor of the socket that is connected to the host. This function closes it.
        shared: The file descriptor of the memory that is shared with the host. This function closes it.
        path: The ``sys.path`` of user code; None to keep the current one. The current one, which does not
            contain the working directory, is used until the shell has been imported.
    """
    without_input()
    # progressbar2 redraws a bar in place in Jupyter, which it detects by variables that only kernels set.
    os.environ.setdefault("PROGRESSBAR_IS_TERMINAL", "1")
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            stream.reconfigure(encoding="utf-8", errors="surrogateescape", write_through=True)
    with contextlib.suppress(ValueError, OSError, RuntimeError):
        faulthandler.enable(2)  # report a crash in the output of the execution
    # The program of `-c`, from CPython 3.13 on; code that is run by `exec` has the same file name.
    linecache.cache.pop("<string>", None)
    sys.setswitchinterval(_SWITCH)
    # The engine's thread always runs, and is prepared for a fork.
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    descriptor = out_of_reach(shared)
    state = SharedState(descriptor)
    os.close(descriptor)
    _Worker(socket.socket(fileno=out_of_reach(channel)), state, path).serve()


class _Worker:
    def __init__(self, connection: socket.socket, shared: SharedState, path: Optional[list[str]]) -> None:
        self._shared = shared
        self._path = path
        self._ipython = _ipython_version()
        with high_numbers():
            self._engine = engine_loop()
        self._engine.on_failure = _give_up
        self._main = MainThread(Interrupts(shared, self._engine))
        self._channel = Channel(connection, self._engine, shared, self._on_frame, self._on_host_lost)
        self._made_shell: Optional[Shell] = None
        self._runs: dict[int, Run] = {}  # by ordinal; only runs that may still write
        self._pipes: Optional[Pipes] = None  # the pipes that are file descriptors 1 and 2

    def serve(self) -> None:
        """Run user code in this thread, the main thread, until the host sends END."""
        self._main.interrupts.install()
        routing.install()
        os.register_at_fork(after_in_child=self._channel.connection.close)  # only the parent uses it
        os.register_at_fork(after_in_child=_buffer_lines)
        atexit.register(end_children)  # runs after the handlers that are registered later
        atexit.register(self._channel.flush)  # runs before the handler that ends the engine
        watch_starts(self._channel.flush, self._on_foreign_write)
        self._engine.loop.set_exception_handler(_on_engine_error)
        self._engine.call(self._start)
        self._main.submit(self._shell)  # make it while the host reads READY, and the user types
        try:
            self._main.serve()
        except Exception as exc:
            _give_up(exc)

    def _shell(self) -> Shell:
        if self._made_shell is None:
            from .shell import make_shell

            self._made_shell = make_shell(self._path)
        return self._made_shell

    def _on_foreign_write(self) -> None:
        """Keep text in order with what other code is about to write to descriptors 1 and 2.

        May be called from any thread.
        """
        for writer in list(self._channel.writers):
            writer.keep_order()

    # -- the engine's thread -----------------------------------------------------------------

    def _start(self) -> None:
        self._channel.start()
        report = {
            "pid": os.getpid(),
            "python": platform.python_version(),
            "executable": sys.executable,
            "ipython": self._ipython,
        }
        self._send(Frame(FrameType.READY, payload=json.dumps(report).encode("ascii")))

    def _send(self, frame: Frame) -> None:
        self._channel.push(frame)
        self._channel.send()

    def _on_frame(self, frame: Frame, descriptors: deque[int]) -> None:
        if frame.type is FrameType.EXECUTE:
            try:
                self._execute(frame, descriptors)
            except Exception as exc:  # a command's fields are invalid, or no file descriptor is left
                self._on_start_error(frame.ordinal, exc)
        elif frame.type is FrameType.END:
            self._main.submit(None)
        elif frame.type is FrameType.CONTROL:
            self._control(frame.ordinal, json.loads(frame.payload))
        elif frame.ordinal in self._runs:
            run = self._runs[frame.ordinal]
            if frame.type is FrameType.STOP and isinstance(run.runner, CellRunner):
                self._main.interrupts.repeat(frame.ordinal)
            elif frame.type is FrameType.STOP:
                run.stop("killed" if frame.payload == b"force" else "interrupted")
            elif frame.type is FrameType.INPUT:
                answer = json.loads(frame.payload)
                question = InputRequestMessage(extra={"request": answer["request"]})
                with contextlib.suppress(PyreplStreamError):  # the command has already ended
                    run.answer(question, answer["text"])

    def _execute(self, frame: Frame, descriptors: deque[int]) -> None:
        request = Request.from_json(json.loads(frame.payload))
        mark_children(frame.ordinal)
        pipes: Optional[Pipes] = None
        if descriptors:
            ends = descriptors.popleft(), descriptors.popleft()
            pipes = Pipes(ends, self._shared, self._engine.ident, self._channel.flush)
            if self._pipes is not None:
                self._pipes.close()
            self._pipes = pipes
        run = Run(
            request.id,
            request.code,
            self._runner(request, frame.ordinal, pipes),
            self._engine,
            sink=ChannelSink(self._channel, frame.ordinal, lambda: self._forget(frame.ordinal)),
            order=pipes,
            descriptors=(None, None) if pipes is None else (1, 2),
        )
        run.writer.fallback = fallback(StreamType.STDOUT).write
        self._runs[frame.ordinal] = run
        self._channel.writers.append(run.writer)
        if isinstance(run.runner, CellRunner):

            def check() -> None:
                if run.done:
                    self._engine.call(self._check_later, run)

            run.writer.binding.on_unbound = run.runner.on_left = check
            run.when_done(check)
        run.start()

    def _runner(self, request: Request, ordinal: int, pipes: Optional[Pipes]) -> Runner:
        if request.command is not None:
            command, limits = request.command.load()
            return ProcessRunner(command, limits=limits, environment=environment_of_commands())
        if pipes is None:
            raise ValueError("the code arrived without its file descriptors")
        return CellRunner(request.code, ordinal, self._shell, self._main, pipes)

    def _on_start_error(self, ordinal: int, error: Exception) -> None:
        """Complete an execution that could not be started."""
        self._runs.pop(ordinal, None)
        sink = ChannelSink(self._channel, ordinal)
        sink.append(brief_error(error))
        sink.append(end_of(error))
        sink.close()

    def _check_later(self, run: Run) -> None:
        """Close an execution of Python code if, after a while, nothing that it started here still runs."""
        # A thread that is being started is not bound at once.
        self._engine.loop.call_later(_CHECK, self._check, run)

    def _check(self, run: Run) -> None:
        assert isinstance(run.runner, CellRunner)
        if not (run.questions.closed or run.writer.binding.count or run.runner.busy):
            run.close()

    def _forget(self, ordinal: int) -> None:
        run = self._runs.pop(ordinal, None)
        if run is not None:
            self._channel.writers.remove(run.writer)

    def _control(self, ordinal: int, request: dict[str, Any]) -> None:
        run = self._runs.get(ordinal)
        try:
            if run is None or not isinstance(run.runner, ProcessRunner):
                raise PyreplStreamError(
                    "the command has ended" if run is None else "the execution is not a command"
                )
            _control_command(run.runner, request)
        except (PyreplStreamError, KeyError, TypeError, ValueError) as exc:
            self._reply(ordinal, {"request": request["request"], "error": str(exc), "pid": None})
        else:
            self._reply_with_pid(ordinal, run.runner, request["request"])

    def _reply_with_pid(self, ordinal: int, runner: ProcessRunner, number: Any) -> None:
        if runner.started:
            self._reply(ordinal, {"request": number, "error": None, "pid": runner.pid})
        else:  # it is being started, which needs the engine's thread
            self._engine.loop.call_later(_SOON, self._reply_with_pid, ordinal, runner, number)

    def _reply(self, ordinal: int, reply: dict[str, Any]) -> None:
        self._send(Frame(FrameType.REPLY, ordinal, json.dumps(reply).encode("ascii")))

    def _on_host_lost(self) -> None:
        """End this process and everything that it started, because the host has ended."""
        end_children()
        os._exit(1)


def _on_engine_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Handle an exception in the engine's thread. If memory has run out, end the process."""
    if isinstance(context.get("exception"), MemoryError):
        os.kill(os.getpid(), signal.SIGKILL)
    loop.default_exception_handler(context)


def _buffer_lines() -> None:
    """In a forked child, write whole lines: several processes may write to the same pipe."""
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            with contextlib.suppress(ValueError, OSError):  # user code has closed the stream
                stream.reconfigure(write_through=False, line_buffering=True)


def _give_up(exc: BaseException) -> None:
    """End the process, because one of its two threads cannot continue."""
    text = f"pyrepl_stream: the worker cannot continue: {type(exc).__name__}: {exc}\n"
    with contextlib.suppress(OSError):
        os.write(2, text.encode("utf-8", "replace"))
    os._exit(_BROKEN)


def _control_command(runner: ProcessRunner, request: dict[str, Any]) -> None:
    """Do what a CONTROL frame requests. Raises KeyError, TypeError or ValueError for an invalid request."""
    do = request["do"]
    if do == "write":
        data = base64.b64decode(request["base64"])
        runner.control(lambda child: child.write(data))
    elif do == "close_stdin":
        runner.control(lambda child: child.close_stdin())
    elif do == "signal":
        number = int(request["number"])
        runner.control(lambda child: child.send_signal(number))
    elif do == "resize":
        size = int(request["rows"]), int(request["columns"])
        runner.control(lambda child: child.resize(size))
    else:
        raise KeyError(do)


def _ipython_version() -> Optional[str]:
    from importlib import metadata, util

    try:
        return metadata.version("ipython") if util.find_spec("IPython") is not None else None
    except (metadata.PackageNotFoundError, ValueError):
        return None
