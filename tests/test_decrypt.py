import gzip
import hashlib
import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyradio import LocalProtocolError, RemoteProtocolError
from polyradio._core import CapturedFrame, CaptureReader, MacHeader, PcapngWriter, ccmp_seal, frame_from_ethernet
from polyradio.decrypt import Network, decrypt_capture, parse_network, parse_pmk, run_decrypt

VERDICTS = ("opened", "replay", "no_key", "mic_failed", "cipher_not_supported", "truncated")
# File, protected frames that both oracles open with the same octets, protected frames whose packet number grows.
CCMP_CAPTURES = [
    ("wireshark/wpa-Induction.pcap.gz", 190, None),  # wlantest opens TKIP frames too
    ("wireshark/wpa-test-decode.pcap.gz", 746, None),  # both oracles miss what a handshake further on opens
    ("wireshark/wpa2-psk-ccmp-tkip.pcapng.gz", 8, None),  # TKIP group frames
    ("wireshark/wpa2-psk-mfp.pcapng.gz", 9, 9),
    ("wireshark/wpa2-ft-psk.pcapng.gz", 17, 17),
    ("wireshark/wpa-ccmp-256.pcapng.gz", 14, 14),
    ("wireshark/wpa3-sae.pcapng.gz", 10, 9),
    ("wireshark/wpa-eap-tls.pcap.gz", 56, 56),
    ("aircrack/n-02.cap", 20, None),
    ("krack/example-ft.pcapng", 129, 119),
    ("fragattacks/ping_I_P-fromclient.pcapng", 14, None),
    ("fragattacks/ping_I_E_P-fromclient.pcapng", 17, 14),
    ("fragattacks/ping_I_E_E___inc_pn_2-fromap.pcapng", 44, 41),
    ("fragattacks/ping_I_F_BE_AE-fromap.pcapng", 48, None),
    ("fragattacks/amsdu-inject-fromap.pcapng", 38, None),
    ("fragattacks/ping_I_D_E-fromap.pcapng", 20, 19),
    ("fragattacks/ping_I_E_R_E__full-recon-fromclient.pcapng", 16, None),
]


def _read(path: Path) -> list[CapturedFrame]:
    reader = CaptureReader(path.read_bytes())
    frames = list(reader)
    assert reader.error is None
    return frames


def _body(mpdu: bytes) -> bytes:
    return mpdu[MacHeader.parse(mpdu).length :]


@pytest.mark.parametrize("with_all_networks", [False, True], ids=["its network", "all networks"])
@pytest.mark.parametrize(("name", "both", "growing"), CCMP_CAPTURES, ids=[name for name, *_ in CCMP_CAPTURES])
def test_every_frame_that_both_oracles_open_is_opened_octet_for_octet(
    captures, tmp_path, name, both, growing, with_all_networks
):
    capture = captures[name]
    networks = captures.networks() if with_all_networks else capture.networks
    report = decrypt_capture(capture.path, networks, tmp_path / "out.pcapng")
    frames = _read(tmp_path / "out.pcapng")
    agreed = [each for each in capture.oracle() if each.get("agree")]
    assert len(agreed) == both
    for each in agreed:
        frame = frames[each["frame"] - 1]
        body = _body(frame.frame)
        assert len(body) == each["plaintext_len"]
        assert hashlib.sha256(body).hexdigest() == each["plaintext_sha256"], each["frame"]
        assert not MacHeader.parse(frame.frame).protected
        assert f"PN {int(each['pn'], 16)}, " in frame.comment
        assert ("group key" if "gtk" in each else "pairwise key") in frame.comment
    if growing is not None:
        assert sum(network.counts["opened"] for network in report.networks) == growing
    assert report.error is None


