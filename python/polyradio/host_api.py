"""The host API: the one message format between VM, host driver and NIC (US 8,392,625, FIG. 6).

A message is a header and a payload. Three kinds: a *call* goes down, its *completion* comes up with the same sequence
number, a *device-initiated call* comes up by itself. Above the host driver the identifier field holds a VM ID, below it
a VR ID; `VmId` and `VrId` are types of their own, and only the host driver's table leads from one to the other.

```
octet  0        1      2 3     4 5       6 7            8 ..
       version  kind   opcode  sequence  payload length identifier (0, 1 or 2 octets), payload
```
All numbers are little-endian. Bit 7 of `kind` set: no identifier field.

The fields and names equal `rust_core/src/host_api`; both read `tests/vectors/host_api`. Not here: what a call does, who
may call. Promise: `parse(emit(x)) == x`; octets that cannot be read raise `RemoteProtocolError`.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Generic, NewType, Protocol, TypeVar

from polyradio.errors import LocalProtocolError, RemoteProtocolError

VmId = NewType("VmId", int)
"""A virtual machine, as the host knows it."""
VrId = NewType("VrId", int)
"""A virtual radio, as the NIC knows it."""

Id = TypeVar("Id", bound=int)

VERSION = 1


class Opcode(IntEnum):
    """Call codes; those from 0x8000 on are device-initiated."""

    DEVICE_INFO = 0x0001
    RESET_DEVICE = 0x0002
    SET_SCHEDULE = 0x0003
    INIT_VM = 0x0010
    REMOVE_VM = 0x0011
    RESET_VIRTUAL_MAC = 0x0012
    SET_PARAMETERS = 0x0013
    SET_CONNECTION = 0x0014
    INSTALL_KEY = 0x0015
    REMOVE_KEY = 0x0016
    READ_ROW = 0x0017
    READ_COUNTERS = 0x0018
    SCAN = 0x0020
    TRANSMIT_PACKET = 0x0030
    RECEIVED_PACKET = 0x8001
    STATUS = 0x8002


class Kind(IntEnum):
    """What a message is."""

    CALL = 0
    COMPLETION = 1
    DEVICE_CALL = 2


class CallError(IntEnum):
    """Why a call was not done; what each one means stands in `rust_core/src/host_api/call.rs`."""

    UNKNOWN_OPCODE = 1
    BAD_PAYLOAD = 2
    UNKNOWN_VM = 3
    NO_IDENTIFIER = 4
    ADDRESS_TAKEN = 5
    INVALID_ADDRESS = 6
    ALREADY_INITIALISED = 7
    TOO_MANY_VMS = 8
    UNSUPPORTED_CIPHER = 9
    WEAK_KEY = 10
    KEY_IN_USE = 11
    NO_SUCH_KEY = 12
    BAD_SCHEDULE = 13
    QUEUE_FULL = 14
    DROPPED = 15
    NOT_ACKNOWLEDGED = 16
    BAD_ROW = 17


class ConnectionState(IntEnum):
    """How far a VM's connection has come; the device lets pass what each state allows."""

    DISCONNECTED = 0
    AUTHENTICATED = 1
    ASSOCIATED = 2
    AUTHORIZED = 3


class KeyScope(IntEnum):
    """What a key is for."""

    PAIRWISE = 0
    GROUP = 1


class PacketClass(IntEnum):
    """What a received packet is to the host."""

    DATA = 0
    EAPOL = 1
    MANAGEMENT = 2


class StatusCode(IntEnum):
    """What a status feedback says."""

    BEACON_LOSS = 1
    RADIO_GRANTED = 2
    RADIO_WITHDRAWN = 3
    KEY_EXHAUSTED = 4


@dataclass(frozen=True, slots=True)
class Message(Generic[Id]):
    """One message with its payload unread; the type parameter says whose identifier it carries."""

    kind: Kind
    """Call, completion or device-initiated call."""
    opcode: int
    """The call code."""
    sequence: int
    """Chosen by the caller, repeated in the completion."""
    identifier: Id | None
    """Whom it concerns; None for the device as a whole or a legacy host's packet."""
    payload: bytes = b""
    """What the call code gives its form."""

    def emit(self, width: int) -> bytes:
        """The octets of the message, with an identifier field of `width` octets (1 or 2).

        Raises:
            LocalProtocolError: The identifier or the payload does not fit its field.
        """
        kind = self.kind if self.identifier is not None else self.kind | _NO_IDENTIFIER
        if len(self.payload) > 0xFFFF:
            raise LocalProtocolError(f"a payload of {len(self.payload)} octets does not fit into a message")
        header = _HEADER.pack(VERSION, kind, self.opcode, self.sequence, len(self.payload))
        if self.identifier is None:
            return header + self.payload
        if not 0 <= self.identifier < 1 << 8 * width:
            raise LocalProtocolError(f"identifier {self.identifier} does not fit into {width} octet(s)")
        return header + self.identifier.to_bytes(width, "little") + self.payload


