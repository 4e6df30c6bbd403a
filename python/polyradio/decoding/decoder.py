"""Goes over the frames of a capture: learns from those in the clear, opens the protected ones, judges each.

A key that is learnt is tried at once on the frames heard before it, and what those hold (the handshake of a rekey is
itself protected) is learnt from in turn. Every frame meets a bounded number of keys, so the whole is linear.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from polyradio._core import EapolKey, MacHeader, Management, RsnElement, parse_elements
from polyradio.decoding.credentials import Credentials, Network
from polyradio.decoding.keys import KeyRing, ProtectedFrame, TemporalKey
from polyradio.decoding.session import Elements, Found, Session
from polyradio.errors import LocalProtocolError, RemoteProtocolError
from polyradio.ieee80211 import BROADCAST, ETHERTYPE_EAPOL, ElementId, FrameType, Subtype
from polyradio.rsn import CIPHER_CCMP_128, CIPHER_CCMP_256, cipher_number
from polyradio.rsn.fast_transition import REASSOCIATION_REQUEST, REASSOCIATION_RESPONSE


class Verdict(StrEnum):
    """What became of a protected frame."""

    OPENED = "opened"
    REPLAY = "replay"
    """Opened, but its packet number is not larger than the last one of the same key, transmitter and TID."""
    NO_KEY = "no_key"
    MIC_FAILED = "mic_failed"
    """There are keys, and its MIC is right under none of them."""
    CIPHER_NOT_SUPPORTED = "cipher_not_supported"
    TRUNCATED = "truncated"


@dataclass(slots=True)
class Bss:
    """What is known of an access point."""

    ssids: dict[bytes, None] = field(default_factory=dict)
    """In the order in which they were heard."""
    cipher: int | None = None
    """Number of the pairwise cipher suite, if it offers only one."""
    group_cipher: int | None = None


@dataclass(frozen=True, slots=True)
class JudgedFrame:
    """A protected frame and its verdict."""

    frame: ProtectedFrame
    verdict: Verdict


class Decoder:
    """`handle_frame` for each frame in order, then `finish`."""

    def __init__(self, networks: Iterable[Network]) -> None:
        """Computes the PMKs.

        Raises:
            LocalProtocolError: a passphrase or an SSID cannot be one.
        """
        self.bsses: dict[bytes, Bss] = {}
        self._credentials = Credentials(networks)
        self._sessions: dict[tuple[bytes, bytes], Session] = {}
        self._pairwise_rings: dict[frozenset[bytes], KeyRing] = {}
        self._group_rings: dict[tuple[bytes, int], KeyRing] = {}
        self._protected: list[ProtectedFrame] = []
        self._keys: list[tuple[bytes, TemporalKey]] = []
        self._untried: deque[tuple[KeyRing, TemporalKey]] = deque()

    def handle_frame(self, number: int, mpdu: bytes, *, is_truncated: bool = False) -> None:
        """Takes the next frame, without FCS.

        Args:
            number: what the frame is called by in `finish`.
            mpdu: its octets.
            is_truncated: the capture does not hold all of it.
        """
        try:
            header = MacHeader.parse(mpdu)
        except RemoteProtocolError:
            if len(mpdu) > 1 and mpdu[0] & _VERSION_AND_TYPE in _MANAGEMENT_OR_DATA and mpdu[1] & _PROTECTED:
                self._protected.append(_unreadable(number, mpdu))
            return
        if header.frame_type not in {FrameType.MANAGEMENT, FrameType.DATA}:
            return
        if not header.protected:
            self._learn(header, mpdu)
        elif not _is_shared_key_authentication(header):
            self._handle_protected(number, header, mpdu, is_truncated)
        while self._untried:
            ring, key = self._untried.popleft()
            for frame in ring.open_waiting(key):
                self._learn_from_opened(frame)

    def finish(self) -> list[JudgedFrame]:
        """The protected frames in order, each with its verdict."""
        last: dict[tuple[int, bytes, int], int] = {}
        judged = []
        for frame in self._protected:
            verdict = self._verdict(frame)
            if frame.key is not None:
                counter = (id(frame.key), frame.transmitter, frame.tid)
                if frame.packet_number <= last.get(counter, -1):
                    verdict = Verdict.REPLAY
                else:
                    last[counter] = frame.packet_number
            judged.append(JudgedFrame(frame, verdict))
        return judged

    def proven_keys(self) -> list[tuple[bytes, TemporalKey]]:
        """The keys that a MIC agreed with, each with its access point's address, as they were learnt."""
        return [(bssid, key) for bssid, key in self._keys if key.is_proven]

    def ssid_of(self, bssid: bytes) -> bytes | None:
        """The SSID of an access point, where it is known."""
        bss = self.bsses.get(bssid)
        return next(iter(bss.ssids), None) if bss else None

    def _verdict(self, frame: ProtectedFrame) -> Verdict:
        if frame.key is not None:
            return Verdict.OPENED
        if frame.is_truncated:
            return Verdict.TRUNCATED
        bss = self.bsses.get(frame.bssid, Bss())
        ring = frame.ring or KeyRing()
        cipher = frame.cipher or ring.cipher or (bss.group_cipher if frame.is_group else bss.cipher)
        if frame.is_foreign or (cipher is not None and cipher not in _SUPPORTED):
            return Verdict.CIPHER_NOT_SUPPORTED
        return Verdict.MIC_FAILED if any(key.is_proven for key in ring.keys) else Verdict.NO_KEY

    def _handle_protected(self, number: int, header: MacHeader, mpdu: bytes, is_truncated: bool) -> None:
        assert header.addr2 is not None  # management and data frames have one
        body = mpdu[header.length :]
        frame = ProtectedFrame(
            number=number,
            mpdu=mpdu,
            bssid=header.bssid or header.addr2,
            transmitter=header.addr2,
            tid=_MANAGEMENT_TID if header.frame_type == FrameType.MANAGEMENT else header.tid or 0,
            is_group=bool(header.addr1[0] & 1),
            is_truncated=is_truncated or len(body) < _CCMP_OVERHEAD,
        )
        self._protected.append(frame)
        if frame.is_truncated:
            return
        frame.key_id = body[3] >> 6
        frame.is_foreign = not body[3] & _EXTENDED_IV or _is_tkip(body)
        ring = (
            self._group_ring(header.addr2, frame.key_id) if frame.is_group else self._ring(header.addr1, header.addr2)
        )
        if frame.is_foreign:
            frame.ring = ring
        elif ring.open(frame):
            self._learn_from_opened(frame)

    def _learn_from_opened(self, frame: ProtectedFrame) -> None:
        if frame.plaintext is not None:
            self._learn(MacHeader.parse(frame.plaintext), frame.plaintext)

    def _learn(self, header: MacHeader, mpdu: bytes) -> None:
        if header.frame_type == FrameType.DATA:
            self._learn_from_data(header, mpdu)
            return
        try:
            frame = Management.parse(mpdu)
        except RemoteProtocolError:
            return
        match frame.subtype:
            case Subtype.BEACON | Subtype.PROBE_RESPONSE:
                self._learn_bss(frame)
            case Subtype.ASSOCIATION_REQUEST | Subtype.REASSOCIATION_REQUEST:
                self._learn_ssid(frame.bssid, frame.elements)
                session = self._session(frame.bssid, frame.source)
                self._learn_association(frame, session, REASSOCIATION_REQUEST)
            case Subtype.ASSOCIATION_RESPONSE | Subtype.REASSOCIATION_RESPONSE:
                session = self._session(frame.bssid, frame.destination)
                self._learn_association(frame, session, REASSOCIATION_RESPONSE)
            case Subtype.AUTHENTICATION if frame.algorithm == _FT_AUTHENTICATION and frame.transaction == 2:
                self._learn_transition(frame.bssid, frame.destination, frame.elements)
            case Subtype.ACTION if frame.rest[:2] == _FT_RESPONSE and len(frame.rest) >= _FT_RESPONSE_HEAD:
                # Over the DS: the station's address, the target's, a status code, elements (IEEE 802.11-2020 9.6.8.3).
                try:
                    elements = parse_elements(frame.rest[_FT_RESPONSE_HEAD:])
                except RemoteProtocolError:
                    return
                self._learn_transition(frame.rest[8:14], frame.rest[2:8], elements)

    def _learn_association(self, frame: Management, session: Session, transaction: int) -> None:
        if frame.subtype in {Subtype.ASSOCIATION_REQUEST, Subtype.ASSOCIATION_RESPONSE}:
            session.negotiate(frame.elements)
        else:
            candidates = self._credentials.candidates(self._ssids(session.aa))
            self._take(session, session.handle_reassociation(frame.elements, transaction, candidates))

    def _learn_transition(self, bssid: bytes, station: bytes, elements: Elements) -> None:
        # Without a MIC each candidate becomes a key: only those that the SSID speaks for.
        if ssids := self._ssids(bssid):
            session = self._session(bssid, station)
            self._take(session, session.handle_ft_authentication(elements, self._credentials.candidates(ssids)))

    def _learn_from_data(self, header: MacHeader, mpdu: bytes) -> None:
        start = header.length + len(_EAPOL_SNAP)
        if mpdu[header.length : start] != _EAPOL_SNAP or header.more_fragments or header.fragment_number:
            return
        pdu = mpdu[start:]
        try:
            key = EapolKey.parse(pdu)
        except RemoteProtocolError:
            return
        if header.addr2 is None or header.addr1[0] & 1:
            return
        # Every message of an authenticator, and none of a supplicant, asks for an answer.
        aa, spa = (header.addr2, header.addr1) if key.has_ack else (header.addr1, header.addr2)
        session = self._session(aa, spa)
        self._take(session, session.handle_eapol(key, pdu, self._credentials.candidates(self._ssids(aa))))

    def _learn_bss(self, frame: Management) -> None:
        self._learn_ssid(frame.bssid, frame.elements)
        bss = self.bsses.setdefault(frame.bssid, Bss())
        data = frame.element(ElementId.RSN)
        try:
            rsn = RsnElement.parse(data) if data is not None else _wpa_element(frame.elements)
        except RemoteProtocolError:
            return
        if rsn is not None:
            bss.cipher = _number(rsn.pairwise_ciphers[0]) if len(rsn.pairwise_ciphers) == 1 else None
            bss.group_cipher = _number(rsn.group_cipher)

    def _learn_ssid(self, bssid: bytes, elements: Elements) -> None:
        ssid = next((data for identifier, data in elements if identifier == ElementId.SSID), b"")
        # A hidden network's beacon has an SSID of no octets or of zeros.
        if ssid.strip(b"\0") and bssid != BROADCAST:
            self.bsses.setdefault(bssid, Bss()).ssids.setdefault(ssid)

    def _take(self, session: Session, found: Found) -> None:
        """Notes new keys; `handle_frame` tries them on the frames that wait."""
        pairwise_ring = self._ring(session.aa, session.spa)
        new = [(pairwise_ring, key) for key in found.pairwise]
        for group in found.group:
            ring = self._group_ring(session.aa, group.key_id)
            ring.cipher = group.key.cipher
            if ring.add(group.key):
                new.append((ring, group.key))
        for ring, key in new:
            self._keys.append((session.aa, key))
            self._untried.append((ring, key))
            if key.ssid is not None and key.is_proven and not self._ssids(session.aa):
                self.bsses.setdefault(session.aa, Bss()).ssids.setdefault(key.ssid)

    def _ssids(self, bssid: bytes) -> dict[bytes, None]:
        bss = self.bsses.get(bssid)
        return bss.ssids if bss else {}

    def _session(self, aa: bytes, spa: bytes) -> Session:
        session = self._sessions.get((aa, spa))
        if session is None:
            session = self._sessions[aa, spa] = Session(aa, spa, self._ring(aa, spa))
        return session

    def _ring(self, one: bytes, other: bytes) -> KeyRing:
        return self._pairwise_rings.setdefault(frozenset((one, other)), KeyRing())

    def _group_ring(self, transmitter: bytes, key_id: int) -> KeyRing:
        return self._group_rings.setdefault((transmitter, key_id), KeyRing())


