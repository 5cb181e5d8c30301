"""Dataclasses from JSON: values that fit the type of a field, and values that do not."""

# ruff: noqa: UP007, UP045 - spelled as at the far end, which runs on Python 3.9
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Optional, Union

import pytest

from pyrepl_stream import StreamType
from pyrepl_stream.runtime.fields import from_record, read_fields, readers_of
from pyrepl_stream.runtime.protocol.requests import CommandRequest, Request


@dataclass(frozen=True)
class Inner:
    name: str


@dataclass(frozen=True)
class Outer:
    text: str = ""
    flag: bool = False
    count: int = 0
    seconds: float = 0.0
    anything: Any = None
    stream: StreamType = StreamType.STDOUT
    mode: Literal["a", "b"] = "a"
    code: Optional[int] = None
    data: Union[str, bytes] = ""
    size: tuple[int, int] = (0, 0)
    lines: tuple[str, ...] = ()
    words: Optional[list[str]] = None
    extra: Mapping[str, Any] = ()  # type: ignore[assignment]
    env: Optional[Mapping[str, Optional[str]]] = None
    either: Union[int, str] = 0
    inner: Optional[Inner] = None


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("text", "x", "x"),
        ("flag", True, True),
        ("count", -1, -1),
        ("seconds", 1, 1),
        ("anything", [1, {}], [1, {}]),
        ("stream", "stderr", StreamType.STDERR),
        ("mode", "of a newer version", "of a newer version"),
        ("code", None, None),
        ("code", 10**30, 10**30),
        ("data", "x", "x"),
        ("size", [1, 2], (1, 2)),
        ("lines", ["a", "b"], ("a", "b")),
        ("words", ["a"], ["a"]),
        ("extra", {"a": 1}, {"a": 1}),
        ("env", {"A": None, "B": "b"}, {"A": None, "B": "b"}),
        ("either", "x", "x"),
        ("inner", {"name": "x", "newer": 1}, Inner("x")),
    ],
)
def test_a_value_that_fits_is_converted(name: str, value: Any, expected: Any) -> None:
    assert getattr(from_record(Outer, {name: value}), name) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", None),
        ("flag", 1),
        ("count", True),
        ("count", 1.0),
        ("seconds", float("nan")),
        ("seconds", True),
        ("stream", "stdin"),
        ("mode", 1),
        ("code", "1"),
        ("data", ["x"]),
        ("size", [1]),
        ("size", "12"),
        ("lines", ["a", 1]),
        ("words", "a"),
        ("extra", []),
        ("env", {"A": 1}),
        ("either", None),
        ("inner", {"name": 1}),
        ("inner", {}),
        ("inner", "x"),
    ],
)
def test_a_field_whose_value_does_not_fit_is_named(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=f"`{name}` is "):
        from_record(Outer, {name: value})


def test_only_fields_in_the_record_are_read() -> None:
    assert read_fields(Outer, {"text": "x", "newer": 1}) == {"text": "x"}


def test_a_value_that_is_not_an_object_is_refused() -> None:
    with pytest.raises(TypeError, match="is not an object"):
        read_fields(Outer, ["text"])  # type: ignore[arg-type]


@pytest.mark.parametrize("cls", [Request, CommandRequest])
def test_requests_have_types_that_can_be_read(cls: type) -> None:
    assert readers_of(cls)
