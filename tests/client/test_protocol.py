"""The client's side of the protocol: what it sends, and when it retries."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pyrepl_stream import (
    ConnectionLostError,
    GapMessage,
    OutputMessage,
    PyreplStreamError,
    SessionClosedError,
    TargetError,
    UnknownExecutionError,
    UsageError,
)
from pyrepl_stream.client.events import Answered, Attached, Broken, Delivered, Event, Finished, Greeted
from pyrepl_stream.client.protocol import LINK_MOVES, ClientProtocol, LinkState
from pyrepl_stream.client.retries import Retries
from pyrepl_stream.client.subscriptions import peek
from pyrepl_stream.runtime.errors import CursorError, ProtocolError, StaleEpochError
from pyrepl_stream.runtime.protocol import operations
from pyrepl_stream.runtime.wire import encode
from pyrepl_stream.testing import ModelHost, ModelPeer


def protocol(**options: Any) -> ClientProtocol:
    return ClientProtocol(**{"random": lambda: 1.0, "patience": 60.0, **options})


def connected(client: ClientProtocol, host: ModelHost, now: float = 0.0) -> ModelPeer:
    client.connecting()
    client.connected(now)
    return host.connect()


def talk(client: ClientProtocol, peer: ModelPeer, now: float = 0.0) -> list[Event]:
    """Exchange bytes until neither side has more to send."""
    events: list[Event] = []
    while True:
        asked = client.data_to_send()
        peer.receive(asked)
        said = peer.send()
        if not asked and not said:
            return events
        events += client.receive(said, now)


def execute(key: str = "k", code: str = "1", fresh: bool = False) -> dict[str, Any]:
    return {"op": "execute", "execution": {"id": "a", "code": code}, "fresh": fresh, "key": key}


def finished(events: list[Event]) -> Finished:
    (found,) = [event for event in events if isinstance(event, Finished)]
    return found


def sequences(events: list[Event]) -> list[int]:
    return [m.sequence for event in events if isinstance(event, Delivered) for m in event.messages]


def hosted(count: int = 3, **options: Any) -> tuple[ClientProtocol, ModelHost, ModelPeer]:
    """Return a client and a host whose execution has written `count` messages that were not sent yet."""
    client, host = protocol(**options), ModelHost()
    client.request(execute(), 0.0)
    peer = connected(client, host)
    talk(client, peer)
    for number in range(count):
        host.records["a"].write(f"{number}\n")
    return client, host, peer


def test_an_idle_client_opens_no_link() -> None:
    client = protocol()
    assert client.connect_at is None
    client.request({"op": "ping"}, 0.0)
    assert client.connect_at == 0.0


def test_requests_are_sent_after_the_answer_to_hello() -> None:
    client, host = protocol(), ModelHost()
    client.request(execute(), 0.0)
    client.connecting()
    client.connected(0.0)
    hello = client.data_to_send()
    assert [json.loads(line)["op"] for line in hello.splitlines()] == ["hello"]
    peer = host.connect()
    peer.receive(hello)
    greeted, *_ = client.receive(peer.send(), 0.0)
    assert isinstance(greeted, Greeted)
    assert greeted.hello["session"] == "model"
    assert json.loads(client.data_to_send())["epoch"] == host.epoch


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_an_attach_delivers_the_messages_after_its_position(after: int) -> None:
    client, host, peer = hosted()
    number = client.attach("a", after, False, None, 0.0)
    events = talk(client, peer)
    assert isinstance(events[0], Attached)
    assert events[0].record["last"] == 3
    assert sequences(events) == list(range(after + 1, 4))
    host.records["a"].end()
    events = talk(client, peer)
    assert sequences(events) == [4]
    assert finished(events) == Finished(number)


def test_an_attach_after_the_end_is_finished_at_once() -> None:
    client, host, peer = hosted()
    host.records["a"].end()
    client.attach("a", 4, False, None, 0.0)
    events = talk(client, peer)
    assert sequences(events) == []
    assert finished(events).error is None


def test_an_attach_between_complete_and_late_output_is_finished_at_once() -> None:
    client, host, peer = hosted()
    host.records["a"].end()
    host.records["a"].write("late\n")
    client.attach("a", 4, False, None, 0.0)
    events = talk(client, peer)
    assert sequences(events) == []
    assert finished(events).error is None


@pytest.mark.parametrize("after", [4, 2**63 - 1, 2**63, 10**30])
def test_an_attach_beyond_the_end_is_a_cursor_error(after: int) -> None:
    client, host, peer = hosted()
    client.attach("a", after, False, None, 0.0)
    assert isinstance(finished(talk(client, peer)).error, CursorError)


def test_an_attach_to_another_epoch_is_an_error() -> None:
    client, host, peer = hosted()
    client.attach("a", 0, False, "another", 0.0)
    assert isinstance(finished(talk(client, peer)).error, StaleEpochError)


def test_an_attach_to_an_unknown_execution_is_an_error() -> None:
    client, host, peer = hosted()
    client.attach("b", 0, False, None, 0.0)
    assert isinstance(finished(talk(client, peer)).error, UnknownExecutionError)


def test_an_error_of_the_host_keeps_its_type_and_text() -> None:
    client, host, peer = hosted()
    client.request(execute("other", code="2"), 0.0)
    (answer,) = talk(client, peer)
    assert isinstance(answer, Answered)
    assert isinstance(answer.error, UsageError)
    assert str(answer.error) == "the execution exists with other code"


def test_following_continues_after_complete_until_the_record_is_closed() -> None:
    client, host, peer = hosted()
    host.records["a"].end()
    client.attach("a", 0, True, None, 0.0)
    talk(client, peer)
    host.records["a"].write("late\n")
    assert sequences(talk(client, peer)) == [5]
    host.records["a"].closed = True
    assert finished(talk(client, peer)).error is None


def test_a_peek_ends_its_own_attach() -> None:
    client, host, peer = hosted()
    client.request(peek("a", None), 0.0)
    answer, *others = talk(client, peer)
    assert isinstance(answer, Answered)
    assert (answer.record["last"], answer.record["status"], others) == (3, "running", [])
    host.records["a"].end()
    assert talk(client, peer) == []


def test_unanswered_requests_are_sent_again_over_the_next_link() -> None:
    client, host = protocol(), ModelHost()
    client.request(execute(), 0.0)
    peer = connected(client, host)
    peer.receive(client.data_to_send())
    client.receive(peer.send(), 0.0)
    peer.receive(client.data_to_send())  # the code starts, and the link is cut before the answer
    client.disconnected(1.0, TargetError("cut"))
    peer = connected(client, host, 2.0)
    answers = [event for event in talk(client, peer, 2.0) if isinstance(event, Answered)]
    assert [answer.record["new"] for answer in answers] == [False]
    assert answers[0].again
    assert host.started == {"k": 1}


def test_fresh_takes_effect_once_however_often_it_is_sent() -> None:
    client, host, peer = hosted()
    host.records["a"].end()
    client.request(execute("fresh", fresh=True), 0.0)
    peer.receive(client.data_to_send())
    client.disconnected(1.0, TargetError("cut"))
    talk(client, connected(client, host, 2.0), 2.0)
    assert host.started == {"k": 1, "fresh": 1}


def test_a_start_that_was_sent_to_another_host_is_a_stale_epoch() -> None:
    client, host = protocol(), ModelHost()
    client.request(execute(), 0.0)
    peer = connected(client, host)
    peer.receive(client.data_to_send())
    client.receive(peer.send(), 0.0)
    client.data_to_send()  # the request is lost on its way
    host.restart()
    client.disconnected(1.0, TargetError("cut"))
    (answer,) = [e for e in talk(client, connected(client, host, 2.0), 2.0) if isinstance(e, Answered)]
    assert isinstance(answer.error, StaleEpochError)
    assert host.started == {}


def test_a_reader_resumes_over_the_next_link() -> None:
    client, host, peer = hosted()
    client.attach("a", 0, False, None, 0.0)
    talk(client, peer)
    client.disconnected(1.0, TargetError("cut"))
    host.records["a"].write("more\n")
    events = talk(client, connected(client, host, 2.0), 2.0)
    assert sequences(events) == [4]
    assert not any(isinstance(event, Attached) for event in events)


def test_credit_is_given_back_as_the_reader_reads() -> None:
    client, host, peer = hosted(0, window=1000)
    number = client.attach("a", 0, False, None, 0.0)
    for _ in range(40):
        host.records["a"].write("x" * 100)
    events = talk(client, peer)
    unread = [event.size for event in events if isinstance(event, Delivered)]
    assert 1000 <= sum(unread) < 1400
    assert talk(client, peer) == []
    client.consumed(number, sum(unread))
    assert sequences(talk(client, peer))[0] == sequences(events)[-1] + 1


def test_a_display_larger_than_the_window_is_delivered() -> None:
    from pyrepl_stream import DisplayMessage

    client, host, peer = hosted(0)
    client.attach("a", 0, False, None, 0.0)
    host.records["a"].emit(DisplayMessage(data={"text/plain": "x" * 5_000_000}))
    events = talk(client, peer)
    assert sequences(events) == [1]


def test_a_gap_that_begins_before_the_position_is_shortened() -> None:
    client, host, peer = hosted(2)
    number = client.attach("a", 0, False, None, 0.0)
    talk(client, peer)
    gap = GapMessage(execution_id="a", sequence=9, first=1, bytes=100)
    data = encode(gap)
    wire = next(iter(client._subscriptions._wires))
    head = operations.line({"type": "slice", "attach": wire, "bytes": len(data)})
    (delivered,) = client.receive(head + data, 0.0)
    assert isinstance(delivered, Delivered)
    assert delivered.attach == number
    assert (delivered.messages[0].span_start, delivered.messages[0].sequence) == (3, 9)
    assert delivered.messages[0].bytes is None  # type: ignore[attr-defined]


def test_a_hole_is_filled_by_attaching_again() -> None:
    client, host, peer = hosted(0)
    client.attach("a", 0, False, None, 0.0)
    talk(client, peer)
    peer.skip = 1
    for number in range(5):
        host.records["a"].write(f"{number}\n")
    assert sequences(talk(client, peer)) == [1, 2, 3, 4, 5]


def test_repeated_holes_are_an_error_of_that_execution_alone() -> None:
    client, host, peer = hosted(0)
    client.request({"op": "ping"}, 0.0)
    number = client.attach("a", 0, False, None, 0.0)
    for count in range(5):
        host.records["a"].write(f"{count}\n")
    events: list[Event] = []
    while not any(isinstance(event, Finished) for event in events):
        peer.skip = 1000
        events += talk(client, peer)
        if any(isinstance(event, Broken) for event in events[-1:]):
            client.disconnected(0.0, TargetError("broken"))
            peer = connected(client, host)
    assert finished(events).attach == number
    assert isinstance(finished(events).error, ProtocolError)
    assert "cannot be read: message 5 arrived instead of 1" in str(finished(events).error)


def test_a_silent_host_is_pinged_three_times_before_its_link_is_dropped() -> None:
    client, host, peer = hosted()
    client.attach("a", 0, True, None, 0.0)
    talk(client, peer)
    asked = []
    while True:
        assert client.tick_at is not None
        now = client.tick_at
        assert client.tick(now - 0.01) == []
        events = client.tick(now)
        if events:
            break
        asked.append((now, json.loads(client.data_to_send())["op"]))
    assert asked == [(5.0, "ping"), (10.0, "ping"), (15.0, "ping")]
    assert now == 20.0
    assert isinstance(events[0], Broken)
    assert "was silent for 20 s" in str(events[0].error)


def test_a_host_that_answers_pings_is_alive() -> None:
    client, host, peer = hosted()
    client.attach("a", 0, True, None, 0.0)
    talk(client, peer)
    for _ in range(20):
        assert client.tick_at is not None
        now = client.tick_at
        client.tick(now)
        assert talk(client, peer, now) == []
    assert peer.pings == 20


def test_an_idle_client_does_not_ping() -> None:
    client, _, _ = hosted()
    assert client.tick_at is None


def test_silence_before_the_first_request_does_not_count() -> None:
    client, _, _ = hosted()
    client.request({"op": "ping"}, 1000.0)
    assert client.tick_at == 1005.0


def test_delays_double_from_a_tenth_of_a_second_to_ten() -> None:
    retries = Retries(lambda: 1.0)
    delays = []
    for _ in range(10):
        assert retries.failed(0.0, 60.0)
        delays.append(retries.at)
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0, 10.0]
    retries.reset()
    retries.failed(0.0, 60.0)
    assert retries.at == 0.1


def test_delays_are_shortened_at_random_by_up_to_a_half() -> None:
    retries = Retries(lambda: 0.0)
    retries.failed(0.0, 60.0)
    assert retries.at == 0.05


def test_a_host_that_was_reached_is_retried_until_patience_is_over() -> None:
    client, host, peer = hosted()
    number = client.attach("a", 0, True, None, 0.0)
    talk(client, peer)
    now, events = 100.0, client.disconnected(100.0, TargetError("cut"))
    tries = 0
    while not events:
        assert client.connect_at is not None
        now = client.connect_at
        client.connecting()
        events = client.disconnected(now, TargetError("nobody there"))
        tries += 1
    assert events == [finished(events)]
    assert finished(events).attach == number
    assert isinstance(finished(events).error, ConnectionLostError)
    assert 160.0 <= now < 171.0
    assert 10 < tries < 15


def test_a_host_that_was_never_reached_is_retried_for_five_seconds() -> None:
    client = protocol()
    client.request({"op": "ping"}, 0.0)
    events: list[Event] = []
    while not events:
        assert client.connect_at is not None
        now = client.connect_at
        client.connecting()
        events = client.disconnected(now, TargetError("nothing listens there"))
    (answer,) = events
    assert isinstance(answer, Answered)
    assert type(answer.error) is TargetError


def test_a_usage_error_is_not_retried() -> None:
    client = protocol()
    client.request({"op": "ping"}, 0.0)
    client.connecting()
    (answer,) = client.disconnected(0.0, UsageError("no such thing"))
    assert isinstance(answer, Answered)
    assert str(answer.error) == "no such thing"
    assert client.connect_at is None


def test_a_link_that_delivers_a_message_each_time_is_retried_without_end() -> None:
    client, host, peer = hosted(0)
    client.attach("a", 0, False, None, 0.0)
    talk(client, peer)
    now = 0.0
    for _ in range(100):
        assert client.disconnected(now, TargetError("cut")) == []
        assert client.connect_at is not None
        assert client.connect_at - now == pytest.approx(0.1)
        now = client.connect_at
        peer = connected(client, host, now)
        host.records["a"].write("more\n")
        now += 1.0
        assert len(sequences(talk(client, peer, now))) == 1


def test_a_link_that_is_cut_before_any_message_backs_off() -> None:
    client, host, peer = hosted(0)
    client.attach("a", 0, False, None, 0.0)
    talk(client, peer)
    now, tries = 0.0, 0
    while client.disconnected(now, TargetError("cut")) == []:
        assert client.connect_at is not None
        now = client.connect_at
        talk(client, connected(client, host, now), now)
        tries += 1
    assert tries < 15


def test_a_host_of_another_protocol_is_an_error_with_the_ways_out() -> None:
    client = protocol()
    client.request({"op": "ping"}, 0.0)
    client.connecting()
    client.connected(0.0)
    answer = {"request": 2, "protocol": 99, "version": "9.9", "epoch": "e"}
    failed, broken = client.receive(operations.line(answer), 0.0)
    assert isinstance(failed, Answered)
    assert isinstance(broken, Broken)
    assert "speaks protocol 99" in str(failed.error)
    assert "9.9" in str(failed.error)


@pytest.mark.parametrize(
    "data", [b"SSH-2.0-OpenSSH\n", b"[]\n", b'{"request": 2}\n', b"\xff\n", b'{"request":[]}\n']
)
def test_a_peer_that_is_not_a_host_breaks_the_link(data: bytes) -> None:
    client = protocol()
    client.request({"op": "ping"}, 0.0)
    client.connecting()
    client.connected(0.0)
    (broken,) = client.receive(data, 0.0)
    assert isinstance(broken, Broken)
    assert isinstance(broken.error, TargetError)


REFUSAL = operations.line({"error": "protocol", "message": "what?"})


def test_an_error_without_a_request_fails_the_requests_and_readers_resume() -> None:
    client, host, peer = hosted()
    client.attach("a", 0, True, None, 0.0)
    number = client.request({"op": "list"}, 0.0)
    asked, broken = client.receive(REFUSAL, 0.0)
    assert isinstance(asked, Answered)
    assert (asked.request, str(asked.error)) == (number, "what?")
    assert isinstance(broken, Broken)
    later = client.request({"op": "list"}, 0.0)
    assert client.disconnected(0.0, broken.error) == []
    events = talk(client, connected(client, host))
    assert sequences(events) == [1, 2, 3]
    assert [event.request for event in events if isinstance(event, Answered)] == [later]


def test_repeated_refusals_fail_all_requests_and_readers() -> None:
    client, host, peer = hosted(0)
    client.attach("a", 0, True, None, 0.0)
    talk(client, peer)
    events: list[Event] = []
    refusals = 0
    while not events:
        (broken,) = client.receive(REFUSAL, 0.0)
        assert isinstance(broken, Broken)
        events = client.disconnected(0.0, broken.error)
        refusals += 1
        talk(client, connected(client, host))
    assert refusals == 6
    assert str(finished(events).error) == "what?"


def test_a_refused_hello_fails_all_requests_and_readers() -> None:
    client = protocol()
    number = client.attach("a", 0, True, None, 0.0)
    client.connecting()
    client.connected(0.0)
    (broken,) = client.receive(REFUSAL, 0.0)
    assert isinstance(broken, Broken)
    assert client.disconnected(0.0, broken.error) == [Finished(number, broken.error)]


def test_a_request_that_is_too_long_is_refused_before_it_is_sent() -> None:
    client, host, peer = hosted()
    client.attach("a", 0, False, None, 0.0)
    with pytest.raises(UsageError, match=f"is too long to send: the limit is {operations.MAX_OP} bytes"):
        client.request(execute(code="x" * operations.MAX_OP), 0.0)
    assert sequences(talk(client, peer)) == [1, 2, 3]


def test_an_unfit_host_starts_nothing_but_is_read_and_stopped() -> None:
    def check(hello: object) -> None:
        raise UsageError("it has another cwd")

    host = ModelHost()
    host.execute({"execution": {"id": "a", "code": "1"}, "fresh": False, "key": "k", "epoch": host.epoch})
    host.records["a"].write("1\n")
    client = protocol(check=check)
    refused = [client.request(op, 0.0) for op in (execute(), {"op": "ping"})]
    done = [
        client.request({"op": "list"}, 0.0),
        client.request({"op": "interrupt", "id": "a", "key": "i"}, 0.0),
    ]
    client.attach("a", 0, False, None, 0.0)
    peer = connected(client, host)
    events = talk(client, peer)
    answers = {event.request: str(event.error) for event in events if isinstance(event, Answered)}
    assert answers == {**dict.fromkeys(refused, "it has another cwd"), **dict.fromkeys(done, "None")}
    assert sequences(events) == [1, 2]
    with pytest.raises(UsageError, match="another cwd"):
        client.request(execute(), 0.0)
    client.request({"op": "list"}, 0.0)
    assert [type(event) for event in talk(client, peer)] == [Answered]
    assert sum(host.started.values()) == 1


def test_only_requests_that_run_code_start_a_closed_session() -> None:
    client = protocol()
    reader, listing = client.attach("a", 0, False, None, 0.0), client.request({"op": "list"}, 0.0)
    assert not client.connecting()
    wanted = client.request({"op": "ping"}, 0.0)  # while it connects
    closed = SessionClosedError("it was closed")
    assert client.disconnected(0.0, closed) == [Answered(listing, {}, closed), Finished(reader, closed)]
    assert client.connect_at == 0.0
    assert client.connecting()
    assert client.disconnected(0.0, closed) == [Answered(wanted, {}, closed)]


@pytest.mark.parametrize("refused", [True, False])
def test_requests_that_a_closing_host_refuses_are_carried_out_once_by_the_next(refused: bool) -> None:
    client, host = protocol(), ModelHost()
    peer = connected(client, host)
    client.request({"op": "ping"}, 0.0)
    talk(client, peer)
    host.closing = True
    early = client.request(execute("early"), 0.0)
    if refused:
        assert talk(client, peer) == []
    host.close()
    assert talk(client, peer) == []
    late = client.request(execute("late"), 0.0)
    reader = client.attach("a", 0, False, None, 0.0)
    assert talk(client, peer) == []
    host.restart()
    assert client.disconnected(0.0, TargetError("cut")) == []
    assert client.connecting()
    client.connected(0.0)
    events = talk(client, host.connect())
    answers = {event.request: event for event in events if isinstance(event, Answered)}
    assert [answers[number].error for number in (early, late)] == [None, None]
    assert [event.attach for event in events if isinstance(event, Attached)] == [reader]
    assert host.started == {"early": 1}


def test_a_request_that_a_closing_host_may_have_received_is_not_run_by_the_next() -> None:
    client, host = protocol(), ModelHost()
    client.request(execute(), 0.0)
    peer = connected(client, host)
    talk(client, peer)
    number = client.request({**execute("b"), "execution": {"id": "b", "code": "1"}}, 0.0)
    client.data_to_send()  # the link is cut after it was sent
    assert client.disconnected(0.0, TargetError("cut")) == []
    host.closing = True
    peer = connected(client, host)
    assert talk(client, peer)[1:] == []
    host.restart()
    client.disconnected(0.0, TargetError("cut"))
    (answer,) = [event for event in talk(client, connected(client, host)) if isinstance(event, Answered)]
    assert answer.request == number
    assert isinstance(answer.error, StaleEpochError)


def test_patience_starts_again_after_an_answer_and_after_idleness() -> None:
    client, host, peer = hosted()
    client.request({"op": "list"}, 0.0)
    assert client.disconnected(0.0, TargetError("cut")) == []
    peer = connected(client, host, 0.1)
    talk(client, peer, 0.1)
    client.request({"op": "list"}, 3600.0)
    assert client.disconnected(3600.1, TargetError("cut")) == []
    assert client.connect_at == pytest.approx(3600.2)
    number = client.attach("a", 0, True, None, 3600.2)
    client.detach(number)
    peer = connected(client, host, 3600.2)
    peer.silent = True
    peer.receive(client.data_to_send())
    client.fail(TargetError("no reader is left"))
    client.request({"op": "list"}, 7200.0)
    assert client.disconnected(7200.0, TargetError("cut")) == []


def test_lines_and_fields_of_a_newer_host_are_ignored() -> None:
    client, host, peer = hosted()
    assert client.receive(operations.line({"type": "weather", "sun": True}), 0.0) == []


def test_an_error_of_an_unknown_type_is_a_pyrepl_stream_error() -> None:
    client, host, peer = hosted()
    number = client.request({"op": "ping"}, 0.0)
    (answer,) = client.receive(operations.line({"request": number, "error": "newer", "message": "x"}), 0.0)
    assert isinstance(answer, Answered)
    assert type(answer.error) is PyreplStreamError


def test_output_for_a_detached_reader_is_dropped() -> None:
    client, host, peer = hosted()
    number = client.attach("a", 0, False, None, 0.0)
    peer.receive(client.data_to_send())
    client.detach(number)
    assert client.receive(peer.send(), 0.0) == []
    assert OutputMessage is type(host.records["a"].messages[0])


# -- the states of a link ----------------------------------------------------------------------


@pytest.mark.parametrize("after", LinkState)
@pytest.mark.parametrize("before", LinkState)
def test_a_link_moves_only_as_its_table_says(before: LinkState, after: LinkState) -> None:
    client = protocol()
    client._link = before
    if after in LINK_MOVES[before]:
        client._move(after)
        assert client._link is after
    else:
        with pytest.raises(AssertionError):
            client._move(after)


def test_every_state_of_a_link_can_be_reached_and_left() -> None:
    assert set(LINK_MOVES) == set().union(*LINK_MOVES.values()) == set(LinkState)
    assert all(LINK_MOVES.values())


@pytest.mark.parametrize("attach", ["1", "[1]"])
@pytest.mark.parametrize("size", ["-1", '"x"', "1e999", "NaN", "true", "1.5"])
def test_a_slice_with_an_invalid_size_or_number_breaks_the_link(size: str, attach: str) -> None:
    client, host = protocol(), ModelHost()
    peer = connected(client, host)
    client.request({"op": "ping"}, 0.0)
    talk(client, peer)
    line = f'{{"type": "slice", "bytes": {size}, "attach": {attach}}}\n'.encode()
    (event,) = client.receive(line + b"x" * 10, 0.0)
    assert isinstance(event, Broken)
    assert isinstance(event.error, TargetError)


def test_an_end_with_an_invalid_number_breaks_the_link() -> None:
    client, host = protocol(), ModelHost()
    peer = connected(client, host)
    client.request({"op": "ping"}, 0.0)
    talk(client, peer)
    (event,) = client.receive(b'{"type": "end", "attach": [1], "reason": "complete"}\n', 0.0)
    assert isinstance(event, Broken)
