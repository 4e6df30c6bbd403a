"""Stations against an access point in simulated time: what works, what gets lost, what is attacked."""

import dataclasses
import random

import pytest

from polyradio._core import EapolKey, Management, ethernet_from_frame, frame_from_ethernet
from polyradio.access_point import StationPhase
from polyradio.errors import LocalProtocolError
from polyradio.ieee80211 import Subtype
from polyradio.rsn.suites import AKM_PSK_SHA256, CIPHER_CCMP_128, CIPHER_CCMP_256
from polyradio.station import Station, StationConfig, StationState

MILLISECOND = 1_000_000
SECOND = 1_000_000_000
STATION = bytes.fromhex("020000000001")
BSSID = bytes.fromhex("020000ff0001")

EXCHANGE = [
    "authentication",
    "association_request",
    "association_response",
    "message 1",
    "message 2",
    "message 3",
    "message 4",
]


def only(world):
    (end,) = world.ends.values()
    return end


def assert_keys_agree(world):
    for address, end in world.ends.items():
        assert end.pairwise is not None
        assert end.pairwise == world.keys[address]
        key_id, key = world.group
        assert end.groups[key_id][0] == key
        assert world.stations_set[address].authorized
        assert end.connection.state == 3
        assert end.connection.association_id == world.stations_set[address].association_id


def test_open_network_is_joined_without_keys(make_world):
    world = make_world(passphrase=None)
    end = only(world)
    end.station.start(0)
    world.run_until_connected()
    assert not end.installed
    assert end.connection.state == 3
    assert not end.connection.privacy
    assert end.connection.beacon_interval == 100
    assert end.channel == 1
    assert world.stations_set[STATION].authorized
    assert end.station.cipher is None
    assert [state for state, _ in end.reports] == [
        StationState.SCANNING,
        StationState.AUTHENTICATING,
        StationState.ASSOCIATING,
        StationState.COMPLETED,
    ]


@pytest.mark.parametrize("cipher", [CIPHER_CCMP_128, CIPHER_CCMP_256])
@pytest.mark.parametrize("akm", [None, AKM_PSK_SHA256])
def test_wpa2_network_is_joined_and_both_ends_have_the_keys(make_world, cipher, akm):
    world = make_world(cipher=cipher, **({} if akm is None else {"akm": akm}))
    world.packet_number = 0x010203040506
    end = only(world)
    end.station.start(0)
    world.run_until_connected()
    assert_keys_agree(world)
    assert [name for name in world.log if name.startswith("m")] == [f"message {i}" for i in range(1, 5)]
    assert [(key.scope, key.key_id, key.receive_counter) for key in end.installed] == [
        ("pairwise", 0, 0),
        ("group", 1, world.packet_number),
    ]
    assert {key.cipher for key in end.installed} == {cipher & 0xFF}
    assert end.station.cipher == cipher
    assert (end.station.bssid, end.station.channel, end.station.association_id) == (BSSID, 1, 1)
    assert end.connection.qos
    assert end.connection.privacy
    assert end.station.failure is None
    assert end.station.poll_timeout() is None


def test_qos_needs_both_ends(make_world):
    world = make_world(has_qos=False)
    only(world).station.start(0)
    world.run_until_connected()
    assert not only(world).connection.qos
    assert not world.stations_set[STATION].qos


def test_wrong_passphrase_is_said_by_both_ends(make_world):
    world = make_world(station_passphrase="wrong horse")
    end = only(world)
    end.station.start(0)
    world.run(5 * SECOND)
    assert "wrong passphrase? the access point never sent message 3" in end.station.failure
    assert "reason 15" in end.station.failure
    assert (STATION, StationPhase.GONE, "wrong passphrase: the MIC of message 2 is wrong") in world.ap_reports
    assert not end.installed
    assert "message 3" not in world.log
    world.run(60 * SECOND)
    assert 4 < end.scans < 12, "it goes on trying, ever more slowly"


def test_station_notices_a_wrong_passphrase_alone(make_world):
    world = make_world(station_passphrase="wrong horse", handshake_tries=20)
    world.lose = lambda name, _count: name == "deauthentication"
    only(world).station.start(0)
    world.run(5 * SECOND + 500 * MILLISECOND)
    assert only(world).station.failure == "wrong passphrase? the access point never sent message 3"
    assert only(world).station.state is StationState.DISCONNECTED


