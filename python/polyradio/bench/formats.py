"""What other tools read: a comparison or a single report as JSON, BMF, github-action-benchmark, JUnit or Markdown.

- `json`: our own, with format name and version;
- `bmf`: Bencher Metric Format, https://bencher.dev/docs/reference/bencher-metric-format;
- `github`: the `customSmallerIsBetter` list of github-action-benchmark; a rate becomes the time of an item;
- `junit`: one test case for each result, a regression is a failure, what cannot be said is skipped;
- `markdown`: for `$GITHUB_STEP_SUMMARY`.

Not here: the table for people at a terminal. Promise: the same input gives the same octets.
"""

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from polyradio.bench.compare import Comparison, Item
from polyradio.bench.report import Report
from polyradio.bench.statistics import Verdict


def percent(ratio: float) -> str:
    """A ratio as a change: 1.152 is `+15.2 %`."""
    return f"{(ratio - 1) * 100:+.1f} %"


def limit_ratio(item: Item, comparison: Comparison) -> float:
    """The ratio past which the result has regressed: above it for times, below it for rates."""
    worst = 1 + comparison.limits.time
    return worst if item.better == "lower" else 1 / worst


def say(item: Item, comparison: Comparison) -> str:
    """One line: the figures of both sides, the effect, its interval and the limit, or why there is no verdict."""
    effect, unit = item.effect, item.unit
    text = (
        f"{item.name}: {item.base.median:.4g} -> {item.new.median:.4g} {unit}, beside the reference"
        f" {percent(effect.ratio)} [{percent(effect.low)}, {percent(effect.high)}],"
        f" limit {percent(limit_ratio(item, comparison))}"
    )
    if item.reason:
        text += f" ({item.reason})"
    change = item.instructions
    if change is not None and change.base is not None and change.new is not None and change.ratio is not None:
        text += (
            f"; {change.base.per_item:.1f} -> {change.new.per_item:.1f} instructions ({change.new.backend})"
            f" {percent(change.ratio)}, limit {percent(1 + comparison.limits.instructions)}"
        )
        if change.reason:
            text += f" ({change.reason})"
    return text


def headline(comparison: Comparison) -> str:
    """One line about everything."""
    counts = ", ".join(f"{count} {verdict}" for verdict, count in comparison.counts.items() if count)
    text = f"{len(comparison.items)} results: {counts}" if comparison.items else "0 results"
    return f"{text}; not measured: {comparison.not_measured}" if comparison.not_measured else text


def to_json(comparison: Comparison) -> str:
    """Our own JSON."""
    return json.dumps(comparison.to_json(), indent=2, ensure_ascii=False) + "\n"


def to_bmf(comparison: Comparison) -> str:
    """Bencher Metric Format: the new side's figures, and how they are to the base's."""
    entries: dict[str, dict[str, dict[str, float]]] = {}
    for item in comparison.items:
        change = item.instructions
        entries[item.name] = {
            _measure(item.unit): _metric(item.new.median, item.new.lower, item.new.upper),
            "relative-to-base": _metric(item.effect.ratio, item.effect.low, item.effect.high),
        }
        if change is not None and change.new is not None:
            entries[item.name]["instructions"] = {"value": change.new.per_item}
    return json.dumps(entries, indent=2) + "\n"


def to_github(comparison: Comparison) -> str:
    """The list of github-action-benchmark: the new side's medians, smaller is better."""
    entries: list[dict[str, Any]] = []
    for item in comparison.items:
        figures = item.new
        entry = _smaller(item.name, item.unit, item.better, (figures.lower, figures.median, figures.upper))
        entries.append(entry | {"extra": f"{item.verdict}: {say(item, comparison)}"})
        if item.instructions is not None and item.instructions.new is not None:
            counted = item.instructions.new
            entries.append(_counted(item.name, counted.per_item, counted.tool, counted.backend))
    return json.dumps(entries, indent=2, ensure_ascii=False) + "\n"


