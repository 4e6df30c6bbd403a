"""A guest's IP stack in this process: ARP, IPv4, ICMP echo and UDP, enough to measure a network with.

The wired host behind an access point is the same stack: it answers echo requests and counts datagrams. Sans-IO:
Ethernet frames and time in, Ethernet frames out. Everything is on one link: there is no routing, and no fragmentation.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from polyradio.errors import RemoteProtocolError

ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_ARP = 0x0806
UDP_PORT = 5001
"""Where the datagrams of a flow go."""


@dataclass(slots=True)
class PingStatistics:
    """What became of a flow of echo requests; round-trip times in nanoseconds."""

    sent: int = 0
    received: int = 0
    rtt_min: int = 0
    rtt_max: int = 0
    rtt_sum: int = 0

    def count(self, rtt: int) -> None:
        """One more answer."""
        self.rtt_min = rtt if self.received == 0 else min(self.rtt_min, rtt)
        self.rtt_max = max(self.rtt_max, rtt)
        self.rtt_sum += rtt
        self.received += 1


@dataclass(slots=True)
class PingFlow:
    """Echo requests at even distances (RFC 792)."""

    peer: IPv4Address
    interval_ns: int
    size: int
    """Octets of data in each request."""
    delay_ns: int = 0
    """From the first carrier to the first request."""
    duration_ns: int | None = None
    """From the first request on; None: as long as there is carrier."""
    next_ns: int | None = None
    end_ns: int | None = None
    statistics: PingStatistics = field(default_factory=PingStatistics)
    under_way: dict[int, int] = field(default_factory=dict)
    """Sequence number -> when it was sent."""


@dataclass(slots=True)
class UdpFlow:
    """Datagrams at even distances (RFC 768)."""

    peer: IPv4Address
    interval_ns: int
    size: int
    """Octets of data in each datagram."""
    delay_ns: int = 0
    duration_ns: int | None = None
    next_ns: int | None = None
    end_ns: int | None = None
    sent: int = 0


@dataclass(slots=True)
class _Neighbour:
    """A peer whose MAC address is asked for; packets wait for the answer."""

    waiting: list[bytes] = field(default_factory=list)
    ask_at: int = 0
    asked: int = 0


class IpStack:
    """One IPv4 host on an Ethernet link."""

    def __init__(self, mac: bytes, address: IPv4Address) -> None:
        self.mac = mac
        self.address = address
        self.flows: list[PingFlow | UdpFlow] = []
        self.udp_received: dict[IPv4Address, tuple[int, int]] = {}
        """Datagrams and octets of data received, by sender."""
        self.unreadable = 0
        """Frames that could not be read, checksums included."""
        self._neighbours: dict[IPv4Address, bytes] = {}
        self._asking: dict[IPv4Address, _Neighbour] = {}
        self._out: list[bytes] = []
        self._has_carrier = False
        self._had_carrier = False
        self._identification = 0

    # -- flows and carrier

    def add_flow(self, flow: PingFlow | UdpFlow) -> None:
        """The flow runs while there is carrier."""
        self.flows.append(flow)

    def set_carrier(self, has_carrier: bool, now: int) -> None:
        """Flows begin when the carrier comes for the first time; without it they pause."""
        if has_carrier and not self._has_carrier:
            for flow in self.flows:
                if flow.next_ns is not None:
                    flow.next_ns = max(flow.next_ns, now)
                elif not self._had_carrier:
                    flow.next_ns = now + flow.delay_ns
                    flow.end_ns = None if flow.duration_ns is None else flow.next_ns + flow.duration_ns
            self._had_carrier = True
        self._has_carrier = has_carrier

    # -- in

    def handle_frames(self, frames: Iterable[bytes], now: int) -> None:
        """Takes what the port received."""
        for frame in frames:
            try:
                self._handle_frame(frame, now)
            except (struct.error, RemoteProtocolError):
                self.unreadable += 1

    def handle_timeout(self, now: int) -> None:
        """Sends what is due; to be called at `poll_timeout`."""
        if not self._has_carrier:
            return
        for number, flow in enumerate(self.flows):
            while flow.next_ns is not None and flow.next_ns <= now:
                if flow.end_ns is not None and flow.next_ns >= flow.end_ns:
                    flow.next_ns = None
                    break
                flow.next_ns += flow.interval_ns
                if isinstance(flow, PingFlow):
                    self._ping(number, flow, now)
                else:
                    self._send_datagram(flow, now)
        for peer, neighbour in list(self._asking.items()):
            if neighbour.ask_at <= now:
                self._ask(peer, neighbour, now)

    # -- out

    def poll_frames(self) -> list[bytes]:
        """Frames to be sent."""
        frames, self._out = self._out, []
        return frames

    def poll_timeout(self) -> int | None:
        """When `handle_timeout` has something to do."""
        if not self._has_carrier:
            return None
        deadlines = [flow.next_ns for flow in self.flows if flow.next_ns is not None]
        deadlines += [neighbour.ask_at for neighbour in self._asking.values()]
        return min(deadlines, default=None)

    def ping_statistics(self) -> PingStatistics | None:
        """All ping flows together; None where there are none."""
        flows = [flow.statistics for flow in self.flows if isinstance(flow, PingFlow)]
        if not flows:
            return None
        answered = [flow for flow in flows if flow.received]
        return PingStatistics(
            sent=sum(flow.sent for flow in flows),
            received=sum(flow.received for flow in flows),
            rtt_min=min((flow.rtt_min for flow in answered), default=0),
            rtt_max=max((flow.rtt_max for flow in answered), default=0),
            rtt_sum=sum(flow.rtt_sum for flow in flows),
        )

    def _handle_frame(self, frame: bytes, now: int) -> None:
        destination, source, ethertype = _ETHERNET.unpack_from(frame)
        if destination != self.mac and not destination[0] & 1:
            return
        if ethertype == ETHERTYPE_ARP:
            self._handle_arp(frame[_ETHERNET.size :])
        elif ethertype == ETHERTYPE_IPV4:
            self._handle_ipv4(frame[_ETHERNET.size :], source, now)

    def _handle_arp(self, packet: bytes) -> None:
        hardware, protocol, lengths, operation, sender_mac, sender, _, target = _ARP.unpack_from(packet)
        if (hardware, protocol, lengths) != (1, ETHERTYPE_IPV4, 0x0604):
            raise RemoteProtocolError("ARP for something else than IPv4 on Ethernet")
        if IPv4Address(target) != self.address or sender_mac[0] & 1:
            return
        self._learn(IPv4Address(sender), sender_mac)
        if operation == 1:
            answer = (1, ETHERTYPE_IPV4, 0x0604, 2, self.mac, self.address.packed, sender_mac, sender)
            self._out.append(_ETHERNET.pack(sender_mac, self.mac, ETHERTYPE_ARP) + _ARP.pack(*answer))

    def _handle_ipv4(self, packet: bytes, source_mac: bytes, now: int) -> None:
        version, _, total, _, fragment, _, protocol, _, source, destination = _IPV4.unpack_from(packet)
        header_length = (version & 15) * 4
        if version >> 4 != 4 or not _IPV4.size <= header_length <= total <= len(packet):
            raise RemoteProtocolError("IPv4 header and packet do not fit")
        if IPv4Address(destination) != self.address or fragment & 0x3FFF:
            return
        if _checksum(packet[:header_length]):
            raise RemoteProtocolError("IPv4 header checksum")
        peer, payload = IPv4Address(source), packet[header_length:total]
        if protocol == _ICMP_PROTOCOL:
            self._neighbours.setdefault(peer, source_mac)
            self._handle_icmp(payload, peer, now)
        elif protocol == _UDP_PROTOCOL:
            _, port, length, _ = _UDP.unpack_from(payload)
            if not _UDP.size <= length <= len(payload):
                raise RemoteProtocolError("UDP length")
            if port == UDP_PORT:
                datagrams, octets = self.udp_received.get(peer, (0, 0))
                self.udp_received[peer] = (datagrams + 1, octets + length - _UDP.size)

    def _handle_icmp(self, message: bytes, peer: IPv4Address, now: int) -> None:
        kind, code, _, identifier, sequence = _ICMP.unpack_from(message)
        if _checksum(message):
            raise RemoteProtocolError("ICMP checksum")
        if (kind, code) == (_ECHO_REQUEST, 0):
            self._send_ipv4(_ICMP_PROTOCOL, _icmp(_ECHO_REPLY, identifier, sequence, message[_ICMP.size :]), peer, now)
        elif (kind, code) == (_ECHO_REPLY, 0) and identifier < len(self.flows):
            flow = self.flows[identifier]
            if isinstance(flow, PingFlow) and flow.peer == peer:
                sent = flow.under_way.pop(sequence, None)
                if sent is not None:
                    flow.statistics.count(now - sent)

    def _ping(self, number: int, flow: PingFlow, now: int) -> None:
        sequence = flow.statistics.sent & 0xFFFF
        flow.statistics.sent += 1
        flow.under_way[sequence] = now
        while len(flow.under_way) > _MOST_UNDER_WAY:
            flow.under_way.pop(next(iter(flow.under_way)))
        data = (_PATTERN * (flow.size // len(_PATTERN) + 1))[: flow.size]
        self._send_ipv4(_ICMP_PROTOCOL, _icmp(_ECHO_REQUEST, number, sequence, data), flow.peer, now)

    def _send_datagram(self, flow: UdpFlow, now: int) -> None:
        data = flow.sent.to_bytes(8, "big")[-flow.size :].ljust(flow.size, b"\0")
        flow.sent += 1
        # A checksum of 0 says that there is none (RFC 768).
        datagram = _UDP.pack(UDP_PORT, UDP_PORT, _UDP.size + len(data), 0) + data
        self._send_ipv4(_UDP_PROTOCOL, datagram, flow.peer, now)

    def _send_ipv4(self, protocol: int, payload: bytes, peer: IPv4Address, now: int) -> None:
        self._identification = self._identification + 1 & 0xFFFF
        fields = (0x45, 0, _IPV4.size + len(payload), self._identification, _DO_NOT_FRAGMENT, 64, protocol)
        header = _IPV4.pack(*fields, 0, self.address.packed, peer.packed)
        packet = _IPV4.pack(*fields, _checksum(header), self.address.packed, peer.packed) + payload
        mac = self._neighbours.get(peer)
        if mac is not None:
            self._out.append(_ETHERNET.pack(mac, self.mac, ETHERTYPE_IPV4) + packet)
            return
        neighbour = self._asking.get(peer)
        if neighbour is None:
            neighbour = self._asking[peer] = _Neighbour()
            self._ask(peer, neighbour, now)
        neighbour.waiting.append(packet)
        del neighbour.waiting[:-_MOST_WAITING]

    def _ask(self, peer: IPv4Address, neighbour: _Neighbour, now: int) -> None:
        neighbour.ask_at = now + min(_ASK_NS << neighbour.asked, _ASK_LIMIT_NS)
        neighbour.asked += 1
        request = (1, ETHERTYPE_IPV4, 0x0604, 1, self.mac, self.address.packed, bytes(6), peer.packed)
        self._out.append(_ETHERNET.pack(b"\xff" * 6, self.mac, ETHERTYPE_ARP) + _ARP.pack(*request))

    def _learn(self, peer: IPv4Address, mac: bytes) -> None:
        self._neighbours[peer] = mac
        neighbour = self._asking.pop(peer, None)
        for packet in neighbour.waiting if neighbour else ():
            self._out.append(_ETHERNET.pack(mac, self.mac, ETHERTYPE_IPV4) + packet)


def _icmp(kind: int, identifier: int, sequence: int, data: bytes) -> bytes:
    checksum = _checksum(_ICMP.pack(kind, 0, 0, identifier, sequence) + data)
    return _ICMP.pack(kind, 0, checksum, identifier, sequence) + data


def _checksum(octets: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(octets) % 2:
        octets += b"\0"
    # Modulo 0xffff is the end-around carry; 0 and 0xffff are the two zeros of one's complement.
    total = int.from_bytes(octets, "big") % 0xFFFF
    if total == 0 and any(octets):
        return 0
    return 0xFFFF - total


_ETHERNET = struct.Struct("!6s6sH")
_ARP = struct.Struct("!HHHH6s4s6s4s")
_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_ICMP = struct.Struct("!BBHHH")
_UDP = struct.Struct("!HHHH")
_ICMP_PROTOCOL = 1
_UDP_PROTOCOL = 17
_ECHO_REPLY = 0
_ECHO_REQUEST = 8
_DO_NOT_FRAGMENT = 0x4000
_PATTERN = bytes(range(256))
_MOST_UNDER_WAY = 4096
_MOST_WAITING = 8
_ASK_NS = 200_000_000
_ASK_LIMIT_NS = 2_000_000_000
