"""Rich displays of executions, made safe for pages that run scripts.

An image becomes a data URI for an ``<img>``, in which SVG neither runs scripts nor loads anything
(https://www.w3.org/TR/SVG2/conform.html#secure-static-mode). HTML is rebuilt from an allow-list.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from pyrepl_stream import DisplayMessage

from ..text import as_json, encodable, printable
from .markup import clean

Bundle = dict[str, Any]
"""``{"kind": "image", "src", "alt", "width"?, "height"?}``, ``{"kind": "html", "html", "text"}``,
``{"kind": "text", "text"}`` or ``{"kind": "note", "text"}``; width and height in pixels of the page."""

WIDGET = "application/vnd.jupyter.widget-view+json"

_MAX_SIZE = 8 << 20  # bytes of one display
_MAX_TOTAL = 64 << 20  # bytes of all displays of an execution
_MAX_TEXT = 100_000  # characters
_RASTER = ("image/png", "image/jpeg", "image/gif", "image/webp")
_LATEX = "text/latex"
_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);", re.IGNORECASE)
GONE: Bundle = {"kind": "note", "text": "[a display that is no longer kept here]"}
"""The bundle in place of a display that is not kept."""
_VEGA = re.compile(r"application/vnd\.vega(?:lite)?\.v\d+\+json")
_PLOTLY = "application/vnd.plotly.v1+json"
_MAPS = re.compile(r".*geo|choropleth|(?:scatter|density)map")


def needs_front_end(data: Mapping[str, Any], *, widgets: bool = False) -> bool:
    """Return True if only the front end can draw a MIME bundle, so that it must be published as well.

    Args:
        data: The MIME bundle.
        widgets: True if the models of widgets are in this kernel; the front end cannot draw other widgets.
    """
    if any(_for_front_end(kind, value, widgets) for kind, value in data.items()):
        return True
    drawn_here = {*_RASTER, "image/svg+xml", "text/html"}.intersection(data)
    return not drawn_here and _LATEX in data


def front_end_part(data: Mapping[str, Any], *, widgets: bool = False) -> dict[str, Any]:
    """Return the part of a MIME bundle that may be published as an ordinary output, without its metadata.

    The front end chooses among the types, and runs the scripts of HTML, SVG and Markdown (measured in
    JupyterLab 4.6), so these are left out. Metadata may contain addresses that the front end
    would load.

    Args:
        data: A bundle for which :func:`needs_front_end` is true.
        widgets: See :func:`needs_front_end`.
    """
    harmless = (*_RASTER, _LATEX, "text/plain")
    return {
        kind: value
        for kind, value in data.items()
        if kind in harmless or _for_front_end(kind, value, widgets)
    }


def _for_front_end(kind: str, value: object, widgets: bool) -> bool:
    """Return True if the front end draws the value without running or loading anything from it."""
    if kind == WIDGET:
        return widgets
    if not isinstance(value, Mapping) or not (kind == _PLOTLY or _VEGA.fullmatch(kind)):
        return False
    if kind == _PLOTLY and _has_maps(value):
        return False
    return not _loads(value, sources=kind == _PLOTLY)


def _loads(value: object, *, sources: bool) -> bool:
    """Return True if a chart may load data, images, or settings that contain further addresses.

    Args:
        value: The chart, or a part of it.
        sources: True if a ``source`` is the address of an image rather than the name of a data set.
    """
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            if "url(" in one.lower():
                return True
        elif isinstance(one, Mapping):
            if not {"url", "href", "usermeta"}.isdisjoint(one):
                return True
            source = one.get("source") if sources else None
            if isinstance(source, str) and not _IMAGE.match(source):
                return True
            waiting += one.values()
        else:
            waiting += _inside(one)
    return False


def _has_maps(figure: Mapping[str, Any]) -> bool:
    """Return True if a Plotly figure has map traces, for which the front end would load shapes or tiles."""
    drawn = [figure, *(frame for frame in _inside(figure.get("frames")) if isinstance(frame, Mapping))]
    traces = [trace for part in drawn for trace in _inside(part.get("data")) if isinstance(trace, Mapping)]
    return any(_MAPS.match(str(trace.get("type", ""))) for trace in traces)


def _inside(value: object) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def safe_bundle(data: Mapping[str, Any], metadata: Mapping[str, Any], *, widgets: bool = False) -> Bundle:
    """Return the bundle that the area shows for a MIME bundle.

    Args:
        data: The MIME bundle.
        metadata: Its metadata.
        widgets: See :func:`needs_front_end`.
    """
    bundle = _bundle(data, metadata, widgets)
    size = size_of(bundle)
    return (
        bundle if size <= _MAX_SIZE else _note(f"a display of {size:,} bytes is too large to be shown here")
    )


def size_of(bundle: Mapping[str, Any]) -> int:
    """Return the approximate size of a safe bundle in bytes of UTF-8."""
    return sum(len(value.encode()) for value in bundle.values() if isinstance(value, str))


def _bundle(data: Mapping[str, Any], metadata: Mapping[str, Any], widgets: bool) -> Bundle:
    text = text_of(data.get("text/plain", ""))
    if needs_front_end(data, widgets=widgets):
        return {"kind": "text", "text": f"{text}\n[shown below]".lstrip("\n")}
    if isinstance(data.get("text/html"), (str, list)):
        html = clean(_joined(data["text/html"])) if _size(data["text/html"]) <= _MAX_SIZE else None
        if html is not None and html.strip():
            return {"kind": "html", "html": html, "text": text}
    for kind in ("image/svg+xml", *_RASTER):
        image = _image(kind, data[kind], metadata.get(kind, metadata), text) if kind in data else None
        if image is not None:
            return image
    if isinstance(data.get("text/markdown"), (str, list)):
        return {"kind": "text", "text": text_of(data["text/markdown"])}
    if "text/plain" in data:
        return {"kind": "text", "text": text}
    kinds = ", ".join(printable(str(kind), 60) for kind in list(data)[:5]) or "nothing"
    return _note(f"a display that cannot be shown here: {kinds}")


def _image(kind: str, content: object, metadata: object, text: str) -> Bundle | None:
    if not isinstance(content, (str, list)) or _size(content) > _MAX_SIZE:
        return None
    joined = _joined(content)
    if kind == "image/svg+xml":
        encoded = base64.b64encode(joined.encode()).decode()
    else:
        encoded = "".join(joined.split())
        try:
            base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            return None
    alt = printable(text) or "figure"
    image: Bundle = {"kind": "image", "src": f"data:{kind};base64,{encoded}", "alt": alt}
    for name in ("width", "height"):
        value = metadata.get(name) if isinstance(metadata, Mapping) else None
        if isinstance(value, (int, float)) and 0 < value <= 20_000:
            image[name] = round(value)
    return image


def text_of(content: object) -> str:
    """Return the text of a value of a MIME bundle, cut to 100,000 characters."""
    text = _joined(content) if isinstance(content, (str, list)) else as_json(content)
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]} …"


def _joined(content: str | list[Any]) -> str:
    """Return the text of a value, which the notebook format may store as a list of lines."""
    return encodable(content if isinstance(content, str) else "".join(map(str, content)))


def _size(content: str | list[Any]) -> int:
    return len(content) if isinstance(content, str) else sum(len(str(part)) for part in content)


def _note(text: str) -> Bundle:
    return {"kind": "note", "text": f"[{text}]"}


class Displays(dict[str, Bundle]):
    """The safe bundles of one execution, by the ids that rows refer to.

    They take at most 64 MiB; beyond that the oldest are replaced by notes.

    Args:
        widgets: See :func:`needs_front_end`.

    Attributes:
        changed: Ids of new and updated displays that the sender has not removed yet, in order.
    """

    def __init__(self, *, widgets: bool = False) -> None:
        super().__init__()
        self.changed: dict[str, None] = {}
        self.widgets = widgets
        self._sizes: dict[str, int] = {}
        self._ids: dict[tuple[str, str | int], str] = {}  # by source, and display id or number
        self._keys: dict[str, tuple[str, str | int]] = {}  # keys of _ids, by id
        self._rows: dict[str, int] = {}  # number of the last row that shows each display
        self._count = 0
        self._total = 0

    def put(self, message: DisplayMessage) -> tuple[str, bool]:
        """Add or update a display. Return its id, and True if a row refers to it already."""
        key = (message.source, self._count if message.display_id is None else message.display_id)
        known = key in self._ids
        if not known:
            self._count += 1
            self._ids[key] = f"d{self._count}"
            self._keys[self._ids[key]] = key
        name = self._ids[key]
        self._set(name, safe_bundle(message.data, message.metadata, widgets=self.widgets))
        if self._total > _MAX_TOTAL:
            self._shrink(name)
        return name, known

    def placed(self, name: str, row: int, first: int) -> None:
        """Register the row of a display, and drop the displays of rows that have left the area.

        Args:
            name: Id of the display.
            row: Number of the row.
            first: Number of the first row that the area still has.
        """
        self._rows.pop(name, None)
        self._rows[name] = row
        while (oldest := next(iter(self._rows))) != name and self._rows[oldest] < first:
            self._drop(oldest)

    def _set(self, name: str, bundle: Bundle) -> None:
        self._total -= self._sizes.get(name, 0)
        self[name], self._sizes[name] = bundle, size_of(bundle)
        self._total += self._sizes[name]
        self.changed.pop(name, None)
        self.changed[name] = None

    def _shrink(self, newest: str) -> None:
        for name, size in list(self._sizes.items()):
            if self._total <= _MAX_TOTAL:
                return
            if name != newest and size > size_of(GONE):
                self._set(name, GONE)

    def _drop(self, name: str) -> None:
        del self._rows[name], self[name], self._ids[self._keys.pop(name)]
        self._total -= self._sizes.pop(name)
        self.changed.pop(name, None)