def to_junit(comparison: Comparison) -> str:
    """JUnit XML: a suite for each suite, with what was compared as its properties."""
    slice_seconds = comparison.new.settings.slice_ms / 1000
    suites: dict[str, list[Item]] = {}
    for item in comparison.items:
        suites.setdefault(item.suite, []).append(item)
    root = ET.Element("testsuites", name="polyradio bench")
    total = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    seconds = 0.0
    for number, (name, items) in enumerate(suites.items() or [("bench", [])]):
        suite = ET.SubElement(root, "testsuite", name=_xml_text(name), package="polyradio.bench", id=str(number))
        _properties(suite, comparison)
        time = 0.0
        counts = {"tests": max(len(items), 1), "failures": 0, "errors": 0, "skipped": 0}
        for item in items:
            taken = item.new.slices * slice_seconds
            time += taken
            attributes = {"classname": _xml_text(f"polyradio.bench.{name}"), "name": _xml_text(item.name)}
            case = ET.SubElement(suite, "testcase", attributes, time=f"{taken:.3f}")
            text = _xml_text(say(item, comparison))
            if item.verdict is Verdict.REGRESSED:
                ET.SubElement(case, "failure", type="regression", message=text).text = text
                counts["failures"] += 1
            elif item.verdict is Verdict.INCONCLUSIVE:
                ET.SubElement(case, "skipped", message=text)
                counts["skipped"] += 1
        if not items:
            case = ET.SubElement(suite, "testcase", classname="polyradio.bench", name="compare", time="0.000")
            ET.SubElement(case, "skipped", message=comparison.not_measured)
            counts["skipped"] += 1
        ET.SubElement(suite, "system-out").text = headline(comparison)
        ET.SubElement(suite, "system-err")
        created = comparison.new.created[-1]
        suite.attrib |= {key: str(count) for key, count in counts.items()}
        suite.attrib |= {"time": f"{time:.3f}", "timestamp": created[:19], "hostname": "localhost"}
        total = {key: total[key] + count for key, count in counts.items()}
        seconds += time
    root.attrib |= {key: str(count) for key, count in total.items()} | {"time": f"{seconds:.3f}"}
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def to_markdown(comparison: Comparison) -> str:
    """Markdown: what needs a look first, what stayed the same folded away."""
    lines = ["## polyradio bench", "", headline(comparison), ""]
    regressed = comparison.having(Verdict.REGRESSED)
    if regressed:
        lines += [*(f"- **regressed** {_cell(say(item, comparison))}" for item in regressed), ""]
    seen = [*regressed, *comparison.having(Verdict.INCONCLUSIVE), *comparison.having(Verdict.IMPROVED)]
    if seen:
        lines += [*_markdown_table(seen), ""]
    same = comparison.having(Verdict.SAME)
    if same:
        lines += [f"<details><summary>{len(same)} the same</summary>", "", *_markdown_table(same), "", "</details>", ""]
    for text, names in (("base", comparison.only_in_base), ("new", comparison.only_in_new)):
        if names:
            lines += [f"Only in {text}: {', '.join(_cell(name) for name in names)}", ""]
    base, new = comparison.base, comparison.new
    lines.append(
        f"Limits: time +{comparison.limits.time:.0%}, instructions +{comparison.limits.instructions:.0%}."
        f" {_cell(new.machine.cpu)}, {new.build.backend}, {len(base.created)} and {len(new.created)} runs."
    )
    return "\n".join(lines) + "\n"


COMPARISON_FORMATS: Mapping[str, Callable[[Comparison], str]] = {
    "json": to_json,
    "bmf": to_bmf,
    "github": to_github,
    "junit": to_junit,
    "markdown": to_markdown,
}


