"""IPython inside a worker: its magics, its display, its formatters; output and errors go to the execution.

The one module of the far end that needs more than the standard library: imported where IPython is.
"""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Optional

import IPython
from IPython.core import page
from IPython.core.autocall import ExitAutocall
from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from ..engine.context import current
from ..engine.formats import clean, describe, display_message, error_message
from ..engine.python import end_of
from ..engine.run import Run
from ..messages import ClearMessage, CompleteMessage, ErrorMessage, ResultMessage
from ..process import Command
from .main_thread import Await
from .shell import run_command

__all__ = ("IPythonShell",)

_IPYTHON = os.path.dirname(os.path.abspath(IPython.__file__)) + os.sep
_PLAIN = "Plain"
_INLINE = "module://matplotlib_inline.backend_inline"


class IPythonShell:
    """Runs cells in one IPython shell, which `get_ipython` finds."""

    def __init__(self) -> None:
        warnings.filterwarnings("ignore", "To exit: use", UserWarning)  # `exit` ends an execution here
        if find_spec("matplotlib_inline") is not None:
            os.environ.setdefault("MPLBACKEND", _INLINE)
        self._shell = _Shell.instance()
        self._runner = self._shell.loop_runner  # until `%autoawait` asks for another one

    def run(self, run: Run, code: str, wait: Await) -> CompleteMessage:
        shell: Any = self._shell  # much of it has no annotations
        shell.compile.cell = f"<cell {run.id}>"
        failed = None
        try:
            transformed = shell.transform_cell(code)
        except Exception as exc:
            transformed, failed = code, (type(exc), exc, exc.__traceback__)
        shell.untransformed = failed
        coroutine = shell.run_cell_async(
            code, store_history=True, transformed_cell=transformed, preprocessing_exc_tuple=failed
        )
        # As `run_cell` does it, but for keeping all that is printed in memory (IPython 9).
        result = None
        try:
            if shell.should_run_async(code, transformed_cell=transformed, preprocessing_exc_tuple=failed):
                runner = shell.loop_runner
                result = wait(coroutine) if runner is self._runner else runner(coroutine)
            else:
                result = _at_once(coroutine)
        finally:
            shell.events.trigger("post_execute")
            shell.events.trigger("post_run_cell", result)
        error = result.error_before_exec or result.error_in_exec
        if isinstance(error, UsageError):
            text = f"UsageError: {error}"
            run.say(ErrorMessage(name="UsageError", value=str(error), traceback=tuple(text.split("\n"))))
            return CompleteMessage(status="error", error=text)
        if error is None:
            return CompleteMessage(success=True)
        error = error.with_traceback(_of_the_user(error.__traceback__))
        _remember(error)
        if isinstance(error, Exception) and (shell.call_pdb or shell.InteractiveTB.mode != _PLAIN):
            return _tell(shell, run, error)
        raise error


def _tell(shell: Any, run: Run, error: Exception) -> CompleteMessage:
    """Say ``error`` in the form of `%xmode`; where `%pdb` is on, the debugger comes next."""
    message = error_message(error)
    if shell.InteractiveTB.mode != _PLAIN:
        lines = shell.InteractiveTB.structured_traceback(type(error), error, error.__traceback__, tb_offset=0)
        message = replace(message, traceback=tuple(shell.InteractiveTB.stb2text(lines).split("\n")))
    run.say(message)
    if shell.call_pdb:
        shell.debugger(force=True)
    return end_of(error)


def _remember(error: BaseException) -> None:
    """For `%debug` and `%tb`, as an interpreter does it."""
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
    if sys.version_info >= (3, 12):
        sys.last_exc = error


