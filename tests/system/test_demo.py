"""The demo from the outside: the same seed gives the same octets, and tshark reads what the VMs wrote."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest

from polyradio.guest.traffic import IpStack
from polyradio.scenario import Scenario, load_scenario
from polyradio.testbed import Testbed

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
DATA = "wlan.fc.type == 2 && wlan.fc.protected == 1"
Frame = tuple[str, str, bytes]
"""Source, destination, and what follows them in the Ethernet frame."""


def keys_of(scenario: Scenario) -> list[str]:
    """Options that give tshark the networks' passphrases."""
    options = ["-o", "wlan.enable_decryption:TRUE"]
    for access_point in scenario.access_points:
        if access_point.passphrase is not None:
            options += ["-o", f'uat:80211_keys:"wpa-pwd","{access_point.passphrase}:{access_point.ssid}"']
    return options


def tshark(capture: Path, *options: str) -> str:
    done = subprocess.run(["tshark", "-n", "-r", str(capture), *options], check=True, capture_output=True, text=True)
    return done.stdout


def plaintexts(capture: Path, keys: list[str]) -> Iterator[bytes | None]:
    """For each protected data frame what tshark makes of it; None where it has no key for it."""
    dump = tshark(capture, *keys, "-Y", DATA, "-x")
    for block in dump.strip("\n").split("\n\n"):
        _, found, decrypted = block.partition("Decrypted CCMP data")
        lines = takewhile(re.compile("[0-9a-f]{4}  ").match, decrypted.splitlines()[1:])
        yield bytes.fromhex("".join(line[6:54] for line in lines)) if found else None


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object], set[Frame]]:
    """A run of the demo: its directory, its report, and every Ethernet frame that a stack sent."""
    sent: set[Frame] = set()
    poll_frames = IpStack.poll_frames

    def record(stack: IpStack) -> list[bytes]:
        frames = poll_frames(stack)
        sent.update((frame[6:12].hex(":"), frame[0:6].hex(":"), frame[12:]) for frame in frames)
        return frames

    directory = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(IpStack, "poll_frames", record)
        report = Testbed(load_scenario("demo"), out_dir=directory).run()
    return directory, report, sent


def test_every_vm_is_connected_with_its_own_network_and_cipher(demo) -> None:
    _, report, _ = demo
    found = {vm["name"]: (vm["ssid"], vm["channel"], vm["cipher"], vm["failure"]) for vm in report["vms"]}
    assert found == {
        "alice": ("office", 1, "CCMP-128", None),
        "bob": ("office", 1, "CCMP-128", None),
        "carol": ("lab", 6, "CCMP-128", None),
        "dave": ("guests", 6, "none", None),
    }
    for vm in report["vms"]:
        assert vm["ping"]["received"] >= 0.95 * vm["ping"]["sent"] > 0


def test_the_same_seed_gives_the_same_octets_and_another_one_does_not(demo, tmp_path: Path) -> None:
    directory, _, _ = demo
    Testbed(load_scenario("demo"), out_dir=tmp_path / "again").run()
    Testbed(load_scenario("demo"), out_dir=tmp_path / "other", seed=2).run()
    for name in ("capture.pcapng", "events.jsonl", "report.json"):
        assert (tmp_path / "again" / name).read_bytes() == (directory / name).read_bytes()
    assert (tmp_path / "other" / "capture.pcapng").read_bytes() != (directory / "capture.pcapng").read_bytes()


def test_every_event_is_a_json_object_in_the_order_of_time(demo) -> None:
    directory, _, _ = demo
    events = [json.loads(line) for line in (directory / "events.jsonl").read_text().splitlines()]
    times = [event["time_ns"] for event in events]
    assert times == sorted(times)
    assert all(event["reason"] for event in events if event["event"] == "decision")


@pytest.mark.e2e
@needs_tshark
def test_tshark_decrypts_every_protected_data_frame_to_what_the_stacks_sent(demo) -> None:
    directory, report, sent = demo
    capture = directory / "capture.pcapng"
    keys = keys_of(load_scenario("demo"))
    fields = ["-T", "fields", "-e", "wlan.sa", "-e", "wlan.da"]
    addresses = [line.split("\t") for line in tshark(capture, *keys, "-Y", DATA, *fields).splitlines()]
    opened = list(plaintexts(capture, keys))
    assert len(opened) == len(addresses) > 100
    assert None not in opened
    received: set[Frame] = set()
    for (source, destination), plaintext in zip(addresses, opened, strict=True):
        assert plaintext is not None
        assert plaintext[:6] == bytes.fromhex("aaaa03000000")
        if plaintext[6:8] != b"\x88\x8e":  # a group key handshake comes from the access point, not from a stack
            received.add((source, destination, plaintext[6:]))
    assert received <= sent
    protected_vms = {vm["mac"]: sum(vm["drops"].values()) for vm in report["vms"] if vm["cipher"] != "none"}
    for mac, drops in protected_vms.items():
        missing = [frame for frame in sent - received if frame[0] == mac]
        assert len(missing) <= drops + 3, "only what was dropped, or is on its way at the end"


@pytest.mark.e2e
@needs_tshark
def test_one_networks_passphrase_opens_no_other_network(demo) -> None:
    directory, _, _ = demo
    scenario = load_scenario("demo")
    office = next(access_point for access_point in scenario.access_points if access_point.ssid == "office")
    scenario.access_points = [office]
    keys = keys_of(scenario)
    opened = "wlan.fc.type == 2 && wlan.fc.protected == 1 && llc"
    bssids = set(tshark(directory / "capture.pcapng", *keys, "-Y", opened, "-T", "fields", "-e", "wlan.bssid").split())
    assert bssids == {office.bssid.hex(":")}


@pytest.mark.e2e
@needs_tshark
def test_each_vms_frames_bear_its_interface_name_and_its_vm_id(demo) -> None:
    directory, report, _ = demo
    fields = ["-T", "fields", "-e", "wlan.ta", "-e", "frame.interface_name", "-e", "frame.comment"]
    rows = [line.split("\t") for line in tshark(directory / "capture.pcapng", "-Y", "wlan.ta", *fields).splitlines()]
    for vm in report["vms"]:
        own = [row for row in rows if row[0] == vm["mac"]]
        assert own
        assert all(vm["name"] in interface.split() for _, interface, _ in own)
        assert all(comment.startswith(f"VM {vm['vm_id']} ") for _, _, comment in own)


@pytest.mark.e2e
@needs_tshark
def test_tshark_finds_no_malformed_frame(demo) -> None:
    directory, _, _ = demo
    keys = keys_of(load_scenario("demo"))
    assert tshark(directory / "capture.pcapng", *keys, "-Y", "_ws.malformed") == ""
