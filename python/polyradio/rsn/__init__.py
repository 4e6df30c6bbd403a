"""Robust security network: what supplicant, authenticator and the offline decryption share.

Suites, key hierarchy, EAPOL-Key protection and key data (IEEE 802.11-2020 12.7). Pure functions of octets: no state, no
clock, no randomness, and nothing of the Rust core. The state machines are in `polyradio.station` and
`polyradio.access_point`; sealing of frames is in the Rust core.

    >>> from polyradio.rsn import pmk_from_passphrase
    >>> pmk_from_passphrase("password", b"IEEE").hex()[:16]
    'f42c6fc52df0ebef'
"""

from polyradio.rsn.eapol import mic, sign, unwrap_key_data, verify, wrap_key_data
from polyradio.rsn.kde import GroupKey, IntegrityGroupKey, KeyData
from polyradio.rsn.key_generator import KeyGenerator
from polyradio.rsn.key_hierarchy import (
    PairwiseKeys,
    PmkR0,
    PmkR1,
    derive_ft_ptk,
    derive_ptk,
    ft_pmk_r0,
    ft_pmk_r1,
    kdf_sha256,
    pmk_from_passphrase,
    pmkid,
    prf,
)
from polyradio.rsn.suites import (
    AKM_FT_PSK,
    AKM_PSK,
    AKM_PSK_SHA256,
    AKM_SAE,
    CIPHER_CCMP_128,
    CIPHER_CCMP_256,
    CIPHER_TKIP,
    cipher_number,
    key_length,
)

__all__ = [
    "AKM_FT_PSK",
    "AKM_PSK",
    "AKM_PSK_SHA256",
    "AKM_SAE",
    "CIPHER_CCMP_128",
    "CIPHER_CCMP_256",
    "CIPHER_TKIP",
    "GroupKey",
    "IntegrityGroupKey",
    "KeyData",
    "KeyGenerator",
    "PairwiseKeys",
    "PmkR0",
    "PmkR1",
    "cipher_number",
    "derive_ft_ptk",
    "derive_ptk",
    "ft_pmk_r0",
    "ft_pmk_r1",
    "kdf_sha256",
    "key_length",
    "mic",
    "pmk_from_passphrase",
    "pmkid",
    "prf",
    "sign",
    "unwrap_key_data",
    "verify",
    "wrap_key_data",
]
