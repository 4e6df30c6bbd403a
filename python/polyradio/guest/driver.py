"""The native driver of one VM (US 8,392,625, 120, 320): a station above, the host API below.

It turns the station's actions into calls tagged with the VM ID, and completions, received packets and status feedback
into what the station understands. Data frames pass it by: they go from the guest's port to the device. Sans-IO: octets
and time in, octets out.
"""

from collections.abc import Callable
from dataclasses import dataclass

from polyradio import _core
from polyradio.errors import RemoteProtocolError
from polyradio.host_api import (
    CallError,
    Completion,
    ConnectionState,
    HostCall,
    InitVm,
    InstallKey,
    KeyScope,
    Kind,
    Message,
    Opcode,
    PacketClass,
    ReceivedPacket,
    RemoveKey,
    RemoveVm,
    Scan,
    SetConnection,
    SetParameters,
    Status,
    StatusCode,
    TransmitPacket,
    VmId,
    emit_call,
    parse_device_call,
    parse_messages,
)
from polyradio.station import Station, StationConfig, StationState, actions

ETHERTYPE_EAPOL = b"\x88\x8e"
SESSION_WIDTH = 2
"""Between VM and host driver the identifier field has two octets, whatever the device."""


@dataclass(frozen=True, slots=True)
class Carrier:
    """How the guest's frames are addressed while it is connected."""

    bssid: bytes
    qos: bool


@dataclass(frozen=True, slots=True)
class StateChange:
    """The VM's connection went on."""

    time_ns: int
    state: StationState
    detail: str


