"""What tshark, an implementation that is not ours, makes of the demo's capture."""

from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from polyradio import _core
from polyradio.guest.traffic import IpStack
from polyradio.scenario import load_scenario
from polyradio.testbed import Testbed

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """One run of the demo: its capture, its report, and each Ethernet frame that a stack sent, by source address."""
    sent: dict[bytes, list[bytes]] = defaultdict(list)
    poll_frames = IpStack.poll_frames

    def record(stack: IpStack) -> list[bytes]:
        frames = poll_frames(stack)
        for frame in frames:
            sent[bytes(frame[6:12])].append(bytes(frame))
        return frames

    scenario = load_scenario("demo")
    out = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(IpStack, "poll_frames", record)
        report = Testbed(scenario, out_dir=out).run()
    networks = {(cell.ssid, cell.passphrase) for cell in scenario.access_points if cell.passphrase}
    return SimpleNamespace(out=out, capture=out / "capture.pcapng", report=report, sent=sent, networks=sorted(networks))


def test_every_protected_data_frame_is_decrypted(demo: SimpleNamespace, tshark: Any) -> None:
    frames = tshark.decrypted_bodies(demo.capture, demo.networks)
    assert len(frames) > 1000
    assert [record for record, body in frames if body is None] == []


def test_the_plaintext_is_what_the_vms_sent(demo: SimpleNamespace, tshark: Any) -> None:
    on_air: dict[bytes, list[bytes]] = defaultdict(list)
    for record, body in tshark.decrypted_bodies(demo.capture, demo.networks):
        frame = record[int.from_bytes(record[2:4], "little") :]
        header = _core.MacHeader.parse(frame)
        if header.to_ds and not header.retry and body is not None:
            on_air[header.addr2].append(body)
    protected = {vm["mac"]: vm for vm in demo.report["vms"] if vm["cipher"] != "none"}
    assert len(protected) == 3
    for mac, vm in protected.items():
        address = bytes.fromhex(mac.replace(":", ""))
        eapol = bytes.fromhex("aaaa03000000888e")
        bodies = [body for body in on_air[address] if not body.startswith(eapol)]
        # An LLC/SNAP header stands where the Ethernet header's addresses stood.
        handed_down = [bytes.fromhex("aaaa03000000") + frame[12:] for frame in demo.sent[address]]
        assert len(bodies) == vm["sent"]
        dropped = len(handed_down) - len(bodies)
        assert 0 <= dropped <= 8, "only frames that still wait for their channel's slot when the run ends"
        iterator = iter(handed_down)
        assert all(body in iterator for body in bodies), "a body that the VM did not send, or out of order"


def test_each_vm_has_an_interface_and_each_of_its_frames_a_comment(demo: SimpleNamespace, tshark: Any) -> None:
    rows = tshark.fields(demo.capture, ["frame.interface_name", "frame.comment", "wlan.ta", "wlan.ra"], "wlan", [])
    macs = {vm["mac"]: f"vm{vm['vm_id']} {vm['name']}" for vm in demo.report["vms"]}
    assert {name for name, *_ in rows} == {*macs.values(), "air"}
    for name, comment, transmitter, receiver in rows:
        owner = macs.get(transmitter) or macs.get(receiver)
        assert name == (owner or "air")
        assert bool(comment) == (owner is not None)
        if owner:
            assert comment.startswith(f"VM {owner.split()[0][2:]} ")


def test_tshark_finds_nothing_malformed(demo: SimpleNamespace, tshark: Any) -> None:
    assert tshark.fields(demo.capture, ["frame.number"], "_ws.malformed", demo.networks) == []


def test_the_same_seed_gives_the_same_octets(demo: SimpleNamespace, tmp_path: Path) -> None:
    Testbed(load_scenario("demo"), out_dir=tmp_path).run()
    for name in ("capture.pcapng", "events.jsonl", "report.json"):
        assert (tmp_path / name).read_bytes() == (demo.out / name).read_bytes(), name


def test_another_seed_gives_another_capture(demo: SimpleNamespace, tmp_path: Path) -> None:
    Testbed(load_scenario("demo"), out_dir=tmp_path, seed=2).run()
    assert (tmp_path / "capture.pcapng").read_bytes() != demo.capture.read_bytes()
