"""YAML documents in output become events."""

from __future__ import annotations

import base64
import datetime
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

from ..errors import UsageError
from ..messages import CompleteMessage, EventMessage, Message, OutputMessage
from .text import TextProcessor

__all__ = ("YamlStream",)

_DEEPEST = 200  # levels
_MOST_NODES = 100_000  # each alias counts as much as what it stands for
_LONGEST_NUMBER = 4300  # characters; sexagesimals of more would take quadratic time
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# The parser in Python is 30 times slower. A second for the worst document is the aim for either.
_LARGEST = 1 << 20 if hasattr(yaml, "CSafeLoader") else 1 << 15


class YamlStream(TextProcessor["_Documents"]):
    """Turns each YAML document that is a mapping or a sequence into an `event`; all else passes as it came.

    A document begins with a line ``---`` and ends before the next one, with a line ``...`` or at the end
    of the output. Its event stands for all of these lines. Text before the first ``---`` passes; with
    ``implicit``, as for tools that print bare documents, a document also begins at the first line of the
    output, or after ``...``, that can begin a mapping or a sequence.

    The event's name is the mapping's text field ``kind``, ``type`` or ``event``, else ``name``. It has the
    sequence number, the timestamp and the source of the output that completed the document.

    A document is held back until it is complete. It is let go at the first line that shows that it is
    none: prose, or a line that is indented less than its first one. Scalars, errors, unknown tags,
    references of a node to itself, collections as keys, more than 200 levels or 100,000 nodes (aliases
    counted by what they stand for) and documents of more than ``max_document_bytes`` pass as text.

    Data is as JSON has it: keys are text as written, dates are ISO 8601 text, binary is base64, sets are
    lists; scalars that cannot be had otherwise, as ``.nan``, are text as written.
    """

    def __init__(
        self, *, implicit: bool = False, max_document_bytes: int = _LARGEST, name: str = "yaml"
    ) -> None:
        super().__init__()
        if max_document_bytes < 1:
            raise UsageError(f"max_document_bytes is {max_document_bytes}, but must be at least 1")
        self._implicit = implicit
        self._limit = max_document_bytes
        self._name = name

    def for_reader(self) -> YamlStream:
        return YamlStream(implicit=self._implicit, max_document_bytes=self._limit, name=self._name)

    def _new_state(self) -> _Documents:
        return _Documents(self._limit, self._implicit)

    def _read(self, state: _Documents, message: OutputMessage, data: str) -> list[Message]:
        if state.pass_over(data):
            return [message]
        return self._messages(state.read(data), message)

    def _read_bytes(self, state: _Documents, message: OutputMessage) -> list[Message]:
        messages = self._messages(state.let_go(), message)
        assert isinstance(message.data, bytes)
        state.after_bytes(message.data)
        return [*messages, message]

    def _release(self, state: _Documents, last: OutputMessage, because: Message) -> list[Message]:
        items = state.end() if isinstance(because, CompleteMessage) else state.let_go()
        return self._messages(items, last)

    def _messages(self, items: Iterable[_Item], message: OutputMessage) -> list[Message]:
        messages: list[Message] = []
        text: list[str] = []
        for item in [*items, None]:
            if isinstance(item, str):
                text.append(item)
                continue
            if joined := "".join(text):
                messages.append(message if joined == message.data else replace(message, data=joined))
                text = []
            if item is not None:
                messages.append(self._event(item[0], message))
        return messages

    def _event(self, data: Any, message: OutputMessage) -> EventMessage:
        return EventMessage(
            execution_id=message.execution_id,
            sequence=message.sequence,
            timestamp=message.timestamp,
            source=message.source,
            name=_name_in(data) or self._name,
            data=data,
        )


_Item = str | tuple[Any]  # text passes, the data of a document becomes an event

_PARTS = re.compile(r"[^\n]*+\n|[^\n]++")
_BLANK = " \t\r\n"
_START = re.compile(r"---[ \t\r\n]")
_END = re.compile(r"\.\.\.[ \t\r\n]")
_AFTER_START = "#{[&!"  # in its line; no block begins there, and all else is a scalar
_ENTRY = re.compile(r"[-?:](?:[ \t\r\n]|\Z)|[^%\n][^\n]*?:(?:[ \t\r\n]|\Z)")
_FREE = -1  # the indentation of what can go on in any column


