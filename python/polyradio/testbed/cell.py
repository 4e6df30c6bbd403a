"""An access point in the testbed: its MLME and authenticator above, its radio in the runtime, a host on its wire."""

from collections.abc import Iterator
from ipaddress import IPv4Address

from polyradio import _core
from polyradio.access_point import (
    AccessPoint,
    AccessPointConfig,
    InstallKey,
    RemoveStation,
    ReportStation,
    SendFrame,
    SetBeacon,
    SetStation,
)
from polyradio.guest.traffic import IpStack

WiredPort = _core.MemoryPort | _core.TapPort


class Cell:
    """One access point; carries its decisions out in the runtime."""

    def __init__(
        self,
        runtime: _core.Runtime,
        name: str,
        config: AccessPointConfig,
        wired: WiredPort,
        host: tuple[bytes, IPv4Address] | None,
    ) -> None:
        self.name = name
        self.config = config
        self.has_vanished = False
        self.radio = runtime.add_access_point(bssid=config.bssid, channel=config.channel, wired=wired)
        self.access_point = AccessPoint(config, lambda: runtime.group_packet_number(self.radio))
        self.port = wired if isinstance(wired, _core.MemoryPort) else None
        self.stack = IpStack(*host) if host is not None else None
        if self.stack is not None:
            self.stack.set_carrier(True, 0)
        self._runtime = runtime

    def start(self, now: int) -> Iterator[ReportStation]:
        """Begins to send beacons."""
        self.access_point.start(now)
        return self._act()

    def handle_frames(self, now: int) -> Iterator[ReportStation]:
        """Hands what the radio received to the access point; yields what it has to report."""
        frames = self._runtime.take_frames(self.radio)
        for frame in frames:
            self.access_point.handle_frame(frame, now)
        return self._act() if frames else iter(())

    def handle_timeout(self, now: int) -> Iterator[ReportStation]:
        """Moves the access point on."""
        self.access_point.handle_timeout(now)
        return self._act()

    def vanish(self) -> None:
        """Falls silent without a word, as after a power cut."""
        self.has_vanished = True
        self._runtime.set_radio_enabled(self.radio, enabled=False)

    def exchange(self, now: int) -> None:
        """Moves Ethernet frames between the wire and the host on it."""
        if self.stack is None or self.port is None:
            return
        received = self.port.take()
        if len(received):
            self.stack.handle_frames(received, now)
        frames = self.stack.poll_frames()
        if frames:
            self.port.push(frames)

    def _act(self) -> Iterator[ReportStation]:
        # The actions are done before the caller looks at the reports: a generator would leave them undone.
        reports = [report for action in self.access_point.poll_actions() if (report := self._do(action)) is not None]
        return iter(reports)

    def _do(self, action: object) -> ReportStation | None:
        runtime, radio = self._runtime, self.radio
        match action:
            case SetBeacon(frame=frame, interval_tu=interval):
                runtime.set_beacon(radio, frame, interval)
            case SendFrame(frame=frame, unprotected=unprotected):
                runtime.send_frame(radio, frame, unprotected=unprotected)
            case SetStation():
                runtime.set_station(
                    radio,
                    action.address,
                    association_id=action.association_id,
                    qos=action.qos,
                    authorized=action.authorized,
                    privacy=action.privacy,
                )
            case RemoveStation(address=address):
                runtime.remove_station(radio, address)
            case InstallKey():
                runtime.install_key(radio, action.address, action.key_id, action.cipher, action.key)
            case ReportStation():
                return action
        return None
