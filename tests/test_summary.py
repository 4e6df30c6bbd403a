"""What people are told about a run."""

import io
from typing import Any

from rich.console import Console

from polyradio.summary import print_summary, shortcomings


def vm(**changes: Any) -> dict[str, Any]:
    return {
        "name": "alice",
        "mac": "02:50:52:00:00:01",
        "state": "completed",
        "ssid": "office",
        "channel": 1,
        "cipher": "CCMP-128",
        "sent": 100,
        "received": 98,
        "drops": {},
        "airtime_ms": 12.34,
        "ping": {"sent": 50, "received": 49, "rtt_ms": {"min": 0.5, "avg": 12.25, "max": 41.0}},
        "failure": None,
    } | changes


def report(*vms: dict[str, Any]) -> dict[str, Any]:
    return {
        "scenario": "demo",
        "seed": 1,
        "device": "emulated:",
        "time": "virtual",
        "duration_s": 5.0,
        "vms": list(vms),
        "decisions": {"applied": 12, "merged": 1},
        "schedule": {"slots": [{"channel": 1, "length_us": 20000}, {"channel": 6, "length_us": 20000}]},
    }


def printed(whole: dict[str, Any]) -> str:
    text = io.StringIO()
    print_summary(Console(file=text, width=160), whole, ["out/capture.pcapng"])
    return text.getvalue()


def test_the_summary_says_what_was_measured_decided_and_written() -> None:
    text = printed(report(vm()))
    for line in (
        "alice: ping 49 of 50 answered, 0.50 / 12.25 / 41.00 ms (min / mean / max)",
        "control engine: 12 applied, 1 merged",
        "radio: channel 1 for 20 ms, channel 6 for 20 ms",
        "1 of 1 VMs connected, all traffic got through",
        "wrote out/capture.pcapng",
    ):
        assert line in text


def test_a_name_with_brackets_is_no_markup() -> None:
    assert "[red]x" in printed(report(vm(ssid="[red]x")))


def test_a_vm_that_is_not_connected_falls_short_with_its_reason() -> None:
    assert shortcomings(report(vm(), vm(name="bob", failure="wrong passphrase?"))) == ["bob: wrong passphrase?"]


def test_traffic_that_does_not_get_through_falls_short() -> None:
    lost = {"sent": 10, "received": 0, "rtt_ms": None}
    broken = {"mbps": 0, "failure": "unable to connect"}
    assert shortcomings(report(vm(ping=lost, udp=lost, iperf3=broken))) == [
        "alice: ping: nothing got through",
        "alice: udp: nothing got through",
        "alice: iperf3: unable to connect",
    ]


def test_drops_are_named() -> None:
    assert "alice: dropped 2 queue full, 1 replay" in printed(report(vm(drops={"queue_full": 2, "replay": 1})))
