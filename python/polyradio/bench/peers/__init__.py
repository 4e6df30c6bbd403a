"""Other implementations of the same work, measured in the same run where they are installed.

A library in C is loaded by ctypes, which gives the addresses of its functions; the loop over packets runs in Rust, so
that no call from Python counts against it. Keys are expanded, nonces and additional data stand ready before the clock
runs (ours are made from the MAC header while it runs), and a library that keeps packets until it has enough is flushed
once, at the end of a slice: each is as good as it can be.

Not here: anything but AES-CCM. Promise: a peer's octets were compared with ours before it has a figure.
"""

from collections.abc import Sequence
from typing import Protocol

from polyradio.bench.measure import Named
from polyradio.bench.report import Skipped
from polyradio.errors import NotAvailable


class CcmPeer(Protocol):
    """A library that does AES-CCM for many packets."""

    name: str

    def named(self, direction: str, lengths: Sequence[int], *, keys: int, cold: bool, seed: int) -> Named:
        """Its name and what builds its work."""


def ccm_peers() -> tuple[list[CcmPeer], list[Skipped]]:
    """The peers that are installed, and those that are not."""
    from polyradio.bench.peers.ipsec_mb import IpsecMb  # noqa: PLC0415 - they import this module
    from polyradio.bench.peers.openssl import OpenSsl  # noqa: PLC0415 - see above

    found: list[CcmPeer] = []
    skipped = []
    for name, load in (("intel-ipsec-mb", IpsecMb), ("OpenSSL", OpenSsl)):
        try:
            found.append(load())
        except NotAvailable as error:
            skipped.append(Skipped(name, str(error)))
    return found, skipped
