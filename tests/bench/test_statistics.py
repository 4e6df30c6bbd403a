"""The verdict: finds a slowdown, and does not take a busy machine for one."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyradio.bench.statistics import MIN_SLICES, RUN_SHIFT, Effect, Run, Verdict, judge, measure_effect

Noisy = Callable[..., tuple[tuple[float, ...], tuple[float, ...]]]
SEED = 20_261_123


def scaled(run: Run, factor: float) -> Run:
    return Run([sample * factor for sample in run.samples], run.reference)


def verdicts(noisy: Noisy, slowdown: float, *, comparisons: int = 200, runs: int = 1) -> Counter[Verdict]:
    found: Counter[Verdict] = Counter()
    for number in range(comparisons):
        seeds = iter(range(SEED + number * 100, SEED + (number + 1) * 100))
        base = [Run(*noisy(next(seeds))) for _ in range(runs)]
        new = [scaled(Run(*noisy(next(seeds))), slowdown) for _ in range(runs)]
        effect = measure_effect(base, new, better="lower", seed=number, resamples=500)
        found[judge(effect, better="lower", limit=0.1)[0]] += 1
    return found


def test_the_same_code_on_a_busy_machine_is_never_called_slower_or_faster(noisy: Noisy) -> None:
    found = verdicts(noisy, 1.0)
    assert found[Verdict.REGRESSED] == found[Verdict.IMPROVED] == 0
    assert found[Verdict.SAME] > 180


def test_15_percent_are_found_on_a_busy_machine(noisy: Noisy) -> None:
    found = verdicts(noisy, 1.15)
    assert found[Verdict.REGRESSED] > 120
    assert found[Verdict.SAME] == found[Verdict.IMPROVED] == 0


def test_15_percent_less_are_found_too(noisy: Noisy) -> None:
    found = verdicts(noisy, 1 / 1.15)
    assert found[Verdict.IMPROVED] > 120
    assert found[Verdict.SAME] == found[Verdict.REGRESSED] == 0


def test_several_runs_of_each_side_find_it_as_well(noisy: Noisy) -> None:
    assert verdicts(noisy, 1.15, comparisons=50, runs=3)[Verdict.REGRESSED] > 45
    assert verdicts(noisy, 1.0, comparisons=50, runs=3)[Verdict.REGRESSED] == 0


def test_a_single_run_is_not_trusted_for_the_last_two_percent() -> None:
    base, new = Run([100.0] * 30, [10.0] * 30), Run([111.0] * 30, [10.0] * 30)
    one = measure_effect([base], [new], better="lower", seed=1)
    two = measure_effect([base] * 2, [new] * 2, better="lower", seed=1)
    assert judge(one, better="lower", limit=0.1)[0] is Verdict.INCONCLUSIVE
    assert judge(two, better="lower", limit=0.1)[0] is Verdict.REGRESSED


def test_a_shift_between_runs_is_seen_with_several_runs_only(noisy: Noisy) -> None:
    # Two of three runs of the new side had a bad memory layout; none of it is the code's.
    base = [Run(*noisy(SEED + i)) for i in range(3)]
    new = [scaled(Run(*noisy(SEED + 10 + i)), shift) for i, shift in enumerate((1.0, 1.25, 1.25))]
    one = measure_effect(base[1:2], new[1:2], better="lower", seed=1)
    three = measure_effect(base, new, better="lower", seed=1)
    assert judge(one, better="lower", limit=0.1)[0] is Verdict.REGRESSED
    assert judge(three, better="lower", limit=0.1)[0] is Verdict.INCONCLUSIVE


def test_a_neighbour_that_leaves_the_reference_alone_raises_no_alarm() -> None:
    # Most slices of the new run were slowed by 40 %, the reference beside them was not.
    random = np.random.default_rng(SEED)
    base = Run(100 + random.gamma(1, 2, 40), np.full(40, 10.0))
    hit = np.where(np.arange(40) % 10 < 7, 1.4, 1.0)
    new = Run((100 + random.gamma(1, 2, 40)) * hit, np.full(40, 10.0))
    effect = measure_effect([base], [new], better="lower", seed=1)
    verdict, reason = judge(effect, better="lower", limit=0.1)
    assert effect.ratio > 1.3
    assert verdict is Verdict.INCONCLUSIVE
    assert reason


def test_what_slows_both_cancels() -> None:
    base = Run([100.0] * 30, [10.0] * 30)
    slower_machine = Run([170.0] * 30, [17.0] * 30)
    effect = measure_effect([base], [slower_machine], better="lower", seed=1)
    single = 1 + RUN_SHIFT
    assert effect == Effect(*map(pytest.approx, (1.0, 1 / single, single, 1.0)), 30)
    assert judge(effect, better="lower", limit=0.1) == (Verdict.SAME, "")


samples = st.lists(st.floats(1, 1e6), min_size=1, max_size=40)


@given(samples, samples, st.integers(0, 2**32))
def test_the_interval_is_in_order_and_the_seed_decides(base: list[float], new: list[float], seed: int) -> None:
    runs = [Run(base, [1.0] * len(base))], [Run(new, [1.0] * len(new))]
    effect = measure_effect(*runs, better="lower", seed=seed, resamples=50)
    assert 0 < effect.low <= effect.high
    assert effect.slices == min(len(base), len(new))
    assert effect == measure_effect(*runs, better="lower", seed=seed, resamples=50)


@given(st.floats(0.5, 2), st.floats(0.5, 2), st.floats(0.5, 2), st.floats(0.01, 1))
def test_what_is_worse_for_a_time_is_better_for_a_rate(one: float, other: float, quiet: float, limit: float) -> None:
    effect = Effect((one * other) ** 0.5, min(one, other), max(one, other), quiet, 30)
    opposite = {Verdict.IMPROVED: Verdict.REGRESSED, Verdict.REGRESSED: Verdict.IMPROVED}
    verdict, _ = judge(effect, better="lower", limit=limit)
    assert judge(effect, better="higher", limit=limit)[0] is opposite.get(verdict, verdict)


def test_rates_are_judged_the_other_way_round(noisy: Noisy) -> None:
    def rate(run: Run) -> Run:
        return Run([1 / sample for sample in run.samples], [1 / sample for sample in run.reference])

    base, new = Run(*noisy(SEED)), scaled(Run(*noisy(SEED + 1)), 1.3)
    effect = measure_effect([rate(base)], [rate(new)], better="higher", seed=1)
    assert effect.ratio < 0.85
    assert judge(effect, better="higher", limit=0.1)[0] is Verdict.REGRESSED
    assert judge(effect, better="lower", limit=0.1)[0] is Verdict.IMPROVED


def test_too_few_slices_give_no_verdict() -> None:
    base, new = Run([100.0] * 30, [10.0] * 30), Run([200.0] * (MIN_SLICES - 1), [10.0] * (MIN_SLICES - 1))
    verdict, reason = judge(measure_effect([base], [new], better="lower", seed=1), better="lower", limit=0.1)
    assert verdict is Verdict.INCONCLUSIVE
    assert reason == f"{MIN_SLICES - 1} slices; at least {MIN_SLICES} are needed"


def test_each_result_draws_its_own_numbers(noisy: Noisy) -> None:
    runs = [Run(*noisy(SEED))], [Run(*noisy(SEED + 1))]
    one, other = (measure_effect(*runs, better="lower", seed=1, name=name) for name in ("one", "other"))
    assert one.ratio == other.ratio
    assert (one.low, one.high) != (other.low, other.high)


def test_figures_that_spread_past_the_limit_say_nothing() -> None:
    effect = Effect(ratio=2.0, low=1.5, high=3.0, quiet=1.8, slices=30, spread=0.2)
    assert judge(effect, better="lower", limit=0.1) == (
        Verdict.INCONCLUSIVE,
        "regressed, if figures that spread by 20% can say so",
    )
    assert judge(replace(effect, spread=0.05), better="lower", limit=0.1)[0] is Verdict.REGRESSED


def test_a_change_that_dwarfs_the_spread_is_one() -> None:
    slower = Effect(ratio=1000.0, low=600.0, high=1500.0, quiet=900.0, slices=30, spread=0.5)
    assert judge(slower, better="lower", limit=0.1) == (Verdict.REGRESSED, "")
    faster = Effect(ratio=1e-3, low=6e-4, high=1.5e-3, quiet=9e-4, slices=30, spread=0.5)
    assert judge(faster, better="lower", limit=0.1) == (Verdict.IMPROVED, "")
