"""A host and an air for one device: calls and frames in, what comes back read."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from polyradio._core import DROP_REASONS, EmulatedNic
from polyradio.host_api import (
    Completion,
    ConnectionState,
    HostCall,
    InitVm,
    InstallKey,
    KeyScope,
    Kind,
    Message,
    ReceivedPacket,
    SetConnection,
    SetParameters,
    SetSchedule,
    Slot,
    Status,
    VmId,
    emit_call,
    identifier_width,
    parse_device_call,
    parse_messages,
)

AP = bytes.fromhex("02aa00000001")
PEER = bytes.fromhex("02bb00000009")
GROUP_KEY = bytes([0x99]) * 16
MS = 1_000_000


def address(number: int) -> bytes:
    return bytes((2, 0, 0, 0)) + number.to_bytes(2, "big")


def key(number: int) -> bytes:
    return bytes((0x5A,)) + number.to_bytes(15, "big")


def data(addr1: bytes, addr2: bytes, addr3: bytes, *, to_ds: bool, sequence: int = 0, ethertype: int = 0x0800) -> bytes:
    """A QoS Data frame, TID 0."""
    header = bytes((0x88, 1 if to_ds else 2, 0, 0)) + addr1 + addr2 + addr3 + (sequence << 4).to_bytes(2, "little")
    return header + bytes(2) + bytes.fromhex("aaaa03000000") + ethertype.to_bytes(2, "big") + b"payload"


def up(number: int) -> bytes:
    """From VM `number` to its access point."""
    return data(AP, address(number), PEER, to_ds=True)


def down(number: int, *, sequence: int = 0, ethertype: int = 0x0800) -> bytes:
    """From the access point to VM `number`."""
    return data(address(number), AP, PEER, to_ds=False, sequence=sequence, ethertype=ethertype)


@dataclass
class Bench:
    """One device with its host and its air."""

    nic: EmulatedNic
    max_vms: int = 300
    now: int = 0
    sequence: int = 0

    def submit(self, identifier: int | None, call: HostCall) -> int:
        self.sequence += 1
        self.nic.submit(emit_call(call, self.sequence, identifier, identifier_width(self.max_vms)), self.now)
        return self.sequence

    def call(self, identifier: int | None, call: HostCall) -> Completion:
        """Makes a call and returns its answer; there is exactly one."""
        sequence = self.submit(identifier, call)
        answers = [message for message in self.take() if message.sequence == sequence]
        assert [(message.kind, message.identifier) for message in answers] == [(Kind.COMPLETION, identifier)]
        return Completion.parse(answers[0].payload)

    def done(self, identifier: int | None, call: HostCall) -> None:
        assert self.call(identifier, call).error is None

    def take(self) -> list[Message[int]]:
        return list(parse_messages(self.nic.take_messages(), identifier_width(self.max_vms)))

    def add_vm(self, number: int) -> None:
        self.done(number, InitVm(VmId(number + 1000), address(number)))
        self.done(number, SetParameters(channel=1))
        self.done(number, SetConnection(ConnectionState.AUTHORIZED, AP, 1, qos=True, privacy=True))
        self.done(number, InstallKey(0, KeyScope.PAIRWISE, 4, 0, key(number)))
        self.done(number, InstallKey(1, KeyScope.GROUP, 4, 0, GROUP_KEY))

    def schedule(self, *slots: tuple[int, int]) -> None:
        self.done(None, SetSchedule(tuple(Slot(channel, length_us) for channel, length_us in slots)))

    def run(self, milliseconds: int) -> list[tuple[int, int | None, bytes]]:
        """Lets time pass; what the device sent meanwhile, all acknowledged."""
        end = self.now + milliseconds * MS
        sent = self.nic.take_air_frames(self.now)
        while (deadline := self.nic.poll_timeout()) is not None and deadline <= end:
            assert deadline >= self.now
            self.now = deadline
            self.nic.handle_timeout(deadline)
            sent += self.nic.take_air_frames(deadline)
        self.now = end
        return sent

    def hear(self, *frames: bytes, channel: int = 1) -> list[tuple[int | None, ReceivedPacket | Status]]:
        self.nic.hear(frames, self.now, channel=channel)
        return [(m.identifier, parse_device_call(m.opcode, m.payload)) for m in self.take()]

    def dropped(self, frame: bytes) -> tuple[int | None, str]:
        """Hears a frame that nobody gets; whose counter grew, and the reason."""
        before = self.nic.counters()
        assert self.hear(frame) == []
        grown = [
            (vm, name)
            for vm, counters in self.nic.counters().items()
            for name, count in counters.items()
            if count != before.get(vm, {}).get(name, 0) and name in DROP_REASONS
        ]
        assert len(grown) == 1
        return grown[0]


@pytest.fixture
def bench() -> Bench:
    """A device on channel 1 with three authorized VMs of one access point."""
    bench = Bench(EmulatedNic(max_vms=300, queue_length=8))
    for number in range(3):
        bench.add_vm(number)
    bench.schedule((1, 20_000))
    bench.run(5)
    bench.take()
    return bench


@pytest.fixture
def frames() -> SimpleNamespace:
    """Frames, addresses and keys of those VMs."""
    return SimpleNamespace(ap=AP, peer=PEER, group_key=GROUP_KEY, address=address, key=key, data=data, up=up, down=down)
