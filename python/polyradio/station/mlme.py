"""The station's MLME: scanning, authentication, association, and what ends a connection (IEEE 802.11-2020 11.1, 11.3).

The rules:

- One state at a time, and only the transitions of `TRANSITIONS`; every other event leaves the state alone.
- Every state but `DISCONNECTED` after `stop` and `COMPLETED` has a deadline: nothing waits for ever.
- Every failure ends in `DISCONNECTED` with a sentence that says why, and is tried again after a pause that grows.

The key handshakes are the supplicant's; what came of them arrives here as an event.
"""

import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from polyradio.ieee80211 import BROADCAST, NO_ADDRESS, Reason, Status, show_address, show_reason, show_status
from polyradio.station.actions import (
    Action,
    ReportState,
    Scan,
    SendManagement,
    SetChannel,
    SetConnection,
    StationState,
)
from polyradio.station.bss_table import Bss, BssTable, Security, choose_security
from polyradio.station.config import StationConfig
from polyradio.station.events import (
    AssociationReceived,
    AuthenticationReceived,
    BeaconLoss,
    BssHeard,
    ConnectionEnded,
    Event,
    GroupKeyInstalled,
    HandshakeCompleted,
    HandshakeRefused,
    HandshakeStarted,
    KeyExhausted,
    ScanDone,
)
from polyradio.station.frames import association_request, authentication, deauthentication, probe_request


class Trigger(Enum):
    """What makes a state end."""

    SCAN_STARTS = "scan starts"
    BSS_CHOSEN = "access point chosen"
    NOTHING_FOUND = "no access point found"
    AUTHENTICATED = "authenticated"
    ASSOCIATED_OPEN = "associated, no keys"
    ASSOCIATED = "associated"
    HANDSHAKE_STARTED = "message 1"
    GROUP_HANDSHAKE_STARTED = "group message 1"
    KEYS_INSTALLED = "keys installed"
    FAILED = "refused or no answer"
    LOST = "access point vanished"
    DEAUTHENTICATED = "deauthenticated"
    STOPPED = "stopped"


_STATES_OF_A_CONNECTION: Final = (
    StationState.AUTHENTICATING,
    StationState.ASSOCIATING,
    StationState.FOUR_WAY_HANDSHAKE,
    StationState.GROUP_HANDSHAKE,
    StationState.COMPLETED,
)

TRANSITIONS: Final[Mapping[tuple[StationState, Trigger], StationState]] = MappingProxyType(
    {
        (StationState.DISCONNECTED, Trigger.SCAN_STARTS): StationState.SCANNING,
        (StationState.SCANNING, Trigger.BSS_CHOSEN): StationState.AUTHENTICATING,
        (StationState.SCANNING, Trigger.NOTHING_FOUND): StationState.DISCONNECTED,
        (StationState.AUTHENTICATING, Trigger.AUTHENTICATED): StationState.ASSOCIATING,
        (StationState.ASSOCIATING, Trigger.ASSOCIATED_OPEN): StationState.COMPLETED,
        (StationState.ASSOCIATING, Trigger.ASSOCIATED): StationState.FOUR_WAY_HANDSHAKE,
        (StationState.FOUR_WAY_HANDSHAKE, Trigger.KEYS_INSTALLED): StationState.COMPLETED,
        (StationState.COMPLETED, Trigger.HANDSHAKE_STARTED): StationState.FOUR_WAY_HANDSHAKE,
        (StationState.COMPLETED, Trigger.GROUP_HANDSHAKE_STARTED): StationState.GROUP_HANDSHAKE,
        (StationState.GROUP_HANDSHAKE, Trigger.KEYS_INSTALLED): StationState.COMPLETED,
        (StationState.COMPLETED, Trigger.LOST): StationState.DISCONNECTED,
    }
    | {(state, Trigger.FAILED): StationState.DISCONNECTED for state in _STATES_OF_A_CONNECTION}
    | {(state, Trigger.DEAUTHENTICATED): StationState.DISCONNECTED for state in _STATES_OF_A_CONNECTION}
    | {
        (state, Trigger.STOPPED): StationState.DISCONNECTED
        for state in (StationState.SCANNING, *_STATES_OF_A_CONNECTION)
    }
)


