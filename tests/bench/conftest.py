"""Reports without a measurement."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from polyradio.bench.report import Build, Instructions, Machine, Reference, Report, Result, Settings, summary

MACHINE = Machine("0123456789ab", "A CPU", 2, ("aes", "vaes"), 1 << 33, "6.1.0", "3.11.7")


def _result(
    name: str = "ccmp/seal/1500",
    samples: Sequence[float] | None = None,
    reference: Sequence[float] | None = None,
    *,
    better: str = "lower",
    backend: str | None = "vaes-512",
    instructions: Instructions | None = None,
) -> Result:
    samples = tuple(samples) if samples is not None else tuple(100.0 + i % 3 for i in range(30))
    reference = tuple(reference) if reference is not None else (10.0,) * len(samples)
    best, median, spread = summary(samples, better)
    return Result(
        suite=name.split("/")[0],
        name=name,
        parameters={"octets": 1500, "direction": "seal"},
        unit="ns/packet" if better == "lower" else "commands/s",
        better=better,
        backend=backend,
        samples=samples,
        best=best,
        median=median,
        spread=spread,
        reference=Reference("AES", reference),
        instructions=instructions,
    )


def _report(*results: Result, machine: Machine = MACHINE, backend: str = "vaes-512") -> Report:
    return Report(
        created="2026-11-23T14:00:00Z",
        polyradio="0.1.0",
        machine=machine,
        build=Build("release", backend),
        settings=Settings(seed=1, slices=30, slice_ms=5),
        results=results or (_result(),),
    )


def _noisy(seed: int, slices: int = 40, level: float = 100.0) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Samples and reference of a busy machine: common drift, bursts that hit both or one of them, a long tail."""
    random = np.random.default_rng(seed)
    drift = np.exp(np.cumsum(random.normal(0, 0.01, slices)))
    busy = np.repeat(random.random(slices // 4 + 1) < 0.3, 4)[:slices]
    common = drift * np.where(busy, random.uniform(1.2, 2.2, slices), 1)

    def one(base: float) -> np.ndarray:
        own = np.where(random.random(slices) < 0.15, random.uniform(1, 3, slices), 1)
        return base * common * own * (1 + random.gamma(1, 0.02, slices))

    shift = random.normal(1, 0.01)
    return tuple(map(float, one(level * shift))), tuple(map(float, one(10.0)))


@pytest.fixture
def report() -> Report:
    return _report()


@pytest.fixture
def make_result() -> Callable[..., Result]:
    return _result


@pytest.fixture
def make_report() -> Callable[..., Report]:
    return _report


@pytest.fixture
def noisy() -> Callable[..., tuple[tuple[float, ...], tuple[float, ...]]]:
    return _noisy