@pytest.mark.parametrize("name", EXCHANGE)
@pytest.mark.parametrize("times", [1, 2])
def test_lost_frames_are_sent_again(make_world, name, times):
    world = make_world()
    world.lose = lambda sent, count: sent == name and count < times
    only(world).station.start(0)
    world.run_until_connected()
    world.run(world.now + 5 * SECOND)
    assert_keys_agree(world)


@pytest.mark.parametrize("seed", range(40))
def test_every_station_connects_over_a_lossy_link(make_world, seed):
    """A third of all frames is lost. What the stations send then tells those whom the access point has given up."""
    world = make_world(count=3, seed=seed)
    dice = random.Random(seed)
    world.lose = lambda _name, _count: dice.random() < 0.33
    for end in world.ends.values():
        end.station.start(0)
    world.run(60 * SECOND)
    world.lose = lambda _name, _count: False
    world.run(world.now + 10 * SECOND)
    for address in world.ends:
        ethernet = BSSID + address + b"\x08\x00" + b"data"
        world.access_point.handle_frame(frame_from_ethernet(ethernet, bssid=BSSID, to_ds=True), world.now)
    world.run(world.now + 30 * SECOND)
    assert_keys_agree(world)
    assert len({end.pairwise for end in world.ends.values()}) == 3


def test_lost_message_4_is_repeated_and_no_key_is_installed_twice(make_world):
    world = make_world()
    world.lose = lambda name, count: name == "message 4" and count < 3
    end = only(world)
    end.station.start(0)
    world.run_until_connected()
    world.run(world.now + 5 * SECOND)
    assert world.log.count("message 3") == 4
    assert len(end.installed) == 2
    assert all(not sealed for _, name, _, sealed in world.sent if name == "message 4")
    assert_keys_agree(world)


def test_message_4_is_sent_before_its_key_is_installed(make_world):
    world = make_world()
    end = only(world)
    station = end.station
    station.start(0)
    world.run(10 * SECOND, stop=lambda: "message 3" in world.log)
    message_3 = ethernet_from_frame(world.sent[-1][2])[0][14:]
    station.handle_eapol(message_3, source=BSSID, protected=False, now=world.now)
    names = [type(action).__name__ for action in station.poll_actions()]
    assert names == ["SendEapol", "InstallKey", "InstallKey", "SetConnection", "ReportState"]


def test_replayed_message_3_is_discarded(make_world):
    world = make_world()
    end = only(world)
    end.station.start(0)
    world.run_until_connected()
    message_3 = next(frame for _, name, frame, _ in world.sent if name == "message 3")
    end.station.handle_eapol(ethernet_from_frame(message_3)[0][14:], source=BSSID, protected=False, now=world.now)
    assert end.station.poll_actions() == []
    assert end.station.discarded["replay counter is not larger than the last one"] == 1


def test_eapol_of_another_access_point_is_discarded(make_world):
    world = make_world()
    end = only(world)
    end.station.start(0)
    world.run_until_connected()
    end.station.handle_eapol(bytes(99), source=bytes(6), protected=False, now=world.now)
    assert end.station.poll_actions() == []
    assert end.station.discarded == {"EAPOL without an association": 1} | {
        key: count for key, count in end.station.discarded.items() if key != "EAPOL without an association"
    }


def test_group_key_is_renewed_for_all_stations_and_then_used(make_world):
    world = make_world(count=5, group_rekey_ns=20 * SECOND)
    for end in world.ends.values():
        end.station.start(0)
    world.run_until_connected()
    first = world.group
    world.packet_number = 77
    for turn in range(1, 4):
        world.run(turn * 20 * SECOND + SECOND)
        assert world.group != first
        assert world.group[0] == 1 + turn % 2
        first = world.group
        assert_keys_agree(world)
    assert world.log.count("group 1") == world.log.count("group 2") == 15
    assert all(sealed for _, name, _, sealed in world.sent if name.startswith("group"))
    for end in world.ends.values():
        assert [key.receive_counter for key in end.installed[2:]] == [0, 0, 0]
        assert StationState.GROUP_HANDSHAKE in {state for state, _ in end.reports}
        assert end.station.state is StationState.COMPLETED


