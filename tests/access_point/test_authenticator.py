"""The authenticator: retries, answers that count, answers that do not."""

import pytest

from polyradio._core import EapolKey
from polyradio.access_point import AccessPointConfig
from polyradio.access_point.authenticator import (
    Authenticator,
    Authorize,
    AwaitGroupMessage2,
    AwaitMessage2,
    AwaitMessage4,
    Done,
    GroupKeyTaken,
    Refuse,
    Send,
    SendingGroupKey,
)
from polyradio.rsn import KeyData, KeyGenerator, derive_ptk, sign, unwrap_key_data, verify
from polyradio.rsn.suites import AKM_PSK, CIPHER_CCMP_128

MILLISECOND = 1_000_000
SECOND = 1_000_000_000
STATION = bytes.fromhex("020000000001")
BSSID = bytes.fromhex("020000ff0001")
PMK = b"P" * 32
SNONCE = b"S" * 32
CONFIG = AccessPointConfig(BSSID, b"net", 1, "correct horse", seed=1)
RSN = CONFIG.rsn_element()
GTK = b"G" * 16


class Ends:
    """An authenticator, and what a station would make of its messages."""

    def __init__(self):
        self.group_key = SendingGroupKey(1, GTK, packet_number=0x0102)
        self.authenticator = Authenticator(
            CONFIG,
            pmk=PMK,
            station=STATION,
            station_rsn=RSN,
            group_key=lambda: self.group_key,
            generator=KeyGenerator(1, b"test"),
        )
        self.message_1 = self.one(self.authenticator.start(0))
        self.keys = derive_ptk(PMK, BSSID, STATION, self.message_1.nonce, SNONCE, AKM_PSK, CIPHER_CCMP_128)

    @staticmethod
    def one(outcomes):
        (send,) = outcomes
        assert isinstance(send, Send)
        return EapolKey.parse(send.pdu)

    def answer(self, information, counter, *, key_data=b"", keys=None, **fields):
        pdu = EapolKey(key_information=information | 2, replay_counter=counter, key_data=key_data, **fields).emit()
        return sign((keys or self.keys).kck, pdu)

    def message_2(self, counter=1, rsn=RSN, **changes):
        key_data = bytes([48, len(rsn)]) + rsn
        return self.answer(0x0108, counter, nonce=SNONCE, **({"key_data": key_data} | changes))

    def message_4(self, counter=2, **changes):
        return self.answer(0x0308, counter, **changes)

    def handle(self, pdu, now=0):
        return self.authenticator.handle_eapol(pdu, now)

    def connect(self):
        self.handle(self.message_2())
        assert isinstance(self.handle(self.message_4())[0], Authorize)


def test_handshake_without_loss():
    ends = Ends()
    assert ends.message_1.key_information == 0x008A
    assert ends.authenticator.deadline == 100 * MILLISECOND
    (send,) = ends.handle(ends.message_2())
    assert send.unprotected
    message_3 = EapolKey.parse(send.pdu)
    assert message_3.key_information == 0x13CA
    assert (message_3.replay_counter, message_3.key_length, message_3.nonce) == (2, 16, ends.message_1.nonce)
    assert message_3.rsc == b"\x02\x01" + bytes(6)
    assert verify(ends.keys.kck, send.pdu)
    data = KeyData.parse(unwrap_key_data(ends.keys.kek, message_3.key_data))
    assert data.rsn_element == RSN
    assert (data.group_key.key_id, data.group_key.key) == (1, GTK)
    assert ends.handle(ends.message_4()) == [Authorize(ends.keys.tk, 1)]
    assert isinstance(ends.authenticator.state, Done)
    assert ends.authenticator.deadline is None


@pytest.mark.parametrize("state", [AwaitMessage2, AwaitMessage4, AwaitGroupMessage2])
def test_messages_are_sent_four_times_with_new_counters_and_then_given_up(state):
    ends = Ends()
    if state is not AwaitMessage2:
        ends.handle(ends.message_2())
    if state is AwaitGroupMessage2:
        ends.handle(ends.message_4())
        ends.authenticator.start_group_handshake(SendingGroupKey(2, b"H" * 16, 0), 0)
    assert isinstance(ends.authenticator.state, state)
    assert ends.authenticator.handle_timeout(99 * MILLISECOND) == []
    first = {AwaitMessage2: 1, AwaitMessage4: 2, AwaitGroupMessage2: 3}[state]
    times = [100 * MILLISECOND, 1100 * MILLISECOND, 2100 * MILLISECOND]
    counters = [ends.one(ends.authenticator.handle_timeout(time)).replay_counter for time in times]
    assert counters == [first + 1, first + 2, first + 3]
    (refuse,) = ends.authenticator.handle_timeout(3100 * MILLISECOND)
    assert isinstance(refuse, Refuse)
    assert refuse.reason == (16 if state is AwaitGroupMessage2 else 15)
    assert refuse.detail.startswith("no answer to ")
    assert ends.authenticator.deadline is None


