"""Any octets at both ends: nothing is raised, and no key is installed that nobody signed."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyradio._core import EapolKey, Management, frame_from_ethernet
from polyradio.access_point import AccessPoint, AccessPointConfig, InstallKey
from polyradio.errors import RemoteProtocolError
from polyradio.ieee80211 import Subtype
from polyradio.rsn import KeyData, unwrap_key_data, verify
from polyradio.station import InstallKey as StationInstallKey
from polyradio.station import Station, StationConfig, StationState

BSSID = bytes.fromhex("020000ff0001")
STATION = bytes.fromhex("020000000001")
CONFIG = AccessPointConfig(BSSID, b"net", 1, "correct horse", seed=1)
SECOND = 1_000_000_000


def associated() -> tuple[AccessPoint, Station]:
    """Both ends, where message 1 is on its way."""
    access_point, station = AccessPoint(CONFIG), Station(StationConfig(STATION, b"net", "correct horse", (1,), seed=1))
    access_point.start(0)
    beacon = access_point.poll_actions()[0].frame
    station.start(0)
    station.handle_frame(beacon, channel=1, signal_dbm=-40, now=0)
    station.poll_actions()
    station.handle_scan_done(0)
    for _ in range(2):
        for action in station.poll_actions():
            if hasattr(action, "frame"):
                access_point.handle_frame(action.frame, 0)
        for action in access_point.poll_actions():
            if hasattr(action, "frame") and action.frame[0] != 0x88:
                station.handle_frame(action.frame, channel=1, signal_dbm=-40, now=0)
    assert station.state is StationState.FOUR_WAY_HANDSHAKE
    station.poll_actions()
    return access_point, station


def feed(access_point, station, octets):
    access_point.handle_frame(octets, 0)
    station.handle_frame(octets, channel=1, signal_dbm=-40, now=0)
    for source in (BSSID, STATION):
        station.handle_eapol(octets, source=source, protected=True, now=0)
    ethernet = BSSID + STATION + b"\x88\x8e" + octets[:1500]
    access_point.handle_frame(frame_from_ethernet(ethernet, bssid=BSSID, to_ds=True), 0)


def assert_nothing_was_installed(access_point, station):
    assert not any(isinstance(action, InstallKey) for action in access_point.poll_actions())
    assert not any(isinstance(action, StationInstallKey) for action in station.poll_actions())
    assert len(station.discarded) < 20
    assert len(access_point._timers) < 20


def records(octets):
    """hostap's corpora: u16 length, octets, repeated."""
    while len(octets) > 2:
        (length,) = struct.unpack(">H", octets[:2])
        yield octets[2 : 2 + length]
        octets = octets[2 + length :]


@pytest.mark.parametrize("name", ["ap-mgmt", "eapol-key-auth", "eapol-key-supp", "eapol-supp", "sae", "wnm"])
def test_public_corpora_do_no_harm(corpus, name):
    access_point, station = associated()
    for octets in corpus(f"fuzz/hostap/{name}"):
        for record in [octets, *records(octets)]:
            feed(access_point, station, record)
    assert_nothing_was_installed(access_point, station)


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_any_octets_do_no_harm(frames):
    access_point, station = associated()
    for octets in frames:
        feed(access_point, station, octets)
    assert_nothing_was_installed(access_point, station)


@given(
    st.sampled_from(list(Subtype)),
    st.sampled_from([BSSID, STATION, b"\xff" * 6]),
    st.sampled_from([BSSID, STATION, bytes(6)]),
    st.lists(st.tuples(st.sampled_from([0, 1, 3, 48, 50, 221, 255]), st.binary(max_size=40)), max_size=6),
    st.integers(0, 0xFFFF),
)
def test_any_management_frame_does_no_harm(subtype, destination, source, elements, number):
    access_point, station = associated()
    frame = Management(
        subtype,
        destination,
        source,
        BSSID,
        elements=elements,
        status=number,
        reason=number,
        association_id=number,
        algorithm=number & 1,
        transaction=number & 3,
    )
    feed(access_point, station, frame.emit())
    station.handle_timeout(10 * SECOND)
    access_point.handle_timeout(10 * SECOND)
    assert_nothing_was_installed(access_point, station)


@given(
    st.integers(0, 0xFFFF),
    st.integers(0, 3),
    st.sampled_from([0, 16, 32]),
    st.binary(min_size=32, max_size=32),
    st.binary(max_size=80),
)
def test_any_eapol_key_frame_does_no_harm(information, replay_counter, key_length, nonce, key_data):
    access_point, station = associated()
    for bits in (information, information & ~7 | 2, 0x008A, information & ~7 | 2):
        key = EapolKey(
            key_information=bits, replay_counter=replay_counter, key_length=key_length, nonce=nonce, key_data=key_data
        )
        feed(access_point, station, key.emit())
        replay_counter += 1
    assert_nothing_was_installed(access_point, station)


@given(st.binary(max_size=120))
def test_any_key_data_is_read_or_refused(octets):
    for act in (
        lambda: KeyData.parse(octets).group_key,
        lambda: KeyData.parse(octets).integrity_group_key,
        lambda: KeyData.parse(octets).pmkid,
        lambda: verify(bytes(16), octets),
        lambda: unwrap_key_data(bytes(16), octets),
    ):
        try:
            act()
        except RemoteProtocolError:
            continue
