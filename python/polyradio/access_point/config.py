"""What an access point is told to be."""

from dataclasses import dataclass, field
from typing import Final

from polyradio._core import RsnElement
from polyradio.errors import LocalProtocolError
from polyradio.ieee80211 import RSN_CAPABILITY_16_REPLAY_COUNTERS
from polyradio.rsn.suites import AKM_PSK, CIPHER_CCMP_128, descriptor_version, key_length

MILLISECOND: Final = 1_000_000
SECOND: Final = 1_000_000_000
MAX_ASSOCIATION_ID: Final = 2007


@dataclass(frozen=True, slots=True)
class AccessPointConfig:
    """One BSS. Times are nanoseconds."""

    bssid: bytes
    ssid: bytes
    channel: int
    passphrase: str | None = field(repr=False)
    """None: an open network. 8 to 63 ASCII characters, or the PSK as 64 hex digits."""
    seed: int = field(repr=False)
    """Seed of everything random; a real deployment takes it from the operating system (`rsn.key_generator`)."""
    beacon_interval: int = 100
    """In time units."""
    max_stations: int = MAX_ASSOCIATION_ID
    group_rekey_ns: int | None = None
    """A new group key so often; None: never."""
    akm: int = AKM_PSK
    """PSK or PSK-SHA256."""
    cipher: int = CIPHER_CCMP_128
    """Pairwise and group cipher."""
    has_qos: bool = True
    first_handshake_timeout_ns: int = 100 * MILLISECOND
    """How long to wait for the answer to a message sent for the first time, as hostapd does: the station may not have
    been ready for it."""
    handshake_timeout_ns: int = 1 * SECOND
    """And to one sent again."""
    handshake_tries: int = 4
    inactivity_ns: int | None = None
    """Stations not heard for so long are deauthenticated; needs `AccessPoint.handle_activity`. None: never."""

    def __post_init__(self) -> None:
        if len(self.bssid) != 6 or self.bssid[0] & 1 or not any(self.bssid):
            raise LocalProtocolError("a BSSID is an individual address of 6 octets")
        if not 1 <= len(self.ssid) <= 32:
            raise LocalProtocolError(f"an SSID has 1 to 32 octets, not {len(self.ssid)}")
        if not 1 <= self.max_stations <= MAX_ASSOCIATION_ID:
            raise LocalProtocolError(f"an access point serves 1 to {MAX_ASSOCIATION_ID} stations")
        if not 1 <= self.beacon_interval <= 0xFFFF:
            raise LocalProtocolError("a beacon interval has 1 to 65535 time units")
        key_length(self.cipher)
        descriptor_version(self.akm, self.cipher)

    def rsn_element(self) -> bytes | None:
        """Data of the RSN element in beacons, probe responses and message 3; None in an open network."""
        if self.passphrase is None:
            return None
        return RsnElement(
            group_cipher=self.cipher,
            pairwise_ciphers=(self.cipher,),
            akm_suites=(self.akm,),
            capabilities=RSN_CAPABILITY_16_REPLAY_COUNTERS,
        ).emit()
