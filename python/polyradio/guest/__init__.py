"""Virtual machines as the host sees them: a native driver, an Ethernet port, and what the guest does with it.

- `virtual_machine`: one VM with all that belongs to it;
- `driver`: its native driver instance;
- `traffic`: a small IP stack and its flows, for guests that live in this process.

Not here: translation to virtual radios (`host`), connection state machines (`station`). Promise: a VM's driver speaks
for its own VM only; the device model stamps the VM ID.
"""

from polyradio.guest.driver import NativeDriver
from polyradio.guest.virtual_machine import VirtualMachine

__all__ = ["NativeDriver", "VirtualMachine"]
