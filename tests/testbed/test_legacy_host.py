"""A legacy host: packets without an identifier find their VM by MAC address, in both directions, on the real path."""

import pytest

from polyradio import _core
from polyradio.bench.whole_path import BSSID, connect, guest_address

WIRED = bytes.fromhex("0200000a0001")
DEADLINE_NS = 200_000_000


class Cell:
    """One NIC with connected VMs, one access point, memory ports everywhere."""

    def __init__(self, vms: int, *, legacy: bool) -> None:
        self.runtime = _core.Runtime(3)
        self.device = self.runtime.add_device(max_vms=8)
        self.wired = _core.MemoryPort()
        self.access_point = self.runtime.add_access_point(bssid=BSSID, channel=36, wired=self.wired)
        self.ports = [_core.MemoryPort() for _ in range(vms)]
        connect(self.runtime, self.device, self.access_point, self.ports, legacy=legacy)

    def go(self) -> None:
        end = self.runtime.now_ns + DEADLINE_NS
        while self.runtime.run(end) < end:
            pass


def ethernet(destination: bytes, source: bytes, text: bytes) -> bytes:
    return destination + source + b"\x08\x00" + text


def test_up_and_down_a_legacy_hosts_packets_are_attributed_by_address() -> None:
    cell = Cell(3, legacy=True)
    for vm, port in enumerate(cell.ports):
        port.push([ethernet(WIRED, guest_address(vm), b"from %d" % vm)])
        cell.wired.push([ethernet(guest_address(vm), WIRED, b"to %d" % vm)])
    cell.go()
    assert sorted(cell.wired.take()) == [ethernet(WIRED, guest_address(vm), b"from %d" % vm) for vm in range(3)]
    for vm, port in enumerate(cell.ports):
        assert list(port.take()) == [ethernet(guest_address(vm), WIRED, b"to %d" % vm)]
        assert cell.runtime.device_counters(cell.device)[vm]["sent"] == 1
        assert cell.runtime.guest_counters(cell.device, vm)["sent"] == 1


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("source", [bytes.fromhex("02ffffffffff"), guest_address(1)], ids=["nobody's", "another VM's"])
def test_no_vm_sends_under_a_foreign_address_with_an_identifier_or_without(legacy: bool, source: bytes) -> None:
    cell = Cell(2, legacy=legacy)
    cell.ports[0].push([ethernet(WIRED, source, b"forged")])
    cell.go()
    assert len(cell.wired.take()) == 0
    assert cell.runtime.guest_counters(cell.device, 0)["foreign_source"] == 1
    assert "sent" not in cell.runtime.device_counters(cell.device)[1]
