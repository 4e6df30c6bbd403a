"""Handshakes with gaps and in wrong orders, from the frames of public captures."""

import itertools

import pytest

from polyradio._core import EapolKey, MacHeader, Management
from polyradio.decoding.decoder import Decoder, Verdict
from polyradio.decrypt import Network
from polyradio.ieee80211 import Subtype

EAPOL = bytes.fromhex("aaaa03000000888e")
MFP = "wireshark/wpa2-psk-mfp.pcapng.gz"
FT = "wireshark/wpa2-ft-psk.pcapng.gz"
REKEYS = "wireshark/wpa-test-decode.pcap.gz"


def _message(mpdu: bytes) -> int | None:
    """1 to 4 for the messages of a four-way handshake in the clear."""
    header = MacHeader.parse(mpdu)
    if header.frame_type != 2 or mpdu[header.length :][:8] != EAPOL:
        return None
    key = EapolKey.parse(mpdu[header.length + 8 :])
    if key.has_ack:
        return 3 if key.has_mic else 1
    return 2 if key.key_data else 4


def _is_protected(mpdu: bytes) -> bool:
    return MacHeader.parse(mpdu).protected


def _management(mpdu: bytes) -> Management | None:
    return Management.parse(mpdu) if MacHeader.parse(mpdu).frame_type == 0 else None


def _verdicts(networks: tuple[Network, ...], mpdus: list[bytes]) -> list[Verdict]:
    decoder = Decoder(networks)
    for number, mpdu in enumerate(mpdus, 1):
        decoder.handle_frame(number, mpdu)
    return [each.verdict for each in decoder.finish()]


def _decrypted(networks: tuple[Network, ...], mpdus: list[bytes]) -> int:
    return sum(verdict in {Verdict.OPENED, Verdict.REPLAY} for verdict in _verdicts(networks, mpdus))


def _parts(mpdus: list[bytes]) -> tuple[list[bytes], dict[int, bytes], list[bytes]]:
    """What is no handshake and not protected, the last of each message of the handshake, the protected frames."""
    messages = {message: mpdu for mpdu in mpdus if (message := _message(mpdu)) is not None}
    clear = [mpdu for mpdu in mpdus if not _is_protected(mpdu) and _message(mpdu) is None]
    return clear, messages, [mpdu for mpdu in mpdus if _is_protected(mpdu)]


@pytest.fixture
def mfp(captures):
    capture = captures[MFP]
    return capture.networks, *_parts([frame.frame for frame in capture.frames])


@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3, 4))), ids=str)
def test_a_handshake_is_understood_in_any_order(mfp, order):
    networks, clear, messages, protected = mfp
    assert _decrypted(networks, [*clear, *(messages[each] for each in order), *protected]) == len(protected)


@pytest.mark.parametrize(
    ("heard", "decrypted"),
    [
        ((2, 3), 9),
        ((1, 2, 3), 9),
        ((2, 3, 4), 9),
        ((1, 2, 4), 7),  # without message 3 there is no group key
        ((1, 2), 7),
        ((1, 3, 4), 0),  # without message 2 there is no nonce of the station
        ((3, 4), 0),
        ((), 0),
    ],
    ids=str,
)
def test_messages_may_be_lost(mfp, heard, decrypted):
    networks, clear, messages, protected = mfp
    assert _decrypted(networks, [*clear, *(messages[each] for each in heard), *protected]) == decrypted


def test_frames_heard_before_the_handshake_are_opened_too(mfp):
    networks, clear, messages, protected = mfp
    assert _decrypted(networks, [*clear, *protected, *messages.values()]) == len(protected)


def test_a_handshake_without_beacons_is_tried_with_all_networks(mfp):
    networks, _, messages, protected = mfp
    others = (Network(b"other", passphrase="passphrase"), *networks, Network(None, pmk=bytes(32)))
    decoder = Decoder(others)
    for number, mpdu in enumerate([*messages.values(), *protected]):
        decoder.handle_frame(number, mpdu)
    assert {each.verdict for each in decoder.finish()} == {Verdict.OPENED}
    assert decoder.ssid_of(MacHeader.parse(protected[0]).bssid) == b"Wireshark-pmf"


def test_a_handshake_with_a_wrong_mic_gives_no_key(mfp):
    networks, clear, messages, protected = mfp
    forged = bytearray(messages[2])
    forged[MacHeader.parse(messages[2]).length + 8 + 81] ^= 1
    assert _decrypted(networks, [*clear, messages[1], bytes(forged), messages[3], *protected]) == 0
    assert _decrypted(networks, [*clear, messages[1], bytes(forged), messages[2], messages[3], *protected]) == 9


def test_replays_are_opened_and_counted(mfp):
    networks, clear, messages, protected = mfp
    verdicts = _verdicts(networks, [*clear, *messages.values(), *protected, *protected])
    assert verdicts == [Verdict.OPENED] * 9 + [Verdict.REPLAY] * 9


