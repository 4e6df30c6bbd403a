"""What every device does, whatever it is made of: host API octets on one side, air frames on the other."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyradio import ccmp_open, ccmp_seal
from polyradio._core import DROP_REASONS, EmulatedNic
from polyradio.host_api import (
    CallError,
    Completion,
    ConnectionState,
    DeviceInfo,
    InitVm,
    InstallKey,
    KeyScope,
    PacketClass,
    ReadCounters,
    ReadDeviceInfo,
    ReadRow,
    RemoveKey,
    RemoveVm,
    ResetDevice,
    SetConnection,
    SetParameters,
    Status,
    StatusCode,
    TransmitPacket,
    VmId,
    parse_device_call,
)


def test_the_device_says_what_it_is(bench):
    info = DeviceInfo.parse(bench.call(None, ReadDeviceInfo()).answer)
    assert (info.max_vms, info.max_radios, info.queue_length) == (300, 1, 8)
    assert info.ciphers >> 4 & 1


@pytest.mark.parametrize(
    ("identifier", "call", "error"),
    [
        (3, InitVm(VmId(1), bytes.fromhex("020000000001")), CallError.ADDRESS_TAKEN),
        (3, InitVm(VmId(1), b"\xff" * 6), CallError.INVALID_ADDRESS),
        (3, InitVm(VmId(1), bytes(6)), CallError.INVALID_ADDRESS),
        (0, InitVm(VmId(1), bytes.fromhex("020000000009")), CallError.ALREADY_INITIALISED),
        (300, InitVm(VmId(1), bytes.fromhex("020000000009")), CallError.TOO_MANY_VMS),
        (None, RemoveVm(), CallError.NO_IDENTIFIER),
        (9, ReadRow(), CallError.UNKNOWN_VM),
        (9, TransmitPacket(b""), CallError.UNKNOWN_VM),
        (0, InstallKey(0, KeyScope.PAIRWISE, 4, 0, bytes(16)), CallError.WEAK_KEY),
        (0, InstallKey(0, KeyScope.PAIRWISE, 4, 0, b"short"), CallError.UNSUPPORTED_CIPHER),
        (0, InstallKey(0, KeyScope.PAIRWISE, 2, 0, b"x" * 16), CallError.UNSUPPORTED_CIPHER),
        (0, RemoveKey(3, KeyScope.GROUP), CallError.NO_SUCH_KEY),
    ],
)
def test_a_call_that_cannot_be_done_says_why(bench, identifier, call, error):
    assert bench.call(identifier, call).error == error


def test_the_same_key_again_is_not_reinstalled(bench, frames):
    frame = ccmp_seal(frames.down(0), frames.key(0), 5)
    assert len(bench.hear(frame)) == 1
    assert bench.call(0, InstallKey(0, KeyScope.PAIRWISE, 4, 0, frames.key(0))).error == CallError.KEY_IN_USE
    assert bench.dropped(frame) == (1000, "replay")


def test_a_frame_goes_up_under_the_virtual_radio_that_owns_its_destination(bench, frames):
    plain = frames.down(2, sequence=1)
    [(identifier, packet)] = bench.hear(ccmp_seal(plain, frames.key(2), 1))
    assert (identifier, packet.frame, packet.packet_class) == (2, plain, PacketClass.DATA)
    assert (packet.decrypted, packet.still_protected, packet.channel) == (True, False, 1)


def test_a_group_frame_goes_up_to_every_vm_of_its_bss(bench, frames):
    plain = frames.data(b"\xff" * 6, frames.ap, frames.peer, to_ds=False)
    heard = bench.hear(ccmp_seal(plain, frames.group_key, 1, 1))
    assert [(identifier, packet.frame) for identifier, packet in heard] == [(0, plain), (1, plain), (2, plain)]


def test_what_does_not_pass_is_counted_with_its_reason(bench, frames):
    sealed = ccmp_seal(frames.down(1), frames.key(1), 1)
    assert bench.dropped(frames.down(1)) == (1001, "unprotected")
    assert bench.dropped(ccmp_seal(frames.down(1), frames.key(0), 1)) == (1001, "mic_failed")
    assert bench.dropped(ccmp_seal(frames.down(1), frames.key(1), 1, 2)) == (1001, "no_key")
    assert bench.dropped(ccmp_seal(frames.down(1), frames.group_key, 1, 1)) == (1001, "no_key")
    assert bench.dropped(ccmp_seal(frames.down(9), frames.key(1), 1)) == (None, "not_ours")
    assert bench.dropped(sealed[:28]) == (1001, "truncated")
    assert len(bench.hear(sealed)) == 1
    assert bench.dropped(sealed) == (1001, "replay")


def test_eapol_passes_in_the_clear_and_data_does_not(bench, frames):
    bench.done(0, SetConnection(ConnectionState.ASSOCIATED, frames.ap, 1, qos=True, privacy=True))
    eapol = frames.down(0, ethertype=0x888E)
    [(identifier, packet)] = bench.hear(eapol)
    assert (identifier, packet.packet_class, packet.decrypted) == (0, PacketClass.EAPOL, False)
    assert bench.dropped(frames.down(0, sequence=1)) == (1000, "unprotected")


def test_the_frame_is_forwarded_where_the_vm_decrypts_itself(bench, frames):
    bench.done(0, SetParameters(channel=1, forward_protected=True))
    sealed = ccmp_seal(frames.down(0), frames.key(0), 1)
    [(_, packet)] = bench.hear(sealed)
    assert (packet.frame, packet.still_protected, packet.decrypted, packet.key_id) == (sealed, True, False, 0)
    assert ccmp_open(packet.frame, frames.key(0)) == (frames.down(0), 1)


def test_a_packet_is_sealed_and_answered_when_it_was_sent(bench, frames):
    sequence = bench.submit(1, TransmitPacket(frames.up(1)))
    assert bench.take() == []
    [(channel, vm, frame)] = bench.nic.take_air_frames(bench.now)
    assert (channel, vm, ccmp_open(frame, frames.key(1))) == (1, 1001, (frames.up(1), 1))
    [answer] = bench.take()
    assert (answer.sequence, answer.identifier, Completion.parse(answer.payload)) == (sequence, 1, Completion(None, 1))


def test_a_vm_cannot_send_under_anothers_address(bench, frames):
    answer = bench.call(0, TransmitPacket(frames.up(1)))
    assert (answer.error, DROP_REASONS[answer.detail]) == (CallError.DROPPED, "foreign_source")
    assert bench.nic.take_air_frames(bench.now) == []


def test_a_legacy_hosts_packet_is_attributed_by_its_source_address(bench, frames):
    bench.submit(None, TransmitPacket(frames.up(1)))
    [(_, vm, frame)] = bench.nic.take_air_frames(bench.now)
    assert (vm, ccmp_open(frame, frames.key(1))[0]) == (1001, frames.up(1))
    [answer] = bench.take()
    assert (answer.identifier, Completion.parse(answer.payload)) == (None, Completion(None, 1))
    unknown = bench.call(None, TransmitPacket(frames.up(9)))
    assert (unknown.error, DROP_REASONS[unknown.detail]) == (CallError.DROPPED, "no_such_vm")


def test_a_frame_is_sent_again_as_it_was_and_given_up_in_the_end(bench, frames):
    sequence = bench.submit(0, TransmitPacket(frames.up(0)))
    tries = []
    while sent := bench.nic.take_air_frames(bench.now, acknowledged=False):
        tries += [frame for _, _, frame in sent]
    assert len(tries) == 7
    assert set(tries[1:]) == {tries[0][:1] + bytes((tries[0][1] | 0x08,)) + tries[0][2:]}
    [answer] = bench.take()
    assert (answer.sequence, Completion.parse(answer.payload)) == (sequence, Completion(CallError.NOT_ACKNOWLEDGED, 7))


def test_no_data_leaves_without_a_key(bench, frames):
    bench.done(0, RemoveKey(0, KeyScope.PAIRWISE))
    answer = bench.call(0, TransmitPacket(frames.up(0)))
    assert (answer.error, DROP_REASONS[answer.detail]) == (CallError.DROPPED, "no_key")


def test_a_full_queue_says_so(bench, frames):
    for _ in range(8):
        bench.submit(0, TransmitPacket(frames.up(0)))
    assert bench.take() == []
    assert bench.call(0, TransmitPacket(frames.up(0))).error == CallError.QUEUE_FULL


def test_a_removed_vm_leaves_nothing(bench, frames):
    sequence = bench.submit(0, TransmitPacket(frames.up(0)))
    removal = bench.submit(0, RemoveVm())
    answers = {message.sequence: Completion.parse(message.payload) for message in bench.take()}
    assert answers == {
        sequence: Completion(CallError.DROPPED, DROP_REASONS.index("flushed")),
        removal: Completion(),
    }
    assert not bench.nic.acknowledges(frames.address(0))
    assert bench.dropped(ccmp_seal(frames.down(0), frames.key(0), 1)) == (None, "not_ours")
    assert bench.nic.take_air_frames(bench.now) == []


def test_the_radio_takes_turns_and_tells_the_access_points(bench, frames):
    bench.done(1, SetParameters(channel=6))
    bench.schedule((1, 20_000), (6, 20_000))
    sent = bench.run(100)
    power = [(channel, vm, bool(frame[1] & 0x10)) for channel, vm, frame in sent]
    assert [entry for entry in power if entry[1] == 1001][:3] == [(6, 1001, True), (6, 1001, False), (6, 1001, True)]
    assert {vm for channel, vm, _ in power if channel == 1} == {1000, 1002}
    statuses = [(m.identifier, parse_device_call(m.opcode, m.payload)) for m in bench.take()]
    assert statuses[:3] == [(None, Status(StatusCode.RADIO_GRANTED, channel)) for channel in (6, 1, 6)]


def test_a_lost_access_point_is_reported_once(bench, frames):
    bench.done(0, SetConnection(ConnectionState.AUTHORIZED, frames.ap, 1, qos=True, privacy=True, beacon_interval=100))
    bench.run(2000)
    statuses = [(m.identifier, parse_device_call(m.opcode, m.payload)) for m in bench.take()]
    assert statuses == [(0, Status(StatusCode.BEACON_LOSS, 7))]


def test_rows_and_counters_hold_no_key(bench, frames):
    for call in (ReadRow(), ReadCounters()):
        answer = bench.call(1, call)
        assert answer.error is None
        assert frames.key(1) not in answer.answer


def test_a_reset_device_has_no_vms_and_no_channel(bench, frames):
    bench.done(None, ResetDevice())
    assert (bench.nic.channel, bench.nic.poll_timeout()) == (None, None)
    assert bench.call(0, ReadRow()).error == CallError.UNKNOWN_VM


@settings(max_examples=200, deadline=None)
@given(octets=st.binary(max_size=300), heard=st.lists(st.binary(max_size=100), max_size=4))
def test_any_octets_are_survived(octets, heard):
    nic = EmulatedNic(max_vms=300)
    nic.submit(octets, 0)
    nic.hear(heard, 0, channel=1)
    nic.take_messages()
    nic.take_air_frames(0)
