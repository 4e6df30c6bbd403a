"""The host driver (control plane): sessions of VMs and their virtual radios (US 8,392,625, 316, 402 to 408).

- `host_driver`: translation only; it never looks inside a packet, and knows neither channels nor policies;
- `host`: the driver, a control engine where the placement puts it, and a device, joined.

The data plane, which moves the guests' frames, is Rust's (`rust_core/src/host`). Promise: a completion or a
device-initiated call reaches the VM that it is for, and no other.
"""

from polyradio.host.host import Host
from polyradio.host.host_driver import HostDriver

__all__ = ["Host", "HostDriver"]