def test_rekeys_that_are_protected_themselves_are_followed(captures):
    """The handshakes of the rekeys are sealed with the keys before them."""
    capture = captures[REKEYS]
    decoder = Decoder(capture.networks)
    for frame in capture.frames:
        decoder.handle_frame(frame.number, frame.frame)
    decoder.finish()
    pairwise = {key.octets.hex() for _, key in decoder.proven_keys() if not key.is_group}
    group = {key.octets.hex() for _, key in decoder.proven_keys() if key.is_group}
    assert pairwise == set(capture.index["derived_keys"]["tk"])
    assert group == set(capture.index["derived_keys"]["gtk"])


def test_a_capture_read_backwards_is_opened_as_well(captures):
    capture = captures[MFP]
    mpdus = [frame.frame for frame in reversed(capture.frames)]
    assert _decrypted(capture.networks, mpdus) == 9


def _ft_frames(captures, without: set[int]) -> tuple[tuple[Network, ...], list[bytes]]:
    """The FT capture without management frames of these subtypes once the first handshake is over."""
    capture = captures[FT]
    mpdus, is_over = [], False
    for frame in capture.frames:
        is_over = is_over or _message(frame.frame) == 4
        management = _management(frame.frame)
        if not (is_over and management is not None and management.subtype in without):
            mpdus.append(frame.frame)
    return capture.networks, mpdus


def test_a_transition_is_followed_by_its_reassociation_alone(captures):
    assert _decrypted(*_ft_frames(captures, {Subtype.AUTHENTICATION})) == 17
    assert _decrypted(*_ft_frames(captures, {Subtype.AUTHENTICATION, Subtype.REASSOCIATION_REQUEST})) == 17


def test_a_transition_is_followed_by_its_authentication_alone(captures):
    """Without the reassociation response the new group key is unknown; the pairwise key proves itself."""
    reassociation = {Subtype.REASSOCIATION_REQUEST, Subtype.REASSOCIATION_RESPONSE}
    networks, mpdus = _ft_frames(captures, reassociation)
    verdicts = _verdicts(networks, mpdus)
    whole = _verdicts(*_ft_frames(captures, set()))
    assert whole == [Verdict.OPENED] * 17
    assert 0 < verdicts.count(Verdict.NO_KEY) < 5
    assert verdicts.count(Verdict.OPENED) + verdicts.count(Verdict.NO_KEY) == 17


def test_a_transition_that_was_not_heard_leaves_its_frames_closed(captures):
    every = {Subtype.AUTHENTICATION, Subtype.REASSOCIATION_REQUEST, Subtype.REASSOCIATION_RESPONSE}
    verdicts = _verdicts(*_ft_frames(captures, every))
    assert verdicts.count(Verdict.NO_KEY) > 0
    assert verdicts.count(Verdict.OPENED) > 0


def test_a_key_that_nothing_proves_is_not_counted(captures):
    networks, mpdus = _ft_frames(captures, {Subtype.REASSOCIATION_REQUEST, Subtype.REASSOCIATION_RESPONSE})
    wrong = tuple(Network(network.ssid, passphrase="87654321") for network in networks)
    decoder = Decoder(wrong)
    for number, mpdu in enumerate(mpdus):
        decoder.handle_frame(number, mpdu)
    assert {each.verdict for each in decoder.finish()} == {Verdict.NO_KEY}
    assert decoder.proven_keys() == []


def test_the_keys_of_a_transition_are_those_of_the_capture(captures):
    capture = captures[FT]
    decoder = Decoder(capture.networks)
    for frame in capture.frames:
        decoder.handle_frame(frame.number, frame.frame)
    decoder.finish()
    pairwise = {key.octets.hex() for _, key in decoder.proven_keys() if not key.is_group}
    group = {key.octets.hex() for _, key in decoder.proven_keys() if key.is_group}
    assert pairwise == set(capture.index["derived_keys"]["tk"])
    # The oracles name only those that frames were under.
    assert group > set(capture.index["derived_keys"]["gtk"])


@pytest.mark.parametrize(
    ("name", "pairwise", "group"),
    [
        ("aircrack/wpa2.eapol.cap", 1, 1),
        ("aircrack/test23.pcap", 1, 1),  # messages 2 and 3
        ("aircrack/testm1m2m3.pcap", 1, 1),
        ("aircrack/MOM1.cap", 1, 0),  # five of message 2, one of message 1, none of message 3
    ],
)
def test_captures_of_a_handshake_alone_give_its_keys(captures, name, pairwise, group):
    capture = captures[name]
    decoder = Decoder(capture.networks)
    for frame in capture.frames:
        decoder.handle_frame(frame.number, frame.frame)
    keys = [key.is_group for _, key in decoder.proven_keys()]
    assert (keys.count(False), keys.count(True)) == (pairwise, group)
