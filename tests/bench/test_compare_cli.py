"""`polyradio bench compare`: exit codes, files, and one clear line for everything that is wrong."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from polyradio import cli as command_line
from polyradio.bench.report import Report

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            command_line.main(("bench", *arguments))
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return int(end.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def slow(make_report: Callable, make_result: Callable) -> Report:
    return make_report(make_result(samples=[115.0 + i % 3 for i in range(30)]))


@pytest.fixture
def few(make_report: Callable, make_result: Callable) -> Report:
    return make_report(make_result(samples=[100.0] * 5))


@pytest.fixture
def elsewhere(slow: Report) -> Report:
    return replace(slow, machine=replace(slow.machine, fingerprint="ba9876543210"))


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, Report], str]:
    def write(name: str, report: Report) -> str:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(report.to_json()))
        return name

    return write


def test_nothing_changed(cli: Cli, write: Callable, report: Report) -> None:
    code, out, err = cli("compare", write("base.json", report), write("new.json", report))
    assert (code, err) == (0, "")
    assert "ccmp/seal/1500" in out
    assert out.endswith("1 results: 1 same (seed 1)\n")


def test_a_regression_ends_with_1_and_names_result_figures_interval_and_limit(
    cli: Cli, write: Callable, report: Report, slow: Report
) -> None:
    code, out, _ = cli("compare", write("base.json", report), write("new.json", slow))
    assert code == 1
    (line,) = [line for line in out.splitlines() if line.startswith("regressed: ")]
    assert line == (
        "regressed: ccmp/seal/1500: 101 -> 116 ns/packet, beside the reference +14.9 % [+12.6 %, +17.1 %],"
        " limit +10.0 %"
    )


def test_the_limit_is_an_option(cli: Cli, write: Callable, report: Report, slow: Report) -> None:
    assert cli("compare", write("base.json", report), write("new.json", slow), "--limit", "20")[0] == 0


def test_json_is_nothing_but_json(cli: Cli, write: Callable, report: Report, slow: Report) -> None:
    for flag in (["--json"], ["--format", "json"]):
        code, out, _ = cli("compare", write("base.json", report), write("new.json", slow), *flag)
        assert code == 1
        assert json.loads(out)["counts"]["regressed"] == 1


@pytest.mark.parametrize(("new", "expected"), [("slow", 1), ("elsewhere", 3)])
def test_several_files_are_written_before_the_end(
    cli: Cli, write: Callable, tmp_path: Path, report: Report, new: str, expected: int, request: pytest.FixtureRequest
) -> None:
    outputs = ["json=c.json", "bmf=b.json", "github=g.json", "junit=j.xml", "markdown=a=b.md"]
    options = [word for output in outputs for word in ("--output", output)]
    code, _, _ = cli("compare", write("base.json", report), write("new.json", request.getfixturevalue(new)), *options)
    assert code == expected
    for name in ("c.json", "b.json", "g.json"):
        json.loads((tmp_path / name).read_text())
    ET.parse(tmp_path / "j.xml")
    assert (tmp_path / "a=b.md").read_text().startswith("## polyradio bench")


def test_another_machine_ends_with_3_unless_asked_for(
    cli: Cli, write: Callable, report: Report, elsewhere: Report
) -> None:
    files = write("base.json", report), write("new.json", elsewhere)
    code, _, err = cli("compare", *files)
    assert code == 3
    assert err.startswith("polyradio: measured on different machines: ")
    assert len(err.splitlines()) == 1
    assert cli("compare", *files, "--across-machines")[0] == 1


def test_nothing_but_noise_ends_with_3(cli: Cli, write: Callable, few: Report) -> None:
    code, _, err = cli("compare", write("base.json", few), write("new.json", few))
    assert code == 3
    assert "every result is inconclusive" in err


def test_folders_hold_the_runs_of_a_side(cli: Cli, write: Callable, few: Report) -> None:
    for run in range(3):
        write(f"base/{run}.json", few)
        write(f"new/{run}.json", few)
    code, out, _ = cli("compare", "base", "new", "--json")
    assert code == 0
    assert json.loads(out)["results"][0]["base"]["slices"] == 15


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("none.json", "base.json"), "polyradio: none.json: there is no such file"),
        (("base.json", "broken.json"), "polyradio: broken.json: line 1, column 1: no JSON"),
        (("base.json", "later.json"), "polyradio: later.json: version 2 of polyradio-bench"),
        (("empty", "base.json"), "polyradio: empty: no *.json in this folder"),
        (("base.json", "base.json", "--output", "nonsense"), "'nonsense' is not FORMAT=FILE"),
        (("base.json", "base.json", "--output", "yaml=x"), "no format 'yaml'; known are json, bmf"),
        (("base.json", "base.json", "--output", "json=none/x"), "cannot write none/x: there is no directory none"),
        (("base.json", "base.json", "--output", "json=empty"), "cannot write empty: it is a directory"),
        (("base.json", "base.json", "--limit", "0"), "0<x<=1000"),
        (("base.json", "base.json", "--limit", "nan"), "a limit has to be a number above 0"),
        (("base.json",), "Missing argument 'NEW'"),
    ],
)
def test_bad_input_ends_with_2(
    cli: Cli, write: Callable, tmp_path: Path, arguments: tuple, expected: str, report: Report
) -> None:
    write("base.json", report)
    (tmp_path / "broken.json").write_text("nonsense")
    (tmp_path / "later.json").write_text(json.dumps(report.to_json() | {"version": 2}))
    (tmp_path / "empty").mkdir()
    code, _, err = cli("compare", *arguments)
    assert code == 2
    assert expected in err


def test_a_single_report_for_other_tools(cli: Cli, write: Callable, tmp_path: Path, report: Report) -> None:
    code, _, _ = cli("export", write("base.json", report), "-o", "bmf=b.json", "-o", "github=g.json")
    assert code == 0
    assert "latency" in json.loads((tmp_path / "b.json").read_text())["ccmp/seal/1500"]
    assert json.loads((tmp_path / "g.json").read_text())[0]["unit"] == "ns/packet"
    assert cli("export", "base.json")[0] == 2
