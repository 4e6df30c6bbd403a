"""The gate: what regresses, and what cannot be compared."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from polyradio.bench.compare import Limits, compare
from polyradio.bench.report import Build, Instructions, Report
from polyradio.bench.statistics import Verdict
from polyradio.errors import LocalProtocolError

Make = Callable[..., Report]
COUNTED = Instructions("aes-ni", 1000.0, "valgrind 3.19 cachegrind")


def only(base: Report, new: Report, **options: object):
    (item,) = compare([base], [new], **options).items
    return item


def test_nothing_changed(report: Report) -> None:
    comparison = compare([report], [report])
    assert comparison.items[0].verdict is Verdict.SAME
    assert comparison.not_measured == ""
    assert comparison.counts == {"improved": 0, "same": 1, "regressed": 0, "inconclusive": 0}


def test_a_slowdown_regresses_and_the_other_way_round_improves(make_report: Make, make_result: Callable) -> None:
    slower = make_report(make_result(samples=[115.0 + i % 2 for i in range(30)]))
    assert only(make_report(), slower).verdict is Verdict.REGRESSED
    assert only(slower, make_report()).verdict is Verdict.IMPROVED


def test_the_limit_is_the_callers(make_report: Make, make_result: Callable) -> None:
    slower = make_report(make_result(samples=[115.0 + i % 2 for i in range(30)]))
    assert only(make_report(), slower, limits=Limits(time=0.2)).verdict is Verdict.SAME


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf")])
def test_a_limit_that_limits_nothing_is_refused(limit: float) -> None:
    with pytest.raises(LocalProtocolError):
        Limits(time=limit)


@pytest.mark.parametrize(
    ("per_item", "expected"),
    [(1000, Verdict.SAME), (1019, Verdict.SAME), (1030, Verdict.REGRESSED), (970, Verdict.IMPROVED)],
)
def test_instructions_have_their_own_limit(
    make_report: Make, make_result: Callable, per_item: float, expected: Verdict
) -> None:
    base = make_report(make_result(instructions=COUNTED))
    new = make_report(make_result(instructions=replace(COUNTED, per_item=per_item)))
    item = only(base, new)
    assert item.instructions.verdict is expected
    assert item.timing is Verdict.SAME
    assert (item.verdict is Verdict.REGRESSED) == (expected is Verdict.REGRESSED)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (replace(COUNTED, backend="portable", per_item=5000), "the backend differs: aes-ni and portable"),
        (replace(COUNTED, tool="valgrind 3.22 cachegrind"), "the tool differs"),
        (None, "they were not counted in new"),
    ],
)
def test_instructions_of_another_backend_or_tool_are_not_judged(
    make_report: Make, make_result: Callable, other: Instructions | None, reason: str
) -> None:
    base, new = (make_report(make_result(instructions=value)) for value in (COUNTED, other))
    item = only(base, new)
    assert item.instructions.verdict is Verdict.INCONCLUSIVE
    assert reason in item.instructions.reason
    assert item.verdict is Verdict.SAME


def test_another_machine_is_not_judged_unless_asked_for(make_report: Make, make_result: Callable) -> None:
    base = make_report()
    slow = make_report(make_result(samples=[150.0] * 30), machine=replace(base.machine, fingerprint="ba9876543210"))
    comparison = compare([base], [slow])
    assert comparison.items[0].verdict is Verdict.INCONCLUSIVE
    assert "different machines" in comparison.not_measured
    assert compare([base], [slow], across_machines=True).items[0].verdict is Verdict.REGRESSED


def test_another_build_is_not_judged(make_report: Make) -> None:
    base = make_report()
    assert "base runs on vaes-512, new on aes-ni" in compare([base], [make_report(backend="aes-ni")]).not_measured
    debug = replace(base, build=Build("debug", "vaes-512"))
    assert "new is a debug build" in compare([base], [debug]).not_measured


def test_results_that_only_one_side_has_are_named(make_report: Make, make_result: Callable) -> None:
    base = make_report(make_result("a"), make_result("b"))
    new = make_report(make_result("b"), make_result("c"))
    comparison = compare([base], [new])
    assert (comparison.only_in_base, comparison.only_in_new) == (("a",), ("c",))
    assert [item.name for item in comparison.items] == ["b"]
    assert "no result in common" in compare([make_report(make_result("a"))], [new]).not_measured


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"unit": "us/packet"}, "the unit differs"),
        ({"backend": "aes-ni"}, "the backend differs: aes-ni and vaes-512"),
        ({"parameters": {"octets": 64}}, "the parameters differ"),
    ],
)
def test_results_of_one_name_that_measure_other_things(report: Report, change: dict, reason: str) -> None:
    other = replace(report, results=(replace(report.results[0], **change),))
    item = only(report, other)
    assert item.verdict is Verdict.INCONCLUSIVE
    assert reason in item.reason


def test_too_few_slices_everywhere_is_no_answer(make_report: Make, make_result: Callable) -> None:
    few = make_report(make_result(samples=[1.0] * 5))
    assert "every result is inconclusive" in compare([few], [few]).not_measured


def test_several_runs_of_a_side_are_taken_together(make_report: Make, make_result: Callable) -> None:
    few = make_report(make_result(samples=[100.0] * 5))
    comparison = compare([few] * 3, [few] * 2)
    assert comparison.items[0].verdict is Verdict.SAME
    assert (comparison.items[0].base.slices, comparison.items[0].new.slices) == (15, 10)


def test_passes_of_a_run_show_what_shifts_between_them(report: Report) -> None:
    # One of three passes was laid out badly in memory.
    shifted = replace(report.results[0], samples=(100.0,) * 10 + (130.0,) * 10 + (115.0,) * 10)
    passes = replace(report.settings, passes=3)
    item = only(replace(report, settings=passes), replace(report, results=(shifted,), settings=passes))
    assert item.effect.low < 1
    assert item.effect.high > 1.2
    assert item.timing is Verdict.INCONCLUSIVE


def test_the_runs_of_a_side_are_of_one_machine(report: Report) -> None:
    other = replace(report, machine=replace(report.machine, fingerprint="ba9876543210"))
    with pytest.raises(LocalProtocolError, match="new: the reports are not of one machine"):
        compare([report], [report, other])
    with pytest.raises(LocalProtocolError, match="base: the reports do not have the same number of passes"):
        compare([report, replace(report, settings=replace(report.settings, passes=3))], [report])
    with pytest.raises(LocalProtocolError, match="base: no report"):
        compare([], [report])


def test_50_comparisons_of_a_full_report_with_itself_on_a_busy_machine(
    make_report: Make, make_result: Callable, noisy: Callable
) -> None:
    seed = 7_000_000
    for round_number in range(50):
        sides = []
        for side in range(2):
            start = seed + round_number * 1000 + side * 500
            results = (make_result(f"r/{i}", *noisy(start + i, level=50.0 * (i + 1))) for i in range(8))
            sides.append(make_report(*results))
        comparison = compare(sides[:1], sides[1:], seed=round_number)
        assert not comparison.having(Verdict.REGRESSED), f"seed {seed}, round {round_number}"
