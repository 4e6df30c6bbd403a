"""A world of stations and an access point with a simulated clock, and the public vectors."""

import heapq
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from polyradio._core import EapolKey, MacHeader, ethernet_from_frame, frame_from_ethernet
from polyradio.access_point import AccessPoint, AccessPointConfig, StationPhase
from polyradio.access_point import actions as ap_actions
from polyradio.ieee80211 import Subtype
from polyradio.station import Station, StationConfig, StationState, actions


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], Any]:
    """Loads a vector file by its name; skips the test where there are none."""

    def load(name: str) -> Any:
        root = Path(__file__).resolve().parents[2]
        given = os.environ.get("POLYRADIO_VECTORS")
        places = [Path(given)] if given else [root.parents[up] / "shared" / "vectors" for up in (0, 1)]
        for place in places:
            if (place / name).is_file():
                return json.loads((place / name).read_text(encoding="utf-8"))
        pytest.skip(f"no public vectors: {name} is not there (POLYRADIO_VECTORS)")

    return load


STATION = bytes.fromhex("020000000001")
BSSID = bytes.fromhex("020000ff0001")
MILLISECOND = 1_000_000
SECOND = 1_000_000_000


def name_of(frame: bytes) -> str:
    """What a frame is, in the words of the tests."""
    header = MacHeader.parse(frame)
    if header.frame_type == 0:
        return Subtype(header.subtype).name.lower()
    key = EapolKey.parse(ethernet_from_frame(frame)[0][14:])
    if not key.is_pairwise:
        return "group 1" if key.has_ack else "group 2"
    if key.has_ack:
        return "message 3" if key.has_mic else "message 1"
    return "message 2" if key.key_data else "message 4"


class StationEnd:
    """A station with what its device would hold: connection and keys."""

    def __init__(self, station: Station) -> None:
        self.station = station
        self.connection = actions.SetConnection(0, bytes(6), 0, False, False, 0)
        self.channel = 0
        self.pairwise: bytes | None = None
        self.groups: dict[int, tuple[bytes, int]] = {}
        self.installed: list[actions.InstallKey] = []
        self.reports: list[tuple[StationState, str]] = []
        self.scans = 0


