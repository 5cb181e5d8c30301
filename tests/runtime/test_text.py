"""UTF-8 that comes in pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrepl_stream.runtime.text import MAX_OUTPUT, Utf8Decoder, utf8_size


def decoded(chunks: list[bytes]) -> list[str | bytes]:
    decoder = Utf8Decoder()
    pieces = [piece for chunk in chunks for piece in decoder.decode(chunk)]
    return [*pieces, decoder.flush()]


def as_bytes(pieces: list[str | bytes]) -> bytes:
    return b"".join(piece.encode() if isinstance(piece, str) else piece for piece in pieces)


@given(st.lists(st.one_of(st.binary(max_size=9), st.text(max_size=9).map(str.encode)), max_size=9))
def test_joined_pieces_are_the_bytes_that_were_decoded(chunks: list[bytes]) -> None:
    assert as_bytes(decoded(chunks)) == b"".join(chunks)


@given(st.text(), st.integers(1, 5))
def test_text_stays_text_wherever_it_is_cut(text: str, size: int) -> None:
    data = text.encode()
    *pieces, rest = decoded([data[at : at + size] for at in range(0, len(data), size)])
    assert all(isinstance(piece, str) for piece in pieces)
    assert "".join(map(str, pieces)) == text
    assert rest == b""


def test_bytes_that_are_not_utf_8_stay_bytes() -> None:
    assert decoded([b"\xff\xfe", b"ok"]) == [b"\xff\xfe", "ok", b""]


def test_a_character_that_is_not_completed_comes_with_the_flush() -> None:
    decoder = Utf8Decoder()
    assert list(decoder.decode("é".encode()[:1])) == []
    assert decoder.has_tail
    assert decoder.flush() == b"\xc3"
    assert not decoder.has_tail


def test_pieces_hold_at_most_max_output_bytes() -> None:
    data = ("x" + "é" * MAX_OUTPUT).encode()
    pieces = decoded([data])
    assert as_bytes(pieces) == data
    assert max(map(utf8_size, pieces)) <= MAX_OUTPUT


@pytest.mark.parametrize(("data", "size"), [("", 0), ("aé", 3), ("\ud800", 3), (b"\xff\x00", 2)])
def test_size_is_that_of_the_utf_8(data: str | bytes, size: int) -> None:
    assert utf8_size(data) == size