def test_what_is_not_opened_is_written_as_it_was(captures, tmp_path):
    capture = captures["wireshark/wpa-Induction.pcap.gz"]
    decrypt_capture(capture.path, capture.networks, tmp_path / "out.pcapng")
    opened = 0
    for before, after in zip(capture.frames, _read(tmp_path / "out.pcapng"), strict=True):
        assert (after.number, after.timestamp_ns, after.link_type) == (
            before.number,
            before.timestamp_ns,
            before.link_type,
        )
        if after.comment and after.comment.endswith((", opened", ", replay")):
            opened += 1
            start = before.header_length
            assert after.packet[:start] == before.packet[:start]
            assert len(after.packet) == len(before.packet) - 16
            assert after.original_length == before.original_length - 16
            assert not after.has_bad_fcs
        else:
            assert (after.packet, after.original_length) == (before.packet, before.original_length)
    assert opened == 203


def test_the_report_counts_each_network_and_shows_no_key(captures, tmp_path):
    capture = captures["wireshark/wpa-Induction.pcap.gz"]
    networks = ["other:notthisone", "Coherer:Induction"]
    report = run_decrypt(capture.path, networks, ["00" * 32], tmp_path / "out.pcapng").to_json()
    [other, coherer] = report["networks"]
    assert (other["ssid"], other["protected"], other["given"], other["bssids"]) == ("other", 0, True, [])
    assert coherer["ssid"] == "Coherer"
    assert coherer["bssids"] == ["00:0c:41:82:b2:55"]
    assert [coherer[verdict] for verdict in VERDICTS] == [190, 13, 1, 0, 76, 0]
    assert (report["frames"], report["protected"], report["decrypted"], report["error"]) == (1093, 280, 203, None)
    assert "Induction" not in json.dumps(report).replace(str(capture.path), "")
    assert b"notthisone" not in (tmp_path / "out.pcapng").read_bytes()


def test_networks_without_credentials_are_counted_too(captures):
    capture = captures["wireshark/wpa2-psk-mfp.pcapng.gz"]
    [network] = decrypt_capture(capture.path, []).networks
    assert (network.ssid, network.is_given, network.protected) == ("Wireshark-pmf", False, 9)
    assert network.counts["no_key"] == 9


def test_a_wrong_passphrase_opens_nothing(captures):
    capture = captures["wireshark/wpa2-psk-mfp.pcapng.gz"]
    report = run_decrypt(capture.path, ["Wireshark-pmf:87654321"])
    assert (report.decrypted, report.networks[0].counts["no_key"], report.networks[0].pairwise_keys) == (0, 9, 0)


@pytest.mark.parametrize(
    ("name", "protected"),
    [("wireshark/wpa1-gtk-rekey.pcapng.gz", 22), ("wireshark/wpa-gcmp.pcapng.gz", 15), ("aircrack/wpa.cap", 2)],
)
def test_other_ciphers_are_not_supported_and_say_so(captures, name, protected):
    capture = captures[name]
    [network] = decrypt_capture(capture.path, capture.networks).networks
    assert network.counts["cipher_not_supported"] == network.protected == protected


def test_the_same_capture_and_networks_give_the_same_octets(captures, tmp_path):
    capture = captures["krack/example-ft.pcapng"]
    outs = [tmp_path / "a.pcapng", tmp_path / "b.pcapng"]
    for out in outs:
        decrypt_capture(capture.path, capture.networks, out)
    assert outs[0].read_bytes() == outs[1].read_bytes()


def test_a_large_capture_takes_no_time_to_speak_of(captures, tmp_path):
    capture = captures["wireshark/wpa-test-decode.pcap.gz"]
    start = time.monotonic()
    report = decrypt_capture(capture.path, captures.networks(), tmp_path / "out.pcapng")
    assert time.monotonic() - start < 2
    assert (report.frames, report.decrypted) == (4274, 934)


@pytest.mark.parametrize("kept", [1, 20, 900, 50_000, 76_000])
def test_a_gzip_file_that_is_cut_off_is_decrypted_up_to_there(captures, tmp_path, kept):
    capture = captures["wireshark/wpa-Induction.pcap.gz"]
    path = tmp_path / "cut.pcap.gz"
    path.write_bytes(capture.path.read_bytes()[:kept])
    try:
        report = decrypt_capture(path, capture.networks, tmp_path / "out.pcapng")
    except RemoteProtocolError:
        assert kept <= 20
        return
    assert report.error == f"the gzip file is cut off at octet {kept}"
    assert len(_read(tmp_path / "out.pcapng")) == report.frames > 0


