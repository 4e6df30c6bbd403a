"""An access point: MLME, an authenticator for each station and the group key behind one sans-IO interface.

The driver calls `handle_*` with what happened and the time, then does what `poll_actions` returns, in its order, and
calls `handle_timeout` when the time of `poll_timeout` has come.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable

from polyradio._core import MacHeader, Management, ethernet_from_frame
from polyradio.access_point import frames
from polyradio.access_point.actions import (
    Action,
    InstallKey,
    ReportStation,
    SendFrame,
    SetBeacon,
    SetStation,
    StationPhase,
)
from polyradio.access_point.authenticator import Authenticator, Authorize, GroupKeyTaken, Outcome, Refuse, Send
from polyradio.access_point.config import AccessPointConfig
from polyradio.access_point.group_key import GroupKeyRing
from polyradio.access_point.mlme import Associated, Left, Mlme, MlmeEvent
from polyradio.access_point.station_table import StationEntry, StationTable
from polyradio.errors import RemoteProtocolError
from polyradio.ieee80211 import BROADCAST, ETHERTYPE_EAPOL, FrameType, Reason
from polyradio.rsn import KeyGenerator, cipher_number, pmk_from_passphrase


class AccessPoint:
    """One BSS.

    Args:
        config: what it is.
        group_packet_number: asks the device for the last packet number sent with the group key: the Key RSC.

    Raises:
        LocalProtocolError: the passphrase is none.
    """

    def __init__(self, config: AccessPointConfig, group_packet_number: Callable[[], int] = lambda: 0) -> None:
        self.config = config
        self.malformed = 0
        """Frames that could not be read."""
        self._actions: deque[Action] = deque()
        self._stations = StationTable(config.max_stations)
        self._mlme = Mlme(config, self._stations, self._actions)
        self._generator = KeyGenerator(config.seed, b"access point " + config.bssid)
        self._timers: list[tuple[int, bytes]] = []
        """A heap of (deadline, address); an entry whose deadline is no longer the authenticator's is stale."""
        self._rekey_at: int | None = None
        self._inactivity_at: int | None = None
        self._pmk: bytes | None = None
        self._keys: GroupKeyRing | None = None
        if config.passphrase is not None:
            self._pmk = pmk_from_passphrase(config.passphrase, config.ssid)
            self._keys = GroupKeyRing(config.cipher, self._generator, group_packet_number)

    @property
    def stations(self) -> dict[bytes, StationPhase]:
        """The stations that are associated, by address."""
        return {entry.address: entry.phase for entry in self._stations.associated()}

    def start(self, now: int) -> None:
        """Begins to send beacons."""
        self._actions.append(SetBeacon(frames.beacon(self.config), self.config.beacon_interval))
        if self._keys is not None:
            current = self._keys.current
            self._install_group_key(current.key_id, current.key)
            if self.config.group_rekey_ns is not None:
                self._rekey_at = now + self.config.group_rekey_ns
        if self.config.inactivity_ns is not None:
            self._inactivity_at = now + self.config.inactivity_ns

    def stop(self, now: int) -> None:
        """Deauthenticates all stations. Beacons are the driver's to end."""
        self._actions.append(
            SendFrame(frames.deauthentication(self.config, BROADCAST, Reason.LEAVING), unprotected=True)
        )
        for entry in list(self._stations.associated()):
            self.disconnect(entry.address, Reason.LEAVING, now, detail="the access point was stopped")
        self._rekey_at = self._inactivity_at = None

    def handle_frame(self, frame: bytes, now: int) -> None:
        """Takes a management frame, or an opened data frame: EAPOL, or any of a station that is not associated."""
        try:
            header = MacHeader.parse(frame)
            if header.frame_type == FrameType.MANAGEMENT:
                self._handle_event(self._mlme.handle_frame(Management.parse(frame), now), now)
            elif header.frame_type == FrameType.DATA:
                self._handle_data(header, frame, now)
        except RemoteProtocolError:
            self.malformed += 1

    def handle_activity(self, address: bytes, now: int) -> None:
        """The device has heard this station; only needed where `inactivity_ns` is set."""
        entry = self._stations.find(address)
        if entry is not None:
            entry.last_heard = max(entry.last_heard, now)

    def disconnect(self, address: bytes, reason: int, now: int, *, detail: str = "sent away") -> None:
        """Deauthenticates a station."""
        entry = self._stations.find(address)
        if entry is not None:
            self._handle_event(self._mlme.disconnect(entry, reason, detail), now)

    def rekey_group(self, now: int) -> None:
        """Hands a new group key to every station, and uses it when all have confirmed."""
        if self._keys is None or self._keys.next is not None:
            return
        self._keys.renew()
        for entry in list(self._stations.associated()):
            if entry.phase is StationPhase.AUTHORIZED:
                self._give_group_key(entry, now)
        self._switch_group_key()

    def handle_timeout(self, now: int) -> None:
        """The time of `poll_timeout` has come; earlier calls do nothing."""
        while self._timers and self._timers[0][0] <= now:
            _, address = heapq.heappop(self._timers)
            entry = self._stations.find(address)
            if entry is not None and entry.authenticator is not None:
                self._carry_out(entry, entry.authenticator.handle_timeout(now), now)
        if self._rekey_at is not None and self._rekey_at <= now and self.config.group_rekey_ns is not None:
            self._rekey_at = now + self.config.group_rekey_ns
            self.rekey_group(now)
        if self._inactivity_at is not None and self._inactivity_at <= now:
            self._drop_inactive(now)

    def poll_actions(self) -> list[Action]:
        """What to do, in order."""
        actions = list(self._actions)
        self._actions.clear()
        if self._keys is not None:
            self._keys.is_fresh = False
        return actions

    def poll_timeout(self) -> int | None:
        """When to call `handle_timeout`; None: nothing is waited for."""
        while self._timers and self._is_stale(*self._timers[0]):
            heapq.heappop(self._timers)
        deadlines = [self._timers[0][0]] if self._timers else []
        deadlines += [deadline for deadline in (self._rekey_at, self._inactivity_at) if deadline is not None]
        return min(deadlines, default=None)

    def _handle_data(self, header: MacHeader, frame: bytes, now: int) -> None:
        source = header.addr2
        if source is None or source[0] & 1 or header.addr1 != self.config.bssid or not header.to_ds or header.from_ds:
            return
        entry = self._stations.find(source)
        if entry is None or not entry.is_associated:
            self._mlme.handle_foreign_data(source, now)
            return
        entry.last_heard = now
        if entry.authenticator is None:
            return
        for ethernet in ethernet_from_frame(frame):
            if int.from_bytes(ethernet[12:14], "big") == ETHERTYPE_EAPOL and entry.authenticator is not None:
                self._carry_out(entry, entry.authenticator.handle_eapol(ethernet[14:], now), now)

    def _handle_event(self, event: MlmeEvent | None, now: int) -> None:
        match event:
            case Associated(entry=entry):
                self._begin(entry, now)
            case Left(address=address) if self._keys is not None:
                self._keys.pending.discard(address)
                self._switch_group_key()
            case _:
                pass

    def _begin(self, entry: StationEntry, now: int) -> None:
        """A station is associated: it may speak at once, or when it has keys."""
        if self._pmk is None or self._keys is None:
            entry.phase = StationPhase.AUTHORIZED
            self._set_station(entry)
            return
        self._keys.pending.discard(entry.address)
        self._switch_group_key()
        self._set_station(entry)
        keys = self._keys
        entry.authenticator = Authenticator(
            self.config,
            pmk=self._pmk,
            station=entry.address,
            station_rsn=entry.rsn,
            group_key=lambda: keys.current,
            generator=self._generator,
        )
        self._carry_out(entry, entry.authenticator.start(now), now)

    def _carry_out(self, entry: StationEntry, outcomes: Iterable[Outcome], now: int) -> None:
        for outcome in outcomes:
            match outcome:
                case Send(pdu=pdu, unprotected=unprotected):
                    frame = frames.eapol(self.config, entry.address, pdu, qos=entry.has_qos)
                    self._actions.append(SendFrame(frame, unprotected=unprotected))
                case Authorize(tk=tk, group_key_id=group_key_id):
                    self._authorize(entry, tk, group_key_id, now)
                case GroupKeyTaken(group_key_id=group_key_id):
                    entry.group_key_id = group_key_id
                    self._renew_or_switch(entry, now)
                case Refuse(reason=reason, detail=detail):
                    self._handle_event(self._mlme.disconnect(entry, reason, detail), now)
        self._arm(entry)

    def _authorize(self, entry: StationEntry, tk: bytes, group_key_id: int, now: int) -> None:
        entry.phase = StationPhase.AUTHORIZED
        entry.group_key_id = group_key_id
        self._actions.append(InstallKey(entry.address, 0, cipher_number(self.config.cipher), tk))
        self._set_station(entry)
        self._renew_or_switch(entry, now)

    def _renew_or_switch(self, entry: StationEntry, now: int) -> None:
        """A station has got a group key: another one may be due by now, or all have theirs."""
        if self._keys is None:
            return
        newest = self._keys.next or self._keys.current
        if entry.group_key_id != newest.key_id:
            self._give_group_key(entry, now)
        else:
            self._keys.pending.discard(entry.address)
            self._switch_group_key()

    def _give_group_key(self, entry: StationEntry, now: int) -> None:
        if self._keys is None or entry.authenticator is None:
            return
        if self._keys.next is not None:
            self._keys.pending.add(entry.address)
        newest = self._keys.next or self._keys.current
        self._carry_out(entry, entry.authenticator.start_group_handshake(newest, now), now)

    def _switch_group_key(self) -> None:
        switched = None if self._keys is None else self._keys.switch()
        if switched is not None:
            self._install_group_key(switched.key_id, switched.key)

    def _install_group_key(self, key_id: int, key: bytes) -> None:
        self._actions.append(InstallKey(None, key_id, cipher_number(self.config.cipher), key))

    def _set_station(self, entry: StationEntry) -> None:
        is_authorized = entry.phase is StationPhase.AUTHORIZED
        self._actions.append(
            SetStation(
                entry.address,
                association_id=entry.association_id,
                qos=entry.has_qos,
                authorized=is_authorized,
                privacy=self._pmk is not None,
            )
        )
        self._actions.append(ReportStation(entry.address, entry.phase, ""))

    def _drop_inactive(self, now: int) -> None:
        limit = self.config.inactivity_ns
        if limit is None:
            return
        for entry in list(self._stations.associated()):
            if now - entry.last_heard >= limit:
                self.disconnect(entry.address, Reason.INACTIVITY, now, detail=f"not heard for {limit / 1e9:g} s")
        oldest = min((entry.last_heard for entry in self._stations.associated()), default=now)
        self._inactivity_at = oldest + limit

    def _arm(self, entry: StationEntry) -> None:
        deadline = None if entry.authenticator is None else entry.authenticator.deadline
        if deadline is not None and deadline != entry.armed_at:
            heapq.heappush(self._timers, (deadline, entry.address))
        entry.armed_at = deadline

    def _is_stale(self, deadline: int, address: bytes) -> bool:
        entry = self._stations.find(address)
        return entry is None or entry.authenticator is None or entry.authenticator.deadline != deadline
