"""The management frames that a station sends (IEEE 802.11-2020 9.3.3)."""

from polyradio._core import Management
from polyradio.ieee80211 import WMM_INFORMATION, Capability, ElementId, Subtype, rate_elements
from polyradio.station.bss_table import Bss, Security
from polyradio.station.config import StationConfig


def probe_request(config: StationConfig, destination: bytes, channel: int) -> bytes:
    """Asks for the network: everybody on a channel, or one access point."""
    elements = [(int(ElementId.SSID), config.ssid), *rate_elements(channel)]
    if channel <= 14:
        elements.append((ElementId.DS_PARAMETER_SET, bytes([channel])))
    return _management(Subtype.PROBE_REQUEST, destination, config, elements).emit()


def authentication(config: StationConfig, bss: Bss) -> bytes:
    """Open system, transaction 1 of 2 (IEEE 802.11-2020 12.3.3.2)."""
    frame = _management(Subtype.AUTHENTICATION, bss.bssid, config, [])
    frame.algorithm, frame.transaction = 0, 1
    return frame.emit()


def association_request(config: StationConfig, bss: Bss, security: Security | None) -> bytes:
    """Asks for the suites chosen, and for QoS where the access point does it."""
    elements = [(int(ElementId.SSID), config.ssid), *rate_elements(bss.channel)]
    capability = int(Capability.ESS)
    if bss.channel <= 14:
        capability |= Capability.SHORT_PREAMBLE | Capability.SHORT_SLOT_TIME
    if security is not None:
        capability |= Capability.PRIVACY
        elements.append((ElementId.RSN, security.rsn_element()))
    if bss.has_wmm:
        elements.append((ElementId.VENDOR, WMM_INFORMATION))
    frame = _management(Subtype.ASSOCIATION_REQUEST, bss.bssid, config, elements)
    frame.capability, frame.listen_interval = capability, config.listen_interval
    return frame.emit()


def deauthentication(config: StationConfig, bss: Bss, reason: int) -> bytes:
    """Ends the connection."""
    frame = _management(Subtype.DEAUTHENTICATION, bss.bssid, config, [])
    frame.reason = reason
    return frame.emit()


def _management(
    subtype: Subtype, destination: bytes, config: StationConfig, elements: list[tuple[int, bytes]]
) -> Management:
    elements.sort(key=lambda element: element[0])
    return Management(subtype, destination, config.address, destination, elements=elements)
