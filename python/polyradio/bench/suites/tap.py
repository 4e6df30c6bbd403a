"""Real Linux stacks by TAP through the whole path, next to a veth pair: TCP in Mbit/s. Needs root and iperf3."""

import shutil
from collections.abc import Callable, Iterator
from functools import partial

from polyradio.bench.measure import Case, Plan, Runner
from polyradio.bench.tap_path import measure_tap, measure_veth
from polyradio.errors import NotAvailable

SECONDS = 1
"""Of TCP, for each sample; a slice is that long, whatever was asked for."""
SAMPLES = 3


class _Transfer:
    """Megabits that arrived count as items: items in a second are Mbit/s. A second is measured once for each round."""

    items = 1

    def __init__(self, measure: Callable[[], float]) -> None:
        self._measure = measure

    def run(self, repetitions: int, /) -> int:
        """Nanoseconds of a megabit, times the repetitions."""
        return round(repetitions * 1e9 / self._measure())


def cases(plan: Plan) -> Iterator[Case]:
    """With ideal air, and with 54 Mbit/s on the air."""
    for tool in ("iperf3", "ip", "unshare"):
        if shutil.which(tool) is None:
            raise NotAvailable(f"{tool} is not installed")
    veth = ("veth pair", partial(_build, partial(measure_veth, seconds=SECONDS)))
    for ideal in (True,) if plan.quick else (True, False):
        yield Case(
            suite="tap",
            name=f"tap/{'ideal_air' if ideal else '54_mbit'}",
            parameters={"ideal_air": ideal},
            subject=partial(_build, partial(measure_tap, ideal_air=ideal, seconds=SECONDS)),
            reference=veth,
            limit=veth,
            unit="Mbit/s",
            better="higher",
            countable=False,
            slices=1 if plan.quick else SAMPLES,
        )


def _build(measure: Callable[[], float]) -> Runner:
    return _Transfer(measure)
