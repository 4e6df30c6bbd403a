"""Everything measured in a few passes, each built anew, so that a result's slices are minutes and not moments apart.

A neighbour that comes and goes, memory that was laid out badly, a number of repetitions that was found in a bad moment:
each of these can last as long as a result's slices and then looks like a change of the code. It does not last for all
passes, and `compare` takes each pass as a run of its own.

Not here: one case (`measure`). Promise: a result has the samples of all passes, one pass after another.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median

from polyradio.bench.measure import Case, Plan, Timing, measure
from polyradio.bench.report import MIN_PASS, Better, Figure, Peer, Reference, Result, summary
from polyradio.bench.suites import cases
from polyradio.errors import NotAvailable

PASSES = 3


@dataclass(frozen=True, slots=True)
class Measured:
    """What came out."""

    results: list[Result]
    countable: list[str]
    """Results whose instructions can be counted."""
    problems: list[str]
    """Which suites could not be measured, and why."""
    passes: int
    slices: int
    """Of all passes together."""


def measure_suites(suites: Sequence[str], plan: Plan, timing: Timing, show: Callable[[str], object]) -> Measured:
    """Measures suites; `show` is told the name of each case.

    Work that has its own number of slices is slow, and is measured in the first pass only.
    """
    passes = max(1, min(PASSES, timing.slices // MIN_PASS))
    part = Timing(-(-timing.slices // passes), timing.slice_ms)
    found: dict[str, list[Result]] = {}
    countable: list[str] = []
    problems: dict[str, str] = {}
    for number in range(passes):
        for suite in suites:
            if suite in problems:
                continue
            try:
                for case in cases(suite, plan):
                    if number and case.slices is not None:
                        continue
                    show(case.name if passes == 1 else f"{case.name} ({number + 1} of {passes})")
                    for result in _measure(case, part, timing):
                        found.setdefault(result.name, []).append(result)
                    if not number and case.countable:
                        countable.append(case.name)
            except NotAvailable as error:
                problems[suite] = f"{suite} was not measured: {error}"
    results = [join(same) for same in found.values()]
    return Measured(results, countable, list(problems.values()), passes, part.slices * passes)


def join(parts: Sequence[Result]) -> Result:
    """One result of its passes."""
    first = parts[0]
    if len(parts) == 1:
        return first
    samples = tuple(sample for part in parts for sample in part.samples)
    beside = tuple(sample for part in parts for sample in part.reference.samples)
    best, middle, spread = summary(samples, first.better)
    limits = [part.limit for part in parts if part.limit is not None]
    limit = None
    if limits:
        limit_best, limit_median = _both(limits, first.better)
        limit = Figure(limits[0].name, limit_best, limit_median, best / limit_best)
    peers = []
    for peer in first.peers:
        same = [other for part in parts for other in part.peers if other.name == peer.name]
        peer_best, peer_median = _both(same, first.better)
        peers.append(Peer(peer.name, peer_best, peer_median, peer_best / best))
    return replace(
        first,
        samples=samples,
        reference=Reference(first.reference.name, beside),
        best=best,
        median=middle,
        spread=spread,
        limit=limit,
        peers=tuple(peers),
    )


def _measure(case: Case, part: Timing, whole: Timing) -> list[Result]:
    return measure(case, part if case.slices is None else whole)


def _both(figures: Sequence[Figure | Peer], better: Better) -> tuple[float, float]:
    best = min if better == "lower" else max
    return best(figure.best for figure in figures), median(figure.median for figure in figures)
