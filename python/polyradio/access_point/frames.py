"""The frames that an access point sends (IEEE 802.11-2020 9.3.3)."""

from polyradio._core import Management, frame_from_ethernet
from polyradio.access_point.config import AccessPointConfig
from polyradio.ieee80211 import (
    BROADCAST,
    ETHERTYPE_EAPOL,
    WMM_PARAMETER,
    Capability,
    ElementId,
    Subtype,
    rate_elements,
)

EAPOL_TID = 7
"""EAPOL goes with the priority of voice, as in other implementations."""


def beacon(config: AccessPointConfig) -> bytes:
    """The beacon, without timestamp and TIM."""
    return _announcement(Subtype.BEACON, BROADCAST, config, timestamp_us=0)


def probe_response(config: AccessPointConfig, destination: bytes, *, now: int) -> bytes:
    """The answer to a probe request."""
    return _announcement(Subtype.PROBE_RESPONSE, destination, config, timestamp_us=now // 1000)


def authentication(config: AccessPointConfig, destination: bytes, *, algorithm: int, status: int) -> bytes:
    """Transaction 2 of open system authentication (IEEE 802.11-2020 12.3.3.2)."""
    return Management(
        Subtype.AUTHENTICATION,
        destination,
        config.bssid,
        config.bssid,
        algorithm=algorithm,
        transaction=2,
        status=status,
    ).emit()


def association_response(
    config: AccessPointConfig,
    destination: bytes,
    *,
    is_reassociation: bool,
    status: int,
    association_id: int,
    qos: bool,
) -> bytes:
    """The answer to an association request; the association identifier is 0 where it is refused."""
    elements = list(rate_elements(config.channel))
    if qos:
        elements.append((ElementId.VENDOR, WMM_PARAMETER))
    return Management(
        Subtype.REASSOCIATION_RESPONSE if is_reassociation else Subtype.ASSOCIATION_RESPONSE,
        destination,
        config.bssid,
        config.bssid,
        capability=_capability(config),
        status=status,
        association_id=association_id,
        elements=elements,
    ).emit()


def deauthentication(config: AccessPointConfig, destination: bytes, reason: int) -> bytes:
    """Ends a connection."""
    return Management(Subtype.DEAUTHENTICATION, destination, config.bssid, config.bssid, reason=reason).emit()


def disassociation(config: AccessPointConfig, destination: bytes, reason: int) -> bytes:
    """Ends an association."""
    return Management(Subtype.DISASSOCIATION, destination, config.bssid, config.bssid, reason=reason).emit()


def eapol(config: AccessPointConfig, destination: bytes, pdu: bytes, *, qos: bool) -> bytes:
    """A data frame with an EAPOL PDU."""
    ethernet = destination + config.bssid + ETHERTYPE_EAPOL.to_bytes(2, "big") + pdu
    return frame_from_ethernet(ethernet, bssid=config.bssid, to_ds=False, tid=EAPOL_TID if qos else None)


def _announcement(subtype: Subtype, destination: bytes, config: AccessPointConfig, *, timestamp_us: int) -> bytes:
    elements: list[tuple[int, bytes]] = [(ElementId.SSID, config.ssid), *rate_elements(config.channel)]
    if config.channel <= 14:
        elements.append((ElementId.DS_PARAMETER_SET, bytes([config.channel])))
    rsn = config.rsn_element()
    if rsn is not None:
        elements.append((ElementId.RSN, rsn))
    if config.has_qos:
        elements.append((ElementId.VENDOR, WMM_PARAMETER))
    elements.sort(key=lambda element: element[0])
    return Management(
        subtype,
        destination,
        config.bssid,
        config.bssid,
        timestamp=timestamp_us,
        beacon_interval=config.beacon_interval,
        capability=_capability(config),
        elements=elements,
    ).emit()


def _capability(config: AccessPointConfig) -> int:
    capability = int(Capability.ESS)
    if config.channel <= 14:
        capability |= Capability.SHORT_PREAMBLE | Capability.SHORT_SLOT_TIME
    if config.passphrase is not None:
        capability |= Capability.PRIVACY
    return capability