def identifier_width(max_vms: int) -> int:
    """The octets of the narrowest identifier field that tells `max_vms` VMs apart."""
    return 1 if max_vms <= 256 else 2


def parse_messages(octets: bytes, width: int) -> Iterator[Message[Id]]:
    """The messages that stand one behind the other in `octets`.

    Raises:
        RemoteProtocolError: At the first message that cannot be read; those before it have been yielded.
    """
    at = 0
    while at < len(octets):
        if len(octets) - at < _HEADER.size:
            raise RemoteProtocolError(_truncated("message header", _HEADER.size, len(octets) - at, at))
        version, kind, opcode, sequence, length = _HEADER.unpack_from(octets, at)
        if version != VERSION:
            raise RemoteProtocolError(f"message version {version} at octet {at} is not {VERSION}")
        if kind & ~_NO_IDENTIFIER not in _KINDS:
            raise RemoteProtocolError(f"message kind {kind} at octet {at + 1} has no meaning")
        has_identifier = not kind & _NO_IDENTIFIER
        start = at + _HEADER.size + (width if has_identifier else 0)
        if len(octets) < start + length:
            raise RemoteProtocolError(_truncated("message payload", start + length - at, len(octets) - at, at))
        identifier = int.from_bytes(octets[at + _HEADER.size : start], "little") if has_identifier else None
        payload = octets[start : start + length]
        yield Message(Kind(kind & ~_NO_IDENTIFIER), opcode, sequence, identifier, payload)  # type: ignore[arg-type]
        at = start + length


class HostCall(Protocol):
    """What a host asks of the device; each is answered by exactly one completion."""

    opcode: ClassVar[Opcode]

    def emit(self) -> bytes:
        """The payload."""


@dataclass(frozen=True, slots=True)
class ReadDeviceInfo:
    """What are you? Answered with `DeviceInfo`. No identifier."""

    opcode: ClassVar = Opcode.DEVICE_INFO

    def emit(self) -> bytes:
        """The payload."""
        return b""


@dataclass(frozen=True, slots=True)
class ResetDevice:
    """Forget everything. No identifier."""

    opcode: ClassVar = Opcode.RESET_DEVICE

    def emit(self) -> bytes:
        """The payload."""
        return b""


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot of the radio schedule."""

    channel: int
    """The channel on which the one radio stands; the VMs configured for it share the slot."""
    length_us: int
    """How long, the channel switch at its start included."""


@dataclass(frozen=True, slots=True)
class SetSchedule:
    """Replace the radio schedule; no slots: the radio stands still where it is. No identifier."""

    slots: tuple[Slot, ...]

    opcode: ClassVar = Opcode.SET_SCHEDULE

    def emit(self) -> bytes:
        """The payload."""
        return b"".join(_SLOT.pack(slot.channel, slot.length_us) for slot in self.slots)


@dataclass(frozen=True, slots=True)
class InitVm:
    """Per-VM device initialisation (620): create the row, its virtual MAC and its filter."""

    vm: VmId
    """The VM that this virtual radio belongs to."""
    address: bytes
    """The address of its virtual MAC."""

    opcode: ClassVar = Opcode.INIT_VM

    def emit(self) -> bytes:
        """The payload."""
        return _INIT_VM.pack(self.vm, self.address)


@dataclass(frozen=True, slots=True)
class RemoveVm:
    """Remove the row; its keys are wiped, its queue is dropped."""

    opcode: ClassVar = Opcode.REMOVE_VM

    def emit(self) -> bytes:
        """The payload."""
        return b""


@dataclass(frozen=True, slots=True)
class ResetVirtualMac:
    """Reset the virtual MAC: queue, sequence counters; its neighbours notice nothing."""

    opcode: ClassVar = Opcode.RESET_VIRTUAL_MAC

    def emit(self) -> bytes:
        """The payload."""
        return b""


@dataclass(frozen=True, slots=True)
class SetParameters:
    """Set configuration parameters (VM-specific parameters, FIG. 2, 204)."""

    channel: int = 0
    """Channel number of the 2.4 or 5 GHz band; 0: none."""
    rate: int = 0
    """Transmit rate in units of 100 kbit/s; 0: the device chooses."""
    scan_filter: bool = False
    """Accept beacons and probe responses of every BSS (a scan is under way)."""
    forward_protected: bool = False
    """Do not decrypt: hand the frame up as it is, with the key's index (634)."""

    opcode: ClassVar = Opcode.SET_PARAMETERS

    def emit(self) -> bytes:
        """The payload."""
        return _PARAMETERS.pack(self.channel, self.rate, self.scan_filter | self.forward_protected << 1)


