"""What other tools read, by the structure that they ask for."""

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest

from polyradio.bench.compare import Comparison, compare
from polyradio.bench.formats import COMPARISON_FORMATS, REPORT_FORMATS, say, to_bmf, to_github, to_junit, to_markdown
from polyradio.bench.formats import to_json as comparison_json
from polyradio.bench.report import Instructions, Report

COUNTED = Instructions("aes-ni", 1000.0, "valgrind 3.19 cachegrind")


@pytest.fixture
def comparison(make_report: Callable, make_result: Callable) -> Comparison:
    slow = Instructions("aes-ni", 1034.0, COUNTED.tool)
    base = make_report(
        make_result("ccmp/same", instructions=COUNTED),
        make_result("ccmp/slow"),
        make_result("ccmp/heavy", instructions=COUNTED),
        make_result("lookup/few", [1.0] * 5),
        make_result("device/rate", [1000.0] * 30, better="higher"),
        make_result("gone"),
    )
    new = make_report(
        make_result("ccmp/same", instructions=COUNTED),
        make_result("ccmp/slow", [130.0 + i % 3 for i in range(30)]),
        make_result("ccmp/heavy", instructions=slow),
        make_result("lookup/few", [1.0] * 5),
        make_result("device/rate", [1300.0] * 30, better="higher"),
        make_result("a|b<&>\x01", [1.0] * 5),
    )
    return compare([base], [new])


@pytest.fixture
def empty(make_report: Callable, make_result: Callable) -> Comparison:
    return compare([make_report(make_result("a"))], [make_report(make_result("b"))])


def test_every_format_takes_a_comparison_without_results(empty: Comparison) -> None:
    for write in COMPARISON_FORMATS.values():
        assert write(empty).endswith("\n")


def test_a_line_about_a_regression_names_everything(comparison: Comparison) -> None:
    by_name = {item.name: item for item in comparison.items}
    assert say(by_name["ccmp/slow"], comparison) == (
        "ccmp/slow: 101 -> 131 ns/packet, beside the reference +29.7 % [+27.2 %, +32.3 %], limit +10.0 %"
    )
    assert "1000.0 -> 1034.0 instructions (aes-ni) +3.4 %, limit +2.0 %" in say(by_name["ccmp/heavy"], comparison)
    assert "limit -9.1 %" in say(by_name["device/rate"], comparison)
    assert "5 slices; at least 10 are needed" in say(by_name["lookup/few"], comparison)


def test_json_has_a_version_and_all_of_it(comparison: Comparison) -> None:
    value = json.loads(comparison_json(comparison))
    assert (value["format"], value["version"]) == ("polyradio-bench-comparison", 1)
    assert value["regressed"] is True
    assert value["counts"] == {"improved": 1, "same": 1, "regressed": 2, "inconclusive": 1}
    assert (value["seed"], value["bootstrap"]["confidence"]) == (1, 0.95)
    assert (value["only_in_base"], value["only_in_new"]) == (["gone"], ["a|b<&>\x01"])
    result = next(entry for entry in value["results"] if entry["name"] == "ccmp/heavy")
    assert (result["verdict"], result["timing"]) == ("regressed", "same")
    assert result["instructions"]["ratio"] == pytest.approx(1.034)
    assert set(result["effect"]) == {"ratio", "low", "high", "quiet", "slices", "spread"}


def check_bmf(text: str) -> dict:
    value = json.loads(text)
    for name, measures in value.items():
        assert isinstance(name, str)
        assert measures
        for measure, metric in measures.items():
            assert re.fullmatch(r"[a-z0-9-]{1,64}", measure)
            assert set(metric) in ({"value"}, {"value", "lower_value", "upper_value"})
            assert all(isinstance(number, float) for number in metric.values())
            assert metric.get("lower_value", 0) <= metric["value"] <= metric.get("upper_value", float("inf"))
    return value


def check_github(text: str) -> list[dict]:
    value = json.loads(text)
    for entry in value:
        assert {"name", "unit", "value"} <= set(entry) <= {"name", "unit", "value", "range", "extra"}
        assert isinstance(entry["value"], int | float)
        assert all(isinstance(entry[key], str) for key in set(entry) - {"value"})
    return value