class World:
    """Stations and one access point with a simulated clock between them; every frame takes a millisecond.

    A frame is sealed if its sender has a key and was not told otherwise; it is opened only by the same key. `lose` says
    which frames get lost, by name and by how many of that name went before.
    """

    def __init__(self, config: AccessPointConfig) -> None:
        self.now = 0
        self.packet_number = 0
        self.access_point = AccessPoint(config, lambda: self.packet_number)
        self.ends: dict[bytes, StationEnd] = {}
        self.keys: dict[bytes, bytes] = {}
        self.group: tuple[int, bytes] | None = None
        self.beacon = b""
        self.stations_set: dict[bytes, ap_actions.SetStation] = {}
        self.ap_reports: list[tuple[bytes, StationPhase, str]] = []
        self.log: list[str] = []
        self.sent: list[tuple[int, str, bytes, bool]] = []
        self.lose: Callable[[str, int], bool] = lambda _name, _count: False
        self.change: Callable[[str, bytes], bytes] = lambda _name, frame: frame
        self.is_on = True
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0
        self.access_point.start(0)

    def add(self, station: Station) -> StationEnd:
        end = self.ends[station.config.address] = StationEnd(station)
        return end

    def at(self, time: int, what: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._queue, (time, self._order, what))

    def run(self, until: int, *, stop: Callable[[], bool] = lambda: False) -> None:
        """Moves the clock from event to event."""
        for _ in range(200_000):
            self._settle()
            if stop():
                return
            deadlines = [self._queue[0][0]] if self._queue else []
            if (deadline := self.access_point.poll_timeout()) is not None and self.is_on:
                deadlines.append(deadline)
            deadlines += [d for end in self.ends.values() if (d := end.station.poll_timeout()) is not None]
            then = min(deadlines, default=until)
            if then > until:
                break
            self.now = max(self.now, then)
            if not deadlines:
                break
            while self._queue and self._queue[0][0] <= self.now:
                heapq.heappop(self._queue)[2]()
                self._settle()
            if self.is_on:
                self.access_point.handle_timeout(self.now)
            for end in self.ends.values():
                end.station.handle_timeout(self.now)
        else:
            pytest.fail("the world does not come to rest")
        self.now = until

    def run_until_connected(self, *, within: int = 10 * SECOND) -> None:
        def is_connected() -> bool:
            return all(end.station.state is StationState.COMPLETED for end in self.ends.values())

        self.run(self.now + within, stop=is_connected)
        self.run(self.now + 10 * MILLISECOND)
        assert is_connected(), {end.station.failure for end in self.ends.values()}

    def hear_beacon(self, end: StationEnd) -> None:
        if self.is_on:
            end.station.handle_frame(self.beacon, channel=1, signal_dbm=-40, now=self.now)

    def _settle(self) -> None:
        for _ in range(1000):
            work = False
            for action in self.access_point.poll_actions():
                work = True
                self._do_access_point(action)
            for end in self.ends.values():
                for action in end.station.poll_actions():
                    work = True
                    self._do_station(end, action)
            if not work:
                return
        pytest.fail("actions without end")

    def _do_station(self, end: StationEnd, action: actions.Action) -> None:
        address = end.station.config.address
        match action:
            case actions.Scan():
                end.scans += 1
                self.at(self.now + 50 * MILLISECOND, lambda: self.hear_beacon(end))
                self.at(self.now + 100 * MILLISECOND, lambda: end.station.handle_scan_done(self.now))
            case actions.SendManagement(frame=frame):
                self._carry(frame, None, self._to_access_point)
            case actions.SendEapol(destination=destination, pdu=pdu, unprotected=unprotected):
                assert end.connection.state >= 2, "EAPOL passes only with an association"
                ethernet = destination + address + b"\x88\x8e" + pdu
                frame = frame_from_ethernet(
                    ethernet, bssid=destination, to_ds=True, tid=7 if end.connection.qos else None
                )
                key = None if unprotected else end.pairwise
                self._carry(frame, key, lambda frame: self._to_access_point(frame, key, address))
            case actions.SetChannel(channel=channel):
                end.channel = channel
            case actions.SetConnection():
                end.connection = action
            case actions.InstallKey(scope="pairwise", key=key):
                assert all(key != other.key for other in end.installed), "a pairwise key is installed once"
                end.installed.append(action)
                end.pairwise = key
            case actions.InstallKey(scope="group", key_id=key_id, key=key, receive_counter=counter):
                assert all(key != other for other, _ in end.groups.values()), "what is installed stays as it is"
                end.installed.append(action)
                end.groups[key_id] = (key, counter)
            case actions.RemoveKey(scope="pairwise"):
                end.pairwise = None
            case actions.RemoveKey(scope="group", key_id=key_id):
                del end.groups[key_id]
            case actions.ReportState(state=state, detail=detail):
                end.reports.append((state, detail))

    def _do_access_point(self, action: ap_actions.Action) -> None:
        match action:
            case ap_actions.SetBeacon(frame=frame):
                self.beacon = frame
            case ap_actions.SendFrame(frame=frame, unprotected=unprotected):
                destination = MacHeader.parse(frame).addr1
                key = None if unprotected else self.keys.get(destination)
                self._carry(frame, key, lambda frame: self._to_station(destination, frame, key))
            case ap_actions.SetStation(address=address):
                self.stations_set[address] = action
            case ap_actions.RemoveStation(address=address):
                del self.stations_set[address]
                self.keys.pop(address, None)
            case ap_actions.InstallKey(address=None, key_id=key_id, key=key):
                self.group = (key_id, key)
                self.packet_number = 0
            case ap_actions.InstallKey(address=bytes() as address, key=key):
                assert self.keys.get(address) != key, "a key is installed once"
                self.keys[address] = key
            case ap_actions.ReportStation(address=address, state=state, detail=detail):
                self.ap_reports.append((address, state, detail))

    def _carry(self, frame: bytes, key: bytes | None, deliver: Callable[[bytes], None]) -> None:
        name = name_of(frame)
        count = self.log.count(name)
        self.log.append(name)
        self.sent.append((self.now, name, frame, key is not None))
        if not self.lose(name, count):
            frame = self.change(name, frame)
            self.at(self.now + MILLISECOND, lambda: deliver(frame))

    def _to_access_point(self, frame: bytes, key: bytes | None = None, source: bytes = b"") -> None:
        if self.is_on and (key is None or key == self.keys.get(source)):
            self.access_point.handle_frame(frame, self.now)

    def _to_station(self, destination: bytes, frame: bytes, key: bytes | None) -> None:
        for address, end in self.ends.items():
            if destination not in {address, b"\xff" * 6} or not self.is_on:
                continue
            if MacHeader.parse(frame).frame_type == 0:
                end.station.handle_frame(frame, channel=1, signal_dbm=-40, now=self.now)
            elif end.connection.state >= 2 and (key is None or key == end.pairwise):
                pdu = ethernet_from_frame(frame)[0][14:]
                source = MacHeader.parse(frame).addr2
                assert source is not None
                end.station.handle_eapol(pdu, source=source, protected=key is not None, now=self.now)


@pytest.fixture
def make_world() -> Callable[..., World]:
    """Makes a world with one station: `passphrase` is the access point's, `station_passphrase` the station's."""

    def make(
        *, passphrase: str | None = "correct horse", station_passphrase: str | None = "", count: int = 1, **options: Any
    ) -> World:
        world = World(AccessPointConfig(BSSID, b"net", 1, passphrase, seed=options.pop("seed", 1), **options))
        for i in range(count):
            given = passphrase if station_passphrase == "" else station_passphrase
            address = STATION[:4] + (1 + i).to_bytes(2, "big")
            world.add(Station(StationConfig(address, b"net", given, (1, 6), seed=100 + i)))
        return world

    return make