@dataclass(frozen=True, slots=True)
class SetConnection:
    """Set connection information."""

    state: ConnectionState = ConnectionState.DISCONNECTED
    """How far the connection has come."""
    bssid: bytes = bytes(6)
    """The access point."""
    association_id: int = 0
    """1 to 2007; 0 without association."""
    qos: bool = False
    """The peer does QoS."""
    privacy: bool = False
    """Data must be protected by a key: no plaintext in either direction but EAPOL."""
    beacon_interval: int = 0
    """The access point's beacon interval in time units; 0: do not watch for its beacons."""

    opcode: ClassVar = Opcode.SET_CONNECTION

    def emit(self) -> bytes:
        """The payload."""
        flags = self.qos | self.privacy << 1
        return _CONNECTION.pack(self.state, self.bssid, self.association_id, flags, self.beacon_interval)


@dataclass(frozen=True, slots=True)
class InstallKey:
    """Install a key."""

    key_id: int
    """0 to 3."""
    scope: KeyScope
    """Pairwise or group."""
    cipher: int
    """Suite selector 00-0F-AC:n (IEEE 802.11-2020 Table 9-149)."""
    receive_counter: int
    """Received packet numbers must be larger (the Key RSC of a group key)."""
    key: bytes
    """The temporal key."""

    opcode: ClassVar = Opcode.INSTALL_KEY

    def emit(self) -> bytes:
        """The payload."""
        return bytes((self.key_id, self.scope, self.cipher)) + self.receive_counter.to_bytes(6, "big") + self.key

    def __repr__(self) -> str:
        """Without the key: keys are not printed."""
        return f"InstallKey(key_id={self.key_id}, scope={self.scope.name}, cipher={self.cipher})"


@dataclass(frozen=True, slots=True)
class RemoveKey:
    """Remove a key."""

    key_id: int
    scope: KeyScope

    opcode: ClassVar = Opcode.REMOVE_KEY

    def emit(self) -> bytes:
        """The payload."""
        return bytes((self.key_id, self.scope))


@dataclass(frozen=True, slots=True)
class ReadRow:
    """Hand out the row, without the keys' octets."""

    opcode: ClassVar = Opcode.READ_ROW

    def emit(self) -> bytes:
        """The payload."""
        return b""


@dataclass(frozen=True, slots=True)
class ReadCounters:
    """The device's and the VM's counters."""

    opcode: ClassVar = Opcode.READ_COUNTERS

    def emit(self) -> bytes:
        """The payload."""
        return b""


@dataclass(frozen=True, slots=True)
class Scan:
    """Visit these channels and hand up the beacons and probe responses heard there; completed when all were visited.

    Done by the control engine: a device that carries none answers `UNKNOWN_OPCODE`.
    """

    channels: tuple[int, ...]

    opcode: ClassVar = Opcode.SCAN

    def emit(self) -> bytes:
        """The payload."""
        return bytes(self.channels)


@dataclass(frozen=True, slots=True)
class TransmitPacket:
    """Send a frame: an MPDU without FCS, sequence number and protection."""

    frame: bytes
    """MAC header and body, in the clear."""
    tid: int = 0
    """Priority; the QoS Control field, where there is one, must say the same."""
    unprotected: bool = False
    """Send this EAPOL frame in the clear although a key is installed."""
    channel: int = 0
    """Send on this channel even if it is not the row's (a probe request while scanning); 0: the row's."""

    opcode: ClassVar = Opcode.TRANSMIT_PACKET

    def emit(self) -> bytes:
        """The payload."""
        return bytes((self.tid, self.unprotected, self.channel, 0)) + self.frame


class CallRejected(LocalProtocolError):  # noqa: N818 - parallel to DeviceRejected
    """A call that cannot be read; `error` is what its completion has to say."""

    def __init__(self, error: CallError) -> None:
        super().__init__(f"the call cannot be read: {error.name.lower()}")
        self.error = error


def parse_call(opcode: int, payload: bytes) -> HostCall:
    """The call that a payload says.

    Raises:
        CallRejected: With `UNKNOWN_OPCODE` or `BAD_PAYLOAD`.
    """
    parse = _CALLS.get(opcode)
    if parse is None:
        raise CallRejected(CallError.UNKNOWN_OPCODE)
    try:
        return parse(payload)
    except (struct.error, ValueError, IndexError):
        raise CallRejected(CallError.BAD_PAYLOAD) from None