@pytest.mark.parametrize("name", ["group 1", "group 2"])
def test_lost_group_messages_are_sent_again(make_world, name):
    world = make_world(count=2, group_rekey_ns=20 * SECOND)
    world.lose = lambda sent, count: sent == name and count < 2
    for end in world.ends.values():
        end.station.start(0)
    world.run_until_connected()
    before = world.group
    world.run(30 * SECOND)
    assert world.group != before
    assert_keys_agree(world)


def test_station_that_never_confirms_the_group_key_is_sent_away(make_world):
    world = make_world(count=2, group_rekey_ns=20 * SECOND)
    victim = world.ends[STATION]
    for end in world.ends.values():
        end.station.start(0)
    world.run_until_connected()
    before = world.group
    world.change = lambda name, frame: b"" if name == "group 2" and frame[10:16] == STATION else frame
    world.run(26 * SECOND)
    assert world.group != before
    assert (STATION, StationPhase.GONE, "no answer to group message 1") in world.ap_reports
    assert victim.station.state is not StationState.COMPLETED or victim.scans > 1


def test_station_that_joins_while_the_group_key_is_renewed_gets_the_next_one_too(make_world):
    world = make_world(count=2)
    late, early = world.ends.values()
    early.station.start(0)
    world.run(SECOND)
    late.station.start(world.now)
    world.run(10 * SECOND, stop=lambda: world.log.count("message 3") == 2)
    world.lose = lambda name, _count: name == "group 2"
    world.access_point.rekey_group(world.now)
    world.run(world.now + 50 * MILLISECOND)
    world.lose = lambda _name, _count: False
    world.run(world.now + 5 * SECOND)
    assert world.group[0] == 2
    assert_keys_agree(world)


def test_vanished_access_point_is_noticed_and_joined_again_when_it_returns(make_world):
    world = make_world()
    end = only(world)
    end.station.start(0)
    world.run_until_connected()
    world.is_on = False
    end.station.handle_beacon_loss(world.now)
    world.run(world.now + 2 * SECOND)
    assert "the access point vanished: no beacon and no answer to 3 probe requests" in end.station.failure
    assert end.pairwise is None
    assert not end.groups
    assert end.connection.state == 0
    world.run(world.now + 60 * SECOND)
    assert end.station.failure == "no access point with SSID 'net' was heard on channels 1, 6"
    world.is_on = True
    world.run_until_connected(within=30 * SECOND)
    assert end.station.failure is None
    assert_keys_agree(world)


def test_missing_beacons_are_forgiven_where_the_access_point_answers(make_world):
    world = make_world()
    end = only(world)
    end.station.start(0)
    world.run_until_connected()
    world.lose = lambda name, count: name == "probe_response" and count < 3
    end.station.handle_beacon_loss(world.now)
    end.station.handle_beacon_loss(world.now)
    world.run(world.now + 5 * SECOND)
    assert end.station.state is StationState.COMPLETED
    assert end.scans == 1
    assert end.station.poll_timeout() is None


def test_deauthenticated_station_comes_back(make_world):
    world = make_world()
    end = only(world)
    end.station.start(0)
    world.run_until_connected()
    first = end.pairwise
    world.access_point.disconnect(STATION, 4, world.now)
    world.run(world.now + 50 * MILLISECOND)
    assert end.station.state is StationState.DISCONNECTED
    assert end.station.failure == "the access point deauthenticated this station: reason 4 (inactivity)"
    world.run_until_connected()
    assert_keys_agree(world)
    assert end.pairwise != first


def test_deauthentication_by_a_stranger_is_ignored(make_world):
    world = make_world()
    end = only(world)
    end.station.start(0)
    world.run_until_connected()
    for source, bssid in [(bytes(5) + b"\1", BSSID), (bytes(5) + b"\1", bytes(5) + b"\1")]:
        frame = Management(Subtype.DEAUTHENTICATION, STATION, source, bssid, reason=3).emit()
        end.station.handle_frame(frame, channel=1, signal_dbm=-40, now=world.now)
    frame = Management(Subtype.DEAUTHENTICATION, bytes(6), BSSID, BSSID, reason=3).emit()
    end.station.handle_frame(frame, channel=1, signal_dbm=-40, now=world.now)
    assert end.station.state is StationState.COMPLETED


