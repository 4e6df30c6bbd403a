"""The receive path with many VMs: whose frame it is, its checks, replay, opening, the VM's number."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from statistics import median

from polyradio import _core
from polyradio.bench.measure import Case, Plan, Samples
from polyradio.bench.report import Result, summary
from polyradio.bench.suites.ccmp import aes_limit
from polyradio.bench.suites.lookup import FEW, chain

VMS = (16, 1024, 65535)
SIZES = (64, 1500)
BATCH = 256
SMALLEST = 0.01
"""Nanoseconds; a difference below that is none."""
ONLY_CCMP = "CCMP of the same frames"


def cases(plan: Plan, suite: str = "receive") -> Iterator[Case]:
    """Few, many and all VMs, short and long frames; and what is left when the cryptography is taken away."""
    build = _core.Workload.receive if suite == "receive" else _core.Workload.transmit
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
                    reference=chain(vms) if vms > FEW else limit,
                    limit=limit if limit[0].startswith("AES") else None,
                    others=[(ONLY_CCMP, partial(make, only_ccmp=True))],
                    derive=partial(_rest, suite, suffix),
                    backend=best,
                )


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
            best=max(SMALLEST, whole.best - min(only)),
            median=middle,
            spread=spread,
            limit=None,
            backend=None,
        )
    ]
