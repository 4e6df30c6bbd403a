"""Sessions by the hundred, and the bounds on what one frame may cost."""

import time

from polyradio._core import EapolKey, Management, ccmp_seal, frame_from_ethernet
from polyradio.decoding.decoder import Decoder, Verdict
from polyradio.decoding.keys import LATER_KEYS
from polyradio.decrypt import Network
from polyradio.ieee80211 import BROADCAST, ETHERTYPE_EAPOL, ElementId, Subtype
from polyradio.rsn import (
    AKM_PSK,
    CIPHER_CCMP_128,
    GroupKey,
    PairwiseKeys,
    derive_ptk,
    pmk_from_passphrase,
    sign,
    wrap_key_data,
)
from polyradio.rsn.kde import KeyData

RSN = bytes.fromhex("0100000fac040100000fac040100000fac020000")
M1, M2, M3, G1 = 0x008A, 0x010A, 0x13CA, 0x1382


class Cell:
    """An access point with one station after the other, all frames as a monitor hears them."""

    def __init__(self, number: int, passphrase: str = "correct horse") -> None:
        self.ssid = f"network {number}".encode()
        self.bssid = bytes([2, 0, 0, 0, 1, number])
        self.network = Network(self.ssid, passphrase=passphrase)
        self._pmk = pmk_from_passphrase(passphrase, self.ssid)
        self._group_key = bytes([number]) * 16

    def beacon(self) -> bytes:
        elements = [(ElementId.SSID, self.ssid), (ElementId.RSN, RSN)]
        return Management(Subtype.BEACON, BROADCAST, self.bssid, self.bssid, elements=elements).emit()

    def station(self, number: int) -> bytes:
        return bytes([2, 0, 0, self.bssid[5], number >> 8, number & 0xFF])

    def handshake(self, station: int, nonce: int = 1) -> list[bytes]:
        """Messages 1 to 3 of a station's handshake."""
        address = self.station(station)
        anonce, snonce = self._nonces(nonce)
        keys = self._keys(address, nonce)
        choice = KeyData(((ElementId.RSN, RSN),)).emit()
        group = KeyData(((ElementId.RSN, RSN), GroupKey(1, self._group_key).emit())).emit()
        sealed = wrap_key_data(keys.kek, group)
        messages = [
            EapolKey(key_information=M1, replay_counter=1, nonce=anonce).emit(),
            sign(keys.kck, EapolKey(key_information=M2, replay_counter=1, nonce=snonce, key_data=choice).emit()),
            sign(keys.kck, EapolKey(key_information=M3, replay_counter=2, nonce=anonce, key_data=sealed).emit()),
        ]
        return [self._eapol(address, pdu, to_ds=message == 1) for message, pdu in enumerate(messages)]

    def group_handshake(self, station: int, key_id: int, group_key: bytes) -> bytes:
        """Message 1 of a group key handshake, in the clear."""
        address = self.station(station)
        keys = self._keys(address, 1)
        data = wrap_key_data(keys.kek, KeyData((GroupKey(key_id, group_key).emit(),)).emit())
        message = EapolKey(key_information=G1, replay_counter=3, key_data=data).emit()
        return self._eapol(address, sign(keys.kck, message), to_ds=False)

    def temporal_key(self, station: int, nonce: int = 1) -> bytes:
        return self._keys(self.station(station), nonce).tk

    def _keys(self, address: bytes, nonce: int) -> PairwiseKeys:
        return derive_ptk(self._pmk, self.bssid, address, *self._nonces(nonce), AKM_PSK, CIPHER_CCMP_128)

    def _nonces(self, nonce: int) -> tuple[bytes, bytes]:
        return bytes([1]) * 28 + nonce.to_bytes(4), bytes([2]) * 28 + nonce.to_bytes(4)

    def _eapol(self, station: bytes, pdu: bytes, *, to_ds: bool) -> bytes:
        return self.data(station, pdu, to_ds=to_ds, ethertype=ETHERTYPE_EAPOL)

    def data(self, station: bytes, payload: bytes, *, to_ds: bool, ethertype: int = 0x0800) -> bytes:
        ends = (self.bssid, station) if to_ds else (station, self.bssid)
        return frame_from_ethernet(
            b"".join(ends) + ethertype.to_bytes(2) + payload, bssid=self.bssid, to_ds=to_ds, tid=0
        )

    def group_frame(self, packet_number: int, key_id: int = 1, group_key: bytes | None = None) -> bytes:
        frame = self.data(BROADCAST, b"to all", to_ds=False)
        return ccmp_seal(frame, group_key or self._group_key, packet_number, key_id)