@dataclass(frozen=True, slots=True)
class Completion:
    """A completion's payload."""

    error: CallError | None = None
    """None: done."""
    detail: int = 0
    """For a packet: the drop reason's number, or how often it was sent."""
    answer: bytes = b""
    """What was asked for; the call code says its form."""

    def emit(self) -> bytes:
        """The payload."""
        return _COMPLETION.pack(self.error or 0, self.detail) + self.answer

    @classmethod
    def parse(cls, payload: bytes) -> "Completion":
        """Reads the payload; raises `RemoteProtocolError`."""
        if len(payload) < _COMPLETION.size:
            raise RemoteProtocolError(_truncated("completion", _COMPLETION.size, len(payload), 0))
        code, detail = _COMPLETION.unpack_from(payload)
        return cls(_enum(CallError, code, "completion code") if code else None, detail, payload[_COMPLETION.size :])


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """The answer to `ReadDeviceInfo`: what the device can do."""

    max_vms: int
    """The identifier's width follows from it."""
    max_radios: int
    """How many channels at the same time."""
    max_slots: int
    """How many slots a schedule may have."""
    queue_length: int
    """Frames a VM may have under way in the device."""
    ciphers: int
    """Bit n set: cipher suite 00-0F-AC:n is done in the device."""

    def emit(self) -> bytes:
        """The answer's octets."""
        return _DEVICE_INFO.pack(self.max_vms, self.max_radios, self.max_slots, self.queue_length, self.ciphers)

    @classmethod
    def parse(cls, answer: bytes) -> "DeviceInfo":
        """Reads the answer; raises `RemoteProtocolError`. A longer answer of a later device is accepted."""
        if len(answer) < _DEVICE_INFO.size:
            raise RemoteProtocolError(_truncated("device information", _DEVICE_INFO.size, len(answer), 0))
        return cls(*_DEVICE_INFO.unpack_from(answer))


@dataclass(frozen=True, slots=True)
class ReceivedPacket:
    """A frame for the VM: an MPDU without FCS; without CCMP header and MIC unless it is still protected."""

    packet_class: PacketClass
    """Who has to have it."""
    frame: bytes
    """MAC header and body."""
    decrypted: bool = False
    """It arrived protected, and its integrity was checked."""
    still_protected: bool = False
    """It is handed up as it arrived; `key_id` says by which key."""
    key_id: int = 0
    """The key that it was protected with."""
    tid: int = 0
    """Its priority."""
    channel: int = 0
    """Where it was heard."""
    signal_dbm: int = 0
    """How strong."""
    rate: int = 0
    """How fast, in units of 100 kbit/s."""
    timestamp_us: int = 0
    """When its last octet was there."""

    opcode: ClassVar = Opcode.RECEIVED_PACKET

    def emit(self) -> bytes:
        """The payload."""
        flags = self.decrypted | self.still_protected << 1
        fixed = (self.packet_class, flags, self.key_id, self.tid, self.channel, self.signal_dbm, self.rate)
        return _RECEIVED.pack(*fixed, self.timestamp_us) + self.frame


@dataclass(frozen=True, slots=True)
class Status:
    """Status feedback."""

    code: StatusCode
    """What happened."""
    value: int = 0
    """How much of it."""

    opcode: ClassVar = Opcode.STATUS

    def emit(self) -> bytes:
        """The payload."""
        return _STATUS.pack(self.code, 0, self.value)


DeviceCall = ReceivedPacket | Status


def parse_device_call(opcode: int, payload: bytes) -> DeviceCall:
    """The device-initiated call that a payload says.

    Raises:
        RemoteProtocolError: Too short, or a value that has no meaning.
    """
    if opcode == Opcode.RECEIVED_PACKET:
        if len(payload) < _RECEIVED.size:
            raise RemoteProtocolError(_truncated("receive descriptor", _RECEIVED.size, len(payload), 0))
        number, flags, key_id, tid, channel, signal, rate, timestamp = _RECEIVED.unpack_from(payload)
        return ReceivedPacket(
            _enum(PacketClass, number, "packet class"),
            payload[_RECEIVED.size :],
            decrypted=bool(flags & 1),
            still_protected=bool(flags & 2),
            key_id=key_id & 3,
            tid=tid & 15,
            channel=channel,
            signal_dbm=signal,
            rate=rate,
            timestamp_us=timestamp,
        )
    if opcode == Opcode.STATUS:
        if len(payload) < _STATUS.size:
            raise RemoteProtocolError(_truncated("status feedback", _STATUS.size, len(payload), 0))
        code, _, value = _STATUS.unpack_from(payload)
        return Status(_enum(StatusCode, code, "status code"), value)
    raise RemoteProtocolError(f"device-initiated call code {opcode:#06x} has no meaning")


