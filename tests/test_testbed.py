"""Whole runs in virtual time: VMs, host, device, air, access points."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from polyradio import _core
from polyradio.errors import LocalProtocolError, NotAvailable
from polyradio.scenario import Scenario, parse_scenario, read_scenario_text
from polyradio.testbed import Snapshot, Testbed

FOUR_VMS = """
name = "four"
duration_s = 3.0

[[access_point]]
name = "office"
ssid = "office"
channel = 1
passphrase = "correct horse battery"

[[access_point]]
name = "lab"
ssid = "lab"
channel = 6
passphrase = "staple of the lab"

[[access_point]]
name = "guests"
ssid = "guests"
channel = 6

[[vm]]
name = "alice"
network = "office"
passphrase = "correct horse battery"
traffic = [{ kind = "ping" }]

[[vm]]
name = "bob"
network = "office"
passphrase = "correct horse battery"
traffic = [{ kind = "ping" }, { kind = "udp", rate_mbps = 1, size = 1000, duration_s = 1 }]

[[vm]]
name = "carol"
network = "lab"
passphrase = "staple of the lab"
traffic = [{ kind = "ping" }]

[[vm]]
name = "dave"
network = "guests"
traffic = [{ kind = "ping" }]
"""


def one_network(extra_ap: str = "", extra_vm: str = "", duration_s: float = 4.0) -> Scenario:
    return parse_scenario(
        f"""
        name = "one"
        duration_s = {duration_s}
        [[access_point]]
        name = "ap"
        ssid = "net"
        channel = 11
        passphrase = "correct horse battery"
        {extra_ap}
        [[vm]]
        name = "vm"
        network = "net"
        passphrase = "correct horse battery"
        traffic = [{{ kind = "ping" }}]
        {extra_vm}
        """
    )


def only_vm(report: dict[str, Any]) -> dict[str, Any]:
    vm: dict[str, Any] = report["vms"][0]
    return vm


def test_four_vms_on_three_networks_and_two_channels_connect_and_ping(tmp_path: Path) -> None:
    report = Testbed(parse_scenario(FOUR_VMS), out_dir=tmp_path).run()
    for vm in report["vms"]:
        assert vm["state"] == "completed", vm
        assert vm["failure"] is None
        assert vm["connected_after_s"] < 1
        assert vm["ping"]["sent"] > 30
        # The last request may still be under way when the run ends.
        assert vm["ping"]["received"] >= vm["ping"]["sent"] - 1, vm
        assert 0 < vm["ping"]["rtt_ms"]["min"] <= vm["ping"]["rtt_ms"]["avg"] <= vm["ping"]["rtt_ms"]["max"] < 60
    assert [vm["cipher"] for vm in report["vms"]] == ["CCMP-128", "CCMP-128", "CCMP-128", "none"]
    assert [vm["channel"] for vm in report["vms"]] == [1, 1, 6, 6]
    assert report["vms"][1]["udp"] == {"sent": 125, "received": 125}
    assert [access_point["stations"] for access_point in report["access_points"]] == [2, 1, 1]
    assert report["decisions"]["merged"] >= 1
    assert report["decisions"]["refused"] == 0
    assert [slot["channel"] for slot in report["schedule"]["slots"]] == [1, 6]
    assert report["schedule"]["refused"] == {}
    assert json.loads((tmp_path / "report.json").read_text()) == report
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [event["time_ns"] for event in events] == sorted(event["time_ns"] for event in events)
    assert all(event["reason"] for event in events if event["event"] == "decision")
    reader = _core.CaptureReader((tmp_path / "capture.pcapng").read_bytes())
    assert sum(1 for _ in reader) > 1000
    assert reader.error is None
    assert any("alice" in name for name in reader.interfaces if name)


def test_the_same_seed_gives_the_same_octets_and_another_one_does_not(tmp_path: Path) -> None:
    digests = []
    for number, seed in enumerate((7, 7, 8)):
        directory = tmp_path / str(number)
        Testbed(parse_scenario(FOUR_VMS), out_dir=directory, seed=seed).run()
        files = ("capture.pcapng", "events.jsonl", "report.json")
        digests.append([hashlib.sha256((directory / name).read_bytes()).hexdigest() for name in files])
    assert digests[0] == digests[1]
    assert digests[0][0] != digests[2][0]


def test_a_wrong_passphrase_is_reported_and_the_others_are_not_disturbed() -> None:
    extra = '[[vm]]\nname = "wrong"\nnetwork = "net"\npassphrase = "not the right one"'
    report = Testbed(one_network(extra_vm=extra)).run()
    right, wrong = report["vms"]
    assert right["failure"] is None
    assert right["ping"]["received"] >= right["ping"]["sent"] - 1
    assert "wrong passphrase" in wrong["failure"]
    assert wrong["connected_after_s"] is None


def test_an_access_point_that_cannot_be_reached_is_reported() -> None:
    scenario = one_network(extra_vm="[[link]]\naccess_point = 'ap'\nloss = 1.0")
    vm = only_vm(Testbed(scenario).run())
    assert vm["failure"].startswith("no access point with SSID 'net' was heard on channel")


def test_an_access_point_that_vanishes_is_reported() -> None:
    vm = only_vm(Testbed(one_network(extra_ap="vanish_at_s = 1.5", duration_s=8)).run())
    assert vm["connected_after_s"] < 1
    assert "vanished" in vm["failure"]


def test_pings_go_on_while_the_group_key_changes() -> None:
    vm = only_vm(Testbed(one_network(extra_ap="rekey_s = 0.5")).run())
    assert vm["failure"] is None
    assert vm["ping"]["received"] >= vm["ping"]["sent"] - 1
    assert vm["drops"].get("replay", 0) == 0


def test_progress_is_shown_and_changes_nothing(tmp_path: Path) -> None:
    snapshots: list[Snapshot] = []
    shown = Testbed(one_network(), out_dir=tmp_path / "shown", progress=snapshots.append).run()
    quiet = Testbed(one_network(), out_dir=tmp_path / "quiet").run()
    assert shown == quiet
    assert snapshots[-1].vms[0].state == "completed"
    assert snapshots[-1].time_ns == 4_000_000_000


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"device_url": "sim:"}, NotAvailable, "not in this version"),
        ({"device_url": "usb:1"}, LocalProtocolError, "emulated:"),
        ({"placement": "device"}, NotAvailable, "not in this version"),
        ({"placement": "cloud"}, LocalProtocolError, "host, device, domain"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(options: dict[str, str], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        Testbed(one_network(), **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.e2e
@pytest.mark.slow
def test_two_linux_stacks_ping_and_run_iperf3_in_wall_clock_time() -> None:
    text = read_scenario_text("tap_two_guests").replace("duration_s = 10.0", "duration_s = 6.0")
    text = text.replace("duration_s = 5 ", "duration_s = 2 ")
    if shutil.which("iperf3") is None or shutil.which("ping") is None:
        pytest.skip("iperf3 or ping is not installed")
    try:
        report = Testbed(parse_scenario(text)).run()
    except NotAvailable as reason:
        pytest.skip(str(reason))
    for vm in report["vms"]:
        assert vm["failure"] is None
        assert vm["ping"]["received"] >= vm["ping"]["sent"] - 1 > 5, vm
        assert vm["iperf3"]["failure"] is None
        assert vm["iperf3"]["mbps"] > 1
