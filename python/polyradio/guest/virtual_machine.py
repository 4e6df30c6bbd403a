"""One VM with all that belongs to it."""

from dataclasses import dataclass

from polyradio._core import MemoryPort, TapPort
from polyradio.guest.driver import NativeDriver
from polyradio.guest.traffic import IpStack
from polyradio.host_api import VmId, VrId


@dataclass(slots=True)
class VirtualMachine:
    """A guest: its identity, its driver, its port, and its IP stack where it lives in this process."""

    vm_id: VmId
    name: str
    mac: bytes
    ssid: str
    vr_id: VrId
    driver: NativeDriver
    port: MemoryPort | TapPort
    stack: IpStack | None = None
    """None: a real guest's own stack stands behind the port."""
    taken: int = 0
    """Frames that the stack has taken from the port."""
