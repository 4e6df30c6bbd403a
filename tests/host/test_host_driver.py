"""Translation between VM IDs and VR IDs, and isolation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyradio.errors import LocalProtocolError, RemoteProtocolError
from polyradio.host.host_driver import MAX_UNDER_WAY, HostDriver
from polyradio.host_api import (
    CallError,
    Completion,
    InitVm,
    Kind,
    Message,
    Opcode,
    ReadRow,
    SetParameters,
    VmId,
    VrId,
    emit_call,
    parse_call,
    parse_messages,
)


def up(driver: HostDriver, vm: int) -> list[Message[VmId]]:
    return list(parse_messages(driver.poll_octets(VmId(vm)), 2))


def test_a_call_goes_down_under_the_vr_id_and_its_completion_comes_up_with_the_vms_own_number() -> None:
    driver = HostDriver(64)
    driver.open_session(VmId(7))
    vr = driver.open_session(VmId(9))
    driver.handle_octets(VmId(9), emit_call(SetParameters(channel=6), 42, 9, 2))
    (call,) = driver.poll_messages()
    assert (call.identifier, call.opcode) == (vr, Opcode.SET_PARAMETERS)
    assert call.sequence >= 0x8000
    driver.handle_messages([Message(Kind.COMPLETION, call.opcode, call.sequence, vr, Completion().emit())])
    (completion,) = up(driver, 9)
    assert (completion.identifier, completion.sequence) == (9, 42)
    assert up(driver, 7) == []


def test_a_call_that_names_another_vm_is_answered_and_goes_no_further() -> None:
    driver = HostDriver(64)
    driver.open_session(VmId(1))
    driver.open_session(VmId(2))
    driver.handle_octets(VmId(1), emit_call(ReadRow(), 5, 2, 2))
    assert driver.poll_messages() == []
    (answer,) = up(driver, 1)
    assert Completion.parse(answer.payload).error is CallError.UNKNOWN_VM
    assert up(driver, 2) == []


def test_the_vm_number_in_an_init_call_is_the_sessions() -> None:
    driver = HostDriver(64)
    driver.open_session(VmId(1))
    driver.handle_octets(VmId(1), emit_call(InitVm(VmId(2), bytes(6)), 5, None, 2))
    (call,) = driver.poll_messages()
    assert parse_call(call.opcode, call.payload) == InitVm(VmId(1), bytes(6))


def test_a_virtual_radio_is_given_away_again_only_when_the_device_has_removed_it() -> None:
    driver = HostDriver(1)
    vr = driver.open_session(VmId(1))
    with pytest.raises(LocalProtocolError, match="1 VMs"):
        driver.open_session(VmId(2))
    driver.close_session(VmId(1))
    (call,) = driver.poll_messages()
    with pytest.raises(LocalProtocolError):
        driver.open_session(VmId(2))
    packet = Message(Kind.DEVICE_CALL, Opcode.RECEIVED_PACKET, 0, vr, b"for the VM that left")
    done = Message(Kind.COMPLETION, call.opcode, call.sequence, vr, Completion().emit())
    driver.handle_messages([packet, done])
    assert driver.open_session(VmId(2)) == vr
    assert up(driver, 2) == []


def test_a_vm_that_never_waits_is_told_that_its_queue_is_full() -> None:
    driver = HostDriver(4)
    driver.open_session(VmId(0))
    octets = b"".join(emit_call(ReadRow(), number, 0, 2) for number in range(MAX_UNDER_WAY + 1))
    driver.handle_octets(VmId(0), octets)
    calls = driver.poll_messages()
    assert len({call.sequence for call in calls}) == MAX_UNDER_WAY
    (answer,) = up(driver, 0)
    assert Completion.parse(answer.payload).error is CallError.QUEUE_FULL


def test_what_is_no_call_ends_the_batch() -> None:
    driver = HostDriver(4)
    driver.open_session(VmId(0))
    forged = Message(Kind.COMPLETION, Opcode.READ_ROW, 1, VmId(0), Completion().emit()).emit(2)
    with pytest.raises(RemoteProtocolError):
        driver.handle_octets(VmId(0), forged)
    with pytest.raises(LocalProtocolError):
        driver.handle_octets(VmId(3), b"")


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 0xFFFF)), max_size=20),
    st.lists(
        st.tuples(st.sampled_from(list(Kind)), st.integers(0, 5), st.integers(0x7FF8, 0x8018), st.binary(max_size=4)),
        max_size=40,
    ),
)
def test_a_completion_or_packet_never_reaches_another_vm(
    calls: list[tuple[int, int]], upward: list[tuple[Kind, int, int, bytes]]
) -> None:
    driver = HostDriver(8)
    vms = [VmId(50 + number) for number in range(4)]
    vrs = [driver.open_session(vm) for vm in vms]
    for vm, sequence in calls:
        driver.handle_octets(vms[vm], emit_call(ReadRow(), sequence, vms[vm], 2))
    made = {(call.identifier, call.sequence) for call in driver.poll_messages()}
    expected: dict[int, int] = dict.fromkeys(vms, 0)
    for kind, vr, sequence, payload in upward:
        driver.handle_messages([Message(kind, Opcode.READ_ROW, sequence, VrId(vr), payload)])
        is_known = vr in vrs
        if kind is Kind.DEVICE_CALL and is_known:
            expected[vms[vrs.index(VrId(vr))]] += 1
        if kind is Kind.COMPLETION and (vr, sequence) in made:
            made.discard((VrId(vr), sequence))
            expected[vms[vrs.index(VrId(vr))]] += 1
    for vm in vms:
        messages = up(driver, vm)
        assert len(messages) == expected[vm]
        assert all(message.identifier == vm for message in messages)
