"""Who is admitted by an access point, who is refused, and what strangers hear."""

import random

import pytest

from polyradio._core import EapolKey, MacHeader, Management, RsnElement, ethernet_from_frame, frame_from_ethernet
from polyradio.access_point import (
    AccessPoint,
    AccessPointConfig,
    InstallKey,
    RemoveStation,
    ReportStation,
    SendFrame,
    SetBeacon,
    SetStation,
    StationPhase,
)
from polyradio.errors import LocalProtocolError
from polyradio.ieee80211 import WMM_INFORMATION, Reason, Status, Subtype, has_wmm
from polyradio.rsn.suites import AKM_SAE, CIPHER_CCMP_256

SECOND = 1_000_000_000
BSSID = bytes.fromhex("020000ff0001")
STATION = bytes.fromhex("020000000001")
STRANGER = bytes.fromhex("020000000099")
BROADCAST = b"\xff" * 6
RATES = (1, b"\x82\x84")
RSN = RsnElement(capabilities=0x000C).emit()


def access_point(passphrase="correct horse", **options):
    made = AccessPoint(AccessPointConfig(BSSID, b"net", 6, passphrase, seed=1, **options))
    made.start(0)
    made.poll_actions()
    return made


def frame(subtype, source=STATION, elements=(), *, destination=BSSID, bssid=BSSID, **fields):
    return Management(subtype, destination, source, bssid, elements=elements, **fields).emit()


def authentication(source=STATION, **changes):
    return frame(Subtype.AUTHENTICATION, source, **({"algorithm": 0, "transaction": 1} | changes))


def association(source=STATION, *, rsn=RSN, ssid=b"net", qos=True, subtype=Subtype.ASSOCIATION_REQUEST, **fields):
    elements = [(0, ssid), RATES]
    if rsn is not None:
        elements.append((48, rsn))
    if qos:
        elements.append((221, WMM_INFORMATION))
    return frame(subtype, source, elements, capability=0x11, listen_interval=10, **fields)


def sent(actions):
    return [
        Management.parse(action.frame)
        for action in actions
        if isinstance(action, SendFrame) and MacHeader.parse(action.frame).frame_type == 0
    ]


def join(made, source=STATION, now=0, **options):
    made.handle_frame(authentication(source), now)
    made.handle_frame(association(source, **options), now)
    return made.poll_actions()


def test_beacon_says_what_the_network_is():
    made = AccessPoint(AccessPointConfig(BSSID, b"net", 6, "correct horse", seed=1, beacon_interval=200))
    made.start(0)
    beacon, key = made.poll_actions()
    assert isinstance(beacon, SetBeacon)
    assert beacon.interval_tu == 200
    parsed = Management.parse(beacon.frame)
    assert (parsed.subtype, parsed.destination, parsed.source, parsed.bssid) == (8, BROADCAST, BSSID, BSSID)
    assert parsed.beacon_interval == 200
    assert parsed.capability & 0x11 == 0x11
    assert parsed.element(0) == b"net"
    assert parsed.element(3) == b"\x06"
    assert parsed.element(48) == RSN
    assert has_wmm(parsed.elements)
    identifiers = [identifier for identifier, _ in parsed.elements]
    assert identifiers == sorted(identifiers)
    assert 5 not in identifiers, "the TIM is filled in at each sending"
    assert isinstance(key, InstallKey)
    assert (key.address, key.key_id, key.cipher, len(key.key)) == (None, 1, 4, 16)


def test_open_network_says_so():
    made = AccessPoint(AccessPointConfig(BSSID, b"net", 36, None, seed=1, has_qos=False))
    made.start(0)
    (beacon,) = made.poll_actions()
    parsed = Management.parse(beacon.frame)
    assert not parsed.capability & 0x10
    assert {identifier for identifier, _ in parsed.elements} == {0, 1}
    assert made.poll_timeout() is None


