"""The command line: exit codes, and one clear line for everything that is wrong."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from polyradio import CaptureReader, MacHeader
from polyradio.cli import main

OPEN_NETWORK = """\
name = "tiny"
duration_s = 2

[[access_point]]
name = "ap"
ssid = "office"
channel = 1

[[vm]]
name = "alice"
network = "office"
traffic = [{ kind = "ping" }]
"""


class Outcome:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Outcome:
        with pytest.raises(SystemExit) as end:
            main(arguments)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Outcome(int(end.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(OPEN_NETWORK)
    return path


def test_help_names_the_commands_and_the_exit_codes(cli) -> None:
    help_text = cli("--help").out
    for word in ("demo", "run", "decrypt", "schema", "Exit codes: 0 fine"):
        assert word in help_text


def test_the_version_is_printed(cli) -> None:
    outcome = cli("--version")
    assert outcome.code == 0
    assert re.fullmatch(r"polyradio \d+\.\d+\.\d+\n", outcome.out)


@pytest.mark.parametrize(
    "arguments",
    [("nonsense",), ("run",), ("demo", "--seed", "minus one"), ("demo", "--placement", "moon"), ("decrypt",)],
)
def test_bad_usage_ends_with_2(cli, arguments: tuple[str, ...]) -> None:
    outcome = cli(*arguments)
    assert outcome.code == 2
    assert outcome.err


def test_the_schema_is_json(cli) -> None:
    outcome = cli("schema")
    assert outcome.code == 0
    assert json.loads(outcome.out)["title"] == "Scenario"


def test_a_wrong_scenario_names_every_mistake_with_file_and_line(cli, tiny: Path) -> None:
    tiny.write_text(
        OPEN_NETWORK.replace("channel = 1", "channel = 99").replace('network = "office"', 'network = "ofice"')
    )
    outcome = cli("run", str(tiny))
    assert outcome.code == 2
    assert outcome.err.splitlines() == [
        f"polyradio: {tiny}: access_point[0].channel (line 7): there is no channel 99: 1 to 14, or 36, 40, ... 177",
        f"polyradio: {tiny}: vm[0].network (line 11): no access point has the SSID 'ofice'; did you mean 'office'?",
    ]


def test_a_scenario_that_is_nowhere_ends_with_2(cli) -> None:
    outcome = cli("run", "nowhere.toml")
    assert outcome.code == 2
    assert "none of that name ships: demo" in outcome.err


def test_an_unknown_device_url_ends_with_2_and_names_the_known_ones(cli, tiny: Path) -> None:
    outcome = cli("run", str(tiny), "--device", "telepathy:")
    assert outcome.code == 2
    assert "emulated" in outcome.err


@pytest.mark.parametrize("url", ["sim:", "serial:/dev/ttyUSB0?baud=3000000", "labgrid:desk"])
def test_a_device_that_this_version_cannot_reach_ends_with_3(cli, tiny: Path, url: str) -> None:
    outcome = cli("run", str(tiny), "--device", url)
    assert outcome.code == 3
    assert "not in this version" in outcome.err


def test_a_placement_that_is_not_in_this_version_ends_with_3(cli, tiny: Path) -> None:
    assert cli("run", str(tiny), "--placement", "domain").code == 3


def test_it_does_not_write_through_a_file_that_is_in_the_way(cli, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    for out in ("taken", "taken/below"):
        outcome = cli("run", str(tiny), "--out", out)
        assert outcome.code == 2
        assert "there is a file where a directory is needed" in outcome.err
    assert (tmp_path / "taken").read_text() == "mine"


def test_it_does_not_write_over_a_directory_that_bears_a_files_name(cli, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "capture.pcapng").mkdir(parents=True)
    outcome = cli("run", str(tiny), "--out", "out")
    assert outcome.code == 2
    assert outcome.err == "polyradio: cannot write out/capture.pcapng: it is there and is no file\n"


def test_a_run_writes_its_files_and_says_where(cli, tiny: Path, tmp_path: Path) -> None:
    outcome = cli("run", str(tiny))
    assert outcome.code == 0, outcome.err
    for name in ("capture.pcapng", "events.jsonl", "report.json"):
        assert f"wrote polyradio-out/tiny/{name}" in outcome.out
        assert (tmp_path / "polyradio-out" / "tiny" / name).stat().st_size > 0
    assert "alice: ping" in outcome.out
    assert "1 of 1 VMs connected" in outcome.out


def test_json_is_the_report_and_nothing_else(cli, tiny: Path, tmp_path: Path) -> None:
    outcome = cli("run", str(tiny), "--json", "--seed", "7")
    report = json.loads(outcome.out)
    assert outcome.err == ""
    assert report["seed"] == 7
    assert report == json.loads((tmp_path / "polyradio-out" / "tiny" / "report.json").read_text())


def test_a_wrong_passphrase_ends_with_1_and_a_sentence(cli) -> None:
    outcome = cli("run", "wrong_passphrase")
    assert outcome.code == 1
    assert "mallory: " in outcome.out
    assert "passphrase" in outcome.out
    assert "alice: ping" in outcome.out


def test_an_access_point_that_nobody_hears_ends_with_1(cli, tiny: Path) -> None:
    tiny.write_text(OPEN_NETWORK + '[[link]]\naccess_point = "ap"\nloss = 1.0\n')
    outcome = cli("run", str(tiny))
    assert outcome.code == 1
    assert "no access point with SSID 'office'" in outcome.out


def test_an_access_point_that_vanishes_ends_with_1(cli, tiny: Path) -> None:
    text = OPEN_NETWORK.replace("duration_s = 2", "duration_s = 8").replace(
        "channel = 1", "channel = 1\nvanish_at_s = 2"
    )
    tiny.write_text(text)
    outcome = cli("run", str(tiny))
    assert outcome.code == 1
    assert "vanished" in outcome.out or "no access point" in outcome.out


def test_a_demo_is_the_run_of_the_shipped_scenario(cli) -> None:
    demo, run = cli("demo", "--json", "--out", "a"), cli("run", "demo", "--json", "--out", "b")
    assert demo.code == run.code == 0
    assert demo.out == run.out
    assert Path("a/capture.pcapng").read_bytes() == Path("b/capture.pcapng").read_bytes()


def test_ctrl_c_ends_a_run_with_its_files_whole(tiny: Path, tmp_path: Path) -> None:
    tiny.write_text(OPEN_NETWORK.replace("duration_s = 2", 'duration_s = 120\ntime = "wall"'))
    argv = [sys.executable, "-c", "from polyradio.cli import main; main()", "run", str(tiny), "--out", str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "completed" in line:
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.startswith("polyradio: interrupted after ")
    assert "wrote " in out
    assert json.loads((tmp_path / "report.json").read_text())["interrupted_after_s"] > 0
    frames = list(reader := CaptureReader((tmp_path / "capture.pcapng").read_bytes()))
    assert frames
    assert reader.error is None


OFFICE, LAB = "office:correct horse battery", "lab:staple of the lab"


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's capture."""
    directory = tmp_path_factory.mktemp("demo")
    with pytest.raises(SystemExit):
        main(["demo", "--json", "--out", str(directory)])
    return directory / "capture.pcapng"


