"""The performance gate for devices, briefly on the emulated one; no speed decides."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from polyradio.bench.report import read_report
from polyradio.bus import open_device
from polyradio.errors import DeviceLost, DeviceRejected
from polyradio.host_api import InitVm, ReadRow, VmId

PATH = Path(__file__).parents[2] / "hil" / "perf_gate.py"
BRIEF = ["--slices", "10", "--slice-ms", "1", "--vms", "2"]


@pytest.fixture(scope="module")
def gate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("perf_gate", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(gate: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = gate.main([*arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out, captured.err

    return run


Run = Callable[..., tuple[int, str, str]]


def scale(path: Path, factor: float) -> None:
    """Makes a baseline that no machine reaches, or that every machine does."""
    value = json.loads(path.read_text())
    for result in value["results"]:
        result["samples"] = [sample * factor for sample in result["samples"]]
    path.write_text(json.dumps(value))


def test_without_a_baseline_it_writes_one(run: Run, tmp_path: Path) -> None:
    code, out, err = run("--out", "baseline.json", *BRIEF)
    assert (code, err) == (0, "")
    assert out.endswith("wrote baseline.json\n")
    report = read_report(tmp_path / "baseline.json")
    assert [result.name for result in report.results] == [
        "device/calls",
        "device/transmit/100",
        "device/transmit/1500",
    ]
    assert {result.suite for result in report.results} == {"device"}
    assert {len(result.samples) for result in report.results} == {10}
    assert all(result.better == "higher" and result.best >= result.median > 0 for result in report.results)


@pytest.mark.parametrize(("factor", "expected"), [(1000.0, 1), (0.001, 0)])
def test_it_is_compared_with_the_baseline(run: Run, tmp_path: Path, factor: float, expected: int) -> None:
    assert run("--out", "baseline.json", *BRIEF)[0] == 0
    scale(tmp_path / "baseline.json", factor)
    code, out, _ = run("--baseline", "baseline.json", "--json", "-o", "junit=j.xml", "--out", "new.json", *BRIEF)
    assert code == expected
    assert json.loads(out)["regressed"] is bool(expected)
    assert (tmp_path / "j.xml").exists()
    read_report(tmp_path / "new.json")


def test_another_number_of_vms_is_no_baseline(run: Run) -> None:
    assert run("--out", "baseline.json", *BRIEF)[0] == 0
    code, out, err = run("--baseline", "baseline.json", *BRIEF, "--vms", "3")
    assert code == 3
    assert "the parameters differ" in out
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("device", ["sim:", "serial:/dev/ttyACM0"])
def test_devices_that_are_not_there_end_with_3_and_one_line(run: Run, device: str) -> None:
    code, out, err = run("--device", device, "--out", "x.json")
    assert (code, out) == (3, "")
    assert err == f"perf_gate: {device.partition(':')[0]}: devices are not in this version; use emulated:\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "give --out to write a baseline, or --baseline to compare with one"),
        (["--out", "x.json", "--json"], "give --baseline too"),
        (["--device", "nonsense:", "--out", "x.json"], "'nonsense:' is no device URL"),
        (["--device", "emulated:?max_vms=2", "--vms", "3", "--out", "x.json"], "3 VMs: this device has 1 to 2"),
        (["--baseline", "none.json"], "none.json: there is no such file"),
        (["--out", "none/x.json", *BRIEF], "there is no directory none"),
    ],
)
def test_bad_input_ends_with_2(run: Run, arguments: list[str], expected: str) -> None:
    code, _, err = run(*arguments)
    assert code == 2
    assert expected in err


def test_what_the_device_refuses_is_said(gate: ModuleType) -> None:
    host = gate.Host(open_device("emulated:?max_vms=2"))
    with pytest.raises(DeviceRejected, match="unknown_vm"):
        host.exchange(host.batch([(1, ReadRow())]), 1)


def test_a_device_that_does_not_answer_is_lost(gate: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "_PATIENCE_S", 0.05)
    host = gate.Host(open_device("emulated:"))
    with pytest.raises(DeviceLost, match="1 calls were not answered"):
        host.exchange(host.batch([(0, InitVm(VmId(0), bytes.fromhex("020000000001")))]), 2)
