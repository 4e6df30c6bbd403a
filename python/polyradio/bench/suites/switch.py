"""The radio moves from one VM to another: everything at a slot border, with few VMs and with all there may be.

The two VMs between which it moves stand on two channels; the others are connected and have their rows, and stand where
no slot is. `crowded`: all VMs have turns, half on each channel, and each of them says farewell to its access point.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from polyradio import _core
from polyradio.bench.measure import Case, Plan, Samples
from polyradio.bench.report import Reference, Result, summary
from polyradio.bench.suites.lookup import chain

VMS = (2, 16, 1024, 65535)
FEWEST, MOST = VMS[0], VMS[-1]
CROWD = 1024
FEW_VMS = f"{FEWEST} VMs"


def cases(plan: Plan) -> Iterator[Case]:
    """Each number of VMs; with the most of them, how much longer it takes than with the fewest."""
    for vms in (FEWEST, MOST) if plan.quick else VMS:
        yield Case(
            suite="switch",
            name=f"switch/vms={vms}",
            parameters={"vms": vms},
            subject=partial(_core.Workload.switch, vms, handicap=plan.handicap),
            reference=chain(vms),
            others=[(FEW_VMS, partial(_core.Workload.switch, FEWEST))] if vms == MOST else [],
            derive=_growth if vms == MOST else None,
            unit="ns/switch",
        )
    if not plan.quick:
        yield Case(
            suite="switch",
            name=f"switch/crowded/vms={CROWD}",
            parameters={"vms": CROWD},
            subject=partial(_core.Workload.switch, CROWD, crowded=True, handicap=plan.handicap),
            reference=chain(),
            unit="ns/switch",
        )


def _growth(most: Result, samples: Samples) -> list[Result]:
    """How often the switch with the fewest VMs fits into the one with the most."""
    few = samples[FEW_VMS]
    growth = tuple(a / b for a, b in zip(most.samples, few, strict=True))
    _, median, spread = summary(growth, "lower")
    return [
        replace(
            most,
            name=f"switch/growth/{MOST}:{FEWEST}",
            parameters={"vms": MOST, "fewest": FEWEST},
            unit="times",
            samples=growth,
            best=most.best / min(few),
            median=median,
            spread=spread,
            # Its reference is in it: the fewest VMs, in the same round.
            reference=Reference("none: a ratio", (1.0,) * len(growth)),
        )
    ]
