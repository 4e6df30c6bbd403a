"""Scans: one runs, others become part of it or wait (the merging of like controls). State only, no decisions."""

from collections.abc import Iterable
from dataclasses import dataclass

from polyradio.engine.schedule import Round
from polyradio.host_api import Scan, VrId


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """One VM's scan."""

    vr: VrId
    sequence: int
    """The VM's own sequence number, for the completion."""
    call: Scan


@dataclass(slots=True)
class RunningScan:
    """The scan under way: for whom, and which channels are still to be visited."""

    started: int
    requests: list[ScanRequest]
    remaining: list[int]
    round: Round | None = None
    """The slots that the radio goes through now; None between two rounds."""
    round_began: int = 0
    round_ends: int = 0

    @classmethod
    def of(cls, requests: list[ScanRequest], now: int) -> "RunningScan":
        """One visit to every channel that any of them asks for."""
        return cls(now, requests, unite(request.call.channels for request in requests))

    def may_join(self, channels: Iterable[int], now: int, window_ns: int) -> bool:
        """A scan of these channels can become part of this one: it is young, and has some of them before it."""
        return now - self.started <= window_ns and not set(channels).isdisjoint(self.remaining)

    def join(self, request: ScanRequest) -> None:
        """Makes another VM's scan part of this one."""
        self.requests.append(request)
        self.remaining = unite((self.remaining, request.call.channels))

    def begin_round(self, planned: Round, now: int, guard_ns: int) -> None:
        """The radio goes through these slots, each of which may last `guard_ns` longer."""
        self.round, self.round_began = planned, now
        self.round_ends = now + planned.length_us * 1000 + guard_ns * len(planned.slots)

    def end_round(self, now: int, guard_ns: int) -> None:
        """What was visited until now is not visited again."""
        visited: set[int] = set()
        if self.round is not None and now >= self.round_ends:
            visited |= self.round.visited
        elif self.round is not None:
            at = self.round_began
            for slot in self.round.slots:
                at += slot.length_us * 1000 + guard_ns
                if at <= now and slot.channel in self.round.visited:
                    visited.add(slot.channel)
        self.remaining = [channel for channel in self.remaining if channel not in visited]
        self.round = None

    def serves(self, vr: VrId) -> bool:
        """This virtual radio is among those that scan."""
        return any(request.vr == vr for request in self.requests)


def unite(channels: Iterable[Iterable[int]]) -> list[int]:
    """Every channel once, in the order in which they were first named."""
    return list(dict.fromkeys(channel for several in channels for channel in several))
