"""Fast BSS transition: the elements that carry its key exchange, and their MIC (IEEE 802.11-2020 13.8, 9.4.2.47).

The keys themselves are derived by `polyradio.rsn.key_hierarchy`.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from polyradio.errors import RemoteProtocolError
from polyradio.rsn.eapol import unwrap_key_data
from polyradio.rsn.kde import ELEMENT_RSN, GroupKey

ELEMENT_MOBILITY_DOMAIN: Final = 54
ELEMENT_FAST_TRANSITION: Final = 55
ELEMENT_RSN_EXTENSION: Final = 244

REASSOCIATION_REQUEST: Final = 5
"""Transaction sequence number in the MIC of a reassociation request (IEEE 802.11-2020 13.8.4)."""
REASSOCIATION_RESPONSE: Final = 6
"""Transaction sequence number in the MIC of a reassociation response (IEEE 802.11-2020 13.8.5)."""


@dataclass(frozen=True, slots=True)
class FastTransition:
    """The Fast BSS Transition element, with a MIC of 16 octets (IEEE 802.11-2020 9.4.2.47)."""

    element_count: int
    """How many elements the MIC covers; 0 where there is none."""
    mic: bytes
    anonce: bytes
    snonce: bytes
    subelements: tuple[tuple[int, bytes], ...] = field(repr=False)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """From the element's data.

        Raises:
            RemoteProtocolError: the element or one of its subelements is cut off.
        """
        if len(data) < _FIXED_LENGTH:
            raise RemoteProtocolError(f"a Fast BSS Transition element has {_FIXED_LENGTH} octets, not {len(data)}")
        subelements = []
        offset = _FIXED_LENGTH
        while offset < len(data):
            end = offset + 2 + data[offset + 1] if offset + 1 < len(data) else len(data) + 1
            if end > len(data):
                raise RemoteProtocolError(f"the Fast BSS Transition element ends inside its subelement at {offset}")
            subelements.append((data[offset], data[offset + 2 : end]))
            offset = end
        return cls(data[1], data[_MIC_START:_MIC_END], data[18:50], data[50:82], tuple(subelements))

    @property
    def r0kh_id(self) -> bytes | None:
        """Identifier of the R0 key holder."""
        return self._subelement(_R0KH_ID)

    @property
    def r1kh_id(self) -> bytes | None:
        """Identifier of the R1 key holder."""
        return self._subelement(_R1KH_ID)

    def group_key(self, kek: bytes) -> GroupKey | None:
        """The GTK, unwrapped, if there is one.

        Raises:
            MicError: it was wrapped with another key.
            RemoteProtocolError: its subelement is cut off.
        """
        data = self._subelement(_GTK)
        if data is None:
            return None
        if len(data) < _GTK_HEAD_LENGTH:
            raise RemoteProtocolError(f"a GTK subelement of {len(data)} octets holds no key")
        key = unwrap_key_data(kek, data[_GTK_HEAD_LENGTH:])
        return GroupKey(key_id=data[0] & 0x03, key=key[: data[2]])

    def _subelement(self, subelement_id: int) -> bytes | None:
        return next((data for identifier, data in self.subelements if identifier == subelement_id), None)


def verify_transition(
    kck: bytes, station: bytes, bssid: bytes, transaction: int, elements: Sequence[tuple[int, bytes]]
) -> bool:
    """Whether the MIC in a reassociation frame's elements is right (IEEE 802.11-2020 13.8.4, 13.8.5).

    Args:
        kck: key confirmation key of the new PTK.
        station: the station's address.
        bssid: the new access point's address.
        transaction: `REASSOCIATION_REQUEST` or `REASSOCIATION_RESPONSE`.
        elements: all elements of the frame, in order. Resource requests (RIC) are not covered here.
    """
    covered = [ELEMENT_RSN, ELEMENT_MOBILITY_DOMAIN, ELEMENT_FAST_TRANSITION]
    found = dict(reversed(elements))
    transition = found.get(ELEMENT_FAST_TRANSITION, b"")
    if len(transition) < _FIXED_LENGTH or not all(identifier in found for identifier in covered):
        return False
    if transition[1] > len(covered) and ELEMENT_RSN_EXTENSION in found:
        covered.append(ELEMENT_RSN_EXTENSION)
    mic = transition[_MIC_START:_MIC_END]
    found[ELEMENT_FAST_TRANSITION] = transition[:_MIC_START] + bytes(len(mic)) + transition[_MIC_END:]
    cmac = CMAC(AES(kck))
    cmac.update(station + bssid + bytes([transaction]))
    for identifier in covered:
        cmac.update(bytes([identifier, len(found[identifier])]) + found[identifier])
    return hmac.compare_digest(cmac.finalize(), mic)


_MIC_START: Final = 2
_MIC_END: Final = 18
_FIXED_LENGTH: Final = 82
"""MIC Control (2), MIC (16), ANonce (32), SNonce (32)."""
_R1KH_ID: Final = 1
_GTK: Final = 2
_R0KH_ID: Final = 3
_GTK_HEAD_LENGTH: Final = 11
"""Key Info (2), Key Length (1), RSC (8)."""
