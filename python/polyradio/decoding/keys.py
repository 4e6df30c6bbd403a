"""Temporal keys, protected frames, and the ring of keys that a frame may be under."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from polyradio._core import ccmp_open
from polyradio.errors import RemoteProtocolError
from polyradio.rsn import CIPHER_CCMP_128, CIPHER_CCMP_256, cipher_number

RING_SIZE: Final = 16
"""Keys that a ring holds: old and new ones around a rekey, lost handshakes, group keys of each station."""
LATER_KEYS: Final = 16
"""How many keys learnt later are tried on a frame that could not be opened: this keeps the whole linear."""

_SUPPORTED: Final = frozenset({cipher_number(CIPHER_CCMP_128), cipher_number(CIPHER_CCMP_256)})


@dataclass(eq=False, slots=True)
class TemporalKey:
    """A pairwise or group key with what it is for. Compared by identity: replay is counted for each."""

    octets: bytes = field(repr=False)
    cipher: int
    """Number of the cipher suite."""
    is_group: bool
    ssid: bytes | None
    """SSID of the credential that it came from."""
    is_proven: bool = True
    """Whether a MIC agreed with it: of its handshake, or of a frame that it opened."""

    @property
    def is_supported(self) -> bool:
        """Whether frames under it can be opened here."""
        return self.cipher in _SUPPORTED


@dataclass(eq=False, slots=True)
class ProtectedFrame:
    """A protected frame of the capture and what became of it."""

    number: int
    mpdu: bytes = field(repr=False)
    bssid: bytes
    transmitter: bytes
    tid: int
    """0 to 15; 0 without QoS Control, 16 for management frames: as the replay counters are kept."""
    is_group: bool
    is_truncated: bool = False
    is_foreign: bool = False
    """Its header is not that of CCMP."""
    cipher: int | None = None
    """Number of the negotiated cipher suite, where it was known when the frame came."""
    plaintext: bytes | None = field(default=None, repr=False)
    packet_number: int = 0
    key_id: int = 0
    key: TemporalKey | None = None
    ring: "KeyRing | None" = field(default=None, repr=False)
    later_keys: int = 0

    def open_with(self, key: TemporalKey) -> bool:
        """Tries one key."""
        if not key.is_supported:
            return False
        try:
            self.plaintext, self.packet_number = ccmp_open(self.mpdu, key.octets)
        except RemoteProtocolError:
            return False
        self.key = key
        key.is_proven = True
        return True


class KeyRing:
    """The keys that frames of one pair, or one group key identifier of one access point, may be under."""

    def __init__(self) -> None:
        self.cipher: int | None = None
        """Number of the negotiated cipher suite, the last that was heard of."""
        self.keys: list[TemporalKey] = []
        self._waiting: deque[ProtectedFrame] = deque()

    def add(self, key: TemporalKey) -> bool:
        """Takes a key in, if it is new."""
        for known in self.keys:
            if known.octets == key.octets and known.cipher == key.cipher:
                known.is_proven = known.is_proven or key.is_proven
                return False
        self.keys.insert(0, key)
        del self.keys[RING_SIZE:]
        return True

    def open(self, frame: ProtectedFrame) -> bool:
        """Tries all keys, the one that opened the last frame first; a frame that stays closed waits for later keys."""
        frame.ring = self
        frame.cipher = self.cipher
        for place, key in enumerate(self.keys):
            if frame.open_with(key):
                if place:
                    self.keys.insert(0, self.keys.pop(place))
                return True
        self._waiting.append(frame)
        return False

    def open_waiting(self, key: TemporalKey) -> list[ProtectedFrame]:
        """Tries a key that was just learnt on the frames that wait; those that it opened, in order."""
        opened = []
        still_waiting: deque[ProtectedFrame] = deque()
        for frame in self._waiting:
            frame.later_keys += 1
            if frame.open_with(key):
                opened.append(frame)
            elif frame.later_keys < LATER_KEYS:
                still_waiting.append(frame)
        self._waiting = still_waiting
        return opened
