"""The whole path in virtual time: guest, host driver, device, air, access point, wired side; frames in a second."""

from collections.abc import Iterator
from functools import partial

from polyradio.bench.measure import Case, Handicapped, Plan, Runner
from polyradio.bench.suites.lookup import chain
from polyradio.bench.whole_path import WholePath

VMS = (1, 64, 1024)
OCTETS = 1500


def cases(plan: Plan) -> Iterator[Case]:
    """One VM, some, many."""
    for vms in (1, 64) if plan.quick else VMS:
        yield Case(
            suite="testbed",
            name=f"testbed/whole_path/{OCTETS}/vms={vms}",
            parameters={"octets": OCTETS, "vms": vms},
            subject=partial(_build, vms, plan.handicap),
            reference=chain(),
            unit="frames/s",
            better="higher",
            countable=False,
        )


def _build(vms: int, handicap: float) -> Runner:
    path = WholePath(vms, OCTETS)
    return Handicapped(path, handicap) if handicap else path
