"""The receive path with many VMs: whose frame it is, its checks, replay, opening, the VM's number."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from statistics import median, quantiles

from polyradio import _core
from polyradio.bench.measure import Case, Plan, Samples
from polyradio.bench.report import Reference, Result, summary
from polyradio.bench.suites.ccmp import aes_limit
from polyradio.bench.suites.lookup import FEW, chain

VMS = (16, 1024, 65535)
SIZES = (64, 1500)
BATCH = 256
WORKERS = 2
CREW_BATCH = 1024
"""Workers need something to share out."""
ONE_WORKER = "one worker"
SMALLEST = 0.01
"""Nanoseconds; a difference below that is none."""
ONLY_CCMP = "CCMP of the same frames"


def cases(plan: Plan, suite: str = "receive") -> Iterator[Case]:
    """Few, many and all VMs, short and long frames; what is left without the cryptography; and two workers."""
    build = _core.Workload.receive if suite == "receive" else _core.Workload.transmit
    if (os.cpu_count() or 1) >= WORKERS:
        yield from (_with_workers(plan, suite, build, size) for size in SIZES)
    for vms in (16, 65535) if plan.quick else VMS:
        for size in SIZES:
            batches = (64, BATCH) if vms == 1024 else (BATCH,)
            for batch in batches:
                make = partial(build, vms, size, batch=batch, seed=plan.seed)
                best = _core.best_backend()
                limit = aes_limit([size], best)
                suffix = "" if batch == BATCH else f"/batch={batch}"
                yield Case(
                    suite=suite,
                    name=f"{suite}/{size}/vms={vms}{suffix}",
                    parameters={"octets": size, "vms": vms, "batch": batch, "workers": 1},
                    subject=partial(make, handicap=plan.handicap),
                    # Many rows and long frames are more than a core's own caches hold: memory that all cores share.
                    reference=chain(max(VMS)) if vms > FEW or size > min(SIZES) else limit,
                    limit=limit if limit[0].startswith("AES") else None,
                    others=[(ONLY_CCMP, partial(make, only_ccmp=True))],
                    # Of long frames it would be the small difference of two large figures.
                    derive=partial(_rest, suite, suffix) if size == min(SIZES) else None,
                    backend=best,
                )


def _with_workers(plan: Plan, suite: str, build: Callable[..., _core.Workload], size: int) -> Case:
    """Two workers, and how many times as fast they are as one that runs beside them."""
    vms = 1024
    make = partial(build, vms, size, batch=CREW_BATCH, seed=plan.seed)
    name = f"{suite}/{size}/vms={vms}/batch={CREW_BATCH}"
    return Case(
        suite=suite,
        name=f"{name}/workers={WORKERS}",
        parameters={"octets": size, "vms": vms, "batch": CREW_BATCH, "workers": WORKERS},
        subject=partial(make, workers=WORKERS, handicap=plan.handicap),
        reference=(ONE_WORKER, make),
        limit=None,
        others=[],
        derive=partial(_speed_up, suite, size),
        backend=_core.best_backend(),
    )


def _speed_up(suite: str, size: int, whole: Result, _samples: Samples) -> list[Result]:
    ratios = tuple(one / two for one, two in zip(whole.reference.samples, whole.samples, strict=True))
    best, middle, spread = summary(ratios, "higher")
    return [
        replace(
            whole,
            name=f"{suite}/{size}/speed-up/{WORKERS}:1 workers",
            unit="times",
            better="higher",
            samples=ratios,
            best=best,
            median=middle,
            spread=spread,
            limit=None,
            backend=None,
            reference=Reference("none: a ratio", (1.0,) * len(ratios)),
        )
    ]


def _rest(suite: str, suffix: str, whole: Result, samples: Samples) -> list[Result]:
    """All but the cryptography: the differences of slices that ran in the same round."""
    only = samples[ONLY_CCMP]
    differences = tuple(max(SMALLEST, a - b) for a, b in zip(whole.samples, only, strict=True))
    _, middle, spread = summary(differences, "lower")
    size, vms = whole.parameters["octets"], whole.parameters["vms"]
    return [
        replace(
            whole,
            name=f"{suite}/rest/{size}/vms={vms}{suffix}",
            parameters={**whole.parameters, "ccmp_ns": median(only)},
            samples=differences,
            # The smallest difference would be that of two slices of which one was disturbed.
            best=quantiles(differences, n=4)[0],
            median=middle,
            spread=spread,
            limit=None,
            backend=None,
        )
    ]
