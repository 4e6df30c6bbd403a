"""polyradio: one Wi-Fi NIC shared by many virtual machines.

What stands here is the public face; the Rust core behind it is `polyradio._core`, which nobody else imports.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from polyradio._core import (
    BatchResult,
    CapturedFrame,
    CaptureReader,
    CcmpResult,
    ConnectionTable,
    EapolKey,
    EmulatedNic,
    FrameBatch,
    MacHeader,
    Management,
    PcapngWriter,
    RsnElement,
    Verdict,
    ccm_open,
    ccm_seal,
    ccmp_backends,
    ccmp_open,
    ccmp_open_batch,
    ccmp_seal,
    ccmp_seal_batch,
    emit_elements,
    ethernet_from_frame,
    frame_from_ethernet,
    parse_elements,
)
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

if TYPE_CHECKING:
    from polyradio.bus import Device, open_device
    from polyradio.scenario import Scenario, load_scenario
    from polyradio.testbed import Testbed

__all__ = [
    "BatchResult",
    "CaptureReader",
    "CapturedFrame",
    "CcmpResult",
    "ConnectionTable",
    "Device",
    "DeviceLost",
    "DeviceRejected",
    "EapolKey",
    "EmulatedNic",
    "FrameBatch",
    "LocalProtocolError",
    "MacHeader",
    "Management",
    "MicError",
    "NotAvailable",
    "PcapngWriter",
    "PolyradioError",
    "RemoteProtocolError",
    "ReplayError",
    "RsnElement",
    "Scenario",
    "ScenarioError",
    "Testbed",
    "Verdict",
    "ccm_open",
    "ccm_seal",
    "ccmp_backends",
    "ccmp_open",
    "ccmp_open_batch",
    "ccmp_seal",
    "ccmp_seal_batch",
    "emit_elements",
    "ethernet_from_frame",
    "frame_from_ethernet",
    "load_scenario",
    "open_device",
    "parse_elements",
]

_LATER = {
    "Device": "polyradio.bus",
    "Scenario": "polyradio.scenario",
    "Testbed": "polyradio.testbed",
    "load_scenario": "polyradio.scenario",
    "open_device": "polyradio.bus",
}
"""Names whose modules are loaded when they are first asked for: who seals a frame need not wait for them."""


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module 'polyradio' has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