@pytest.mark.parametrize(
    ("elements", "destination", "is_answered"),
    [
        ([(0, b"net")], BROADCAST, True),
        ([(0, b"")], BROADCAST, True),
        ([(0, b"net"), (3, b"\x06")], BSSID, True),
        ([(0, b"other")], BROADCAST, False),
        ([(0, b"net"), (3, b"\x01")], BROADCAST, False),
        ([(0, b"net")], STRANGER, False),
        ([], BROADCAST, False),
    ],
)
def test_probe_requests_for_this_network_are_answered(elements, destination, is_answered):
    made = access_point()
    made.handle_frame(
        frame(Subtype.PROBE_REQUEST, elements=elements, destination=destination, bssid=destination), 5_000_000
    )
    answers = sent(made.poll_actions())
    assert [answer.subtype for answer in answers] == [Subtype.PROBE_RESPONSE] * is_answered
    if is_answered:
        assert (answers[0].destination, answers[0].timestamp, answers[0].element(0)) == (STATION, 5000, b"net")


def test_station_is_admitted_step_by_step():
    made = access_point()
    made.handle_frame(authentication(), 0)
    report, answer = made.poll_actions()
    assert report == ReportStation(STATION, StationPhase.AUTHENTICATED, "")
    parsed = Management.parse(answer.frame)
    assert (parsed.algorithm, parsed.transaction, parsed.status) == (0, 2, 0)
    made.handle_frame(association(), 0)
    actions = made.poll_actions()
    (parsed,) = sent(actions)
    assert (parsed.subtype, parsed.status, parsed.association_id & 0x3FFF) == (1, 0, 1)
    assert has_wmm(parsed.elements)
    assert SetStation(STATION, 1, True, False, True) in actions
    assert ReportStation(STATION, StationPhase.ASSOCIATED, "") in actions
    assert actions[-1].unprotected
    key = EapolKey.parse(ethernet_from_frame(actions[-1].frame)[0][14:])
    assert (key.key_information, key.replay_counter, key.key_length) == (0x008A, 1, 16)
    assert made.stations == {STATION: StationPhase.ASSOCIATED}


def test_station_of_an_open_network_may_speak_at_once():
    made = access_point(None)
    actions = join(made, rsn=None, qos=False)
    assert SetStation(STATION, 1, False, True, False) in actions
    assert ReportStation(STATION, StationPhase.AUTHORIZED, "") in actions
    assert made.poll_timeout() is None


def test_reassociation_is_answered_as_such():
    made = access_point(None)
    made.handle_frame(authentication(), 0)
    made.handle_frame(association(subtype=Subtype.REASSOCIATION_REQUEST, current_ap=STRANGER), 0)
    assert [parsed.subtype for parsed in sent(made.poll_actions())] == [11, Subtype.REASSOCIATION_RESPONSE]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"algorithm": 1}, Status.UNSUPPORTED_AUTHENTICATION_ALGORITHM),
        ({"algorithm": 3}, Status.UNSUPPORTED_AUTHENTICATION_ALGORITHM),
        ({"transaction": 2}, Status.TRANSACTION_OUT_OF_SEQUENCE),
    ],
)
def test_other_authentications_are_refused(changes, status):
    made = access_point()
    made.handle_frame(authentication(**changes), 0)
    (answer,) = sent(made.poll_actions())
    assert answer.status == status


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"ssid": b"other"}, Status.UNSPECIFIED_FAILURE),
        ({"rsn": None}, Status.INVALID_ELEMENT),
        ({"rsn": b"\x01"}, Status.INVALID_ELEMENT),
        ({"rsn": b"\x02" + RSN[1:]}, Status.UNSUPPORTED_RSN_VERSION),
        ({"rsn": RsnElement(akm_suites=(AKM_SAE,)).emit()}, Status.INVALID_AKM),
        ({"rsn": RsnElement(group_cipher=CIPHER_CCMP_256).emit()}, Status.INVALID_GROUP_CIPHER),
        ({"rsn": RsnElement(pairwise_ciphers=(CIPHER_CCMP_256,)).emit()}, Status.INVALID_PAIRWISE_CIPHER),
        ({"rsn": RsnElement(capabilities=0x00C0).emit()}, Status.INVALID_RSN_CAPABILITIES),
    ],
)
def test_requests_for_something_else_are_refused_with_their_status(changes, status):
    made = access_point()
    actions = join(made, **changes)
    answer = sent(actions)[-1]
    assert (answer.status, answer.association_id) == (status, 0)
    assert not made.stations


