"""The access point's end of a connection: beacons, association, key handshakes (IEEE 802.11-2020 11.3, 12.7).

Sans-IO, like `polyradio.station`: frames and time in, actions out. `mlme.py` admits stations, `authenticator.py` has
one class for each state of a key handshake, `access_point.py` joins them for up to 2007 stations. Not here: sealing,
power save, the TIM and forwarding of data, which the Rust core does for every frame.
"""

from polyradio.access_point.access_point import AccessPoint
from polyradio.access_point.actions import (
    Action,
    InstallKey,
    RemoveStation,
    ReportStation,
    SendFrame,
    SetBeacon,
    SetStation,
    StationPhase,
)
from polyradio.access_point.config import AccessPointConfig

__all__ = [
    "AccessPoint",
    "AccessPointConfig",
    "Action",
    "InstallKey",
    "RemoveStation",
    "ReportStation",
    "SendFrame",
    "SetBeacon",
    "SetStation",
    "StationPhase",
]
