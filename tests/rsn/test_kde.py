"""Key data: what is known is read, what is not survives."""

import pytest

from polyradio.errors import RemoteProtocolError
from polyradio.rsn.kde import GroupKey, IntegrityGroupKey, KeyData, pmkid_kde

RSN = (48, bytes.fromhex("0100000fac040100000fac040100000fac020000"))
# An EAPOL-Key message 3 of iwd's tests (handshake iwd-4way-1)
RECORDED = bytes.fromhex(
    "30140100000fac040100000fac040100000fac020000dd16000fac0102002e156e7c4e3df1370913edbd628e2565dd00"
)


def test_recorded_key_data_is_read():
    data = KeyData.parse(RECORDED)
    assert data.rsn_element == RSN[1]
    assert data.group_key == GroupKey(2, bytes.fromhex("2e156e7c4e3df1370913edbd628e2565"))
    assert data.pmkid is None
    assert data.integrity_group_key is None
    assert data.emit() == RECORDED[:-2]


def test_all_kinds_survive_a_round_trip():
    unknown = (221, bytes.fromhex("000fac63010203"))
    group = GroupKey(1, b"g" * 16, is_transmit=True)
    integrity = IntegrityGroupKey(5, 0x060504030201, b"i" * 16)
    data = KeyData((RSN, group.emit(), unknown, integrity.emit(), pmkid_kde(b"p" * 16), (255, b"x"), (221, b"")))
    again = KeyData.parse(data.emit() + b"\xdd" + bytes(5))
    assert again.elements[:-1] == data.elements[:-1]
    assert (again.group_key, again.integrity_group_key, again.pmkid) == (group, integrity, b"p" * 16)


@pytest.mark.parametrize("padding", [b"", b"\xdd", b"\xdd\x00", b"\xdd" + bytes(7)])
def test_padding_ends_key_data(padding):
    assert KeyData.parse(KeyData((RSN,)).emit() + padding).elements == (RSN,)


@pytest.mark.parametrize("cut", range(1, 22))
def test_cut_off_element_is_refused(cut):
    with pytest.raises(RemoteProtocolError):
        KeyData.parse(KeyData((RSN,)).emit()[:cut])


def test_key_kdes_that_are_too_short_are_refused():
    with pytest.raises(RemoteProtocolError):
        _ = KeyData(((221, bytes.fromhex("000fac010100")),)).group_key
    with pytest.raises(RemoteProtocolError):
        _ = KeyData(((221, bytes.fromhex("000fac090400") + bytes(6)),)).integrity_group_key


def test_repr_shows_no_key():
    assert "e156" not in repr(KeyData.parse(RECORDED)) + repr(KeyData.parse(RECORDED).group_key)
    assert "key=" not in repr(IntegrityGroupKey(4, 0, bytes(16)))
