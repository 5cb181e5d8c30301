"""Where YAML documents begin and end in one stream of text."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from .yaml_loading import load

__all__ = ("Item", "YamlDocuments")



class YamlDocument(NamedTuple):
    """What becomes an event."""

    data: Any


Item = str | YamlDocument

_PARTS = re.compile(r"[^\n]*+\n|[^\n]++")
_BLANK = " \t\r\n"
_START = re.compile(r"---[ \t\r\n]")
_END = re.compile(r"\.\.\.[ \t\r\n]")
_AFTER_START = "#{[&!"  # in its line; no block begins there, and all else is a scalar
_ENTRY = re.compile(r"[-?:](?:[ \t\r\n]|\Z)|[^%\n][^\n]*?:(?:[ \t\r\n]|\Z)")
_FREE = -1  # the indentation of what can go on in any column


class YamlDocuments:
    """The state of one stream: its place in the text, and the document that has begun."""

    def __init__(self, limit: int, implicit: bool) -> None:
        self._limit = limit
        self._implicit = implicit
        self._bare = implicit  # whether a document can begin, or has begun, without `---`
        self._at_start = True  # of a line
        self._head = ""  # at the start, what may become a marker
        self._lines: list[str] | None = None  # of the document
        self._line: list[str] = []  # the last one; never one text that grows: that takes quadratic time
        self._size = 0  # bytes of UTF-8
        self._indent: int | None = None  # of the first line of a block
        self._marked = False  # whether the last line has the document's marker, and nothing after it yet
        self._ending = False  # whether the last line is `...`

    def __bool__(self) -> bool:
        fresh = self._at_start and self._head == "" and self._bare == self._implicit
        return not fresh or self._lines is not None

    def pass_over(self, text: str) -> bool:
        """Whether nothing in ``text`` has to be looked at, as in most output: so that this costs nothing."""
        if self._lines is not None or self._bare or self._head or "\n-" in text or not text:
            return False
        if self._at_start and text.startswith("-"):
            return False
        self._at_start = text.endswith("\n")
        return True

    def read(self, text: str) -> list[Item]:
        """What comes of the next text."""
        out: list[Item] = []
        for part in _PARTS.findall(text):
            self._read_part(part, out)
        return out

    def end(self) -> list[Item]:
        """No more will come, so the document has ended here."""
        out: list[Item] = []
        head, self._head = self._head, ""
        if self._lines is not None and head != "---":
            self._line.append(head)
            if self._ending or head == "..." or self._goes_on("".join(self._line)):
                self._finish(out)
            else:
                self._give_up(out)
            return out
        self._finish(out)
        return [*out, head]

    def let_go(self) -> list[Item]:
        """Nothing can be held back any longer."""
        out: list[Item] = []
        if self._lines is not None:
            self._give_up(out)
        if self._head:
            out.append(self._head)
            self._head, self._at_start = "", False
        return out

    def after_bytes(self, data: bytes) -> None:
        self._at_start = data.endswith(b"\n")

    # -- lines ---------------------------------------------------------------------------------

    def _read_part(self, part: str, out: list[Item]) -> None:
        """A line, or what there is of it."""
        if self._at_start:
            part = self._head + part
            if "---".startswith(part) or (self._lines is not None and "...".startswith(part)):
                self._head = part
                return
            self._head, self._at_start = "", False
            if _START.match(part):
                self._finish(out)
                self._begin(bare=False)
            elif self._lines is None and self._bare:
                self._begin(bare=True)
            else:
                self._ending = _END.match(part) is not None
        if self._lines is None:
            out.append(part)
        else:
            self._extend(part, out)
        self._at_start = part.endswith("\n")

    def _begin(self, *, bare: bool) -> None:
        self._lines, self._line, self._size, self._indent = [], [], 0, None
        self._bare, self._marked, self._ending = bare, not bare, False

    def _extend(self, part: str, out: list[Item]) -> None:
        assert self._lines is not None
        after = (part if self._line else part[3:]).strip(_BLANK) if self._marked else ""
        if after:
            self._marked = False
            self._indent = None if after[0] == "#" else _FREE
        self._line.append(part)
        self._size += len(part) if part.isascii() else len(part.encode("utf-8", "surrogatepass"))
        if self._size > self._limit or (after and after[0] not in _AFTER_START):  # as `--- a/file`
            self._give_up(out)
        elif part.endswith("\n"):
            line = "".join(self._line)
            if self._ending:
                self._finish(out)
                self._bare = self._implicit
            elif self._goes_on(line):
                self._lines.append(line)
                self._line, self._marked = [], False
            else:
                self._give_up(out)

    def _goes_on(self, line: str) -> bool:
        """Whether a block can go on with this line, by its column; the parser has the last word."""
        content = line.lstrip(" ")
        if not content.strip(_BLANK) or content[0] == "#" or not self._lines and not self._bare:
            return True
        indent = len(line) - len(content)
        if self._indent is None and content[0] in "{[&!":
            self._indent = _FREE
        elif self._indent is None and _ENTRY.match(content):
            self._indent = indent
        elif self._indent is None:
            return False
        return indent > self._indent or (indent == self._indent and _ENTRY.match(content) is not None)

    def _give_up(self, out: list[Item]) -> None:
        assert self._lines is not None
        out += (*self._lines, *self._line)
        self._bare = self._bare and self._indent is None and self._size <= self._limit
        self._lines, self._line = None, []

    def _finish(self, out: list[Item]) -> None:
        if self._lines is None:
            return
        text = "".join((*self._lines, *self._line))
        data = None if self._indent is None else load(text)
        out.append(text if data is None else YamlDocument(data))
        self._lines, self._line, self._bare = None, [], False
