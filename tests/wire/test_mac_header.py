"""MAC headers of real frames, compared with what tshark says of them."""

import json
from pathlib import Path

import pytest

from polyradio import RemoteProtocolError
from polyradio._core import MacHeader

FLAGS = {
    "wlan.fc.version": "version",
    "wlan.fc.type": "frame_type",
    "wlan.fc.subtype": "subtype",
    "wlan.fc.tods": "to_ds",
    "wlan.fc.fromds": "from_ds",
    "wlan.fc.frag": "more_fragments",
    "wlan.fc.retry": "retry",
    "wlan.fc.pwrmgt": "power_management",
    "wlan.fc.moredata": "more_data",
    "wlan.fc.protected": "protected",
    "wlan.fc.order": "order",
    "wlan.duration": "duration",
    "wlan.seq": "sequence_number",
    "wlan.frag": "fragment_number",
    "wlan.qos.tid": "tid",
}
ADDRESSES = {
    "wlan.ra": "addr1",
    "wlan.ta": "addr2",
    "wlan.da": "destination",
    "wlan.sa": "source",
    "wlan.bssid": "bssid",
}
CF_END = 0x00E4


def test_headers_are_read_as_tshark_reads_them(vectors: Path) -> None:
    frames = json.loads((vectors / "parsing/header_oracle.json").read_text())["frames"]
    assert len(frames) == 244
    for frame in frames:
        name = f"{frame['capture']} {frame['frame']}"
        header = MacHeader.parse(bytes.fromhex(frame["octets"]))
        for field, attribute in FLAGS.items():
            expected = frame["tshark"].get(field)
            assert getattr(header, attribute) == (None if expected is None else int(expected)), (name, field)
        for field, attribute in ADDRESSES.items():
            if header.frame_control == CF_END and field in {"wlan.ta", "wlan.bssid"}:
                continue  # tshark calls its second address the BSSID
            address: bytes | None = getattr(header, attribute)
            assert (address and address.hex(":")) == frame["tshark"].get(field), (name, field)
        if "mac_header_len" in frame:
            assert header.length == frame["mac_header_len"], name


def test_fields_that_a_frame_does_not_have_are_none() -> None:
    acknowledgement = MacHeader.parse(bytes.fromhex("d4000000020000000001"))
    assert acknowledgement.addr1.hex() == "020000000001"
    assert acknowledgement.length == 10
    for name in ("addr2", "addr3", "addr4", "sequence_number", "fragment_number", "qos_control", "ht_control", "tid"):
        assert getattr(acknowledgement, name) is None
    assert (acknowledgement.destination, acknowledgement.source, acknowledgement.bssid) == (None, None, None)


def test_a_qos_data_frame_with_order_has_ht_control_and_a_data_frame_has_not() -> None:
    rest = bytes(22)
    qos_data = MacHeader.parse(b"\x88\x81" + rest + b"\x05\x00" + b"\x04\x03\x02\x01")
    assert (qos_data.ht_control, qos_data.tid, qos_data.length) == (0x01020304, 5, 30)
    data = MacHeader.parse(b"\x08\x81" + rest)
    assert (data.ht_control, data.length) == (None, 24)


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        (b"", "Frame Control at octet 0 is cut off: it needs 2 octets and has 0"),
        (bytes.fromhex("b400000002"), "Address 1 at octet 4 is cut off: it needs 6 octets and has 1"),
        (bytes.fromhex("8800") + bytes(23), "QoS Control at octet 24 is cut off: it needs 2 octets and has 1"),
        (bytes.fromhex("8100") + bytes(22), "protocol version at octet 0 has no meaning: 0x1"),
    ],
)
def test_an_error_says_what_was_needed_and_where(octets: bytes, message: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        MacHeader.parse(octets)
    assert str(caught.value) == message
