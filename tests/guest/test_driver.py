"""The native driver against an access point, with a device between them that loses and delays nothing."""

from dataclasses import replace

import pytest

from polyradio import _core
from polyradio.access_point import AccessPoint, AccessPointConfig, SendFrame, SetBeacon
from polyradio.guest.driver import SESSION_WIDTH, Carrier, NativeDriver
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
    PacketClass,
    ReceivedPacket,
    RemoveVm,
    Scan,
    SetConnection,
    SetParameters,
    Status,
    StatusCode,
    TransmitPacket,
    VmId,
    parse_call,
    parse_messages,
)
from polyradio.station import StationConfig

MAC = bytes.fromhex("020000000001")
BSSID = bytes.fromhex("0200000000a1")
SECOND = 1_000_000_000


class Bench:
    """One driver, one access point, and the calls that passed between."""

    def __init__(self, passphrase: str | None, ap_passphrase: str | None) -> None:
        self.now = 0
        self.calls: list[HostCall] = []
        self.carriers: list[Carrier | None] = []
        self.refuse: dict[type[HostCall], CallError] = {}
        config = StationConfig(address=MAC, ssid=b"net", passphrase=passphrase, channels=(1, 6), seed=1)
        self.driver = NativeDriver(VmId(5), config, self.carriers.append)
        self.access_point = AccessPoint(AccessPointConfig(BSSID, b"net", 6, ap_passphrase, seed=2))
        self.is_silent = False
        self.has_key = False
        self.up = b""

    def start(self) -> None:
        self.access_point.start(0)
        self.driver.start(0)
        self.pump()

    def say(self, kind: Kind, opcode: int, sequence: int, payload: bytes) -> None:
        self.up += Message(kind, opcode, sequence, VmId(5), payload).emit(SESSION_WIDTH)

    def deliver(self, call: ReceivedPacket | Status) -> None:
        self.say(Kind.DEVICE_CALL, call.opcode, 0, call.emit())

    def pump(self) -> None:
        while True:
            self._access_point_speaks()
            octets, self.up = self.up, b""
            if octets:
                self.driver.handle_octets(octets, self.now)
            down = self.driver.poll_octets()
            if not down and not self.up:
                return
            messages: list[Message[VmId]] = list(parse_messages(down, SESSION_WIDTH))
            for message in messages:
                assert message.identifier == 5
                call = parse_call(message.opcode, message.payload)
                self.calls.append(call)
                if isinstance(call, TransmitPacket) and not self.is_silent and call.channel in (0, 6):
                    self.access_point.handle_frame(call.frame, self.now)
                self.say(
                    Kind.COMPLETION, message.opcode, message.sequence, Completion(self.refuse.get(type(call))).emit()
                )

    def _access_point_speaks(self) -> None:
        for action in self.access_point.poll_actions():
            if isinstance(action, SendFrame) and not self.is_silent:
                header = _core.MacHeader.parse(action.frame)
                packet_class = PacketClass.MANAGEMENT if header.frame_type == 0 else PacketClass.EAPOL
                packet = ReceivedPacket(packet_class, action.frame, channel=6, signal_dbm=-40)
                self.deliver(replace(packet, decrypted=self.has_key and not action.unprotected))
            elif isinstance(action, SetBeacon) and not self.is_silent:
                self.deliver(ReceivedPacket(PacketClass.MANAGEMENT, action.frame, channel=6))

    def advance(self, seconds: float) -> None:
        end = self.now + round(seconds * SECOND)
        while True:
            timeouts = (self.driver.poll_timeout(), self.access_point.poll_timeout())
            earliest = min((timeout for timeout in timeouts if timeout is not None), default=end + 1)
            if earliest > end:
                self.now = end
                return
            self.now = max(self.now, earliest)
            self.access_point.handle_timeout(self.now)
            self.driver.handle_timeout(self.now)
            self.pump()


