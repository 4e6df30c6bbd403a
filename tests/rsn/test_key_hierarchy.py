"""Key derivation against the figures of IEEE 802.11 Annex J and other implementations' vectors."""

import pytest

from polyradio.errors import LocalProtocolError
from polyradio.rsn import (
    derive_ft_ptk,
    derive_ptk,
    ft_pmk_r0,
    ft_pmk_r1,
    kdf_sha256,
    pmk_from_passphrase,
    pmkid,
    prf,
    verify,
)
from polyradio.rsn.suites import AKM_PSK, AKM_PSK_SHA256, CIPHER_CCMP_128, CIPHER_CCMP_256, CIPHER_TKIP

CIPHERS = {"CCMP-128": CIPHER_CCMP_128, "TKIP": CIPHER_TKIP}


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


# IEEE 802.11-2020 J.4.2
@pytest.mark.parametrize(
    ("passphrase", "ssid", "psk"),
    [
        ("password", b"IEEE", "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e"),
        ("ThisIsAPassword", b"ThisIsASSID", "0dc0d6eb90555ed6419756b9a15ec3e3209b63df707dd508d14581f8982721af"),
        ("a" * 32, b"Z" * 32, "becb93866bb8c3832cb777c2f559807c8c59afcb6eae734885001300a981cc62"),
    ],
)
def test_psk_is_that_of_annex_j(passphrase, ssid, psk):
    assert pmk_from_passphrase(passphrase, ssid).hex() == psk


# IEEE 802.11-2020 J.3.2
@pytest.mark.parametrize(
    ("key", "label", "data", "output"),
    [
        (b"\x0b" * 20, b"prefix", b"Hi There", "bcd4c650b30b9684951829e0d75f9d54b862175ed9f00606"),
        (
            b"Jefe",
            b"prefix-2",
            b"what do ya want for nothing?",
            "47c4908e30c947521ad20be9053450ecbea23d3aa604b77326d8b3825ff7475c",
        ),
        (
            b"\xaa" * 80,
            b"prefix-3",
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "0ab6c33ccf70d0d736f4b04c8a7373255511abc5073713163bd0b8c9eeb7e1956fa066820a73ddee3f6d3bd407e0682a",
        ),
    ],
)
def test_prf_is_that_of_annex_j(key, label, data, output):
    assert prf(key, label, data, 4 * len(output)).hex() == output


# IEEE 802.11-2020 J.7.1
def test_pairwise_keys_are_those_of_annex_j():
    keys = derive_ptk(
        bytes.fromhex("0dc0d6eb90555ed6419756b9a15ec3e3209b63df707dd508d14581f8982721af"),
        mac("a0:a1:a1:a3:a4:a5"),
        mac("b0:b1:b2:b3:b4:b5"),
        bytes.fromhex("e0e1e2e3e4e5e6e7e8e9f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405"),
        bytes.fromhex("c0c1c2c3c4c5c6c7c8c9d0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5"),
        AKM_PSK,
        CIPHER_CCMP_128,
    )
    assert keys.kck.hex() == "379f9852d0199236b94e407ce4c00ec8"
    assert keys.kek.hex() == "47c9edc01c2c6e5b4910caddfb3e51a7"
    assert keys.tk.hex() == "b2360c79e9710fdd58bea93deaf06599"


def test_public_psks_are_derived(vectors):
    for case in vectors("eapol/key_derivation.json")["psk"]:
        assert pmk_from_passphrase(case["passphrase"], bytes.fromhex(case["ssid_hex"])).hex() == case["psk"]


def test_public_prf_and_kdf_cases_are_derived(vectors):
    data = vectors("eapol/key_derivation.json")
    for case in data["prf_sha1"] + data["prf_sha1_annex_j3"]["tests"]:
        output = bytes.fromhex(case["output"])
        key, text = bytes.fromhex(case["key"]), bytes.fromhex(case["data"])
        assert prf(key, case["label"].encode(), text, 8 * len(output)) == output, case["id"]
    for case in data["kdf_sha256"]:
        key, context = bytes.fromhex(case["key"]), bytes.fromhex(case["context"])
        assert kdf_sha256(key, case["label"].encode(), context, case["bits"]).hex() == case["output"]


