"""What became of every VM's configuration call, and why."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from polyradio.host_api import (
    CallError,
    HostCall,
    InitVm,
    InstallKey,
    Opcode,
    RemoveKey,
    Scan,
    SetConnection,
    SetParameters,
    VmId,
    VrId,
)


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


def words(error: CallError) -> str:
    """The error in words."""
    return error.name.lower().replace("_", " ")


def channel_list(channels: Iterable[int]) -> str:
    """`channel 1` or `channels 1, 6`."""
    numbers = list(channels)
    return ("channel " if len(numbers) == 1 else "channels ") + ", ".join(map(str, numbers))


def describe(call: HostCall) -> str:
    """What is asked, in one line, without keys."""
    match call:
        case InitVm(vm=vm, address=address):
            return f"init VM {vm} with address {address.hex(':')}"
        case SetParameters(channel=channel):
            return f"set parameters: channel {channel}" if channel else "set parameters: no channel"
        case SetConnection(state=state, bssid=bssid):
            return f"set connection: {state.name.lower()} with {bssid.hex(':')}"
        case InstallKey(key_id=key_id, scope=scope):
            return f"install {scope.name.lower()} key {key_id}"
        case RemoveKey(key_id=key_id, scope=scope):
            return f"remove {scope.name.lower()} key {key_id}"
        case Scan(channels=channels):
            return f"scan {channel_list(channels)}"
        case _:
            return Opcode(call.opcode).name.lower().replace("_", " ")