def test_full_access_point_refuses():
    made = access_point(None, max_stations=2)
    for number in range(3):
        answer = sent(join(made, bytes([2, 0, 0, 0, 0, number]), rsn=None))[-1]
    assert answer.status == Status.TOO_MANY_STATIONS
    made.disconnect(bytes([2, 0, 0, 0, 0, 0]), Reason.LEAVING, 0)
    made.poll_actions()
    assert sent(join(made, bytes([2, 0, 0, 0, 0, 2]), rsn=None))[-1].association_id & 0x3FFF == 1


def test_association_identifiers_are_unique_for_2007_stations():
    made = access_point(None)
    given = set()
    for number in range(2007):
        source = b"\x02\0\0\0" + number.to_bytes(2, "big")
        given.add(sent(join(made, source, rsn=None))[-1].association_id & 0x3FFF)
    assert given == set(range(1, 2008))


def test_association_without_authentication_is_a_class_2_error():
    made = access_point()
    for _ in range(3):
        made.handle_frame(association(), 0)
    (answer,) = sent(made.poll_actions())
    assert (answer.subtype, answer.reason) == (Subtype.DEAUTHENTICATION, Reason.CLASS_2_FRAME)
    made.handle_frame(association(), SECOND)
    assert len(sent(made.poll_actions())) == 1


def data(source=STRANGER, payload=b"\x08\x00data", **options):
    return frame_from_ethernet(BSSID + source + payload, **({"bssid": BSSID, "to_ds": True} | options))


def test_data_of_a_stranger_is_a_class_3_error():
    made = access_point()
    for _ in range(3):
        made.handle_frame(data(), 0)
    (answer,) = sent(made.poll_actions())
    assert (answer.subtype, answer.destination, answer.reason) == (12, STRANGER, Reason.CLASS_3_FRAME)
    made.handle_frame(authentication(), 0)
    made.poll_actions()
    made.handle_frame(data(STATION), 0)
    (answer,) = sent(made.poll_actions())
    assert (answer.subtype, answer.reason) == (Subtype.DISASSOCIATION, Reason.CLASS_3_FRAME)


def test_many_strangers_are_not_all_answered():
    made = access_point()
    for number in range(1000):
        made.handle_frame(data(b"\x02\0\0\0" + number.to_bytes(2, "big")), 0)
    assert len(made.poll_actions()) == 64
    made.handle_frame(data(), SECOND)
    assert len(made.poll_actions()) == 1


def test_frames_for_others_and_impossible_ones_are_ignored():
    made = access_point()
    made.handle_frame(authentication(destination=STRANGER), 0)
    made.handle_frame(authentication(bssid=STRANGER), 0)
    made.handle_frame(authentication(source=BSSID), 0)
    made.handle_frame(authentication(source=b"\x01" * 6), 0)
    made.handle_frame(data(b"\x01" * 6), 0)
    made.handle_frame(data(to_ds=False), 0)
    made.handle_frame(frame(Subtype.DEAUTHENTICATION, reason=3), 0)
    made.handle_frame(frame(Subtype.BEACON, STRANGER, destination=BROADCAST, bssid=STRANGER), 0)
    assert made.poll_actions() == []
    for octets in (b"", b"\xb0", bytes(10), b"\xff" * 40):
        made.handle_frame(octets, 0)
    assert made.poll_actions() == []
    assert made.malformed


