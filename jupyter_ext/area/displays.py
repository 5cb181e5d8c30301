"""Rich displays of the far side, made safe for a page that runs scripts.

An image is a data URI for an ``<img>``, in which SVG runs no script and loads nothing
(https://www.w3.org/TR/SVG2/conform.html#secure-static-mode). HTML is rebuilt from an allow-list.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pyrepl_stream import DisplayMessage

from .markup import clean
from .words import as_json, encodable, printable

__all__ = ("WIDGET", "Displays", "front_end_part", "needs_front_end", "safe_bundle", "size_of", "text_of")

Bundle = dict[str, Any]
"""``{"kind": "image", "src", "alt", "width"?, "height"?}``, ``{"kind": "html", "html", "text"}``,
``{"kind": "text", "text"}`` or ``{"kind": "note", "text"}``; widths in pixels of the page."""

WIDGET = "application/vnd.jupyter.widget-view+json"

_LARGEST = 8 << 20  # bytes of one display
_ALL = 64 << 20
_LONGEST_TEXT = 100_000  # characters
_RASTER = ("image/png", "image/jpeg", "image/gif", "image/webp")
_LATEX = "text/latex"
_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);", re.IGNORECASE)
_VEGA = re.compile(r"application/vnd\.vega(?:lite)?\.v\d+\+json")
_PLOTLY = "application/vnd.plotly.v1+json"
_MAPS = re.compile(r".*geo|choropleth|(?:scatter|density)map")


def needs_front_end(data: Mapping[str, Any], *, widgets: bool = False) -> bool:
    """Whether only the front end can draw it: it has to be published as an ordinary output as well.

    ``widgets``: the models of widgets are in this kernel. Those of another can be drawn by nobody here.
    """
    if any(_for_front_end(kind, value, widgets) for kind, value in data.items()):
        return True
    drawn_here = {*_RASTER, "image/svg+xml", "text/html"}.intersection(data)
    return not drawn_here and _LATEX in data


def front_end_part(data: Mapping[str, Any], *, widgets: bool = False) -> dict[str, Any]:
    """What of such a bundle may be published as an ordinary output, without its metadata.

    The front end takes what it likes best, and runs the scripts of HTML, SVG and Markdown (measured in
    JupyterLab 4.6), so none of these may stand beside what is meant. Metadata have addresses of what is to
    be loaded, too.
    """
    harmless = (*_RASTER, _LATEX, "text/plain")
    return {
        kind: value
        for kind, value in data.items()
        if kind in harmless or _for_front_end(kind, value, widgets)
    }


def _for_front_end(kind: str, value: object, widgets: bool) -> bool:
    """Whether the front end draws it, runs nothing of it, and loads nothing."""
    if kind == WIDGET:
        return widgets
    if not isinstance(value, Mapping) or not (kind == _PLOTLY or _VEGA.fullmatch(kind)):
        return False
    if kind == _PLOTLY and _has_maps(value):
        return False
    return not _loads(value, sources=kind == _PLOTLY)


def _loads(value: object, *, sources: bool) -> bool:
    """Whether a chart may load something: data, images, or settings with addresses of their own.

    ``sources``: a ``source`` is the address of an image; else it is the name of data.
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
    """Whether a figure of Plotly has traces on maps, of which it loads the shapes or tiles."""
    drawn = [figure, *(frame for frame in _inside(figure.get("frames")) if isinstance(frame, Mapping))]
    traces = [trace for part in drawn for trace in _inside(part.get("data")) if isinstance(trace, Mapping)]
    return any(_MAPS.match(str(trace.get("type", ""))) for trace in traces)


def _inside(value: object) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def safe_bundle(data: Mapping[str, Any], metadata: Mapping[str, Any], *, widgets: bool = False) -> Bundle:
    """What the area shows of a MIME bundle; see :data:`Bundle`."""
    bundle = _bundle(data, metadata, widgets)
    size = size_of(bundle)
    return bundle if size <= _LARGEST else _note(f"a display of {size:,} bytes is too large to be shown here")