def test_stopped_station_says_goodbye(make_world):
    world = make_world()
    end = only(world)
    end.station.start(0)
    world.run_until_connected()
    end.station.stop(world.now)
    world.run(world.now + 60 * SECOND)
    assert end.station.state is StationState.DISCONNECTED
    assert end.scans == 1
    assert not world.access_point.stations
    assert not world.stations_set
    assert end.pairwise is None


def test_station_joins_again_where_its_association_was_lost_on_one_side(make_world):
    world = make_world()
    end = only(world)
    end.station.start(0)
    world.run_until_connected()
    world.lose = lambda name, _count: name == "deauthentication"
    end.station.stop(world.now)
    world.run(world.now + SECOND)
    assert STATION in world.access_point.stations
    world.lose = lambda _name, _count: False
    end.station.start(world.now)
    world.run_until_connected()
    assert_keys_agree(world)


def test_no_access_point_is_a_clear_sentence(make_world):
    world = make_world()
    world.is_on = False
    only(world).station.start(0)
    world.run(300 * MILLISECOND)
    assert only(world).station.failure == "no access point with SSID 'net' was heard on channels 1, 6"


@pytest.mark.parametrize(
    ("ap_passphrase", "station_passphrase", "sentence"),
    [
        ("correct horse", None, "it wants a passphrase, and none is configured"),
        (None, "correct horse", "it is an open network, and a passphrase is configured"),
    ],
)
def test_mismatched_networks_are_a_clear_sentence(make_world, ap_passphrase, station_passphrase, sentence):
    world = make_world(passphrase=ap_passphrase, station_passphrase=station_passphrase)
    only(world).station.start(0)
    world.run(SECOND)
    assert only(world).station.failure == f"access point 02:00:00:ff:00:01 cannot be joined: {sentence}"


def test_silent_access_point_is_a_clear_sentence(make_world):
    world = make_world()
    world.lose = lambda name, _count: name == "authentication"
    only(world).station.start(0)
    world.run(3 * SECOND)
    failure = only(world).station.failure
    assert failure == "access point 02:00:00:ff:00:01 did not answer the authentication (3 tries)"
    assert world.log.count("authentication") >= 3


def test_changed_rsn_element_in_the_beacon_ends_the_handshake(make_world):
    """A downgrade: the beacon that the station heard is not the access point's own."""
    world = make_world()
    end = only(world)
    frame = Management.parse(world.beacon or world.access_point.poll_actions()[0].frame)
    frame.elements = [(i, data[:-2] + b"\x00\x80" if i == 48 else data) for i, data in frame.elements]
    world.hear_beacon = lambda end: end.station.handle_frame(frame.emit(), channel=1, signal_dbm=-40, now=world.now)
    world.lose = lambda name, _count: name == "probe_response"
    end.station.start(0)
    world.run(SECOND)
    assert "the RSN element of message 3 is not that of the beacon" in end.station.failure
    assert not end.installed


def test_exhausted_key_leads_to_new_keys(make_world):
    world = make_world()
    end = only(world)
    end.station.start(0)
    world.run_until_connected()
    first = end.pairwise
    end.station.handle_key_exhausted(world.now)
    assert end.station.failure == "the key has used up its packet numbers"
    world.run_until_connected()
    assert end.pairwise != first


def test_scan_that_nobody_ends_ends_itself():
    station = Station(StationConfig(STATION, b"net", None, (1,), seed=1))
    station.start(0)
    assert station.state is StationState.SCANNING
    station.handle_timeout(station.poll_timeout())
    assert station.failure == "no access point with SSID 'net' was heard on channels 1"


