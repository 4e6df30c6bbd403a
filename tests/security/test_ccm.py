"""AES-CCM through the public functions: published vectors, properties, and agreement with `cryptography`."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from hypothesis import given
from hypothesis import strategies as st

import polyradio

RFC_3610 = json.loads((Path(__file__).parents[1] / "vectors/ccm/rfc3610.json").read_text())["vectors"]
COLLECTIONS = {"rfc3610": 24, "nist_cavp": 1300, "wycheproof_aes": 225, "sp800_38c": 3, "boringssl_bluetooth": 11}
NIST_FILES = [f"{kind}{bits}" for kind in ("DVPT", "VADT", "VNT", "VPT", "VTT") for bits in (128, 256)]

KEYS = st.binary(min_size=16, max_size=16) | st.binary(min_size=32, max_size=32)
NONCES = st.binary(min_size=7, max_size=13)
TAG_LENGTHS = st.sampled_from([4, 6, 8, 10, 12, 14, 16])


def check(key: bytes, nonce: bytes, aad: bytes, plaintext: bytes, sealed: bytes) -> None:
    tag_length = len(sealed) - len(plaintext)
    assert polyradio.ccm_seal(key, nonce, aad, plaintext, tag_length) == sealed
    assert polyradio.ccm_open(key, nonce, aad, sealed, tag_length) == plaintext
    with pytest.raises(polyradio.MicError):
        polyradio.ccm_open(key, nonce, aad, sealed[:-1] + bytes([sealed[-1] ^ 1]), tag_length)


@pytest.mark.parametrize("vector", RFC_3610, ids=range(1, 25))
def test_rfc_3610_packet_vectors(vector: dict[str, str]) -> None:
    fields = ("key", "nonce", "aad", "plaintext", "sealed")
    check(*(bytes.fromhex(vector[field]) for field in fields))


@pytest.mark.parametrize("name", COLLECTIONS)
def test_vectors_of_the_collections(vectors: Path, name: str) -> None:
    tests = json.loads((vectors / f"ccm/{name}_ccm.json").read_text())["tests"]
    assert len(tests) == COLLECTIONS[name]
    for test in tests:
        key, nonce, aad, plaintext, ciphertext, tag = (
            bytes.fromhex(test[field]) for field in ("key", "nonce", "aad", "pt", "ct", "tag")
        )
        if test["result"] == "valid":
            check(key, nonce, aad, plaintext, ciphertext + tag)
            continue
        flags = set(test["flags"])
        error = polyradio.MicError if flags == {"ModifiedTag"} else polyradio.LocalProtocolError
        with pytest.raises(error):
            polyradio.ccm_open(key, nonce, aad, ciphertext + tag, len(tag))
        if error is polyradio.LocalProtocolError:
            with pytest.raises(error):
                polyradio.ccm_seal(key, nonce, aad, plaintext, len(tag))


@pytest.mark.parametrize("name", NIST_FILES)
def test_nist_cavp_vectors_as_published(name: str) -> None:
    package = pytest.importorskip("cryptography_vectors", reason="PyPI's cryptography_vectors is not installed")
    count = 0
    with package.open_vector_file(f"ciphers/AES/CCM/{name}.rsp", "r") as file:
        for record in nist_records(file):
            count += 1
            key, nonce, data = (bytes.fromhex(record[field]) for field in ("Key", "Nonce", "CT"))
            aad = bytes.fromhex(record["Adata"])[: int(record["Alen"])]
            tag_length = int(record["Tlen"])
            if record.get("Result") == "Fail":
                with pytest.raises(polyradio.MicError):
                    polyradio.ccm_open(key, nonce, aad, data, tag_length)
            else:
                check(key, nonce, aad, bytes.fromhex(record["Payload"])[: int(record["Plen"])], data)
    assert count >= 60


def nist_records(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    """One dictionary for each Count: the values that hold for the file and the group, and its own."""
    shared: dict[str, str] = {}
    own: dict[str, str] = {}
    for line in lines:
        if line.startswith("["):
            for pair in line.strip("[]\n ").split(","):
                name, value = pair.split(" = ")
                shared[name.strip()] = value
        elif "=" in line and not line.startswith("#"):
            name, value = (part.strip() for part in line.split("="))
            if name == "Count":
                own = {name: value}
            elif name == "Key" or (name == "Nonce" and not own):
                shared[name] = value
            elif own:
                own[name] = value
            else:
                shared[name] = value
        elif not line.strip() and own:
            yield shared | own
            own = {}
    if own:
        yield shared | own


@given(KEYS, NONCES, st.binary(max_size=80), st.binary(max_size=300), TAG_LENGTHS)
def test_it_equals_the_cryptography_package(
    key: bytes, nonce: bytes, aad: bytes, plaintext: bytes, length: int
) -> None:
    sealed = polyradio.ccm_seal(key, nonce, aad, plaintext, length)
    assert sealed == AESCCM(key, length).encrypt(nonce, plaintext, aad)
    assert polyradio.ccm_open(key, nonce, aad, sealed, length) == plaintext


@pytest.mark.parametrize("length", [1, 13, 14, 15, 0xFEFF, 0xFF00, 0xFFFF, 0x10000])
def test_aad_of_any_length_equals_the_cryptography_package(length: int) -> None:
    key, nonce, aad = bytes(range(16)), bytes(13), bytes(index & 0xFF for index in range(length))
    assert polyradio.ccm_seal(key, nonce, aad, b"text", 8) == AESCCM(key, 8).encrypt(nonce, b"text", aad)


@given(KEYS, st.tuples(NONCES, st.binary(max_size=40), st.binary(max_size=100)), TAG_LENGTHS, st.data())
def test_any_flipped_bit_is_a_mic_error(
    key: bytes, parts: tuple[bytes, bytes, bytes], length: int, data: st.DataObject
) -> None:
    parts = [*parts[:2], polyradio.ccm_seal(key, *parts, length)]
    which = data.draw(st.sampled_from([index for index, part in enumerate(parts) if part]))
    bit = data.draw(st.integers(0, 8 * len(parts[which]) - 1))
    parts[which] = (int.from_bytes(parts[which]) ^ 1 << bit).to_bytes(len(parts[which]))
    with pytest.raises(polyradio.MicError):
        polyradio.ccm_open(key, *parts, length)


@pytest.mark.parametrize(
    ("key", "nonce", "tag_length"),
    [(0, 13, 8), (15, 13, 8), (24, 13, 8), (16, 6, 8), (16, 14, 8)]
    + [(16, 13, tag_length) for tag_length in (-8, 0, 2, 7, 18, 1 << 70)],
)
def test_lengths_that_do_not_exist_are_the_callers_mistake(key: int, nonce: int, tag_length: int) -> None:
    for function in (polyradio.ccm_seal, polyradio.ccm_open):
        with pytest.raises(polyradio.LocalProtocolError):
            function(bytes(key), bytes(nonce), b"", bytes(40), tag_length)


def test_a_plaintext_longer_than_the_length_field_is_refused() -> None:
    with pytest.raises(polyradio.LocalProtocolError):
        polyradio.ccm_seal(bytes(16), bytes(13), b"", bytes(65_536), 8)


def test_data_shorter_than_a_tag_is_a_mic_error() -> None:
    with pytest.raises(polyradio.MicError):
        polyradio.ccm_open(bytes(16), bytes(13), b"", bytes(7), 8)


def test_arguments_have_no_names() -> None:
    with pytest.raises(TypeError):
        polyradio.ccm_seal(key=bytes(16), nonce=bytes(13), aad=b"", plaintext=b"", tag_length=8)  # type: ignore[call-arg]
