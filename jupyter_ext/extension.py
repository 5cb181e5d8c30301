"""Puts the magic into a shell, and takes it out again without a trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pyrepl_stream import list_sessions
from pyrepl_stream.embedding import (
    in_execution,
    install,
    publish_clear,
    publish_display,
    routed_getpass,
    routed_input,
    uninstall,
)

from .arguments import SCHEMES, option_names
from .configuration import RemoteStream
from .magics import AWAITED, RemoteStreamMagics
from .management import VERBS
from .parents import OwnParent
from .transform import AwaitTransform, CommentHint

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ("load", "unload")

_KEY = "%%remote_stream"
_LINE_KEY = "%remote_stream"


class _Extension:
    """All that was put into one shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._configuration = RemoteStream(shell)
        self._magics = RemoteStreamMagics(shell, self._configuration)
        self._await = AwaitTransform(shell)
        self._hint = CommentHint()
        self._replaced: list[tuple[Any, str, Any]] = []

    def load(self) -> None:
        shell = self._shell
        install()  # here, and not in a cell whose streams somebody captures
        shell.register_magics(self._magics)
        shell.configurables.append(self._configuration)  # type: ignore[arg-type]  # any Configurable
        shell.input_transformers_post.append(self._await)
        shell.input_transformers_cleanup.append(self._hint)
        shell.set_hook("complete_command", _complete, str_key=_KEY)
        shell.set_hook("complete_command", _complete_line, str_key=_LINE_KEY)
        self._replace(shell.display_pub, "publish", _routed_publish)
        self._replace(shell.display_pub, "clear_output", _routed_clear)
        self._replace(shell, "ask_exit", _routed_exit)
        kernel = getattr(shell, "kernel", None)
        self._replace(kernel, "raw_input", routed_input)
        self._replace(kernel, "getpass", routed_getpass)
        parent = OwnParent(kernel)
        self._replace(kernel, "pre_handler_hook", parent.before)
        self._replace(kernel, "post_handler_hook", parent.behind)
        self._magics.revive()

    def unload(self) -> None:
        shell = self._shell
        self._magics.close()
        uninstall()
        for name in ("remote_stream", AWAITED):
            for kind in ("cell", "line"):
                shell.magics_manager.magics[kind].pop(name, None)
        shell.configurables.remove(self._configuration)  # type: ignore[arg-type]  # any Configurable
        shell.magics_manager.registry.pop(type(self._magics).__name__, None)
        shell.input_transformers_post.remove(self._await)
        shell.input_transformers_cleanup.remove(self._hint)
        for key in (_KEY, _LINE_KEY):
            shell.strdispatchers["complete_command"].strs.pop(key, None)
        for owner, name, before in reversed(self._replaced):
            if before is _ABSENT:
                owner.__dict__.pop(name, None)
            else:
                setattr(owner, name, before)

    def _replace(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        original = getattr(owner, name, None)
        if original is not None:  # not every shell can exit
            self._replaced.append((owner, name, owner.__dict__.get(name, _ABSENT)))
            setattr(owner, name, make(original))


_ABSENT = object()
_loaded: dict[int, _Extension] = {}


def load(shell: InteractiveShell) -> None:
    if id(shell) not in _loaded:
        _loaded[id(shell)] = _Extension(shell)
        _loaded[id(shell)].load()


def unload(shell: InteractiveShell) -> None:
    extension = _loaded.pop(id(shell), None)
    if extension is not None:
        extension.unload()


def _complete(shell: Any, event: Any) -> list[str]:
    return [*option_names(), *SCHEMES]


def _complete_line(shell: Any, event: Any) -> list[str]:
    """The verbs; behind one, the ids or names that there are."""
    if len(str(event.line).split()) < 2 or (len(str(event.line).split()) == 2 and event.symbol):
        return list(VERBS)
    sessions = list_sessions()
    return [session.name for session in sessions] + [
        execution.id for session in sessions for execution in session.executions
    ]


def _routed_publish(original: Callable[..., Any]) -> Callable[..., Any]:
    """Displays of an execution go into its journal, and from there to its cell."""

    def publish(data: Any, metadata: Any = None, *args: Any, **kwargs: Any) -> Any:
        transient = kwargs.get("transient") or {}
        update = bool(kwargs.get("update", False))
        display_id = transient.get("display_id")
        if publish_display(data, metadata, display_id=display_id, update=update):
            return None
        return original(data, metadata, *args, **kwargs)

    return publish


def _routed_clear(original: Callable[..., Any]) -> Callable[..., Any]:
    def clear_output(wait: bool = False) -> Any:
        return None if publish_clear(wait) else original(wait)

    return clear_output


def _routed_exit(original: Callable[[], None]) -> Callable[[], None]:
    """``exit()`` ends the execution that calls it, not the kernel."""

    def ask_exit() -> None:
        if in_execution():
            raise SystemExit
        original()

    return ask_exit
