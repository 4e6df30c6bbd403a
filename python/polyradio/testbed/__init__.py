"""Wires everything from a scenario and runs it: VMs, host, device, air, access points.

- `testbed`: `Testbed`, the loop that moves time on and hands out what happens;
- `cell`: an access point with its MLME and the host on its wired side;
- `guests`: the VMs of a scenario, with their ports, stacks and flows;
- `deadlines`: who wants to be woken when;
- `events`: `events.jsonl`;
- `report`: what it came to, as a dict.

Not here: any decision of a network, a VM or the engine. Promise: the same scenario and seed give the same octets in
every file, in virtual time.
"""

from polyradio.testbed.report import Snapshot, VmSnapshot
from polyradio.testbed.testbed import Testbed

__all__ = ["Snapshot", "Testbed", "VmSnapshot"]
