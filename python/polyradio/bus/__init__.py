"""How a host reaches a device: by octets of the host API, whatever the device is made of.

- `device`: what every device is to its host, and `open_device(url)`;
- `emulated`: the emulated NIC of the Rust core;
- `tracer`: wraps any device and writes down what passes.

Not here: what the octets mean to the device. Promise: no device is told from another by its name, only by its
`Capabilities`.
"""

from polyradio.bus.device import Capabilities, Device, open_device
from polyradio.bus.tracer import Tracer

__all__ = ["Capabilities", "Device", "Tracer", "open_device"]