def test_bencher_metric_format(comparison: Comparison) -> None:
    value = check_bmf(to_bmf(comparison))
    assert set(value["ccmp/same"]) == {"latency", "relative-to-base", "instructions"}
    assert set(value["device/rate"]) == {"throughput", "relative-to-base"}


def test_github_action_benchmark_is_smaller_is_better(comparison: Comparison) -> None:
    entries = {entry["name"]: entry for entry in check_github(to_github(comparison))}
    assert entries["device/rate"]["unit"] == "ns/command"
    assert entries["device/rate"]["value"] == pytest.approx(1e9 / 1300)
    assert entries["ccmp/slow"]["extra"].startswith("regressed: ccmp/slow")
    assert entries["ccmp/heavy instructions"]["value"] == 1034


def test_a_single_report_as_both(make_report: Callable, make_result: Callable) -> None:
    report: Report = make_report(make_result(instructions=COUNTED), make_result("rate", better="higher"))
    assert set(check_bmf(REPORT_FORMATS["bmf"](report))) == {"ccmp/seal/1500", "rate"}
    names = [entry["name"] for entry in check_github(REPORT_FORMATS["github"](report))]
    assert names == ["ccmp/seal/1500", "ccmp/seal/1500 instructions", "rate"]


COUNTS = ("tests", "failures", "errors", "skipped")


def check_junit(text: str) -> ET.Element:
    """By the structure that Jenkins, GitLab and the usual XSDs ask for."""
    root = ET.fromstring(text)
    assert root.tag == "testsuites"
    for suite in root:
        assert suite.tag == "testsuite"
        assert {"name", "package", "id", "timestamp", "hostname", "time", *COUNTS} == set(suite.attrib)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"])
        tags = [child.tag for child in suite]
        cases = suite.findall("testcase")
        assert tags == ["properties", *["testcase"] * len(cases), "system-out", "system-err"]
        assert all(set(entry.attrib) == {"name", "value"} for entry in suite.find("properties"))
        for case in cases:
            assert set(case.attrib) == {"classname", "name", "time"}
            assert float(case.attrib["time"]) >= 0
            assert len(case) <= 1
        counted = (len(cases), len(suite.findall("*/failure")), 0, len(suite.findall("*/skipped")))
        assert tuple(int(suite.attrib[key]) for key in COUNTS) == counted
        assert float(suite.attrib["time"]) == pytest.approx(sum(float(case.attrib["time"]) for case in cases))
    for key in COUNTS:
        assert int(root.attrib[key]) == sum(int(suite.attrib[key]) for suite in root)
    return root


def test_junit(comparison: Comparison) -> None:
    root = check_junit(to_junit(comparison))
    assert {key: root.attrib[key] for key in COUNTS} == {"tests": "5", "failures": "2", "errors": "0", "skipped": "1"}
    assert [suite.attrib["name"] for suite in root] == ["ccmp", "lookup", "device"]
    (failure,) = root.findall(".//testcase[@name='ccmp/slow']/failure")
    assert "limit +10.0 %" in failure.attrib["message"]
    assert failure.attrib["message"] == failure.text
    (skipped,) = root.findall(".//skipped")
    assert "5 slices" in skipped.attrib["message"]


def test_junit_says_why_there_is_nothing(empty: Comparison) -> None:
    (case,) = check_junit(to_junit(empty)).findall(".//testcase")
    assert case.find("skipped").attrib["message"] == "the reports have no result in common"


def test_junit_takes_any_name(make_report: Callable, make_result: Callable) -> None:
    report = make_report(make_result("a<&>\"'\x01\x00ü"))
    (case,) = check_junit(to_junit(compare([report], [report]))).findall(".//testcase")
    assert case.attrib["name"] == "a<&>\"'??ü"


def test_markdown_shows_regressions_first(comparison: Comparison) -> None:
    text = to_markdown(comparison)
    lines = text.splitlines()
    rows = [line for line in lines if line.startswith("| ") and "verdict" not in line]
    assert [row.split()[1] for row in rows] == ["regressed", "regressed", "inconclusive", "improved", "same"]
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 8 for row in rows)
    assert lines[2] == "5 results: 1 improved, 1 same, 2 regressed, 1 inconclusive"
    assert text.index("- **regressed** ccmp/slow") < text.index("| regressed |")
    assert "Only in new: a\\|b\\<&\\>" in text
