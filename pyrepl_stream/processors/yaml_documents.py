"""Finds the documents in one stream of YAML and other text."""

from __future__ import annotations

import re

from ..runtime.text import utf8_size
from .document_events import Document, Item
from .yaml_loading import load

_PARTS = re.compile(r"[^\n]+\n?|\n")
_BLANK = " \t\r\n"
_START = re.compile(r"---[ \t\r\n]")
_END = re.compile(r"\.\.\.[ \t\r\n]")
_AFTER_START = "#{[&!"  # may follow `---` on its line: a block cannot, and other characters begin a scalar
_ENTRY = re.compile(r"[-?:](?:[ \t\r\n]|\Z)|[^%\n][^\n]*?:(?:[ \t\r\n]|\Z)")
_FREE = -1  # the indentation of a document whose lines may begin in any column


class YamlDocuments:
    """The state of one stream: the position in the text, and the document that has begun."""

    def __init__(self, limit: int, implicit: bool) -> None:
        self._limit = limit
        self._implicit = implicit
        self._bare = implicit  # a document can begin, or has begun, without `---`
        self._at_start = True  # the next text is at the start of a line
        self._head = ""  # the start of a line that may become a marker
        self._begun = False  # a document has begun
        self._lines: list[str] = []  # the complete lines of the document
        self._line: list[str] = []  # the pieces of its last line; joining them each time takes quadratic time
        self._size = 0  # the size of the document in bytes of UTF-8
        self._indent: int | None = None  # the indentation of the first line of a block
        self._marked = False  # the last line is the `---` of the document, with nothing after it yet
        self._ending = False  # the last line is `...`

    def __bool__(self) -> bool:
        fresh = self._at_start and self._head == "" and self._bare == self._implicit
        return self._begun or not fresh

    def pass_over(self, text: str) -> bool:
        """Return True if all of ``text`` passes. This check is cheap, and suffices for most output."""
        if self._begun or self._bare or self._head or "\n-" in text or not text:
            return False
        if self._at_start and text.startswith("-"):
            return False
        self._at_start = text.endswith("\n")
        return True

    def read(self, text: str) -> list[Item]:
        """Read the next text; return the text that passes and the documents, in order."""
        return [item for part in _PARTS.findall(text) for item in self._read_part(part)]

    def end(self) -> list[Item]:
        """Return the held items at the end of the output, which also ends the document."""
        head, self._head = self._head, ""
        if head == "---" or not self._begun:
            return [*self._finish(), head]
        self._line.append(head)
        ends = self._ending or head == "..." or self._may_continue("".join(self._line))
        return self._finish(loads=ends)

    def release(self) -> list[Item]:
        """Return the held text, because it cannot be held any longer."""
        head, self._head = self._head, ""
        self._at_start = self._at_start and not head
        return [*self._finish(loads=False), head]

    def after_bytes(self, data: bytes) -> None:
        """Record that bytes which are not UTF-8 have passed."""
        self._at_start = data.endswith(b"\n")

    # -- lines ---------------------------------------------------------------------------------

    def _read_part(self, part: str) -> list[Item]:
        """Read a line or a part of one."""
        items: list[Item] = []
        if self._at_start:
            part = self._head + part
            if "---".startswith(part) or (self._begun and "...".startswith(part)):
                self._head = part
                return []
            self._head = ""
            marked = _START.match(part) is not None
            if marked:
                items = self._finish()
            self._ending = _END.match(part) is not None
            if marked or (self._bare and not self._begun):
                self._begun, self._bare, self._marked, self._ending = True, not marked, marked, False
        self._at_start = part.endswith("\n")
        return [*items, *self._extend(part)] if self._begun else [*items, part]

    def _extend(self, part: str) -> list[Item]:
        """Add a line or a part of one to the document."""
        after = (part if self._line else part[3:]).strip(_BLANK) if self._marked else ""
        if after:
            self._marked = False
            self._indent = None if after[0] == "#" else _FREE
        self._line.append(part)
        self._size += utf8_size(part)
        if self._size > self._limit or (after and after[0] not in _AFTER_START):  # such as `--- a/file`
            return self._finish(loads=False)
        if not part.endswith("\n"):
            return []
        line = "".join(self._line)
        if self._ending:
            items = self._finish()
            self._bare = self._implicit
            return items
        if not self._may_continue(line):
            return self._finish(loads=False)
        self._lines.append(line)
        self._line, self._marked = [], False
        return []

    def _may_continue(self, line: str) -> bool:
        """Return True if a line with this indentation may continue the document; the parser decides later."""
        content = line.lstrip(" ")
        if not content.strip(_BLANK) or content[0] == "#" or not self._lines and not self._bare:
            return True
        indent = len(line) - len(content)
        is_entry = _ENTRY.match(content) is not None
        if self._indent is None:
            if content[0] not in "{[&!" and not is_entry:
                return False
            self._indent = _FREE if content[0] in "{[&!" else indent
        return indent > self._indent or (indent == self._indent and is_entry)

    def _finish(self, *, loads: bool = True) -> list[Item]:
        """End the document that has begun, if any. It becomes an event if it loads; else its text passes."""
        if not self._begun:
            return []
        text = "".join((*self._lines, *self._line))
        data = load(text) if loads and self._indent is not None else None
        # The next line may begin a document without a marker if this one had only blanks and comments.
        self._bare = self._bare and not loads and self._indent is None and self._size <= self._limit
        self._begun, self._lines, self._line, self._size, self._indent = False, [], [], 0, None
        return [text if data is None else Document(data, text)]
