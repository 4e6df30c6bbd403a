"""Network namespaces and the traffic inside, as root and without it."""

import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from polyradio.errors import LocalProtocolError, NotAvailable
from polyradio.guest.network_namespace import NetworkNamespace
from polyradio.guest.real_traffic import RealTraffic, TrafficResult

pytestmark = pytest.mark.e2e


@pytest.fixture
def namespace() -> Iterator[NetworkNamespace]:
    try:
        inside = NetworkNamespace()
    except NotAvailable as reason:
        pytest.skip(str(reason))
    with inside:
        yield inside


def wire(a: int, b: int, duration_s: float, poll: RealTraffic) -> None:
    """Carries frames between two TAP interfaces until the traffic is over: a cable."""
    end = time.monotonic() + duration_s
    while time.monotonic() < end and not poll.poll():
        for fd in select.select([a, b], [], [], 0.02)[0]:
            with suppress(BlockingIOError):
                os.write(b if fd == a else a, os.read(fd, 2048))


def test_a_frame_written_to_the_tap_is_answered_by_the_linux_stack(namespace: NetworkNamespace) -> None:
    fd = namespace.tap("tap0", mac=bytes.fromhex("020000000001"), ip="10.9.0.2/24")
    request = bytes.fromhex("ffffffffffff020000000099080600010800060400010200000000990a090001000000000000") + bytes(
        [10, 9, 0, 2]
    )
    os.write(fd, request)
    end = time.monotonic() + 2
    while time.monotonic() < end:
        if select.select([fd], [], [], 0.1)[0]:
            reply = os.read(fd, 2048)
            if reply[12:14] == b"\x08\x06" and reply[20:22] == b"\x00\x02":
                assert reply[6:12] == bytes.fromhex("020000000001")
                return
    pytest.fail("no ARP reply")


def test_the_process_stays_in_its_own_namespace(namespace: NetworkNamespace) -> None:
    before = os.readlink("/proc/self/ns/net")
    assert namespace.run(["readlink", "/proc/self/ns/net"]).stdout.strip() != before
    assert namespace.call(lambda: os.readlink("/proc/thread-self/ns/net")) != before
    assert os.readlink("/proc/self/ns/net") == before


def test_two_namespaces_do_not_see_each_others_interfaces(namespace: NetworkNamespace) -> None:
    with NetworkNamespace() as other:
        namespace.tap("mine")
        other.tap("theirs")
        assert "mine" in namespace.run(["cat", "/proc/net/dev"]).stdout
        assert "mine" not in other.run(["cat", "/proc/net/dev"]).stdout


def test_nothing_is_sent_before_somebody_sends(namespace: NetworkNamespace) -> None:
    fd = namespace.tap("quiet", ip="10.9.0.2/24")
    assert select.select([fd], [], [], 0.5)[0] == []


def test_names_and_addresses_that_make_no_sense_are_refused(namespace: NetworkNamespace) -> None:
    with pytest.raises(LocalProtocolError, match="interface name"):
        namespace.tap("a name with blanks")
    with pytest.raises(LocalProtocolError, match="six octets"):
        namespace.tap("tap0", mac=b"\x02")


def test_a_missing_program_is_not_available(namespace: NetworkNamespace) -> None:
    with pytest.raises(NotAvailable, match="polyradio-no-such-program is not installed"):
        namespace.run(["polyradio-no-such-program"])


def test_a_closed_namespace_says_so() -> None:
    try:
        inside = NetworkNamespace()
    except NotAvailable as reason:
        pytest.skip(str(reason))
    inside.close()
    inside.close()
    with pytest.raises(LocalProtocolError, match="closed"):
        inside.tap("tap0")


@pytest.mark.skipif(shutil.which("ping") is None, reason="ping is not installed")
def test_ping_between_two_stacks_gives_its_times(namespace: NetworkNamespace) -> None:
    with NetworkNamespace() as other:
        a, b = namespace.tap("tap0", ip="10.9.0.1/24"), other.tap("tap0", ip="10.9.0.2/24")
        ping = RealTraffic("ping", namespace, "10.9.0.2", duration_s=0.5, interval_ms=50)
        ping.start()
        wire(a, b, 5, ping)
        result = ping.result()
        ping.close()
    assert (result.sent, result.received, result.loss, result.failure) == (10, 10, 0, None)
    assert result.rtt_min_ms is not None
    assert result.rtt_max_ms is not None
    assert 0 < result.rtt_min_ms <= result.rtt_max_ms


@pytest.mark.skipif(shutil.which("iperf3") is None, reason="iperf3 is not installed")
@pytest.mark.parametrize("kind", ["iperf3", "udp"])
def test_iperf3_between_two_stacks_gives_its_throughput(namespace: NetworkNamespace, kind: str) -> None:
    with NetworkNamespace() as other:
        a, b = namespace.tap("tap0", ip="10.9.0.1/24"), other.tap("tap0", ip="10.9.0.2/24")
        flow = RealTraffic(kind, namespace, "10.9.0.2", duration_s=1, peer_namespace=other, rate_mbps=5, size=1000)
        flow.start()
        wire(a, b, 10, flow)
        result = flow.result()
        flow.close()
    assert result.failure is None
    assert result.mbps == pytest.approx(5, rel=0.5)


@pytest.mark.skipif(shutil.which("ping") is None, reason="ping is not installed")
def test_a_ping_that_is_stopped_reports_what_it_had_and_leaves_nothing_running(namespace: NetworkNamespace) -> None:
    namespace.tap("tap0", ip="10.9.0.1/24")
    ping = RealTraffic("ping", namespace, "10.9.0.2", duration_s=60)
    ping.start()
    time.sleep(0.3)
    result = ping.result()
    assert ping.poll()
    ping.close()
    assert result.received in {0, None}
    assert result.failure


@pytest.mark.skipif(shutil.which("iperf3") is None, reason="iperf3 is not installed")
def test_iperf3_without_a_stack_at_the_far_end_says_so(namespace: NetworkNamespace) -> None:
    flow = RealTraffic("iperf3", namespace, "10.9.0.2", duration_s=1)
    flow.start()
    assert flow.poll()
    assert flow.result() == TrafficResult("iperf3", "10.9.0.2", failure="there is no Linux stack at the far end")


SCRIPT = """
from polyradio.guest.network_namespace import NetworkNamespace
with NetworkNamespace() as inside:
    inside.tap("tap0", mac=bytes.fromhex("020000000001"), ip="10.9.0.2/24")
    print(inside.run(["cat", "/proc/net/fib_trie"]).stdout.count("10.9.0.2"))
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare is not installed")
def test_it_works_in_a_user_namespace() -> None:
    """What a user without root has: `unshare -Urn`."""
    if subprocess.run(["unshare", "-Urn", "true"], check=False, capture_output=True).returncode:
        pytest.skip("user namespaces are switched off here")
    done = subprocess.run(
        ["unshare", "-Urn", sys.executable, "-c", SCRIPT], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root, to give it up")
def test_without_the_right_it_says_how_to_get_it() -> None:
    argv = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-c", SCRIPT]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "run as root or under `unshare -Urn`" in done.stderr