def test_a_damaged_gzip_file_is_decrypted_up_to_the_damage(captures, tmp_path):
    capture = captures["wireshark/wpa-Induction.pcap.gz"]
    octets = bytearray(capture.path.read_bytes())
    octets[40_000:40_100] = bytes(100)
    path = tmp_path / "damaged.pcap.gz"
    path.write_bytes(octets)
    report = decrypt_capture(path, capture.networks)
    assert "damaged" in report.error
    assert 100 < report.frames < 1093


def test_a_capture_that_is_cut_off_in_a_frame_keeps_all_whole_frames(captures, tmp_path):
    capture = captures["krack/example-ft.pcapng"]
    path = tmp_path / "cut.pcapng"
    path.write_bytes(capture.path.read_bytes()[:200_000])
    report = decrypt_capture(path, capture.networks, tmp_path / "out.pcapng")
    assert "is cut off: it needs" in report.error
    assert len(_read(tmp_path / "out.pcapng")) == report.frames > 500


def test_frames_cut_by_the_snapshot_length_are_truncated(captures, tmp_path):
    capture = captures["wireshark/wpa2-psk-mfp.pcapng.gz"]
    writer = PcapngWriter(str(tmp_path / "cut.pcapng"))
    writer.add_interface("wlan0", 127)
    for frame in capture.frames:
        header = MacHeader.parse(frame.frame)
        octets = frame.packet[:-20] if header.protected else frame.packet
        writer.write(0, frame.timestamp_ns, octets, original_length=len(frame.packet), comment="before")
    writer.close()
    [network] = decrypt_capture(tmp_path / "cut.pcapng", capture.networks, tmp_path / "out.pcapng").networks
    assert network.counts["truncated"] == network.protected == 9
    before, after = _read(tmp_path / "cut.pcapng"), _read(tmp_path / "out.pcapng")
    assert [frame.packet for frame in after] == [frame.packet for frame in before]
    assert [frame.original_length for frame in after] == [frame.original_length for frame in before]
    assert 'before\nnetwork "Wireshark-pmf", truncated' in {frame.comment for frame in after}


def test_an_frame_check_sequence_and_padding_survive_decryption(captures, tmp_path):
    """Radiotap with FCS and data pad: the pad stays behind the MAC header, the FCS is that of the opened frame."""
    capture = captures["wireshark/wpa2-psk-mfp.pcapng.gz"]
    radiotap = bytes.fromhex("000009000200000030")
    writer = PcapngWriter(str(tmp_path / "padded.pcapng"))
    writer.add_interface("ath0", 127)
    for frame in capture.frames:
        header = MacHeader.parse(frame.frame).length
        padded = frame.frame[:header] + bytes(-header % 4) + frame.frame[header:]
        writer.write(0, frame.timestamp_ns, radiotap + padded + b"\0\0\0\0")
    writer.close()
    decrypt_capture(capture.path, capture.networks, tmp_path / "plain.pcapng")
    report = decrypt_capture(tmp_path / "padded.pcapng", capture.networks, tmp_path / "out.pcapng")
    assert report.decrypted == 9
    plain = [frame.frame for frame in _read(tmp_path / "plain.pcapng")]
    out = _read(tmp_path / "out.pcapng")
    assert [frame.frame for frame in out] == plain
    assert [frame.has_bad_fcs for frame in out] == [not (frame.comment or "").endswith("opened") for frame in out]


def test_a_capture_is_not_overwritten_by_its_own_decryption(captures, tmp_path):
    path = tmp_path / "in.pcapng"
    path.write_bytes(captures["wireshark/wpa2-psk-mfp.pcapng.gz"].path.read_bytes())
    with pytest.raises(LocalProtocolError, match="overwritten"):
        decrypt_capture(path, [], path)
    assert gzip.decompress(path.read_bytes())


