"""The supplicant: the station's end of the four-way and the group key handshake (IEEE 802.11-2020 12.7.6, 12.7.7).

Each state owns only what is valid in it:

    AwaitMessage1 --message 1--> AwaitMessage3 --message 3--> Done

`Done` stays: message 3 again is answered and installs nothing, a group message 1 brings a new group key, and a
protected message 1 begins another four-way handshake beside the keys that are in use.

The promises: nothing is installed that the access point did not sign with a fresh replay counter; no key is installed
twice (the key reinstallation attacks, CVE-2017-13077 to 13080); message 4 goes out before its key is installed.
"""

import hmac
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from polyradio._core import EapolKey
from polyradio.errors import RemoteProtocolError
from polyradio.ieee80211 import ElementId, Reason
from polyradio.rsn import (
    GroupKey,
    KeyData,
    KeyGenerator,
    PairwiseKeys,
    cipher_number,
    derive_ptk,
    key_length,
    sign,
    verify,
)
from polyradio.rsn.eapol import unwrap_key_data
from polyradio.rsn.suites import descriptor_version
from polyradio.station.actions import Action, InstallKey, RemoveKey, SendEapol
from polyradio.station.bss_table import Security
from polyradio.station.events import (
    GroupKeyInstalled,
    HandshakeCompleted,
    HandshakeRefused,
    HandshakeStarted,
    SupplicantEvent,
)


@dataclass(frozen=True, slots=True)
class AwaitMessage1:
    """Nothing is agreed."""


@dataclass(frozen=True, slots=True)
class AwaitMessage3:
    """Message 2 was sent; message 1 may come again, message 3 is due."""

    anonce: bytes
    snonce: bytes
    keys: PairwiseKeys


@dataclass(frozen=True, slots=True)
class Done:
    """Keys are installed."""

    anonce: bytes
    keys: PairwiseKeys
    group_keys: dict[int, bytes] = field(repr=False)
    """By key id, as installed."""
    rekey: AwaitMessage3 | None = None
    """Another four-way handshake, under way beside these keys."""


SupplicantState: TypeAlias = AwaitMessage1 | AwaitMessage3 | Done


@dataclass(frozen=True, slots=True)
class Link:
    """What both ends know before the first message."""

    station: bytes
    bssid: bytes
    security: Security
    own_rsn: bytes
    """Data of the RSN element of the association request."""
    bss_rsn: bytes
    """Data of the RSN element of the access point's beacon."""
    pmk: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Handled:
    """What came of a PDU: nothing, where it was discarded."""

    actions: tuple[Action, ...] = ()
    event: SupplicantEvent | None = None
    discarded: str | None = None
    """Why it was discarded; None where it was not."""


