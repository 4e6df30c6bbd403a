"""The host's control plane as one piece: the host driver, the control engine where it is placed, and a device.

VMs speak octets tagged with VM IDs to it; it speaks octets tagged with VR IDs to the device.
"""

from collections.abc import Iterator

from polyradio.bus.device import Device
from polyradio.engine import ControlEngine, Policy
from polyradio.errors import LocalProtocolError, NotAvailable
from polyradio.host.host_driver import HostDriver
from polyradio.host_api import Message, VmId, VrId, parse_messages

PLACEMENTS = ("host", "device", "domain")


class Host:
    """A host with one device, its control engine placed in the host driver."""

    def __init__(self, device: Device, policy: Policy, *, placement: str = "host") -> None:
        if placement not in PLACEMENTS:
            raise LocalProtocolError(f"placement {placement!r} is none of {', '.join(PLACEMENTS)}")
        if placement != "host":
            raise NotAvailable(f"a control engine placed in the {placement} is not in this version; use 'host'")
        self.device = device
        self.driver = HostDriver(device.info.max_vms)
        self.engine = ControlEngine(policy, device.info)

    def open_session(self, vm: VmId) -> VrId:
        """Gives the VM a virtual radio."""
        return self.driver.open_session(vm)

    def close_session(self, vm: VmId, now: int) -> None:
        """Removes the VM's virtual radio."""
        self.driver.close_session(vm)
        self._descend(now)

    def submit(self, vm: VmId, octets: bytes, now: int) -> None:
        """Takes a VM's calls."""
        self.driver.handle_octets(vm, octets)
        self._descend(now)

    def receive(self, now: int) -> Iterator[tuple[VmId, bytes]]:
        """Fetches what the device has to say and yields what each VM gets of it."""
        octets = self.device.take()
        if octets:
            messages: Iterator[Message[VrId]] = parse_messages(octets, self.driver.width)
            for message in messages:
                self.engine.handle_device_message(message, now)
        self._ascend()
        self._flush()
        for vm in self.driver.vms_with_messages():
            yield vm, self.driver.poll_octets(vm)

    def handle_timeout(self, now: int) -> None:
        """Moves the engine on; to be called at `poll_timeout`."""
        self.engine.handle_timeout(now)
        self._ascend()
        self._flush()

    def poll_timeout(self) -> int | None:
        """When `handle_timeout` has something to do."""
        return self.engine.poll_timeout()

    def _descend(self, now: int) -> None:
        for message in self.driver.poll_messages():
            self.engine.handle_message(message, now)
        self._ascend()
        self._flush()

    def _ascend(self) -> None:
        self.driver.handle_messages(self.engine.poll_messages())

    def _flush(self) -> None:
        messages = self.engine.poll_device_messages()
        if messages:
            self.device.submit(b"".join(message.emit(self.driver.width) for message in messages))
