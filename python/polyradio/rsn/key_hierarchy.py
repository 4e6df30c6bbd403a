"""From a passphrase to the keys of a connection (IEEE 802.11-2020 12.7.1 and Annex J.4).

`pmk_from_passphrase` -> `derive_ptk` for PSK, PSK-SHA256 and (with a given PMK) SAE and 802.1X;
`pmk_from_passphrase` -> `ft_pmk_r0` -> `ft_pmk_r1` -> `derive_ft_ptk` for FT-PSK. Keys are never shown by `repr`.
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

from polyradio.errors import LocalProtocolError
from polyradio.rsn.suites import has_sha256, key_length


@dataclass(frozen=True, slots=True)
class PairwiseKeys:
    """A pairwise transient key, split (IEEE 802.11-2020 12.7.1.3)."""

    kck: bytes = field(repr=False)
    """Key confirmation key: signs EAPOL-Key frames. 16 octets."""
    kek: bytes = field(repr=False)
    """Key encryption key: wraps key data. 16 octets."""
    tk: bytes = field(repr=False)
    """Temporal key: seals frames. Its length is the cipher's."""


@dataclass(frozen=True, slots=True)
class PmkR0:
    """The first level of the FT key hierarchy (IEEE 802.11-2020 12.7.1.6.3)."""

    key: bytes = field(repr=False)
    name: bytes


@dataclass(frozen=True, slots=True)
class PmkR1:
    """The second level of the FT key hierarchy (IEEE 802.11-2020 12.7.1.6.4)."""

    key: bytes = field(repr=False)
    name: bytes


def pmk_from_passphrase(passphrase: str, ssid: bytes) -> bytes:
    """The 32-octet PSK of a passphrase, which is the PMK (IEEE 802.11-2020 J.4.1). 64 hex digits are taken as the PSK.

    Raises:
        LocalProtocolError: not 8 to 63 printable ASCII characters, or the SSID has more than 32 octets.
    """
    if len(ssid) > 32:
        raise LocalProtocolError(f"an SSID has at most 32 octets, not {len(ssid)}")
    if len(passphrase) == 64 and set(passphrase) <= _HEX_DIGITS:
        return bytes.fromhex(passphrase)
    if not 8 <= len(passphrase) <= 63 or any(not " " <= character <= "~" for character in passphrase):
        raise LocalProtocolError("a passphrase has 8 to 63 printable ASCII characters")
    return hashlib.pbkdf2_hmac("sha1", passphrase.encode("ascii"), ssid, 4096, 32)


def derive_ptk(pmk: bytes, aa: bytes, spa: bytes, anonce: bytes, snonce: bytes, akm: int, cipher: int) -> PairwiseKeys:
    """The PTK of a four-way handshake (IEEE 802.11-2020 12.7.1.3).

    Args:
        pmk: the pairwise master key.
        aa: address of the authenticator (the BSSID).
        spa: address of the supplicant.
        anonce: nonce of message 1.
        snonce: nonce of message 2.
        akm: AKM suite; decides between the PRF with SHA-1 and KDF-SHA-256.
        cipher: pairwise cipher suite; decides the length of the TK.
    """
    bits = _PTK_HEAD_BITS + 8 * key_length(cipher)
    context = min(aa, spa) + max(aa, spa) + min(anonce, snonce) + max(anonce, snonce)
    expand = kdf_sha256 if has_sha256(akm) else prf
    return _split(expand(pmk, b"Pairwise key expansion", context, bits))


def ft_pmk_r0(pmk: bytes, ssid: bytes, mobility_domain: bytes, r0kh_id: bytes, s0kh_id: bytes) -> PmkR0:
    """PMK-R0 and PMKR0Name (IEEE 802.11-2020 12.7.1.6.3).

    Args:
        pmk: the PSK (FT-PSK), or the XXKey of the AKM.
        ssid: the SSID.
        mobility_domain: MDID, two octets as in the Mobility Domain element.
        r0kh_id: identifier of the R0 key holder, 1 to 48 octets, from the Fast BSS Transition element.
        s0kh_id: the station's address.
    """
    context = bytes([len(ssid)]) + ssid + mobility_domain + bytes([len(r0kh_id)]) + r0kh_id + s0kh_id
    data = kdf_sha256(pmk, b"FT-R0", context, 384)
    return PmkR0(data[:32], hashlib.sha256(b"FT-R0N" + data[32:48]).digest()[:16])


def ft_pmk_r1(pmk_r0: PmkR0, r1kh_id: bytes, s1kh_id: bytes) -> PmkR1:
    """PMK-R1 and PMKR1Name (IEEE 802.11-2020 12.7.1.6.4): R1 key holder (6 octets) and the station's address."""
    key = kdf_sha256(pmk_r0.key, b"FT-R1", r1kh_id + s1kh_id, 256)
    return PmkR1(key, hashlib.sha256(b"FT-R1N" + pmk_r0.name + r1kh_id + s1kh_id).digest()[:16])


def derive_ft_ptk(
    pmk_r1: PmkR1, bssid: bytes, station: bytes, anonce: bytes, snonce: bytes, cipher: int
) -> PairwiseKeys:
    """The PTK of an FT initial association or transition (IEEE 802.11-2020 12.7.1.6.5)."""
    bits = _PTK_HEAD_BITS + 8 * key_length(cipher)
    return _split(kdf_sha256(pmk_r1.key, b"FT-PTK", snonce + anonce + bssid + station, bits))


def pmkid(pmk: bytes, aa: bytes, spa: bytes, akm: int) -> bytes:
    """The name of a PMK (IEEE 802.11-2020 12.7.1.3), 16 octets. SAE has another one, which its exchange gives."""
    digest = "sha256" if has_sha256(akm) else "sha1"
    return hmac.digest(pmk, b"PMK Name" + aa + spa, digest)[:16]


def prf(key: bytes, label: bytes, data: bytes, bits: int) -> bytes:
    """The PRF with HMAC-SHA-1 (IEEE 802.11-2020 12.7.1.2)."""
    length = _octets(bits)
    blocks = (hmac.digest(key, label + b"\0" + data + bytes([i]), "sha1") for i in range(-(-length // 20)))
    return b"".join(blocks)[:length]


def kdf_sha256(key: bytes, label: bytes, context: bytes, bits: int) -> bytes:
    """The KDF with HMAC-SHA-256 (IEEE 802.11-2020 12.7.1.6.2)."""
    length = _octets(bits)
    tail = label + context + bits.to_bytes(2, "little")
    blocks = (hmac.digest(key, i.to_bytes(2, "little") + tail, "sha256") for i in range(1, -(-length // 32) + 1))
    return b"".join(blocks)[:length]


def _split(ptk: bytes) -> PairwiseKeys:
    return PairwiseKeys(kck=ptk[:16], kek=ptk[16:32], tk=ptk[32:])


def _octets(bits: int) -> int:
    if bits <= 0 or bits % 8:
        raise LocalProtocolError(f"keys come in whole octets, not in {bits} bits")
    return bits // 8


_HEX_DIGITS: Final = frozenset("0123456789abcdefABCDEF")
_PTK_HEAD_BITS: Final = 256
"""KCK and KEK, of 128 bits each for every AKM that is done here."""