def test_answer_to_any_of_the_retries_counts():
    ends = Ends()
    ends.authenticator.handle_timeout(SECOND)
    assert ends.one(ends.handle(ends.message_2(1))).replay_counter == 3
    assert ends.handle(ends.message_2(2)) == [], "the second answer comes too late"
    ends.authenticator.handle_timeout(9 * SECOND)
    assert len(ends.handle(ends.message_4(3))) == 1
    assert ends.handle(ends.message_4(4)) == []


def test_wrong_passphrase_is_told_from_silence():
    ends = Ends()
    wrong = derive_ptk(b"Q" * 32, BSSID, STATION, ends.message_1.nonce, SNONCE, AKM_PSK, CIPHER_CCMP_128)
    assert ends.handle(ends.message_2(keys=wrong)) == []
    for second in range(1, 4):
        ends.authenticator.handle_timeout(second * 2 * SECOND)
    (refuse,) = ends.authenticator.handle_timeout(20 * SECOND)
    assert refuse == Refuse(15, "wrong passphrase: the MIC of message 2 is wrong")


def test_other_rsn_element_than_in_the_association_request_ends_the_handshake():
    ends = Ends()
    (refuse,) = ends.handle(ends.message_2(rsn=RSN[:-2] + b"\x0d\x00"))
    assert refuse.reason == 17


def test_wrong_answers_to_message_1_are_discarded():
    ends = Ends()
    for pdu in (
        ends.message_2(0),
        ends.message_2(2),
        ends.message_4(1),
        ends.message_2(key_data=b"\x30\x14"),
        ends.answer(0x0188, 1, nonce=SNONCE),
        ends.answer(0x0508, 1, nonce=SNONCE),
        ends.answer(0x0908, 1, nonce=SNONCE),
        ends.answer(0x0008, 1, nonce=SNONCE),
        ends.answer(0x0100, 1, nonce=SNONCE),
        ends.message_2(descriptor_type=254),
        b"",
        bytes(99),
    ):
        outcomes = ends.handle(pdu)
        assert not outcomes or outcomes[0].reason == 17
    assert isinstance(ends.authenticator.state, AwaitMessage2)
    assert len(ends.handle(ends.message_2())) == 1


def test_wrong_answers_to_message_3_are_discarded():
    ends = Ends()
    ends.handle(ends.message_2())
    wrong = derive_ptk(b"Q" * 32, BSSID, STATION, ends.message_1.nonce, SNONCE, AKM_PSK, CIPHER_CCMP_128)
    for pdu in (ends.message_4(1), ends.message_4(3), ends.message_4(2, keys=wrong), ends.answer(0x0300, 2)):
        assert ends.handle(pdu) == []
    assert len(ends.handle(ends.message_4())) == 1


def test_message_3_again_tells_the_newest_counter_of_the_same_key():
    ends = Ends()
    ends.handle(ends.message_2())
    ends.group_key = SendingGroupKey(1, GTK, packet_number=0x0909)
    again = ends.one(ends.authenticator.handle_timeout(SECOND))
    assert again.rsc == b"\x09\x09" + bytes(6)
    ends.group_key = SendingGroupKey(2, b"H" * 16, packet_number=0)
    last = ends.one(ends.authenticator.handle_timeout(9 * SECOND))
    data = KeyData.parse(unwrap_key_data(ends.keys.kek, last.key_data))
    assert (data.group_key.key_id, data.group_key.key) == (1, GTK)
    assert ends.handle(ends.message_4(4)) == [Authorize(ends.keys.tk, 1)]


def test_group_key_is_told_under_protection():
    ends = Ends()
    assert ends.authenticator.start_group_handshake(SendingGroupKey(2, b"H" * 16, 0), 0) == []
    ends.connect()
    (send,) = ends.authenticator.start_group_handshake(SendingGroupKey(2, b"H" * 16, 7), 0)
    assert not send.unprotected
    message = EapolKey.parse(send.pdu)
    assert message.key_information == 0x1382
    assert (message.replay_counter, message.key_length, message.rsc[0]) == (3, 0, 7)
    data = KeyData.parse(unwrap_key_data(ends.keys.kek, message.key_data))
    assert (data.group_key.key_id, data.group_key.key) == (2, b"H" * 16)
    assert ends.handle(ends.message_4(3)) == []
    assert ends.handle(ends.answer(0x0300, 2)) == []
    assert ends.handle(ends.answer(0x0300, 3)) == [GroupKeyTaken(2)]
    assert isinstance(ends.authenticator.state, Done)


def test_nothing_secret_is_shown():
    ends = Ends()
    ends.handle(ends.message_2())
    shown = repr(ends.authenticator.state) + repr(ends.handle(ends.message_4())) + repr(ends.group_key)
    for secret in (ends.keys.kck, ends.keys.kek, ends.keys.tk, GTK):
        assert repr(secret)[2:-1] not in shown
