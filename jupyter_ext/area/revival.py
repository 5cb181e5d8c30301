"""The areas of a saved notebook in a new kernel."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from pyrepl_stream import PyreplStreamError, RemoteSession
from pyrepl_stream.inventory import ExecutionInfo, list_sessions

from ..views.display_options import DisplayOptions
from .areas import Areas
from .displays import WIDGET
from .sources import RecordSource, SessionSource, Source, model_id
from .state import Header

_MODELS = 4  # maximum per execution: in its cell, attached, with other options


def revive(
    areas: Callable[[], Areas], session_of: Callable[[str], RemoteSession], options: DisplayOptions, path: str
) -> None:
    """Open the models that a saved notebook shows, and no others.

    Programs that run notebooks save all models, and a model contains the first line of the code. Models of
    executions that this notebook does not show would leak code from other notebooks. An execution is read
    when a page requests it.

    Args:
        areas: Returns the areas of the kernel.
        session_of: Returns the session with a given name.
        options: The options of the areas.
        path: Path of the notebook.
    """
    wanted = model_ids(path)
    if not wanted:
        return
    try:
        known = [execution for session in list_sessions() for execution in session.executions]
    except PyreplStreamError:
        return
    for found in known:
        for number in range(_MODELS):
            name = model_id(found.name, found.started, number)
            if name in wanted:
                header = Header.of_record(found, detached=not found.ended)
                areas().revive(name, _source(found, session_of), header, options)


def _source(found: ExecutionInfo, session_of: Callable[[str], RemoteSession]) -> Source:
    if not found.alive:
        return RecordSource(found)
    session = session_of(found.session)
    return SessionSource(session, session.execution(found.id), found.name, start=found.started)


def notebook_path(environment: Mapping[str, str], namespace: Mapping[str, object]) -> str:
    """Return the path of this kernel's notebook as the front end reports it, or an empty string.

    VS Code sets ``__vsc_ipynb_file__``, and gives a Jupyter server a path that does not exist. A Jupyter
    server sets ``JPY_SESSION_NAME``, which ipykernel repeats as ``__session__``.

    Args:
        environment: The environment variables of the kernel.
        namespace: The namespace of the user.
    """
    names = [namespace.get("__vsc_ipynb_file__"), namespace.get("__session__")]
    names.append(environment.get("JPY_SESSION_NAME"))
    return next((name for name in names if isinstance(name, str) and name.endswith(".ipynb")), "")


def model_ids(path: str) -> set[str]:
    """Return the ids of the widgets that a saved notebook shows; an empty set if it cannot be read."""
    try:
        notebook = json.loads(Path(path).read_text(encoding="utf-8"))
        return {
            output["data"][WIDGET]["model_id"]
            for cell in notebook["cells"]
            for output in cell.get("outputs", ())
            if WIDGET in output.get("data", {})
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return set()
