"""The VMs of a scenario: sessions, drivers, ports, stacks and flows."""

import hashlib
from collections.abc import Callable

from polyradio import _core
from polyradio.bus.emulated import EmulatedDevice
from polyradio.guest.driver import Carrier, NativeDriver
from polyradio.guest.traffic import IpStack, PingFlow, UdpFlow
from polyradio.guest.virtual_machine import VirtualMachine
from polyradio.host import Host
from polyradio.host_api import VmId
from polyradio.scenario import Scenario, TrafficSection, VmSection
from polyradio.station import StationConfig

GuestPort = _core.MemoryPort | _core.TapPort
IN_PROCESS = ("ping", "udp")
"""Kinds of traffic that the stack in the process can do."""


def add_guest(
    number: int,
    section: VmSection,
    *,
    scenario: Scenario,
    seed: int,
    host: Host,
    device: EmulatedDevice,
    port: GuestPort,
    on_carrier: Callable[[VirtualMachine, Carrier | None], None],
) -> VirtualMachine:
    """Gives a VM its session, its driver and its port; `on_carrier` hears when data may flow."""
    vm_id = VmId(number)
    vr_id = host.open_session(vm_id)
    device.runtime.attach_guest(device.radio, vr_id, vm_id, section.mac, port)

    def set_carrier(carrier: Carrier | None) -> None:
        if carrier is None:
            device.runtime.set_guest_link(device.radio, vr_id, bssid=None)
        else:
            device.runtime.set_guest_link(device.radio, vr_id, bssid=carrier.bssid, qos=carrier.qos)
        on_carrier(vm, carrier)

    config = StationConfig(
        address=section.mac,
        ssid=section.network.encode(),
        passphrase=section.passphrase,
        channels=tuple(sorted({access_point.channel for access_point in scenario.access_points})),
        seed=derive_seed(seed, "vm", number),
    )
    driver = NativeDriver(vm_id, config, set_carrier)
    vm = VirtualMachine(vm_id, section.name, section.mac, section.network, vr_id, driver, port)
    if isinstance(port, _core.MemoryPort):
        vm.stack = IpStack(section.mac, section.ip.ip)
        for traffic in section.traffic:
            vm.stack.add_flow(flow_of(traffic, section, scenario))
    return vm


def flow_of(traffic: TrafficSection, section: VmSection, scenario: Scenario) -> PingFlow | UdpFlow:
    """The flow of the stack in the process for a section of a scenario."""
    peer = traffic.peer or scenario.access_points_of(section.network)[0].ip.ip
    delay_ns = round(traffic.start_s * 1e9)
    duration_ns = None if traffic.duration_s is None else round(traffic.duration_s * 1e9)
    interval_ns = round(traffic.interval_ms * 1e6)
    if traffic.kind == "ping":
        return PingFlow(peer, interval_ns, traffic.size, delay_ns, duration_ns)
    if traffic.rate_mbps is not None:
        interval_ns = round(traffic.size * 8 * 1000 / traffic.rate_mbps)
    return UdpFlow(peer, interval_ns, traffic.size, delay_ns, duration_ns)


def derive_seed(seed: int, kind: str, number: int) -> int:
    """A seed of its own for each VM and access point."""
    return int.from_bytes(hashlib.sha256(f"{seed} {kind} {number}".encode()).digest()[:8], "big")
