"""What an access point asks its driver to do: frozen values, in the order in which they are to be done."""

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias


class StationPhase(Enum):
    """How far a station has come with this access point (IEEE 802.11-2020 11.3.1)."""

    GONE = "gone"
    AUTHENTICATED = "authenticated"
    ASSOCIATED = "associated"
    AUTHORIZED = "authorized"


@dataclass(frozen=True, slots=True)
class SetBeacon:
    """Send this beacon from now on; timestamp, sequence number and TIM are filled in at each sending."""

    frame: bytes
    interval_tu: int


@dataclass(frozen=True, slots=True)
class SendFrame:
    """Send a management frame, or an EAPOL data frame."""

    frame: bytes
    """The MPDU, sequence number 0."""
    unprotected: bool
    """In the clear, even if a pairwise key is installed."""


@dataclass(frozen=True, slots=True)
class SetStation:
    """A station is associated, or has become authorized."""

    address: bytes
    association_id: int
    qos: bool
    authorized: bool
    """Data may pass."""
    privacy: bool
    """Data must be protected."""


@dataclass(frozen=True, slots=True)
class RemoveStation:
    """Forget a station: its keys are wiped, its queue is dropped."""

    address: bytes


@dataclass(frozen=True, slots=True)
class InstallKey:
    """Install a temporal key."""

    address: bytes | None
    """The station of a pairwise key; None: the group key, used to send from then on."""
    key_id: int
    cipher: int
    """Number of the cipher suite: 4 for CCMP-128."""
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReportStation:
    """A station has come further, or is gone."""

    address: bytes
    state: StationPhase
    detail: str
    """Why, for people; empty where nothing needs saying."""


Action: TypeAlias = SetBeacon | SendFrame | SetStation | RemoveStation | InstallKey | ReportStation
