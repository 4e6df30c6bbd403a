"""EAPOL-Key frames, compared with what iwd's tests expect of them."""

import json
from pathlib import Path

import pytest

from polyradio import LocalProtocolError, RemoteProtocolError
from polyradio._core import EapolKey

ATTRIBUTES = {
    "protocol_version": "protocol_version",
    "descriptor_type": "descriptor_type",
    "key_descriptor_version": "descriptor_version",
    "key_type": "is_pairwise",
    "install": "has_install",
    "key_ack": "has_ack",
    "key_mic": "has_mic",
    "secure": "is_secure",
    "error": "has_error",
    "request": "is_request",
    "encrypted_key_data": "has_encrypted_key_data",
    "smk_message": "is_smk_message",
    "key_length": "key_length",
    "key_replay_counter": "replay_counter",
}
OCTETS = {"key_nonce": "nonce", "eapol_key_iv": "iv", "key_rsc": "rsc", "key_mic_data": "mic"}
SHA_384_MIC = 24


def test_frames_have_the_fields_that_iwd_expects(vectors: Path) -> None:
    frames = json.loads((vectors / "eapol/eapol_key_frames.json").read_text())["frames"]
    assert len(frames) == 17
    for frame in frames:
        pdu, expect = bytes.fromhex(frame["frame"]), frame["expect"]
        key = EapolKey.parse(pdu)
        for field, attribute in ATTRIBUTES.items():
            assert getattr(key, attribute) == expect[field], (frame["id"], field)
        for field, attribute in OCTETS.items():
            assert getattr(key, attribute) == bytes.fromhex(expect[field]), (frame["id"], field)
        assert len(key.key_data) == expect["key_data_len"]
        assert key.emit() == pdu


def test_what_is_not_said_is_zero() -> None:
    key = EapolKey(key_information=0x008A, replay_counter=1)
    pdu = key.emit()
    assert pdu[:9] == bytes.fromhex("0203005f02008a0000")
    assert len(pdu) == 4 + 0x5F
    assert not any(pdu[17:])


@pytest.mark.parametrize("mic_length", [0, 16, SHA_384_MIC])
def test_a_frame_is_read_as_it_was_written(mic_length: int) -> None:
    key = EapolKey(
        key_information=0x13CA,
        replay_counter=2**64 - 1,
        key_length=16,
        nonce=bytes(range(32)),
        iv=b"i" * 16,
        rsc=b"r" * 8,
        mic=b"m" * mic_length,
        key_data=b"\xdd\x00",
    )
    read = EapolKey.parse(key.emit() + b"padding", mic_length)
    for name in ("key_information", "replay_counter", "key_length", "nonce", "iv", "rsc", "mic", "key_data"):
        assert getattr(read, name) == getattr(key, name), name


def test_every_prefix_is_cut_off() -> None:
    pdu = EapolKey(key_information=0x010A, replay_counter=1, key_data=b"\x30\x00").emit()
    for end in range(len(pdu)):
        with pytest.raises(RemoteProtocolError, match="is cut off"):
            EapolKey.parse(pdu[:end])


def test_another_eapol_packet_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="EAPOL packet type at octet 1 has no meaning: 0x1"):
        EapolKey.parse(bytes.fromhex("01010000"))


def test_its_text_shows_no_key() -> None:
    key = EapolKey(key_information=0x13CA, replay_counter=1, key_data=b"\xa5" * 16, nonce=b"\xa5" * 32)
    assert "16 octets" in repr(key)
    assert "165" not in repr(key)


def test_arguments_without_sense_are_the_callers_fault() -> None:
    with pytest.raises(LocalProtocolError, match="a nonce has 32 octets, not 31"):
        EapolKey(key_information=0, replay_counter=0, nonce=bytes(31))
    key = EapolKey(key_information=0, replay_counter=0, key_data=bytes(65536))
    with pytest.raises(LocalProtocolError, match="65536 octets of key data do not fit"):
        key.emit()


@pytest.mark.parametrize("name", ["eapol-key-auth/supp.msg", "eapol-key-supp/auth.msg"])
def test_the_messages_of_hostap_fuzzing_are_read(vectors: Path, name: str) -> None:
    octets = (vectors / "fuzz/hostap" / name).read_bytes()
    count = 0
    while len(octets) >= 2:
        length = int.from_bytes(octets[:2], "big")
        pdu, octets = octets[2 : 2 + length], octets[2 + length :]
        assert EapolKey.parse(pdu).protocol_version in {1, 2}
        count += 1
    assert count >= 4
