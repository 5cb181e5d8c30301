"""A host that breaks the protocol: the client gives up the link, and keeps little in memory."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pyrepl_stream import OutputMessage
from pyrepl_stream.client.events import Broken, Delivered, Event
from pyrepl_stream.client.protocol import WINDOW, ClientProtocol
from pyrepl_stream.runtime.protocol import operations
from pyrepl_stream.runtime.wire import MAX_LINE, encode

VALUES = ("-1", '"x"', "1e999", "NaN", "1.5", "null", "true", "[1]", "{}")
LINES = {  # and the value that is valid there
    '{"type":"slice","attach":ATTACH,"bytes":VALUE}': "",
    '{"type":"slice","attach":VALUE,"bytes":10}': "",
    '{"type":"end","attach":VALUE,"reason":"complete"}': "",
    '{"request":VALUE}': "",
    '{"request":ATTACH,"error":VALUE}': '"x"',
    '{"request":ATTACH,"epoch":VALUE,"last":0,"status":"running"}': '"x"',
    '{"request":ATTACH,"epoch":"e","last":VALUE,"status":"running"}': "-1",
    '{"request":ATTACH,"epoch":"e","last":0,"status":VALUE}': '"x"',
    "VALUE": "{}",
}


def greeted(**options: Any) -> tuple[ClientProtocol, int]:
    """Return a client whose link is up, and the number of the last request on it."""
    client = ClientProtocol(**{"random": lambda: 1.0, "patience": 60.0, **options})
    client.attach("a", 0, True, None, 0.0)
    client.connecting()
    client.connected(0.0)
    hello = json.loads(client.data_to_send())["request"]
    answer = {"request": hello, "protocol": operations.PROTOCOL, "epoch": "e", "options": {}}
    client.receive(operations.line(answer), 0.0)
    attach = json.loads(client.data_to_send())["attach"]
    return client, attach


def breaks(events: list[Event]) -> bool:
    return bool(events) and isinstance(events[-1], Broken)


def slice_of(attach: int, data: bytes) -> bytes:
    return operations.line({"type": "slice", "attach": attach, "bytes": len(data)}) + data


@pytest.mark.parametrize(
    ("line", "value"), [(line, value) for line, valid in LINES.items() for value in VALUES if value != valid]
)
def test_a_value_of_the_wrong_type_breaks_the_link(line: str, value: str) -> None:
    client, attach = greeted()
    text = line.replace("ATTACH", str(attach)).replace("VALUE", value)
    assert breaks(client.receive(text.encode() + b"\n", 0.0))


def test_a_second_answer_to_hello_breaks_the_link() -> None:
    client, attach = greeted()
    answer = {"request": attach - 1, "protocol": operations.PROTOCOL, "epoch": "e", "options": {}}
    assert breaks(client.receive(operations.line(answer), 0.0))


@pytest.mark.parametrize("op", ["execute", "wait", "list"])
def test_an_answer_without_its_fields_breaks_the_link(op: str) -> None:
    client, _ = greeted()
    number = client.request({"op": op}, 0.0)
    assert breaks(client.receive(operations.line({"request": number}), 0.0))


@pytest.mark.parametrize("options", [None, [], {"env": 1}, {"python": "\0"}])
def test_options_of_a_host_that_cannot_be_compared_break_the_link(options: Any) -> None:
    def check(hello: Any) -> None:
        open(hello["options"]["python"] + hello["options"]["env"])

    client = ClientProtocol(random=lambda: 1.0, patience=60.0, check=check)
    client.request({"op": "ping"}, 0.0)
    client.connecting()
    client.connected(0.0)
    hello = json.loads(client.data_to_send())["request"]
    answer = {"request": hello, "protocol": operations.PROTOCOL, "epoch": "e", "options": options}
    assert breaks(client.receive(operations.line(answer), 0.0))


def test_a_host_that_sends_without_credit_is_left() -> None:
    client, attach = greeted()
    received = 0
    for number in range(1, 100_000):
        data = encode(OutputMessage(execution_id="a", sequence=number, data="x" * 60_000))
        events = client.receive(slice_of(attach, data), 0.0)
        if breaks(events):
            break
        received += len(data)
    assert received <= WINDOW + MAX_LINE


def test_the_parts_of_a_long_message_take_credit_until_it_is_read() -> None:
    client, attach = greeted()
    delivered = 0
    for number in range(1, 100):
        data = encode(OutputMessage(execution_id="a", sequence=number, data="x" * (4 << 20)))
        for line in data.splitlines(keepends=True):
            events = client.receive(slice_of(attach, line), 0.0)
            delivered += sum(event.size for event in events if isinstance(event, Delivered))
            if breaks(events):
                assert delivered <= 8 << 20
                return
    pytest.fail("all of 400 MiB were accepted without a reader")


def test_a_long_message_that_is_read_gives_its_credit_back() -> None:
    client, attach = greeted()
    for number in range(1, 10):
        data = encode(OutputMessage(execution_id="a", sequence=number, data="x" * (4 << 20)))
        for line in data.splitlines(keepends=True):
            for event in client.receive(slice_of(attach, line), 0.0):
                assert isinstance(event, Delivered)
                client.consumed(event.attach, event.size)


def test_good_and_bad_messages_in_turn_do_not_grow_what_waits_to_be_sent() -> None:
    client, attach = greeted()
    for number in range(1, 1000):
        good = encode(OutputMessage(execution_id="a", sequence=number, data="x"))
        events = client.receive(slice_of(attach, good + b"{}\n"), 0.0)
        if breaks(events):
            break
        attach = json.loads(client._current.output[-1])["attach"]
    assert number < 50
