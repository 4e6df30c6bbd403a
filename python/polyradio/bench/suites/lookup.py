"""Address to VM: the connection table's bulk look-up of random addresses that are there."""

from collections.abc import Iterator
from functools import partial

from polyradio import _core
from polyradio.bench.measure import Case, Named, Plan

ENTRIES = (16, 256, 4096, 65535)


FEW = 1024
"""Up to so many VMs, what is asked for stays in the first caches."""


def chain(vms: int = 1) -> Named:
    """Dependent steps, which never change.

    In the first cache they tell the clock rate; with many VMs they tell how fast the memory is that all cores share.
    """
    kib = 32 if vms <= FEW else 4096
    return f"chain of {kib} KiB", partial(_core.Workload.chain, kib << 10)


def cases(plan: Plan) -> Iterator[Case]:
    """A table of each size."""
    for entries in (16, 65535) if plan.quick else ENTRIES:
        yield Case(
            suite="lookup",
            name=f"lookup/vms={entries}",
            parameters={"vms": entries},
            subject=partial(_core.Workload.lookup, entries, seed=plan.seed, handicap=plan.handicap),
            reference=chain(entries),
            limit=("one read of memory each", partial(_core.Workload.line_reads, entries, seed=plan.seed)),
            peers=[("std HashMap", partial(_core.Workload.hash_map, entries, seed=plan.seed))],
            unit="ns/look-up",
        )
