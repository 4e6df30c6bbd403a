"""What a station asks its driver to do: frozen values, in the order in which they are to be done."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, TypeAlias

KeyScope: TypeAlias = Literal["pairwise", "group"]


class StationState(Enum):
    """How far a station has come; the names are those of hostap."""

    DISCONNECTED = "disconnected"
    SCANNING = "scanning"
    AUTHENTICATING = "authenticating"
    ASSOCIATING = "associating"
    FOUR_WAY_HANDSHAKE = "four_way_handshake"
    GROUP_HANDSHAKE = "group_handshake"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class Scan:
    """Listen on these channels; the end is told by `Station.handle_scan_done`."""

    channels: tuple[int, ...]
    ssid: bytes


@dataclass(frozen=True, slots=True)
class SendManagement:
    """Send a management frame."""

    frame: bytes
    """The MPDU, sequence number 0."""
    channel: int = 0
    """Send it there; 0: on the station's own channel."""


@dataclass(frozen=True, slots=True)
class SendEapol:
    """Send an EAPOL PDU in a data frame."""

    destination: bytes
    pdu: bytes
    """From the EAPOL protocol version on."""
    unprotected: bool
    """In the clear, even if a pairwise key is installed before it leaves."""


@dataclass(frozen=True, slots=True)
class SetChannel:
    """This is the station's channel from now on."""

    channel: int


@dataclass(frozen=True, slots=True)
class SetConnection:
    """Tell the device how far the connection has come."""

    state: int
    """0 disconnected, 1 authenticated, 2 associated (EAPOL may pass), 3 authorized (data may pass)."""
    bssid: bytes
    """The access point; zeros: none."""
    association_id: int
    """1 to 2007; 0 without association."""
    qos: bool
    privacy: bool
    """Data must be protected by a key."""
    beacon_interval: int
    """In time units; 0: do not watch for beacons."""


@dataclass(frozen=True, slots=True)
class InstallKey:
    """Install a temporal key."""

    scope: KeyScope
    key_id: int
    """0 to 3."""
    cipher: int
    """Number of the cipher suite: 4 for CCMP-128."""
    receive_counter: int
    """Packet numbers received must be larger: the Key RSC of a group key, 0 for a pairwise one."""
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class RemoveKey:
    """Remove a temporal key."""

    scope: KeyScope
    key_id: int


@dataclass(frozen=True, slots=True)
class ReportState:
    """The station has changed its state."""

    state: StationState
    detail: str
    """Why, for people; empty where nothing needs saying."""


Action: TypeAlias = (
    Scan | SendManagement | SendEapol | SetChannel | SetConnection | InstallKey | RemoveKey | ReportState
)