class NativeDriver:
    """One VM's driver instance.

    Args:
        vm: The VM.
        config: Its station.
        set_carrier: Called when data may flow (with how to address it), and with None when it may not any more.
    """

    def __init__(self, vm: VmId, config: StationConfig, set_carrier: Callable[[Carrier | None], None]) -> None:
        self.vm = vm
        self.station = Station(config)
        self.connected_at: int | None = None
        """When it was connected for the first time."""
        self.refusals: dict[str, int] = {}
        """Calls that were not done, by call and error."""
        self.unreadable = 0
        """Messages and frames that could not be read."""
        self._config = config
        self._set_carrier = set_carrier
        self._carrier: Carrier | None = None
        self._wanted_carrier: Carrier | None = None
        self._eapol_under_way: set[int] = set()
        self._connection = SetConnection()
        self._init_error: CallError | None = None
        self._is_running = False
        self._channel = 0
        self._state = StationState.DISCONNECTED
        self._lost: str | None = None
        self._sequence = 0
        self._down: list[bytes] = []
        self._changes: list[StateChange] = []

    @property
    def failure(self) -> str | None:
        """Why it is not connected, as a sentence; None where it is, or where nothing has gone wrong yet."""
        if self._init_error is not None:
            reason = self._init_error.name.lower().replace("_", " ")
            return f"the device does not take the VM with address {self._config.address.hex(':')}: {reason}"
        if self.is_connected:
            return None
        latest = self.station.failure
        if self._lost is None or self._lost == latest:
            return latest
        return self._lost if latest is None else f"{self._lost}; since then: {latest}"

    @property
    def is_connected(self) -> bool:
        """Data may flow."""
        return self._carrier is not None

    def start(self, now: int) -> None:
        """Asks for a virtual MAC; the station starts when there is one."""
        self._is_running = True
        self._call(InitVm(self.vm, self._config.address))
        del now

    def stop(self, now: int) -> None:
        """Leaves the network and gives the virtual MAC back."""
        if not self._is_running:
            return
        self._is_running = False
        self.station.stop(now)
        self._act(now)
        self._call(RemoveVm())

    def handle_octets(self, octets: bytes, now: int) -> None:
        """Takes completions and device-initiated calls."""
        try:
            messages: list[Message[VmId]] = list(parse_messages(octets, SESSION_WIDTH))
        except RemoteProtocolError:
            self.unreadable += 1
            return
        for message in messages:
            try:
                if message.kind is Kind.COMPLETION:
                    self._handle_completion(message, Completion.parse(message.payload), now)
                elif message.kind is Kind.DEVICE_CALL:
                    self._handle_device_call(parse_device_call(message.opcode, message.payload), now)
            except RemoteProtocolError:
                self.unreadable += 1
            self._act(now)

    def handle_timeout(self, now: int) -> None:
        """Moves the station on; to be called at `poll_timeout`."""
        self.station.handle_timeout(now)
        self._act(now)

    def poll_timeout(self) -> int | None:
        """When `handle_timeout` has something to do."""
        return self.station.poll_timeout()

    def poll_octets(self) -> bytes:
        """Calls, tagged with the VM ID."""
        octets = b"".join(self._down)
        self._down.clear()
        return octets

    def poll_changes(self) -> list[StateChange]:
        """What the station reported since the last time."""
        changes, self._changes = self._changes, []
        return changes

    def _handle_completion(self, message: Message[VmId], completion: Completion, now: int) -> None:
        if completion.error is not None:
            name = Opcode(message.opcode).name.lower()
            key = f"{name}: {completion.error.name.lower()}"
            self.refusals[key] = self.refusals.get(key, 0) + 1
        if message.sequence in self._eapol_under_way and message.opcode == Opcode.TRANSMIT_PACKET:
            self._eapol_under_way.discard(message.sequence)
            self._show(self._wanted_carrier, now)
        if message.opcode == Opcode.INIT_VM:
            self._init_error = completion.error
            if completion.error is None and self._is_running:
                self.station.start(now)
        elif message.opcode == Opcode.SCAN:
            # Even a scan that was refused is over: the station finds nothing and says so.
            self.station.handle_scan_done(now)

    def _handle_device_call(self, call: ReceivedPacket | Status, now: int) -> None:
        if isinstance(call, Status):
            if call.code is StatusCode.BEACON_LOSS:
                self.station.handle_beacon_loss(now)
            elif call.code is StatusCode.KEY_EXHAUSTED:
                self.station.handle_key_exhausted(now)
        elif call.packet_class is PacketClass.MANAGEMENT:
            self.station.handle_frame(call.frame, channel=call.channel, signal_dbm=call.signal_dbm, now=now)
        elif call.packet_class is PacketClass.EAPOL:
            for ethernet in _core.ethernet_from_frame(call.frame):
                if ethernet[12:14] == ETHERTYPE_EAPOL:
                    source = ethernet[6:12]
                    self.station.handle_eapol(ethernet[14:], source=source, protected=call.decrypted, now=now)

    def _act(self, now: int) -> None:
        for action in self.station.poll_actions():
            match action:
                case actions.Scan(channels=channels):
                    self._call(Scan(channels))
                case actions.SendManagement(frame=frame, channel=channel):
                    self._call(TransmitPacket(frame, channel=channel))
                case actions.SendEapol():
                    self._send_eapol(action)
                case actions.SetChannel(channel=channel):
                    self._set_channel(channel)
                case actions.SetConnection():
                    self._set_connection(action, now)
                case actions.InstallKey():
                    scope = KeyScope[action.scope.upper()]
                    self._call(InstallKey(action.key_id, scope, action.cipher, action.receive_counter, action.key))
                case actions.RemoveKey(scope=scope_name, key_id=key_id):
                    self._call(RemoveKey(key_id, KeyScope[scope_name.upper()]))
                case actions.ReportState(state=state, detail=detail):
                    self._changes.append(StateChange(now, state, detail))
                    self._follow(state, now)

    def _set_connection(self, action: actions.SetConnection, now: int) -> None:
        self._connection = SetConnection(
            ConnectionState(action.state),
            action.bssid,
            action.association_id,
            action.qos,
            action.privacy,
            action.beacon_interval,
        )
        self._call(self._connection)
        if action.state < ConnectionState.AUTHORIZED:
            self._show(None, now)

    def _send_eapol(self, action: actions.SendEapol) -> None:
        ethernet = action.destination + self._config.address + ETHERTYPE_EAPOL + action.pdu
        tid = 0 if self._connection.qos else None
        frame = _core.frame_from_ethernet(ethernet, bssid=self._connection.bssid, to_ds=True, tid=tid)
        self._eapol_under_way.add(self._call(TransmitPacket(frame, tid=tid or 0, unprotected=action.unprotected)))

    def _follow(self, state: StationState, now: int) -> None:
        if state is StationState.DISCONNECTED and self._state in _UP:
            self._lost = self.station.failure
        self._state = state
        if state is StationState.COMPLETED:
            self._lost = None
            self._show(Carrier(self._connection.bssid, self._connection.qos), now)
        elif state is not StationState.GROUP_HANDSHAKE:
            self._show(None, now)
        if state is StationState.SCANNING:
            # Nobody to talk to on the old channel: it needs no slot of the schedule any more.
            self._set_channel(0)

    def _set_channel(self, channel: int) -> None:
        if channel != self._channel:
            self._channel = channel
            self._call(SetParameters(channel=channel))

    def _show(self, carrier: Carrier | None, now: int) -> None:
        self._wanted_carrier = carrier
        if carrier is not None and self._carrier is None and self._eapol_under_way:
            # The access point has no key for data before it has message 4.
            return
        if carrier is not None and self.connected_at is None:
            self.connected_at = now
        if carrier != self._carrier:
            self._carrier = carrier
            self._set_carrier(carrier)

    def _call(self, call: HostCall) -> int:
        sequence, self._sequence = self._sequence, self._sequence + 1 & 0xFFFF
        self._down.append(emit_call(call, sequence, self.vm, SESSION_WIDTH))
        return sequence


_UP = frozenset((StationState.COMPLETED, StationState.GROUP_HANDSHAKE))
