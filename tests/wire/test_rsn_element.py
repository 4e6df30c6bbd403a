"""RSN elements (IEEE 802.11-2020 9.4.2.24)."""

import pytest

from polyradio import LocalProtocolError, RemoteProtocolError
from polyradio._core import RsnElement

WPA2_PSK = bytes.fromhex("0100 000fac04 0100 000fac04 0100 000fac02 0000")
CCMP_128, CCMP_256, BIP_CMAC = 0x000FAC04, 0x000FAC0A, 0x000FAC06
AKM_802_1X, AKM_PSK = 0x000FAC01, 0x000FAC02


def test_what_is_not_said_is_wpa2_psk_with_ccmp() -> None:
    assert RsnElement().emit() == WPA2_PSK
    read = RsnElement.parse(WPA2_PSK)
    assert (read.version, read.group_cipher, read.pairwise_ciphers) == (1, CCMP_128, [CCMP_128])
    assert (read.akm_suites, read.capabilities, read.pmkids) == ([AKM_PSK], 0, [])
    assert read.group_management_cipher is None


def test_every_field_survives() -> None:
    element = RsnElement(
        group_cipher=CCMP_256,
        pairwise_ciphers=(CCMP_256, 0xDD112233),
        akm_suites=[AKM_PSK, 0x000FAC06],
        capabilities=0x00C0,
        pmkids=[bytes(range(16))],
        group_management_cipher=BIP_CMAC,
    )
    read = RsnElement.parse(element.emit())
    for name in ("group_cipher", "pairwise_ciphers", "akm_suites", "capabilities", "pmkids", "group_management_cipher"):
        assert getattr(read, name) == getattr(element, name)


def test_fields_that_are_missing_at_the_end_have_their_defaults() -> None:
    shortest = RsnElement.parse(b"\x01\x00")
    assert (shortest.group_cipher, shortest.pairwise_ciphers, shortest.akm_suites) == (
        CCMP_128,
        [CCMP_128],
        [AKM_802_1X],
    )
    without_capabilities = RsnElement.parse(WPA2_PSK[:-2])
    assert (without_capabilities.akm_suites, without_capabilities.capabilities) == ([AKM_PSK], 0)


@pytest.mark.parametrize("length", [0, 1, 5, 7, 11, 13, 17, 19])
def test_a_field_that_is_cut_off_is_an_error(length: int) -> None:
    with pytest.raises(RemoteProtocolError, match="is cut off"):
        RsnElement.parse(WPA2_PSK[:length])


def test_a_pmkid_has_sixteen_octets() -> None:
    with pytest.raises(LocalProtocolError, match="a PMKID has 16 octets, not 15"):
        RsnElement(pmkids=[bytes(15)]).emit()
