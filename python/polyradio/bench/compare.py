"""Two sides of reports, result by result: what became slower, faster, stayed, or cannot be said.

Two gates. The time of an item beside its reference, judged by `statistics`; and the instructions of an item, which do
not depend on what else the machine does, so that their limit is narrow. A result regressed where one of them says so.

Not here: reading files, how a comparison is written. Promise: what cannot be compared (another machine, another
backend) is said and never judged.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from polyradio.bench.report import MIN_PASS, Better, Build, Instructions, Machine, Report, Result, Settings
from polyradio.bench.statistics import CONFIDENCE, RESAMPLES, Effect, Run, Verdict, judge, measure_effect
from polyradio.errors import LocalProtocolError

FORMAT = "polyradio-bench-comparison"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """How much more an item may take, as a share."""

    time: float = 0.10
    instructions: float = 0.02

    def __post_init__(self) -> None:
        if not all(0 < limit < math.inf for limit in (self.time, self.instructions)):
            raise LocalProtocolError("a limit has to be a number above 0")


@dataclass(frozen=True, slots=True)
class Side:
    """Where one side's reports come from."""

    created: tuple[str, ...]
    """Of each run."""
    polyradio: str
    machine: Machine
    build: Build
    settings: Settings


@dataclass(frozen=True, slots=True)
class Figures:
    """One side of a result, in its unit, over all runs."""

    best: float
    lower: float
    """The lower quartile."""
    median: float
    upper: float
    """The upper quartile."""
    slices: int


@dataclass(frozen=True, slots=True)
class InstructionChange:
    """The instructions of an item, before and after."""

    verdict: Verdict
    reason: str
    base: Instructions | None
    new: Instructions | None

    @property
    def ratio(self) -> float | None:
        """New / base; None where only one side has been counted."""
        if self.base is None or self.new is None:
            return None
        return self.new.per_item / self.base.per_item


@dataclass(frozen=True, slots=True)
class Item:
    """One result of both sides."""

    suite: str
    name: str
    unit: str
    better: Better
    backend: str | None
    base: Figures
    new: Figures
    timing: Verdict
    reason: str
    """Why the time gave no verdict; empty where it did."""
    effect: Effect
    instructions: InstructionChange | None

    @property
    def verdict(self) -> Verdict:
        """Of time and instructions together: a regression of either counts."""
        if self.instructions is not None and self.instructions.verdict is Verdict.REGRESSED:
            return Verdict.REGRESSED
        return self.timing


@dataclass(frozen=True, slots=True)
class Comparison:
    """All of it."""

    base: Side
    new: Side
    limits: Limits
    seed: int
    """Of the bootstrap."""
    problem: str
    """Why the sides as a whole cannot be compared; empty where they can."""
    items: tuple[Item, ...]
    only_in_base: tuple[str, ...]
    only_in_new: tuple[str, ...]

    def having(self, verdict: Verdict) -> list[Item]:
        """The results of a verdict."""
        return [item for item in self.items if item.verdict is verdict]

    @property
    def counts(self) -> dict[Verdict, int]:
        """Results by verdict."""
        return {verdict: len(self.having(verdict)) for verdict in Verdict}

    @property
    def not_measured(self) -> str:
        """Why there is no answer at all; empty where there is one."""
        if self.problem:
            return self.problem
        if not self.items:
            return "the reports have no result in common"
        if all(item.verdict is Verdict.INCONCLUSIVE for item in self.items):
            return "every result is inconclusive: the machine is too busy, or there are too few slices"
        return ""

    def to_json(self) -> dict[str, Any]:
        """As it stands in the file."""
        value = asdict(self)
        for item, entry in zip(self.items, value["items"], strict=True):
            entry["verdict"] = str(item.verdict)
            if item.instructions is not None:
                entry["instructions"]["ratio"] = item.instructions.ratio
        value["results"] = value.pop("items")
        counts = {str(verdict): count for verdict, count in self.counts.items()}
        answer = {"not_measured": self.not_measured, "regressed": bool(counts["regressed"]), "counts": counts}
        bootstrap = {"confidence": CONFIDENCE, "resamples": RESAMPLES}
        return {"format": FORMAT, "version": VERSION, **answer, "bootstrap": bootstrap, **value}


def compare(
    base: Sequence[Report],
    new: Sequence[Report],
    limits: Limits | None = None,
    *,
    seed: int = 1,
    across_machines: bool = False,
) -> Comparison:
    """Compares the runs of two sides.

    Args:
        base: The reports before, one for each run.
        new: The reports after.
        limits: How much worse is too much.
        seed: Of the bootstrap.
        across_machines: Judge although the machines differ; the reference cancels only a part of that.

    Raises:
        LocalProtocolError: The runs of one side are not of one machine and build, or their results do not fit.
    """
    limits = limits or Limits()
    sides = _side(base, "base"), _side(new, "new")
    problem = _problem(*sides, across_machines=across_machines)
    before, after = (_by_name(side) for side in (base, new))
    passes = sides[0].settings.passes, sides[1].settings.passes
    names = [name for name in before if name in after]
    return Comparison(
        *sides,
        limits=limits,
        seed=seed,
        problem=problem,
        items=tuple(_item(before[name], after[name], passes, limits, seed, problem) for name in names),
        only_in_base=tuple(name for name in before if name not in after),
        only_in_new=tuple(name for name in after if name not in before),
    )


