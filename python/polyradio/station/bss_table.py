"""The access points that a station has heard, and which of them it would join.

The table forgets what was not heard for a while and never holds more than `MAX_ENTRIES`.
"""

from dataclasses import dataclass, replace
from typing import Final

from polyradio._core import Management, RsnElement
from polyradio.errors import RemoteProtocolError
from polyradio.ieee80211 import (
    RSN_CAPABILITY_16_REPLAY_COUNTERS,
    RSN_CAPABILITY_MFP_REQUIRED,
    Capability,
    ElementId,
    has_wmm,
)
from polyradio.rsn.suites import AKM_PSK, AKM_PSK_SHA256, CIPHER_CCMP_128, CIPHER_CCMP_256

MAX_ENTRIES: Final = 512
MAX_AGE_NS: Final = 30_000_000_000


@dataclass(frozen=True, slots=True)
class Bss:
    """An access point, as its last beacon or probe response shows it."""

    bssid: bytes
    ssid: bytes
    channel: int
    signal_dbm: int
    beacon_interval: int
    """In time units."""
    capability: int
    rsn: bytes | None
    """Data of the RSN element, octet by octet: message 3 must repeat it (IEEE 802.11-2020 12.7.6.4)."""
    has_wmm: bool
    last_heard: int

    @property
    def has_privacy(self) -> bool:
        """Whether data frames are protected there."""
        return bool(self.capability & Capability.PRIVACY)


@dataclass(frozen=True, slots=True)
class Security:
    """The suites that a station and an access point have in common."""

    akm: int
    pairwise_cipher: int
    group_cipher: int

    def rsn_element(self) -> bytes:
        """The RSN element's data with which a station asks for them."""
        return RsnElement(
            group_cipher=self.group_cipher,
            pairwise_ciphers=(self.pairwise_cipher,),
            akm_suites=(self.akm,),
            capabilities=RSN_CAPABILITY_16_REPLAY_COUNTERS,
        ).emit()


def bss_from_frame(frame: Management, *, channel: int, signal_dbm: int, now: int) -> Bss:
    """What a beacon or probe response says; its DS Parameter Set knows the channel better than the receiver."""
    ds_parameter_set = frame.element(ElementId.DS_PARAMETER_SET)
    return Bss(
        bssid=frame.bssid,
        ssid=frame.element(ElementId.SSID) or b"",
        channel=ds_parameter_set[0] if ds_parameter_set else channel,
        signal_dbm=signal_dbm,
        beacon_interval=frame.beacon_interval,
        capability=frame.capability,
        rsn=frame.element(ElementId.RSN),
        has_wmm=has_wmm(frame.elements),
        last_heard=now,
    )


def choose_security(bss: Bss, *, ciphers: tuple[int, ...] = (CIPHER_CCMP_128, CIPHER_CCMP_256)) -> Security | str:
    """The suites to use with an access point that wants a passphrase, or why there are none.

    Args:
        bss: the access point.
        ciphers: what the station can do, best first.
    """
    if bss.rsn is None:
        return "it offers no RSN (WPA2)" if bss.has_privacy else "it is an open network, and a passphrase is configured"
    try:
        rsn = RsnElement.parse(bss.rsn)
    except RemoteProtocolError as error:
        return f"its RSN element cannot be read: {error}"
    akm = next((akm for akm in _AKMS if akm in rsn.akm_suites), None)
    pairwise = next((cipher for cipher in ciphers if cipher in rsn.pairwise_ciphers), None)
    if akm is None:
        return "it does not offer a passphrase (AKM PSK)"
    if pairwise is None or rsn.group_cipher not in ciphers:
        return "it offers no cipher that is known here"
    if rsn.capabilities & RSN_CAPABILITY_MFP_REQUIRED:
        return "it requires management frame protection, which is not done here"
    return Security(akm=akm, pairwise_cipher=pairwise, group_cipher=rsn.group_cipher)


class BssTable:
    """Access points by BSSID."""

    def __init__(self) -> None:
        self._entries: dict[bytes, Bss] = {}
        self._refused_until: dict[bytes, int] = {}

    def update(self, bss: Bss) -> None:
        """Takes in what was heard. A beacon that hides its SSID leaves a known one."""
        known = self._entries.pop(bss.bssid, None)
        if known is not None and not any(bss.ssid):
            bss = replace(bss, ssid=known.ssid)
        self._entries[bss.bssid] = bss
        if len(self._entries) > MAX_ENTRIES:
            del self._entries[next(iter(self._entries))]

    def expire(self, now: int) -> None:
        """Forgets what is older than `MAX_AGE_NS`, and refusals that are over."""
        self._entries = {key: bss for key, bss in self._entries.items() if now - bss.last_heard <= MAX_AGE_NS}
        self._refused_until = {key: until for key, until in self._refused_until.items() if until > now}

    def remove(self, bssid: bytes) -> None:
        """Forgets one access point."""
        self._entries.pop(bssid, None)

    def refuse(self, bssid: bytes, until: int) -> None:
        """Prefer others over this access point until then."""
        self._refused_until[bssid] = until

    def matching(self, ssid: bytes, *, bssid: bytes | None = None) -> list[Bss]:
        """Access points of that network, the best first: not refused, then by signal, then by address."""
        found = [bss for bss in self._entries.values() if bss.ssid == ssid and bssid in {None, bss.bssid}]
        return sorted(found, key=lambda bss: (bss.bssid in self._refused_until, -bss.signal_dbm, bss.bssid))

    def __len__(self) -> int:
        return len(self._entries)


_AKMS: Final = (AKM_PSK_SHA256, AKM_PSK)
