"""The transmit path with many VMs: whose frame it is, its checks, packet number, sealing."""

from collections.abc import Iterator

from polyradio.bench.measure import Case, Plan
from polyradio.bench.suites import receive


def cases(plan: Plan) -> Iterator[Case]:
    """As the receive path."""
    return receive.cases(plan, "transmit")
