"""The worker: hears what its host wants, and has it done."""

from __future__ import annotations

import asyncio
import atexit
import base64
import contextlib
import faulthandler
import json
import os
import platform
import signal
import socket
import sys
import warnings
from collections import deque
from typing import Any, Callable, Optional

from ..engine import routing
from ..engine.loop import engine_loop
from ..engine.run import Body, Run
from ..errors import PyreplStreamError
from ..messages import CompleteMessage, ErrorMessage, InputRequestMessage, StreamType
from ..process import ProcessBody
from .channel import Channel, ChannelJournal
from .children import end_children, end_children_at_exit, mark_children, watch_starts
from .descriptors import Pipes, high_numbers, out_of_reach, without_input
from .frames import Frame, FrameType
from .interrupts import Interrupts
from .main_thread import CellBody, MainThread, Shell
from .requests import Request
from .shared import SharedState

__all__ = ("main",)

_SWITCH = 0.001  # seconds that busy code keeps the GIL: text left after 0.3 ms, after 3.5 by default
_LOOK = 0.1  # seconds between two looks whether threads of an ended execution still run
_SOON = 0.002  # seconds until it is looked again whether a command has a pid
_BROKEN = 70  # exit code: EX_SOFTWARE of sysexits.h


def main(channel: int, shared: int) -> None:
    """Be the worker at the other end of ``channel``, until its end; both descriptors become ours.

    Called by the main thread of a fresh interpreter.
    """
    without_input()
    # progressbar2 draws a bar in its place in Jupyter, which it knows by variables that only kernels have.
    os.environ.setdefault("PROGRESSBAR_IS_TERMINAL", "1")
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            stream.reconfigure(encoding="utf-8", errors="surrogateescape", write_through=True)
    with contextlib.suppress(ValueError, OSError, RuntimeError):
        faulthandler.enable(2)  # what ends the process is said where its output goes
    sys.setswitchinterval(_SWITCH)
    # The other thread that there always is: ours, and what it needs for a fork is done.
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    descriptor = out_of_reach(shared)
    state = SharedState(descriptor)
    os.close(descriptor)
    _Worker(socket.socket(fileno=out_of_reach(channel)), state).serve()


class _Worker:
    def __init__(self, connection: socket.socket, shared: SharedState) -> None:
        self._shared = shared
        with high_numbers():
            self._engine = engine_loop()
        self._engine.on_failure = _give_up
        self._interrupts = Interrupts(shared, self._engine)
        self._main = MainThread(self._interrupts)
        self._channel = Channel(connection, self._engine, shared, self._hear, self._abandon)
        self._made_shell: Optional[Shell] = None
        self._runs: dict[int, Run] = {}  # by ordinal, those that may still say something
        self._pipes: Optional[Pipes] = None  # what is 1 and 2 now

    def serve(self) -> None:
        """The main thread's part."""
        self._interrupts.install()
        routing.install()
        os.register_at_fork(after_in_child=self._channel.forget)
        os.register_at_fork(after_in_child=_by_lines)
        end_children_at_exit()
        atexit.register(self._channel.flush)  # before the engine ends, which was registered earlier
        watch_starts(self._channel.flush, self._expect)
        self._engine.loop.set_exception_handler(_on_failure)
        self._engine.call(self._begin)
        self._main.submit(self._shell)  # while the host reads READY, and the user types
        try:
            self._main.serve()
        except Exception as exc:
            _give_up(exc)

    def _shell(self) -> Shell:
        if self._made_shell is None:
            from .shell import make_shell

            self._made_shell = make_shell()
        return self._made_shell

    def _expect(self) -> None:
        """Somebody is about to write to 1 and 2. Any thread."""
        for run in list(self._runs.values()):
            run.writer.keep_order()

    # -- the engine's thread -----------------------------------------------------------------

    def _begin(self) -> None:
        self._channel.start()
        about = {
            "pid": os.getpid(),
            "python": platform.python_version(),
            "executable": sys.executable,
            "ipython": _ipython_version(),
        }
        self._say(Frame(FrameType.READY, payload=json.dumps(about).encode("ascii")))

    def _say(self, frame: Frame) -> None:
        self._channel.push(frame)
        self._channel.send()

    def _hear(self, frame: Frame, descriptors: deque[int]) -> None:
        if frame.type is FrameType.EXECUTE:
            try:
                self._execute(frame, descriptors)
            except Exception as exc:  # no descriptor is left, or the like
                self._refuse(frame.ordinal, exc)
        elif frame.type is FrameType.END:
            self._main.submit(None)
        elif frame.type is FrameType.CONTROL:
            self._control(frame.ordinal, json.loads(frame.payload))
        elif frame.ordinal in self._runs:
            run = self._runs[frame.ordinal]
            if frame.type is FrameType.STOP:
                run.stop("killed" if frame.payload == b"force" else "interrupted")
            elif frame.type is FrameType.INPUT:
                answer = json.loads(frame.payload)
                question = InputRequestMessage(extra={"request": answer["request"]})
                with contextlib.suppress(PyreplStreamError):  # the command has ended meanwhile
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
            self._body(request, frame.ordinal, pipes),
            self._engine,
            limit=None,
            overflow="block",
            journal=ChannelJournal(self._channel, request.id, frame.ordinal),
            order=pipes,
            descriptors=(None, None) if pipes is None else (1, 2),
        )
        run.writer.fallback = routing.fallback(StreamType.STDOUT).write
        self._runs[frame.ordinal] = run
        self._channel.add(run.writer)
        run.start()
        self._look(frame.ordinal, run)

    def _body(self, request: Request, ordinal: int, pipes: Optional[Pipes]) -> Body:
        if request.command is not None:
            try:
                return request.command.body()
            except (PyreplStreamError, OSError, TypeError, ValueError) as exc:
                return _Refused(exc)
        if pipes is None:
            return _Refused(ValueError("the code came without its descriptors"))
        return CellBody(request.code, ordinal, self._shell, self._main, pipes)

    def _refuse(self, ordinal: int, error: Exception) -> None:
        """What was asked for cannot begin: it has its end nevertheless."""
        self._runs.pop(ordinal, None)
        journal = ChannelJournal(self._channel, "", ordinal)
        for message in _end_of(error):
            journal.append(message)
        journal.close()

    def _look(self, ordinal: int, run: Run) -> None:
        """See whether all that an execution started here has ended: nothing more comes from it then."""
        busy = isinstance(run.body, ProcessBody) or (isinstance(run.body, CellBody) and run.body.busy)
        if run.done and not run.writer.is_bound and not busy:
            run.close()
        if run.journal.closed:
            self._runs.pop(ordinal, None)
            self._channel.remove(run.writer)
        else:
            self._engine.loop.call_later(_LOOK, self._look, ordinal, run)

    def _control(self, ordinal: int, asked: dict[str, Any]) -> None:
        run = self._runs.get(ordinal)
        try:
            if run is None or not isinstance(run.body, ProcessBody):
                raise PyreplStreamError("the command has ended" if run is None else "this is no command")
            _CONTROLS[asked["do"]](run.body, asked)
        except (PyreplStreamError, KeyError, TypeError, ValueError) as exc:
            self._reply(ordinal, {"request": asked["request"], "error": str(exc), "pid": None})
        else:
            self._reply_with_pid(ordinal, run.body, asked["request"])

    def _reply_with_pid(self, ordinal: int, body: ProcessBody, request: Any) -> None:
        if body.started:
            self._reply(ordinal, {"request": request, "error": None, "pid": body.pid})
        else:  # it is being started, for which the engine is needed
            self._engine.loop.call_later(_SOON, self._reply_with_pid, ordinal, body, request)

    def _reply(self, ordinal: int, reply: dict[str, Any]) -> None:
        self._say(Frame(FrameType.REPLY, ordinal, json.dumps(reply).encode("ascii")))

    def _abandon(self) -> None:
        """The host has gone."""
        end_children()
        os._exit(1)


