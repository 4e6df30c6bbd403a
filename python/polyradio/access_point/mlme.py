"""The access point's MLME: who may speak, who is admitted (IEEE 802.11-2020 11.3, 11.1.4).

It answers probe, authentication and association requests, and says to its owner what became of a station. The station's
states are those of 11.3.1: unknown, authenticated, associated, authorized; a frame of a class that its state does not
allow is answered by a deauthentication, not more often than `ERROR_INTERVAL_NS`.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final, TypeAlias

from polyradio._core import Management, RsnElement
from polyradio.access_point import frames
from polyradio.access_point.actions import Action, RemoveStation, ReportStation, SendFrame, StationPhase
from polyradio.access_point.config import AccessPointConfig
from polyradio.access_point.station_table import StationEntry, StationTable
from polyradio.errors import RemoteProtocolError
from polyradio.ieee80211 import (
    BROADCAST,
    RSN_CAPABILITY_MFP_REQUIRED,
    ElementId,
    Reason,
    Status,
    Subtype,
    has_wmm,
    show_reason,
)

ERROR_INTERVAL_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Associated:
    """A station has (again) become associated; whatever it had before is gone."""

    entry: StationEntry


@dataclass(frozen=True, slots=True)
class Left:
    """A station has lost its association."""

    address: bytes


MlmeEvent: TypeAlias = Associated | Left


class Mlme:
    """See the module. Actions are appended to `actions`, which its owner hands out."""

    def __init__(self, config: AccessPointConfig, stations: StationTable, actions: deque[Action]) -> None:
        self._config = config
        self._stations = stations
        self._actions = actions
        self._last_error: dict[bytes, int] = {}

    def handle_frame(self, frame: Management, now: int) -> MlmeEvent | None:
        """Takes a management frame; one that is not for this access point is ignored."""
        config = self._config
        source = frame.source
        if source == config.bssid or source[0] & 1:
            return None
        if frame.subtype == Subtype.PROBE_REQUEST:
            self._handle_probe_request(frame, now)
            return None
        if frame.destination != config.bssid or frame.bssid != config.bssid:
            return None
        entry = self._stations.find(source)
        if entry is not None:
            entry.last_heard = now
        match frame.subtype:
            case Subtype.AUTHENTICATION:
                self._handle_authentication(frame, entry, now)
                return None
            case Subtype.ASSOCIATION_REQUEST | Subtype.REASSOCIATION_REQUEST:
                return self._handle_association_request(frame, entry, now)
            case Subtype.DEAUTHENTICATION | Subtype.DISASSOCIATION if entry is not None:
                keeps_authentication = frame.subtype == Subtype.DISASSOCIATION
                detail = f"the station has left: {show_reason(frame.reason)}"
                return self._drop(entry, detail, keeps_authentication=keeps_authentication)
            case _:
                return None

    def handle_foreign_data(self, source: bytes, now: int) -> None:
        """A data frame came from a station that is not associated (IEEE 802.11-2020 11.3.3)."""
        entry = self._stations.find(source)
        if entry is not None and entry.is_associated:
            return
        make = frames.deauthentication if entry is None else frames.disassociation
        if self._may_complain(source, now):
            self._send(make(self._config, source, Reason.CLASS_3_FRAME))

    def disconnect(self, entry: StationEntry, reason: int, detail: str) -> MlmeEvent | None:
        """Deauthenticates a station."""
        self._send(frames.deauthentication(self._config, entry.address, reason))
        return self._drop(entry, detail, keeps_authentication=False)

    def _handle_probe_request(self, frame: Management, now: int) -> None:
        # IEEE 802.11-2020 11.1.4.3.4
        config = self._config
        channel = frame.element(ElementId.DS_PARAMETER_SET)
        is_mine = frame.destination in {BROADCAST, config.bssid} and frame.bssid in {BROADCAST, config.bssid}
        if (
            is_mine
            and frame.element(ElementId.SSID) in {b"", config.ssid}
            and channel in {None, bytes([config.channel])}
        ):
            self._send(frames.probe_response(config, frame.source, now=now))

    def _handle_authentication(self, frame: Management, entry: StationEntry | None, now: int) -> None:
        # IEEE 802.11-2020 11.3.4.3: an association stays until the station asks for a new one.
        status = Status.SUCCESS
        if frame.algorithm != 0:
            status = Status.UNSUPPORTED_AUTHENTICATION_ALGORITHM
        elif frame.transaction != 1:
            status = Status.TRANSACTION_OUT_OF_SEQUENCE
        elif entry is None:
            entry = self._stations.add(frame.source, now)
            self._actions.append(ReportStation(frame.source, entry.phase, ""))
        self._send(frames.authentication(self._config, frame.source, algorithm=frame.algorithm, status=status))

    def _handle_association_request(self, frame: Management, entry: StationEntry | None, now: int) -> MlmeEvent | None:
        # IEEE 802.11-2020 11.3.5.3
        if entry is None:
            if self._may_complain(frame.source, now):
                self._send(frames.deauthentication(self._config, frame.source, Reason.CLASS_2_FRAME))
            return None
        status = self._objection(frame)
        if status == Status.SUCCESS:
            if entry.is_associated:
                # Keys, queue and half-received fragments of the old association go (CVE-2020-24586).
                self._stations.dissociate(entry)
                self._actions.append(RemoveStation(entry.address))
            if not self._stations.associate(entry):
                status = Status.TOO_MANY_STATIONS
        is_admitted = status == Status.SUCCESS
        if is_admitted:
            entry.has_qos = self._config.has_qos and has_wmm(frame.elements)
            entry.rsn = frame.element(ElementId.RSN) or b""
        self._send(
            frames.association_response(
                self._config,
                entry.address,
                is_reassociation=frame.subtype == Subtype.REASSOCIATION_REQUEST,
                status=status,
                association_id=entry.association_id if is_admitted else 0,
                qos=is_admitted and entry.has_qos,
            )
        )
        return Associated(entry) if is_admitted else None

    def _objection(self, frame: Management) -> int:
        """Why a request cannot be granted, as a status code."""
        config = self._config
        if frame.element(ElementId.SSID) != config.ssid:
            return Status.UNSPECIFIED_FAILURE
        if not frame.element(ElementId.SUPPORTED_RATES):
            return Status.UNSUPPORTED_RATES
        if config.passphrase is None:
            return Status.SUCCESS
        data = frame.element(ElementId.RSN)
        if data is None:
            return Status.INVALID_ELEMENT
        try:
            rsn = RsnElement.parse(data)
        except RemoteProtocolError:
            return Status.INVALID_ELEMENT
        if rsn.version != 1:
            return Status.UNSUPPORTED_RSN_VERSION
        if rsn.group_cipher != config.cipher:
            return Status.INVALID_GROUP_CIPHER
        if rsn.pairwise_ciphers != [config.cipher]:
            return Status.INVALID_PAIRWISE_CIPHER
        if rsn.akm_suites != [config.akm]:
            return Status.INVALID_AKM
        if rsn.capabilities & RSN_CAPABILITY_MFP_REQUIRED:
            return Status.INVALID_RSN_CAPABILITIES
        return Status.SUCCESS

    def _drop(self, entry: StationEntry, detail: str, *, keeps_authentication: bool) -> MlmeEvent | None:
        was_associated = entry.is_associated
        if keeps_authentication:
            self._stations.dissociate(entry)
        else:
            self._stations.remove(entry)
        phase = StationPhase.AUTHENTICATED if keeps_authentication else StationPhase.GONE
        if was_associated:
            self._actions.append(RemoveStation(entry.address))
        self._actions.append(ReportStation(entry.address, phase, detail))
        return Left(entry.address) if was_associated else None

    def _may_complain(self, address: bytes, now: int) -> bool:
        """Once a second for an address, and for so many addresses only: answers must not multiply what comes in."""
        if now - self._last_error.get(address, -ERROR_INTERVAL_NS) < ERROR_INTERVAL_NS:
            return False
        if len(self._last_error) >= _MAX_ERRORS:
            recent = {key: at for key, at in self._last_error.items() if now - at < ERROR_INTERVAL_NS}
            self._last_error = recent
            if len(recent) >= _MAX_ERRORS:
                return False
        self._last_error[address] = now
        return True

    def _send(self, frame: bytes) -> None:
        self._actions.append(SendFrame(frame, unprotected=True))


_MAX_ERRORS: Final = 64