@pytest.mark.parametrize("passphrase", [None, "correct horse"])
def test_a_vm_scans_connects_and_gets_its_carrier(passphrase: str | None) -> None:
    bench = Bench(passphrase, passphrase)
    bench.start()
    assert bench.driver.is_connected
    assert bench.carriers == [Carrier(BSSID, qos=True)]
    assert bench.driver.failure is None
    assert [type(call) for call in bench.calls[:2]] == [InitVm, Scan]
    assert SetParameters(channel=6) in bench.calls
    connections = [call for call in bench.calls if isinstance(call, SetConnection)]
    assert connections[-1].state is ConnectionState.AUTHORIZED
    assert connections[-1].privacy == (passphrase is not None)
    probes = [call.channel for call in bench.calls if isinstance(call, TransmitPacket) and call.channel]
    assert probes == [1, 6]


def test_message_4_leaves_in_the_clear_and_before_the_pairwise_key() -> None:
    bench = Bench("correct horse", "correct horse")
    bench.start()
    eapol = [call for call in bench.calls if isinstance(call, TransmitPacket) and call.frame[0] in (0x08, 0x88)]
    message_4 = eapol[-1]
    assert message_4.unprotected
    keys = [call for call in bench.calls if isinstance(call, InstallKey)]
    assert [key.scope for key in keys] == [KeyScope.PAIRWISE, KeyScope.GROUP]
    assert bench.calls.index(message_4) < bench.calls.index(keys[0])


def test_a_lost_connection_takes_the_carrier_away_and_frees_the_channel() -> None:
    bench = Bench(None, None)
    bench.start()
    bench.is_silent = True
    bench.deliver(Status(StatusCode.BEACON_LOSS, 7))
    bench.pump()
    bench.advance(5)
    assert bench.carriers[-1] is None
    assert bench.driver.failure is not None
    assert "vanished" in bench.driver.failure
    assert SetParameters(channel=0) in bench.calls


def test_a_wrong_passphrase_is_said_in_a_sentence() -> None:
    bench = Bench("wrong password", "correct horse")
    bench.start()
    bench.advance(10)
    assert not bench.driver.is_connected
    assert bench.driver.failure is not None
    assert "wrong passphrase" in bench.driver.failure


def test_a_vm_that_the_device_does_not_take_says_so_and_stays_quiet() -> None:
    bench = Bench(None, None)
    bench.refuse[InitVm] = CallError.ADDRESS_TAKEN
    bench.start()
    bench.advance(10)
    assert [type(call) for call in bench.calls] == [InitVm]
    assert bench.driver.failure is not None
    assert "address taken" in bench.driver.failure
    assert bench.driver.refusals == {"init_vm: address_taken": 1}


def test_a_scan_that_is_refused_is_over_and_tried_again() -> None:
    bench = Bench(None, None)
    bench.is_silent = True
    bench.refuse[Scan] = CallError.UNKNOWN_OPCODE
    bench.start()
    bench.advance(10)
    assert sum(isinstance(call, Scan) for call in bench.calls) > 1
    assert bench.driver.failure == "no access point with SSID 'net' was heard on channels 1, 6"


def test_stopping_leaves_the_network_and_gives_the_virtual_mac_back() -> None:
    bench = Bench(None, None)
    bench.start()
    bench.driver.stop(bench.now)
    bench.pump()
    assert isinstance(bench.calls[-1], RemoveVm)
    assert bench.carriers[-1] is None


@pytest.mark.parametrize("octets", [b"\x02", b"\x01\x00", bytes(40)])
def test_octets_that_cannot_be_read_are_counted(octets: bytes) -> None:
    bench = Bench(None, None)
    bench.driver.handle_octets(octets, 0)
    bench.deliver(ReceivedPacket(PacketClass.EAPOL, b"\x88"))
    bench.say(Kind.DEVICE_CALL, 0x8003, 0, b"")
    bench.driver.handle_octets(bench.up, 0)
    assert bench.driver.unreadable == 3
