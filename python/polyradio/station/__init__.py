"""The station's end of a connection: scanning, authentication, association, key handshakes (IEEE 802.11-2020 11, 12.7).

Sans-IO: no clock, no radio, no randomness of its own. `mlme.py` opens with its rules and its table of transitions,
`supplicant.py` has one class for each state. Not here: sealing and sending, which is the device's, and where the radio
stands, which is the control engine's.
"""

from polyradio.station.actions import (
    Action,
    InstallKey,
    RemoveKey,
    ReportState,
    Scan,
    SendEapol,
    SendManagement,
    SetChannel,
    SetConnection,
    StationState,
)
from polyradio.station.config import StationConfig
from polyradio.station.station import Station

__all__ = [
    "Action",
    "InstallKey",
    "RemoveKey",
    "ReportState",
    "Scan",
    "SendEapol",
    "SendManagement",
    "SetChannel",
    "SetConnection",
    "Station",
    "StationConfig",
    "StationState",
]
