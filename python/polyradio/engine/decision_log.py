"""What became of every VM's configuration call, and why."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from polyradio.host_api import VmId, VrId


class Outcome(StrEnum):
    """How a configuration call ends. A deferred call has a second entry when its time has come."""

    APPLIED = "applied"
    """Done as asked."""
    MERGED = "merged"
    """Done together with what other VMs asked for."""
    DEFERRED = "deferred"
    """To be done later."""
    IGNORED = "ignored"
    """Nothing to do: what is asked for stands already."""
    REFUSED = "refused"
    """Not done."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One entry."""

    time_ns: int
    """When it was decided."""
    vr: VrId
    """The virtual radio that called."""
    vm: VmId | None
    """Its VM; None where it never was initialised."""
    call: str
    """What was asked, in one line, without keys."""
    outcome: Outcome
    """What became of it."""
    reason: str
    """Why, in a sentence."""


class DecisionLog:
    """All decisions in order; new ones are polled, counts are kept."""

    def __init__(self) -> None:
        self._new: list[Decision] = []
        self._counts: Counter[Outcome] = Counter()

    def record(self, decision: Decision) -> None:
        """Adds an entry."""
        self._new.append(decision)
        self._counts[decision.outcome] += 1

    def poll(self) -> Iterator[Decision]:
        """The entries since the last poll."""
        new, self._new = self._new, []
        yield from new

    def counts(self) -> dict[str, int]:
        """How many calls ended in each way, every way named."""
        return {outcome.value: self._counts[outcome] for outcome in Outcome}
