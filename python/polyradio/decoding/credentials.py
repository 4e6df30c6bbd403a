"""What the user knows: networks with a passphrase or a PMK."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_to_bytes

from polyradio.errors import LocalProtocolError
from polyradio.rsn import pmk_from_passphrase


@dataclass(frozen=True, slots=True)
class Network:
    """A network's credentials: exactly one of passphrase and PMK.

    Raises:
        LocalProtocolError: both or neither, an SSID or a passphrase that cannot be one, a PMK that has not 32 octets.
    """

    ssid: bytes | None
    """None: the PMK is tried on every network."""
    passphrase: str | None = field(default=None, repr=False)
    pmk: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if (self.passphrase is None) == (self.pmk is None):
            raise LocalProtocolError("a network has either a passphrase or a PMK")
        if self.pmk is None and not self.ssid:
            raise LocalProtocolError("a passphrase needs its network's SSID")
        if self.ssid is not None and len(self.ssid) > 32:
            raise LocalProtocolError(f"an SSID has at most 32 octets, not {len(self.ssid)}")
        if self.pmk is not None and len(self.pmk) != PMK_LENGTH:
            raise LocalProtocolError(f"a PMK has {PMK_LENGTH} octets, not {len(self.pmk)}")


PMK_LENGTH: Final = 32


def parse_network(text: str) -> Network:
    """A network from `SSID:PASSPHRASE`, divided at the first colon; `%3A` in the SSID stands for a colon.

    Raises:
        LocalProtocolError: there is no colon, or one of the parts cannot be what it should.
    """
    ssid, colon, passphrase = text.partition(":")
    if not colon:
        raise LocalProtocolError("a network is given as SSID:PASSPHRASE")
    return Network(unquote_to_bytes(ssid), passphrase=passphrase)


def parse_pmk(text: str) -> Network:
    """A PMK for every network, from 64 hexadecimal digits.

    Raises:
        LocalProtocolError: it is something else.
    """
    try:
        pmk = bytes.fromhex(text)
    except ValueError:
        raise LocalProtocolError("a PMK is given as 64 hexadecimal digits") from None
    return Network(None, pmk=pmk)


@dataclass(frozen=True, slots=True)
class Credential:
    """A PMK that may be an access point's."""

    ssid: bytes | None
    pmk: bytes = field(repr=False)


class Credentials:
    """All credentials; PMKs are computed at once, so that a bad passphrase is told before anything else happens."""

    def __init__(self, networks: Iterable[Network]) -> None:
        self._credentials = tuple(dict.fromkeys(Credential(network.ssid, _pmk(network)) for network in networks))

    def candidates(self, ssids: Collection[bytes]) -> Iterator[Credential]:
        """Those that fit an access point with one of these SSIDs; all where none is known."""
        for credential in self._credentials:
            if credential.ssid is None:
                yield from (Credential(ssid, credential.pmk) for ssid in ssids)
                if not ssids:
                    yield credential
            elif not ssids or credential.ssid in ssids:
                yield credential


def _pmk(network: Network) -> bytes:
    if network.pmk is not None:
        return network.pmk
    return pmk_from_passphrase(network.passphrase or "", network.ssid or b"")
