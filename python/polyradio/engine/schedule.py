"""The radio's slots, planned from the channels in use and the channels to be scanned: a pure function.

The device repeats the slots until it gets others. It tells the access points of the VMs that lose the antenna that they
sleep, and wakes them when the antenna returns; the plan only says where the radio stands, and for how long.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from polyradio.engine.policy import Policy
from polyradio.host_api import Slot


@dataclass(frozen=True, slots=True)
class Round:
    """One time through the slots."""

    slots: tuple[Slot, ...]
    """The slots in order."""
    visited: frozenset[int]
    """Scan channels that have had their time when the round is over; the others need another round."""

    @property
    def length_us(self) -> int:
        """How long the round takes."""
        return sum(slot.length_us for slot in self.slots)


def plan_round(channels: Mapping[int, int], scan: Sequence[int], policy: Policy, max_slots: int) -> Round:
    """The next round of slots.

    Channels in use have their slots in ascending order; between two scan slots all of them have their turn, so that a
    scan takes none of them off the air for longer than one scan slot and the others' slots. A scan of a channel in use
    makes its slot longer instead.

    Args:
        channels: VMs on each channel in use.
        scan: Channels still to be visited, in order.
        policy: Lengths and weights.
        max_slots: What the device can hold; at least the number of channels in use + 1 for a scan to make progress.
    """
    in_use = _slots_in_use(channels, scan, policy)
    visited = {channel for channel in scan if channel in channels}
    slots: list[Slot] = []
    for channel in scan:
        if channel in channels:
            continue
        if len(slots) + len(in_use) + 1 > max_slots:
            break
        slots += [*in_use, Slot(channel, _us(policy.scan_slot_ms))]
        visited.add(channel)
    return Round(tuple(slots or in_use[:max_slots]), frozenset(visited))


def _slots_in_use(channels: Mapping[int, int], scan: Sequence[int], policy: Policy) -> list[Slot]:
    most = max(channels.values(), default=1)
    slots = []
    for channel, vms in sorted(channels.items()):
        share = vms / most if policy.share == "vm" else 1.0
        length_ms = max(policy.slot_ms * share, _SHORTEST_MS)
        if channel in scan:
            length_ms = max(length_ms, policy.scan_slot_ms)
        slots.append(Slot(channel, _us(length_ms)))
    return slots


def _us(milliseconds: float) -> int:
    return round(milliseconds * 1000)


_SHORTEST_MS = 5.0
"""A slot has to hold a channel switch, the power-save announcements and still some traffic."""