def _side(reports: Sequence[Report], name: str) -> Side:
    if not reports:
        raise LocalProtocolError(f"{name}: no report")
    first = reports[0]
    for report in reports[1:]:
        if report.machine.fingerprint != first.machine.fingerprint or report.build != first.build:
            raise LocalProtocolError(f"{name}: the reports are not of one machine and build")
        if report.settings.passes != first.settings.passes:
            raise LocalProtocolError(f"{name}: the reports do not have the same number of passes")
    created = tuple(report.created for report in reports)
    return Side(created, first.polyradio, first.machine, first.build, first.settings)


def _problem(base: Side, new: Side, *, across_machines: bool) -> str:
    if base.machine.fingerprint != new.machine.fingerprint and not across_machines:
        machines = (f"{side.machine.cpu} ({side.machine.fingerprint})" for side in (base, new))
        return f"measured on different machines: {' and '.join(machines)}"
    if base.build.profile != new.build.profile:
        return f"base is a {base.build.profile} build, new is a {new.build.profile} build"
    if base.build.backend != new.build.backend:
        return f"base runs on {base.build.backend}, new on {new.build.backend}"
    return ""


def _by_name(reports: Sequence[Report]) -> dict[str, list[Result]]:
    found: dict[str, list[Result]] = {}
    for report in reports:
        for result in report.results:
            found.setdefault(result.name, []).append(result)
    return found


def _item(
    base: Sequence[Result], new: Sequence[Result], passes: tuple[int, int], limits: Limits, seed: int, problem: str
) -> Item:
    first, last = base[0], new[-1]
    runs = _runs(base, passes[0]), _runs(new, passes[1])
    effect = measure_effect(*runs, better=first.better, seed=seed, name=first.name)
    reason = problem or _difference([*base, *new])
    if reason:
        timing = Verdict.INCONCLUSIVE
    else:
        timing, reason = judge(effect, better=first.better, limit=limits.time)
    return Item(
        suite=first.suite,
        name=first.name,
        unit=first.unit,
        better=first.better,
        backend=last.backend,
        base=_figures(base),
        new=_figures(new),
        timing=timing,
        reason=reason,
        effect=effect,
        instructions=_instructions(base, new, limits.instructions, problem),
    )


def _difference(results: Sequence[Result]) -> str:
    """Why results of one name are not of the same thing."""
    marks: Mapping[str, set[object]] = {
        "unit": {result.unit for result in results},
        "better": {result.better for result in results},
        "backend": {result.backend for result in results},
        "reference": {result.reference.name for result in results},
        "parameters": {tuple(sorted(result.parameters.items())) for result in results},
    }
    for mark, values in marks.items():
        if len(values) > 1:
            return f"the {mark} differs: {' and '.join(sorted(map(str, values)))}"
    return ""


def _runs(results: Sequence[Result], passes: int) -> list[Run]:
    """The passes of each run, which count as runs of their own where they have slices enough for blocks."""
    runs = []
    for result in results:
        samples, beside = result.samples, result.reference.samples
        length, rest = divmod(len(samples), passes)
        if rest or length < MIN_PASS:
            length = len(samples)
        starts = range(0, len(samples), length)
        runs += [Run(samples[start : start + length], beside[start : start + length]) for start in starts]
    return runs


def _figures(results: Sequence[Result]) -> Figures:
    samples = np.concatenate([np.asarray(result.samples, float) for result in results])
    lower, median, upper = (float(value) for value in np.quantile(samples, (0.25, 0.5, 0.75)))
    best = samples.min() if results[0].better == "lower" else samples.max()
    return Figures(float(best), lower, median, upper, len(samples))


def _instructions(
    base: Sequence[Result], new: Sequence[Result], limit: float, problem: str
) -> InstructionChange | None:
    before, after = (next((r.instructions for r in side if r.instructions is not None), None) for side in (base, new))
    if before is None and after is None:
        return None
    if problem:
        return InstructionChange(Verdict.INCONCLUSIVE, problem, before, after)
    if before is None or after is None:
        missing = "base" if before is None else "new"
        return InstructionChange(Verdict.INCONCLUSIVE, f"they were not counted in {missing}", before, after)
    for mark in ("backend", "tool"):
        ours, theirs = getattr(before, mark), getattr(after, mark)
        if ours != theirs:
            reason = f"the {mark} differs: {ours} and {theirs}"
            return InstructionChange(Verdict.INCONCLUSIVE, reason, before, after)
    change = after.per_item / before.per_item - 1
    verdict = Verdict.REGRESSED if change > limit else Verdict.IMPROVED if change < -limit else Verdict.SAME
    return InstructionChange(verdict, "", before, after)
