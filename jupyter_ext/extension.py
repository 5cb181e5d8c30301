"""Adds the magics to a shell, and removes them again."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from pyrepl_stream import embedding
from pyrepl_stream.inventory import list_sessions

from .magic.arguments import SCHEMES, option_names
from .magic.cell_magic import RemoteStreamMagics
from .magic.configuration import RemoteStream
from .magic.line_magic import VERBS
from .magic.shell_interpreter import replacements
from .magic.transform import AwaitTransform, CommentHint
from .messaging.parent_header import ParentHeaderGuard

_ABSENT = object()
_loaded: dict[int, contextlib.ExitStack] = {}  # undo the changes, by the id of the shell


def load(shell: InteractiveShell) -> None:
    """Add the magics to ``shell``, unless it already has them."""
    if id(shell) in _loaded:
        return
    undo = _loaded[id(shell)] = contextlib.ExitStack()
    kernel = getattr(shell, "kernel", None)
    while_routing: list[tuple[Any, str, Callable[[Any], Any]]] = [
        (shell.display_pub, "publish", _calling(_publish)),
        (shell.display_pub, "clear_output", _calling(_clear_output)),
        (kernel, "raw_input", embedding.routed_input),
        (kernel, "getpass", embedding.routed_getpass),
        *((owner, name, _calling(function)) for owner, name, function in replacements(shell)),
    ]
    for owner, name, make in while_routing:
        if hasattr(owner, name):  # not every shell has every attribute
            undo.callback(embedding.replace_while_routing(owner, name, make))
    guard = ParentHeaderGuard(kernel)
    _replace(undo, kernel, "pre_handler_hook", guard.before)
    _replace(undo, kernel, "post_handler_hook", guard.after)
    configuration = RemoteStream(shell)
    magics = RemoteStreamMagics(shell, configuration)
    added: list[tuple[list[Any], object]] = [
        (shell.configurables, configuration),
        (shell.input_transformers_post, AwaitTransform(shell)),
        (shell.input_transformers_cleanup, CommentHint()),
    ]
    for place, one in added:
        place.append(one)
        undo.callback(place.remove, one)
    for key, complete in (("%%remote_stream", _complete), ("%remote_stream", _complete_line)):
        shell.set_hook("complete_command", complete, str_key=key)
        undo.callback(shell.strdispatchers["complete_command"].strs.pop, key, None)
    shell.register_magics(magics)
    undo.callback(_remove_magics, shell, magics)
    undo.callback(magics.close)
    magics.revive()


def unload(shell: InteractiveShell) -> None:
    """Undo the changes to ``shell``, the last one first."""
    if id(shell) in _loaded:
        _loaded.pop(id(shell)).close()


def _calling(function: Callable[..., Any]) -> Callable[[Any], Any]:
    """Return a maker of replacements, which call ``function`` with the original and their arguments."""
    return functools.partial(functools.partial, function)


def _replace(undo: contextlib.ExitStack, owner: Any, name: str, function: Callable[..., Any]) -> None:
    original = getattr(owner, name, None)
    if original is None:  # not every shell has every attribute
        return
    before = owner.__dict__.get(name, _ABSENT)
    setattr(owner, name, functools.partial(function, original))
    if before is _ABSENT:
        undo.callback(owner.__dict__.pop, name, None)
    else:
        undo.callback(setattr, owner, name, before)


def _remove_magics(shell: InteractiveShell, magics: RemoteStreamMagics) -> None:
    for kind in ("cell", "line"):
        shell.magics_manager.magics[kind].pop("remote_stream", None)
    shell.magics_manager.registry.pop(type(magics).__name__, None)


def _complete(shell: Any, event: Any) -> list[str]:
    return [*option_names(), *SCHEMES]


def _complete_line(shell: Any, event: Any) -> list[str]:
    """Return the verbs; after a verb, the names of sessions and the ids of executions."""
    words = str(event.line).split()
    if len(words) < 2 or (len(words) == 2 and event.symbol):
        return list(VERBS)
    sessions = list_sessions()
    return [session.name for session in sessions] + [
        execution_id for session in sessions for execution_id in session.ids
    ]


def _publish(original: Any, data: Any, metadata: Any = None, *args: Any, **kwargs: Any) -> Any:
    """Send displays of an execution to its journal, and thereby to its cell."""
    transient = kwargs.get("transient") or {}
    update = bool(kwargs.get("update", False))
    display_id = transient.get("display_id")
    if embedding.publish_display(data, metadata, display_id=display_id, update=update):
        return None
    return original(data, metadata, *args, **kwargs)


def _clear_output(original: Any, wait: bool = False) -> Any:
    return None if embedding.publish_clear(wait) else original(wait)
