"""The stations of an access point, by address, and their association identifiers."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

from polyradio.access_point.actions import StationPhase
from polyradio.access_point.authenticator import Authenticator


@dataclass(slots=True)
class StationEntry:
    """What an access point knows of a station."""

    address: bytes
    last_heard: int
    phase: StationPhase = StationPhase.AUTHENTICATED
    association_id: int = 0
    """1 to 2007 while associated."""
    has_qos: bool = False
    rsn: bytes = b""
    """Data of the RSN element of the association request."""
    authenticator: Authenticator | None = None
    group_key_id: int = 0
    """The group key that the station has; 0: none yet."""
    armed_at: int | None = None
    """The authenticator's deadline for which a timer is set."""

    @property
    def is_associated(self) -> bool:
        """Whether there is an association."""
        return self.phase in {StationPhase.ASSOCIATED, StationPhase.AUTHORIZED}


class StationTable:
    """Stations by address. Association identifiers are the smallest free ones (IEEE 802.11-2020 9.4.1.8)."""

    def __init__(self, max_stations: int) -> None:
        self._entries: dict[bytes, StationEntry] = {}
        self._max_stations = max_stations
        self._associated = 0
        self._free: list[int] = []
        self._next_id = 1

    def find(self, address: bytes) -> StationEntry | None:
        """The station with that address."""
        return self._entries.get(address)

    def add(self, address: bytes, now: int) -> StationEntry:
        """A station that has authenticated. Room for those that go no further is limited: the oldest makes place."""
        if len(self._entries) - self._associated >= _MAX_UNASSOCIATED:
            oldest = next(entry for entry in self._entries.values() if not entry.is_associated)
            del self._entries[oldest.address]
        entry = self._entries[address] = StationEntry(address, last_heard=now)
        return entry

    def associate(self, entry: StationEntry) -> bool:
        """Gives the station an association identifier; False where there is none left."""
        if entry.association_id:
            return True
        if self._associated >= self._max_stations:
            return False
        if self._free:
            entry.association_id = heapq.heappop(self._free)
        else:
            entry.association_id = self._next_id
            self._next_id += 1
        self._associated += 1
        entry.phase = StationPhase.ASSOCIATED
        return True

    def dissociate(self, entry: StationEntry) -> None:
        """Takes the association back; the station stays authenticated."""
        if entry.association_id:
            heapq.heappush(self._free, entry.association_id)
            entry.association_id = 0
            self._associated -= 1
        entry.phase = StationPhase.AUTHENTICATED
        entry.authenticator = None
        entry.group_key_id = 0

    def remove(self, entry: StationEntry) -> None:
        """Forgets a station."""
        self.dissociate(entry)
        entry.phase = StationPhase.GONE
        self._entries.pop(entry.address, None)

    def associated(self) -> Iterator[StationEntry]:
        """Stations with an association."""
        return (entry for entry in self._entries.values() if entry.is_associated)

    def __len__(self) -> int:
        return self._associated


_MAX_UNASSOCIATED = 512
