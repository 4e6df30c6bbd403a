"""What became of a capture's protected frames: counts for each network."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from polyradio.decoding.credentials import Network
from polyradio.decoding.decoder import Decoder, JudgedFrame, Verdict


@dataclass(frozen=True, slots=True)
class NetworkCounts:
    """The protected frames of one network, or of one access point whose SSID is not known."""

    ssid: str | None
    is_given: bool
    """Whether its SSID is among those that credentials were given for."""
    bssids: tuple[str, ...]
    pairwise_keys: int
    group_keys: int
    counts: dict[Verdict, int]
    """All verdicts, in their order."""

    @property
    def protected(self) -> int:
        """How many frames were protected."""
        return sum(self.counts.values())

    @property
    def decrypted(self) -> int:
        """How many were opened, replays included."""
        return self.counts[Verdict.OPENED] + self.counts[Verdict.REPLAY]


@dataclass(frozen=True, slots=True)
class DecryptReport:
    """What was done with a capture."""

    capture: str
    format: str
    """`pcap` or `pcapng`."""
    frames: int
    """Records in the capture, whatever they hold."""
    networks: tuple[NetworkCounts, ...]
    """The given ones in their order, then the others."""
    error: str | None
    """Why the capture ends before its file does; None where it is whole."""
    out: str | None
    """The capture that was written."""

    @property
    def protected(self) -> int:
        """How many frames were protected."""
        return sum(network.protected for network in self.networks)

    @property
    def decrypted(self) -> int:
        """How many were opened, replays included."""
        return sum(network.decrypted for network in self.networks)

    def to_json(self) -> dict[str, object]:
        """As values of JSON; never a key or a passphrase."""
        return {
            "capture": self.capture,
            "format": self.format,
            "frames": self.frames,
            "protected": self.protected,
            "decrypted": self.decrypted,
            "networks": [
                {
                    "ssid": network.ssid,
                    "given": network.is_given,
                    "bssids": list(network.bssids),
                    "pairwise_keys": network.pairwise_keys,
                    "group_keys": network.group_keys,
                    "protected": network.protected,
                    "decrypted": network.decrypted,
                    **{str(verdict): count for verdict, count in network.counts.items()},
                }
                for network in self.networks
            ],
            "error": self.error,
            "out": self.out,
        }


def count_networks(
    decoder: Decoder, judged: Iterable[JudgedFrame], networks: Iterable[Network]
) -> tuple[NetworkCounts, ...]:
    """The counts of each network: the given ones first, in their order."""
    given = dict.fromkeys(network.ssid for network in networks if network.ssid is not None)
    rows: dict[tuple[bytes | None, bytes], _Row] = {(ssid, b""): _Row() for ssid in given}

    def row(bssid: bytes) -> _Row:
        ssid = decoder.ssid_of(bssid)
        found = rows.setdefault((None, bssid) if ssid is None else (ssid, b""), _Row())
        if bssid:
            found.bssids.setdefault(bssid)
        return found

    for bssid, key in decoder.proven_keys():
        if key.is_group:
            row(bssid).group_keys += 1
        else:
            row(bssid).pairwise_keys += 1
    for each in judged:
        row(each.frame.bssid).counts[each.verdict] += 1
    others = sorted(rows.keys() - {(ssid, b"") for ssid in given}, key=lambda name: (name[0] or _LAST, name[1]))
    order: list[tuple[bytes | None, bytes]] = [*((ssid, b"") for ssid in given), *others]
    return tuple(
        NetworkCounts(
            ssid=None if ssid is None else text_of(ssid),
            is_given=ssid in given,
            bssids=tuple(sorted(address.hex(":") for address in rows[ssid, bssid].bssids)),
            pairwise_keys=rows[ssid, bssid].pairwise_keys,
            group_keys=rows[ssid, bssid].group_keys,
            counts=rows[ssid, bssid].counts,
        )
        for ssid, bssid in order
    )


def text_of(ssid: bytes) -> str:
    r"""An SSID as text; octets that are no UTF-8 as `\xff`, control characters too."""
    decoded = ssid.decode("utf-8", errors="backslashreplace")
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in decoded)


class _Row:
    def __init__(self) -> None:
        self.bssids: dict[bytes, None] = {}
        self.pairwise_keys = 0
        self.group_keys = 0
        self.counts = dict.fromkeys(Verdict, 0)


_LAST: Final = b"\xff" * 33
"""Behind every SSID."""
