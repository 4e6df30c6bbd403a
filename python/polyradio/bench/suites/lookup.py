"""Address to VM: the connection table's bulk look-up of random addresses that are there."""

from collections.abc import Iterator
from functools import partial

from polyradio import _core
from polyradio.bench.measure import Case, Named, Plan

ENTRIES = (16, 256, 4096, 65535)


def chain() -> Named:
    """Dependent steps in the first cache: tells the clock rate, and never changes."""
    return "chain of 32 KiB", partial(_core.Workload.chain, 1 << 15)


def cases(plan: Plan) -> Iterator[Case]:
    """A table of each size."""
    for entries in (16, 65535) if plan.quick else ENTRIES:
        yield Case(
            suite="lookup",
            name=f"lookup/vms={entries}",
            parameters={"vms": entries},
            subject=partial(_core.Workload.lookup, entries, seed=plan.seed, handicap=plan.handicap),
            reference=chain(),
            limit=("one read of memory each", partial(_core.Workload.line_reads, entries, seed=plan.seed)),
            peers=[("std HashMap", partial(_core.Workload.hash_map, entries, seed=plan.seed))],
            unit="ns/look-up",
        )