def _unreadable(number: int, mpdu: bytes) -> ProtectedFrame:
    """A protected frame that ends inside its MAC header."""
    return ProtectedFrame(number, mpdu, b"", b"", 0, is_group=False, is_truncated=True)


def _is_shared_key_authentication(header: MacHeader) -> bool:
    """The third frame of WEP's authentication is protected by no cipher of RSN."""
    return header.frame_type == FrameType.MANAGEMENT and header.subtype == Subtype.AUTHENTICATION


def _is_tkip(body: bytes) -> bool:
    """TKIP's header repeats its first octet in the second (IEEE 802.11-2020 12.5.2.2); CCMP's third octet is 0."""
    return body[2] != 0 and body[1] == (body[0] | 0x20) & 0x7F


def _wpa_element(elements: Elements) -> RsnElement | None:
    """WPA's element, which is laid out as the RSN element is behind its OUI and type."""
    data = next(
        (data for identifier, data in elements if identifier == ElementId.VENDOR and data[:4] == _WPA_TYPE), None
    )
    return None if data is None else RsnElement.parse(data[4:])


def _number(cipher: int) -> int:
    """A cipher suite's number; 0 for a vendor's."""
    try:
        return cipher_number(cipher)
    except LocalProtocolError:
        return 0


_VERSION_AND_TYPE: Final = 0x0F
_MANAGEMENT_OR_DATA: Final = frozenset({0x00, 0x08})
_PROTECTED: Final = 0x40
_EXTENDED_IV: Final = 0x20
_CCMP_OVERHEAD: Final = 16
"""CCMP header (8) and the shortest MIC (8)."""
_MANAGEMENT_TID: Final = 16
_FT_AUTHENTICATION: Final = 2
_FT_RESPONSE: Final = b"\x06\x02"
_FT_RESPONSE_HEAD: Final = 16
_WPA_TYPE: Final = b"\x00\x50\xf2\x01"
_EAPOL_SNAP: Final = b"\xaa\xaa\x03\x00\x00\x00" + ETHERTYPE_EAPOL.to_bytes(2, "big")
_SUPPORTED: Final = frozenset({cipher_number(CIPHER_CCMP_128), cipher_number(CIPHER_CCMP_256)})
