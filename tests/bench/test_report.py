"""The report's file: there and back, and one clear line for everything that is wrong."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from polyradio.bench.report import (
    Figure,
    Instructions,
    Peer,
    Report,
    Skipped,
    read_report,
    summary,
)
from polyradio.errors import LocalProtocolError


def full(report: Report) -> Report:
    result = replace(
        report.results[0],
        limit=Figure("AES limit", 70.0, 71.0, 1.4),
        peers=(Peer("intel-ipsec-mb 1.3", 120.0, 121.0, 1.2),),
        skipped=(Skipped("OpenSSL", "libcrypto.so.3 is not installed"),),
        instructions=Instructions("aes-ni", 123.4, "valgrind 3.19"),
    )
    return replace(report, results=(result, replace(report.results[0], name="other", backend=None)))


def test_a_report_comes_back_as_it_was_written(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(full(report).to_json()))
    assert read_report(path) == full(report)


def test_the_header_names_format_and_version(report: Report) -> None:
    value = report.to_json()
    assert (value["format"], value["version"]) == ("polyradio-bench", 1)
    assert set(value) == {"format", "version", "created", "polyradio", "machine", "build", "settings", "results"}


def test_fields_that_are_not_known_are_skipped(report: Report) -> None:
    value = json.loads(json.dumps(report.to_json()))
    value["later"] = value["results"][0]["later"] = {"a": 1}
    assert Report.from_json(value) == report


def test_fields_that_may_be_missing(report: Report) -> None:
    value = json.loads(json.dumps(report.to_json()))
    for name in ("limit", "peers", "skipped", "instructions"):
        del value["results"][0][name]
    del value["settings"]["passes"]
    assert Report.from_json(value) == report


def set_at(value: dict, place: tuple, new: object) -> dict:
    value = json.loads(json.dumps(value))
    inner = value
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = new
    return value


FIRST = ("results", 0)


@pytest.mark.parametrize(
    ("place", "new", "expected"),
    [
        (("format",), "criterion", 'no polyradio-bench file: "format" is "criterion"'),
        (("format",), None, '"format" is null'),
        (("version",), 2, "version 2 of polyradio-bench was written by a later polyradio"),
        (("version",), "1", '"version" is "1"'),
        (("version",), True, '"version" is true'),
        (("machine", "cores"), "two", "machine.cores: input should be a valid integer"),
        (("settings", "passes"), 0, "settings.passes: 0 is not at least 1"),
        (("results",), {}, "results: "),
        ((*FIRST, "samples"), [], r"results[0] (ccmp/seal/1500).samples: there is none"),
        ((*FIRST, "samples", 3), -1.0, r"results[0] (ccmp/seal/1500).samples[3]: -1.0 is no figure above 0"),
        ((*FIRST, "samples", 3), float("nan"), r"results[0] (ccmp/seal/1500).samples[3]: nan is no figure above 0"),
        ((*FIRST, "samples", 3), "fast", "results[0].samples[3]: input should be a valid number"),
        ((*FIRST, "reference", "samples"), [1.0], "reference.samples: 1 for 30 samples"),
        ((*FIRST, "better"), "smaller", "results[0].better: input should be 'lower' or 'higher'"),
        ((*FIRST, "best"), 0, "results[0] (ccmp/seal/1500).best: 0.0 is no figure above 0"),
        ((*FIRST, "instructions"), {"backend": "aes-ni"}, "results[0].instructions.per_item: field required"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(
    report: Report, place: tuple, new: object, expected: str, tmp_path: Path
) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(set_at(report.to_json(), place, new)))
    with pytest.raises(LocalProtocolError) as error:
        read_report(path)
    assert expected in str(error.value)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_two_results_of_one_name(report: Report) -> None:
    value = replace(report, results=report.results * 2).to_json()
    with pytest.raises(LocalProtocolError, match="two results of this name"):
        Report.from_json(value)


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"", "line 1, column 1: no JSON"),
        (b"{\n  nonsense", "line 2, column 3: no JSON"),
        (b"\xff\xfe", "no text at octet 0"),
        (b"[]", "an object is expected at the top"),
        (b"[" * 100_000, "nested too deep"),
    ],
)
def test_files_that_are_no_report(octets: bytes, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(octets)
    with pytest.raises(LocalProtocolError) as error:
        read_report(path)
    assert expected in str(error.value)
    assert str(path) in str(error.value)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(LocalProtocolError, match="there is no such file"):
        read_report(tmp_path / "none.json")
    with pytest.raises(LocalProtocolError, match="is a directory"):
        read_report(tmp_path)


def test_best_is_the_lowest_or_the_highest() -> None:
    assert summary([4.0, 1.0, 3.0, 2.0, 5.0], "lower") == (1.0, 3.0, pytest.approx(2 / 3))
    assert summary([4.0, 1.0, 3.0, 2.0, 5.0], "higher")[0] == 5.0