def test_public_ptk_cases_are_derived(vectors):
    for case in vectors("eapol/key_derivation.json")["ptk"]:
        keys = derive_ptk(
            bytes.fromhex(case["pmk"]),
            mac(case["aa"]),
            mac(case["spa"]),
            bytes.fromhex(case["anonce"]),
            bytes.fromhex(case["snonce"]),
            AKM_PSK,
            CIPHERS[case["cipher"]],
        )
        assert (keys.kck.hex(), keys.kek.hex(), keys.tk.hex()) == (case["kck"], case["kek"], case["tk"]), case["id"]


def test_public_pmkid_and_mic_are_those_of_other_tools(vectors):
    pmkid_case, mic_case = vectors("eapol/key_derivation.json")["pmkid_and_mic"]
    pmk = pmk_from_passphrase(pmkid_case["passphrase"], pmkid_case["ssid"].encode())
    assert pmkid(pmk, mac(pmkid_case["aa"]), mac(pmkid_case["spa"]), AKM_PSK).hex() == pmkid_case["pmkid"]
    pmk = pmk_from_passphrase(mic_case["passphrase"], mic_case["ssid"].encode())
    assert pmk.hex() == mic_case["pmk"]
    keys = derive_ptk(
        pmk,
        mac(mic_case["aa"]),
        mac(mic_case["spa"]),
        bytes.fromhex(mic_case["anonce"]),
        bytes.fromhex(mic_case["snonce"]),
        AKM_PSK,
        CIPHER_CCMP_256,
    )
    assert (keys.kck + keys.kek + keys.tk).hex() == mic_case["ptk_80"][:128]
    message_2 = bytes.fromhex(mic_case["m2_mic_zeroed"])
    assert verify(keys.kck, message_2[:81] + bytes.fromhex(mic_case["mic"]) + message_2[97:])


def test_ft_hierarchy_binds_every_identity():
    pmk = bytes(32)

    def ptk(r0kh=b"r0", r1kh=b"\x02" * 6, station=b"\x04" * 6, domain=b"\x12\x34"):
        r1 = ft_pmk_r1(ft_pmk_r0(pmk, b"net", domain, r0kh, station), r1kh, station)
        return derive_ft_ptk(r1, b"\x02" * 6, station, b"A" * 32, b"S" * 32, CIPHER_CCMP_128)

    tks = {ptk().tk, ptk(r0kh=b"r1").tk, ptk(r1kh=b"\x03" * 6).tk, ptk(station=b"\x05" * 6).tk, ptk(domain=b"ab").tk}
    assert len(tks) == 5
    assert {len(tk) for tk in tks} == {16}


def test_hex_digits_of_64_are_the_psk_itself():
    assert pmk_from_passphrase("ab" * 32, b"x") == b"\xab" * 32


@pytest.mark.parametrize("passphrase", ["", "short77", "x" * 64, "pass\nword1", "pässword1"])
def test_passphrase_out_of_range_is_refused(passphrase):
    with pytest.raises(LocalProtocolError):
        pmk_from_passphrase(passphrase, b"net")


def test_too_long_ssid_and_unknown_suites_are_refused():
    with pytest.raises(LocalProtocolError):
        pmk_from_passphrase("password", b"x" * 33)
    with pytest.raises(LocalProtocolError, match="AKM suite"):
        derive_ptk(bytes(32), bytes(6), bytes(6), bytes(32), bytes(32), 0x00112233, CIPHER_CCMP_128)
    with pytest.raises(LocalProtocolError, match="no key length"):
        derive_ptk(bytes(32), bytes(6), bytes(6), bytes(32), bytes(32), AKM_PSK, 0x000FAC01)


def test_sha256_akms_derive_other_keys_than_sha1_ones():
    nonces = (bytes(32), b"\1" * 32)
    sha1 = derive_ptk(bytes(32), bytes(6), b"\1" * 6, *nonces, AKM_PSK, CIPHER_CCMP_128)
    sha256 = derive_ptk(bytes(32), bytes(6), b"\1" * 6, *nonces, AKM_PSK_SHA256, CIPHER_CCMP_128)
    assert sha1.tk != sha256.tk


def test_repr_shows_no_key():
    keys = derive_ptk(bytes(32), bytes(6), b"\1" * 6, bytes(32), b"\1" * 32, AKM_PSK, CIPHER_CCMP_128)
    r0 = ft_pmk_r0(bytes(32), b"net", b"ab", b"r0", bytes(6))
    assert repr(keys) == "PairwiseKeys()"
    assert "key" not in repr(r0)
