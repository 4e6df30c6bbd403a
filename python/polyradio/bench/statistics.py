"""Whether a figure changed: paired ratios, a bootstrap interval, and a second opinion from the quietest slices.

A machine that does other work is slow in bursts, drifts with its clock, and has a long tail to the slow side. So:

- every sample is divided by the reference measured right beside it, which cancels what slowed both;
- the effect is the ratio of two medians of these ratios: a burst in fewer than half of the slices does not move it;
- the interval comes from a bootstrap that draws runs, and in them blocks of neighbouring slices, because neighbours
  share their burst; drawing single slices would promise an interval that is too narrow;
- a shift that a whole run has (a neighbour that fills the caches, memory laid out otherwise) is in no interval from one
  run. So the interval of single runs is widened by `RUN_SHIFT`; a neighbour moves the median more than the quietest
  slices, so a change counts only where both say so; and with several runs of each side, which is better, drawing runs
  puts the shift between them into the interval.

A result whose slices spread by more than the limit, as those of two threads do beside another busy process, says
nothing about a change of that size, however its medians fell; unless the change dwarfs the spread.

One comparison judges many results, and an interval of 95 % alone would be wrong on one in twenty. The verdict needs the
whole interval past the limit, so a false alarm takes an error of the limit plus half the interval.

Not here: which results belong together. Promise: the same samples and seed give the same verdict; exchanging the two
sides turns `improved` into `regressed`.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from polyradio.bench.report import Better

MIN_SLICES = 10
"""Fewer slices of a side give no verdict."""
RESAMPLES = 2000
CONFIDENCE = 0.95
RUN_SHIFT = 0.02
"""How far two runs of the same code are apart, as a share, where a side has no second run to show it."""
QUIET = 0.1
"""The share of slices that counts as the quietest ones."""
DWARFED = 20
"""A change that is so many times the spread is one, however wide that is."""

Floats = NDArray[np.float64]


class Verdict(StrEnum):
    """What came out for one result."""

    IMPROVED = "improved"
    SAME = "same"
    REGRESSED = "regressed"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Run:
    """The samples of one run and the reference's beside them; both as times, or both as rates."""

    samples: Sequence[float]
    reference: Sequence[float]


@dataclass(frozen=True, slots=True)
class Effect:
    """New / base: 1.15 is 15 % more, which is slower for a time and faster for a rate."""

    ratio: float
    low: float
    high: float
    """The interval of `CONFIDENCE`, widened for single runs."""
    quiet: float
    """The same ratio from the quietest slices, without pairing."""
    slices: int
    """Of the side that has fewer."""
    spread: float = 0.0
    """Between the quartiles of the paired ratios, as a share of their median, of the side where it is larger."""


def measure_effect(
    base: Sequence[Run], new: Sequence[Run], *, better: Better, seed: int, name: str = "", resamples: int = RESAMPLES
) -> Effect:
    """The effect between the runs of two sides.

    Args:
        base: The runs before, at least one, each with at least one sample.
        new: The runs after.
        better: Whether the samples are times (`lower`) or rates (`higher`).
        seed: Of the bootstrap.
        name: Of the result, so that each draws its own numbers, whatever stands before it.
        resamples: How many.
    """
    random = np.random.default_rng([seed, zlib.crc32(name.encode())])
    sides = [
        [np.asarray(run.samples, float) / np.asarray(run.reference, float) for run in runs] for runs in (base, new)
    ]
    base_median, new_median = (float(np.median(np.concatenate(side))) for side in sides)
    base_drawn, new_drawn = (_medians(side, random, resamples) for side in sides)
    outside = (1 - CONFIDENCE) / 2
    low, high = np.quantile(new_drawn / base_drawn, (outside, 1 - outside))
    widening = 1 + RUN_SHIFT if min(len(base), len(new)) == 1 else 1.0
    return Effect(
        ratio=new_median / base_median,
        low=float(low) / widening,
        high=float(high) * widening,
        quiet=_quiet(new, better) / _quiet(base, better),
        slices=min(sum(map(len, side)) for side in sides),
        spread=max(_spread(np.concatenate(side)) for side in sides),
    )


def judge(effect: Effect, *, better: Better, limit: float) -> tuple[Verdict, str]:
    """The verdict of an effect and, where there is something to say, the reason.

    Args:
        effect: What was measured.
        better: Whether the figure is a time (`lower`) or a rate (`higher`).
        limit: How much longer each item may take, such as 0.1; a rate by the time that an item takes.
    """
    if effect.slices < MIN_SLICES:
        return Verdict.INCONCLUSIVE, f"{effect.slices} slices; at least {MIN_SLICES} are needed"
    most, least = 1 + limit, 1 / (1 + limit)
    if effect.low > most or effect.high < least:
        is_more = effect.low > most
        verdict = Verdict.REGRESSED if is_more == (better == "lower") else Verdict.IMPROVED
        agrees = effect.quiet > most if is_more else effect.quiet < least
    elif least <= effect.low and effect.high <= most:
        verdict, agrees = Verdict.SAME, least <= effect.quiet <= most
    else:
        return Verdict.INCONCLUSIVE, "the interval reaches over the limit"
    change = max(effect.ratio, 1 / effect.ratio) - 1
    if verdict is not Verdict.SAME and effect.spread > limit and change < DWARFED * effect.spread:
        return Verdict.INCONCLUSIVE, f"{verdict}, if figures that spread by {effect.spread:.0%} can say so"
    if not agrees:
        return Verdict.INCONCLUSIVE, f"{verdict} by the median, not by the quietest slices"
    return verdict, ""


def _spread(ratios: Floats) -> float:
    lower, middle, upper = np.quantile(ratios, (0.25, 0.5, 0.75))
    return float((upper - lower) / middle)


def _medians(side: Sequence[Floats], random: np.random.Generator, resamples: int) -> Floats:
    """Medians of resamples: runs drawn with replacement, in each of them circular blocks of neighbours."""
    values = np.concatenate(side)
    lengths = np.array([len(run) for run in side])
    offsets = np.cumsum(lengths) - lengths
    length = int(lengths.max())
    block = max(1, round(length**0.5))
    blocks = -(-length // block)
    run = random.integers(len(side), size=(resamples, len(side), 1, 1))
    start = random.random((resamples, len(side), blocks, 1)) * lengths[run]
    index = offsets[run] + (start.astype(np.intp) + np.arange(block)) % lengths[run]
    drawn = values[index.reshape(resamples, len(side), -1)[:, :, :length].reshape(resamples, -1)]
    return np.asarray(np.median(drawn, axis=1), float)


def _quiet(runs: Sequence[Run], better: Better) -> float:
    """The quietest samples against the quietest of the reference, in the best run."""
    share = QUIET if better == "lower" else 1 - QUIET
    of_runs = [np.quantile(run.samples, share) / np.quantile(run.reference, share) for run in runs]
    return float(min(of_runs) if better == "lower" else max(of_runs))
