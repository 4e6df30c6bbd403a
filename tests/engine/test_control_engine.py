"""The control engine, with a device that does whatever it is told."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyradio.engine import ControlEngine, Decision, Outcome, Policy
from polyradio.host_api import (
    CallError,
    Completion,
    ConnectionState,
    DeviceInfo,
    HostCall,
    InitVm,
    InstallKey,
    KeyScope,
    Kind,
    Message,
    Opcode,
    PacketClass,
    ReadCounters,
    ReadDeviceInfo,
    ReceivedPacket,
    RemoveVm,
    ResetDevice,
    ResetVirtualMac,
    Scan,
    SetConnection,
    SetParameters,
    SetSchedule,
    Slot,
    Status,
    StatusCode,
    TransmitPacket,
    VmId,
    VrId,
    parse_call,
)

INFO = DeviceInfo(max_vms=64, max_radios=1, max_slots=64, queue_length=64, ciphers=1 << 4)
MS = 1_000_000


class Bench:
    """An engine, a device below it, and VMs above it."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.engine = ControlEngine(policy or Policy(), INFO)
        self.now = 0
        self.decisions: list[Decision] = []
        self.completions: list[tuple[int, int, CallError | None]] = []
        self.device_calls: list[tuple[int | None, HostCall]] = []
        self.refuse: dict[int, CallError] = {}
        self.sequence = 0

    def call(self, vr: int, call: HostCall) -> int:
        self.sequence += 1
        message = Message(Kind.CALL, call.opcode, self.sequence, VrId(vr), call.emit())
        self.engine.handle_message(message, self.now)
        self.drive()
        return self.sequence

    def drive(self) -> None:
        while messages := self.engine.poll_device_messages():
            for message in messages:
                self.device_calls.append((message.identifier, parse_call(message.opcode, message.payload)))
                error = self.refuse.get(message.opcode)
                answer = Message(
                    Kind.COMPLETION, message.opcode, message.sequence, message.identifier, Completion(error).emit()
                )
                self.engine.handle_device_message(answer, self.now)
        for message in self.engine.poll_messages():
            if message.kind is Kind.COMPLETION:
                completion = Completion.parse(message.payload)
                assert message.identifier is not None
                self.completions.append((message.identifier, message.sequence, completion.error))
        self.decisions += self.engine.log.poll()

    def advance(self, milliseconds: float) -> None:
        end = self.now + round(milliseconds * MS)
        while (timeout := self.engine.poll_timeout()) is not None and timeout <= end:
            self.now = max(self.now, timeout)
            self.engine.handle_timeout(self.now)
            self.drive()
        self.now = end

    def start_vm(self, vr: int, channel: int = 0) -> None:
        self.call(vr, InitVm(VmId(100 + vr), bytes((2, 0, 0, 0, 0, vr))))
        if channel:
            self.call(vr, SetParameters(channel=channel))

    @property
    def last(self) -> Decision:
        return self.decisions[-1]

    @property
    def schedules(self) -> list[tuple[tuple[int, int], ...]]:
        return [
            tuple((slot.channel, slot.length_us) for slot in call.slots)
            for _, call in self.device_calls
            if isinstance(call, SetSchedule)
        ]


def test_the_first_channel_is_applied_and_the_same_channel_is_shared() -> None:
    bench = Bench()
    bench.start_vm(0, channel=1)
    assert bench.last.outcome is Outcome.APPLIED
    assert bench.last.vm == 100
    bench.start_vm(1, channel=1)
    assert bench.last.outcome is Outcome.APPLIED
    assert "share" in bench.last.reason
    assert bench.schedules == [((1, 20_000),)]


def test_another_channel_is_merged_into_the_schedule() -> None:
    bench = Bench()
    bench.start_vm(0, channel=1)
    bench.start_vm(1, channel=6)
    assert bench.last.outcome is Outcome.MERGED
    assert "channel 1" in bench.last.reason
    assert bench.engine.schedule == ((1, 20_000), (6, 20_000))
    bench.call(1, SetParameters(channel=0))
    assert bench.engine.schedule == ((1, 20_000),)


def test_the_same_parameters_again_are_ignored_and_completed() -> None:
    bench = Bench()
    bench.start_vm(0, channel=1)
    sent = len(bench.device_calls)
    sequence = bench.call(0, SetParameters(channel=1))
    assert bench.last.outcome is Outcome.IGNORED
    assert bench.completions[-1] == (0, sequence, None)
    assert len(bench.device_calls) == sent


