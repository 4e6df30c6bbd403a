"""Cipher and AKM suites (IEEE 802.11-2020 9.4.2.24, Tables 9-149 and 9-151).

A suite is a 32-bit selector, OUI first: 0x000FAC04 is CCMP-128. Functions that take a suite also take its number alone
(4), and WPA's OUI 00-50-F2, whose numbers for TKIP, CCMP, 802.1X and PSK are the same.
"""

from typing import Final

from polyradio.errors import LocalProtocolError

RSN_OUI: Final = 0x000FAC
WPA_OUI: Final = 0x0050F2

CIPHER_TKIP: Final = 0x000FAC02
CIPHER_CCMP_128: Final = 0x000FAC04
CIPHER_GCMP_128: Final = 0x000FAC08
CIPHER_GCMP_256: Final = 0x000FAC09
CIPHER_CCMP_256: Final = 0x000FAC0A

AKM_8021X: Final = 0x000FAC01
AKM_PSK: Final = 0x000FAC02
AKM_FT_8021X: Final = 0x000FAC03
AKM_FT_PSK: Final = 0x000FAC04
AKM_8021X_SHA256: Final = 0x000FAC05
AKM_PSK_SHA256: Final = 0x000FAC06
AKM_SAE: Final = 0x000FAC08
AKM_FT_SAE: Final = 0x000FAC09


def cipher_number(cipher: int) -> int:
    """The number of a cipher suite (4 for CCMP-128), as the host API carries it."""
    return _number(cipher, "cipher")


def key_length(cipher: int) -> int:
    """Octets of a temporal key (IEEE 802.11-2020 Table 12-7); TKIP's includes the two Michael keys.

    Raises:
        LocalProtocolError: the cipher has no key that is known here.
    """
    length = _KEY_LENGTHS.get(_number(cipher, "cipher"))
    if length is None:
        raise LocalProtocolError(f"no key length is known for cipher suite {cipher:#010x}")
    return length


def has_sha256(akm: int) -> bool:
    """Whether the AKM derives keys with KDF-SHA-256; otherwise it is the PRF with SHA-1."""
    return _number(akm, "AKM") in _SHA256_AKMS


def descriptor_version(akm: int, cipher: int) -> int:
    """The Key Descriptor Version of EAPOL-Key frames: 1 RC4 and MD5, 2 AES and SHA-1, 3 AES and CMAC, 0 by the AKM."""
    number = _number(akm, "AKM")
    if number in _VERSION_0_AKMS:
        return 0
    if number in _SHA256_AKMS:
        return 3
    return 1 if _number(cipher, "cipher") == _number(CIPHER_TKIP, "cipher") else 2


def _number(suite: int, kind: str) -> int:
    if suite >> 8 not in {0, RSN_OUI, WPA_OUI}:
        raise LocalProtocolError(f"{kind} suite {suite:#010x} is not one of IEEE 802.11")
    return suite & 0xFF


_KEY_LENGTHS: Final = {2: 32, 4: 16, 8: 16, 9: 32, 10: 32}
_SHA256_AKMS: Final = frozenset({3, 4, 5, 6, 8, 9})
_VERSION_0_AKMS: Final = frozenset({8, 9})
