"""Two Linux stacks by TAP through one NIC: ping and TCP at once, on two networks and two channels."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = ("ping", "iperf3", "unshare")
COMMAND = [sys.executable, "-c", "from polyradio.cli import main; main()"]

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(any(shutil.which(tool) is None for tool in TOOLS), reason=f"needs {', '.join(TOOLS)}"),
    pytest.mark.skipif(not os.access("/dev/net/tun", os.R_OK | os.W_OK), reason="/dev/net/tun cannot be opened"),
]


def enter(way: str) -> list[str]:
    """The command before the command: as root, or with the rights of a user namespace."""
    if way == "root":
        if os.geteuid() != 0:
            pytest.skip("not root")
        return []
    if subprocess.run(["unshare", "-Urn", "true"], check=False, capture_output=True).returncode:
        pytest.skip("user namespaces are switched off here")
    return ["unshare", "-Urn"]


@pytest.mark.parametrize("way", ["root", "unshare -Urn"])
def test_two_guests_ping_and_send_tcp_at_once_and_stay_connected(way: str, tmp_path: Path) -> None:
    prefix = enter(way)
    argv = [*prefix, *COMMAND, "run", "tap_two_guests", "--json", "--out", str(tmp_path)]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=120)
    if done.returncode == 3:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    report = json.loads(done.stdout)
    assert {(vm["ssid"], vm["channel"]) for vm in report["vms"]} == {("office", 1), ("lab", 6)}
    for vm in report["vms"]:
        assert vm["state"].lower() == "completed"
        assert vm["ping"]["received"] >= 0.9 * vm["ping"]["sent"] > 0
        assert 0 < vm["ping"]["rtt_ms"]["min"] <= vm["ping"]["rtt_ms"]["avg"] < 500
        assert vm["iperf3"]["mbps"] > 1
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    for vm in report["vms"]:
        states = [
            event["state"].lower() for event in events if event["event"] == "state" and event["name"] == vm["name"]
        ]
        assert states.count("completed") >= 1
        assert states[-1] == "completed"
        assert "disconnected" not in states[states.index("completed") :], "the connection was never lost"


def test_without_the_right_to_make_namespaces_it_ends_with_3_and_says_how(tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root, to give it up")
    argv = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *COMMAND]
    argv += ["run", "tap_two_guests", "--out", str(tmp_path)]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3
    assert "run as root or under `unshare -Urn`" in done.stderr