def test_a_file_that_is_no_capture_is_refused(tmp_path):
    path = tmp_path / "in.pcap"
    path.write_bytes(b"no capture at all")
    with pytest.raises(RemoteProtocolError, match="magic number"):
        decrypt_capture(path, [])
    with pytest.raises(FileNotFoundError):
        decrypt_capture(tmp_path / "nowhere.pcap", [])


def test_an_empty_capture_has_an_empty_report(tmp_path):
    writer = PcapngWriter(str(tmp_path / "in.pcapng"))
    writer.close()
    report = decrypt_capture(tmp_path / "in.pcapng", [], tmp_path / "out.pcapng")
    assert (report.frames, report.protected, report.networks) == (0, 0, ())
    assert _read(tmp_path / "out.pcapng") == []


def test_a_network_is_read_from_text():
    assert parse_network("home:pass:word") == Network(b"home", passphrase="pass:word")
    assert parse_network("a%3Ab%25:pass%3Aword").ssid == b"a:b%"
    assert parse_pmk("ab" * 32) == Network(None, pmk=b"\xab" * 32)


@pytest.mark.parametrize(
    ("networks", "pmks", "message"),
    [
        (["home"], [], "SSID:PASSPHRASE"),
        ([":passphrase"], [], "SSID"),
        (["home:short"], [], "8 to 63"),
        (["x" * 33 + ":passphrase"], [], "32 octets"),
        ([], ["12"], "32 octets"),
        ([], ["not hexadecimal"], "hexadecimal"),
    ],
)
def test_credentials_that_make_no_sense_are_told_before_anything_is_written(tmp_path, networks, pmks, message):
    PcapngWriter(str(tmp_path / "in.pcapng")).close()
    with pytest.raises(LocalProtocolError, match=message):
        run_decrypt(tmp_path / "in.pcapng", networks, pmks, tmp_path / "out.pcapng")
    assert not (tmp_path / "out.pcapng").exists()


def test_a_network_shows_no_secret():
    network = Network(b"home", passphrase="correct horse")
    assert "horse" not in repr(network)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_damaged_captures_never_raise(captures, tmp_path_factory, data):
    """Octets of a real capture are overwritten anywhere behind the file header."""
    capture = captures[
        data.draw(st.sampled_from(["krack/example-ft.pcapng", "fragattacks/ping_I_P-fromclient.pcapng"]))
    ]
    octets = bytearray(capture.path.read_bytes())
    first = octets.find(b"\x06\x00\x00\x00", 200)
    for _ in range(data.draw(st.integers(1, 30))):
        place = data.draw(st.integers(first, len(octets) - 1))
        octets[place] = data.draw(st.integers(0, 255))
    directory = tmp_path_factory.mktemp("damaged")
    (directory / "in.pcapng").write_bytes(octets)
    report = decrypt_capture(directory / "in.pcapng", capture.networks, directory / "out.pcapng")
    assert len(_read(directory / "out.pcapng")) == report.frames


def test_a_frame_of_another_key_fails_its_mic(captures, tmp_path):
    capture = captures["wireshark/wpa2-psk-mfp.pcapng.gz"]
    protected = next(MacHeader.parse(each.frame) for each in capture.frames if MacHeader.parse(each.frame).protected)
    ethernet = protected.destination + protected.source + b"\x08\x00" + bytes(40)
    forged = ccmp_seal(frame_from_ethernet(ethernet, bssid=protected.bssid, to_ds=protected.to_ds), bytes(16), 99)
    writer = PcapngWriter(str(tmp_path / "in.pcapng"))
    writer.add_interface("wlan0", 105)
    for frame in capture.frames:
        writer.write(0, frame.timestamp_ns, frame.frame)
    writer.write(0, 1, forged)
    writer.close()
    [network] = decrypt_capture(tmp_path / "in.pcapng", capture.networks, tmp_path / "out.pcapng").networks
    assert (network.counts["mic_failed"], network.counts["opened"]) == (1, 9)
    assert _read(tmp_path / "out.pcapng")[-1].frame == forged
