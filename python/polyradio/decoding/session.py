"""One station and one access point: their key exchanges, in whatever order and with whatever gaps they were heard.

Nonces of both sides are kept, each new one is paired with those of the other side, and a pair counts only where a MIC
agrees. Group keys come from what the access point sealed with such a key.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from polyradio._core import EapolKey, RsnElement
from polyradio.decoding.credentials import Credential
from polyradio.decoding.keys import KeyRing, TemporalKey
from polyradio.errors import LocalProtocolError, PolyradioError, RemoteProtocolError
from polyradio.rsn import (
    AKM_PSK,
    AKM_PSK_SHA256,
    AKM_SAE,
    CIPHER_CCMP_128,
    GroupKey,
    KeyData,
    PairwiseKeys,
    cipher_number,
    derive_ft_ptk,
    derive_ptk,
    ft_pmk_r0,
    ft_pmk_r1,
    key_length,
    unwrap_key_data,
    verify,
)
from polyradio.rsn.fast_transition import (
    ELEMENT_FAST_TRANSITION,
    ELEMENT_MOBILITY_DOMAIN,
    FastTransition,
    verify_transition,
)
from polyradio.rsn.kde import ELEMENT_RSN
from polyradio.rsn.suites import AKM_FT_8021X, AKM_FT_PSK, AKM_FT_SAE

Elements = Sequence[tuple[int, bytes]]

_KEPT: Final = 8
"""Nonces, keys and sealed messages that are kept of each kind; retransmissions come close to each other."""
_FT_AKMS: Final = frozenset({AKM_FT_8021X, AKM_FT_PSK, AKM_FT_SAE})
_AKM_OF_VERSION: Final = {0: AKM_SAE, 2: AKM_PSK, 3: AKM_PSK_SHA256}
_NO_NONCE: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class Negotiation:
    """What a station chose: the suites, and who holds its FT keys."""

    akm: int = 0
    """0: not heard."""
    cipher: int = CIPHER_CCMP_128
    group_cipher: int = CIPHER_CCMP_128
    mobility_domain: bytes | None = None
    r0kh_id: bytes | None = None
    r1kh_id: bytes | None = None

    def updated(self, elements: Elements) -> "Negotiation":
        """With what the elements of an association frame or of message 2 say."""
        found = dict(reversed(elements))
        changed = self
        with suppress(KeyError, RemoteProtocolError):
            rsn = RsnElement.parse(found[ELEMENT_RSN])
            if len(rsn.akm_suites) == 1 and len(rsn.pairwise_ciphers) == 1:
                [akm], [cipher] = rsn.akm_suites, rsn.pairwise_ciphers
                changed = replace(changed, akm=akm, cipher=cipher, group_cipher=rsn.group_cipher)
        if ELEMENT_MOBILITY_DOMAIN in found:
            changed = replace(changed, mobility_domain=found[ELEMENT_MOBILITY_DOMAIN][:2])
        transition = _transition(elements)
        if transition is not None and transition.r0kh_id is not None:
            changed = replace(changed, r0kh_id=transition.r0kh_id, r1kh_id=transition.r1kh_id)
        return changed

    def derive(
        self, credential: Credential, aa: bytes, spa: bytes, anonce: bytes, snonce: bytes
    ) -> PairwiseKeys | None:
        """The PTK under a credential; None where something is missing or the suites are not known."""
        try:
            if self.akm not in _FT_AKMS:
                return derive_ptk(credential.pmk, aa, spa, anonce, snonce, self.akm, self.cipher)
            if credential.ssid is None or self.mobility_domain is None or self.r0kh_id is None:
                return None
            r0 = ft_pmk_r0(credential.pmk, credential.ssid, self.mobility_domain, self.r0kh_id, spa)
            return derive_ft_ptk(ft_pmk_r1(r0, self.r1kh_id or aa, spa), aa, spa, anonce, snonce, self.cipher)
        except LocalProtocolError:
            return None


@dataclass(frozen=True, slots=True)
class FoundGroupKey:
    """A group key that an access point handed out."""

    key_id: int
    key: TemporalKey


@dataclass(slots=True)
class Found:
    """The keys that a frame brought to light."""

    pairwise: list[TemporalKey] = field(default_factory=list)
    group: list[FoundGroupKey] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Response:
    """A message of the station with its nonce: the proof of a key."""

    snonce: bytes
    pdu: bytes
    negotiation: Negotiation


@dataclass(frozen=True, slots=True)
class _Proven:
    """A PTK that a MIC agreed with."""

    keys: PairwiseKeys
    negotiation: Negotiation
    ssid: bytes | None


class Session:
    """The key exchanges of one station (`spa`) with one access point (`aa`)."""

    def __init__(self, aa: bytes, spa: bytes, ring: KeyRing) -> None:
        self.aa = aa
        self.spa = spa
        self.negotiation = Negotiation()
        self._ring = ring
        self._anonces: deque[bytes] = deque(maxlen=_KEPT)
        self._responses: deque[_Response] = deque(maxlen=_KEPT)
        self._sealed: deque[bytes] = deque(maxlen=_KEPT)
        self._proven: deque[_Proven] = deque(maxlen=_KEPT)
        self._paired: set[tuple[bytes, bytes]] = set()

    def negotiate(self, elements: Elements) -> None:
        """Notes what an association frame or message 2 says; request, response and message 2 add to each other."""
        self.negotiation = self.negotiation.updated(elements)
        if self.negotiation.akm:
            self._ring.cipher = _number(self.negotiation.cipher)

    def handle_eapol(self, key: EapolKey, pdu: bytes, credentials: Iterable[Credential]) -> Found:
        """Learns from an EAPOL-Key frame of the pair (IEEE 802.11-2020 12.7.6, 12.7.7)."""
        found = Found()
        if not key.has_ack:
            self._handle_response(key, pdu, credentials, found)
        else:
            if key.is_pairwise:
                self._handle_anonce(key.nonce, credentials, found)
            if key.has_mic and key.has_encrypted_key_data:
                self._handle_sealed(pdu, found)
        return found

    def handle_reassociation(self, elements: Elements, transaction: int, credentials: Iterable[Credential]) -> Found:
        """Learns from a reassociation frame of a fast BSS transition (IEEE 802.11-2020 13.8.4, 13.8.5)."""
        found = Found()
        transition = _transition(elements)
        self.negotiate(elements)
        if transition is None or _NO_NONCE in {transition.anonce, transition.snonce}:
            return found
        for credential, keys in self._derive_transition(transition, credentials):
            if verify_transition(keys.kck, self.spa, self.aa, transaction, elements):
                self._prove(keys, self.negotiation, credential, found)
                try:
                    group_key = transition.group_key(keys.kek)
                except RemoteProtocolError:
                    break
                if group_key is not None:
                    _take_group_key(group_key, self.negotiation, credential.ssid, found)
                break
        return found

    def handle_ft_authentication(self, elements: Elements, credentials: Iterable[Credential]) -> Found:
        """Learns from the response of an FT authentication (IEEE 802.11-2020 13.8.3), which has no MIC.

        Its keys are proven by the frames that they open, should the reassociation not be in the capture.
        """
        found = Found()
        transition = _transition(elements)
        self.negotiate(elements)
        if transition is None:
            return found
        for credential, keys in self._derive_transition(transition, credentials):
            self._take_pairwise_key(keys, self.negotiation, credential, found, is_proven=False)
        return found

    def _derive_transition(
        self, transition: FastTransition, credentials: Iterable[Credential]
    ) -> Iterable[tuple[Credential, PairwiseKeys]]:
        for credential in credentials:
            keys = self.negotiation.derive(credential, self.aa, self.spa, transition.anonce, transition.snonce)
            if keys is not None:
                yield credential, keys

    def _handle_anonce(self, anonce: bytes, credentials: Iterable[Credential], found: Found) -> None:
        if anonce == _NO_NONCE or anonce in self._anonces:
            return
        self._anonces.append(anonce)
        candidates = list(credentials)
        for response in self._responses:
            self._pair(anonce, response, candidates, found)

    def _handle_response(self, key: EapolKey, pdu: bytes, credentials: Iterable[Credential], found: Found) -> None:
        """Message 2; message 4 too, where the station repeats its nonce there."""
        if not key.is_pairwise or not key.has_mic or key.nonce == _NO_NONCE:
            return
        if any(response.pdu == pdu for response in self._responses):
            return
        with suppress(RemoteProtocolError):
            self.negotiate(KeyData.parse(key.key_data).elements)
        negotiation = self.negotiation
        if not negotiation.akm:
            negotiation = replace(negotiation, akm=_AKM_OF_VERSION.get(key.descriptor_version, AKM_PSK))
        response = _Response(key.nonce, pdu, negotiation)
        self._responses.append(response)
        candidates = list(credentials)
        for anonce in reversed(self._anonces):
            self._pair(anonce, response, candidates, found)

    def _pair(self, anonce: bytes, response: _Response, candidates: list[Credential], found: Found) -> None:
        if (anonce, response.snonce) in self._paired:
            return
        for credential in candidates:
            keys = response.negotiation.derive(credential, self.aa, self.spa, anonce, response.snonce)
            if keys is not None and _verify(keys.kck, response.pdu):
                self._paired.add((anonce, response.snonce))
                self._prove(keys, response.negotiation, credential, found)
                return

    def _prove(self, keys: PairwiseKeys, negotiation: Negotiation, credential: Credential, found: Found) -> None:
        proven = _Proven(keys, negotiation, credential.ssid)
        self._proven.append(proven)
        self._take_pairwise_key(keys, negotiation, credential, found)
        self._sealed = deque((pdu for pdu in self._sealed if not _unseal(pdu, proven, found)), maxlen=_KEPT)

    def _take_pairwise_key(
        self,
        keys: PairwiseKeys,
        negotiation: Negotiation,
        credential: Credential,
        found: Found,
        *,
        is_proven: bool = True,
    ) -> None:
        cipher = _number(negotiation.cipher)
        key = TemporalKey(keys.tk, cipher, is_group=False, ssid=credential.ssid, is_proven=is_proven)
        if self._ring.add(key):
            found.pairwise.append(key)

    def _handle_sealed(self, pdu: bytes, found: Found) -> None:
        if not any(_unseal(pdu, proven, found) for proven in reversed(self._proven)) and pdu not in self._sealed:
            self._sealed.append(pdu)


def _transition(elements: Elements) -> FastTransition | None:
    data = next((data for identifier, data in elements if identifier == ELEMENT_FAST_TRANSITION), b"")
    try:
        return FastTransition.parse(data)
    except RemoteProtocolError:
        return None


def _unseal(pdu: bytes, proven: _Proven, found: Found) -> bool:
    """Takes the group key out of message 3 or a group message; false where its MIC is not under this PTK."""
    if not _verify(proven.keys.kck, pdu):
        return False
    try:
        key = EapolKey.parse(pdu)
        version = key.descriptor_version
        key_data = unwrap_key_data(proven.keys.kek, key.key_data, descriptor_version=version, iv=key.iv)
        group_key = KeyData.parse(key_data).group_key
    except PolyradioError:
        return True
    if group_key is not None:
        _take_group_key(group_key, proven.negotiation, proven.ssid, found)
    return True


def _take_group_key(group_key: GroupKey, negotiation: Negotiation, ssid: bytes | None, found: Found) -> None:
    try:
        if len(group_key.key) != key_length(negotiation.group_cipher):
            return
    except LocalProtocolError:
        return
    key = TemporalKey(group_key.key, _number(negotiation.group_cipher), is_group=True, ssid=ssid)
    found.group.append(FoundGroupKey(group_key.key_id, key))


def _verify(kck: bytes, pdu: bytes) -> bool:
    try:
        return verify(kck, pdu)
    except RemoteProtocolError:
        return False


def _number(cipher: int) -> int:
    """A cipher suite's number; 0 for a vendor's."""
    try:
        return cipher_number(cipher)
    except LocalProtocolError:
        return 0
