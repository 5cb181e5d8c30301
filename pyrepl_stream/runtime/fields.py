"""Creates dataclasses from decoded JSON, guided by the types of their fields."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Callable, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from .validation import short_repr

Reader = Callable[[Any], Any]
"""Converts a JSON value to a field's value. Raises TypeError or ValueError if the JSON value does not fit."""

_T = TypeVar("_T")


@cache
def readers_of(cls: type) -> Mapping[str, Reader]:
    """Return a reader for each field of a dataclass."""
    hints = get_type_hints(cls)
    return {field.name: _reader(hints[field.name]) for field in fields(cls)}


def read_fields(cls: type, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the fields of the dataclass ``cls`` that are present in ``record``.

    Names that are not fields are ignored: a newer version may have written them.

    Raises:
        TypeError: ``record`` is not a mapping, or a value does not fit the type of its field.
    """
    if not isinstance(record, Mapping):
        raise TypeError(f"{short_repr(record)} is not an object")
    values = {}
    for name, read in readers_of(cls).items():
        if name in record:
            try:
                values[name] = read(record[name])
            except (TypeError, ValueError) as exc:
                raise TypeError(f"`{name}` is {short_repr(record[name])}") from exc
    return values


def from_record(cls: type[_T], record: Mapping[str, Any]) -> _T:
    """Return an instance of the dataclass ``cls``.

    Raises:
        TypeError: As for :func:`read_fields`; also if a field without a default is missing.
    """
    return cls(**read_fields(cls, record))


def _reader(hint: Any) -> Reader:
    if hint in _READERS:
        return _READERS[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Union:
        return _union(arguments)
    if origin is Literal:
        return _READERS[type(arguments[0])]  # a newer version may know more values
    if origin is tuple and arguments[-1] is not Ellipsis:
        return _row([_reader(argument) for argument in arguments])
    if origin in (tuple, list):
        return _sequence(_reader(arguments[0]), origin)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(_reader(arguments[1]))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    if is_dataclass(hint):
        return lambda value: from_record(hint, value)  # type: ignore[arg-type]  # it is a class here
    raise TypeError(f"fields of type {hint!r} cannot be read from JSON")


def _instance(*types: type) -> Reader:
    def read(value: Any) -> Any:
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise TypeError(f"not a value of type {types[0].__name__}")
        return value

    return read


_array, _object, _int_or_float = _instance(list, tuple), _instance(dict), _instance(float, int)


def _number(value: Any) -> Any:
    if not abs(_int_or_float(value)) < math.inf:
        raise ValueError("not a finite number")
    return value


_READERS: Mapping[Any, Reader] = {
    Any: lambda value: value,
    str: _instance(str),
    bool: _instance(bool),
    int: _instance(int),
    float: _number,
}


def _union(arguments: Sequence[Any]) -> Reader:
    optional = type(None) in arguments
    # JSON has no bytes.
    readers = [_reader(argument) for argument in arguments if argument not in (bytes, type(None))]

    def read(value: Any) -> Any:
        if optional and value is None:
            return None
        for reader in readers[:-1]:
            try:
                return reader(value)
            except (TypeError, ValueError):
                continue
        return readers[-1](value)

    return read


def _sequence(reader: Reader, make: type) -> Reader:
    return lambda value: make(reader(item) for item in _array(value))


def _row(readers: Sequence[Reader]) -> Reader:
    def read(value: Any) -> Any:
        if len(_array(value)) != len(readers):
            raise ValueError(f"not {len(readers)} values")
        return tuple(reader(item) for reader, item in zip(readers, value))

    return read


def _mapping(reader: Reader) -> Reader:
    if reader is _READERS[Any]:
        return _object
    return lambda value: {key: reader(item) for key, item in _object(value).items()}
