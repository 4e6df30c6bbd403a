"""The supplicant on recorded handshakes, and on messages that break the rules."""

import pytest

from polyradio._core import EapolKey
from polyradio.rsn import GroupKey, IntegrityGroupKey, KeyData, derive_ptk, sign, wrap_key_data
from polyradio.rsn.suites import AKM_PSK, CIPHER_CCMP_128
from polyradio.station.actions import InstallKey, RemoveKey, SendEapol
from polyradio.station.bss_table import Security
from polyradio.station.events import GroupKeyInstalled, HandshakeCompleted, HandshakeRefused, HandshakeStarted
from polyradio.station.supplicant import AwaitMessage1, AwaitMessage3, Done, Link, Supplicant

STATION = bytes.fromhex("020000000001")
BSSID = bytes.fromhex("020000ff0001")
PMK = b"P" * 32
ANONCE, SNONCE = b"A" * 32, b"S" * 32
RSN = bytes.fromhex("0100000fac040100000fac040100000fac020000")
GTK = b"G" * 16
KEYS = derive_ptk(PMK, BSSID, STATION, ANONCE, SNONCE, AKM_PSK, CIPHER_CCMP_128)
MESSAGE_3 = 0x13CA
GROUP_1 = 0x1382


class Nonces:
    """Gives one nonce, always."""

    def __init__(self, nonce=SNONCE):
        self.nonce = nonce

    def randbytes(self, length):
        assert length == 32
        return self.nonce


def supplicant(**changes):
    values = {
        "station": STATION,
        "bssid": BSSID,
        "security": Security(AKM_PSK, CIPHER_CCMP_128, CIPHER_CCMP_128),
        "own_rsn": RSN,
        "bss_rsn": RSN,
        "pmk": PMK,
    }
    return Supplicant(Link(**(values | changes)), Nonces())


def message_1(replay_counter=1, **changes):
    values = {"key_information": 0x008A, "key_length": 16, "nonce": ANONCE}
    return EapolKey(replay_counter=replay_counter, **(values | changes)).emit()


def signed(replay_counter, elements=None, *, keys=KEYS, information=MESSAGE_3, key_data=None, **changes):
    if elements is None:
        elements = ((48, RSN), GroupKey(1, GTK).emit())
    if key_data is None:
        key_data = wrap_key_data(keys.kek, KeyData(tuple(elements)).emit())
    values = {"key_length": 16, "nonce": ANONCE, "rsc": b"\x05" + bytes(7)}
    pdu = EapolKey(key_information=information, replay_counter=replay_counter, key_data=key_data, **(values | changes))
    return sign(keys.kck, pdu.emit())


def group_1(replay_counter, key=GTK, key_id=2, **changes):
    elements = (GroupKey(key_id, key).emit(),)
    return signed(replay_counter, elements, information=GROUP_1, nonce=bytes(32), **changes)


def connected():
    made = supplicant()
    made.handle_eapol(message_1(1), protected=False)
    assert isinstance(made.handle_eapol(signed(2), protected=False).event, HandshakeCompleted)
    return made


def installs(handled):
    return [action for action in handled.actions if isinstance(action, InstallKey)]


def test_handshake_without_loss():
    made = supplicant()
    assert made.state == AwaitMessage1()
    assert made.removals() == ()
    first = made.handle_eapol(message_1(), protected=False)
    assert first.event == HandshakeStarted()
    (send,) = first.actions
    assert send.destination == BSSID
    assert send.unprotected
    assert made.state == AwaitMessage3(ANONCE, SNONCE, KEYS)
    second = made.handle_eapol(signed(2), protected=False)
    assert second.event == HandshakeCompleted()
    assert second.actions[0].unprotected
    assert second.actions[1:] == (
        InstallKey("pairwise", 0, 4, 0, KEYS.tk),
        InstallKey("group", 1, 4, 5, GTK),
    )
    assert isinstance(made.state, Done)
    assert made.removals() == (RemoveKey("pairwise", 0), RemoveKey("group", 1))


