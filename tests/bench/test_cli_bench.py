"""`polyradio bench`: reports, exit codes, and one clear line for everything that is wrong."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from polyradio import _core
from polyradio import cli as command_line
from polyradio.bench.report import Report, read_report

Cli = Callable[..., tuple[int, str, str]]
BRIEF = ("--slices", "2", "--slice-ms", "1", "--quick")


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


def test_a_report_is_printed_and_written(cli: Cli) -> None:
    code, out, _ = cli("--suite", "lookup", *BRIEF, "--out", "report.json")
    assert code == 0
    report = read_report(Path("report.json"))
    assert [result.name for result in report.results] == ["lookup/vms=16", "lookup/vms=65535"]
    assert all(len(result.samples) == len(result.reference.samples) == 2 for result in report.results)
    assert (report.build.profile, report.build.backend) == ("release", _core.best_backend())
    assert (report.settings.slices, report.settings.slice_ms) == (2, 1)
    assert report.results[0].peers[0].name == "std HashMap"
    for word in (report.machine.cpu, report.machine.fingerprint, "vms=65535", "of the limit", "%", "wrote report.json"):
        assert word in out
    assert max(len(line) for line in out.splitlines()) <= 120


def test_json_is_nothing_else(cli: Cli) -> None:
    code, out, _ = cli("--suite", "switch", *BRIEF, "--json", "--seed", "7")
    assert code == 0
    report = Report.from_json(json.loads(out))
    assert report.settings.seed == 7
    assert {result.suite for result in report.results} == {"switch"}


def test_two_suites_come_in_their_order(cli: Cli) -> None:
    code, out, _ = cli("--suite", "switch", "--suite", "lookup", *BRIEF, "--json")
    assert code == 0
    assert list(dict.fromkeys(result["suite"] for result in json.loads(out)["results"])) == ["lookup", "switch"]


def test_a_backend_alone(cli: Cli) -> None:
    code, out, _ = cli("--suite", "ccmp", *BRIEF, "--backend", "portable", "--json")
    assert code == 0
    report = json.loads(out)
    assert report["build"]["backend"] == "portable"
    assert {result["backend"] for result in report["results"]} == {"portable"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--suite", "lookupp"), "there is no suite 'lookupp'; did you mean lookup?"),
        (("--suite", "xyz"), "there are ccmp, lookup"),
        (("--backend", "vaes"), "there is no backend 'vaes'; there are portable"),
        (("--out", "nowhere/report.json"), "there is no directory nowhere"),
        (("--out", "."), "is a directory"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(cli: Cli, arguments: tuple[str, ...], words: str) -> None:
    code, out, err = cli(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err


def test_numbers_that_make_no_sense_are_refused(cli: Cli) -> None:
    for arguments in (("--slices", "0"), ("--slice-ms", "0"), ("--slice-ms", "nan"), ("--seed", "-1")):
        assert cli(*arguments)[0] == 2


def test_a_debug_build_is_refused(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_core, "build_profile", lambda: "debug")
    code, out, err = cli("--suite", "lookup")
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert "debug build" in err


def test_a_backend_that_is_not_here_is_exit_code_3(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_core, "ccmp_backends", lambda: {"portable": True, "vaes-512": False})
    code, _, err = cli("--backend", "vaes-512")
    assert (code, err) == (3, "polyradio: this processor does not have vaes-512\n")


def test_a_suite_that_was_asked_for_and_is_not_possible_is_exit_code_3(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    code, out, err = cli("--suite", "tap", "--suite", "lookup", *BRIEF)
    assert code == 3
    assert "lookup" in out
    assert err == "polyradio: tap was not measured: iperf3 is not installed\n"
    code, _, err = cli("--suite", "tap", *BRIEF)
    assert code == 3
    assert err.endswith("nothing could be measured here\n")


def test_help_names_the_suites_and_hides_the_handicap(cli: Cli) -> None:
    code, out, _ = cli("--help")
    assert code == 0
    for word in ("ccmp, lookup, receive", "--quick", "compare"):
        assert word in out
    assert "handicap" not in out