def test_decrypt_opens_every_protected_frame_of_the_demo(cli, capture: Path, tmp_path: Path) -> None:
    outcome = cli("decrypt", str(capture), "--network", OFFICE, "--network", LAB, "-o", "plain.pcapng", "--json")
    assert outcome.code == 0, outcome.err
    counts = json.loads(outcome.out)
    assert counts["decrypted"] == counts["protected"] > 1000
    assert {network["ssid"] for network in counts["networks"] if network["decrypted"]} == {"office", "lab"}
    for frame in CaptureReader((tmp_path / "plain.pcapng").read_bytes()):
        assert not MacHeader.parse(frame.frame).protected


def test_decrypt_with_one_networks_passphrase_leaves_the_others_closed(cli, capture: Path) -> None:
    outcome = cli("decrypt", str(capture), "--network", OFFICE, "-o", "plain.pcapng")
    assert outcome.code == 0
    assert "wrote plain.pcapng" in outcome.out
    assert re.search(r"^office .*\n", outcome.out, re.MULTILINE)
    counts = json.loads(cli("decrypt", str(capture), "--network", OFFICE, "-o", "plain.pcapng", "--json").out)
    assert 0 < counts["decrypted"] < counts["protected"]


def test_decrypt_with_a_wrong_passphrase_ends_with_1(cli, capture: Path) -> None:
    outcome = cli("decrypt", str(capture), "--network", "office:not this one", "-o", "plain.pcapng")
    assert outcome.code == 1


def test_decrypt_of_a_capture_cut_off_in_a_frame_says_where_it_ends(cli, capture: Path, tmp_path: Path) -> None:
    octets = capture.read_bytes()
    (tmp_path / "cut.pcapng").write_bytes(octets[: len(octets) // 2 + 7])
    outcome = cli("decrypt", "cut.pcapng", "--network", OFFICE, "-o", "plain.pcapng")
    assert outcome.code == 0
    assert "the capture ends early: " in outcome.out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("nowhere.pcap", "--network", OFFICE, "-o", "out.pcapng"), "nowhere.pcap: there is no such file"),
        ((".", "--network", OFFICE, "-o", "out.pcapng"), "is a directory, not a capture"),
        (("text.pcap", "--network", OFFICE, "-o", "out.pcapng"), "text.pcap: no capture that can be read"),
        (("text.pcap", "--network", OFFICE, "-o", "no/such/out.pcapng"), "there is no directory no/such"),
        (("text.pcap", "--network", OFFICE, "-o", "."), "it is there and is no file"),
        (("text.pcap", "--network", "office", "-o", "out.pcapng"), "SSID:PASSPHRASE"),
        (("text.pcap", "--network", "office:short", "-o", "out.pcapng"), "8 to 63"),
        (("text.pcap", "--pmk", "12", "-o", "out.pcapng"), "PMK"),
        (("text.pcap", "-o", "out.pcapng"), "give at least one --network or --pmk"),
    ],
)
def test_decrypt_says_what_is_wrong_with_its_input(
    cli, tmp_path: Path, arguments: tuple[str, ...], expected: str
) -> None:
    (tmp_path / "text.pcap").write_text("this is no capture")
    outcome = cli("decrypt", *arguments)
    assert outcome.code == 2
    assert expected in outcome.err
