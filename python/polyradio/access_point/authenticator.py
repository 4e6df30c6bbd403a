"""The authenticator: the access point's end of the key handshakes with one station (IEEE 802.11-2020 12.7.6, 12.7.7).

Each state owns only what is valid in it:

    AwaitMessage2 --message 2--> AwaitMessage4 --message 4--> Done <--> AwaitGroupMessage2

Messages that are not answered are sent again, each time with a larger replay counter; an answer may repeat any of the
counters of the message that it answers. What is wrong is discarded: only time, and an RSN element that is not the
association request's, end a handshake.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from polyradio._core import EapolKey
from polyradio.access_point.config import AccessPointConfig
from polyradio.errors import RemoteProtocolError
from polyradio.ieee80211 import ElementId, Reason
from polyradio.rsn import (
    GroupKey,
    KeyData,
    KeyGenerator,
    PairwiseKeys,
    derive_ptk,
    key_length,
    sign,
    verify,
    wrap_key_data,
)
from polyradio.rsn.suites import descriptor_version


@dataclass(frozen=True, slots=True)
class SendingGroupKey:
    """A group key as it is told to a station."""

    key_id: int
    key: bytes = field(repr=False)
    packet_number: int
    """The last one sent with it: the Key RSC."""


@dataclass(frozen=True, slots=True)
class AwaitMessage2:
    """Message 1 was sent."""

    anonce: bytes
    has_seen_wrong_mic: bool = False


@dataclass(frozen=True, slots=True)
class AwaitMessage4:
    """Message 3 was sent."""

    anonce: bytes
    keys: PairwiseKeys
    group_key: SendingGroupKey


@dataclass(frozen=True, slots=True)
class Done:
    """Both ends have the keys."""

    keys: PairwiseKeys


@dataclass(frozen=True, slots=True)
class AwaitGroupMessage2:
    """Group message 1 was sent."""

    keys: PairwiseKeys
    group_key: SendingGroupKey


AuthenticatorState: TypeAlias = AwaitMessage2 | AwaitMessage4 | Done | AwaitGroupMessage2


@dataclass(frozen=True, slots=True)
class Send:
    """Send a PDU to the station."""

    pdu: bytes
    unprotected: bool


@dataclass(frozen=True, slots=True)
class Authorize:
    """The four-way handshake is over: install this pairwise key, let data pass."""

    tk: bytes = field(repr=False)
    group_key_id: int
    """The group key that the station has."""


@dataclass(frozen=True, slots=True)
class GroupKeyTaken:
    """The station has this group key."""

    group_key_id: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """The handshake has failed: deauthenticate the station."""

    reason: int
    detail: str


Outcome: TypeAlias = Send | Authorize | GroupKeyTaken | Refuse


class Authenticator:
    """The key handshakes of one association. A new association needs a new authenticator.

    Args:
        config: suites and timers.
        pmk: the pairwise master key.
        station: the station's address.
        station_rsn: data of the RSN element of its association request.
        group_key: asks for the group key that a station has to get now.
        generator: gives the ANonces.
    """

    def __init__(
        self,
        config: AccessPointConfig,
        *,
        pmk: bytes,
        station: bytes,
        station_rsn: bytes,
        group_key: Callable[[], SendingGroupKey],
        generator: KeyGenerator,
    ) -> None:
        self.state: AuthenticatorState = AwaitMessage2(generator.randbytes(32))
        self.deadline: int | None = None
        self._config = config
        self._pmk = pmk
        self._station = station
        self._station_rsn = station_rsn
        self._group_key = group_key
        self._replay_counter = 0
        self._counters: set[int] = set()
        """Replay counters of the message that waits for its answer."""
        self._tries = 0
        self._version = descriptor_version(config.akm, config.cipher)

    def start(self, now: int) -> list[Outcome]:
        """Sends message 1."""
        return [self._ask(now)]

    def start_group_handshake(self, group_key: SendingGroupKey, now: int) -> list[Outcome]:
        """Tells the station, which is authorized, another group key; nothing where a handshake is under way."""
        match self.state:
            case Done(keys=keys) | AwaitGroupMessage2(keys=keys):
                self._await(AwaitGroupMessage2(keys, group_key))
                return [self._ask(now)]
            case _:
                return []

    def handle_timeout(self, now: int) -> list[Outcome]:
        """Sends the unanswered message again, or gives up."""
        if self.deadline is None or now < self.deadline:
            return []
        if self._tries < self._config.handshake_tries:
            return [self._ask(now)]
        self.deadline = None
        match self.state:
            case AwaitMessage2(has_seen_wrong_mic=True):
                detail = "wrong passphrase: the MIC of message 2 is wrong"
            case AwaitMessage2():
                detail = "no answer to message 1"
            case AwaitMessage4():
                detail = "no answer to message 3"
            case _:
                return [Refuse(Reason.GROUP_HANDSHAKE_TIMEOUT, "no answer to group message 1")]
        return [Refuse(Reason.FOUR_WAY_HANDSHAKE_TIMEOUT, detail)]

    def handle_eapol(self, pdu: bytes, now: int) -> list[Outcome]:
        """Takes an EAPOL PDU of the station. What is wrong with it is discarded: an empty list."""
        try:
            key = EapolKey.parse(pdu)
            if not self._is_answer(key):
                return []
            match self.state:
                case AwaitMessage2() as state if key.is_pairwise:
                    return self._handle_message_2(state, key, pdu, now)
                case AwaitMessage4(keys=keys, group_key=group_key) if key.is_pairwise and verify(keys.kck, pdu):
                    # IEEE 802.11-2020 12.7.6.5
                    self._await(Done(keys))
                    return [Authorize(keys.tk, group_key.key_id)]
                case AwaitGroupMessage2(keys=keys, group_key=group_key) if not key.is_pairwise and verify(
                    keys.kck, pdu
                ):
                    # IEEE 802.11-2020 12.7.7.3
                    self._await(Done(keys))
                    return [GroupKeyTaken(group_key.key_id)]
                case _:
                    return []
        except RemoteProtocolError:
            return []

    def _is_answer(self, key: EapolKey) -> bool:
        return (
            key.descriptor_type == _DESCRIPTOR_RSN
            and key.descriptor_version == self._version
            and key.has_mic
            and not (key.has_ack or key.has_error or key.is_request or key.is_smk_message)
            and key.replay_counter in self._counters
        )

    def _handle_message_2(self, state: AwaitMessage2, key: EapolKey, pdu: bytes, now: int) -> list[Outcome]:
        # IEEE 802.11-2020 12.7.6.3
        config = self._config
        keys = derive_ptk(self._pmk, config.bssid, self._station, state.anonce, key.nonce, config.akm, config.cipher)
        if not verify(keys.kck, pdu):
            self.state = replace(state, has_seen_wrong_mic=True)
            return []
        if KeyData.parse(key.key_data).rsn_element != self._station_rsn:
            self.deadline = None
            detail = "the RSN element of message 2 is not that of the association request"
            return [Refuse(Reason.HANDSHAKE_ELEMENT_MISMATCH, detail)]
        self._await(AwaitMessage4(state.anonce, keys, self._group_key()))
        return [self._ask(now)]

    def _await(self, state: AuthenticatorState) -> None:
        self.state = state
        self.deadline = None
        self._tries = 0
        self._counters.clear()

    def _ask(self, now: int) -> Send:
        """The message whose answer this state awaits, for the first time or again."""
        config = self._config
        self.deadline = now + (config.handshake_timeout_ns if self._tries else config.first_handshake_timeout_ns)
        self._tries += 1
        self._replay_counter += 1
        self._counters.add(self._replay_counter)
        match self.state:
            case AwaitMessage2(anonce=anonce):
                return Send(self._message(_PAIRWISE | _ACK, nonce=anonce).emit(), unprotected=True)
            case AwaitMessage4(anonce=anonce, keys=keys, group_key=group_key):
                newest = self._group_key()
                if newest.key_id == group_key.key_id:
                    group_key = newest
                information = _PAIRWISE | _INSTALL | _ACK | _MIC | _SECURE | _ENCRYPTED
                rsn = (int(ElementId.RSN), config.rsn_element() or b"")
                message = self._message(information, nonce=anonce, group_key=group_key, keys=keys, elements=(rsn,))
                return Send(sign(keys.kck, message.emit()), unprotected=True)
            case AwaitGroupMessage2(keys=keys, group_key=group_key):
                message = self._message(_ACK | _MIC | _SECURE | _ENCRYPTED, group_key=group_key, keys=keys)
                return Send(sign(keys.kck, message.emit()), unprotected=False)
            case Done():
                raise AssertionError("nothing is awaited")

    def _message(
        self,
        information: int,
        *,
        nonce: bytes = bytes(32),
        group_key: SendingGroupKey | None = None,
        keys: PairwiseKeys | None = None,
        elements: tuple[tuple[int, bytes], ...] = (),
    ) -> EapolKey:
        key_data = b""
        if group_key is not None and keys is not None:
            kde = GroupKey(group_key.key_id, group_key.key).emit()
            key_data = wrap_key_data(keys.kek, KeyData((*elements, kde)).emit())
        return EapolKey(
            key_information=information | self._version,
            replay_counter=self._replay_counter,
            key_length=key_length(self._config.cipher) if information & _PAIRWISE else 0,
            nonce=nonce,
            rsc=(0 if group_key is None else group_key.packet_number).to_bytes(6, "little") + bytes(2),
            key_data=key_data,
        )


_DESCRIPTOR_RSN: Final = 2
# Key Information (IEEE 802.11-2020 Figure 12-33)
_PAIRWISE: Final = 0x0008
_INSTALL: Final = 0x0040
_ACK: Final = 0x0080
_MIC: Final = 0x0100
_SECURE: Final = 0x0200
_ENCRYPTED: Final = 0x1000
