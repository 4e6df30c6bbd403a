"""Protection of EAPOL-Key frames: the MIC and the wrapped key data (IEEE 802.11-2020 12.7.2, 12.7.3).

A PDU is the EAPOL frame from its protocol version on. Which algorithms it uses stands in its Key Descriptor Version: 1
HMAC-MD5 and RC4 (TKIP), 2 HMAC-SHA-1-128 and AES key wrap, 3 AES-128-CMAC and AES key wrap, 0 what the AKM says (SAE:
as 3). MICs of 16 octets only.
"""

import hmac
from typing import Final

from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from polyradio.errors import LocalProtocolError, MicError, RemoteProtocolError

MIC_LENGTH: Final = 16


def mic(kck: bytes, pdu: bytes) -> bytes:
    """The Key MIC of a PDU, whatever its MIC field holds now; octets after the PDU's own length do not count.

    Raises:
        RemoteProtocolError: the PDU is shorter than an EAPOL-Key frame, or its descriptor version is unknown.
    """
    end = _pdu_end(pdu)
    signed = pdu[:_MIC_START] + bytes(MIC_LENGTH) + pdu[_MIC_END:end]
    match _descriptor_version(pdu):
        case 1:
            return hmac.digest(kck, signed, "md5")
        case 2:
            return hmac.digest(kck, signed, "sha1")[:MIC_LENGTH]
        case 0 | 3:
            cmac = CMAC(AES(kck))
            cmac.update(signed)
            return cmac.finalize()
        case version:
            raise RemoteProtocolError(f"EAPOL-Key descriptor version {version} is unknown")


def sign(kck: bytes, pdu: bytes) -> bytes:
    """The PDU with its MIC filled in; Key MIC must already be set in its Key Information."""
    return pdu[:_MIC_START] + mic(kck, pdu) + pdu[_MIC_END:]


def verify(kck: bytes, pdu: bytes) -> bool:
    """Whether the PDU's MIC is right, compared in constant time."""
    return hmac.compare_digest(mic(kck, pdu), pdu[_MIC_START:_MIC_END])


def wrap_key_data(kek: bytes, key_data: bytes) -> bytes:
    """Key data, padded with DD 00 .. to 16 octets or more and a multiple of 8, and wrapped with AES (RFC 3394)."""
    if len(key_data) < 16 or len(key_data) % 8:
        padded = max(16, -(-(len(key_data) + 1) // 8) * 8)
        key_data = key_data + b"\xdd" + bytes(padded - len(key_data) - 1)
    return aes_key_wrap(kek, key_data)


def unwrap_key_data(kek: bytes, key_data: bytes, *, descriptor_version: int = 2, iv: bytes = b"") -> bytes:
    """The plaintext of encrypted key data, padding included.

    Args:
        kek: key encryption key.
        key_data: the Key Data field as received.
        descriptor_version: 1 for RC4 (no integrity of its own); others use AES key wrap.
        iv: the EAPOL-Key IV field; needed for RC4 only.

    Raises:
        MicError: the integrity check of AES key wrap failed.
    """
    if descriptor_version == 1:
        if len(iv) != 16:
            raise LocalProtocolError("RC4 key data needs the EAPOL-Key IV of 16 octets")
        return _rc4(iv + kek, key_data)
    try:
        return aes_key_unwrap(kek, key_data)
    except (InvalidUnwrap, ValueError) as error:
        raise MicError("the wrapped key data fails its integrity check") from error


def _pdu_end(pdu: bytes) -> int:
    if len(pdu) < _FIXED_LENGTH:
        raise RemoteProtocolError(f"an EAPOL-Key frame has {_FIXED_LENGTH} octets or more, not {len(pdu)}")
    end = 4 + int.from_bytes(pdu[2:4], "big")
    if not _FIXED_LENGTH <= end <= len(pdu):
        raise RemoteProtocolError(f"the EAPOL body length says {end} octets in all, there are {len(pdu)}")
    return end


def _descriptor_version(pdu: bytes) -> int:
    return pdu[6] & 0x07


def _rc4(key: bytes, data: bytes) -> bytes:
    """RC4 with the first 256 octets of the key stream thrown away (IEEE 802.11-2020 12.7.2 b)."""
    state = list(range(256))
    j = 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) & 0xFF
        state[i], state[j] = state[j], state[i]
    out = bytearray()
    i = j = 0
    for octet in bytes(256) + data:
        i = (i + 1) & 0xFF
        j = (j + state[i]) & 0xFF
        state[i], state[j] = state[j], state[i]
        out.append(octet ^ state[(state[i] + state[j]) & 0xFF])
    return bytes(out[256:])


_MIC_START: Final = 81
_MIC_END: Final = 97
_FIXED_LENGTH: Final = 99
"""EAPOL header (4), descriptor up to the MIC (77), MIC (16), Key Data Length (2)."""
