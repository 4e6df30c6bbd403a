"""Measuring: contestants run in turn, a slice at a time, so that what disturbs one disturbs all.

A `Case` says what is measured next to what; nothing of it is built before its turn. In each round every contestant has
one slice of about the same time, and the order moves on by one each round. Sample i of each contestant is of round i.

A slice is done in parts, and its sample is the median of them: the scheduler, which gives the processor to somebody
else for some milliseconds, hits few of the parts. Work of which a slice holds few repetitions is not divided.

Not here: what is measured (`suites`), what the figures mean (`compare`). Promise: no figure of work whose result was
wrong; the garbage collector is off while a clock runs.
"""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Protocol

from polyradio.bench.report import Better, Figure, Parameter, Peer, Reference, Result, Skipped, summary
from polyradio.errors import PolyradioError

PARTS = 10
"""Of a slice, at most."""
PART_REPETITIONS = 8
"""Of a part, at least: what comes up now and then must not be left out."""
ROUGH = 0.2
"""A share of a slice that is long enough to tell from how many repetitions a slice has."""
AGAIN = 64
"""Slices; what took longer is not tried again."""


class Runner(Protocol):
    """Work that can be repeated; `_core.Workload` is one."""

    @property
    def items(self) -> int:
        """Items (packets, look-ups, frames) of one repetition."""

    def run(self, repetitions: int, /) -> int:
        """Does it that often; nanoseconds."""


Make = Callable[[], Runner]
Named = tuple[str, Make]
Samples = Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What the suites are asked for."""

    seed: int = 1
    quick: bool = False
    backend: str | None = None
    """Only this implementation of CCMP."""
    best: str | None = None
    """The implementation that is taken here; its cases have no suffix."""
    handicap: float = 0.0
    """Percent of our own work that is done twice without being counted."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long to measure."""

    slices: int
    slice_ms: float


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to be measured, and what runs beside it."""

    suite: str
    name: str
    parameters: Mapping[str, Parameter]
    subject: Make
    reference: Named
    limit: Named | None = None
    peers: Sequence[Named] = ()
    skipped: Sequence[Skipped] = ()
    others: Sequence[Named] = ()
    """Runs beside them too, for `derive` alone."""
    derive: Callable[[Result, Samples], list[Result]] | None = None
    """Further results from the subject's and all samples by name."""
    unit: str = "ns/packet"
    better: Better = "lower"
    """`higher`: samples are items in a second."""
    backend: str | None = None
    countable: bool = True
    """The subject is Rust alone: its instructions can be counted."""
    slices: int | None = None
    """At most so many slices, of one repetition each, however long that takes."""


class Handicapped:
    """Work of Python that does a share of itself twice without counting it."""

    def __init__(self, runner: Runner, percent: float) -> None:
        self._runner = runner
        self._share = percent / 100
        self._owed = 0.0
        self.items = runner.items

    def run(self, repetitions: int, /) -> int:
        """As the runner's own."""
        self._owed += repetitions * self._share
        more = int(self._owed)
        self._owed -= more
        return self._runner.run(repetitions + more)


def measure(case: Case, timing: Timing) -> list[Result]:
    """Measures a case; the first result is its own.

    Raises:
        PolyradioError: Our own work, or what stands beside it, went wrong or cannot be done here.
    """
    runners: dict[str, Runner] = {_SUBJECT: case.subject()}
    needed = [case.reference, *([case.limit] if case.limit else []), *case.others]
    for name, make in needed:
        if name not in runners:
            runners[name] = make()
    skipped = list(case.skipped)
    for name, make in case.peers:
        try:
            runner = make()
            runner.run(1)
        except PolyradioError as error:
            skipped.append(Skipped(name, str(error)))
        else:
            runners[name] = runner
    samples = interleave(runners, timing, case.better, slices=case.slices)
    return _results(case, samples, skipped)


def interleave(
    runners: Mapping[str, Runner], timing: Timing, better: Better = "lower", *, slices: int | None = None
) -> dict[str, tuple[float, ...]]:
    """Samples of each runner: nanoseconds for an item, or items in a second where more is better.

    Args:
        runners: Who runs in turn, by name.
        timing: How many slices, and how long each.
        better: What the samples are to be.
        slices: At most so many, of one repetition each.
    """
    slice_ns = max(1, round(timing.slice_ms * 1e6))
    samples: dict[str, list[float]] = {name: [] for name in runners}
    with _undisturbed():
        order = list(runners)
        if slices is None:
            repetitions = {name: calibrate(runner, slice_ns) for name, runner in runners.items()}
        else:
            repetitions = dict.fromkeys(order, 1)
        for _ in range(timing.slices if slices is None else min(slices, timing.slices)):
            for name in order:
                taken = _slice(runners[name], repetitions[name])
                samples[name].append(taken if better == "lower" else 1e9 / taken)
            order.append(order.pop(0))
    return {name: tuple(values) for name, values in samples.items()}


def _slice(runner: Runner, repetitions: int) -> float:
    """Nanoseconds of an item."""
    parts = min(PARTS, repetitions // PART_REPETITIONS)
    if parts < 3:
        return max(1, runner.run(repetitions)) / (repetitions * runner.items)
    each = repetitions // parts
    return max(1, median(runner.run(each) for _ in range(parts))) / (each * runner.items)


def calibrate(runner: Runner, slice_ns: int) -> int:
    """How many repetitions take about that long, at least one; the runner is warm then."""
    runner.run(1)
    repetitions = 1
    while (taken := runner.run(repetitions)) < slice_ns * ROUGH and repetitions < 1 << 30:
        repetitions *= 4
    if taken < AGAIN * slice_ns:
        # That one may have been disturbed, however long it took.
        taken = min(taken, *(runner.run(repetitions) for _ in range(2)))
    return max(1, round(repetitions * slice_ns / max(taken, 1)))


_SUBJECT = ""


def _results(case: Case, samples: Samples, skipped: Sequence[Skipped]) -> list[Result]:
    own = samples[_SUBJECT]
    best, middle, spread = summary(own, case.better)

    def summed(name: str) -> tuple[float, float, float]:
        other_best, other_median, _ = summary(samples[name], case.better)
        return other_best, other_median, other_best / best

    limit = None
    if case.limit is not None:
        limit_best, limit_median, ratio = summed(case.limit[0])
        limit = Figure(case.limit[0], limit_best, limit_median, 1 / ratio)
    result = Result(
        suite=case.suite,
        name=case.name,
        parameters=case.parameters,
        unit=case.unit,
        better=case.better,
        backend=case.backend,
        samples=own,
        best=best,
        median=middle,
        spread=spread,
        reference=Reference(case.reference[0], samples[case.reference[0]]),
        limit=limit,
        peers=tuple(Peer(name, *summed(name)) for name, _ in case.peers if name in samples),
        skipped=tuple(skipped),
    )
    return [result, *(case.derive(result, samples) if case.derive else [])]


@contextmanager
def _undisturbed() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