def test_malformed_frames_are_counted_and_change_nothing(make_world):
    world = make_world()
    end = only(world)
    end.station.start(0)
    world.run_until_connected()
    beacon = world.beacon
    dice = random.Random(3)
    for _ in range(2000):
        octets = bytearray(dice.choice([beacon, *(frame for _, _, frame, _ in world.sent)]))
        del octets[dice.randrange(len(octets) + 1) :]
        for _ in range(dice.randrange(4)):
            if octets:
                octets[dice.randrange(len(octets))] = dice.randrange(256)
        if bytes(octets[10:16]) == BSSID and octets[:1] in (b"\xa0", b"\xc0"):
            continue
        end.station.handle_frame(bytes(octets), channel=1, signal_dbm=-40, now=world.now)
        end.station.handle_eapol(bytes(octets), source=BSSID, protected=True, now=world.now)
        world.access_point.handle_frame(bytes(octets), world.now)
    assert end.station.state is StationState.COMPLETED
    assert len(end.installed) == 2


def test_same_seed_gives_the_same_frames(make_world):
    def frames(seed):
        world = make_world(seed=seed)
        only(world).station.start(0)
        world.run(5 * SECOND)
        return [(at, frame) for at, _, frame, _ in world.sent]

    assert frames(1) == frames(1)
    assert frames(1) != frames(2)


def test_nothing_secret_is_shown(make_world):
    world = make_world()
    end = only(world)
    end.station.start(0)
    world.run_until_connected()
    shown = repr(end.station.config) + repr(world.access_point.config) + repr(end.installed)
    assert "correct horse" not in shown
    for key in end.installed:
        assert repr(key.key) not in shown
        assert key.key.hex() not in shown
    assert "seed" not in repr(end.station.config)


@pytest.mark.parametrize(
    "change",
    [{"address": b"\1" * 6}, {"address": b"\2"}, {"ssid": b""}, {"ssid": b"x" * 33}, {"channels": ()}],
)
def test_impossible_configurations_are_refused(change):
    config = StationConfig(STATION, b"net", None, (1,), seed=1)
    with pytest.raises(LocalProtocolError):
        dataclasses.replace(config, **change)


def test_pairwise_key_is_renewed_under_the_old_one(make_world):
    """The access point's authenticator does not begin this by itself: message 1 and 3 are made here."""
    from polyradio.rsn import GroupKey, KeyData, derive_ptk, pmk_from_passphrase, sign, wrap_key_data

    world = make_world()
    end = only(world)
    station = end.station
    station.start(0)
    world.run_until_connected()
    pmk = pmk_from_passphrase("correct horse", b"net")
    anonce = b"N" * 32
    message_1 = EapolKey(key_information=0x028A, replay_counter=50, key_length=16, nonce=anonce).emit()
    station.handle_eapol(message_1, source=BSSID, protected=False, now=world.now)
    assert station.poll_actions() == [], "in the clear it is not believed"
    station.handle_eapol(message_1, source=BSSID, protected=True, now=world.now)
    send = station.poll_actions()[0]
    assert not send.unprotected
    message_2 = EapolKey.parse(send.pdu)
    assert message_2.is_secure
    assert station.state is StationState.FOUR_WAY_HANDSHAKE
    keys = derive_ptk(pmk, BSSID, STATION, anonce, message_2.nonce, 2, 4)
    rsn = (48, world.access_point.config.rsn_element())
    data = KeyData((rsn, GroupKey(1, world.group[1]).emit()))
    message_3 = EapolKey(
        key_information=0x13CA,
        replay_counter=51,
        key_length=16,
        nonce=anonce,
        key_data=wrap_key_data(keys.kek, data.emit()),
    )
    station.handle_eapol(sign(keys.kck, message_3.emit()), source=BSSID, protected=True, now=world.now)
    message_4, install, *_ = station.poll_actions()
    assert not message_4.unprotected
    assert install.key == keys.tk
    assert station.state is StationState.COMPLETED


def test_data_of_other_kinds_in_eapol_frames_is_harmless(make_world):
    world = make_world()
    only(world).station.start(0)
    world.run_until_connected()
    ethernet = BSSID + STATION + b"\x88\x8e" + b"\x02\x01\x00\x00"
    world.access_point.handle_frame(frame_from_ethernet(ethernet, bssid=BSSID, to_ds=True), world.now)
    only(world).station.handle_eapol(b"\x02\x01\x00\x00", source=BSSID, protected=True, now=world.now)
    assert only(world).station.state is StationState.COMPLETED
