"""Turns values into MIME bundles, and exceptions into error messages."""

from __future__ import annotations

import base64
import os
import sys
import traceback
from collections.abc import Mapping
from typing import Any

from ..messages import DisplayMessage, ErrorMessage

__all__ = ("mime_bundle", "clean", "display_message", "error_message", "describe")

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep

# The methods that objects have for rich front ends, as IPython's documentation lists them.
_REPR_METHODS = (
    ("_repr_html_", "text/html"),
    ("_repr_markdown_", "text/markdown"),
    ("_repr_svg_", "image/svg+xml"),
    ("_repr_png_", "image/png"),
    ("_repr_jpeg_", "image/jpeg"),
    ("_repr_latex_", "text/latex"),
    ("_repr_json_", "application/json"),
    ("_repr_javascript_", "application/javascript"),
    ("_repr_pdf_", "application/pdf"),
)

Bundle = tuple[dict[str, Any], dict[str, Any]]


def mime_bundle(value: Any) -> Bundle:
    """``(data, metadata)`` of a value; ``text/plain`` is always in ``data``.

    Uses IPython's formatters when IPython is there already (so that what libraries registered with
    them holds), else the ``_repr_*_`` methods. Raises what ``repr(value)`` raises.
    """
    ipython = sys.modules.get("IPython.core.interactiveshell")
    data: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    if ipython is not None and ipython.InteractiveShell.initialized():
        formatter = ipython.InteractiveShell.instance().display_formatter
        formatted, formatted_metadata = formatter.format(value)
        data.update(formatted)
        metadata.update(formatted_metadata)
    else:
        _repr_methods(value, data, metadata)
    if "text/plain" not in data:
        data["text/plain"] = repr(value)
    return clean(data), metadata


def _repr_methods(value: Any, data: dict[str, Any], metadata: dict[str, Any]) -> None:
    bundle = _call(value, "_repr_mimebundle_")
    if bundle is not None:
        _take(bundle, data, metadata, None)
        if data:
            return
    for method, mime in _REPR_METHODS:
        part = _call(value, method)
        if part is not None:
            _take(part, data, metadata, mime)


def _call(value: Any, method: str) -> Any:
    """The result of a display method, None when there is none or it fails: repr is still there."""
    if isinstance(value, type):
        return None  # the class of a displayable object is not displayable itself
    try:
        function = getattr(value, method, None)
        return function() if callable(function) else None
    except Exception:
        return None


def _take(part: Any, data: dict[str, Any], metadata: dict[str, Any], mime: Any) -> None:
    extra: Any = {}
    if isinstance(part, tuple) and len(part) == 2:
        part, extra = part
    if mime is None:
        if isinstance(part, Mapping):
            data.update(part)
            metadata.update(extra)
        return
    data[mime] = part
    if extra:
        metadata[mime] = extra


def clean(data: Mapping[str, Any]) -> dict[str, Any]:
    """Bytes as base64 text, as Jupyter's messages have them."""
    return {
        str(mime): base64.b64encode(part).decode("ascii") if isinstance(part, bytes) else part
        for mime, part in data.items()
        if part is not None
    }


def display_message(
    data: Mapping[str, Any], metadata: Any = None, *, display_id: Any = None, update: Any = False
) -> DisplayMessage:
    """What code gives to ``IPython.display``. Raises :class:`TypeError` where it is no display."""
    for name, value in (("data", data), ("metadata", metadata)):
        if not isinstance(value, Mapping) and not (name == "metadata" and value is None):
            raise TypeError(f"{name} must be a dict, not {type(value).__name__}")
    return DisplayMessage(
        data=clean(data),
        metadata=dict(metadata or {}),
        display_id=None if display_id is None else str(display_id),
        update=bool(update),
    )


def describe(exc: BaseException) -> tuple[str, str]:
    """``(name, value)`` of an exception, also of one whose ``str`` fails."""
    name = type(exc).__name__
    try:
        return name, str(exc)
    except Exception:
        return name, f"<unprintable {name} object>"


def error_message(exc: BaseException) -> ErrorMessage:
    """An exception as a message: with the source lines of the cell, without frames of the engine."""
    name, value = describe(exc)
    try:
        formatted = traceback.TracebackException.from_exception(exc)
        _without_engine(formatted)
        if isinstance(exc, SyntaxError) and not formatted.stack:
            text = "".join(formatted.format_exception_only())
        else:
            text = "".join(formatted.format())
    except Exception:  # an exception that even breaks the traceback module
        text = f"{name}: {value}"
    return ErrorMessage(name=name, value=value, traceback=tuple(text.rstrip("\n").split("\n")))


def _without_engine(formatted: traceback.TracebackException) -> None:
    seen: list[traceback.TracebackException] = []
    waiting = [formatted]
    while waiting:
        entry = waiting.pop()
        if entry in seen:
            continue
        seen.append(entry)
        entry.stack[:] = [frame for frame in entry.stack if not frame.filename.startswith(_PACKAGE)]
        others = (entry.__cause__, entry.__context__, *(getattr(entry, "exceptions", None) or ()))
        waiting.extend(other for other in others if other is not None)
