"""The messages: the properties that every reader relies on."""

from __future__ import annotations

import dataclasses

import pytest

from pyrepl_stream import (
    CompleteMessage,
    ErrorMessage,
    ExecuteMessage,
    GapMessage,
    Message,
    MessageType,
    OutputMessage,
    StreamType,
)
from pyrepl_stream.runtime.messages import MESSAGE_CLASSES, UnknownMessage


def test_message_types_have_the_upper_case_names_of_the_design() -> None:
    names = (
        "OUTPUT DISPLAY RESULT CLEAR ERROR LOG PROGRESS EVENT INPUT_REQUEST INPUT_REPLY GAP COMPLETE".split()
    )
    assert [member.name for member in MessageType] == names
    assert [member.value for member in MessageType] == [name.lower() for name in names]


def test_types_and_streams_compare_equal_to_their_text() -> None:
    assert MessageType.OUTPUT == "output"
    assert StreamType.STDERR == "stderr"
    assert OutputMessage().type == MessageType.OUTPUT
    assert OutputMessage().stream == StreamType.STDOUT


def test_each_type_has_one_class_that_knows_its_type() -> None:
    assert set(MESSAGE_CLASSES) == {member.value for member in MessageType}
    for name, cls in MESSAGE_CLASSES.items():
        assert cls.type == name
        assert issubclass(cls, Message)


@pytest.mark.parametrize("cls", [*MESSAGE_CLASSES.values(), UnknownMessage])
def test_messages_are_immutable(cls: type[Message]) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        cls().sequence = 1  # type: ignore[misc]  # the type is what is tested


def test_the_id_is_derived_from_execution_and_sequence() -> None:
    one = OutputMessage(execution_id="job", sequence=7, data="a")
    other = CompleteMessage(execution_id="job", sequence=7)
    assert one.id == other.id
    assert one.id != OutputMessage(execution_id="job", sequence=8).id
    assert one.id != OutputMessage(execution_id="job2", sequence=7).id


def test_a_gap_stands_for_its_range_and_others_for_themselves() -> None:
    assert GapMessage(first=3, sequence=9).span_start == 3
    assert GapMessage(sequence=9).span_start == 9
    assert OutputMessage(sequence=9).span_start == 9


def test_the_text_of_output_is_decoded_with_replacement_characters() -> None:
    assert OutputMessage(data="é").text == "é"
    assert OutputMessage(data=b"a\xff").text == "a\N{REPLACEMENT CHARACTER}"


def test_a_request_without_an_id_gets_one_of_its_own() -> None:
    one, other = ExecuteMessage("1"), ExecuteMessage("1")
    assert one.id != other.id
    assert one.timestamp > 0


def test_a_request_keeps_the_id_and_timestamp_it_was_given() -> None:
    request = ExecuteMessage(id="large-1", timestamp=0, code="pass")
    assert (request.id, request.timestamp, request.code) == ("large-1", 0, "pass")


def test_the_repr_omits_extra_fields() -> None:
    assert "secret" not in repr(ErrorMessage(extra={"secret": 1}))


def test_the_text_of_a_gap_gives_its_size_and_its_reason() -> None:
    gap = GapMessage(bytes=12_000, reason="the reader was slow")
    assert gap.text == "12,000 bytes of output are missing: the reader was slow"
    assert GapMessage(bytes=None, reason="?").text == "some bytes of output are missing: ?"
