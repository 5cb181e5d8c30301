"""IPython in a worker: a shell like that of a Jupyter kernel, whose output becomes messages.

This module and `ipython_profile` are the only ones of the far end that need more than the standard library.
They are imported only if IPython is installed in the worker's interpreter. If ipykernel is installed as well,
the shell is a :class:`ZMQInteractiveShell`, which libraries look for.
"""

# mypy: allow-untyped-calls
# (large parts of IPython have no annotations)

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from asyncio import CancelledError
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from types import FrameType, TracebackType
from typing import Any, Optional, cast

from IPython.core import page
from IPython.core.autocall import ExitAutocall
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Instance, Type, default

from ..engine.context import current
from ..engine.formats import clean, describe, display_message
from ..engine.run import Run
from ..engine.streams import StreamProxy
from ..messages import DisplayMessage, ErrorMessage, ResultMessage
from ..process import Command
from .ipython_profile import Profile, use_pdb
from .main_thread import Await, CellRunner, EmittedError
from .shell_commands import replace_script_magic, run_command
from .widgets import Widgets

__all__ = ("IPythonShell",)

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_INLINE = "module://matplotlib_inline.backend_inline"
# Modules of the standard library that IPython imports when it runs a cell or shows a traceback or an object.
# They are imported before the working directory is on `sys.path`, so that files there cannot replace them.
_IMPORTED_LATE = ("bdb", "decimal", "fractions", "html", "mimetypes", "pydoc", "timeit")


class IPythonShell:
    """Runs cells in one IPython shell, which ``get_ipython`` returns."""

    def __init__(self) -> None:
        warnings.filterwarnings("ignore", "To exit: use", UserWarning)  # `exit` ends an execution here
        if find_spec("matplotlib_inline") is not None:
            os.environ.setdefault("MPLBACKEND", _INLINE)
        for name in _IMPORTED_LATE:
            with suppress(ImportError):
                import_module(name)
        use_pdb()
        self._profile = Profile()
        self._profile.load()
        self._shell = self._profile.shell = _make_shell(self._profile)
        self._runner = self._shell.loop_runner  # until `%autoawait` selects another one

    def start(self) -> None:
        """See :meth:`Shell.start`. Loads the extensions and runs the start-up files of the user's profile."""
        self._profile.init_extensions()
        self._profile.init_code()

    def run(self, run: Run, code: str, wait: Await) -> None:
        """See :meth:`Shell.run`."""
        shell: Any = self._shell  # IPython is largely without annotations
        shell.begin(run)
        failed = None
        try:
            transformed = shell.transform_cell(code)
        except Exception as exc:
            transformed, failed = code, (type(exc), exc, exc.__traceback__)
        coroutine = shell.run_cell_async(
            code, store_history=True, transformed_cell=transformed, preprocessing_exc_tuple=failed
        )
        # Like `run_cell`, which in IPython 9 would also keep a copy of all printed text in memory.
        result = None
        try:
            if shell.should_run_async(code, transformed_cell=transformed, preprocessing_exc_tuple=failed):
                runner = shell.loop_runner
                result = wait(coroutine) if runner is self._runner else runner(coroutine)
            else:
                result = _run_without_loop(coroutine)
        finally:
            shell.events.trigger("post_execute")
            shell.events.trigger("post_run_cell", result)
            _show_payloads(shell, run)
        for error in (result.error_before_exec, result.error_in_exec, shell.result_error):
            if error is not None:
                raise EmittedError(printed=shell.shown is None) from error


