"""Counting under valgrind: the work alone, and a reason where it cannot be done."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from polyradio.bench.compare import compare
from polyradio.bench.instructions import count_instructions, main
from polyradio.bench.statistics import Verdict
from polyradio.errors import NotAvailable

WORKLOADS = """
import time
from polyradio import LocalProtocolError, ccmp_seal

class Seal:
    items = 3000

    def __init__(self, handicap):
        self.packets = 3000 + round(30 * handicap)

    def run(self, repetitions):
        start = time.perf_counter_ns()
        frame = bytes.fromhex("8801") + bytes(24) + bytes(1000)
        for number in range(repetitions):
            for packet in range(self.packets):
                ccmp_seal(frame, bytes(16), number * 10_000 + packet + 1)
        return time.perf_counter_ns() - start

def build(name, *, handicap=0.0):
    if name != "seal":
        raise LocalProtocolError(f"there is no workload {name!r}")
    return Seal(handicap)
"""
FACTORY = "workloads_of_the_test:build"


@pytest.fixture
def workloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "workloads_of_the_test.py").write_text(WORKLOADS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)


needs_valgrind = pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")


@needs_valgrind
@pytest.mark.slow
def test_3_percent_more_work_are_found_and_the_same_work_is_the_same(
    workloads: None, make_report: Callable, make_result: Callable
) -> None:
    first, again, slower = (count_instructions(["seal"], factory=FACTORY, handicap=more)["seal"] for more in (0, 0, 3))
    assert first.tool.startswith("valgrind 3.")
    assert again.per_item == pytest.approx(first.per_item, rel=0.002)
    assert slower.per_item == pytest.approx(first.per_item * 1.03, rel=0.002)
    base, same, new = (make_report(make_result(instructions=counted)) for counted in (first, again, slower))
    assert compare([base], [same]).items[0].verdict is Verdict.SAME
    assert compare([base], [new]).items[0].verdict is Verdict.REGRESSED


@needs_valgrind
@pytest.mark.slow
def test_a_name_without_a_workload_is_left_out(workloads: None) -> None:
    assert list(count_instructions(["none", "seal"], factory=FACTORY)) == ["seal"]
    with pytest.raises(NotAvailable, match=r"^there is no workload 'none'$"):
        count_instructions(["none"], factory=FACTORY)


def test_without_valgrind_there_is_a_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotAvailable, match="valgrind is not installed"):
        count_instructions(["seal"], factory=FACTORY)


def test_a_valgrind_that_does_not_run_is_a_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "valgrind"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotAvailable, match="valgrind does not run"):
        count_instructions(["seal"], factory=FACTORY)


def valgrind_of_the_test(folder: Path, text: str) -> None:
    """A valgrind that counts what it likes: it gets the name and the repetitions among its arguments."""
    path = folder / "valgrind"
    path.write_text(f"#!/bin/sh\n[ $1 = --version ] && {{ echo valgrind-9.9; exit; }}\n{text}\n")
    path.chmod(0o755)


# --tool=... --cache-sim=no --cachegrind-out-file=FILE python -m module NAME REPETITIONS
SUMMARY = 'echo "summary: $((100000000 + {each} * $8))" > "${{3#*=}}"; echo \'{{"backend": "aes-ni", "items": 10}}\''


@pytest.mark.parametrize("each", [37, 100_000, 90_000_000])
def test_start_cancels_and_there_are_enough_repetitions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, each: int
) -> None:
    valgrind_of_the_test(tmp_path, SUMMARY.format(each=each))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    counted = count_instructions(["a", "b"], factory=FACTORY)
    assert list(counted) == ["a", "b"]
    assert counted["a"].per_item == pytest.approx(each / 10)
    assert (counted["a"].backend, counted["a"].tool) == ("aes-ni", "valgrind 9.9 cachegrind")


def test_work_that_takes_nothing_is_not_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    valgrind_of_the_test(tmp_path, SUMMARY.format(each=0))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(NotAvailable, match="took no instructions more"):
        count_instructions(["a"], factory=FACTORY)


def test_what_the_run_said_is_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    valgrind_of_the_test(tmp_path, 'echo "==1== valgrind" >&2; echo "no AVX here" >&2; echo "==1== bye" >&2; exit 132')
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(NotAvailable, match=r"^a: cannot be counted: no AVX here$"):
        count_instructions(["a"], factory=FACTORY)


def test_the_runner_prints_json(workloads: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["seal", "1", "--factory", FACTORY]) == 0
    assert json.loads(capsys.readouterr().out)["items"] == 3000
    assert main(["none", "1", "--factory", FACTORY]) == 2
    assert main(["seal", "1", "--factory", "polyradio.nothing:build"]) == 3
    assert "nothing builds workloads here" in capsys.readouterr().err