class _Documents:
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

    def read(self, text: str) -> list[_Item]:
        """What comes of the next text."""
        out: list[_Item] = []
        for part in _PARTS.findall(text):
            self._read_part(part, out)
        return out

    def end(self) -> list[_Item]:
        """No more will come, so the document has ended here."""
        out: list[_Item] = []
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

    def let_go(self) -> list[_Item]:
        """Nothing can be held back any longer."""
        out: list[_Item] = []
        if self._lines is not None:
            self._give_up(out)
        if self._head:
            out.append(self._head)
            self._head, self._at_start = "", False
        return out

    def after_bytes(self, data: bytes) -> None:
        self._at_start = data.endswith(b"\n")

    # -- lines ---------------------------------------------------------------------------------

    def _read_part(self, part: str, out: list[_Item]) -> None:
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

    def _extend(self, part: str, out: list[_Item]) -> None:
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

    def _give_up(self, out: list[_Item]) -> None:
        assert self._lines is not None
        out += (*self._lines, *self._line)
        self._bare = self._bare and self._indent is None and self._size <= self._limit
        self._lines, self._line = None, []

    def _finish(self, out: list[_Item]) -> None:
        if self._lines is None:
            return
        text = "".join((*self._lines, *self._line))
        data = None if self._indent is None else _load(text)
        out.append(text if data is None else (data,))
        self._lines, self._line, self._bare = None, [], False


# -- documents -------------------------------------------------------------------------------------


def _load(text: str) -> dict[str, Any] | list[Any] | None:
    """The document's data; None where it stays text."""
    try:
        _check_size(yaml.parse(text, Loader=_LOADER))
        data = _plain(yaml.compose(text, Loader=_LOADER), 1)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    return data if isinstance(data, (dict, list)) else None


def _check_size(events: Iterator[Any]) -> None:
    """Before anything is made of them. Raises :class:`ValueError`."""
    sizes: dict[str, int] = {}  # of nodes with an anchor, those that are whole
    begun: list[tuple[str, int]] = []
    nodes = 0
    for event in events:
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, before = begun.pop()
            sizes[anchor] = nodes - before
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise ValueError("an alias of nothing, or of a node that it is in")
            nodes += sizes[event.anchor]
        elif isinstance(event, yaml.NodeEvent):
            sizes.pop(event.anchor or "", None)
            nodes += 1
            if isinstance(event, yaml.CollectionStartEvent):
                begun.append((event.anchor or "", nodes - 1))
            elif event.anchor:
                sizes[event.anchor] = 1
        if nodes > _MOST_NODES or len(begun) > _DEEPEST:
            raise ValueError("too many nodes, or levels")


def _plain(node: yaml.Node | None, level: int) -> Any:
    """As JSON has it. Raises :class:`ValueError` and :class:`yaml.YAMLError`."""
    if level > _DEEPEST and not isinstance(node, yaml.ScalarNode):
        raise ValueError("too many levels")  # with those of aliases
    kind = node.tag.removeprefix(_YAML) if node is not None else ""
    if isinstance(node, yaml.ScalarNode) and kind in _SCALARS:
        return _scalar(node, kind)
    if isinstance(node, yaml.SequenceNode) and kind in ("seq", "omap", "pairs"):
        return [_plain(item, level + 1) for item in node.value]
    if isinstance(node, yaml.MappingNode) and kind == "set":
        return [_plain(key, level + 1) for key, _ in node.value]
    if isinstance(node, yaml.MappingNode) and kind == "map":
        _MAKER.flatten_mapping(node)  # merge keys: `<<`
        return {_key(key): _plain(value, level + 1) for key, value in node.value}
    raise ValueError("no plain data")


def _key(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode) or node.tag.removeprefix(_YAML) not in _SCALARS:
        raise ValueError("a collection as a key")
    return str(node.value)  # as it is written: `on` and `1.10` are keys of many files


def _scalar(node: yaml.ScalarNode, kind: str) -> Any:
    written = str(node.value)
    if kind in ("int", "float") and len(written) > _LONGEST_NUMBER:
        return written
    try:
        value = _SCALARS[kind](node)
    except (yaml.YAMLError, ValueError, LookupError, ArithmeticError):
        return written  # `2001-99-99`
    if isinstance(value, float):
        return value if math.isfinite(value) else written
    if isinstance(value, datetime.date):
        return value.isoformat()
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


_YAML = "tag:yaml.org,2002:"
_MAKER = SafeConstructor()
_SCALARS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("str", "merge", "value"), lambda node: node.value),
    "null": _MAKER.construct_yaml_null,
    "bool": _MAKER.construct_yaml_bool,
    "int": _MAKER.construct_yaml_int,
    "float": _MAKER.construct_yaml_float,
    "timestamp": _MAKER.construct_yaml_timestamp,
    "binary": _MAKER.construct_yaml_binary,
}


def _name_in(data: Any) -> str:
    if isinstance(data, dict):
        for key in ("kind", "type", "event"):
            name = data.get(key)
            if isinstance(name, str) and name:
                return name
    return ""
