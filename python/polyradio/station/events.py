"""What happens to a station, after its frames have been read: frozen values that the MLME consumes."""

from dataclasses import dataclass
from typing import TypeAlias

from polyradio.station.bss_table import Bss


@dataclass(frozen=True, slots=True)
class BssHeard:
    """A beacon or probe response was heard."""

    bss: Bss


@dataclass(frozen=True, slots=True)
class ScanDone:
    """The device has visited every channel of the scan."""


@dataclass(frozen=True, slots=True)
class BeaconLoss:
    """The device misses the beacons of the station's access point."""


@dataclass(frozen=True, slots=True)
class KeyExhausted:
    """The device has used up the packet numbers of a key: only new keys help."""


@dataclass(frozen=True, slots=True)
class AuthenticationReceived:
    """An authentication frame for this station."""

    source: bytes
    algorithm: int
    transaction: int
    status: int


@dataclass(frozen=True, slots=True)
class AssociationReceived:
    """An association or reassociation response for this station."""

    source: bytes
    status: int
    association_id: int
    has_wmm: bool


@dataclass(frozen=True, slots=True)
class ConnectionEnded:
    """A deauthentication (or disassociation) frame for this station or for all."""

    source: bytes
    reason: int
    is_deauthentication: bool


@dataclass(frozen=True, slots=True)
class HandshakeStarted:
    """Message 1 of a four-way handshake was answered."""


@dataclass(frozen=True, slots=True)
class GroupKeyInstalled:
    """A group key handshake was answered, and its key is installed."""


@dataclass(frozen=True, slots=True)
class HandshakeCompleted:
    """The four-way handshake is over, and its keys are installed."""


@dataclass(frozen=True, slots=True)
class HandshakeRefused:
    """The access point broke the handshake's rules: leave it."""

    reason: int
    """Reason code for the deauthentication."""
    detail: str


SupplicantEvent: TypeAlias = HandshakeStarted | GroupKeyInstalled | HandshakeCompleted | HandshakeRefused
Event: TypeAlias = (
    BssHeard
    | ScanDone
    | BeaconLoss
    | KeyExhausted
    | AuthenticationReceived
    | AssociationReceived
    | ConnectionEnded
    | SupplicantEvent
)
