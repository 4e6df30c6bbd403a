"""The runtime through its Python face: ports, both drivers of time, links, errors."""

import os
import socket
import threading
import time

import pytest

from polyradio import LocalProtocolError, _core
from polyradio.bench.whole_path import BSSID, connect, guest_address

GUEST = guest_address(0)
WIRED = bytes.fromhex("020000ee0001")


def connected(runtime: _core.Runtime, guest: _core.MemoryPort | _core.TapPort, wired: _core.MemoryPort) -> int:
    """A device with one VM and its access point; returns the device."""
    device = runtime.add_device(max_vms=4)
    access_point = runtime.add_access_point(bssid=BSSID, channel=36, wired=wired)
    connect(runtime, device, access_point, [guest])
    return device


def run_for(runtime: _core.Runtime, device: int, milliseconds: int) -> None:
    until = runtime.now_ns + milliseconds * 1_000_000
    while runtime.run(until) < until:
        runtime.take_messages(device)


def frame(destination: bytes, source: bytes, payload: bytes) -> bytes:
    return destination + source + b"\x88\xb5" + payload


def test_frames_pass_both_ways_in_virtual_time() -> None:
    runtime, guest, wired = _core.Runtime(1), _core.MemoryPort(), _core.MemoryPort()
    device = connected(runtime, guest, wired)
    up = [frame(WIRED, GUEST, bytes([n]) * 40) for n in range(20)]
    down = [frame(GUEST, WIRED, bytes([n]) * 60) for n in range(20)]
    assert guest.push(up) == 20
    assert wired.push(_core.FrameBatch.from_frames(down)) == 20
    start = runtime.now_ns
    run_for(runtime, device, 50)
    assert runtime.now_ns == start + 50_000_000
    assert list(wired.take()) == up
    assert list(guest.take()) == down
    counters = runtime.guest_counters(device, 0)
    assert (counters["sent"], counters["received"], counters["sent_octets"]) == (20, 20, sum(map(len, up)))
    airtime = runtime.airtime_ns(device)
    assert 0 < airtime[0] < 50_000_000


def test_a_run_stops_as_soon_as_a_port_in_memory_has_received() -> None:
    runtime, guest, wired = _core.Runtime(1), _core.MemoryPort(), _core.MemoryPort()
    device = connected(runtime, guest, wired)
    run_for(runtime, device, 5)
    guest.push([frame(WIRED, GUEST, b"ping")])
    start = runtime.now_ns
    assert runtime.run(start + 1_000_000_000) < start + 5_000_000
    assert len(wired.take()) == 1


def test_a_tap_is_read_and_written_in_wall_clock_time() -> None:
    # A sequenced-packet socket behaves as a TAP's descriptor does: one frame for each read and write.
    inside, outside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with inside, outside:
        runtime, wired = _core.Runtime(1, wall_clock=True), _core.MemoryPort()
        device = connected(runtime, _core.TapPort(inside.fileno()), wired)
        run_for(runtime, device, 20)
        sender = threading.Timer(0.05, outside.send, [frame(WIRED, GUEST, b"x" * 50)])
        sender.start()
        wired.push([frame(GUEST, WIRED, b"y" * 50)])
        run_for(runtime, device, 200)
        sender.join()
        assert list(wired.take()) == [frame(WIRED, GUEST, b"x" * 50)]
        assert outside.recv(2048) == frame(GUEST, WIRED, b"y" * 50)
        assert os.fstat(inside.fileno()), "the caller's descriptor stays open"


def test_a_port_in_memory_wakes_a_runtime_that_waits() -> None:
    runtime, guest, wired = _core.Runtime(1, wall_clock=True), _core.MemoryPort(), _core.MemoryPort()
    device = connected(runtime, guest, wired)
    run_for(runtime, device, 20)
    sender = threading.Timer(0.05, guest.push, [[frame(WIRED, GUEST, b"x")]])
    start = time.monotonic()
    sender.start()
    runtime.run(runtime.now_ns + 20_000_000_000)
    assert time.monotonic() - start < 10
    assert len(wired.take()) == 1


def test_what_makes_no_sense_is_refused() -> None:
    runtime = _core.Runtime(1)
    device = runtime.add_device()
    access_point = runtime.add_access_point(bssid=BSSID, channel=1)
    port = _core.MemoryPort()
    runtime.attach_guest(device, 0, 0, GUEST, port)
    for mistake in (
        lambda: runtime.attach_guest(device, 0, 0, GUEST, port),
        lambda: runtime.attach_guest(access_point, 1, 1, GUEST, port),
        lambda: runtime.detach_guest(device, 7),
        lambda: runtime.set_guest_link(device, 7, bssid=None),
        lambda: runtime.set_link(device, 9),
        lambda: runtime.set_link(device, access_point, loss=1.5),
        lambda: runtime.set_radio_enabled(9, False),
        lambda: runtime.airtime_ns(9),
        lambda: runtime.take_frames(device),
        lambda: runtime.set_beacon(access_point, b"\x40", 100),
        lambda: runtime.send_frame(access_point, b"\xd4\x00"),
    ):
        with pytest.raises(LocalProtocolError):
            mistake()
    with pytest.raises(OSError, match="Bad file descriptor"):
        _core.TapPort(-1)
