"""Real Linux stacks by TAP through the whole path, against a plain veth pair, in the same run.

Two network namespaces, `iperf3` from one to the other: over a veth pair; through polyradio with ideal air (what the
software can do); through polyradio with 54 Mbit/s on the air. Needs root or `unshare -Urn`, iperf3 and iproute2.

    python -m polyradio.bench.tap_path
"""

import json
import subprocess
import time
from collections.abc import Callable

from polyradio import _core
from polyradio.bench.whole_path import BSSID, connect, guest_address
from polyradio.errors import NotAvailable
from polyradio.guest.network_namespace import NetworkNamespace

_WIRED_MAC = bytes.fromhex("0200000a0001")
_SERVER, _CLIENT = "10.9.0.1", "10.9.0.2"
_SECONDS = 4


def measure_tap(*, ideal_air: bool, seconds: int = _SECONDS) -> float:
    """Mbit/s of TCP from a guest's TAP to the wired side's TAP."""
    with NetworkNamespace() as guest, NetworkNamespace() as wired:
        runtime = _core.Runtime(1, wall_clock=True)
        runtime.set_ideal_air(ideal_air)
        device = runtime.add_device(max_vms=1, queue_length=256)
        wired_tap = wired.tap("eth0", mac=_WIRED_MAC, ip=f"{_SERVER}/24")
        access_point = runtime.add_access_point(bssid=BSSID, channel=36, wired=_core.TapPort(wired_tap))
        guest_tap = guest.tap("wlan0", mac=guest_address(0), ip=f"{_CLIENT}/24")
        connect(runtime, device, access_point, [_core.TapPort(guest_tap)])
        return _iperf3(guest, wired, seconds, lambda: runtime.run(runtime.now_ns + 20_000_000))


def measure_veth(*, seconds: int = _SECONDS) -> float:
    """Mbit/s of TCP over a veth pair."""
    with NetworkNamespace() as guest, NetworkNamespace() as wired:
        holder = wired.popen(["sleep", "60"])
        try:
            for namespace, argv in (
                (guest, ["link", "add", "wlan0", "type", "veth", "peer", "name", "eth0", "netns", str(holder.pid)]),
                (guest, ["addr", "add", f"{_CLIENT}/24", "dev", "wlan0"]),
                (guest, ["link", "set", "wlan0", "up"]),
                (wired, ["addr", "add", f"{_SERVER}/24", "dev", "eth0"]),
                (wired, ["link", "set", "eth0", "up"]),
            ):
                done = namespace.run(["ip", *argv])
                if done.returncode:
                    raise NotAvailable(f"ip {' '.join(argv)}: {done.stderr.strip()}")
            return _iperf3(guest, wired, seconds, lambda: time.sleep(0.02))
        finally:
            holder.kill()
            holder.communicate()


def _iperf3(guest: NetworkNamespace, wired: NetworkNamespace, seconds: int, go_on: Callable[[], object]) -> float:
    server = wired.popen(["iperf3", "-s", "-1"], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            go_on()
        client = guest.popen(["iperf3", "-c", _SERVER, "-t", str(seconds), "-J"])
        while client.poll() is None:
            go_on()
        stdout, _ = client.communicate()
        result = json.loads(stdout)
        if "error" in result:
            raise NotAvailable(f"iperf3: {result['error']}")
        return float(result["end"]["sum_received"]["bits_per_second"]) / 1e6
    finally:
        server.kill()
        server.communicate()


if __name__ == "__main__":
    veth = measure_veth()
    print(f"veth pair                       {veth:9.0f} Mbit/s")  # noqa: T201
    for ideal, name in ((True, "polyradio, ideal air"), (False, "polyradio, 54 Mbit/s on the air")):
        rate = measure_tap(ideal_air=ideal)
        print(f"{name:31} {rate:9.1f} Mbit/s, {100 * rate / veth:.2f} % of the veth pair")  # noqa: T201
