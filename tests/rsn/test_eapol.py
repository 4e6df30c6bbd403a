"""MICs and wrapped key data, on recorded handshakes of another implementation."""

import pytest

from polyradio.errors import LocalProtocolError, MicError, RemoteProtocolError
from polyradio.rsn import (
    AKM_PSK,
    CIPHER_CCMP_128,
    CIPHER_TKIP,
    KeyData,
    derive_ptk,
    mic,
    pmk_from_passphrase,
    sign,
    unwrap_key_data,
    verify,
    wrap_key_data,
)

# RFC 3394 4.1
RFC3394_KEK = bytes.fromhex("000102030405060708090a0b0c0d0e0f")
RFC3394_PLAIN = bytes.fromhex("00112233445566778899aabbccddeeff")
RFC3394_WRAPPED = bytes.fromhex("1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5")


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def blank_pdu(version):
    return bytes([2, 3, 0, 95, 2, 0x01, 0x08 | version]) + bytes(92)


def test_key_wrap_is_that_of_rfc_3394():
    assert wrap_key_data(RFC3394_KEK, RFC3394_PLAIN) == RFC3394_WRAPPED
    assert unwrap_key_data(RFC3394_KEK, RFC3394_WRAPPED) == RFC3394_PLAIN


def test_public_key_wraps_open_and_close(vectors):
    for case in vectors("keywrap/aes_kw.json")["tests"]:
        kek, wrapped = bytes.fromhex(case["kek"]), bytes.fromhex(case["wrapped"])
        plaintext = bytes.fromhex(case["plaintext"])
        assert wrap_key_data(kek, plaintext) == wrapped, case["id"]
        assert unwrap_key_data(kek, wrapped) == plaintext, case["id"]
        with pytest.raises(MicError):
            unwrap_key_data(kek, wrapped[:-1] + bytes([wrapped[-1] ^ 1]))


@pytest.mark.parametrize("length", range(41))
def test_key_data_is_padded_as_the_standard_says(length):
    plaintext = bytes(range(1, length + 1))
    opened = unwrap_key_data(RFC3394_KEK, wrap_key_data(RFC3394_KEK, plaintext))
    assert opened[:length] == plaintext
    assert len(opened) >= 16
    assert len(opened) % 8 == 0
    padding = opened[length:]
    assert not padding or padding == b"\xdd".ljust(len(padding), b"\0")


@pytest.mark.parametrize("wrapped", [b"", bytes(8), bytes(17), bytes(24)])
def test_key_data_that_was_never_wrapped_is_a_mic_error(wrapped):
    with pytest.raises(MicError):
        unwrap_key_data(RFC3394_KEK, wrapped)


def test_recorded_handshakes_are_followed_to_their_group_keys(vectors):
    for handshake in vectors("eapol/handshakes.json")["handshakes"]:
        cipher = {"CCMP-128": CIPHER_CCMP_128, "TKIP": CIPHER_TKIP}[handshake["cipher"]]
        pmk = pmk_from_passphrase(handshake["passphrase"], handshake["ssid"].encode())
        assert pmk.hex() == handshake["pmk"]
        aa, spa = mac(handshake["aa"]), mac(handshake["spa"])
        anonce, snonce = bytes.fromhex(handshake["anonce"]), bytes.fromhex(handshake["snonce"])
        keys = derive_ptk(pmk, aa, spa, anonce, snonce, AKM_PSK, cipher)
        derived = handshake["derived"]
        assert (keys.kck.hex(), keys.kek.hex(), keys.tk.hex()) == (derived["kck"], derived["kek"], derived["tk"])
        for name, frame in handshake["frames"].items():
            pdu = bytes.fromhex(frame)
            if name == "m1":
                continue
            assert verify(keys.kck, pdu), (handshake["id"], name)
            assert not verify(keys.kck, pdu[:-3] + bytes([pdu[-3] ^ 1]) + pdu[-2:]), (handshake["id"], name)
            encrypted = pdu[5] & 0x10 or name == "g1"
            if encrypted:
                opened = unwrap_key_data(keys.kek, pdu[99:], descriptor_version=pdu[6] & 7, iv=pdu[49:65])
                assert opened.hex() == derived[f"{name}_key_data"]
                if pdu[4] == 2:
                    group_key = KeyData.parse(opened).group_key
                    assert group_key.key.hex() == derived[f"gtk_{name}"]["gtk"]
                    assert group_key.key_id == derived[f"gtk_{name}"]["keyid"]


def test_recorded_retransmissions_have_the_mics_that_the_key_gives(vectors):
    handshake = vectors("eapol/handshakes.json")["handshakes"][1]
    kck = bytes.fromhex(handshake["derived"]["kck"])
    for step in handshake["retransmission_sequence"]["steps"]:
        assert verify(kck, bytes.fromhex(step["expect_tx"]))
        if step["rx"].startswith("m3"):
            assert verify(kck, bytes.fromhex(step["frame"]))


def test_descriptor_version_3_is_aes_cmac():
    kck = bytes(range(16))
    assert mic(kck, blank_pdu(3)) != mic(kck, blank_pdu(2))
    assert verify(kck, sign(kck, blank_pdu(3)))
    assert verify(kck, sign(kck, blank_pdu(0)))


def test_octets_behind_the_pdu_do_not_count():
    pdu = sign(b"k" * 16, blank_pdu(2))
    assert verify(b"k" * 16, pdu + b"ethernet padding")


@pytest.mark.parametrize("length", range(99))
def test_short_pdu_is_refused(length):
    with pytest.raises(RemoteProtocolError):
        verify(bytes(16), blank_pdu(2)[:length])


def test_wrong_body_length_and_unknown_version_are_refused():
    with pytest.raises(RemoteProtocolError, match="body length"):
        mic(bytes(16), b"\x02\x03\x00\x60" + blank_pdu(2)[4:])
    with pytest.raises(RemoteProtocolError, match="version 5"):
        mic(bytes(16), blank_pdu(5))


def test_rc4_key_data_needs_its_iv():
    with pytest.raises(LocalProtocolError):
        unwrap_key_data(bytes(16), bytes(16), descriptor_version=1)


def test_public_eapol_key_frames_are_read_and_written(vectors):
    eapol_key = pytest.importorskip("polyradio._core").EapolKey
    names = {
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
        "key_replay_counter": "replay_counter",
        "key_nonce": "nonce",
        "eapol_key_iv": "iv",
        "key_rsc": "rsc",
        "key_mic_data": "mic",
    }
    for case in vectors("eapol/eapol_key_frames.json")["frames"]:
        pdu = bytes.fromhex(case["frame"])
        key = eapol_key.parse(pdu)
        for field, expected in case["expect"].items():
            if field in {"packet_len", "key_data_len", "wpa_key_id"}:
                continue
            value = getattr(key, names.get(field, field))
            assert (value.hex() if isinstance(value, bytes) else value) == expected, (case["id"], field)
        assert key.key_information >> 4 & 3 == case["expect"].get("wpa_key_id", 0)
        assert len(key.key_data) == case["expect"]["key_data_len"]
        assert key.emit() == pdu, case["id"]
