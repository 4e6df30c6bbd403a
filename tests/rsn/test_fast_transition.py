"""The Fast BSS Transition element and the MIC of reassociation frames."""

import pytest
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from polyradio.errors import MicError, RemoteProtocolError
from polyradio.rsn.eapol import wrap_key_data
from polyradio.rsn.fast_transition import (
    REASSOCIATION_REQUEST,
    REASSOCIATION_RESPONSE,
    FastTransition,
    verify_transition,
)

ANONCE, SNONCE = b"a" * 32, b"s" * 32
STATION, BSSID = bytes.fromhex("020000000200"), bytes.fromhex("020000000100")
KCK, KEK, GTK = b"c" * 16, b"e" * 16, b"g" * 16
RSN = (48, bytes.fromhex("0100000fac040100000fac040100000fac040000"))
MOBILITY_DOMAIN = (54, bytes.fromhex("a1b201"))


def element(mic=bytes(16), count=3):
    gtk = bytes([2, 0, 16]) + bytes(8) + wrap_key_data(KEK, GTK)
    subelements = [(1, BSSID), (2, gtk), (3, b"nas1.example")]
    return (
        bytes([0, count])
        + mic
        + ANONCE
        + SNONCE
        + b"".join(bytes([each, len(data)]) + data for each, data in subelements)
    )


def signed(transaction, *extra, count=3):
    covered = [RSN, MOBILITY_DOMAIN, (55, element(count=count)), *extra]
    cmac = CMAC(AES(KCK))
    cmac.update(STATION + BSSID + bytes([transaction]))
    cmac.update(b"".join(bytes([each, len(data)]) + data for each, data in covered))
    return [(0, b"ssid"), RSN, MOBILITY_DOMAIN, (55, element(cmac.finalize(), count)), *extra]


def test_the_element_is_taken_apart():
    transition = FastTransition.parse(element())
    assert (transition.anonce, transition.snonce, transition.element_count) == (ANONCE, SNONCE, 3)
    assert (transition.r1kh_id, transition.r0kh_id) == (BSSID, b"nas1.example")
    group_key = transition.group_key(KEK)
    assert (group_key.key_id, group_key.key) == (2, GTK)


def test_a_group_key_under_another_kek_is_refused():
    with pytest.raises(MicError):
        FastTransition.parse(element()).group_key(b"x" * 16)


def test_the_shortest_element_has_no_key_holders_and_no_group_key():
    transition = FastTransition.parse(element()[:82])
    assert (transition.r0kh_id, transition.r1kh_id, transition.group_key(KEK)) == (None, None, None)


def test_every_prefix_that_ends_inside_something_is_refused():
    whole = element()
    ends = {82, 82 + 8, 82 + 8 + 2 + 35}
    for end in range(len(whole)):
        if end in ends:
            FastTransition.parse(whole[:end])
        else:
            with pytest.raises(RemoteProtocolError):
                FastTransition.parse(whole[:end])


def test_no_key_is_shown():
    assert GTK.hex() not in repr(FastTransition.parse(element()))
    assert "subelements" not in repr(FastTransition.parse(element()))


@pytest.mark.parametrize("transaction", [REASSOCIATION_REQUEST, REASSOCIATION_RESPONSE])
def test_the_mic_of_a_reassociation_is_verified(transaction):
    elements = signed(transaction)
    assert verify_transition(KCK, STATION, BSSID, transaction, elements)
    assert not verify_transition(b"x" * 16, STATION, BSSID, transaction, elements)
    assert not verify_transition(KCK, STATION, BSSID, 11 - transaction, elements)
    assert not verify_transition(KCK, BSSID, STATION, transaction, elements)
    assert not verify_transition(KCK, STATION, BSSID, transaction, [*elements[:2], (54, b"\0\0\0"), *elements[3:]])


def test_the_rsn_extension_is_covered_where_the_count_says_so():
    elements = signed(REASSOCIATION_REQUEST, (244, b"\x20"), count=4)
    assert verify_transition(KCK, STATION, BSSID, REASSOCIATION_REQUEST, elements)
    assert not verify_transition(KCK, STATION, BSSID, REASSOCIATION_REQUEST, [*elements[:-1], (244, b"\x21")])


def test_elements_without_a_mic_are_refused():
    assert not verify_transition(KCK, STATION, BSSID, REASSOCIATION_REQUEST, [RSN, MOBILITY_DOMAIN])
    assert not verify_transition(KCK, STATION, BSSID, REASSOCIATION_REQUEST, [RSN, MOBILITY_DOMAIN, (55, b"short")])
