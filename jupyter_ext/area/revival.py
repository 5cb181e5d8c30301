"""Brings the areas of a saved notebook back to life in a fresh kernel."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from pyrepl_stream import ExecutionInfo, PyreplStreamError, RemoteSession, list_sessions

from ..look import Look
from ..sources import of_record, of_session
from .areas import AreaOptions, Areas
from .source import model_id
from .state import Header

__all__ = ("model_ids", "revive")

_MOST = 20  # executions, where nobody knows which the notebook shows; each model has the whole module
_WAYS = 4  # in which one execution is shown: by its cell, attached, with other options
_WIDGET = "application/vnd.jupyter.widget-view+json"


def revive(
    areas: Callable[[], Areas],
    session_of: Callable[[str], RemoteSession],
    look: Look,
    environment: Mapping[str, str] = os.environ,
) -> None:
    """Make the models of the executions that the notebook shows, or of the newest where it cannot be read.

    Nothing is read of them until a page asks. ``session_of`` gives the session of a name.
    """
    wanted = model_ids(environment)
    if wanted is not None and not wanted:
        return
    try:
        known = [execution for session in list_sessions() for execution in session.executions]
    except PyreplStreamError:
        return
    known.sort(key=lambda execution: execution.started, reverse=True)
    if wanted is None:
        known = known[:_MOST]
    for found in known:
        names = [model_id(found.name, found.started, number) for number in range(_WAYS)]
        for name in names[:1] if wanted is None else [name for name in names if name in wanted]:
            _revive(areas(), name, found, session_of, look)


def _revive(
    areas: Areas, name: str, found: ExecutionInfo, session_of: Callable[[str], RemoteSession], look: Look
) -> None:
    if found.alive:
        session = session_of(found.session)
        source = of_session(session, session.execution(found.id), found.name, started=found.started)
    else:
        source = of_record(found)
    header = Header(
        target=f"local:{found.session}",
        name=found.name,
        command=found.head,
        detached=not found.ended,
        how_to_read=f"%remote_stream attach {found.name}",
    )
    areas.revive(name, source, header, AreaOptions(look, show_errors=True))


def model_ids(environment: Mapping[str, str]) -> set[str] | None:
    """The models of widgets in the notebook of this kernel; None where that cannot be found out.

    ``JPY_SESSION_NAME`` is the path that the Jupyter server gives the kernels of notebooks.
    """
    path = environment.get("JPY_SESSION_NAME", "")
    if not path.endswith(".ipynb"):
        return None
    try:
        notebook = json.loads(Path(path).read_text(encoding="utf-8"))
        return {
            output["data"][_WIDGET]["model_id"]
            for cell in notebook["cells"]
            for output in cell.get("outputs", ())
            if _WIDGET in output.get("data", {})
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