def _run_without_loop(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise RuntimeError("code without a top-level `await` cannot wait")


def _show_payloads(shell: Any, run: Run) -> None:
    """Show what a kernel sends to its front end with the reply, such as the code of `%load`."""
    for payload in shell.payload_manager.read_payload():
        if payload["source"] == "set_next_input":
            run.log("INFO", "the code below is meant for the next cell: copy it there")
            run.emit(DisplayMessage(data={"text/plain": payload["text"]}))
        elif payload["source"] == "edit_magic":
            run.log("INFO", f"no editor can be opened from a session; the file is {payload['filename']}")
    shell.payload_manager.clear_payload()


class _Hook(DisplayHook):
    """Emits the value of the last expression as a `result` message."""

    active = False  # a value is being formatted

    def start_displayhook(self) -> None:
        """Begin the display of a result."""
        self.active = True

    def write_output_prompt(self) -> None:
        """Do nothing: the result is not text output."""

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        """Emit the result."""
        run = current.get()
        if run is None:
            super().write_format_data(format_dict, md_dict)
        else:
            run.emit(ResultMessage(data=clean(format_dict), metadata=md_dict or {}))

    def log_output(self, format_dict: Any) -> None:
        """Do nothing: ``Out`` holds the value, so its representations need not be kept."""

    def finish_displayhook(self) -> None:
        """End the display of a result."""
        self.active = self._is_active = False

    def set_parent(self, parent: object) -> None:
        """Do nothing: a result belongs to the execution that runs."""


class _Publisher(DisplayPublisher):
    """Emits displays as messages of the execution."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._widgets = Widgets()

    def clear_output(self, wait: bool = False) -> None:
        """Emit a `clear` message, or what clears the ``Output`` widget in whose block the code runs."""
        run = current.get()
        if run is None:
            return
        message = self._widgets.clear(wait)
        if message is not None:
            run.emit(message)

    def publish(self, data: Any, metadata: Any = None, source: object = None, **options: Any) -> None:
        """Emit a `display` message. Only the options ``transient`` and ``update`` have an effect."""
        run = current.get()
        if run is None:
            print(data.get("text/plain", ""))  # noqa: T201  # code that does not belong to an execution
            return
        display_id = (options.get("transient") or {}).get("display_id")
        update = options.get("update", False)
        message = display_message(data, metadata, display_id=display_id, update=update)
        shown = self._widgets.replaced(message)
        if shown is not None:
            run.emit(shown)

    def set_parent(self, parent: object) -> None:
        """Do nothing: a display belongs to the execution that runs."""


class _Exit(ExitAutocall):
    def __call__(self, code: object = None) -> None:
        raise SystemExit(code)


class _Shell(InteractiveShell):
    displayhook: _Hook
    payload_manager: Any
    displayhook_class = Type(_Hook)
    display_pub_class = Type(_Publisher)
    exiter = Instance(ExitAutocall)

    def __init__(self, **options: Any) -> None:
        self.shown: Optional[BaseException] = None  # the newest error that this cell has emitted
        self.result_error: Optional[BaseException] = None  # why this cell's result could not be formatted
        super().__init__(**options)
        self.set_hook("show_in_pager", page.as_hook(page.display_page), 90)
        for name in ("bash", "sh"):
            replace_script_magic(self, name)
        if "JPY_SESSION_NAME" in os.environ:  # the notebook's path, as in a kernel
            self.user_ns["__session__"] = os.environ["JPY_SESSION_NAME"]

    @default("exiter")
    def _default_exiter(self) -> ExitAutocall:
        return _Exit(self)

    def begin(self, run: Run) -> None:
        """Prepare to run the cell of an execution."""
        self.shown = self.result_error = None
        self.displayhook.active = False
        self.parent_header = {"header": {"msg_id": run.id, "msg_type": "execute_request"}, "content": {}}

    def init_virtualenv(self) -> None:
        """Do nothing: the interpreter is the one that was chosen for the session."""

    def init_environment(self) -> None:
        """Do nothing: `make_shell` has set the variables."""

    def enable_gui(self, gui: Optional[str] = None) -> None:
        """Raise an error for any GUI, because a session does not run the event loop of a GUI."""
        if gui not in (None, "inline"):
            raise UsageError(f"the event loop of {gui} cannot run in a session; use `%matplotlib inline`")

    def ask_exit(self) -> None:
        """End the execution."""
        raise SystemExit(0)

    def set_next_input(self, s: str, replace: bool = False) -> None:
        """Keep code for the next cell until the end of this one."""
        self.payload_manager.write_payload({"source": "set_next_input", "text": s, "replace": replace})

    @contextmanager
    def _tee(self, channel: str) -> Iterator[None]:
        """Do nothing: IPython 9 would keep a copy of all printed text in memory, for an unused history."""
        yield

    # -- errors ------------------------------------------------------------------------------

    def _get_exc_info(self, exc_tuple: Any = None) -> Any:
        _, error, traceback = super()._get_exc_info(exc_tuple)
        run = current.get()
        if isinstance(error, CancelledError) and run is not None:
            if cast(CellRunner, run.runner).main.interrupts.cancelled:
                error = KeyboardInterrupt().with_traceback(traceback)  # as in code that does not await
        _hide_package(error)
        sys.last_traceback = error.__traceback__
        return type(error), error, error.__traceback__

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        run = current.get()
        if run is None:
            sys.stderr.write(self.InteractiveTB.stb2text(stb) + "\n")
            return
        if etype is SystemExit and evalue.code in (None, 0):
            return  # not an error: the cell succeeds
        lines = "\n".join(stb).split("\n")  # its items may have several lines
        message = ErrorMessage(name=etype.__name__, value=str(evalue), traceback=tuple(lines))
        if self.displayhook.active:
            self.result_error = evalue
        elif self._is_running():
            run.emit(replace(message, extra={"is_passing": True}))
            return
        self.shown = evalue
        run.emit(message)

    def _is_running(self) -> bool:
        """Return True if code of the user called the caller."""
        frame: Optional[FrameType] = sys._getframe()
        while frame is not None and frame.f_globals is not self.user_ns:
            frame = frame.f_back
        return frame is not None

    def _format_exception_for_storage(self, exception: BaseException, *args: Any, **kwargs: Any) -> Any:
        """Return an error for the history of IPython 9, even if ``str`` of the exception fails."""
        name, value = describe(exception)
        return {"ename": name, "evalue": value, "traceback": []}

    # -- commands ----------------------------------------------------------------------------

    def system(self, cmd: str) -> None:
        """Run ``!cmd`` on its own terminal; the command can ask for input."""
        run = current.get()
        command = self.var_expand(cmd, depth=1)
        if run is None:
            os.system(command)
            return
        # The background processes of an interactive command end with it; the process of `cmd &` must not.
        code = run_command(run, Command(command, interactive=not command.rstrip().endswith("&")))
        self.user_ns["_exit_code"] = code
        if code and self.system_raise_on_error:
            raise subprocess.CalledProcessError(code, cmd)

    system_piped = system_raw = system


def _hide_package(error: Optional[BaseException]) -> None:
    """Remove the frames of this package from the traceback of an error and of those that led to it."""
    seen: set[int] = set()  # a chain of causes can be circular
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        error.__traceback__ = _without_package(error.__traceback__)
        error = error.__cause__ or error.__context__


def _without_package(traceback: Optional[TracebackType]) -> Optional[TracebackType]:
    entries = []
    while traceback is not None:
        if not traceback.tb_frame.f_code.co_filename.startswith(_PACKAGE):
            entries.append(traceback)
        traceback = traceback.tb_next
    for entry, following in zip(entries, [*entries[1:], None]):
        entry.tb_next = following
    return entries[0] if entries else None


class _Kernel:
    """The attributes of ``get_ipython().kernel`` that libraries use. It has no channel to a front end."""

    session = iopub_socket = eventloop = None

    def __init__(self, shell: Any) -> None:
        self.shell = shell

    @property
    def comm_manager(self) -> Any:
        """The manager of the process's comms."""
        import comm

        return comm.get_comm_manager()

    def get_parent(self, channel: object = None) -> Any:
        """Return the request that runs; its ``msg_id`` is the id of the execution."""
        return self.shell.parent_header

    _parent_header = property(get_parent)

    def do_one_iteration(self) -> None:
        """Do nothing: no request can arrive while code runs."""


def _make_shell(profile: Profile) -> Any:
    """Return the shell: with the class of a kernel's shell if ipykernel can be imported."""
    options: dict[str, Any] = {"parent": profile, "profile_dir": profile.profile_dir}
    try:
        from ipykernel.compiler import XCachingCompiler
        from ipykernel.iostream import OutStream
        from ipykernel.zmqshell import ZMQInteractiveShell as base
    except ImportError:
        return _derived(InteractiveShell).instance(**options)
    StreamProxy.look_like(OutStream)
    shell = _derived(base).instance(compiler_class=XCachingCompiler, **options)
    shell.kernel = _Kernel(shell)
    return shell


def _derived(base: type) -> Any:
    """Return a class that looks like ``base`` to libraries."""
    return type(base.__name__, (_Shell, base), {"__module__": base.__module__})
