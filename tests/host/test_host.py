"""The host as one piece, with a device that answers everything with done."""

import pytest

from polyradio.engine import Policy
from polyradio.errors import LocalProtocolError, NotAvailable
from polyradio.host import Host
from polyradio.host_api import (
    Completion,
    DeviceInfo,
    InitVm,
    Kind,
    Message,
    Opcode,
    PacketClass,
    ReceivedPacket,
    Scan,
    SetParameters,
    VmId,
    VrId,
    emit_call,
    parse_messages,
)


class Obedient:
    """A device that does as it is told."""

    def __init__(self, max_vms: int) -> None:
        self.info = DeviceInfo(max_vms, 1, 64, 64, 1 << 4)
        self.says = b""
        self.told: list[Message[VrId]] = []

    def submit(self, messages: bytes) -> None:
        told: list[Message[VrId]] = list(parse_messages(messages, self.width))
        self.told += told
        for call in told:
            answer = Message(Kind.COMPLETION, call.opcode, call.sequence, call.identifier, Completion().emit())
            self.says += answer.emit(self.width)

    def take(self) -> bytes:
        says, self.says = self.says, b""
        return says

    def close(self) -> None:
        pass

    @property
    def width(self) -> int:
        return 1 if self.info.max_vms <= 256 else 2


@pytest.mark.parametrize("max_vms", [64, 1024])
def test_calls_go_all_the_way_down_and_come_back_to_their_vm(max_vms: int) -> None:
    device = Obedient(max_vms)
    host = Host(device, Policy())
    for number in (300, 301):
        host.open_session(VmId(number))
        octets = emit_call(InitVm(VmId(number), bytes((2, 0, 0, 0, 0, number & 0xFF))), 1, number, 2)
        host.submit(VmId(number), octets + emit_call(SetParameters(channel=6), 2, number, 2), 0)
    received = dict(host.receive(0))
    for number in (300, 301):
        messages: list[Message[VmId]] = list(parse_messages(received[VmId(number)], 2))
        assert [(message.identifier, message.sequence) for message in messages] == [(number, 1), (number, 2)]
    assert [message.opcode for message in device.told].count(Opcode.SET_SCHEDULE) == 1
    assert {message.identifier for message in device.told} == {0, 1, None}


def test_a_packet_reaches_its_vm_only() -> None:
    device = Obedient(64)
    host = Host(device, Policy())
    vrs = [host.open_session(VmId(number)) for number in (7, 8)]
    packet = ReceivedPacket(PacketClass.MANAGEMENT, b"for VM 8")
    device.says = Message(Kind.DEVICE_CALL, packet.opcode, 0, vrs[1], packet.emit()).emit(1)
    ((vm, octets),) = host.receive(0)
    assert vm == 8
    assert b"for VM 8" in octets


def test_a_scan_ends_by_the_engines_clock() -> None:
    host = Host(Obedient(64), Policy(scan_slot_ms=60, guard_ms=0))
    host.open_session(VmId(1))
    host.submit(VmId(1), emit_call(InitVm(VmId(1), bytes(6)), 1, 1, 2) + emit_call(Scan((1, 6)), 2, 1, 2), 0)
    assert host.poll_timeout() == 120_000_000
    list(host.receive(0))
    host.handle_timeout(120_000_000)
    ((_, octets),) = host.receive(120_000_000)
    messages: list[Message[VmId]] = list(parse_messages(octets, 2))
    assert [(message.opcode, message.sequence) for message in messages] == [(Opcode.SCAN, 2)]


def test_a_closed_session_frees_its_virtual_radio() -> None:
    host = Host(Obedient(1), Policy())
    host.open_session(VmId(1))
    with pytest.raises(LocalProtocolError):
        host.open_session(VmId(2))
    host.submit(VmId(1), emit_call(InitVm(VmId(1), bytes(6)), 1, 1, 2), 0)
    host.close_session(VmId(1), 0)
    assert list(host.receive(0)) == []
    assert host.open_session(VmId(2)) == 0


@pytest.mark.parametrize("placement", ["device", "domain"])
def test_other_placements_are_not_available_and_say_so(placement: str) -> None:
    with pytest.raises(NotAvailable, match=f"{placement} is not in this version"):
        Host(Obedient(1), Policy(), placement=placement)
