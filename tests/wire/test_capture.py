import gzip
import json
import struct
from pathlib import Path

import pytest

from polyradio import LocalProtocolError, RemoteProtocolError
from polyradio._core import CapturedFrame, CaptureReader, PcapngWriter

IEEE802_11, RADIOTAP, ETHERNET = 105, 127, 1
ACK = bytes.fromhex("d4000000020000000001")


def _pcap(*packets: bytes, link_type: int = IEEE802_11) -> bytes:
    records = [struct.pack("<4I", 10 + i, 5, len(packet), len(packet)) + packet for i, packet in enumerate(packets)]
    return struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link_type) + b"".join(records)


def _read(octets: bytes) -> tuple[list[CapturedFrame], str | None]:
    reader = CaptureReader(octets)
    return list(reader), reader.error


def test_a_pcap_file_gives_its_frames() -> None:
    reader = CaptureReader(_pcap(ACK, ACK))
    frames = list(reader)
    assert reader.format == "pcap"
    assert reader.interfaces == [None]
    assert [(frame.number, frame.timestamp_ns, frame.interface) for frame in frames] == [
        (1, 10_000_005_000, 0),
        (2, 11_000_005_000, 0),
    ]
    assert frames[0].frame == frames[0].packet == ACK
    assert (frames[0].link_type, frames[0].original_length) == (IEEE802_11, len(ACK))
    assert (frames[0].error, frames[0].comment, frames[0].has_bad_fcs, reader.error) == (None, None, False, None)


def test_a_file_cut_off_in_a_frame_gives_the_frames_before_it_and_says_where_it_ends() -> None:
    frames, error = _read(_pcap(ACK, ACK)[:-3])
    assert len(frames) == 1
    assert error == "pcap record at octet 66 is cut off: it needs 10 octets and has 7"


def test_octets_that_are_no_capture_are_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="magic number"):
        CaptureReader(b"this is no capture")
    with pytest.raises(RemoteProtocolError, match="cut off"):
        CaptureReader(b"")


def test_another_link_type_has_records_and_no_frames() -> None:
    [frame], _ = _read(_pcap(b"ethernet", link_type=ETHERNET))
    assert (frame.frame, frame.packet) == (b"", b"ethernet")
    assert frame.error == "records of link type 1 hold no 802.11 frames"


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "out.pcapng"
    writer = PcapngWriter(str(path), application="test", comment="of the whole")
    assert writer.add_interface("vm1", IEEE802_11, "VM 1") == 0
    assert writer.add_interface("vm2", RADIOTAP) == 1
    writer.write(0, 1_700_000_000_123_456_789, ACK, original_length=99, comment="drop: no key")
    writer.write(1, 2, bytes.fromhex("0000080000000000") + ACK)
    writer.close()
    writer.close()
    reader = CaptureReader(path.read_bytes())
    first, second = reader
    assert (reader.format, reader.interfaces) == ("pcapng", ["vm1", "vm2"])
    assert (first.timestamp_ns, first.original_length, first.comment) == (1_700_000_000_123_456_789, 99, "drop: no key")
    assert first.error == "frame at octet 0 is cut off: it needs 99 octets and has 10"
    assert (second.interface, second.frame, second.comment) == (1, ACK, None)


def test_the_writer_says_what_it_cannot_do(tmp_path: Path) -> None:
    writer = PcapngWriter(str(tmp_path / "out.pcapng"))
    with pytest.raises(LocalProtocolError, match="no interface 0"):
        writer.write(0, 0, ACK)
    writer.close()
    with pytest.raises(LocalProtocolError, match="closed"):
        writer.add_interface("late", IEEE802_11)
    with pytest.raises(FileNotFoundError):
        PcapngWriter(str(tmp_path / "nowhere" / "out.pcapng"))


def test_compressed_public_captures_give_all_their_frames(vectors: Path) -> None:
    captures = json.loads((vectors / "captures/index.json").read_text())["captures"]
    compressed = [capture for capture in captures if capture["file"].endswith(".gz")]
    for capture in compressed:
        frames, error = _read(gzip.decompress((vectors / capture["file"]).read_bytes()))
        assert (len(frames), error) == (capture["frames_total"], None), capture["file"]
        assert [frame.error for frame in frames if frame.error] == [], capture["file"]
    assert len(compressed) == 10


def test_frames_and_their_fcs_are_those_of_tshark(vectors: Path) -> None:
    oracle = json.loads((vectors / "parsing/header_oracle.json").read_text())["frames"]
    compressed = [frame for frame in oracle if frame["capture"].endswith(".gz")]
    captures = {
        name: _read(gzip.decompress((vectors / "captures" / name).read_bytes()))[0]
        for name in {frame["capture"] for frame in compressed}
    }
    for expected in compressed:
        frame = captures[expected["capture"]][expected["frame"] - 1]
        octets = bytes.fromhex(expected["octets"])
        assert frame.frame == (octets[:-4] if expected["fcs_present"] else octets)
        assert frame.has_bad_fcs == (expected.get("fcs_ok") is False)
    assert len(compressed) > 50
