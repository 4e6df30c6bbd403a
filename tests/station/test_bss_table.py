"""Which access points a station remembers, and which one it would join."""

import pytest

from polyradio._core import Management, RsnElement
from polyradio.ieee80211 import WMM_PARAMETER, Subtype
from polyradio.rsn.suites import AKM_PSK, AKM_PSK_SHA256, AKM_SAE, CIPHER_CCMP_128, CIPHER_CCMP_256, CIPHER_TKIP
from polyradio.station.bss_table import (
    MAX_AGE_NS,
    MAX_ENTRIES,
    Bss,
    BssTable,
    Security,
    bss_from_frame,
    choose_security,
)

BSSID = bytes.fromhex("020000ff0001")


def bss(**changes):
    values = {
        "bssid": BSSID,
        "ssid": b"net",
        "channel": 1,
        "signal_dbm": -50,
        "beacon_interval": 100,
        "capability": 0x0011,
        "rsn": RsnElement().emit(),
        "has_wmm": True,
        "last_heard": 0,
    }
    return Bss(**(values | changes))


def test_beacon_is_read():
    elements = [(0, b"net"), (1, b"\x82"), (3, b"\x06"), (48, b"rsn"), (221, WMM_PARAMETER)]
    frame = Management(
        Subtype.BEACON, b"\xff" * 6, BSSID, BSSID, beacon_interval=200, capability=0x0411, elements=elements
    )
    heard = bss_from_frame(Management.parse(frame.emit()), channel=1, signal_dbm=-60, now=5)
    assert heard == Bss(BSSID, b"net", 6, -60, 200, 0x0411, b"rsn", True, 5)
    assert heard.has_privacy


def test_beacon_without_elements_is_read():
    heard = bss_from_frame(Management(Subtype.BEACON, b"\xff" * 6, BSSID, BSSID), channel=36, signal_dbm=-60, now=5)
    assert (heard.ssid, heard.channel, heard.rsn, heard.has_wmm, heard.has_privacy) == (b"", 36, None, False, False)


def test_strongest_access_point_is_first_and_a_refused_one_last():
    table = BssTable()
    weak, strong, other = bss(), bss(bssid=bytes(6), signal_dbm=-40), bss(bssid=b"\2" * 6, ssid=b"other")
    for entry in (weak, strong, other):
        table.update(entry)
    assert table.matching(b"net") == [strong, weak]
    assert table.matching(b"net", bssid=BSSID) == [weak]
    table.refuse(strong.bssid, until=10)
    assert table.matching(b"net") == [weak, strong]
    table.expire(10)
    assert table.matching(b"net") == [strong, weak]


def test_old_entries_are_forgotten():
    table = BssTable()
    table.update(bss())
    table.expire(MAX_AGE_NS)
    assert len(table) == 1
    table.expire(MAX_AGE_NS + 1)
    assert len(table) == 0


def test_table_does_not_grow_without_bound():
    table = BssTable()
    for number in range(MAX_ENTRIES + 10):
        table.update(bss(bssid=number.to_bytes(6, "big")))
    assert len(table) == MAX_ENTRIES
    assert not table.matching(b"net", bssid=bytes(6))
    table.remove((MAX_ENTRIES + 9).to_bytes(6, "big"))
    assert len(table) == MAX_ENTRIES - 1


def test_hidden_ssid_leaves_a_known_one():
    table = BssTable()
    table.update(bss())
    table.update(bss(ssid=b"\0\0\0", signal_dbm=-30))
    (found,) = table.matching(b"net")
    assert found.signal_dbm == -30


@pytest.mark.parametrize(
    ("rsn", "akm", "cipher"),
    [
        ({}, AKM_PSK, CIPHER_CCMP_128),
        ({"akm_suites": (AKM_PSK, AKM_PSK_SHA256)}, AKM_PSK_SHA256, CIPHER_CCMP_128),
        ({"pairwise_ciphers": (CIPHER_CCMP_256, CIPHER_CCMP_128)}, AKM_PSK, CIPHER_CCMP_128),
        ({"pairwise_ciphers": (CIPHER_CCMP_256,), "group_cipher": CIPHER_CCMP_256}, AKM_PSK, CIPHER_CCMP_256),
        ({"pairwise_ciphers": (CIPHER_TKIP, CIPHER_CCMP_128)}, AKM_PSK, CIPHER_CCMP_128),
    ],
)
def test_best_common_suites_are_chosen(rsn, akm, cipher):
    security = choose_security(bss(rsn=RsnElement(**rsn).emit()))
    assert isinstance(security, Security)
    assert (security.akm, security.pairwise_cipher) == (akm, cipher)
    asked = RsnElement.parse(security.rsn_element())
    assert (asked.akm_suites, asked.pairwise_ciphers) == ([akm], [cipher])


@pytest.mark.parametrize(
    ("rsn", "sentence"),
    [
        ({"akm_suites": (AKM_SAE,)}, "AKM PSK"),
        ({"pairwise_ciphers": (CIPHER_TKIP,)}, "no cipher"),
        ({"group_cipher": CIPHER_TKIP}, "no cipher"),
        ({"capabilities": 0x00C0}, "management frame protection"),
    ],
)
def test_network_that_cannot_be_joined_says_why(rsn, sentence):
    assert sentence in choose_security(bss(rsn=RsnElement(**rsn).emit()))


def test_network_without_a_readable_rsn_element_says_why():
    assert "cannot be read" in choose_security(bss(rsn=b"\1"))
    assert "no RSN" in choose_security(bss(rsn=None))
    assert "open network" in choose_security(bss(rsn=None, capability=1))