def size_of(bundle: Mapping[str, Any]) -> int:
    """Its bytes in UTF-8, about."""
    return sum(len(value.encode()) for value in bundle.values() if isinstance(value, str))


def _bundle(data: Mapping[str, Any], metadata: Mapping[str, Any], widgets: bool) -> Bundle:
    text = text_of(data.get("text/plain", ""))
    if needs_front_end(data, widgets=widgets):
        return {"kind": "text", "text": f"{text}\n[shown below]".lstrip("\n")}
    if isinstance(data.get("text/html"), (str, list)):
        html = clean(_joined(data["text/html"])) if _size(data["text/html"]) <= _LARGEST else None
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
    if not isinstance(content, (str, list)) or _size(content) > _LARGEST:
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
    """The text of a MIME bundle, of at most 100,000 characters."""
    text = _joined(content) if isinstance(content, (str, list)) else as_json(content)
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]} …"


def _joined(content: str | list[Any]) -> str:
    """The text; the notebook format also has lists of lines (nbformat's multiline strings)."""
    return encodable(content if isinstance(content, str) else "".join(map(str, content)))


def _size(content: str | list[Any]) -> int:
    return len(content) if isinstance(content, str) else sum(len(str(part)) for part in content)


def _note(text: str) -> Bundle:
    return {"kind": "note", "text": f"[{text}]"}


class Displays(Mapping[str, Bundle]):
    """The safe bundles of one execution, by the ids that the rows have.

    64 MB of them at most: beyond that the oldest become notes. ``changed`` has the ids that were put
    since its one reader, who removes them, looked last, in order. ``widgets``: see :func:`needs_front_end`.
    """

    def __init__(self, *, widgets: bool = False) -> None:
        self.changed: dict[str, None] = {}
        self.widgets = widgets
        self._bundles: dict[str, Bundle] = {}
        self._sizes: dict[str, int] = {}
        self._ids: dict[tuple[str, str], str] = {}  # by source and the far side's display id
        self._keys: dict[str, tuple[str, str]] = {}  # the reverse of that
        self._rows: dict[str, int] = {}  # the last row of each
        self._count = 0
        self._total = 0

    def __getitem__(self, number: str) -> Bundle:
        return self._bundles[number]

    def __iter__(self) -> Iterator[str]:
        return iter(self._bundles)

    def __len__(self) -> int:
        return len(self._bundles)

    def put(self, message: DisplayMessage) -> tuple[str, bool]:
        """Take a display; return its id here, and whether a row has it already."""
        key = (message.source, message.display_id) if message.display_id is not None else None
        name = self._ids.get(key) if key is not None else None
        known = name is not None
        if name is None:
            self._count += 1
            name = f"d{self._count}"
            if key is not None:
                self._ids[key], self._keys[name] = name, key
        bundle = safe_bundle(message.data, message.metadata, widgets=self.widgets)
        self._set(name, bundle)
        if self._total > _ALL:
            self._shrink(name)
        return name, known

    def placed(self, name: str, row: int, first: int) -> None:
        """A row has the display; the rows before ``first`` are gone, and so are their displays."""
        self._rows.pop(name, None)
        self._rows[name] = row
        while (oldest := next(iter(self._rows))) != name and self._rows[oldest] < first:
            self._drop(oldest)

    def _set(self, name: str, bundle: Bundle) -> None:
        self._total -= self._sizes.get(name, 0)
        self._bundles[name], self._sizes[name] = bundle, size_of(bundle)
        self._total += self._sizes[name]
        self.changed.pop(name, None)
        self.changed[name] = None

    def _shrink(self, newest: str) -> None:
        note = _note("a display that is not kept here any more")
        for name, size in list(self._sizes.items()):
            if self._total <= _ALL:
                return
            if name != newest and size > size_of(note):
                self._set(name, note)

    def _drop(self, name: str) -> None:
        del self._rows[name], self._bundles[name]
        self._total -= self._sizes.pop(name)
        self.changed.pop(name, None)
        self._ids.pop(self._keys.pop(name, ("", "")), None)
