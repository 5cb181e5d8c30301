"""Runs the commands of ``!cmd`` and ``%%bash`` on a terminal, as part of the execution of their cell."""

from __future__ import annotations

import subprocess
import threading
import time
from typing import Any, Optional, cast

from ..engine.context import current
from ..engine.run import Run
from ..messages import CompleteMessage
from ..process import Command, ProcessRunner
from ..process.termination import DEFAULT_GRACE
from .main_thread import CellRunner

__all__ = ("replace_script_magic", "run_command")


def run_command(run: Run, command: Command) -> Optional[int]:
    """Run a command as part of an execution, in order with its other output. Called in the main thread.

    Args:
        run: The execution, whose runner is a :class:`CellRunner`.
        command: The command.

    Returns:
        The exit code.

    Raises:
        KeyboardInterrupt: The execution was interrupted. The command has ended.
    """
    runner = ProcessRunner(command)
    part = _Part(run, cast(CellRunner, run.runner))
    runner.start(cast(Run, part))
    stop_at: Optional[float] = None  # set after an interrupt, which the host has also sent to the command
    while part.complete is None:
        try:
            part.over.wait(None if stop_at is None else max(0.0, stop_at - time.monotonic()))
            if stop_at is not None and part.complete is None:
                stop_at = time.monotonic() + runner.stop(force=False)
        except KeyboardInterrupt:
            if stop_at is not None:
                runner.stop(force=True)
            stop_at = stop_at or time.monotonic() + DEFAULT_GRACE[0]
    if stop_at is not None:
        raise KeyboardInterrupt
    return part.complete.exit_code


class _Part:
    """The part of a run's interface that a command needs. Its end is not the end of the execution."""

    def __init__(self, run: Run, owner: CellRunner) -> None:
        self.id = run.id
        self.writer = run.writer
        self.engine = run.engine
        self.emit, self.log, self.questions = run.emit, run.log, run.questions
        self.over = threading.Event()
        self.complete: Optional[CompleteMessage] = None
        self._owner = owner
        owner.parts.add(self)

    def finished(self, complete: CompleteMessage) -> None:
        self.complete = complete
        self.over.set()

    def close(self) -> None:
        """Detach from the execution: background processes of the command have ended too."""
        self._owner.parts.discard(self)
        self._owner.on_left()


def replace_script_magic(shell: Any, name: str) -> None:
    """Make cells such as ``%%bash`` run like ``!cmd``; IPython still runs those with options."""
    original = shell.find_cell_magic(name)

    def script(line: str, cell: str) -> Any:
        run = current.get()
        if line.strip() or run is None:
            return original(line, cell)
        code = run_command(run, Command([name], stdin=cell))
        if code:
            raise subprocess.CalledProcessError(code, cell.encode())  # as IPython's magic does
        return None

    shell.register_magic_function(script, "cell", name)
