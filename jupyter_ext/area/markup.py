"""Makes HTML from a session safe for a page that runs scripts, in time proportional to its length.

The running time of nh3 grows with the square of the nesting depth and of the number of attributes of an
element: nh3 0.3.8 takes 21 s of CPU for one tag of 1 MiB with 150,000 attributes (this module 0.13 s), and
2.2 s for 360 KB of `<div><!--</div>-->`, whose depth cannot be found by counting tags. So the text is first
rewritten, tag by tag. nh3 then parses a text in which every element is closed in its place, without comments
or anything else that nh3 would drop.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import nh3

LINK = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
"""How a link may begin. A page resolves ``http:x`` to an address on its own server."""

_MOST_TAGS = 40_000  # of 20,000 elements; a page would draw more too slowly
_MOST_TEXT = 1 << 20  # characters, not counting images
_REFERENCE = 7  # additional characters counted for an ampersand
_DEEPEST = 256
_MOST_FORMATTING = 16

_TAGS = set(
    "a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure h1 h2 "
    "h3 h4 h5 h6 hr i img ins kbd li ol p pre q s samp small span strong sub summary sup table tbody td "
    "tfoot th thead tr u ul var".split()
)
_VOID = set("br col hr img".split())
_FORMATTING = set("a b code em i s small strong u".split())  # the parser reopens these in each paragraph
_WITHHELD = (  # removed with their content; the content of other disallowed elements stays
    "script style template iframe frameset object noembed noframes noscript textarea title svg math select "
    "xmp plaintext"
).split()
_STYLES = set(
    "background-color border border-bottom border-collapse border-left border-right border-top color "
    "font-family font-size font-style font-weight height max-height max-width min-width padding "
    "padding-bottom padding-left padding-right padding-top text-align text-decoration vertical-align "
    "white-space width".split()
)
_ANYWHERE = {"dir", "lang", "style", "title"}
_ATTRIBUTES = {
    "*": _ANYWHERE,
    "a": {"href"},
    "col": {"span"},
    "colgroup": {"span"},
    "details": {"open"},
    "img": {"alt", "height", "src", "width"},
    "ol": {"start"},
    "table": {"border"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
}
_SECTIONS = {"thead", "tbody", "tfoot"}
_ENDS: dict[str, set[str]] = {  # by start tag: elements that it closes if their end tags are missing
    "li": {"li"},
    "dt": {"dt", "dd"},
    "dd": {"dt", "dd"},
    **dict.fromkeys("blockquote details div dl figure h1 h2 h3 h4 h5 h6 hr ol p pre table ul".split(), {"p"}),
}
_HOLDS = set("blockquote details div dl figure ol table ul".split())  # tags inside close nothing outside
_CELLS = {"td", "th"}
_TABLE = {"table", "colgroup", "tr", *_SECTIONS}  # elements that may contain only one another and cells
_IN_TABLE: dict[str, set[str]] = {  # the elements that may contain each of these
    **dict.fromkeys(("caption", "colgroup", *_SECTIONS), {"table"}),
    "col": {"table", "colgroup"},
    "tr": {"table", *_SECTIONS},
    **dict.fromkeys(_CELLS, {"table", "tr", *_SECTIONS}),
}
_SCOPE = {"table", "caption", *_CELLS}  # a tag within one of these closes nothing outside it

# Each alternative consumes all that it examines, so nothing is examined twice. `re` keeps about 100
# bytes for each repetition of a group until the match ends, so a tag may have at most 1,000 quoted values.
_TOKEN = re.compile(
    r"<!--(?:-?>|.*?(?:--!?>|\Z))"
    r"|<[!?][^>]*>?"
    rf"|<(?P<withheld>{'|'.join(_WITHHELD)})\b.*?(?:</(?P=withheld)\b[^>]*>?|\Z)"
    r"""|<(?P<close>/?)(?P<name>[a-z][^\s/<>"']*)"""
    r"""(?P<rest>[^<>"']*(?:(?:"[^"]*"|'[^']*')[^<>"']*){0,1000})(?P<end>>?)"""
    r"|(?P<stray><)",
    re.IGNORECASE | re.DOTALL,
)
_ATTRIBUTE = re.compile(r"""([a-z][\w-]*)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>=]+)))?""", re.IGNORECASE)
_SOURCE = re.compile(r"data:image/(?:png|jpeg|gif|webp|svg\+xml)[;,]", re.IGNORECASE)
_COLOUR = re.compile(r"\b(?:rgb|hsl)a?\(", re.IGNORECASE)


def clean(html: str) -> str | None:
    """Return the harmless part of ``html``; None if it is too large or too deep to be drawn."""
    written = _Writer().write(html)
    return None if written is None else _CLEANER.clean(written)


class _Writer:
    def __init__(self) -> None:
        self._parts: list[str] = []
        self._open: list[str] = []
        self._formatting = 0  # number of open elements of _FORMATTING
        self._room = _MOST_TEXT

    def write(self, html: str) -> str | None:
        place = 0
        for count, token in enumerate(_TOKEN.finditer(html)):
            self._text(html[place : token.start()])
            place = token.start() if token["stray"] else token.end()
            name = (token["name"] or "").lower()
            if name in _TAGS and token["end"]:
                if not token["close"]:
                    self._begin(name, token["rest"])
                elif name in self._open:
                    self._close({name}, {"table"} if name == "table" or name in _IN_TABLE else _SCOPE)
            too_deep = len(self._open) > _DEEPEST or self._formatting > _MOST_FORMATTING
            if too_deep or count >= _MOST_TAGS or self._room < 0:
                return None
        self._text(html[place:])
        while self._open:
            self._pop()
        return None if self._room < 0 else "".join(self._parts)

    def _text(self, text: str) -> None:
        self._room -= len(text) + _REFERENCE * text.count("&")
        self._parts.append(text.replace("<", "&lt;"))

    def _begin(self, name: str, rest: str) -> None:
        if name in _IN_TABLE:
            if "table" not in self._open:
                return
            while self._open[-1] not in _IN_TABLE[name]:
                self._pop()
        elif self._open and self._open[-1] in _TABLE:
            # The parser would move it out of the table, perhaps to a place where it is not allowed.
            if self._open[-1] != "tr":
                self._begin("tr", "")
            self._begin("td", "")
            self._begin(name, rest)
            return
        elif name == "a":  # the parser would move a link out of a link, except in a table cell
            self._close({"a"}, _SCOPE - {"table"})
        elif name in _ENDS:
            self._close(_ENDS[name], _HOLDS)
        self._parts.append(f"<{name}{''.join(self._attributes(name, rest))}>")
        if name == "pre":
            self._parts.append("\n")  # nh3's parser and the page's parser each drop one
        if name not in _VOID:
            self._open.append(name)
            self._formatting += name in _FORMATTING

    def _attributes(self, name: str, rest: str) -> list[str]:
        allowed = _ANYWHERE | _ATTRIBUTES.get(name, set())
        found: dict[str, str] = {}
        for match in _ATTRIBUTE.finditer(rest):
            attribute = match[1].lower()
            if attribute in allowed and attribute not in found:
                value = match[2] or match[3] or match[4] or ""
                self._room -= 0 if attribute == "src" else len(value) + _REFERENCE * value.count("&")
                found[attribute] = value.replace('"', "&quot;")
        return [f' {attribute}="{value}"' for attribute, value in found.items()]

    def _close(self, names: set[str], until: Collection[str] = ()) -> None:
        """Close the innermost element of ``names`` and its content, unless one of ``until`` is open in it."""
        for depth in range(len(self._open) - 1, -1, -1):
            if self._open[depth] in names:
                while len(self._open) > depth:
                    self._pop()
                return
            if self._open[depth] in until:
                return

    def _pop(self) -> None:
        name = self._open.pop()
        self._formatting -= name in _FORMATTING
        self._parts.append(f"</{name}>")


def _attribute(tag: str, name: str, value: str) -> str | None:
    if name == "src":
        return value if _SOURCE.match(value) else None
    if name == "href":
        return value if LINK.match(value) else None
    if name == "style":
        return ";".join(part for part in value.split(";") if not _calls(part)) or None
    return value


def _calls(declaration: str) -> bool:
    """Return True if a declaration has a CSS function, which may load a resource, or an escape."""
    rest = _COLOUR.sub("", declaration)
    return "(" in rest or "\\" in rest


_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    clean_content_tags=set(_WITHHELD),
    attributes=_ATTRIBUTES,
    attribute_filter=_attribute,
    filter_style_properties=_STYLES,
    url_schemes={"http", "https", "mailto", "data"},
)
