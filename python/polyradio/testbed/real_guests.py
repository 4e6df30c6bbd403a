"""Guests and wired hosts that are real Linux stacks in network namespaces, and their traffic. Wall-clock time only."""

from dataclasses import asdict, dataclass
from ipaddress import IPv4Address
from typing import Any

from polyradio._core import TapPort
from polyradio.guest.network_namespace import NetworkNamespace
from polyradio.guest.real_traffic import RealTraffic, TrafficResult
from polyradio.scenario import AccessPointSection, Scenario, TrafficSection, VmSection

POLL_NS = 20_000_000
_SECOND = 1_000_000_000
_FIRST_PORT = 5201
_GUEST_INTERFACE = "wlan0"
_WIRED_INTERFACE = "eth0"
_LEAST_S = 0.5


@dataclass(slots=True)
class _Flow:
    vm: VmSection
    section: TrafficSection
    port: int
    start_ns: int | None = None
    peer: IPv4Address | None = None
    running: RealTraffic | None = None
    result: TrafficResult | None = None


class RealGuests:
    """The namespaces of a run; none where the scenario has no TAP port."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._namespaces: list[NetworkNamespace] = []
        self._guests: dict[str, NetworkNamespace] = {}
        self._wired: dict[IPv4Address, NetworkNamespace] = {}
        flows = [(vm, section) for vm in scenario.vms if vm.port == "tap" for section in vm.traffic]
        self._flows = [_Flow(vm, section, _FIRST_PORT + number) for number, (vm, section) in enumerate(flows)]

    def guest_port(self, section: VmSection) -> TapPort | None:
        """A VM's port into a namespace of its own; None: it lives in this process."""
        if section.port != "tap":
            return None
        namespace = self._guests[section.name] = self._add()
        return TapPort(namespace.tap(_GUEST_INTERFACE, mac=section.mac, ip=section.ip))

    def wired_port(self, section: AccessPointSection, mac: bytes) -> TapPort | None:
        """An access point's wired side in a namespace of its own; None: the responder in this process."""
        if section.wired != "tap":
            return None
        namespace = self._wired[section.ip.ip] = self._add()
        return TapPort(namespace.tap(_WIRED_INTERFACE, mac=mac, ip=section.ip))

    def set_carrier(self, vm: str, has_carrier: bool, home: IPv4Address | None, now: int) -> None:
        """The VM's traffic is counted from its first carrier; by default it goes to the host `home`."""
        for flow in self._flows:
            if has_carrier and flow.vm.name == vm and flow.start_ns is None:
                flow.start_ns = now + round(flow.section.start_s * _SECOND)
                flow.peer = flow.section.peer or home

    def next_poll(self, now: int) -> int:
        """When to call `poll` at the latest."""
        return now + (POLL_NS if any(flow.result is None for flow in self._flows) else _SECOND)

    def poll(self, now: int) -> None:
        """Starts what is due, collects what is over."""
        for flow in self._flows:
            if flow.running is None and flow.result is None and flow.start_ns is not None and flow.start_ns <= now:
                self._start(flow, now)
            if flow.running is not None and flow.result is None and flow.running.poll():
                flow.result = flow.running.result()

    def results(self) -> dict[str, list[dict[str, Any]]]:
        """What came of the traffic, by VM; what still runs is stopped."""
        results: dict[str, list[dict[str, Any]]] = {}
        for flow in self._flows:
            if flow.result is None and flow.running is not None:
                flow.result = flow.running.result()
            result = flow.result or TrafficResult(flow.section.kind, "", failure="the VM was never connected")
            results.setdefault(flow.vm.name, []).append(_entry(result))
        return results

    def close(self) -> None:
        """Ends every process that was started and gives the namespaces back."""
        for flow in self._flows:
            if flow.running is not None:
                flow.running.close()
        for namespace in self._namespaces:
            namespace.close()
        self._namespaces = []

    def _add(self) -> NetworkNamespace:
        namespace = NetworkNamespace()
        self._namespaces.append(namespace)
        return namespace

    def _start(self, flow: _Flow, now: int) -> None:
        section = flow.section
        remaining_s = self._scenario.duration_s - now / _SECOND - _LEAST_S
        duration_s = max(min(section.duration_s or remaining_s, remaining_s), _LEAST_S)
        assert flow.peer is not None
        flow.running = RealTraffic(
            section.kind,
            self._guests[flow.vm.name],
            flow.peer,
            duration_s=duration_s,
            peer_namespace=self._wired.get(flow.peer),
            interval_ms=section.interval_ms,
            size=section.size,
            rate_mbps=section.rate_mbps,
            port=flow.port,
        )
        flow.running.start()


def _entry(result: TrafficResult) -> dict[str, Any]:
    if result.kind != "ping":
        return {result.kind: asdict(result)}
    rtt = None
    if result.rtt_avg_ms is not None:
        rtt = {"min": result.rtt_min_ms, "avg": result.rtt_avg_ms, "max": result.rtt_max_ms}
    ping = {"sent": result.sent or 0, "received": result.received or 0, "rtt_ms": rtt}
    return {"ping": ping | ({"failure": result.failure} if result.failure else {})}