class _Refused:
    """The body of an execution that cannot begin."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def start(self, run: Run) -> None:
        error, complete = _end_of(self._error)
        run.say(error)
        run.finished(complete)

    def stop(self, *, force: bool) -> float:
        return 0.0

    def ended(self) -> None:
        """There is nothing that could be stopped."""

    def given_up(self) -> str:
        return ""


def _end_of(error: Exception) -> tuple[ErrorMessage, CompleteMessage]:
    name, value = type(error).__name__, str(error)
    text = f"{name}: {value}"
    error_message = ErrorMessage(name=name, value=value, traceback=(text,))
    return error_message, CompleteMessage(status="error", error=text)


def _on_failure(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The engine's thread has failed in something. Without memory it cannot go on: the host is to know."""
    if isinstance(context.get("exception"), MemoryError):
        os.kill(os.getpid(), signal.SIGKILL)
    loop.default_exception_handler(context)


def _by_lines() -> None:
    """In a forked child: each line is one write to a pipe that several may have, so that none is cut."""
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            with contextlib.suppress(ValueError, OSError):  # user code has closed it
                stream.reconfigure(write_through=False, line_buffering=True)


def _give_up(exc: BaseException) -> None:
    """One of the two threads cannot go on, so nothing can: the host says so when the process has ended."""
    text = f"pyrepl_stream: the worker cannot go on: {type(exc).__name__}: {exc}\n"
    with contextlib.suppress(OSError):
        os.write(2, text.encode("utf-8", "replace"))
    os._exit(_BROKEN)


def _write(body: ProcessBody, asked: dict[str, Any]) -> None:
    data = base64.b64decode(asked["base64"])
    body.tell(lambda child: child.write(data))


def _close_stdin(body: ProcessBody, asked: dict[str, Any]) -> None:
    body.tell(lambda child: child.close_stdin())


def _signal(body: ProcessBody, asked: dict[str, Any]) -> None:
    number = int(asked["number"])
    body.tell(lambda child: child.send_signal(number))


def _resize(body: ProcessBody, asked: dict[str, Any]) -> None:
    size = int(asked["rows"]), int(asked["columns"])
    body.tell(lambda child: child.resize(size))


_CONTROLS: dict[str, Callable[[ProcessBody, dict[str, Any]], None]] = {
    "write": _write,
    "close_stdin": _close_stdin,
    "signal": _signal,
    "resize": _resize,
}


def _ipython_version() -> Optional[str]:
    from importlib import metadata, util

    try:
        return metadata.version("ipython") if util.find_spec("IPython") is not None else None
    except (metadata.PackageNotFoundError, ValueError):
        return None