class Supplicant:
    """The key handshakes of one association. A new association needs a new supplicant.

    Args:
        link: what both ends know.
        generator: gives the SNonces.
    """

    def __init__(self, link: Link, generator: KeyGenerator) -> None:
        self.state: SupplicantState = AwaitMessage1()
        self._link = link
        self._generator = generator
        self._replay_counter = -1
        self._version = descriptor_version(link.security.akm, link.security.pairwise_cipher)

    def handle_eapol(self, pdu: bytes, *, protected: bool) -> Handled:
        """Takes an EAPOL PDU of the access point, `protected` where it came sealed with the pairwise key."""
        try:
            key = EapolKey.parse(pdu)
        except RemoteProtocolError:
            return Handled(discarded="malformed EAPOL-Key frame")
        try:
            return self._handle_key(key, pdu, protected=protected)
        except RemoteProtocolError:
            return Handled(discarded="key data of no use")

    def removals(self) -> tuple[Action, ...]:
        """Removes every key that this supplicant had installed."""
        if not isinstance(self.state, Done):
            return ()
        groups = (RemoveKey("group", key_id) for key_id in sorted(self.state.group_keys))
        return (RemoveKey("pairwise", 0), *groups)

    def _handle_key(self, key: EapolKey, pdu: bytes, *, protected: bool) -> Handled:
        if key.descriptor_type != _DESCRIPTOR_RSN or key.descriptor_version != self._version:
            return Handled(discarded="EAPOL-Key descriptor of another kind")
        if not key.has_ack or key.is_request or key.has_error or key.is_smk_message:
            return Handled(discarded="not a message of an authenticator")
        # IEEE 802.11-2020 12.7.2: a counter that is not larger than the last one of a valid message is a replay.
        if key.replay_counter <= self._replay_counter:
            return Handled(discarded="replay counter is not larger than the last one")
        if key.is_pairwise and not key.has_mic:
            return self._handle_message_1(key, protected=protected)
        if key.is_pairwise:
            return self._handle_message_3(key, pdu, protected=protected)
        return self._handle_group_message_1(key, pdu, protected=protected)

    def _handle_message_1(self, key: EapolKey, *, protected: bool) -> Handled:
        # IEEE 802.11-2020 12.7.6.2. Not signed: nothing but the handshake's own state may change.
        if key.key_length != key_length(self._link.security.pairwise_cipher):
            return Handled(discarded="key length is not the cipher's")
        if isinstance(self.state, Done):
            if not protected:
                return Handled(discarded="message 1 in the clear while keys are installed")
            pending = self._answer(key, self.state.rekey)
            self.state = replace(self.state, rekey=pending)
        else:
            pending = self._answer(key, self.state if isinstance(self.state, AwaitMessage3) else None)
            self.state = pending
        rekey = isinstance(self.state, Done)
        rsn = bytes([ElementId.RSN, len(self._link.own_rsn)]) + self._link.own_rsn
        information = _PAIRWISE | _MIC | (_SECURE if rekey else 0)
        message_2 = self._reply(key, information, pending.keys, nonce=pending.snonce, key_data=rsn)
        return Handled((self._send(message_2, protected=rekey),), HandshakeStarted())

    def _answer(self, key: EapolKey, before: AwaitMessage3 | None) -> AwaitMessage3:
        """The handshake that message 1 asks for: message 1 again gets the same SNonce."""
        if before is not None and before.anonce == key.nonce:
            return before
        snonce = before.snonce if before is not None else self._generator.randbytes(32)
        link = self._link
        keys = derive_ptk(
            link.pmk,
            link.bssid,
            link.station,
            key.nonce,
            snonce,
            link.security.akm,
            link.security.pairwise_cipher,
        )
        return AwaitMessage3(anonce=key.nonce, snonce=snonce, keys=keys)

    def _handle_message_3(self, key: EapolKey, pdu: bytes, *, protected: bool) -> Handled:
        match self.state:
            case AwaitMessage1():
                return Handled(discarded="message 3 before message 1")
            case AwaitMessage3() as pending:
                return self._accept_message_3(key, pdu, pending, protected=protected)
            case Done(rekey=AwaitMessage3() as pending) if self._is_signed(key, pdu, pending):
                return self._accept_message_3(key, pdu, pending, protected=protected)
            case Done(anonce=anonce, keys=keys):
                if key.nonce != anonce or not verify(keys.kck, pdu):
                    return Handled(discarded="MIC or nonce of message 3 is wrong")
                # The access point has missed message 4: it hears it again, and that is all.
                self._replay_counter = key.replay_counter
                return Handled((self._message_4(key, keys, protected=protected),))

    def _accept_message_3(self, key: EapolKey, pdu: bytes, pending: AwaitMessage3, *, protected: bool) -> Handled:
        # IEEE 802.11-2020 12.7.6.4
        if not self._is_signed(key, pdu, pending):
            return Handled(discarded="MIC or nonce of message 3 is wrong")
        if not key.has_install or key.key_length != key_length(self._link.security.pairwise_cipher):
            return Handled(discarded="message 3 does not install a key of the cipher's length")
        data = self._open_key_data(key, pending.keys)
        if data.rsn_element != self._link.bss_rsn:
            return Handled(
                event=HandshakeRefused(
                    Reason.HANDSHAKE_ELEMENT_MISMATCH,
                    "the RSN element of message 3 is not that of the beacon: somebody may be forcing a weaker cipher",
                )
            )
        group_key = self._group_key(data)
        if not any(pending.keys.tk):
            return Handled(discarded="an all-zero key is never installed")
        self._replay_counter = key.replay_counter
        installed = self.state.group_keys if isinstance(self.state, Done) else {}
        pairwise = InstallKey(
            "pairwise", 0, cipher_number(self._link.security.pairwise_cipher), receive_counter=0, key=pending.keys.tk
        )
        actions: list[Action] = [self._message_4(key, pending.keys, protected=protected), pairwise]
        group = self._install_group_key(key, group_key, installed)
        if group is not None:
            actions.append(group)
        self.state = Done(pending.anonce, pending.keys, installed | {group_key.key_id: group_key.key})
        return Handled(tuple(actions), HandshakeCompleted())

    def _handle_group_message_1(self, key: EapolKey, pdu: bytes, *, protected: bool) -> Handled:
        # IEEE 802.11-2020 12.7.7.2
        if not isinstance(self.state, Done):
            return Handled(discarded="group key handshake before the four-way handshake")
        if not protected:
            return Handled(discarded="group message 1 in the clear while keys are installed")
        if not key.has_mic or not verify(self.state.keys.kck, pdu):
            return Handled(discarded="MIC of group message 1 is wrong")
        group_key = self._group_key(self._open_key_data(key, self.state.keys))
        self._replay_counter = key.replay_counter
        message_2 = self._reply(key, _MIC | _SECURE, self.state.keys)
        actions: list[Action] = [self._send(message_2, protected=True)]
        install = self._install_group_key(key, group_key, self.state.group_keys)
        if install is None:
            return Handled(tuple(actions))
        actions.append(install)
        group_keys = self.state.group_keys | {group_key.key_id: group_key.key}
        self.state = replace(self.state, group_keys=group_keys)
        return Handled(tuple(actions), GroupKeyInstalled())

    def _install_group_key(self, key: EapolKey, group_key: GroupKey, installed: dict[int, bytes]) -> InstallKey | None:
        """Installs it with its Key RSC, unless it is installed: that would reset its receive counter."""
        if any(hmac.compare_digest(group_key.key, known) for known in installed.values()):
            return None
        return InstallKey(
            "group",
            group_key.key_id,
            cipher_number(self._link.security.group_cipher),
            receive_counter=int.from_bytes(key.rsc[:6], "little"),
            key=group_key.key,
        )

    def _open_key_data(self, key: EapolKey, keys: PairwiseKeys) -> KeyData:
        if not key.has_encrypted_key_data or not key.is_secure:
            raise RemoteProtocolError("a group key must come encrypted")
        return KeyData.parse(unwrap_key_data(keys.kek, key.key_data, descriptor_version=self._version, iv=key.iv))

    def _group_key(self, data: KeyData) -> GroupKey:
        group_key = data.group_key
        if group_key is None:
            raise RemoteProtocolError("the key data holds no group key")
        if len(group_key.key) != key_length(self._link.security.group_cipher) or not any(group_key.key):
            raise RemoteProtocolError("the group key is not one of the group cipher")
        return group_key

    @staticmethod
    def _is_signed(key: EapolKey, pdu: bytes, pending: AwaitMessage3) -> bool:
        return key.nonce == pending.anonce and verify(pending.keys.kck, pdu)

    def _message_4(self, key: EapolKey, keys: PairwiseKeys, *, protected: bool) -> SendEapol:
        return self._send(self._reply(key, _PAIRWISE | _MIC | _SECURE, keys), protected=protected)

    def _reply(
        self, to: EapolKey, information: int, keys: PairwiseKeys, *, nonce: bytes = bytes(32), key_data: bytes = b""
    ) -> bytes:
        reply = EapolKey(
            key_information=information | self._version,
            replay_counter=to.replay_counter,
            nonce=nonce,
            key_data=key_data,
        )
        return sign(keys.kck, reply.emit())

    def _send(self, pdu: bytes, *, protected: bool) -> SendEapol:
        return SendEapol(self._link.bssid, pdu, unprotected=not protected)


_DESCRIPTOR_RSN: Final = 2
# Key Information (IEEE 802.11-2020 Figure 12-33)
_PAIRWISE: Final = 0x0008
_MIC: Final = 0x0100
_SECURE: Final = 0x0200
