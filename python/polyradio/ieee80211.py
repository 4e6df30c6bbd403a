"""Numbers of IEEE 802.11 that both ends of a link speak of: subtypes, elements, capabilities, reasons, status codes.

Numbers only; octets are read and written by the Rust core's `wire`.
"""

from enum import IntEnum
from typing import Final

BROADCAST: Final = b"\xff" * 6
NO_ADDRESS: Final = bytes(6)
ETHERTYPE_EAPOL: Final = 0x888E
TIME_UNIT_NS: Final = 1_024_000
"""One TU (IEEE 802.11-2020 3.1)."""


class FrameType(IntEnum):
    """Types of frames (IEEE 802.11-2020 Table 9-1)."""

    MANAGEMENT = 0
    CONTROL = 1
    DATA = 2


class Subtype(IntEnum):
    """Subtypes of management frames (IEEE 802.11-2020 Table 9-1)."""

    ASSOCIATION_REQUEST = 0
    ASSOCIATION_RESPONSE = 1
    REASSOCIATION_REQUEST = 2
    REASSOCIATION_RESPONSE = 3
    PROBE_REQUEST = 4
    PROBE_RESPONSE = 5
    BEACON = 8
    DISASSOCIATION = 10
    AUTHENTICATION = 11
    DEAUTHENTICATION = 12
    ACTION = 13


class ElementId(IntEnum):
    """Elements (IEEE 802.11-2020 Table 9-92)."""

    SSID = 0
    SUPPORTED_RATES = 1
    DS_PARAMETER_SET = 3
    RSN = 48
    EXTENDED_SUPPORTED_RATES = 50
    VENDOR = 221


class Capability(IntEnum):
    """Bits of the Capability Information field (IEEE 802.11-2020 9.4.1.4)."""

    ESS = 0x0001
    PRIVACY = 0x0010
    SHORT_PREAMBLE = 0x0020
    SHORT_SLOT_TIME = 0x0400


class Reason(IntEnum):
    """Why a connection ends (IEEE 802.11-2020 Table 9-49)."""

    UNSPECIFIED = 1
    INVALID_AUTHENTICATION = 2
    LEAVING = 3
    INACTIVITY = 4
    TOO_MANY_STATIONS = 5
    CLASS_2_FRAME = 6
    CLASS_3_FRAME = 7
    DISASSOCIATED = 8
    INVALID_ELEMENT = 13
    MIC_FAILURE = 14
    FOUR_WAY_HANDSHAKE_TIMEOUT = 15
    GROUP_HANDSHAKE_TIMEOUT = 16
    HANDSHAKE_ELEMENT_MISMATCH = 17


class Status(IntEnum):
    """Answers to authentication and association requests (IEEE 802.11-2020 Table 9-50)."""

    SUCCESS = 0
    UNSPECIFIED_FAILURE = 1
    UNSUPPORTED_AUTHENTICATION_ALGORITHM = 13
    TRANSACTION_OUT_OF_SEQUENCE = 14
    TOO_MANY_STATIONS = 17
    UNSUPPORTED_RATES = 18
    INVALID_ELEMENT = 40
    INVALID_GROUP_CIPHER = 41
    INVALID_PAIRWISE_CIPHER = 42
    INVALID_AKM = 43
    UNSUPPORTED_RSN_VERSION = 44
    INVALID_RSN_CAPABILITIES = 45


RSN_CAPABILITY_16_REPLAY_COUNTERS: Final = 0x000C
"""A replay counter for each priority under a pairwise key (IEEE 802.11-2020 Figure 9-298), which the device has."""
RSN_CAPABILITY_MFP_REQUIRED: Final = 0x0040
"""Management frame protection required (IEEE 802.11-2020 Figure 9-298)."""

WMM_INFORMATION: Final = bytes.fromhex("0050f202000100")
"""The WMM information element of a station: 00-50-F2, type 2, subtype 0, version 1, no U-APSD."""
WMM_PARAMETER: Final = bytes.fromhex("0050f2020101000003a4000027a4000042435e0062322f00")
"""The WMM parameter element of an access point: subtype 1, then AIFSN, contention window and TXOP of BE, BK, VI, VO."""
_WMM_PREFIX: Final = bytes.fromhex("0050f202")

RATES_2GHZ: Final = bytes([0x82, 0x84, 0x8B, 0x96, 0x0C, 0x12, 0x18, 0x24])
RATES_2GHZ_EXTENDED: Final = bytes([0x30, 0x48, 0x60, 0x6C])
RATES_5GHZ: Final = bytes([0x8C, 0x12, 0x98, 0x24, 0xB0, 0x48, 0x60, 0x6C])
"""Rates in units of 500 kbit/s; the highest bit marks those that every station must know (IEEE 802.11-2020 9.4.2.3)."""


def rate_elements(channel: int) -> list[tuple[int, bytes]]:
    """The rate elements of a station or access point on a channel, in the order of their identifiers."""
    if channel > 14:
        return [(ElementId.SUPPORTED_RATES, RATES_5GHZ)]
    return [
        (ElementId.SUPPORTED_RATES, RATES_2GHZ),
        (ElementId.EXTENDED_SUPPORTED_RATES, RATES_2GHZ_EXTENDED),
    ]


def has_wmm(elements: list[tuple[int, bytes]]) -> bool:
    """Whether the sender says that it does QoS: a WMM information or parameter element is there."""
    return any(identifier == ElementId.VENDOR and data.startswith(_WMM_PREFIX) for identifier, data in elements)


def show_address(address: bytes) -> str:
    """An address as people read it: 02:00:00:00:00:01."""
    return address.hex(":")


def show_reason(reason: int) -> str:
    """A reason code with its name, where it has one here: reason 4 (inactivity)."""
    return f"reason {reason}{_name(Reason, reason)}"


def show_status(status: int) -> str:
    """A status code with its name, where it has one here: status 43 (invalid akm)."""
    return f"status {status}{_name(Status, status)}"


def _name(names: type[IntEnum], number: int) -> str:
    return f" ({names(number).name.lower().replace('_', ' ')})" if number in names.__members__.values() else ""
