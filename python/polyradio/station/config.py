"""What a station is told to do."""

from dataclasses import dataclass, field
from typing import Final

from polyradio.errors import LocalProtocolError
from polyradio.rsn.suites import CIPHER_CCMP_128, CIPHER_CCMP_256

MILLISECOND: Final = 1_000_000
SECOND: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class StationConfig:
    """One station and the one network it joins. Times are nanoseconds.

    The radio may be away on another channel for a tenth of a second: timeouts for a single frame are half a second.
    """

    address: bytes
    ssid: bytes
    passphrase: str | None = field(repr=False)
    """None: an open network. 8 to 63 ASCII characters, or the PSK as 64 hex digits."""
    channels: tuple[int, ...]
    """Where to look for the network."""
    seed: int = field(repr=False)
    """Seed of everything random; a real deployment takes it from the operating system (`rsn.key_generator`)."""
    bssid: bytes | None = None
    """Only this access point of the network."""
    ciphers: tuple[int, ...] = (CIPHER_CCMP_128, CIPHER_CCMP_256)
    """What the device can do, best first."""
    listen_interval: int = 10
    """In beacon intervals."""
    scan_timeout_ns: int = 10 * SECOND
    """When to go on with what was heard, although nobody said that the scan is done."""
    frame_timeout_ns: int = 500 * MILLISECOND
    """How long to wait for the answer to an authentication, association or probe request."""
    frame_tries: int = 3
    handshake_timeout_ns: int = 5 * SECOND
    """For the whole four-way handshake."""
    retry_ns: int = 500 * MILLISECOND
    """Pause after the first failure; doubled by each further one."""
    max_retry_ns: int = 10 * SECOND
    refusal_ns: int = 10 * SECOND
    """How long another access point of the network is preferred over one that failed."""

    def __post_init__(self) -> None:
        if len(self.address) != 6 or self.address[0] & 1 or not any(self.address):
            raise LocalProtocolError("a station has an individual address of 6 octets")
        if not 1 <= len(self.ssid) <= 32:
            raise LocalProtocolError(f"an SSID to join has 1 to 32 octets, not {len(self.ssid)}")
        if not self.channels:
            raise LocalProtocolError("a station needs a channel to look on")
