"""VM ID <-> VR ID: what a VM says is tagged with its virtual radio, what comes up with its VM.

A session is opened for a VM before it says a word; from then on whatever comes through that session is that VM's, and
the identifier in its octets cannot choose another one (the device model stamps the VM ID). Sans-IO: messages in,
messages out.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from polyradio.errors import LocalProtocolError, RemoteProtocolError
from polyradio.host_api import (
    CallError,
    Completion,
    Kind,
    Message,
    Opcode,
    VmId,
    VrId,
    identifier_width,
    parse_messages,
)

MAX_UNDER_WAY = 4096
"""Calls that one VM may have under way; a VM that does not wait for its completions is told that its queue is full."""


@dataclass(slots=True)
class _Session:
    vm: VmId
    vr: VrId
    under_way: dict[int, int] = field(default_factory=dict)
    """Sequence number below the driver -> the VM's own."""
    up: deque[Message[VmId]] = field(default_factory=deque)


class HostDriver:
    """The virtual radios of one device that can have `max_vms`."""

    def __init__(self, max_vms: int) -> None:
        self.width = identifier_width(max_vms)
        self.unattributed = 0
        """Messages from below that name no virtual radio, or answer a call that it did not make."""
        self._max_vms = max_vms
        self._by_vm: dict[VmId, _Session] = {}
        self._by_vr: dict[VrId, _Session] = {}
        self._closing: set[VrId] = set()
        self._free: list[VrId] = []
        self._next_vr = 0
        self._next_sequence = 0
        self._down: list[Message[VrId]] = []

    # -- sessions

    def open_session(self, vm: VmId) -> VrId:
        """Gives the VM a virtual radio.

        Raises:
            LocalProtocolError: The VM has one already, or the device has no more.
        """
        if vm in self._by_vm:
            raise LocalProtocolError(f"VM {vm} has a session already")
        if self._free:
            vr = self._free.pop()
        elif self._next_vr < self._max_vms:
            vr = VrId(self._next_vr)
            self._next_vr += 1
        else:
            raise LocalProtocolError(f"the device supports {self._max_vms} VMs and no more")
        self._by_vm[vm] = self._by_vr[vr] = _Session(vm, vr)
        return vr

    def close_session(self, vm: VmId) -> None:
        """Removes the VM's virtual radio; it is given to another VM only after the device has confirmed."""
        session = self._by_vm.pop(vm, None)
        if session is None:
            return
        del self._by_vr[session.vr]
        self._closing.add(session.vr)
        self._down.append(Message(Kind.CALL, Opcode.REMOVE_VM, self._sequence(session), session.vr))

    def vr_of(self, vm: VmId) -> VrId | None:
        """The VM's virtual radio."""
        session = self._by_vm.get(vm)
        return session.vr if session else None

    # -- from and to the VMs

    def handle_octets(self, vm: VmId, octets: bytes) -> None:
        """Takes what came through the VM's session: calls tagged with its VM ID, or with none.

        What cannot be read ends the batch; what is no call, or names another VM, is answered and goes no further.

        Raises:
            LocalProtocolError: The VM has no session.
            RemoteProtocolError: The octets cannot be read from some place on; the messages before it were taken.
        """
        session = self._by_vm.get(vm)
        if session is None:
            raise LocalProtocolError(f"VM {vm} has no session")
        messages: Iterable[Message[VmId]] = parse_messages(octets, 2)
        for message in messages:
            self._handle_call(session, message)

    def poll_octets(self, vm: VmId) -> bytes:
        """What goes up to the VM, tagged with its VM ID."""
        session = self._by_vm.get(vm)
        if session is None:
            return b""
        octets = b"".join(message.emit(2) for message in session.up)
        session.up.clear()
        return octets

    def vms_with_messages(self) -> list[VmId]:
        """The VMs for which `poll_octets` has something."""
        return [vm for vm, session in self._by_vm.items() if session.up]

    # -- to and from what is below: the control engine or the device

    def poll_messages(self) -> list[Message[VrId]]:
        """Calls, tagged with VR IDs."""
        messages, self._down = self._down, []
        return messages

    def handle_messages(self, messages: Iterable[Message[VrId]]) -> None:
        """Takes completions and device-initiated calls, tagged with VR IDs."""
        for message in messages:
            self._handle_upward(message)

    def _handle_call(self, session: _Session, message: Message[VmId]) -> None:
        if message.kind is not Kind.CALL:
            raise RemoteProtocolError(f"VM {session.vm} sent a {message.kind.name.lower()} instead of a call")
        if message.identifier not in (None, session.vm):
            self._answer(session, message, CallError.UNKNOWN_VM)
            return
        if len(session.under_way) >= MAX_UNDER_WAY:
            self._answer(session, message, CallError.QUEUE_FULL)
            return
        payload = message.payload
        if message.opcode == Opcode.INIT_VM and len(payload) >= 2:
            # The VM's number is the session's, whatever the guest wrote there.
            payload = session.vm.to_bytes(2, "little") + payload[2:]
        sequence = self._sequence(session)
        session.under_way[sequence] = message.sequence
        self._down.append(Message(Kind.CALL, message.opcode, sequence, session.vr, payload))

    def _handle_upward(self, message: Message[VrId]) -> None:
        vr = message.identifier
        if vr in self._closing:
            if message.kind is Kind.COMPLETION and message.opcode == Opcode.REMOVE_VM:
                self._closing.discard(vr)
                self._free.append(vr)
            return
        session = self._by_vr.get(vr) if vr is not None else None
        if session is None or message.kind is Kind.CALL:
            self.unattributed += 1
            return
        sequence = message.sequence
        if message.kind is Kind.COMPLETION:
            own = session.under_way.pop(sequence, None)
            if own is None:
                self.unattributed += 1
                return
            sequence = own
        session.up.append(Message(message.kind, message.opcode, sequence, session.vm, message.payload))

    def _answer(self, session: _Session, message: Message[VmId], error: CallError) -> None:
        answer = replace(message, kind=Kind.COMPLETION, identifier=session.vm, payload=Completion(error).emit())
        session.up.append(answer)

    def _sequence(self, session: _Session) -> int:
        while True:
            sequence = _FIRST_SEQUENCE + self._next_sequence
            self._next_sequence = (self._next_sequence + 1) % _SEQUENCES
            if sequence not in session.under_way:
                return sequence


_FIRST_SEQUENCE = 0x8000
"""Lower sequence numbers are the data plane's."""
_SEQUENCES = 0x8000