def report_to_bmf(report: Report) -> str:
    """A single report in Bencher Metric Format."""
    entries: dict[str, dict[str, dict[str, float]]] = {}
    for result in report.results:
        lower, upper = (float(value) for value in np.quantile(result.samples, (0.25, 0.75)))
        entries[result.name] = {_measure(result.unit): _metric(result.median, lower, upper)}
        if result.instructions is not None:
            entries[result.name]["instructions"] = {"value": result.instructions.per_item}
    return json.dumps(entries, indent=2) + "\n"


def report_to_github(report: Report) -> str:
    """A single report as the list of github-action-benchmark, smaller is better."""
    entries: list[dict[str, Any]] = []
    for result in report.results:
        lower, upper = (float(value) for value in np.quantile(result.samples, (0.25, 0.75)))
        entry = _smaller(result.name, result.unit, result.better, (lower, result.median, upper))
        entries.append(entry | {"extra": f"{report.machine.cpu}, {result.backend or report.build.backend}"})
        if result.instructions is not None:
            counted = result.instructions
            entries.append(_counted(result.name, counted.per_item, counted.tool, counted.backend))
    return json.dumps(entries, indent=2, ensure_ascii=False) + "\n"


REPORT_FORMATS: Mapping[str, Callable[[Report], str]] = {"bmf": report_to_bmf, "github": report_to_github}


def _measure(unit: str) -> str:
    """The slug of a measure of Bencher: its built-in ones where the unit fits."""
    if unit.startswith("ns"):
        return "latency"
    if unit.endswith("/s"):
        return "throughput"
    return re.sub(r"[^a-z0-9]+", "-", unit.lower()).strip("-") or "value"


def _metric(value: float, lower: float, upper: float) -> dict[str, float]:
    return {"value": value, "lower_value": lower, "upper_value": upper}


def _smaller(name: str, unit: str, better: str, quartiles: tuple[float, float, float]) -> dict[str, Any]:
    """An entry of github-action-benchmark; frames/s become ns/frame."""
    lower, median, upper = quartiles
    if better == "higher":
        is_rate = unit.endswith("/s")
        scale = 1e9 if is_rate else 1.0
        lower, median, upper = scale / upper, scale / median, scale / lower
        unit = f"ns/{unit.removesuffix('/s').removesuffix('s')}" if is_rate else f"1/({unit})"
    return {"name": name, "unit": unit, "value": median, "range": f"± {(upper - lower) / 2:.4g}"}


def _counted(name: str, per_item: float, tool: str, backend: str) -> dict[str, Any]:
    return {"name": f"{name} instructions", "unit": "instructions", "value": per_item, "extra": f"{tool}, {backend}"}


def _properties(suite: ET.Element, comparison: Comparison) -> None:
    properties = ET.SubElement(suite, "properties")
    values = {
        "cpu": comparison.new.machine.cpu,
        "machine": comparison.new.machine.fingerprint,
        "backend": comparison.new.build.backend,
        "limit": f"{comparison.limits.time:g}",
        "instruction_limit": f"{comparison.limits.instructions:g}",
        "seed": str(comparison.seed),
    }
    for name, value in values.items():
        ET.SubElement(properties, "property", name=name, value=_xml_text(value))


def _markdown_table(items: Iterable[Item]) -> list[str]:
    lines = ["| verdict | result | base | new | change | 95 % | instructions |", "|---|---|---:|---:|---:|---|---:|"]
    for item in items:
        effect, change = item.effect, item.instructions
        counted = percent(change.ratio) if change is not None and change.ratio is not None else "-"
        lines.append(
            f"| {item.verdict} | {_cell(item.name)} | {item.base.median:.4g} | {item.new.median:.4g} {_cell(item.unit)}"
            f" | {percent(effect.ratio)} | {percent(effect.low)} to {percent(effect.high)} | {counted} |"
        )
    return lines


def _cell(text: str) -> str:
    return re.sub(r"([|\\`*_<>\[\]])", r"\\\1", " ".join(text.split()))


def _xml_text(text: str) -> str:
    """Without the characters that XML does not have."""
    return re.sub(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]", "?", text)
