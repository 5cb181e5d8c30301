"""What runs the code of cells: IPython where the interpreter has it, plain Python where it has not."""

from __future__ import annotations

import sys
import threading
import time
import warnings
from types import ModuleType
from typing import Callable, Optional, cast

from ..engine.interpreter import Interpreter, leave
from ..engine.python import say_result
from ..engine.run import Run
from ..messages import CompleteMessage, Message
from ..process import Command, ProcessBody
from ..process.ending import DEFAULT_GRACE
from .main_thread import Await, CellBody, Shell

__all__ = ("PlainShell", "make_shell", "run_command")


def make_shell() -> Shell:
    """To be called once, in the main thread."""
    try:
        from .ipython_shell import IPythonShell

        return IPythonShell()
    except ImportError:
        return PlainShell()
    except Exception as exc:  # an IPython that is broken, or newer than we know
        warnings.warn(f"IPython cannot be used: {type(exc).__name__}: {exc}", RuntimeWarning, stacklevel=1)
        return PlainShell()


class PlainShell:
    """Runs code by ``compile`` and ``exec``, in a module that is ``__main__``."""

    def __init__(self) -> None:
        module = ModuleType("__main__")
        self._before = sys.modules.get("__main__")  # kept: what it holds is in use
        sys.modules["__main__"] = module  # where `pickle` looks for what cells define
        self._namespace = module.__dict__
        self._namespace.update(exit=leave, quit=leave)
        self._interpreter = Interpreter(self._namespace)

    def run(self, run: Run, code: str, wait: Await) -> CompleteMessage:
        program = self._interpreter.compile(code, f"<cell {run.id}>")
        if program.is_async:
            value = wait(self._interpreter.run_async(program))
        else:
            value = self._interpreter.run(program)
        if value is not None:
            self._namespace["_"] = value
            say_result(run, value)
        return CompleteMessage(success=True)


def run_command(run: Run, command: Command) -> Optional[int]:
    """Run a command as a part of an execution, in order with what else that says; its exit code.

    For the main thread. Raises KeyboardInterrupt when that comes, after the command has ended.
    """
    body = ProcessBody(command)
    part = _Part(run, cast(CellBody, run.body))
    body.start(cast(Run, part))
    stop_at: Optional[float] = None  # an interrupt came: who sent it has sent it to the command too
    while part.complete is None:
        try:
            part.over.wait(None if stop_at is None else max(0.0, stop_at - time.monotonic()))
            if stop_at is not None and part.complete is None:
                stop_at = time.monotonic() + body.stop(force=False)
        except KeyboardInterrupt:
            if stop_at is not None:
                body.stop(force=True)
            stop_at = stop_at or time.monotonic() + DEFAULT_GRACE[0]
    if stop_at is not None:
        raise KeyboardInterrupt
    return part.complete.exit_code


class _Part:
    """As much of a run as a command needs that is a part of one: its end is not the execution's."""

    def __init__(self, run: Run, owner: CellBody) -> None:
        self.id = run.id
        self.writer = run.writer
        self.engine = run.engine
        self.over = threading.Event()
        self.complete: Optional[CompleteMessage] = None
        self._run = run
        self._owner = owner
        owner.parts.add(self)

    def say(self, message: Message) -> None:
        self._run.say(message)

    def ask(
        self, prompt: str, *, password: bool, answered: Callable[[Optional[str]], object], printed: bool
    ) -> None:
        self._run.ask(prompt, password=password, answered=answered, printed=printed)

    def finished(self, complete: CompleteMessage) -> None:
        self.complete = complete
        self.over.set()

    def close(self) -> None:
        """What the command has left in the background has ended too."""
        self._owner.parts.discard(self)
