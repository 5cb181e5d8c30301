"""Run a cell anywhere. Watch it live. Lose nothing.

The public names are loaded on first use, so that ``import pyrepl_stream`` stays cheap. Other
public names are in separate modules: ``pyrepl_stream.processors``, ``.terminal``, ``.inventory``,
``.profiles``, ``.config``, ``.embedding`` and ``.testing``.
"""

from __future__ import annotations

import warnings
from importlib import import_module

from .runtime.lazy import lazy_names
from .runtime.version import __version__ as __version__

# Type checkers know this name. Importing `typing` would double the time until `cli.main` is called, in which
# an interrupt of the command line still shows a traceback.
TYPE_CHECKING = False
if TYPE_CHECKING:  # the names in `__all__` are public
    from typing import Any

    from .client import *
    from .execution import *
    from .local.processes import *
    from .local.session import *
    from .local.stream_writer import *
    from .message_stream import *
    from .profiles import *
    from .reply import *
    from .results import *
    from .runtime.errors import *
    from .runtime.messages import *
    from .runtime.process.command import *
    from .runtime.process.idle import *
    from .runtime.process.limits import *
    from .session import *
    from .targets import *

_PUBLIC = {  # the names of this module, by the modules that define them
    "client": "RemoteExecution RemoteProcessExecution RemoteSession",
    "execution": "Execution ProcessExecution",
    "local": "Session Step StreamWriter run_process run_steps",
    "message_stream": "MessageStream",
    "profiles": "run_profile",
    "reply": "Reply",
    "results": "ErrorInfo ExecutionResult RichValue",
    "runtime.errors": (
        "CommandNotFoundError ConnectionLostError ExecutionExistsError InsecurePathError PyreplStreamError "
        "SessionClosedError TargetError UnknownExecutionError UsageError WorkingDirectoryError"
    ),
    "runtime.messages": (
        "ClearMessage CompleteMessage DisplayMessage ErrorMessage EventMessage ExecuteMessage GapMessage "
        "InputReplyMessage InputRequestMessage LogMessage Message MessageType OutputMessage ProgressMessage "
        "ResultMessage StreamType"
    ),
    "runtime.process": "Command IdlePolicy Limits",
    "session": "AnySession",
    "targets": "connect",
}

_MOVED = {  # names that this module had earlier, kept for one release, by the modules that have them now
    "client": "Link Stream",
    "config": "Settings find_interpreter load_settings",
    "inventory": (
        "ExecutionInfo SessionInfo close_session find_execution find_session list_sessions read_record "
        "sessions_table stop_execution wait_for_end"
    ),
    "local": "MessageSink",
    "processors": (
        "AnyProcessor Branch Colour ColourPolicy FILTERS FORMATS JsonLines LineFilter Lines PROCESSORS "
        "PatternMatcher Prefix Processor Progress Recorder Route SCHEMES Scheme Sink StripAnsi Tee ToLogging "
        "YamlStream add_output_options processors_by_name processors_of_format progress_line"
    ),
    "profiles": "Profile ProfileRun find_profile load_profiles rejected_flag",
    "runtime.errors": (
        "BufferOverflowError CommandPermissionError CursorError LineTooLongError ProtocolError"
    ),
    "runtime.messages": "UnknownMessage",
    "runtime.protocol": "CommandRequest Request",
    "targets": "Address target_schemes",
    "terminal": "Page Row Screen Style",
    "waiting": "Subscribe wait_async wait_sync",
}
_OLD = {name: (module, name) for module, names in _MOVED.items() for name in names.split()} | {
    "EndedError": ("runtime.errors", "ExecutionEndedError"),
    "ExecutionError": ("results", "ErrorInfo"),
    "Idle": ("runtime.process", "IdlePolicy"),
    "ProcessBody": ("runtime.process", "ProcessRunner"),
    "Result": ("results", "RichValue"),
    "UnsafePathError": ("runtime.errors", "InsecurePathError"),
    "WrongEpochError": ("runtime.errors", "StaleEpochError"),
}

__all__, _load = lazy_names(__name__, _PUBLIC)


if not TYPE_CHECKING:  # hidden from type checkers, so that they report names that do not exist

    def __getattr__(name: str) -> Any:
        if name not in _OLD:
            return _load(name)
        module, new = _OLD[name]
        warnings.warn(
            f"pyrepl_stream.{name} is deprecated: use pyrepl_stream.{module}.{new}",
            DeprecationWarning,
            stacklevel=2,
        )
        return getattr(import_module(f".{module}", __name__), new)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