def _at_once(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise RuntimeError("code without `await` has waited for something")


def _of_the_user(traceback: Optional[TracebackType]) -> Optional[TracebackType]:
    """``traceback`` without the frames of IPython, and ours, that it begins with."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
    while traceback is not None and traceback.tb_frame.f_code.co_filename.startswith((_IPYTHON, package)):
        traceback = traceback.tb_next
    return traceback


class _Hook(DisplayHook):
    """The value of the last expression becomes a `result`."""

    def write_output_prompt(self) -> None:
        """The result is no text on the output."""

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        run = current.get()
        if run is None:
            super().write_format_data(format_dict, md_dict)
        else:
            run.say(ResultMessage(data=clean(format_dict), metadata=md_dict or {}))

    def log_output(self, format_dict: Any) -> None:
        """`Out` has the value: its picture is not kept too."""

    def finish_displayhook(self) -> None:
        self._is_active = False


class _Publisher(DisplayPublisher):
    def clear_output(self, wait: bool = False) -> None:
        run = current.get()
        if run is not None:
            run.say(ClearMessage(wait=wait))

    def publish(
        self,
        data: Any,
        metadata: Any = None,
        source: object = None,
        *,
        transient: Any = None,
        update: bool = False,
        **kwargs: Any,
    ) -> None:
        run = current.get()
        if run is None:
            print(data.get("text/plain", ""))  # noqa: T201  # by code of no execution
            return
        display_id = (transient or {}).get("display_id")
        run.say(display_message(data, metadata, display_id=display_id, update=update))


class _Compiler(CachingCompiler):
    cell = "<cell>"

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
        return self.cell


class _Exit(ExitAutocall):
    def __call__(self, code: object = None) -> None:
        raise SystemExit(code)


class _Shell(InteractiveShell):
    def __init__(self, **options: Any) -> None:
        from traitlets.config import Config

        config = Config()
        config.HistoryManager.enabled = False  # no database, and no thread that writes it
        config.InteractiveShell.colors = "nocolor"
        config.InteractiveShell.xmode = _PLAIN
        config.InteractiveShell.banner1 = ""
        self._depth = 0  # of cells that run cells
        self._showing = False
        self.untransformed: Any = None  # why the cell could not be transformed, as `sys.exc_info` has it
        start: Any = super().__init__
        start(
            config=config,
            displayhook_class=_Hook,
            display_pub_class=_Publisher,
            compiler_class=_Compiler,
            **options,
        )
        ours: Any = self
        make_exit: Any = _Exit
        self.user_ns["exit"] = self.user_ns["quit"] = make_exit(self)
        ours.set_hook("show_in_pager", page.as_hook(page.display_page), 99)
        for name in ("bash", "sh"):
            _replace_script_magic(ours, name)

    def init_virtualenv(self) -> None:
        """The interpreter is the one that was asked for."""

    def enable_gui(self, gui: Optional[str] = None) -> None:
        if gui not in (None, "inline"):
            raise UsageError(f"there is no event loop of {gui} in a session")

    def ask_exit(self) -> None:
        raise SystemExit(0)

    # -- cells in cells, and their errors ----------------------------------------------------

    def run_cell(self, *args: Any, **kwargs: Any) -> Any:
        run: Any = super().run_cell
        self._depth += 1
        try:
            return run(*args, **kwargs)
        finally:
            self._depth -= 1

    @contextmanager
    def _tee(self, channel: str) -> Iterator[None]:
        """IPython 9 keeps all that is printed in memory, for a history that nobody asks for."""
        yield

    def showtraceback(self, exc_tuple: Any = None, *args: Any, **kwargs: Any) -> None:
        if exc_tuple is None:
            of_cell = kwargs.get("running_compiled_code") or kwargs.get("exception_only")
        else:  # others are of formatters, such as a `__repr__` that raises
            of_cell = exc_tuple is self.untransformed
        if of_cell and not self._depth:
            return  # whoever runs the cell says it
        self._showing = True
        try:
            super().showtraceback(exc_tuple, *args, **kwargs)
        finally:
            self._showing = False

    def _format_exception_for_storage(self, exception: BaseException, *args: Any, **kwargs: Any) -> Any:
        """For a history that nobody asks for (IPython 9). Here ``str`` of an exception may fail."""
        name, value = describe(exception)
        return {"ename": name, "evalue": value, "traceback": []}

    def showsyntaxerror(self, filename: Any = None, running_compiled_code: bool = False) -> None:
        show: Any = super().showsyntaxerror
        if self._depth or self._showing:
            show(filename, running_compiled_code)

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        run = current.get()
        text = self.InteractiveTB.stb2text(stb) + "\n"
        (sys.stderr if run is None else run.stderr).write(text)  # whatever is captured

    # -- commands ----------------------------------------------------------------------------

    def system(self, cmd: str) -> None:
        """``!cmd``: on a terminal of its own, and it can ask for input."""
        ours: Any = self
        run = current.get()
        command = ours.var_expand(cmd, depth=1)
        if run is None:
            os.system(command)
            return
        # Whatever is left in the background on a terminal that it can read from ends with the command.
        code = run_command(run, Command(command, interactive=not command.rstrip().endswith("&")))
        self.user_ns["_exit_code"] = code
        if code and self.system_raise_on_error:
            raise subprocess.CalledProcessError(code, cmd)

    system_piped = system_raw = system


def _replace_script_magic(shell: Any, name: str) -> None:
    """Have a cell of that shell run as ``!cmd`` does; with options it runs as IPython has it."""
    original = shell.find_cell_magic(name)

    def script(line: str, cell: str) -> Any:
        run = current.get()
        if line.strip() or run is None:
            return original(line, cell)
        code = run_command(run, Command([name], stdin=cell))
        if code:
            raise subprocess.CalledProcessError(code, [name])
        return None

    shell.register_magic_function(script, "cell", name)
