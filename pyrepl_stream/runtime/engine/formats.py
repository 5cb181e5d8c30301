"""Turns values into MIME bundles, and exceptions into error messages."""

from __future__ import annotations

import base64
import os
import sys
import traceback
from collections.abc import Mapping
from typing import Any

from ..messages import DisplayMessage, ErrorMessage

__all__ = (
    "Bundle",
    "mime_bundle",
    "clean",
    "display_message",
    "brief_error",
    "ending_message",
    "error_message",
    "describe",
)

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep

# The methods by which objects provide rich representations, as listed in IPython's documentation.
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
    """Return ``(data, metadata)`` for a value: with ``text/plain``, or empty if the value displays itself.

    If the process runs IPython, its formatters are used, including formatters that libraries registered;
    otherwise the ``_repr_*_`` methods of the value. An exception of ``repr(value)`` is passed on.
    """
    ipython = sys.modules.get("IPython.core.interactiveshell")
    if ipython is not None and ipython.InteractiveShell.initialized():
        data, metadata = ipython.InteractiveShell.instance().display_formatter.format(value)
        if not data:
            return {}, {}
    elif _displays_itself(value):
        return {}, {}
    else:
        data, metadata = _repr_methods(value)
    if "text/plain" not in data:
        data = {**data, "text/plain": repr(value)}
    return clean(data), dict(metadata)


def _displays_itself(value: Any) -> bool:
    """Call the value's ``_ipython_display_``. Return False if it has none, or declines to display."""
    display = None if isinstance(value, type) else getattr(type(value), "_ipython_display_", None)
    if not callable(display):
        return False
    try:
        value._ipython_display_()
    except NotImplementedError:
        return False
    return True


def _repr_methods(value: Any) -> Bundle:
    bundle, metadata = _call(value, "_repr_mimebundle_")
    if isinstance(bundle, Mapping) and bundle:
        return dict(bundle), metadata
    parts = {mime: _call(value, method) for method, mime in _REPR_METHODS}
    data = {mime: part for mime, (part, _) in parts.items() if part is not None}
    return data, {mime: parts[mime][1] for mime in data if parts[mime][1]}


def _call(value: Any, method: str) -> tuple[Any, Any]:
    """Return the result of a display method and its metadata.

    The result is None if the method does not exist or fails, so that ``repr`` is used instead.
    """
    if isinstance(value, type):
        return None, {}  # the class of a displayable object is not displayable itself
    try:
        function = getattr(value, method, None)
        result = function() if callable(function) else None
    except Exception:
        result = None
    return result if isinstance(result, tuple) and len(result) == 2 else (result, {})


def clean(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a MIME bundle with bytes as base64 text, as in Jupyter's messages, and without None values."""
    return {
        str(mime): base64.b64encode(part).decode("ascii") if isinstance(part, bytes) else part
        for mime, part in data.items()
        if part is not None
    }


def display_message(
    data: Mapping[str, Any], metadata: Any = None, *, display_id: Any = None, update: Any = False
) -> DisplayMessage:
    """Return a display message made from arguments of ``IPython.display`` functions.

    Args:
        data: The MIME bundle.
        metadata: Metadata by MIME type, or None.
        display_id: The id by which later displays can replace it, or None.
        update: Replace the display that has this id.

    Raises:
        TypeError: ``data`` or ``metadata`` is not a mapping.
    """
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
    """Return the name of an exception's class, and its text even if its ``str`` fails."""
    name = type(exc).__name__
    try:
        return name, str(exc)
    except Exception:
        return name, f"<unprintable {name} object>"


def error_message(exc: BaseException) -> ErrorMessage:
    """Return the message for an exception. The traceback has cells' source lines, but not our frames."""
    name, value = describe(exc)
    try:
        formatted = traceback.TracebackException.from_exception(exc)
        _without_engine(formatted)
        if isinstance(exc, SyntaxError) and not formatted.stack:
            text = "".join(formatted.format_exception_only())
        else:
            text = "".join(formatted.format())
    except Exception:  # an exception that breaks even the traceback module
        text = f"{name}: {value}"
    return ErrorMessage(name=name, value=value, traceback=tuple(text.rstrip("\n").split("\n")))


def ending_message(exc: BaseException) -> ErrorMessage:
    """Return the message for an exception that ended an execution. An exit needs no traceback."""
    return brief_error(exc) if isinstance(exc, SystemExit) else error_message(exc)


def brief_error(exc: BaseException) -> ErrorMessage:
    """Return the message for an exception whose traceback is of no interest."""
    name, value = describe(exc)
    return ErrorMessage(name=name, value=value, traceback=(f"{name}: {value}",))


def _without_engine(formatted: traceback.TracebackException) -> None:
    chain = [formatted]  # the loop extends it; each exception is in it once, even if causes form a cycle
    for entry in chain:
        entry.stack[:] = [frame for frame in entry.stack if not frame.filename.startswith(_PACKAGE)]
        others = (entry.__cause__, entry.__context__, *(getattr(entry, "exceptions", None) or ()))
        chain.extend(other for other in others if other is not None)
