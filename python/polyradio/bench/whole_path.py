"""The whole path in virtual time: guest -> host driver -> device -> air -> access point -> wired side.

Every frame is built from Ethernet, tagged, looked up, sealed with its VM's own key, put on the air, heard, checked for
replay, opened and bridged. The air is ideal (a frame takes a microsecond), so that the figure is the software's.

    python -m polyradio.bench.whole_path
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from polyradio import _core, host_api

CCMP_128 = 4
BSSID = bytes.fromhex("020000ff0001")
_WIRED = bytes.fromhex("0200000a0001")


@dataclass(frozen=True, slots=True)
class WholePathResult:
    """One measurement."""

    vms: int
    octets: int
    frames: int
    seconds: float

    @property
    def frames_per_second(self) -> float:
        """Frames delivered to the wired side in a second of one core."""
        return self.frames / self.seconds


def guest_address(vm: int) -> bytes:
    """The MAC address of a VM, by its number."""
    return bytes((0x02, 0, 0, 1, vm >> 8, vm & 0xFF))


def connect(
    runtime: _core.Runtime,
    device: int,
    access_point: int,
    ports: Sequence[_core.MemoryPort | _core.TapPort],
    *,
    legacy: bool = False,
) -> None:
    """Gives each port a VM that is connected to the access point with a key of its own, without a handshake."""
    vms = len(ports)
    width = host_api.identifier_width(vms)
    calls: list[tuple[int | None, host_api.HostCall]] = [(None, host_api.SetSchedule((host_api.Slot(36, 100_000),)))]
    for vm in range(vms):
        key = vm.to_bytes(2, "big") * 8 if vm else bytes(range(16))
        calls += [
            (vm, host_api.InitVm(host_api.VmId(vm), guest_address(vm))),
            (vm, host_api.SetParameters(channel=36, rate=540)),
            (
                vm,
                host_api.SetConnection(
                    host_api.ConnectionState.AUTHORIZED, BSSID, association_id=vm + 1, qos=True, privacy=True
                ),
            ),
            (vm, host_api.InstallKey(0, host_api.KeyScope.PAIRWISE, CCMP_128, receive_counter=0, key=key)),
        ]
        address = guest_address(vm)
        runtime.set_station(access_point, address, association_id=vm + 1, qos=True, authorized=True, privacy=True)
        runtime.install_key(access_point, address, 0, CCMP_128, key)
    messages = b"".join(host_api.emit_call(call, 0x8000 + i % 0x7FFF, vr, width) for i, (vr, call) in enumerate(calls))
    runtime.submit(device, messages)
    for vm, port in enumerate(ports):
        runtime.attach_guest(device, vm, vm, guest_address(vm), port, legacy=legacy)
        runtime.set_guest_link(device, vm, bssid=BSSID, qos=True)
    runtime.run(runtime.now_ns + 10_000_000)
    messages_up: list[host_api.Message[int]] = list(host_api.parse_messages(runtime.take_messages(device), width))
    for message in messages_up:
        if message.kind is host_api.Kind.COMPLETION:
            error = host_api.Completion.parse(message.payload).error
            if error is not None:
                raise RuntimeError(f"the device refused to be set up: {error.name.lower()}")


class WholePath:
    """VMs that send Ethernet payloads of ``octets`` to the wired side of one access point, round by round."""

    def __init__(self, vms: int, octets: int = 1500) -> None:
        self._runtime = _core.Runtime(1)
        self._runtime.set_ideal_air(True)
        self._device = self._runtime.add_device(max_vms=max(vms, 1), queue_length=64)
        self._wired = _core.MemoryPort(capacity=1 << 20)
        self._wired.discard_received(True)
        access_point = self._runtime.add_access_point(bssid=BSSID, channel=36, wired=self._wired)
        self._ports = [_core.MemoryPort() for _ in range(vms)]
        connect(self._runtime, self._device, access_point, self._ports)
        per_round = max(1, 2048 // vms)
        payload = bytes(octets)
        self._batches = [
            _core.FrameBatch.from_frames([_WIRED + guest_address(vm) + b"\x08\x00" + payload] * per_round)
            for vm in range(vms)
        ]
        self.items = per_round * vms
        self._sent = self._wired.received[0]

    def run(self, repetitions: int, /) -> int:
        """Sends that many rounds, each until the last frame has arrived; nanoseconds."""
        start = time.perf_counter_ns()
        for _ in range(repetitions):
            for port, batch in zip(self._ports, self._batches, strict=True):
                self._sent += port.push(batch)
            while (before := self._wired.received[0]) < self._sent:
                self._runtime.run(self._runtime.now_ns + 50_000_000)
                if self._wired.received[0] == before:
                    counters = self._runtime.device_counters(self._device)
                    raise RuntimeError(f"{self._sent - before} frames did not arrive: {counters}")
        return time.perf_counter_ns() - start


def measure(vms: int, octets: int = 1500, frames: int = 40_000) -> WholePathResult:
    """Sends about ``frames`` Ethernet payloads of ``octets`` from ``vms`` VMs to the wired side of one access point."""
    path = WholePath(vms, octets)
    rounds = max(1, frames // path.items)
    return WholePathResult(vms, octets, rounds * path.items, path.run(rounds) / 1e9)


if __name__ == "__main__":
    for count in (1, 4, 64, 1024):
        best = max((measure(count) for _ in range(3)), key=lambda result: result.frames_per_second)
        print(f"{count:5} VMs: {best.frames_per_second:10.0f} frames/s of {best.octets} octets")  # noqa: T201
