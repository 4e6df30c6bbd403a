"""The IP stack: two of them back to back, with a delay between."""

from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from polyradio.guest.traffic import IpStack, PingFlow, UdpFlow

MS = 1_000_000
GUEST = IPv4Address("10.0.1.2")
HOST = IPv4Address("10.0.1.1")


class Wire:
    """A guest and a wired host; every frame takes two milliseconds."""

    def __init__(self) -> None:
        self.guest = IpStack(bytes.fromhex("020000000002"), GUEST)
        self.host = IpStack(bytes.fromhex("020000000001"), HOST)
        self.now = 0
        self.is_cut = False
        self.frames: list[tuple[int, IpStack, bytes]] = []

    def run(self, end: int) -> None:
        while True:
            for stack, peer in ((self.guest, self.host), (self.host, self.guest)):
                frames = stack.poll_frames()
                if not self.is_cut:
                    self.frames += [(self.now + 2 * MS, peer, frame) for frame in frames]
            times = [frame[0] for frame in self.frames]
            times += [time for stack in (self.guest, self.host) if (time := stack.poll_timeout()) is not None]
            if not times or min(times) > end:
                self.now = end
                return
            self.now = max(self.now, min(times))
            arrived = [frame for frame in self.frames if frame[0] <= self.now]
            self.frames = [frame for frame in self.frames if frame[0] > self.now]
            for _, stack, octets in arrived:
                stack.handle_frames([octets], self.now)
            self.guest.handle_timeout(self.now)
            self.host.handle_timeout(self.now)


def test_a_ping_resolves_the_address_and_measures_the_round_trip() -> None:
    wire = Wire()
    wire.guest.add_flow(PingFlow(HOST, 50 * MS, 64, delay_ns=100 * MS, duration_ns=500 * MS))
    wire.guest.set_carrier(True, 0)
    wire.run(1000 * MS)
    statistics = wire.guest.ping_statistics()
    assert statistics is not None
    assert (statistics.sent, statistics.received) == (10, 10)
    assert (statistics.rtt_min, statistics.rtt_max) == (4 * MS, 8 * MS)
    assert statistics.rtt_sum == 9 * 4 * MS + 8 * MS


def test_nothing_is_sent_without_carrier_and_flows_begin_when_it_comes() -> None:
    wire = Wire()
    wire.guest.add_flow(PingFlow(HOST, 100 * MS, 1))
    wire.run(1000 * MS)
    assert wire.guest.poll_timeout() is None
    wire.guest.set_carrier(True, wire.now)
    wire.run(1500 * MS)
    statistics = wire.guest.ping_statistics()
    assert statistics is not None
    assert statistics.sent == 6
    assert statistics.received == 5


def test_a_peer_that_does_not_answer_is_asked_again_and_again_and_nothing_piles_up() -> None:
    wire = Wire()
    wire.is_cut = True
    wire.guest.add_flow(PingFlow(HOST, 10 * MS, 64))
    wire.guest.set_carrier(True, 0)
    wire.run(3000 * MS)
    wire.is_cut = False
    wire.run(6000 * MS)
    statistics = wire.guest.ping_statistics()
    assert statistics is not None
    assert statistics.sent == 601
    assert 0 < statistics.received < 400


def test_datagrams_are_counted_where_they_arrive() -> None:
    wire = Wire()
    flow = UdpFlow(HOST, 10 * MS, 1000, duration_ns=1000 * MS)
    wire.guest.add_flow(flow)
    wire.guest.set_carrier(True, 0)
    wire.run(2000 * MS)
    assert flow.sent == 100
    assert wire.host.udp_received == {GUEST: (100, 100_000)}


@given(st.binary(max_size=80))
def test_any_frame_is_read_or_counted(tail: bytes) -> None:
    stack = IpStack(bytes.fromhex("020000000002"), GUEST)
    for ethertype in (b"\x08\x00", b"\x08\x06"):
        stack.handle_frames([stack.mac + bytes(6) + ethertype + tail, tail], 0)


def test_a_damaged_packet_is_not_answered() -> None:
    wire = Wire()
    wire.guest.add_flow(PingFlow(HOST, 50 * MS, 64))
    wire.guest.set_carrier(True, 0)
    wire.run(60 * MS)
    (request,) = [frame for frame in [*_requests(wire)] if frame[23] == 1]
    for position in (14, 24, 40, 50):
        damaged = bytearray(request)
        damaged[position] ^= 0x10
        before = wire.host.unreadable
        wire.host.handle_frames([bytes(damaged)], wire.now)
        assert wire.host.poll_frames() == []
        assert wire.host.unreadable == before + 1


def _requests(wire: Wire) -> list[bytes]:
    wire.guest.handle_timeout(100 * MS)
    return wire.guest.poll_frames()
