"""Data frames: Ethernet frames over the air and back, and A-MSDUs."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyradio import LocalProtocolError, RemoteProtocolError
from polyradio._core import (
    EapolKey,
    MacHeader,
    Management,
    RsnElement,
    ethernet_from_frame,
    frame_from_ethernet,
    parse_elements,
)

BSSID = bytes.fromhex("020000000001")
A, B = bytes.fromhex("020000000008"), bytes.fromhex("020000000009")
RFC_1042, BRIDGE_TUNNEL = bytes.fromhex("aaaa03000000"), bytes.fromhex("aaaa030000f8")
ARP, IPX = b"\x08\x06", b"\x81\x37"


def test_a_station_sends_to_its_access_point() -> None:
    frame = frame_from_ethernet(B + A + ARP + b"payload", bssid=BSSID, to_ds=True)
    header = MacHeader.parse(frame)
    assert (header.subtype, header.to_ds, header.from_ds) == (0, True, False)
    assert (header.addr1, header.addr2, header.addr3) == (BSSID, A, B)
    assert (header.sequence_number, header.tid) == (0, None)
    assert frame[24:] == RFC_1042 + ARP + b"payload"


def test_an_access_point_sends_to_a_station() -> None:
    frame = frame_from_ethernet(B + A + IPX, bssid=BSSID, to_ds=False, tid=5)
    header = MacHeader.parse(frame)
    assert (header.subtype, header.to_ds, header.from_ds) == (8, False, True)
    assert (header.addr1, header.addr2, header.addr3, header.tid) == (B, BSSID, A, 5)
    assert frame[26:] == BRIDGE_TUNNEL + IPX


@given(
    ethertype=st.integers(0x0600, 0xFFFF),
    payload=st.binary(max_size=2304),
    to_ds=st.booleans(),
    tid=st.none() | st.integers(0, 15),
)
def test_an_ethernet_frame_survives_the_air(ethertype: int, payload: bytes, to_ds: bool, tid: int | None) -> None:
    ethernet = B + A + ethertype.to_bytes(2, "big") + payload
    assert ethernet_from_frame(frame_from_ethernet(ethernet, bssid=BSSID, to_ds=to_ds, tid=tid)) == [ethernet]


def test_an_llc_frame_keeps_its_length() -> None:
    spanning_tree = B + A + b"\x00\x07" + b"\x42\x42\x03\x00\x00\x00\x00"
    frame = frame_from_ethernet(spanning_tree + bytes(39), bssid=BSSID, to_ds=True)
    assert frame[24:] == spanning_tree[14:]
    assert ethernet_from_frame(frame) == [spanning_tree]


def amsdu(first: bytes, second: bytes, receiver: bytes = B) -> bytes:
    header = b"\x88\x02\x00\x00" + receiver + BSSID + BSSID + b"\x00\x00" + b"\x80\x00"
    return header + first + bytes(-len(first) % 4) + second


def subframe(destination: bytes, body: bytes) -> bytes:
    return destination + A + len(body).to_bytes(2, "big") + body


def test_each_subframe_of_an_amsdu_is_a_frame() -> None:
    frame = amsdu(subframe(B, RFC_1042 + ARP + b"first"), subframe(B, RFC_1042 + ARP + b"second"))
    assert ethernet_from_frame(frame) == [B + A + ARP + b"first", B + A + ARP + b"second"]


def test_an_amsdu_made_of_an_msdu_is_refused() -> None:
    """CVE-2020-24588: the flag is not protected, and the first subframe is then an LLC/SNAP header."""
    spoofed = amsdu(subframe(RFC_1042, b"x" * 20), subframe(B, RFC_1042 + ARP))
    to_all = amsdu(subframe(B, RFC_1042 + ARP), subframe(B, RFC_1042 + ARP), receiver=b"\xff" * 6)
    for frame in (spoofed, to_all):
        with pytest.raises(RemoteProtocolError, match="A-MSDU that cannot be one"):
            ethernet_from_frame(frame)


def test_frames_that_hold_no_whole_msdu_are_refused() -> None:
    whole = frame_from_ethernet(B + A + ARP, bssid=BSSID, to_ds=True)
    for octet, bit in ((0, 0x40), (1, 0x40), (1, 0x04), (22, 0x01)):
        frame = bytearray(whole)
        frame[octet] |= bit
        with pytest.raises(RemoteProtocolError):
            ethernet_from_frame(bytes(frame))


def test_arguments_without_sense_are_the_callers_fault() -> None:
    ethernet = B + A + ARP
    with pytest.raises(LocalProtocolError, match="a traffic identifier is 0 to 15, not 16"):
        frame_from_ethernet(ethernet, bssid=BSSID, to_ds=True, tid=16)
    with pytest.raises(LocalProtocolError, match="a MAC address has 6 octets, not 0"):
        frame_from_ethernet(ethernet, bssid=b"", to_ds=True)
    with pytest.raises(RemoteProtocolError, match="Ethernet header at octet 0 is cut off"):
        frame_from_ethernet(ethernet[:13], bssid=BSSID, to_ds=True)


def test_plaintext_frames_of_the_air_hold_msdus(vectors: Path) -> None:
    count = 0
    for frame in json.loads((vectors / "parsing/header_oracle.json").read_text())["frames"]:
        octets = bytes.fromhex(frame["octets"])[: -4 if frame["fcs_present"] else None]
        header = MacHeader.parse(octets)
        if header.frame_type == 2 and not header.subtype & 4 and not header.protected and frame.get("fcs_ok", True):
            (ethernet,) = ethernet_from_frame(octets)
            assert ethernet[:12] == (header.destination or b"") + (header.source or b"")
            count += 1
    assert count > 10


def test_corpora_of_other_projects_are_read_or_refused(vectors: Path) -> None:
    seeds = json.loads((vectors / "fuzz/seed_frames.json").read_text())["seeds"]
    corpus = [bytes.fromhex(seed["octets"]) for seed in seeds]
    corpus += [path.read_bytes() for path in sorted((vectors / "fuzz/hostap").glob("*/*"))]
    assert len(corpus) > 94
    for octets in corpus:
        for read in (
            MacHeader.parse,
            Management.parse,
            RsnElement.parse,
            EapolKey.parse,
            parse_elements,
            ethernet_from_frame,
        ):
            with contextlib.suppress(RemoteProtocolError):
                read(octets)
