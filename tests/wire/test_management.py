"""Management frames and their elements."""

import json
from pathlib import Path

import pytest

from polyradio import LocalProtocolError, RemoteProtocolError
from polyradio._core import MacHeader, Management, RsnElement, emit_elements, parse_elements

AP = bytes.fromhex("020000000001")
STATION = bytes.fromhex("020000000002")
FIELDS = (
    *("subtype", "destination", "source", "bssid", "sequence_number", "timestamp", "beacon_interval", "capability"),
    *("listen_interval", "current_ap", "status", "association_id", "algorithm", "transaction", "reason"),
    *("elements", "rest"),
)
RSN = 48


def fields(frame: Management) -> dict[str, object]:
    return {name: getattr(frame, name) for name in FIELDS}


@pytest.mark.parametrize(
    "keywords",
    [
        {"subtype": 0, "capability": 0x431, "listen_interval": 10},
        {"subtype": 1, "capability": 0x431, "status": 17, "association_id": 2007},
        {"subtype": 2, "capability": 1, "listen_interval": 1, "current_ap": AP},
        {"subtype": 3, "status": 0, "association_id": 1},
        {"subtype": 4},
        {"subtype": 5, "timestamp": 2**63, "beacon_interval": 100, "capability": 0x11},
        {"subtype": 8, "timestamp": 1, "beacon_interval": 100, "capability": 0x11},
        {"subtype": 10, "reason": 8},
        {"subtype": 11, "algorithm": 0, "transaction": 2, "status": 1},
        {"subtype": 12, "reason": 7},
        {"subtype": 13, "elements": [], "rest": b"\x7f\x01\x02"},
    ],
)
def test_every_subtype_is_read_as_it_was_written(keywords: dict[str, object]) -> None:
    frame = Management(
        destination=AP, source=STATION, bssid=AP, **{"elements": [(0, b"polyradio"), (1, b"\x8c\x98")]} | keywords
    )
    frame.sequence_number = 4095
    again = Management.parse(frame.emit())
    assert fields(again) == fields(frame)
    assert {name: getattr(again, name) for name in keywords} == keywords
    assert MacHeader.parse(frame.emit()).sequence_number == 4095


def test_fields_can_be_changed() -> None:
    frame = Management(8, STATION, AP, AP)
    frame.elements = [(0, b"other"), (0, b"second")]
    frame.destination = frame.current_ap = AP
    frame.rest = b"\x01"
    assert frame.element(0) == b"other"
    assert frame.element(3) is None
    assert Management.parse(frame.emit()).rest == b"\x01"


def test_a_beacon_of_the_air_is_read(vectors: Path) -> None:
    first = json.loads((vectors / "parsing/header_oracle.json").read_text())["frames"][0]
    octets = bytes.fromhex(first["octets"])[:-4]
    beacon = Management.parse(octets)
    assert (beacon.subtype, beacon.beacon_interval, beacon.element(0)) == (8, 100, b"Coherer")
    rsn = RsnElement.parse(beacon.element(RSN) or b"")
    assert (rsn.group_cipher, rsn.pairwise_ciphers, rsn.akm_suites) == (
        0x000FAC02,
        [0x000FAC04, 0x000FAC02],
        [0x000FAC02],
    )
    assert beacon.rest == b""
    assert beacon.emit() == octets


def test_management_frames_of_the_air_survive(vectors: Path) -> None:
    for frame in json.loads((vectors / "parsing/header_oracle.json").read_text())["frames"]:
        octets = bytes.fromhex(frame["octets"])
        header = MacHeader.parse(octets)
        if header.frame_type == 0 and not header.protected and not header.fragment_number:
            read = Management.parse(octets)
            assert fields(Management.parse(read.emit())) == fields(read), (frame["capture"], frame["frame"])


def test_the_body_of_a_protected_frame_is_opaque() -> None:
    frame = bytearray(Management(12, AP, STATION, AP, reason=7).emit() + bytes(16))
    frame[1] |= 0x40
    read = Management.parse(bytes(frame))
    assert (read.reason, read.elements, read.rest) == (0, [], bytes(frame[24:]))


def test_octets_that_are_no_management_frame_are_refused() -> None:
    frame = Management(8, STATION, AP, AP).emit()
    for octets in (b"\x08" + frame[1:], frame[:30]):
        with pytest.raises(RemoteProtocolError):
            Management.parse(octets)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"subtype": 16}, "a subtype is 0 to 15, not 16"),
        ({"source": b"\x02"}, "a MAC address has 6 octets, not 1"),
        ({"elements": [(0, bytes(256))]}, "element 0 has 256 octets; 255 is the most"),
    ],
)
def test_arguments_without_sense_are_the_callers_fault(keywords: dict[str, object], message: str) -> None:
    with pytest.raises(LocalProtocolError, match=message):
        Management(**{"subtype": 8, "destination": STATION, "source": AP, "bssid": AP} | keywords)


def test_a_sequence_number_has_twelve_bits() -> None:
    with pytest.raises(LocalProtocolError, match="a sequence number is 0 to 4095, not 4096"):
        Management(8, STATION, AP, AP).sequence_number = 4096


def test_elements_are_read_as_they_were_written() -> None:
    elements = [(0, b""), (221, bytes(255)), (255, b"\x6b\x01")]
    assert parse_elements(emit_elements(elements)) == elements
    assert parse_elements(b"") == []
    with pytest.raises(RemoteProtocolError, match="element at octet 2 is cut off: it needs 4 octets and has 3"):
        parse_elements(b"\x00\x00\x03\x02\x06")
    with pytest.raises(LocalProtocolError):
        emit_elements([(0, bytes(256))])