def recorded(vectors, number):
    handshake = vectors("eapol/handshakes.json")["handshakes"][number]
    message_2 = EapolKey.parse(bytes.fromhex(handshake["frames"]["m2"]))
    rsn = KeyData.parse(message_2.key_data).rsn_element
    key_data = KeyData.parse(bytes.fromhex(handshake["derived"]["m3_key_data"]))
    made = supplicant(
        station=bytes.fromhex(handshake["spa"].replace(":", "")),
        bssid=bytes.fromhex(handshake["aa"].replace(":", "")),
        pmk=bytes.fromhex(handshake["pmk"]),
        own_rsn=rsn,
        bss_rsn=key_data.rsn_element,
    )
    made._generator = Nonces(bytes.fromhex(handshake["snonce"]))
    return handshake, made


@pytest.mark.parametrize("number", [0, 1])
def test_recorded_handshakes_are_answered_octet_by_octet(vectors, number):
    handshake, made = recorded(vectors, number)
    for asked, answered in [("m1", "m2"), ("m3", "m4"), ("g1", "g2")]:
        if asked not in handshake["frames"]:
            continue
        handled = made.handle_eapol(bytes.fromhex(handshake["frames"][asked]), protected=asked == "g1")
        expected = bytearray.fromhex(handshake["frames"][answered])
        # The protocol version is each end's own choice, and it is signed.
        expected[0] = handled.actions[0].pdu[0]
        assert sign(bytes.fromhex(handshake["derived"]["kck"]), bytes(expected)) == handled.actions[0].pdu
        if asked == "m3":
            pairwise, group = installs(handled)
            assert pairwise.key.hex() == handshake["derived"]["tk"]
            assert group.key.hex() == handshake["derived"]["gtk_m3"]["gtk"]
            assert group.key_id == handshake["derived"]["gtk_m3"]["keyid"]
        if asked == "g1":
            (group,) = installs(handled)
            assert group.key.hex() == handshake["derived"]["gtk_g1"]["gtk"]


def test_recorded_retransmissions_install_nothing_again(vectors):
    """The key reinstallation attack, as iwd tests it."""
    handshake, made = recorded(vectors, 1)
    installed = []
    for step in handshake["retransmission_sequence"]["steps"]:
        handled = made.handle_eapol(bytes.fromhex(step["frame"]), protected=False)
        (send,) = (action for action in handled.actions if isinstance(action, SendEapol))
        assert send.pdu.hex() == step["expect_tx"], step["rx"]
        installed += installs(handled)
    assert [key.scope for key in installed] == ["pairwise", "group"]


def test_wpa1_handshake_is_not_taken(vectors):
    handshake = vectors("eapol/handshakes.json")["handshakes"][2]
    handled = supplicant().handle_eapol(bytes.fromhex(handshake["frames"]["m1"]), protected=False)
    assert handled.discarded == "EAPOL-Key descriptor of another kind"


@pytest.mark.parametrize("protected", [False, True])
def test_message_3_again_is_answered_and_installs_nothing(protected):
    made = connected()
    handled = made.handle_eapol(signed(3), protected=protected)
    assert installs(handled) == []
    (send,) = handled.actions
    assert EapolKey.parse(send.pdu).replay_counter == 3
    assert send.unprotected is not protected
    assert handled.event is None


def test_message_3_again_with_another_group_key_installs_nothing():
    made = connected()
    assert installs(made.handle_eapol(signed(3, ((48, RSN), GroupKey(2, b"H" * 16).emit())), protected=False)) == []


@pytest.mark.parametrize(
    "pdu",
    [
        signed(2),
        signed(1),
        message_1(2),
        group_1(2),
        message_1(3, nonce=b"B" * 32),
        group_1(1),
    ],
)
def test_replays_and_plaintext_are_discarded_once_connected(pdu):
    made = connected()
    before = made.state
    handled = made.handle_eapol(pdu, protected=False)
    assert handled.actions == ()
    assert handled.discarded
    assert made.state == before


def test_message_1_again_gets_the_same_nonce():
    made = supplicant()
    first = made.handle_eapol(message_1(1), protected=False)
    made._generator = Nonces(b"T" * 32)
    again = made.handle_eapol(message_1(1), protected=False)
    assert again.actions == first.actions
    later = made.handle_eapol(message_1(2), protected=False)
    assert EapolKey.parse(later.actions[0].pdu).nonce == SNONCE
    assert isinstance(made.handle_eapol(signed(2), protected=False).event, HandshakeCompleted)