def test_one_channel_too_many_is_refused() -> None:
    bench = Bench(Policy(max_channels=2))
    for vr, channel in enumerate((1, 6, 11)):
        bench.start_vm(vr, channel=channel)
    assert bench.last.outcome is Outcome.REFUSED
    assert bench.completions[-1][2] is CallError.BAD_SCHEDULE
    assert bench.engine.schedule == ((1, 20_000), (6, 20_000))


@pytest.mark.parametrize("call", [ResetDevice(), SetSchedule((Slot(1, 1000),))])
def test_a_vm_does_not_touch_the_device_as_a_whole(call: HostCall) -> None:
    bench = Bench()
    bench.start_vm(0)
    sent = len(bench.device_calls)
    bench.call(0, call)
    assert bench.last.outcome is Outcome.REFUSED
    assert len(bench.device_calls) == sent


def test_what_the_device_refuses_is_logged_as_refused_and_has_no_effect() -> None:
    bench = Bench()
    bench.refuse[Opcode.INIT_VM] = CallError.ADDRESS_TAKEN
    bench.start_vm(0)
    assert bench.last.outcome is Outcome.REFUSED
    assert "address taken" in bench.last.reason
    bench.call(0, SetParameters(channel=1))
    assert bench.completions[-1][2] is CallError.UNKNOWN_VM
    assert bench.engine.schedule == ()

    bench = Bench()
    bench.start_vm(0, channel=1)
    bench.refuse[Opcode.SET_PARAMETERS] = CallError.BAD_PAYLOAD
    bench.call(0, SetParameters(channel=6))
    assert bench.engine.schedule == ((1, 20_000),)


def test_a_key_that_stands_already_is_ignored() -> None:
    bench = Bench()
    bench.start_vm(0)
    bench.refuse[Opcode.INSTALL_KEY] = CallError.KEY_IN_USE
    bench.call(0, InstallKey(0, KeyScope.PAIRWISE, 4, 0, bytes(range(16))))
    assert bench.last.outcome is Outcome.IGNORED
    assert bench.completions[-1][2] is CallError.KEY_IN_USE


def test_a_scan_visits_every_channel_and_is_completed_once_after_the_last() -> None:
    bench = Bench()
    bench.start_vm(0)
    sequence = bench.call(0, Scan((1, 6, 11)))
    assert bench.last.outcome is Outcome.APPLIED
    assert bench.schedules == [((1, 60_000), (6, 60_000), (11, 60_000))]
    assert (0, SetParameters(scan_filter=True)) in bench.device_calls
    bench.advance(180)
    assert (0, sequence, None) not in bench.completions
    bench.advance(10)
    assert bench.completions[-1] == (0, sequence, None)
    assert (0, SetParameters(scan_filter=False)) in bench.device_calls[-2:]
    assert bench.engine.poll_timeout() is None


def test_a_connected_vm_keeps_its_slots_during_a_scan_and_has_the_radio_again_after_it() -> None:
    bench = Bench()
    bench.start_vm(0, channel=1)
    bench.start_vm(1)
    bench.call(1, Scan((6, 11)))
    assert bench.engine.schedule == ((1, 20_000), (6, 60_000), (1, 20_000), (11, 60_000))
    bench.advance(200)
    assert bench.engine.schedule == ((1, 20_000),)


def test_scans_at_the_same_time_are_one_visit() -> None:
    bench = Bench()
    for vr in range(3):
        bench.start_vm(vr)
    sequences = [bench.call(0, Scan((1, 6)))]
    bench.advance(5)
    sequences += [bench.call(1, Scan((1, 6))), bench.call(2, Scan((6, 11)))]
    assert [decision.outcome for decision in bench.decisions[-2:]] == [Outcome.MERGED] * 2
    bench.advance(400)
    assert bench.schedules == [((1, 60_000), (6, 60_000)), ((11, 60_000),), ()]
    done = [completion for completion in bench.completions if completion[1] in sequences]
    assert done == [(vr, sequence, None) for vr, sequence in enumerate(sequences)]


def test_a_later_scan_is_deferred_and_then_done() -> None:
    bench = Bench()
    bench.start_vm(0)
    bench.start_vm(1)
    bench.call(0, Scan((1, 6)))
    bench.advance(30)
    sequence = bench.call(1, Scan((1, 6)))
    assert bench.last.outcome is Outcome.DEFERRED
    bench.advance(100)
    assert bench.last.outcome is Outcome.APPLIED
    bench.advance(130)
    assert bench.completions[-1] == (1, sequence, None)


