"""The wire format: one message is one line of JSON, at most 1 MiB.

The same line is the record in a spool, the frame on a socket, the WebSocket text and the ``data:``
of a server-sent event. Lines are pure ASCII, so a lone surrogate travels as its escape. Output that
is no UTF-8 travels as ``base64`` in place of ``data``. A message whose line would be longer travels
as numbered ``part`` lines, which :class:`Decoder` joins. No I/O here: bytes in, messages out.

Standard library only, Python 3.9 or newer: this file also runs at the far end.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, Callable, NoReturn, Union

from .errors import ProtocolError
from .messages import (
    MESSAGE_CLASSES,
    DisplayMessage,
    Message,
    ResultMessage,
    StreamType,
    UnknownMessage,
)

__all__ = ("MAX_LINE", "MAX_MESSAGE", "encode", "unnumbered", "numbered", "decode", "Decoder")

MAX_LINE = 1 << 20
"""Longest line in bytes, its line end included."""

MAX_MESSAGE = 64 << 20
"""Longest message in bytes of JSON; a larger MIME part is replaced by a note."""

_PART_DATA = 500_000  # at most doubled by escaping once more, so a part stays below MAX_LINE
_MAX_SEQUENCE = (1 << 63) - 1
_LONGEST = MAX_MESSAGE - 1024  # the number of a message takes the rest

_Check = Callable[[Any], bool]


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    return (_integer(value) or isinstance(value, float)) and abs(value) < math.inf


def _count(value: Any) -> bool:
    return _integer(value) and 0 <= value <= _MAX_SEQUENCE


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _lines(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(line, str) for line in value)


def _anything(value: Any) -> bool:
    return True


def _optional(check: _Check) -> _Check:
    return lambda value: value is None or check(value)


# What a field may hold, by the annotation it has in messages.py.
_CHECKS: Mapping[str, _Check] = {
    "str": _text,
    "int": _count,
    "float": _number,
    "bool": _flag,
    "Any": _anything,
    "MimeBundle": _mapping,
    "Mapping[str, Any]": _mapping,
    "tuple[str, ...]": _lines,
    "Optional[str]": _optional(_text),
    "Optional[int]": _optional(_integer),
    "Optional[float]": _optional(_number),
    "StreamType": lambda value: value in ("stdout", "stderr"),
    "Union[str, bytes]": _text,
}

_FIELDS: Mapping[str, tuple[tuple[str, _Check], ...]] = {
    name: tuple((f.name, _CHECKS[str(f.type)]) for f in fields(cls) if f.name != "extra")
    for name, cls in MESSAGE_CLASSES.items()
}
_COMMON = tuple((f.name, _CHECKS[str(f.type)]) for f in fields(Message) if f.name != "extra")


def _finite(value: Any) -> Any:
    """The same value with NaN and infinities, which JSON does not have, as ``None``."""
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
    if isinstance(message, UnknownMessage):
        record: dict[str, Any] = {"type": message.unknown_type}
        names = [name for name, _ in _COMMON]
    else:
        record = {"type": str(message.type.value)}  # type: ignore[attr-defined]  # only Unknown has a plain str
        names = [name for name, _ in _FIELDS[record["type"]]]
    if isinstance(message, (DisplayMessage, ResultMessage)):
        _check_display(message)
    for name in names:
        value = getattr(message, name)
        if isinstance(value, bytes):
            record["base64"] = base64.b64encode(value).decode("ascii")
        elif value != "" or name not in ("source",):
            record[name] = value
    for name, value in message.extra.items():
        record.setdefault(name, value)
    return record


def _check_display(message: Union[DisplayMessage, ResultMessage]) -> None:
    """The code of users gives these: what no reader would take is refused at once."""
    for name, check in _FIELDS[message.type]:
        value = getattr(message, name)
        if not check(value):
            raise TypeError(f"the `{name}` of a {type(message).__name__} cannot be {_shown(repr(value))}")


def _bounded(message: Message, record: Mapping[str, Any]) -> str:
    """The JSON of a message; notes replace the MIME parts that would make it too long."""
    text = _dump(record)
    if len(text) <= _LONGEST:
        return text
    if isinstance(message, (DisplayMessage, ResultMessage)):
        data = dict(message.data)
        for mime in sorted(data, key=lambda mime: -len(_dump({"": data[mime]}))):
            size = len(_dump({"": data[mime]}))
            data.pop(mime)
            note = f"[{mime} of {size} bytes was left out: the limit is {MAX_MESSAGE} bytes]"
            data["text/plain"] = "\n".join(filter(None, (str(data.get("text/plain", "")), note)))
            text = _dump({**record, "data": data})
            if len(text) <= _LONGEST:
                return text
    raise ProtocolError(f"a message of {len(text)} bytes is over the limit of {MAX_MESSAGE} bytes")


def encode(message: Message) -> bytes:
    """Turn a message into its line, or its lines when one would be too long.

    Raises :class:`ProtocolError` for a message over ``MAX_MESSAGE`` that has no MIME part to leave
    out, and :class:`TypeError` for data that JSON cannot hold.
    """
    text = _bounded(message, _record(message))
    return _cut(text, message.execution_id, message.sequence)


def unnumbered(message: Message) -> bytes:
    """A message that has no number yet, as JSON, for :func:`numbered`. Raises as :func:`encode` does."""
    record = _record(message)
    del record["execution_id"], record["sequence"]
    if not record.get("first", 1):  # a gap that stands for itself alone: its number says it
        del record["first"]
    return _bounded(message, record).encode("ascii")


def numbered(body: bytes, execution_id: str, sequence: int) -> bytes:
    """The line, or lines, of a message: what :func:`unnumbered` made of it gets its number, undecoded."""
    head = b'{"execution_id":%b,"sequence":%d,' % (json.dumps(execution_id).encode("ascii"), sequence)
    if len(head) + len(body) < MAX_LINE:
        return b"%b%b\n" % (head, body[1:])
    return _cut((head + body[1:]).decode("ascii"), execution_id, sequence)


def _cut(text: str, execution_id: str, sequence: int) -> bytes:
    if len(text) < MAX_LINE:
        return text.encode("ascii") + b"\n"
    count = -(-len(text) // _PART_DATA)
    return b"".join(
        _dump(
            {
                "type": "part",
                "execution_id": execution_id,
                "sequence": sequence,
                "part": index + 1,
                "parts": count,
                "data": text[index * _PART_DATA : (index + 1) * _PART_DATA],
            }
        ).encode("ascii")
        + b"\n"
        for index in range(count)
    )


def _reject(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _load(line: Union[bytes, str]) -> dict[str, Any]:
    try:
        record = json.loads(line, parse_constant=_reject)
    except (ValueError, RecursionError) as exc:
        raise ProtocolError(f"not a line of JSON: {_shown(line)}") from exc
    if not isinstance(record, dict) or not isinstance(record.get("type"), str):
        raise ProtocolError(f"not an object with a type: {_shown(line)}")
    return record


def _shown(line: Union[bytes, str]) -> str:
    return repr(line[:80]) + ("..." if len(line) > 80 else "")


def _message(record: dict[str, Any]) -> Message:
    name = record.pop("type")
    known = _FIELDS.get(name, _COMMON)
    values: dict[str, Any] = {}
    if name == "output" and "base64" in record:
        try:
            values["data"] = base64.b64decode(record.pop("base64"), validate=True)
        except (binascii.Error, ValueError, TypeError) as exc:
            raise ProtocolError("output: `base64` is not base64") from exc
    for key, check in known:
        if key in record:
            value = record.pop(key)
            if not check(value):
                raise ProtocolError(f"{name}: the value of `{key}` is not valid: {_shown(repr(value))}")
            if key not in values:
                values[key] = value
    if values.get("sequence", 0) < 1 or "execution_id" not in values:
        raise ProtocolError(f"{name}: a message needs an execution_id and a sequence from 1 on")
    if name not in MESSAGE_CLASSES:
        return UnknownMessage(unknown_type=name, extra=record, **values)
    if "stream" in values:
        values["stream"] = StreamType(values["stream"])
    if "traceback" in values:
        values["traceback"] = tuple(values["traceback"])
    if values.get("first", 1) > values["sequence"] or values.get("first", 1) < 1:
        raise ProtocolError("gap: `first` is not within 1..sequence")
    message: Message = MESSAGE_CLASSES[name](extra=record, **values)
    return message


def decode(line: Union[bytes, str]) -> Message:
    """Turn one line into a message. Raises :class:`ProtocolError` for anything that is none.

    A ``part`` line is no message: use :class:`Decoder` where they can come.
    """
    record = _load(line)
    if record["type"] == "part":
        raise ProtocolError("a part is only a piece of a message; a Decoder joins them")
    return _message(record)


class Decoder:
    """Joins bytes to lines and parts to messages. One per connection or file."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._parts: list[str] = []
        self._of: tuple[Any, ...] = ()
        self._size = 0

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yield the messages that ``data`` completes. Raises :class:`ProtocolError`."""
        start = len(self._buffer)
        self._buffer += data
        begin = 0
        while True:
            end = self._buffer.find(b"\n", max(begin, start))
            if end < 0:
                break
            line = bytes(self._buffer[begin:end])
            begin = end + 1
            if len(line) >= MAX_LINE:
                self._too_long()
            if line.strip():
                yield from self._line(line)
        del self._buffer[:begin]
        if len(self._buffer) >= MAX_LINE:
            self._too_long()

    def close(self) -> None:
        """The peer has ended. Raises :class:`ProtocolError` when it was in mid-message."""
        if self._buffer or self._parts:
            raise ProtocolError("the stream ended inside a message")

    def _too_long(self) -> NoReturn:
        raise ProtocolError(f"a line is longer than {MAX_LINE} bytes")

    def _line(self, line: bytes) -> Iterator[Message]:
        record = _load(line)
        if record["type"] != "part":
            if self._parts:
                raise ProtocolError("a message began before the parts of the last one were complete")
            yield _message(record)
            return
        of = (record.get("execution_id"), record.get("sequence"), record.get("parts"))
        index, count, data = record.get("part"), record.get("parts"), record.get("data")
        if not self._parts:
            self._of = of
        if (
            of != self._of
            or index != len(self._parts) + 1
            or not _integer(count)
            or not isinstance(data, str)
            or index > count
        ):
            raise ProtocolError("a part is out of order")
        self._size += len(data)
        if self._size > MAX_MESSAGE:
            raise ProtocolError(f"the parts of a message exceed {MAX_MESSAGE} bytes")
        self._parts.append(data)
        if index == count:
            text, self._parts, self._size = "".join(self._parts), [], 0
            inner = _load(text)
            if inner["type"] == "part":
                raise ProtocolError("a part inside a part")
            yield _message(inner)
