"""Key data of EAPOL-Key frames: elements and KDEs (IEEE 802.11-2020 12.7.2, Figure 12-34 and Table 12-9).

Key data is a row of elements; a KDE is a vendor element of OUI 00-0F-AC. `KeyData` keeps all of them, in order, and
shows those that a handshake needs; what it does not know survives `parse` and `emit`.
"""

from dataclasses import dataclass, field
from typing import Final, Self

from polyradio.errors import RemoteProtocolError

ELEMENT_RSN: Final = 48
ELEMENT_VENDOR: Final = 221


@dataclass(frozen=True, slots=True)
class GroupKey:
    """The GTK KDE (IEEE 802.11-2020 Figure 12-36)."""

    key_id: int
    """0 to 3; an authenticator uses 1 and 2 in turn."""
    key: bytes = field(repr=False)
    is_transmit: bool = False

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """From a KDE's data, after its OUI and type."""
        if len(data) < 3:
            raise RemoteProtocolError(f"a GTK KDE of {len(data)} octets holds no key")
        return cls(key_id=data[0] & 0x03, key=data[2:], is_transmit=bool(data[0] & 0x04))

    def emit(self) -> tuple[int, bytes]:
        """The whole KDE as an element."""
        return _kde(_KDE_GTK, bytes([self.key_id | self.is_transmit << 2, 0]) + self.key)


@dataclass(frozen=True, slots=True)
class IntegrityGroupKey:
    """The IGTK KDE (IEEE 802.11-2020 Figure 12-41): the key of protected group-addressed management frames."""

    key_id: int
    """4 or 5."""
    packet_number: int
    key: bytes = field(repr=False)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """From a KDE's data, after its OUI and type."""
        key_id = int.from_bytes(data[:2], "little")
        if len(data) not in {8 + 16, 8 + 32} or key_id not in {4, 5}:
            raise RemoteProtocolError(f"an IGTK KDE of {len(data)} octets for key {key_id} is no IGTK KDE")
        return cls(key_id=key_id, packet_number=int.from_bytes(data[2:8], "little"), key=data[8:])

    def emit(self) -> tuple[int, bytes]:
        """The whole KDE as an element."""
        data = self.key_id.to_bytes(2, "little") + self.packet_number.to_bytes(6, "little") + self.key
        return _kde(_KDE_IGTK, data)


@dataclass(frozen=True, slots=True)
class KeyData:
    """The elements of a Key Data field, in order. It may hold keys: `repr` shows none of it."""

    elements: tuple[tuple[int, bytes], ...] = field(repr=False)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """From plaintext key data; the padding DD 00 .. ends it.

        Raises:
            RemoteProtocolError: an element is cut off.
        """
        elements = []
        offset = 0
        while offset < len(data):
            if data[offset] == ELEMENT_VENDOR and not any(data[offset + 1 :]):
                break
            if offset + 2 > len(data) or offset + 2 + data[offset + 1] > len(data):
                raise RemoteProtocolError(f"key data ends inside its element at octet {offset}")
            end = offset + 2 + data[offset + 1]
            elements.append((data[offset], data[offset + 2 : end]))
            offset = end
        return cls(tuple(elements))

    def emit(self) -> bytes:
        """The octets, without padding."""
        return b"".join(bytes([identifier, len(data)]) + data for identifier, data in self.elements)

    @property
    def rsn_element(self) -> bytes | None:
        """Data of the first RSN element; a second one (an authenticator's other choice of cipher) is in `elements`."""
        return self.element(ELEMENT_RSN)

    @property
    def pmkid(self) -> bytes | None:
        """The PMKID KDE of message 1."""
        return self._kde_data(_KDE_PMKID)

    @property
    def group_key(self) -> GroupKey | None:
        """The GTK, if there is one; raises `RemoteProtocolError` where its KDE is too short."""
        data = self._kde_data(_KDE_GTK)
        return None if data is None else GroupKey.parse(data)

    @property
    def integrity_group_key(self) -> IntegrityGroupKey | None:
        """The IGTK, if there is one; raises `RemoteProtocolError` where its KDE is malformed."""
        data = self._kde_data(_KDE_IGTK)
        return None if data is None else IntegrityGroupKey.parse(data)

    def element(self, element_id: int) -> bytes | None:
        """The data of the first element with that identifier."""
        return next((data for identifier, data in self.elements if identifier == element_id), None)

    def _kde_data(self, kde_type: int) -> bytes | None:
        prefix = _KDE_OUI + bytes([kde_type])
        return next((data[4:] for i, data in self.elements if i == ELEMENT_VENDOR and data.startswith(prefix)), None)


def pmkid_kde(pmkid: bytes) -> tuple[int, bytes]:
    """The PMKID KDE as an element."""
    return _kde(_KDE_PMKID, pmkid)


def _kde(kde_type: int, data: bytes) -> tuple[int, bytes]:
    return (ELEMENT_VENDOR, _KDE_OUI + bytes([kde_type]) + data)


_KDE_OUI: Final = bytes.fromhex("000fac")
_KDE_GTK: Final = 1
_KDE_PMKID: Final = 4
_KDE_IGTK: Final = 9