def test_a_vm_that_leaves_takes_its_scan_with_it() -> None:
    bench = Bench()
    bench.start_vm(0)
    bench.start_vm(1)
    scan = bench.call(0, Scan((1, 6)))
    bench.advance(30)
    other = bench.call(1, Scan((11,)))
    bench.call(0, RemoveVm())
    assert (0, scan, CallError.UNKNOWN_VM) in bench.completions
    assert bench.engine.schedule == ((11, 60_000),)
    bench.advance(100)
    assert bench.completions[-1] == (1, other, None)


def test_channels_that_change_during_a_scan_do_not_start_it_again() -> None:
    bench = Bench()
    bench.start_vm(0)
    bench.start_vm(1)
    bench.call(0, Scan((1, 6, 11)))
    bench.advance(70)
    bench.call(1, SetParameters(channel=36))
    assert bench.engine.schedule == ((36, 20_000), (6, 60_000), (36, 20_000), (11, 60_000))


def test_a_packet_passes_untouched_and_is_no_decision() -> None:
    bench = Bench()
    bench.start_vm(0)
    decided = len(bench.decisions)
    packet = TransmitPacket(b"\x40\x00 any octets", tid=3, channel=6)
    bench.refuse[Opcode.TRANSMIT_PACKET] = CallError.DROPPED
    sequence = bench.call(0, packet)
    assert bench.device_calls[-1] == (0, packet)
    assert bench.completions[-1] == (0, sequence, CallError.DROPPED)
    assert len(bench.decisions) == decided


def test_device_initiated_calls_go_up_but_the_radio_is_the_engines_own_affair() -> None:
    bench = Bench()
    packet = ReceivedPacket(PacketClass.MANAGEMENT, b"beacon")
    for call in (packet, Status(StatusCode.BEACON_LOSS, 7), Status(StatusCode.RADIO_GRANTED, 1)):
        message = Message(Kind.DEVICE_CALL, call.opcode, 0, VrId(3), call.emit())
        bench.engine.handle_device_message(message, 0)
    assert [message.opcode for message in bench.engine.poll_messages()] == [packet.opcode, Status.opcode]


def test_a_lost_device_ends_every_call() -> None:
    bench = Bench()
    bench.start_vm(0)
    scan = bench.call(0, Scan((1,)))
    message = Message(Kind.CALL, Opcode.READ_ROW, 999, VrId(0))
    bench.engine.handle_message(message, 0)
    bench.engine.handle_device_lost(0)
    bench.drive()
    assert {completion[1] for completion in bench.completions} >= {scan, 999}
    assert bench.last.outcome is Outcome.REFUSED


CALLS = st.one_of(
    st.builds(lambda number: InitVm(VmId(number), bytes((2, 0, 0, 0, 0, number))), st.integers(0, 5)),
    st.builds(SetParameters, channel=st.sampled_from([0, 1, 6, 11]), rate=st.sampled_from([0, 540])),
    st.builds(Scan, st.lists(st.sampled_from([0, 1, 6, 11, 36]), max_size=4).map(tuple)),
    st.sampled_from(
        [
            RemoveVm(),
            ResetDevice(),
            ResetVirtualMac(),
            ReadCounters(),
            ReadDeviceInfo(),
            SetSchedule(()),
            SetConnection(ConnectionState.ASSOCIATED, bytes(6), 1),
            InstallKey(0, KeyScope.GROUP, 4, 0, bytes(16)),
        ]
    ),
)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), CALLS, st.integers(0, 90)), max_size=30),
    st.sets(st.sampled_from(list(Opcode))),
)
def test_every_call_has_a_decision_with_a_reason_and_exactly_one_completion(
    steps: list[tuple[int, HostCall, int]], refused: set[Opcode]
) -> None:
    bench = Bench()
    bench.refuse = dict.fromkeys(refused, CallError.BAD_PAYLOAD)
    made = [(vr, bench.call(vr, call), bench.advance(wait))[:2] for vr, call, wait in steps]
    bench.advance(60_000)
    assert Counter(completion[:2] for completion in bench.completions) == Counter(made)
    assert len(bench.decisions) >= len(made)
    assert all(decision.reason for decision in bench.decisions)
    final = [decision for decision in bench.decisions if decision.outcome is not Outcome.DEFERRED]
    assert len(final) >= len(made)
    assert bench.engine.poll_timeout() is None
