"""The guarantees of the client's protocol, with links that are cut anywhere and hosts that end."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pyrepl_stream import CompleteMessage, Message, TargetError, UnknownExecutionError
from pyrepl_stream.client.events import Answered, Attached, Broken, Delivered, Event, Finished, Greeted
from pyrepl_stream.client.protocol import ClientProtocol
from pyrepl_stream.runtime.errors import StaleEpochError
from pyrepl_stream.testing import ModelHost, ModelPeer

WINDOW = 600
LINE = 250  # bytes, at most, by which a slice exceeds the credit
IDS = ("a", "b")
SIZES = st.sampled_from([0, 1, 7, 50, 130, 400, 5000])


@dataclass
class Reading:
    """The messages of one subscription."""

    id: str
    follow: bool
    first: int
    epoch: str
    got: list[Message] = field(default_factory=list)
    unread: list[int] = field(default_factory=list)
    attached: int = 0
    finished: int = 0
    error: Exception | None = None


class World(RuleBasedStateMachine):
    """A client, a host, and the bytes in transit between them in both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.host = ModelHost()
        self.peer: ModelPeer | None = None
        self.to_host = bytearray()
        self.to_client = bytearray()
        self.now = 1000.0
        self.machine = ClientProtocol(random=lambda: 0.5, patience=1e9, window=WINDOW)
        self.asked: dict[int, dict[str, object]] = {}
        self.answers: dict[int, Answered] = {}
        self.readings: dict[int, Reading] = {}
        self.epochs: dict[str, str] = {}
        self.keys = 0

    @initialize()
    def begin(self) -> None:
        """Begin with an execution that runs and was read in part."""
        self.execute("a", False)
        self.flow()
        self.host.records["a"].write("the first\n")
        self.flow()

    # -- verbs ---------------------------------------------------------------------------------

    @rule(name=st.sampled_from(IDS), fresh=st.booleans())
    def execute(self, name: str, fresh: bool) -> None:
        self.keys += 1
        request = {"id": name, "code": f"code of {name}"}
        op = {"op": "execute", "execution": request, "fresh": fresh, "key": f"key {self.keys}"}
        self.asked[self.machine.request(op, self.now)] = op

    @precondition(lambda self: self.epochs)
    @rule(data=st.data(), after=st.integers(0, 3), follow=st.booleans())
    def attach(self, data: st.DataObject, after: int, follow: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.epochs)))
        record = self.host.records.get(name)
        if record is not None and record.epoch == self.epochs[name]:
            after = min(after, record.last)
            number = self.machine.attach(name, after, follow, record.epoch, self.now)
            self.readings[number] = Reading(name, follow, after, record.epoch)

    @precondition(lambda self: self.epochs)
    @rule(data=st.data())
    def interrupt(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.epochs)))
        self.keys += 1
        op = {"op": "interrupt", "id": name, "key": f"key {self.keys}"}
        self.asked[self.machine.request(op, self.now)] = op

    @precondition(lambda self: self.readings)
    @rule(data=st.data())
    def read(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.readings)))
        if self.readings[number].unread:
            self.machine.consumed(number, self.readings[number].unread.pop(0))

    @precondition(lambda self: self.readings)
    @rule(data=st.data())
    def detach(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.readings)))
        self.machine.detach(number)
        del self.readings[number]

    # -- the host ------------------------------------------------------------------------------

    @precondition(lambda self: self.host.records)
    @rule(data=st.data(), count=st.integers(1, 30))
    def write(self, data: st.DataObject, count: int) -> None:
        record = self.host.records[data.draw(st.sampled_from(sorted(self.host.records)))]
        for _ in range(0 if record.closed else count):
            record.write(f"message {record.last + 1} of {record.epoch}\n")

    @precondition(lambda self: self.host.records)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        self.host.records[data.draw(st.sampled_from(sorted(self.host.records)))].end()

    @rule()
    def begin_close(self) -> None:
        self.host.closing = True

    @rule()
    def close(self) -> None:
        self.host.close()

    @rule(forget=st.booleans())
    def restart(self, forget: bool) -> None:
        self.host.restart()
        if forget:
            self.host.records.clear()

    # -- the link ------------------------------------------------------------------------------

    @rule()
    def flow(self) -> None:
        for _ in range(4):
            self.carry(1 << 20, 1 << 20)

    @rule(there=SIZES, back=SIZES)
    def carry(self, there: int, back: int) -> None:
        """Deliver some bytes in both directions."""
        self._connect()
        self.to_host += self.machine.data_to_send()
        if self.peer is None or self.peer.gone:
            return self._cut()
        self.peer.receive(bytes(self.to_host[:there]))
        del self.to_host[:there]
        self.to_client += self.peer.send()
        piece = bytes(self.to_client[:back])
        del self.to_client[:back]
        if piece:
            self._take(self.machine.receive(piece, self.now))

    @rule()
    def cut(self) -> None:
        self._cut()

    @precondition(lambda self: self.peer is not None)
    @rule(skip=st.integers(0, 2), repeat=st.integers(0, 5))
    def misbehave(self, skip: int, repeat: int) -> None:
        assert self.peer is not None
        self.peer.skip, self.peer.repeat = skip, repeat

    @rule(seconds=st.sampled_from([0.01, 0.2, 6.0, 100.0]))
    def time(self, seconds: float) -> None:
        self.now += seconds
        self._take(self.machine.tick(self.now))

    def _connect(self) -> None:
        at = self.machine.connect_at
        if at is not None:
            self.now = max(self.now, at)
            self.machine.connecting()
            self.peer = self.host.connect()
            self.machine.connected(self.now)

    def _cut(self) -> None:
        self.to_host.clear()
        self.to_client.clear()
        if self.peer is not None:
            self.peer = None
            self._take(self.machine.disconnected(self.now, TargetError("cut")))

    def _take(self, events: list[Event]) -> None:
        broken = False
        for event in events:
            if isinstance(event, Answered):
                assert event.request not in self.answers, "one answer for one request"
                self.answers[event.request] = event
                self._heard(event)
            elif isinstance(event, Broken):
                broken = True
            elif not isinstance(event, Greeted) and event.attach in self.readings:
                self._read(self.readings[event.attach], event)
        if broken:
            self._cut()

    def _heard(self, event: Answered) -> None:
        op = self.asked[event.request]
        if event.error is None and op["op"] == "execute":
            name = op["execution"]["id"]  # type: ignore[index]
            self.epochs[name] = event.record["epoch"]
            number = self.machine.attach(name, 0, False, self.epochs[name], self.now)
            self.readings[number] = Reading(name, False, 0, self.epochs[name])

    def _read(self, reading: Reading, event: Attached | Delivered | Finished) -> None:
        assert not reading.finished, "nothing comes behind the end"
        if isinstance(event, Attached):
            reading.attached += 1
        elif isinstance(event, Delivered):
            reading.got += event.messages
            reading.unread.append(event.size)
        else:
            reading.finished, reading.error = 1, event.error

    # -- promises ------------------------------------------------------------------------------

    @invariant()
    def each_message_comes_once_in_order_and_unchanged(self) -> None:
        for reading in self.readings.values():
            record = self.host.records.get(reading.id)
            if record is not None and record.epoch == reading.epoch:
                assert reading.got == record.messages[reading.first : reading.first + len(reading.got)]

    @invariant()
    def nothing_is_run_twice(self) -> None:
        assert all(count == 1 for count in self.host.started.values())

    @invariant()
    def what_is_unread_is_bounded(self) -> None:
        for reading in self.readings.values():
            assert sum(reading.unread) <= WINDOW + LINE

    def teardown(self) -> None:
        """End the faults: every request is answered, and every record is read to its end."""
        for record in self.host.records.values():
            record.end()
            record.closed = True
        if self.host.closing:
            self.host.restart()
        for _ in range(500):
            if not self.machine.busy:
                break
            self.carry(1 << 20, 1 << 20)
            if self.peer is not None:
                self.peer.skip = self.peer.repeat = 0
            for number, reading in list(self.readings.items()):
                while reading.unread:
                    self.machine.consumed(number, reading.unread.pop(0))
            for record in self.host.records.values():  # of executions that start only now
                record.end()
                record.closed = True
        assert not self.machine.busy
        assert self.answers.keys() == self.asked.keys()
        for reading in self.readings.values():
            self._check_end(reading)

    def _check_end(self, reading: Reading) -> None:
        assert reading.finished
        record = self.host.records.get(reading.id)
        if record is None or record.epoch != reading.epoch:  # the record is gone, or was replaced
            assert reading.error is None or isinstance(
                reading.error, (StaleEpochError, UnknownExecutionError)
            )
            return
        assert reading.error is None
        assert reading.attached == 1
        ends = [message for message in record.messages if isinstance(message, CompleteMessage)]
        stop = record.last if reading.follow else max(ends[0].sequence, reading.first)
        assert reading.got == record.messages[reading.first : stop]


World.TestCase.settings = settings(
    max_examples=200, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestWorld = World.TestCase


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_a_long_record_is_delivered_whole_in_pieces_of_any_size(size: int) -> None:
    host = ModelHost()
    host.on_start = lambda record: [record.write("x" * 500) for _ in range(50)]
    machine = ClientProtocol(random=lambda: 0.5, patience=10, window=2000)
    machine.connecting()
    machine.connected(0.0)
    peer = host.connect()
    op = {"op": "execute", "execution": {"id": "a", "code": ""}, "fresh": False, "key": "k"}
    request = machine.request(op, 0.0)
    got: list[Message] = []
    finished = False
    while not finished:
        peer.receive(machine.data_to_send())
        data = peer.send()
        for place in range(0, len(data), size):
            for event in machine.receive(data[place : place + size], 0.0):
                if isinstance(event, Answered):
                    assert event.request == request
                    machine.attach("a", 0, False, event.record["epoch"], 0.0)
                elif isinstance(event, Delivered):
                    got += event.messages
                    machine.consumed(event.attach, event.size)
                finished = finished or isinstance(event, Finished)
        if len(got) == 50:
            host.records["a"].end()
    assert got == host.records["a"].messages