@pytest.mark.parametrize(
    ("subtype", "phase"),
    [(Subtype.DEAUTHENTICATION, StationPhase.GONE), (Subtype.DISASSOCIATION, StationPhase.AUTHENTICATED)],
)
def test_station_that_leaves_is_removed(subtype, phase):
    made = access_point()
    join(made)
    made.handle_frame(frame(subtype, reason=Reason.LEAVING), 0)
    assert made.poll_actions() == [
        RemoveStation(STATION),
        ReportStation(STATION, phase, "the station has left: reason 3 (leaving)"),
    ]
    assert made.poll_timeout() is None
    made.handle_frame(association(), 0)
    assert sent(made.poll_actions())[0].reason == (Reason.CLASS_2_FRAME if phase is StationPhase.GONE else 0)


def test_authentication_alone_does_not_end_an_association():
    made = access_point(None)
    join(made, rsn=None)
    made.handle_frame(authentication(), 0)
    assert [type(action) for action in made.poll_actions()] == [SendFrame]
    assert made.stations == {STATION: StationPhase.AUTHORIZED}


def test_new_association_wipes_what_the_old_one_had():
    made = access_point()
    join(made)
    actions = join(made)
    assert RemoveStation(STATION) in actions
    assert actions.index(RemoveStation(STATION)) < actions.index(SetStation(STATION, 1, True, False, True))
    key = EapolKey.parse(ethernet_from_frame(actions[-1].frame)[0][14:])
    assert key.replay_counter == 1


def test_station_that_is_not_heard_is_sent_away():
    made = access_point(None, inactivity_ns=10 * SECOND)
    join(made, rsn=None)
    assert made.poll_timeout() == 10 * SECOND
    made.handle_activity(STATION, 4 * SECOND)
    made.handle_activity(STRANGER, 4 * SECOND)
    made.handle_timeout(10 * SECOND)
    assert made.poll_actions() == []
    assert made.poll_timeout() == 14 * SECOND
    made.handle_timeout(14 * SECOND)
    actions = made.poll_actions()
    assert sent(actions)[0].reason == Reason.INACTIVITY
    assert actions[-1] == ReportStation(STATION, StationPhase.GONE, "not heard for 10 s")
    assert made.poll_timeout() == 24 * SECOND


def test_stopped_access_point_sends_everybody_away():
    made = access_point()
    join(made)
    made.stop(0)
    actions = made.poll_actions()
    assert [parsed.destination for parsed in sent(actions)] == [BROADCAST, STATION]
    assert RemoveStation(STATION) in actions
    assert made.poll_timeout() is None


def test_unknown_stations_do_not_fill_the_table():
    made = access_point(None)
    join(made, rsn=None)
    for number in range(2000):
        made.handle_frame(authentication(b"\x06\0\0\0" + number.to_bytes(2, "big")), 0)
    made.poll_actions()
    assert made.stations == {STATION: StationPhase.AUTHORIZED}
    assert len(made._stations._entries) <= 513


def test_noise_changes_nothing():
    made = access_point()
    join(made)
    dice = random.Random(7)
    material = [authentication(), association(), data(STATION), data(STATION, b"\x88\x8e" + bytes(99)), data()]
    for _ in range(3000):
        octets = bytearray(dice.choice(material))
        del octets[dice.randrange(10, len(octets) + 1) :]
        octets[dice.randrange(len(octets))] = dice.randrange(256)
        made.handle_frame(bytes(octets), 0)
    assert all(not isinstance(action, InstallKey) for action in made.poll_actions())
    assert len(made._timers) < 3100


@pytest.mark.parametrize(
    "changes",
    [
        {"bssid": b"\1" * 6},
        {"ssid": b""},
        {"max_stations": 0},
        {"max_stations": 2008},
        {"beacon_interval": 0},
        {"cipher": 0x000FAC01},
    ],
)
def test_impossible_configurations_are_refused(changes):
    values = {"bssid": BSSID, "ssid": b"net", "channel": 6, "passphrase": None, "seed": 1}
    with pytest.raises(LocalProtocolError):
        AccessPointConfig(**(values | changes))


def test_configuration_shows_no_secret():
    assert "horse" not in repr(AccessPointConfig(BSSID, b"net", 6, "correct horse", seed=1))