def emit_call(call: HostCall, sequence: int, identifier: int | None, width: int) -> bytes:
    """The octets of one call: header and payload."""
    return Message(Kind.CALL, call.opcode, sequence, identifier, call.emit()).emit(width)


_Member = TypeVar("_Member", bound=IntEnum)


def _enum(kind: type[_Member], value: int, what: str) -> _Member:
    try:
        return kind(value)
    except ValueError:
        raise RemoteProtocolError(f"{what} {value} has no meaning") from None


def _truncated(what: str, needed: int, had: int, at: int) -> str:
    return f"{what} at octet {at} is cut off: {needed} octets needed, {had} there"


def _empty(call: Callable[[], HostCall]) -> Callable[[bytes], HostCall]:
    return lambda _payload: call()


def _parse_schedule(payload: bytes) -> SetSchedule:
    return SetSchedule(tuple(Slot(channel, length) for channel, length in _SLOT.iter_unpack(payload)))


def _parse_init_vm(payload: bytes) -> InitVm:
    vm, address = _INIT_VM.unpack(payload)
    return InitVm(VmId(vm), address)


def _parse_parameters(payload: bytes) -> SetParameters:
    channel, rate, flags = _PARAMETERS.unpack(payload)
    return SetParameters(channel, rate, scan_filter=bool(flags & 1), forward_protected=bool(flags & 2))


def _parse_connection(payload: bytes) -> SetConnection:
    state, bssid, association_id, flags, interval = _CONNECTION.unpack(payload)
    return SetConnection(ConnectionState(state), bssid, association_id, bool(flags & 1), bool(flags & 2), interval)


def _parse_install_key(payload: bytes) -> InstallKey:
    key_id, scope, cipher, counter = _KEY.unpack_from(payload)
    return InstallKey(_key_id(key_id), KeyScope(scope), cipher, int.from_bytes(counter, "big"), payload[_KEY.size :])


def _parse_remove_key(payload: bytes) -> RemoveKey:
    key_id, scope = struct.unpack("<BB", payload)
    return RemoveKey(_key_id(key_id), KeyScope(scope))


def _key_id(value: int) -> int:
    if value > 3:
        raise ValueError(f"key id {value} is above 3")
    return value


def _parse_scan(payload: bytes) -> Scan:
    return Scan(tuple(payload))


def _parse_transmit(payload: bytes) -> TransmitPacket:
    tid, flags, channel, _ = _TRANSMIT.unpack_from(payload)
    return TransmitPacket(payload[_TRANSMIT.size :], tid & 15, bool(flags & 1), channel)


_NO_IDENTIFIER = 0x80
_KINDS = frozenset(kind.value for kind in Kind)
_HEADER = struct.Struct("<BBHHH")
_SLOT = struct.Struct("<BI")
_INIT_VM = struct.Struct("<H6s")
_PARAMETERS = struct.Struct("<BHB")
_CONNECTION = struct.Struct("<B6sHBH")
_KEY = struct.Struct("<BBB6s")
_TRANSMIT = struct.Struct("<BBBB")
_COMPLETION = struct.Struct("<HB")
_DEVICE_INFO = struct.Struct("<IBBHI")
_RECEIVED = struct.Struct("<BBBBBbHQ")
_STATUS = struct.Struct("<BBH")
_CALLS: dict[int, Callable[[bytes], HostCall]] = {
    Opcode.DEVICE_INFO: _empty(ReadDeviceInfo),
    Opcode.RESET_DEVICE: _empty(ResetDevice),
    Opcode.SET_SCHEDULE: _parse_schedule,
    Opcode.INIT_VM: _parse_init_vm,
    Opcode.REMOVE_VM: _empty(RemoveVm),
    Opcode.RESET_VIRTUAL_MAC: _empty(ResetVirtualMac),
    Opcode.SET_PARAMETERS: _parse_parameters,
    Opcode.SET_CONNECTION: _parse_connection,
    Opcode.INSTALL_KEY: _parse_install_key,
    Opcode.REMOVE_KEY: _parse_remove_key,
    Opcode.READ_ROW: _empty(ReadRow),
    Opcode.READ_COUNTERS: _empty(ReadCounters),
    Opcode.SCAN: _parse_scan,
    Opcode.TRANSMIT_PACKET: _parse_transmit,
}
