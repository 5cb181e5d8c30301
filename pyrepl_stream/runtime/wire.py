"""The wire format: one message is one line of JSON, at most 1 MiB.

The same line is the record in a spool, the frame on a socket, the WebSocket text and the ``data:``
of a server-sent event. Lines are pure ASCII, so a lone surrogate travels as an escape sequence. Output
that is not UTF-8 travels in the field ``base64`` instead of ``data``. A message whose line would be
longer travels as numbered ``part`` lines, which :class:`Decoder` joins. This module does no I/O.

Standard library only, Python 3.9 or newer: this module also runs at the far end.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import chain
from typing import Any, NoReturn, Union

from .errors import ProtocolError
from .fields import Reader, readers_of
from .messages import MESSAGE_CLASSES, DisplayMessage, Message, ResultMessage, UnknownMessage
from .validation import short_repr

MAX_LINE = 1 << 20  # maximum bytes of a line, including its line end
MAX_MESSAGE = 64 << 20  # maximum bytes of JSON in a message; beyond it, MIME parts are replaced by notes
_MAX_DEPTH = 500  # maximum depth of nesting; CPython 3.11 reads under 1,000 levels, but 3.13 writes thousands
_PART_DATA = 500_000  # characters; escaping at most doubles their number, so a part stays below MAX_LINE
_MAX_PARTS = MAX_MESSAGE // _PART_DATA + 1
_MAX_SEQUENCE = (1 << 63) - 1
_LONGEST = MAX_MESSAGE - 1024  # the rest is reserved for the message's execution id and number

_COUNTED = ("sequence", "first", "request")  # fields that hold sequence numbers


def _sequence_number(value: Any) -> Any:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MAX_SEQUENCE:
        raise TypeError("not a sequence number")
    return value


@cache
def _readers(cls: type) -> tuple[tuple[str, Reader], ...]:
    """Return the fields of a class of messages that a line holds by name, each with its reader."""
    return tuple(
        (field, _sequence_number if field in _COUNTED else reader)
        for field, reader in readers_of(cls).items()
        if field not in ("extra", "unknown_type")
    )


def _finite(value: Any) -> Any:
    """Return ``value`` with None in place of NaN and infinities, which JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def _dump(record: Mapping[str, Any]) -> str:
    try:
        return json.dumps(record, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return json.dumps(_finite(record), separators=(",", ":"), allow_nan=False)


def _record(message: Message) -> dict[str, Any]:
    cls: type = type(message)
    kind = message.unknown_type if isinstance(message, UnknownMessage) else message.type
    record: dict[str, Any] = {"type": kind}
    is_display = isinstance(message, (DisplayMessage, ResultMessage))
    for name, read in _readers(cls):
        value = getattr(message, name)
        if is_display:  # from user code: a field may hold a value that no reader would accept
            try:
                read(value)
            except (TypeError, ValueError):
                cannot = f"the `{name}` of a {type(message).__name__} cannot be {short_repr(value)}"
                raise TypeError(cannot) from None
        if isinstance(value, bytes):
            record["base64"] = base64.b64encode(value).decode("ascii")
        elif value != "" or name != "source":
            record[name] = value
    if not record.get("first", 1):  # a gap that stands only for its own number
        del record["first"]
    for name, value in message.extra.items():
        record.setdefault(name, value)
    return record


def _check_depth(brackets: int, record: Mapping[str, Any]) -> None:
    if brackets <= _MAX_DEPTH:
        return
    level: list[Any] = [record]
    for _ in range(_MAX_DEPTH):
        items = chain.from_iterable(
            value.values() if isinstance(value, Mapping) else value for value in level
        )
        level = [item for item in items if isinstance(item, (dict, list, tuple))]
    if level:
        raise ProtocolError(f"a message has more than {_MAX_DEPTH} levels of nesting")


def _bounded(message: Message, record: Mapping[str, Any]) -> str:
    """Return the JSON of a message, with notes in place of MIME parts that would make it too long."""
    text = _dump(record)
    _check_depth(text.count("[") + text.count("{"), record)
    if len(text) <= _LONGEST:
        return text
    if isinstance(message, (DisplayMessage, ResultMessage)):
        data = dict(message.data)
        sizes = {mime: len(_dump({"": value})) for mime, value in data.items()}
        for mime, size in sorted(sizes.items(), key=lambda entry: -entry[1]):
            data.pop(mime)
            note = f"[{mime} of {size} bytes was left out: the limit is {MAX_MESSAGE} bytes]"
            data["text/plain"] = "\n".join(filter(None, (str(data.get("text/plain", "")), note)))
            text = _dump({**record, "data": data})
            if len(text) <= _LONGEST:
                return text
    raise ProtocolError(f"a message of {len(text)} bytes exceeds the limit of {MAX_MESSAGE} bytes")


def encode(message: Message) -> bytes:
    """Return a message as one line, or as several ``part`` lines if one would be too long.

    Raises:
        ProtocolError: The message exceeds ``MAX_MESSAGE`` and has no MIME part to leave out, or it has
            more than 500 levels of nesting.
        TypeError: Its data cannot be represented as JSON.
    """
    text = _bounded(message, _record(message))
    return _cut(text, message.execution_id, message.sequence)


def unnumbered(message: Message) -> bytes:
    """Return a message as JSON without its number, for :func:`numbered`. Raises as :func:`encode` does."""
    record = _record(message)
    del record["execution_id"], record["sequence"]
    return _bounded(message, record).encode("ascii")


def numbered(body: bytes, execution_id: str, sequence: int) -> bytes:
    """Return the line or lines of a message without decoding its ``body``, which :func:`unnumbered` made."""
    head = b'{"execution_id":%b,"sequence":%d,' % (json.dumps(execution_id).encode("ascii"), sequence)
    if len(head) + len(body) < MAX_LINE:
        return b"%b%b\n" % (head, body[1:])
    return _cut((head + body[1:]).decode("ascii"), execution_id, sequence)


def _cut(text: str, execution_id: str, sequence: int) -> bytes:
    if len(text) < MAX_LINE:
        return text.encode("ascii") + b"\n"
    pieces = [text[start : start + _PART_DATA] for start in range(0, len(text), _PART_DATA)]
    part = {"type": "part", "execution_id": execution_id, "sequence": sequence}
    lines = [
        _dump({**part, "part": number, "parts": len(pieces), "data": piece}) + "\n"
        for number, piece in enumerate(pieces, 1)
    ]
    return "".join(lines).encode("ascii")


def _reject(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _load(line: Union[bytes, str]) -> dict[str, Any]:
    try:
        record = json.loads(line, parse_constant=_reject)
    except (ValueError, RecursionError) as exc:
        raise ProtocolError(f"not a line of JSON: {short_repr(line[:80])}") from exc
    if not isinstance(record, dict) or not isinstance(record.get("type"), str):
        raise ProtocolError(f"not an object with a type: {short_repr(line[:80])}")
    return record


def _message(record: dict[str, Any]) -> Message:
    name = record.pop("type")
    values: dict[str, Any] = {}
    if name == "output" and "base64" in record:
        record.pop("data", None)
        try:
            values["data"] = base64.b64decode(record.pop("base64"), validate=True)
        except (binascii.Error, ValueError, TypeError) as exc:
            raise ProtocolError("output: `base64` is not base64") from exc
    cls = MESSAGE_CLASSES.get(name, UnknownMessage)
    for key, read in _readers(cls):
        if key in record:
            value = record.pop(key)
            try:
                values[key] = read(value)
            except (TypeError, ValueError):
                raise ProtocolError(f"{name}: `{key}` cannot be {short_repr(value)}") from None
    if values.get("sequence", 0) < 1 or "execution_id" not in values:
        raise ProtocolError(f"{name}: a message needs an execution_id and a sequence of 1 or more")
    if cls is UnknownMessage:
        return UnknownMessage(unknown_type=name, extra=record, **values)
    if values.get("first", 1) > values["sequence"] or values.get("first", 1) < 1:
        raise ProtocolError("gap: `first` is not within 1..sequence")
    message: Message = cls(extra=record, **values)
    return message


def decode(line: Union[bytes, str]) -> Message:
    """Return the message in one line. Where ``part`` lines can arrive, use :class:`Decoder`.

    Raises:
        ProtocolError: The line is not a message.
    """
    record = _load(line)
    if record["type"] == "part":
        raise ProtocolError("a part is only a piece of a message: use a Decoder to join them")
    return _message(record)


def decode_unnumbered(body: bytes) -> Message:
    """Return the message in ``body``, which should be from :func:`unnumbered`. Its number has no meaning.

    Every reader can decode what :func:`numbered` makes of a body that passes.

    Raises:
        ProtocolError: It is not a message in ASCII without a line end, or has a number of its own.
    """
    record = _load(body)
    if not body.isascii() or not body.startswith(b"{") or b"\n" in body or b"\r" in body:
        raise ProtocolError(f"not one line of ASCII: {short_repr(body[:80])}")
    if record["type"] == "part" or not record.keys().isdisjoint(("execution_id", "sequence", "first")):
        raise ProtocolError(f"a message with a number of its own: {short_repr(body[:80])}")
    _check_depth(body.count(b"[") + body.count(b"{"), record)
    return _message({**record, "execution_id": "-", "sequence": _MAX_SEQUENCE})


def _check_length(line: Union[bytes, bytearray]) -> None:
    if len(line) >= MAX_LINE:
        raise ProtocolError(f"a line exceeds the limit of {MAX_LINE} bytes")


class Decoder:
    """Joins bytes into lines, and parts into messages. Each connection or file needs its own decoder."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._parts: list[str] = []
        self._of: tuple[Any, ...] = ()
        self._size = 0

    @property
    def held(self) -> int:
        """The size of what was fed and belongs to a message that is not complete, in bytes."""
        return len(self._buffer) + self._size

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yield the messages that ``data`` completes.

        Raises:
            ProtocolError: The data does not consist of lines of messages, or a line or message is too long.
        """
        start = len(self._buffer)
        self._buffer += data
        begin = 0
        while (end := self._buffer.find(b"\n", max(begin, start))) >= 0:
            line = bytes(self._buffer[begin:end])
            begin = end + 1
            _check_length(line)
            if line.strip():
                yield from self._line(line)
        del self._buffer[:begin]
        _check_length(self._buffer)

    def close(self) -> None:
        """Check that the input may end here.

        Raises:
            ProtocolError: The input ends inside a message.
        """
        if self._buffer or self._parts:
            raise ProtocolError("the input ended inside a message")

    def _line(self, line: bytes) -> Iterator[Message]:
        record = _load(line)
        if record["type"] != "part":
            if self._parts:
                raise ProtocolError("a message began before the parts of the previous one were complete")
            yield _message(record)
            return
        of = (record.get("execution_id"), record.get("sequence"), record.get("parts"))
        index, count, data = record.get("part"), record.get("parts"), record.get("data")
        if not self._parts:
            self._of = of
        is_next = of == self._of and index == len(self._parts) + 1
        if not (is_next and isinstance(count, int) and isinstance(data, str) and len(self._parts) < count):
            raise ProtocolError("a part is out of order")
        if count > _MAX_PARTS:
            raise ProtocolError(f"the parts of a message exceed the limit of {_MAX_PARTS}")
        self._size += len(data)
        if self._size > MAX_MESSAGE:
            raise ProtocolError(f"the parts of a message exceed {MAX_MESSAGE} bytes")
        self._parts.append(data)
        if index == count:
            text, self._parts, self._size = "".join(self._parts), [], 0
            inner = _load(text)
            if inner["type"] == "part":
                raise ProtocolError("a part contains another part")
            yield _message(inner)
