"""What a run came to: the report as a dict, and the snapshots on the way. No wall-clock figures in virtual time."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from polyradio._core import DROP_REASONS
from polyradio.guest.traffic import PingStatistics, UdpFlow
from polyradio.guest.virtual_machine import VirtualMachine

CIPHER_NAMES = {0x000FAC04: "CCMP-128", 0x000FAC0A: "CCMP-256"}


@dataclass(frozen=True, slots=True)
class VmSnapshot:
    """One VM at a moment of the run."""

    vm_id: int
    name: str
    mac: str
    ssid: str
    state: str
    channel: int | None
    cipher: str | None
    sent: int
    """Frames from the guest."""
    received: int
    """Frames to the guest."""
    drops: dict[str, int]
    airtime_ms: float
    rtt_ms: float | None
    """Mean round-trip time of the pings so far."""
    failure: str | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The run at a moment."""

    time_ns: int
    duration_ns: int
    vms: tuple[VmSnapshot, ...]
    schedule: tuple[tuple[int, int], ...]
    """Slots of the radio: channel, length in microseconds."""
    decisions: dict[str, int]
    """How many configuration calls ended in each way."""


def snapshot_vm(
    vm: VirtualMachine, counters: dict[str, int], device_counters: dict[str, int], airtime_ns: int
) -> VmSnapshot:
    """One VM now."""
    station = vm.driver.station
    ping = vm.stack.ping_statistics() if vm.stack else None
    rtt = ping.rtt_sum / ping.received / 1e6 if ping and ping.received else None
    return VmSnapshot(
        vm.vm_id,
        vm.name,
        vm.mac.hex(":"),
        vm.ssid,
        station.state.value,
        station.channel,
        cipher_of(vm),
        counters.get("sent", 0),
        counters.get("received", 0),
        drops_of(counters, device_counters),
        airtime_ns / 1e6,
        rtt,
        vm.driver.failure,
    )


def vm_report(
    vm: VirtualMachine,
    guest_counters: dict[str, int],
    device_counters: dict[str, int],
    *,
    airtime_ns: int,
    udp_received: int,
    real: Iterable[dict[str, Any]],
) -> dict[str, Any]:
    """One VM at the end."""
    driver, station = vm.driver, vm.driver.station
    connected_at = driver.connected_at
    report: dict[str, Any] = {
        "vm_id": vm.vm_id,
        "name": vm.name,
        "mac": vm.mac.hex(":"),
        "state": station.state.value,
        "ssid": vm.ssid,
        "bssid": station.bssid.hex(":") if station.bssid else None,
        "channel": station.channel,
        "cipher": cipher_of(vm),
        "connected_after_s": None if connected_at is None else round(connected_at / 1e9, 6),
        "airtime_ms": round(airtime_ns / 1e6, 3),
        "drops": drops_of(guest_counters, device_counters),
        "ping": ping_report(vm.stack.ping_statistics() if vm.stack else None),
        "failure": failure_of(vm),
    }
    for name in ("sent", "received", "sent_octets", "received_octets"):
        report[name] = guest_counters.get(name, 0)
    udp_sent = sum(flow.sent for flow in vm.stack.flows if isinstance(flow, UdpFlow)) if vm.stack else 0
    report["udp"] = {"sent": udp_sent, "received": udp_received} if udp_sent else None
    report["calls_refused"] = dict(sorted(driver.refusals.items()))
    for result in real:
        report |= result
    return report


def cipher_of(vm: VirtualMachine) -> str | None:
    """Name of the pairwise cipher in use; None while there is no connection."""
    return cipher_name(vm.driver.station.cipher) if vm.driver.is_connected else None


def failure_of(vm: VirtualMachine) -> str | None:
    """Why the VM is not connected at the end, as a sentence; None where it is."""
    if vm.driver.is_connected:
        return None
    return vm.driver.failure or f"not connected when the run ended: {vm.driver.station.state.value.replace('_', ' ')}"


def ping_report(statistics: PingStatistics | None) -> dict[str, Any] | None:
    """Requests, answers and round-trip times in milliseconds."""
    if statistics is None:
        return None
    rtt = None
    if statistics.received:
        mean = statistics.rtt_sum / statistics.received
        figures = {"min": statistics.rtt_min, "avg": mean, "max": statistics.rtt_max}
        rtt = {name: round(nanoseconds / 1e6, 3) for name, nanoseconds in figures.items()}
    return {"sent": statistics.sent, "received": statistics.received, "rtt_ms": rtt}


def cipher_name(selector: int | None) -> str:
    """The name of a cipher suite (IEEE 802.11-2020 Table 9-149)."""
    if selector is None:
        return "none"
    return CIPHER_NAMES.get(selector, f"{selector:08x}")


def drops_of(*counters: dict[str, int]) -> dict[str, int]:
    """The drop reasons among some counters, added up."""
    drops: dict[str, int] = {}
    for table in counters:
        for name, count in table.items():
            if name in DROP_REASONS and count:
                drops[name] = drops.get(name, 0) + count
    return dict(sorted(drops.items()))
