"""A station: MLME and supplicant behind one sans-IO interface.

The driver calls `handle_*` with what happened and the time, then does what `poll_actions` returns, in its order, and
calls `handle_timeout` when the time of `poll_timeout` has come.
"""

from collections import deque

from polyradio._core import Management
from polyradio.errors import RemoteProtocolError
from polyradio.ieee80211 import BROADCAST, Subtype, has_wmm
from polyradio.rsn import KeyGenerator, pmk_from_passphrase
from polyradio.station.actions import Action, StationState
from polyradio.station.bss_table import bss_from_frame
from polyradio.station.config import StationConfig
from polyradio.station.events import (
    AssociationReceived,
    AuthenticationReceived,
    BeaconLoss,
    BssHeard,
    ConnectionEnded,
    Event,
    KeyExhausted,
    ScanDone,
)
from polyradio.station.mlme import Association, Mlme
from polyradio.station.supplicant import Link, Supplicant


class Station:
    """One station that joins one network and stays there.

    Args:
        config: address, network, seed, timeouts.

    Raises:
        LocalProtocolError: the passphrase is none.
    """

    def __init__(self, config: StationConfig) -> None:
        self.config = config
        self.discarded: dict[str, int] = {}
        """How many frames and EAPOL PDUs were discarded, by why."""
        self._actions: deque[Action] = deque()
        self._mlme = Mlme(config, self._actions)
        self._pmk = None if config.passphrase is None else pmk_from_passphrase(config.passphrase, config.ssid)
        self._generator = KeyGenerator(config.seed, b"station " + config.address)
        self._supplicant: Supplicant | None = None
        self._association: Association | None = None

    @property
    def state(self) -> StationState:
        """How far it has come."""
        return self._mlme.state

    @property
    def failure(self) -> str | None:
        """Why the last attempt to connect failed, as a sentence; None while connected or before the first failure."""
        return self._mlme.failure

    @property
    def bssid(self) -> bytes | None:
        """The access point chosen."""
        return None if self._mlme.bss is None else self._mlme.bss.bssid

    @property
    def channel(self) -> int | None:
        """The channel of the access point chosen."""
        return None if self._mlme.bss is None else self._mlme.bss.channel

    @property
    def association_id(self) -> int | None:
        """1 to 2007 while associated."""
        return None if self._mlme.association is None else self._mlme.association.association_id

    @property
    def cipher(self) -> int | None:
        """The pairwise cipher suite agreed on; None in an open network."""
        return None if self._mlme.security is None else self._mlme.security.pairwise_cipher

    def start(self, now: int) -> None:
        """Joins the network, and does so again whenever the connection ends, until `stop`."""
        self._mlme.start(now)

    def stop(self, now: int) -> None:
        """Leaves the network."""
        self._mlme.stop(now)
        self._follow_association()

    def handle_frame(self, frame: bytes, *, channel: int, signal_dbm: int, now: int) -> None:
        """Takes a management MPDU; what cannot be read or is not for this station is discarded and counted."""
        try:
            event = self._event_of(Management.parse(frame), channel=channel, signal_dbm=signal_dbm, now=now)
        except RemoteProtocolError:
            self._discard("malformed management frame")
            return
        if event is None:
            self._discard("management frame of no use")
        else:
            self._handle(event, now)

    def handle_eapol(self, pdu: bytes, *, source: bytes, protected: bool, now: int) -> None:
        """Takes an EAPOL PDU (from the protocol version on); `protected`: it came sealed with the pairwise key."""
        if self._supplicant is None or source != self.bssid:
            self._discard("EAPOL without an association")
            return
        handled = self._supplicant.handle_eapol(pdu, protected=protected)
        if handled.discarded is not None:
            self._discard(handled.discarded)
        self._actions.extend(handled.actions)
        if handled.event is not None:
            self._handle(handled.event, now)

    def handle_scan_done(self, now: int) -> None:
        """Every channel of the scan was visited."""
        self._handle(ScanDone(), now)

    def handle_beacon_loss(self, now: int) -> None:
        """The device misses the access point's beacons."""
        self._handle(BeaconLoss(), now)

    def handle_key_exhausted(self, now: int) -> None:
        """The device has used up a key's packet numbers."""
        self._handle(KeyExhausted(), now)

    def handle_timeout(self, now: int) -> None:
        """The time of `poll_timeout` has come; earlier calls do nothing."""
        self._mlme.handle_timeout(now)
        self._follow_association()

    def poll_actions(self) -> list[Action]:
        """What to do, in order."""
        actions = list(self._actions)
        self._actions.clear()
        return actions

    def poll_timeout(self) -> int | None:
        """When to call `handle_timeout`; None: nothing is waited for."""
        return self._mlme.deadline

    def _handle(self, event: Event, now: int) -> None:
        self._mlme.handle(event, now)
        self._follow_association()

    def _event_of(self, frame: Management, *, channel: int, signal_dbm: int, now: int) -> Event | None:
        if frame.subtype in {Subtype.BEACON, Subtype.PROBE_RESPONSE}:
            return BssHeard(bss_from_frame(frame, channel=channel, signal_dbm=signal_dbm, now=now))
        if frame.destination not in {self.config.address, BROADCAST} or frame.source != frame.bssid:
            return None
        match frame.subtype:
            case Subtype.DEAUTHENTICATION | Subtype.DISASSOCIATION as subtype:
                return ConnectionEnded(frame.source, frame.reason, subtype == Subtype.DEAUTHENTICATION)
            case _ if frame.destination != self.config.address:
                return None
            case Subtype.AUTHENTICATION:
                return AuthenticationReceived(frame.source, frame.algorithm, frame.transaction, frame.status)
            case Subtype.ASSOCIATION_RESPONSE | Subtype.REASSOCIATION_RESPONSE:
                return AssociationReceived(frame.source, frame.status, frame.association_id, has_wmm(frame.elements))
            case _:
                return None

    def _follow_association(self) -> None:
        """A new association gets a new supplicant; the keys of an old one are removed."""
        association = self._mlme.association
        if association is self._association:
            return
        if self._supplicant is not None:
            self._actions.extend(self._supplicant.removals())
        self._association = association
        self._supplicant = None
        if association is not None and association.security is not None and self._pmk is not None:
            self._supplicant = Supplicant(
                Link(
                    station=self.config.address,
                    bssid=association.bss.bssid,
                    security=association.security,
                    own_rsn=association.security.rsn_element(),
                    bss_rsn=association.bss.rsn or b"",
                    pmk=self._pmk,
                ),
                self._generator,
            )

    def _discard(self, why: str) -> None:
        self.discarded[why] = self.discarded.get(why, 0) + 1
