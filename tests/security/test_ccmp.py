"""CCMP through the public functions: the standard's examples, frames of real captures, properties."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from hypothesis import given
from hypothesis import strategies as st

import polyradio

# IEEE 802.11-2020 J.6.4, the CCMP-128 example.
KEY = bytes.fromhex("c97c1f67ce371185514a8a19f2bdd52f")
HEADER = bytes.fromhex("0848c32c0fd2e128a57c5030f1844408abaea5b8fcba8033")
BODY = bytes.fromhex("f8ba1a55d02f85ae967bb62fb6cda8eb7e78a050")
NUMBER = 0xB5039776E70C
CCMP_HEADER = bytes.fromhex("0ce70020769703b5")
CIPHERTEXT = bytes.fromhex("f3d0a2fe9a3dbf2342a643e43246e80c3c04d019")
MIC = bytes.fromhex("7845ce0b16f97623")

PROTECTED = 0x40

KEYS = st.binary(min_size=16, max_size=16) | st.binary(min_size=32, max_size=32)
NUMBERS = st.integers(0, (1 << 48) - 1)


@st.composite
def plain_frames(draw: st.DrawFn) -> bytes:
    """Data and management frames with any addresses and any optional fields."""
    is_data, has_qos = draw(st.booleans()), draw(st.booleans())
    flags = draw(st.integers(0, 255)) & ~PROTECTED
    kind = (draw(st.integers(0, 7)) << 4) | (has_qos << 7) | (is_data << 3)
    length = 24 + 6 * (is_data and flags & 3 == 3) + 2 * (is_data and has_qos)
    length += 4 * bool(flags & 0x80 and (has_qos or not is_data))
    rest = draw(st.binary(min_size=length - 2, max_size=length - 2))
    return bytes([kind, flags]) + rest + draw(st.binary(max_size=200))


def without_protected(frame: bytes) -> bytes:
    return bytes([frame[0], frame[1] & ~PROTECTED]) + frame[2:]


def check(key: bytes, plain: bytes, number: int, key_id: int, protected: bytes) -> None:
    assert polyradio.ccmp_seal(plain, key, number, key_id) == protected
    assert polyradio.ccmp_open(protected, key) == (without_protected(plain), number)
    with pytest.raises(polyradio.MicError):
        polyradio.ccmp_open(protected[:-1] + bytes([protected[-1] ^ 1]), key)


def test_the_example_of_the_standard() -> None:
    check(KEY, HEADER + BODY, NUMBER, 0, HEADER + CCMP_HEADER + CIPHERTEXT + MIC)
    assert polyradio.ccmp_seal(without_protected(HEADER + BODY), KEY, NUMBER) == HEADER + CCMP_HEADER + CIPHERTEXT + MIC


def test_mpdu_vectors_of_the_standard(vectors: Path) -> None:
    tests = json.loads((vectors / "ieee80211/mpdu_vectors.json").read_text())["tests"]
    tests = [test for test in tests if test.get("cipher", "").startswith("CCMP")]
    assert len(tests) == 9
    for test in tests:
        key, header, body, protected = (bytes.fromhex(test[field]) for field in ("tk", "header", "plaintext", "mpdu"))
        number, key_id = int(test["pn"], 16), test["keyid"]
        if test.get("current_standard", True):
            check(key, header + body, number, key_id, protected)
            continue
        # Older than 802.11n, where Order in QoS data came to announce an HT Control field and left the AAD.
        with pytest.raises(polyradio.MicError):
            polyradio.ccmp_open(protected[:26] + bytes(4) + protected[26:], key)
        tail = bytes.fromhex(test["mpdu_current_rule"])[26:]
        no_order = bytes([header[0], header[1] & 0x7F]) + header[2:]
        check(key, no_order + body, number, key_id, no_order + tail)
        with_ht_control = header + b"\1\2\3\4"
        check(key, with_ht_control + body, number, key_id, with_ht_control + tail)


def test_frames_of_real_captures(vectors: Path) -> None:
    tests = json.loads((vectors / "captures/real_mpdus.json").read_text())["mpdus"]
    tests = [test for test in tests if test["cipher"].startswith("CCMP")]
    assert len(tests) == 426
    for test in tests:
        key, mpdu, body = (bytes.fromhex(test[field]) for field in ("key", "mpdu", "plaintext"))
        ccmp = len(mpdu) - len(body) - (8 if len(key) == 16 else 16) - 8
        number = int.from_bytes(mpdu[ccmp : ccmp + 2] + mpdu[ccmp + 4 : ccmp + 8], "little")
        check(key, mpdu[:ccmp] + body, number, mpdu[ccmp + 3] >> 6, mpdu)


@given(KEYS, plain_frames(), NUMBERS, st.integers(0, 3))
def test_what_was_sealed_opens(key: bytes, frame: bytes, number: int, key_id: int) -> None:
    protected = polyradio.ccmp_seal(frame, key, number, key_id)
    assert protected[1] & PROTECTED
    assert len(protected) == len(frame) + 8 + (8 if len(key) == 16 else 16)
    assert polyradio.ccmp_open(protected, key) == (frame, number)


@given(KEYS, plain_frames(), NUMBERS, st.data())
def test_any_flipped_bit_of_ciphertext_or_mic_is_a_mic_error(
    key: bytes, frame: bytes, number: int, data: st.DataObject
) -> None:
    protected = polyradio.ccmp_seal(frame, key, number)
    # No header is longer than 36 octets; what follows is body.
    length = len(frame[36:]) + (8 if len(key) == 16 else 16)
    bit = data.draw(st.integers(0, 8 * length - 1))
    forged = (int.from_bytes(protected) ^ 1 << bit).to_bytes(len(protected))
    with pytest.raises(polyradio.MicError):
        polyradio.ccmp_open(forged, key)


@given(KEYS, st.binary(min_size=18, max_size=18), st.integers(0, 15), st.binary(max_size=200), NUMBERS)
def test_qos_data_equals_the_cryptography_package(
    key: bytes, addresses: bytes, tid: int, body: bytes, number: int
) -> None:
    frame = b"\x88\x01\0\0" + addresses + b"\x50\x01" + bytes([tid | 0xB0, 0xFF]) + body
    aad = b"\x88\x41" + addresses + bytes([0, 0, tid, 0])
    nonce = bytes([tid]) + addresses[6:12] + number.to_bytes(6)
    expected = AESCCM(key, 8 if len(key) == 16 else 16).encrypt(nonce, body, aad)
    assert polyradio.ccmp_seal(frame, key, number)[26 + 8 :] == expected


@given(st.binary(max_size=100), KEYS)
def test_any_octets_open_or_are_refused_by_an_error_of_ours(octets: bytes, key: bytes) -> None:
    with pytest.raises(polyradio.RemoteProtocolError):
        polyradio.ccmp_open(octets, key)


def test_every_prefix_of_a_protected_frame_is_refused() -> None:
    protected = HEADER + CCMP_HEADER + CIPHERTEXT + MIC
    for length in range(len(protected)):
        with pytest.raises(polyradio.RemoteProtocolError) as caught:
            polyradio.ccmp_open(protected[:length], KEY)
        assert isinstance(caught.value, polyradio.MicError) == (length >= 40)


def test_frames_that_are_not_ccmp_are_refused_for_that_reason() -> None:
    protected = bytearray(HEADER + CCMP_HEADER + CIPHERTEXT + MIC)
    for octet, value in ((1, 0x08), (27, 0x00), (0, 0x09), (0, 0xB4)):
        changed = bytearray(protected)
        changed[octet] = value
        with pytest.raises(polyradio.RemoteProtocolError) as caught:
            polyradio.ccmp_open(bytes(changed), KEY)
        assert not isinstance(caught.value, polyradio.MicError)


def test_reserved_bits_are_ignored_on_receive() -> None:
    protected = bytearray(HEADER + CCMP_HEADER + CIPHERTEXT + MIC)
    protected[26] = 0xFF
    protected[27] |= 0x1F
    assert polyradio.ccmp_open(bytes(protected), KEY) == (without_protected(HEADER + BODY), NUMBER)


def test_arguments_that_make_no_sense_are_the_callers_mistake() -> None:
    frame = HEADER + BODY
    for arguments in (
        (frame, KEY[:15], 1),
        (frame, KEY + KEY[:8], 1),
        (frame, KEY, -1),
        (frame, KEY, 1 << 48),
        (frame, KEY, 1 << 64),
        (frame, KEY, 1, 4),
        (frame, KEY, 1, -1),
        (frame[:23], KEY, 1),
        (b"\xd4" + frame, KEY, 1),
        (HEADER + bytes(65_536 - 24 - 16), KEY, 1),
    ):
        with pytest.raises(polyradio.LocalProtocolError):
            polyradio.ccmp_seal(*arguments)
    with pytest.raises(polyradio.LocalProtocolError):
        polyradio.ccmp_open(frame, b"")


def test_other_types_are_type_errors() -> None:
    with pytest.raises(TypeError):
        polyradio.ccmp_seal("text", KEY, 1)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        polyradio.ccmp_seal(HEADER, KEY, "1")  # type: ignore[arg-type]
