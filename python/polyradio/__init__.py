"""polyradio: one Wi-Fi NIC shared by many virtual machines.

What stands here is the public face; the Rust core behind it is `polyradio._core`, which nobody else imports.
"""

from polyradio._core import FrameBatch, ccm_open, ccm_seal, ccmp_open, ccmp_seal
from polyradio.errors import (
    DeviceLost,
    DeviceRejected,
    LocalProtocolError,
    MicError,
    NotAvailable,
    PolyradioError,
    RemoteProtocolError,
    ReplayError,
    ScenarioError,
)

__all__ = [
    "DeviceLost",
    "DeviceRejected",
    "FrameBatch",
    "LocalProtocolError",
    "MicError",
    "NotAvailable",
    "PolyradioError",
    "RemoteProtocolError",
    "ReplayError",
    "ScenarioError",
    "ccm_open",
    "ccm_seal",
    "ccmp_open",
    "ccmp_seal",
]