def state_diagram() -> str:
    """`TRANSITIONS` as a Mermaid diagram, which `docs/station_states.md` shows."""
    arrows: dict[tuple[StationState, StationState], list[str]] = {}
    for (before, trigger), after in TRANSITIONS.items():
        arrows.setdefault((before, after), []).append(trigger.value)
    lines = [f"    {before.name} --> {after.name}: {', '.join(why)}" for (before, after), why in arrows.items()]
    return "\n".join(["stateDiagram-v2", "    [*] --> DISCONNECTED", *lines])


@dataclass(frozen=True, slots=True)
class Association:
    """A connection that an access point has agreed to."""

    bss: Bss
    association_id: int
    has_qos: bool
    security: Security | None
    """None: an open network."""


class Mlme:
    """See the module. Actions are appended to `actions`, which its owner hands out."""

    def __init__(self, config: StationConfig, actions: deque[Action]) -> None:
        self.state = StationState.DISCONNECTED
        self.failure: str | None = None
        """Why the last attempt failed; None before the first one and while the station is connected."""
        self.bss: Bss | None = None
        """The access point chosen."""
        self.association: Association | None = None
        self.deadline: int | None = None
        self._config = config
        self._random = random.Random(f"{config.seed} {config.address.hex()}")
        self._actions = actions
        self._table = BssTable()
        self._security: Security | None = None
        self._tries = 0
        self._failures = 0
        self._is_running = False
        self._has_answered_message_1 = False
        self._is_probing = False

    @property
    def security(self) -> Security | None:
        """The suites agreed on with the access point chosen; None in an open network."""
        return self._security

    def start(self, now: int) -> None:
        """Joins the network, and does so again whenever the connection ends, until `stop`."""
        if not self._is_running:
            self._is_running = True
            self._failures = 0
            self._scan(now)

    def stop(self, now: int) -> None:
        """Leaves the network, with a deauthentication if there is a connection."""
        self._is_running = False
        if self.state is not StationState.DISCONNECTED:
            self._leave(Trigger.STOPPED, now, "stopped", reason=Reason.LEAVING)
        self.deadline = None

    def handle(self, event: Event, now: int) -> None:
        """Takes an event."""
        match event:
            case BssHeard(bss=bss):
                self._hear(bss)
            case ScanDone() if self.state is StationState.SCANNING:
                self._choose(now)
            case AuthenticationReceived() if self._is_peer(event.source, StationState.AUTHENTICATING):
                self._handle_authentication(event, now)
            case AssociationReceived() if self._is_peer(event.source, StationState.ASSOCIATING):
                self._handle_association(event, now)
            case ConnectionEnded() if self._is_peer(event.source, *_STATES_OF_A_CONNECTION):
                self._handle_end(event, now)
            case HandshakeStarted() if self.association is not None:
                self._handle_handshake_start(now)
            case HandshakeCompleted() if self.state is StationState.FOUR_WAY_HANDSHAKE:
                self._complete(Trigger.KEYS_INSTALLED)
            case GroupKeyInstalled() if self.state is StationState.COMPLETED:
                self._enter(Trigger.GROUP_HANDSHAKE_STARTED, "group key renewed")
                self._enter(Trigger.KEYS_INSTALLED)
            case HandshakeRefused(reason=reason, detail=detail) if self.association is not None:
                self._leave(Trigger.FAILED, now, detail, reason=reason)
            case KeyExhausted() if self.association is not None:
                self._leave(Trigger.FAILED, now, "the key has used up its packet numbers", reason=Reason.LEAVING)
            case BeaconLoss() if self.state is StationState.COMPLETED and not self._is_probing:
                self._is_probing = True
                self._tries = 0
                self._probe(now)
            case _:
                pass

    def handle_timeout(self, now: int) -> None:
        """A deadline may have passed."""
        if self.deadline is None or now < self.deadline:
            return
        match self.state:
            case StationState.DISCONNECTED:
                self._scan(now)
            case StationState.SCANNING:
                self._choose(now)
            case StationState.AUTHENTICATING:
                self._try_again(self._authenticate, now, "did not answer the authentication")
            case StationState.ASSOCIATING:
                self._try_again(self._associate, now, "did not answer the association request")
            case StationState.FOUR_WAY_HANDSHAKE | StationState.GROUP_HANDSHAKE:
                reason = Reason.FOUR_WAY_HANDSHAKE_TIMEOUT
                self._leave(Trigger.FAILED, now, self._handshake_doubt(), reason=reason)
            case StationState.COMPLETED:
                self._probe(now)

    # ---- scanning -------------------------------------------------------------------------------

    def _scan(self, now: int) -> None:
        config = self._config
        self._table.expire(now)
        self._enter(Trigger.SCAN_STARTS)
        self.deadline = now + config.scan_timeout_ns
        self._actions.append(Scan(config.channels, config.ssid))
        for channel in config.channels:
            self._actions.append(SendManagement(probe_request(config, BROADCAST, channel), channel))

    def _hear(self, bss: Bss) -> None:
        self._table.update(bss)
        if self._is_probing and self.bss is not None and bss.bssid == self.bss.bssid:
            self._is_probing = False
            self.deadline = None

    def _choose(self, now: int) -> None:
        config = self._config
        self._table.expire(now)
        heard = self._table.matching(config.ssid, bssid=config.bssid)
        objection: str | None = None
        for bss in heard:
            security = self._agree(bss)
            if isinstance(security, str):
                objection = objection or f"access point {show_address(bss.bssid)} cannot be joined: {security}"
                continue
            self.bss, self._security = bss, security
            self._enter(Trigger.BSS_CHOSEN, f"{show_address(bss.bssid)} on channel {bss.channel}")
            self._actions.append(SetChannel(bss.channel))
            self._set_connection(0)
            self._tries = 0
            self._authenticate(now)
            return
        self._leave(Trigger.NOTHING_FOUND, now, objection or self._nothing_heard())

    def _agree(self, bss: Bss) -> Security | str | None:
        if self._config.passphrase is not None:
            return choose_security(bss, ciphers=self._config.ciphers)
        return "it wants a passphrase, and none is configured" if bss.has_privacy or bss.rsn is not None else None

    def _nothing_heard(self) -> str:
        config = self._config
        name = config.ssid.decode("utf-8", "backslashreplace")
        only = "" if config.bssid is None else f" and BSSID {show_address(config.bssid)}"
        channels = ", ".join(map(str, config.channels))
        return f"no access point with SSID '{name}'{only} was heard on channels {channels}"

    # ---- authentication and association ---------------------------------------------------------

    def _authenticate(self, now: int) -> None:
        # IEEE 802.11-2020 11.3.4.2
        self._ask(authentication(self._config, self._chosen()), now)

    def _handle_authentication(self, event: AuthenticationReceived, now: int) -> None:
        if event.algorithm != 0 or event.transaction != 2:
            return
        if event.status != Status.SUCCESS:
            self._fail(now, f"refused the authentication: {show_status(event.status)}")
            return
        self._enter(Trigger.AUTHENTICATED)
        self._set_connection(1)
        self._tries = 0
        self._associate(now)

    def _associate(self, now: int) -> None:
        # IEEE 802.11-2020 11.3.5.2
        self._ask(association_request(self._config, self._chosen(), self._security), now)

    def _handle_association(self, event: AssociationReceived, now: int) -> None:
        if event.status != Status.SUCCESS:
            self._fail(now, f"refused the association: {show_status(event.status)}")
            return
        association_id = event.association_id & 0x3FFF
        if not 1 <= association_id <= 2007:
            self._fail(now, f"gave association identifier {association_id}, which does not exist")
            return
        bss = self._chosen()
        self.association = Association(bss, association_id, bss.has_wmm and event.has_wmm, self._security)
        if self._security is None:
            self._complete(Trigger.ASSOCIATED_OPEN)
            return
        self._enter(Trigger.ASSOCIATED)
        self._set_connection(2)
        self._has_answered_message_1 = False
        self.deadline = now + self._config.handshake_timeout_ns

    # ---- handshakes and the connection ----------------------------------------------------------

    def _handle_handshake_start(self, now: int) -> None:
        self._has_answered_message_1 = True
        if self.state is StationState.COMPLETED:
            self._enter(Trigger.HANDSHAKE_STARTED, "pairwise key is being renewed")
            self._is_probing = False
            self.deadline = now + self._config.handshake_timeout_ns

    def _handshake_doubt(self) -> str:
        if self._has_answered_message_1:
            return "wrong passphrase? the access point never sent message 3"
        return f"access point {show_address(self._chosen().bssid)} never sent message 1 of the four-way handshake"

    def _complete(self, trigger: Trigger) -> None:
        self.deadline = None
        self.failure = None
        self._failures = 0
        self._is_probing = False
        self._set_connection(3)
        self._enter(trigger)

    def _probe(self, now: int) -> None:
        """The beacons are missing: asks the access point itself, a few times."""
        if self._tries >= self._config.frame_tries:
            waited = self._config.frame_tries * self._config.frame_timeout_ns / 1e9
            self._table.remove(self._chosen().bssid)
            self._leave(
                Trigger.LOST,
                now,
                f"the access point vanished: no beacon and no answer to {self._tries} probe requests for {waited:g} s",
            )
            return
        bss = self._chosen()
        self._ask(probe_request(self._config, bss.bssid, bss.channel), now)

    def _handle_end(self, event: ConnectionEnded, now: int) -> None:
        kind = "deauthenticated" if event.is_deauthentication else "disassociated"
        detail = f"the access point {kind} this station: {show_reason(event.reason)}"
        if self.state is StationState.FOUR_WAY_HANDSHAKE and self._has_answered_message_1:
            detail = f"{self._handshake_doubt()} ({detail})"
        self._leave(Trigger.DEAUTHENTICATED, now, detail)

    # ---- what all of it needs -------------------------------------------------------------------

    def _try_again(self, attempt: Callable[[int], None], now: int, complaint: str) -> None:
        if self._tries < self._config.frame_tries:
            attempt(now)
        else:
            self._table.remove(self._chosen().bssid)
            self._fail(now, f"{complaint} ({self._tries} tries)")

    def _fail(self, now: int, complaint: str) -> None:
        """The chosen access point failed: complain about it, and prefer another one for a while."""
        bssid = self._chosen().bssid
        self._leave(Trigger.FAILED, now, f"access point {show_address(bssid)} {complaint}")

    def _leave(self, trigger: Trigger, now: int, detail: str, *, reason: int | None = None) -> None:
        """Ends the connection or the attempt, says why, and plans the next one. `reason`: tell the access point."""
        bss = self.bss
        self.bss = self.association = self._security = None
        self._is_probing = False
        if bss is not None:
            if trigger is Trigger.FAILED:
                self._table.refuse(bss.bssid, now + self._config.refusal_ns)
            if reason is not None:
                self._actions.append(SendManagement(deauthentication(self._config, bss, reason)))
            self._set_connection(0)
        if trigger is not Trigger.STOPPED:
            self.failure = detail
        self.deadline = now + self._pause()
        self._failures += 1
        self._enter(trigger, detail)

    def _pause(self) -> int:
        """Doubled by each failure in a row, and up to a quarter longer, so that stations do not stay in step."""
        config = self._config
        pause = min(config.retry_ns << min(self._failures, 30), config.max_retry_ns)
        return pause + self._random.randrange(max(1, pause // 4))

    def _enter(self, trigger: Trigger, detail: str = "") -> None:
        self.state = TRANSITIONS[self.state, trigger]
        self._actions.append(ReportState(self.state, detail))

    def _ask(self, frame: bytes, now: int) -> None:
        self._tries += 1
        self.deadline = now + self._config.frame_timeout_ns
        self._actions.append(SendManagement(frame))

    def _set_connection(self, state: int) -> None:
        bss, association = self.bss, self.association
        self._actions.append(
            SetConnection(
                state=state,
                bssid=NO_ADDRESS if bss is None else bss.bssid,
                association_id=0 if association is None else association.association_id,
                qos=association is not None and association.has_qos,
                privacy=bss is not None and self._security is not None,
                beacon_interval=bss.beacon_interval if bss is not None and state == 3 else 0,
            )
        )

    def _is_peer(self, source: bytes, *states: StationState) -> bool:
        return self.state in states and self.bss is not None and source == self.bss.bssid

    def _chosen(self) -> Bss:
        assert self.bss is not None, "only asked while an access point is chosen"
        return self.bss