@pytest.mark.parametrize(
    "pdu",
    [
        signed(2, keys=derive_ptk(b"Q" * 32, BSSID, STATION, ANONCE, SNONCE, AKM_PSK, CIPHER_CCMP_128)),
        signed(2)[:-1] + bytes([signed(2)[-1] ^ 1]),
        signed(2, nonce=b"B" * 32),
        signed(2, information=MESSAGE_3 & ~0x1000),
        signed(2, key_data=KeyData(((48, RSN), GroupKey(1, GTK).emit())).emit(), information=MESSAGE_3 & ~0x1000),
        signed(2, information=MESSAGE_3 & ~0x0040),
        signed(2, information=MESSAGE_3 & ~0x0080),
        signed(2, information=MESSAGE_3 | 0x0400),
        signed(2, information=MESSAGE_3 | 0x0800),
        signed(2, information=MESSAGE_3 & ~0x7 | 3),
        signed(2, ((48, RSN),)),
        signed(2, ((48, RSN), GroupKey(1, GTK[:15]).emit())),
        signed(2, ((48, RSN), GroupKey(1, GTK * 2).emit())),
        signed(2, ((48, RSN), GroupKey(1, bytes(16)).emit())),
        signed(2, key_length=32),
        signed(2, descriptor_type=254),
        signed(2)[:98],
        b"",
        bytes(200),
    ],
)
def test_wrong_message_3_is_discarded_and_the_right_one_still_counts(pdu):
    made = supplicant()
    made.handle_eapol(message_1(1), protected=False)
    before = made.state
    handled = made.handle_eapol(pdu, protected=False)
    assert handled.actions == ()
    assert handled.event is None
    assert handled.discarded
    assert made.state == before
    assert len(installs(made.handle_eapol(signed(2), protected=False))) == 2


def test_message_3_before_message_1_is_discarded():
    assert supplicant().handle_eapol(signed(1), protected=False).discarded == "message 3 before message 1"


def test_group_message_before_the_handshake_is_discarded():
    assert supplicant().handle_eapol(group_1(1), protected=True).discarded


def test_message_1_with_a_wrong_key_length_is_discarded():
    assert supplicant().handle_eapol(message_1(key_length=32), protected=False).discarded


@pytest.mark.parametrize("elements", [(), ((48, RSN[:-2] + b"\x0c\x00"),)])
def test_other_rsn_element_in_message_3_ends_the_handshake(elements):
    made = supplicant()
    made.handle_eapol(message_1(1), protected=False)
    handled = made.handle_eapol(signed(2, (*elements, GroupKey(1, GTK).emit())), protected=False)
    assert isinstance(handled.event, HandshakeRefused)
    assert handled.event.reason == 17
    assert handled.actions == ()


@pytest.mark.parametrize("key_id", [0, 1, 2, 3])
def test_group_keys_of_all_identifiers_are_installed(key_id):
    made = supplicant()
    made.handle_eapol(message_1(1), protected=False)
    extra = IntegrityGroupKey(4, 0, b"I" * 16).emit()
    handled = made.handle_eapol(signed(2, ((48, RSN), GroupKey(key_id, GTK).emit(), extra)), protected=False)
    assert installs(handled)[1].key_id == key_id


def test_group_key_is_renewed_with_its_counter():
    made = connected()
    handled = made.handle_eapol(group_1(3, b"H" * 16), protected=True)
    assert handled.event == GroupKeyInstalled()
    send, install = handled.actions
    assert not send.unprotected
    assert install == InstallKey("group", 2, 4, 5, b"H" * 16)
    assert made.removals()[1:] == (RemoveKey("group", 1), RemoveKey("group", 2))
    replay = made.handle_eapol(group_1(3, b"H" * 16), protected=True)
    assert replay.actions == ()


@pytest.mark.parametrize("key_id", [1, 2])
def test_group_key_that_is_installed_is_answered_but_not_installed_again(key_id):
    made = connected()
    handled = made.handle_eapol(group_1(3, GTK, key_id), protected=True)
    assert installs(handled) == []
    assert len(handled.actions) == 1


@pytest.mark.parametrize(
    "pdu",
    [
        group_1(3, keys=derive_ptk(b"Q" * 32, BSSID, STATION, ANONCE, SNONCE, AKM_PSK, CIPHER_CCMP_128)),
        group_1(3, GTK[:8]),
        group_1(3, key_data=GTK),
    ],
)
def test_wrong_group_message_is_discarded(pdu):
    made = connected()
    assert made.handle_eapol(pdu, protected=True).actions == ()
    assert installs(made.handle_eapol(group_1(3, b"H" * 16), protected=True))
