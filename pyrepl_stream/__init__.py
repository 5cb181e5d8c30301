"""Run a cell anywhere. Watch it live. Lose nothing.

The public names are loaded on first use, so that ``import pyrepl_stream`` stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .chain import *  # noqa: F403
    from .client import *  # noqa: F403
    from .errors import *  # noqa: F403
    from .execution import *  # noqa: F403
    from .interpreters import *  # noqa: F403
    from .message_stream import *  # noqa: F403
    from .messages import *  # noqa: F403
    from .output_options import *  # noqa: F403
    from .process import *  # noqa: F403
    from .processors import *  # noqa: F403
    from .profiles import *  # noqa: F403
    from .results import *  # noqa: F403
    from .screen import *  # noqa: F403
    from .session import *  # noqa: F403
    from .sessions import *  # noqa: F403
    from .settings import *  # noqa: F403
    from .stream_writer import *  # noqa: F403
    from .targets import *  # noqa: F403
    from .waiting import *  # noqa: F403
    from .worker.requests import *  # noqa: F403

__version__ = "0.1.0"

_MODULES = {
    "errors": (
        "PyreplStreamError",
        "UsageError",
        "SessionClosedError",
        "UnknownExecutionError",
        "CursorError",
        "ProtocolError",
        "BufferOverflowError",
        "CommandNotFoundError",
        "CommandPermissionError",
        "WorkingDirectoryError",
        "LineTooLongError",
        "UnsafePathError",
        "TargetError",
        "ConnectionLostError",
        "ExecutionExistsError",
        "WrongEpochError",
        "EndedError",
    ),
    "messages": (
        "MessageType",
        "StreamType",
        "Message",
        "OutputMessage",
        "DisplayMessage",
        "ResultMessage",
        "ErrorMessage",
        "LogMessage",
        "ProgressMessage",
        "EventMessage",
        "InputRequestMessage",
        "InputReplyMessage",
        "GapMessage",
        "ClearMessage",
        "CompleteMessage",
        "UnknownMessage",
        "ExecuteMessage",
    ),
    "results": ("ExecutionResult", "Result", "ExecutionError"),
    "waiting": ("Subscribe", "wait_async", "wait_sync"),
    "chain": ("AnyProcessor", "Processor"),
    "message_stream": ("MessageStream",),
    "execution": ("Execution",),
    "process": (
        "Command",
        "Idle",
        "ProcessBody",
        "ProcessExecution",
        "Step",
        "run_process",
        "run_steps",
    ),
    "session": ("Session",),
    "processors": (
        "FILTERS",
        "FORMATS",
        "PROCESSORS",
        "SCHEMES",
        "Branch",
        "Colour",
        "ColourPolicy",
        "JsonLines",
        "LineFilter",
        "Lines",
        "PatternMatcher",
        "Prefix",
        "Progress",
        "Recorder",
        "Route",
        "Scheme",
        "Sink",
        "StripAnsi",
        "Tee",
        "ToLogging",
        "YamlStream",
        "processors_by_name",
        "processors_of_format",
        "progress_line",
    ),
    "output_options": ("add_output_options",),
    "settings": ("Settings", "load_settings"),
    "profiles": (
        "Profile",
        "ProfileRun",
        "find_profile",
        "load_profiles",
        "rejected_flag",
        "run_profile",
    ),
    "stream_writer": ("MessageSink", "StreamWriter"),
    "client": ("Link", "Stream", "RemoteExecution", "RemoteProcessExecution", "RemoteSession"),
    "targets": ("Address", "connect", "target_schemes"),
    "worker.requests": ("Request", "CommandRequest"),
    "sessions": (
        "ExecutionInfo",
        "SessionInfo",
        "close_session",
        "find_execution",
        "find_session",
        "list_sessions",
        "read_record",
        "sessions_table",
        "stop_execution",
        "wait_for_end",
    ),
    "interpreters": ("find_interpreter",),
    "screen": ("Page", "Row", "Screen", "Style"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = tuple(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(ipython: Any) -> None:
    """``%load_ext pyrepl_stream`` is the same as ``%load_ext jupyter_ext``."""
    import_module("jupyter_ext").load_ipython_extension(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    import_module("jupyter_ext").unload_ipython_extension(ipython)