def _decode(cells: list[Cell], mpdus: list[bytes]) -> list[Verdict]:
    decoder = Decoder(cell.network for cell in cells)
    for number, mpdu in enumerate(mpdus):
        decoder.handle_frame(number, mpdu)
    return [each.verdict for each in decoder.finish()]


def test_many_networks_and_stations_are_kept_apart():
    cells = [Cell(number, f"passphrase {number}") for number in range(1, 5)]
    mpdus = [cell.beacon() for cell in cells]
    for station in range(20):
        for cell in cells:
            mpdus += cell.handshake(station)
    for packet_number in range(1, 4):
        for cell in cells:
            mpdus.append(cell.group_frame(packet_number))
            for station in range(20):
                frame = cell.data(cell.station(station), b"payload", to_ds=True)
                mpdus.append(ccmp_seal(frame, cell.temporal_key(station), packet_number))
    assert _decode(cells, mpdus) == [Verdict.OPENED] * (3 * 4 * 21)
    assert set(_decode(cells[:1], mpdus)) == {Verdict.OPENED, Verdict.NO_KEY}


def test_group_rekeys_are_followed_in_the_clear_and_sealed():
    cell = Cell(1)
    clear, sealed = cell.group_handshake(0, 2, b"2" * 16), cell.group_handshake(0, 1, b"1" * 16)
    mpdus = [
        cell.group_frame(9, 2, b"2" * 16),  # before its key is heard
        cell.beacon(),
        clear,  # before the key that it is sealed with
        *cell.handshake(0),
        cell.group_frame(7),
        ccmp_seal(sealed, cell.temporal_key(0), 1),
        cell.group_frame(1, 1, b"1" * 16),
        cell.group_frame(8),  # still under the old key of the same identifier
    ]
    assert _decode([cell], mpdus) == [Verdict.OPENED] * 5


def test_a_group_message_that_another_key_signed_gives_no_key():
    cell, other = Cell(1), Cell(1, "another passphrase")
    mpdus = [
        cell.beacon(),
        *cell.handshake(0),
        other.group_handshake(0, 2, b"2" * 16),
        cell.group_frame(1, 2, b"2" * 16),
    ]
    assert _decode([cell], mpdus) == [Verdict.NO_KEY]


def test_a_rekey_inside_the_old_keys_protection_is_found_however_deep():
    """Each handshake is sealed with the key before it, and the first comes last."""
    cell = Cell(1)
    rekeys = []
    for nonce in range(2, 12):
        messages = cell.handshake(0, nonce)
        rekeys += [
            ccmp_seal(message, cell.temporal_key(0, nonce - 1), place + 1) for place, message in enumerate(messages)
        ]
    last = ccmp_seal(cell.data(cell.station(0), b"payload", to_ds=True), cell.temporal_key(0, 11), 1)
    mpdus = [cell.beacon(), *rekeys, last, *cell.handshake(0, 1)]
    assert _decode([cell], mpdus) == [Verdict.OPENED] * 31


def test_a_packet_number_is_counted_for_each_key_and_direction():
    cell = Cell(1)
    up = ccmp_seal(cell.data(cell.station(0), b"up", to_ds=True), cell.temporal_key(0), 5)
    down = ccmp_seal(cell.data(cell.station(0), b"down", to_ds=False), cell.temporal_key(0), 5)
    rekeyed = ccmp_seal(cell.data(cell.station(0), b"up", to_ds=True), cell.temporal_key(0, 2), 5)
    mpdus = [cell.beacon(), *cell.handshake(0), *cell.handshake(0, 2), up, down, rekeyed, up, cell.group_frame(5)]
    opened, replay = Verdict.OPENED, Verdict.REPLAY
    assert _decode([cell], mpdus) == [opened, opened, opened, replay, opened]


def test_a_frame_waits_for_a_bounded_number_of_keys():
    """Frames that no key opens and handshakes without end: the work grows with their sum, not with their product."""
    cell = Cell(1)
    frame = ccmp_seal(cell.data(cell.station(0), bytes(1000), to_ds=True), bytes(16), 1)
    mpdus = [cell.beacon(), *[frame] * 5000]
    for nonce in range(1, 300):
        mpdus += cell.handshake(0, nonce)
    start = time.monotonic()
    verdicts = _decode([cell], mpdus)
    assert time.monotonic() - start < 5
    assert set(verdicts) == {Verdict.MIC_FAILED}
    assert LATER_KEYS < 300
